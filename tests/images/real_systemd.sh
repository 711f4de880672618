#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# real_systemd.sh - systemd as the first process of a partition, `launch --boot`: services, scopes, users, the journal, power-off from inside and
# from outside. On whatever host it is run: tests/images/real does so here, and in the lab (systemd, cgroup v2).
#
# Usage: real_systemd.sh RINGFENCE DIRECTORY [IMAGE] [GLOBAL OPTION...]: without an image, or with "", one is made of this host's root.
set -uo pipefail

RT=$1 T=$2 IMAGE=${3:-} GLOBAL=("${@:4}")
SCALE=1
[[ ${RF_TEST_SLOW:-} != 1 ]] || SCALE=8
die() {
	echo "FAILED: $*"
	rt logs -n 20 app 2>&1
	rt exec app journalctl -b --no-pager -n 20 2>&1
	rt rm -fv app >/dev/null 2>&1
	exit 1
}
rt() { "$RT" --root "$T/run" --data "$T/data" "${GLOBAL[@]}" "$@"; }
good() {
	OUT=$(timeout -k 5 $((60 * SCALE)) "$RT" --root "$T/run" --data "$T/data" "${GLOBAL[@]}" "$@" 2>&1 </dev/null) || die "exit status $?: $*: $OUT"
}
has() { [[ $1 == *"$2"* ]] || die "no '$2' in: $1"; }
eq() { [[ $1 == "$2" ]] || die "${3:-value}: expected '$2', got '$1'"; }
until_ok() {
	local end=$((SECONDS + $1 * SCALE + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS <= end)) || die "never came true: $*"
		sleep 0.1
	done
}
status() { rt ls -a --format json | jq -r '.[]|select(.name=="app").status'; }
is_now() { [[ $(status) == "$1" ]]; }
booted() { [[ $(rt exec app systemctl is-system-running) =~ ^(running|degraded)$ ]]; }
boots() {
	until_ok 30 booted
	good exec app systemctl --failed --no-legend --plain
	eq "$OUT" '' "units that failed"
}

if [[ -z $IMAGE ]]; then
	IMAGE=machine
	good import -q --from-host --compression none --exclude usr/lib/modules --exclude lab machine
fi
good launch -d --boot --hostname inside "$IMAGE" app
if [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
	# Where v1 has the controllers it depends on systemd's version, and on what is mounted.
	for ((i = 0; i < 100 * SCALE; i++)); do booted && break || sleep 0.1; done
	booted || { rt rm -fv app >/dev/null && echo "systemd does not start with this host's cgroups, which are not v2's alone" && exit 77; }
fi
boots
[[ -z ${NEEDS_USERNS:-} ]] || [[ $(rt exec app cat /proc/self/uid_map) =~ ^\ *0\ +[1-9] ]] || die "no user namespace"
# It is its own, and sees what it would as a machine's first.
good exec app systemd-detect-virt --container
[[ $OUT != none ]] || die "it does not know that it is in a container"
good exec app cat /proc/1/comm /etc/hostname
has "$OUT" systemd
has "$OUT" inside
# What systemd does without, if it cannot have it.
good exec app systemd-run --wait --pipe -q -p PrivateTmp=yes -p ProtectSystem=strict -p MemoryMax=64M -p NoNewPrivileges=yes -- id -un
eq "$OUT" root
good exec app systemd-run --wait -q -p User=nobody -- test -w /dev/null
good exec app systemd-run -q --unit there --slice=mine.slice -- sleep 1000
good exec app systemctl is-active there
good exec app systemctl show -P ControlGroup there
eq "$OUT" /mine.slice/there.service
good exec app sh -c 'echo "said to the journal" | systemd-cat -t rf && journalctl --sync && journalctl -t rf -o cat --no-pager'
has "$OUT" "said to the journal"
good exec app loginctl list-sessions --no-legend
# Tables of the host, where its systemd is one.
good stats --no-stream --format json app
good pause app
good resume app
good exec app true

began=$SECONDS
good stop -t $((30 * SCALE)) app
((SECONDS - began < 20 * SCALE)) || die "stop took $((SECONDS - began)) s"
is_now exited || die "after stop: $(status)"
eq "$(rt ls -a --format json | jq '.[0].exitCode')" 0 "exit code after stop"
good restart app
boots
good exec app journalctl --no-pager -n 1
# As people at its own console do.
rt exec app systemctl poweroff --no-block >/dev/null 2>&1
until_ok 20 is_now exited
good rm -v app
# With a terminal its console's messages are in the log; and with CAP_SYS_ADMIN in its user namespace services have all that shuts them in.
good launch -d -t --boot --cap-add SYS_ADMIN "$IMAGE" app
boots
good exec app systemd-run --wait --pipe -q -p DynamicUser=yes -p PrivateDevices=yes -p PrivateNetwork=yes -p ProtectKernelTunables=yes -- id -u
[[ $OUT =~ ^6[1-5][0-9]{3}$ ]] || die "a dynamic user: $OUT"
good exec app systemd-run --wait --pipe -q -p PrivateUsers=yes -p PrivateTmp=yes -- sh -c 'ls -A /tmp'
eq "$OUT" ''
good stop app
good logs app
has "$OUT" "Reached target"
good rm -v app
[[ -z $(find /sys/fs/cgroup -type d -name '*ringfence*app*') ]] || die "cgroups are left: $(find /sys/fs/cgroup -type d -name '*ringfence*app*')"
[[ -z $(grep -F "$T/data" /proc/self/mountinfo) ]] || die "mounts are left"
echo "systemd $(systemctl --version 2>/dev/null | head -n 1): all right"
