# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What the client files share: the private world they run in, their image, how cases are declared, run and reported.
#
# A client file (podman.sh, ...) is sourced by client_main in a bash that is pid 1 of namespaces of its own. It says
#   needs COMMAND PACKAGE     a program without which the client cannot be asked at all
#   client_setup              function: configures, starts daemons (with `daemon`), loads the image
#   client_sweep              function: removes all containers; called after a case that failed, so that others do not fail for it
#   tc FUNCTION 'DESCRIPTION' a case, followed by its function
# A case runs in a subshell with an empty directory $T as its working directory; the assertions of the integration suite end it.
# At hand: RT (the runtime), TRACED (the same through a script that notes each call in $CALLS), W (the client's directory), CG (the
# name that all of its cgroups carry), ROOTFS and IMAGE (the root file system, and the docker-archive of it, called $BOX).

CLIENTS=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# Assertions, and questions to the host about its cgroups.
# shellcheck source=tests/integration/lib.sh
source "$CLIENTS/../integration/lib.sh"

BOX=localhost/box:latest
CASES=() MISSING=() DAEMONS=()
STAGE=start

tc() { CASES+=("$1"$'\t'"$2"); }
needs() { command -v "$1" >/dev/null || MISSING+=("$1 (Debian: $2)"); }

# --- assertions and small tools that only clients want --------------------------------------------------------------------

# code N COMMAND...: its exit status must be N. Both streams go to the case's log, and to OUT.
code() {
	local want=$1
	shift
	"$@" >"$T/.code" 2>&1 </dev/null
	RC=$?
	OUT=$(<"$T/.code")
	echo "$OUT"
	eq "$RC" "$want" "exit status of: $*"
}
# What every client is called through, for a runtime that hangs must not hang the suite.
LIMIT=(timeout --foreground -k 5 $((60 * ${RF_SCALE:-1})))
# on_tty COMMAND...: on a terminal of 33 by 91; what is typed comes from stdin. Commands should linger a moment before they end: what is
# said last is lost now and then in clients on a busy machine, whatever the runtime.
on_tty() { SHELL=/bin/bash command script -qefc "stty rows 33 cols 91; exec $(printf '%q ' "$@")" /dev/null | tr -d '\r'; }
# typed LINE...: lines as somebody would type them, with time for a shell to come up.
typed() {
	local line
	for line; do
		sleep 1
		printf '%s\n' "$line"
	done
	sleep 1
}
# at_once N COMMAND...: N of them in parallel with the number appended; N outputs and exit statuses in out.I and rc.I.
at_once() {
	local n=$1 i pids=()
	shift
	for ((i = 1; i <= n; i++)); do
		{
			"$@" "$i" >"out.$i" 2>"err.$i"
			echo $? >"rc.$i"
		} &
		pids+=($!)
	done
	wait "${pids[@]}"
}
# Inside a container: the file of its own cgroup. knob CONTROLLER V1FILE V2FILE
knob() { if on_v2 "$1"; then echo "/sys/fs/cgroup/$3"; else echo "/sys/fs/cgroup/$1/$2"; fi; }
# number FILE: what the counting payload, run by process $PID, wrote last.
number() { cat "/proc/$PID/root/n"; }
counts() {
	local before
	before=$(number)
	sleep 0.4
	[[ $(number) != "$before" ]]
}
# mask NAME < /proc/PID/status: one of its capability masks as hexadecimal digits.
mask() { sed -n "s/^$1:[[:blank:]]*//p"; }
has_cap() { (((0x$1 >> $2) & 1)); }
# Is anything left of the container whose id is given, in any hierarchy?
no_cgroup() { [[ -z $(find "$RF_CGROUP" -type d -path "*$CG*" -name "*$1*") ]]; }
# Cgroups of ours in any hierarchy: with processes, or with a name as this client gives to those of containers. Parents that a client
# makes and leaves do not count.
cgroups_left() { # REGEX
	local dir
	find "$RF_CGROUP" -type d -path "*$CG*" | while read -r dir; do
		[[ ! ${dir##*/} =~ $1 && -z $(<"$dir/cgroup.procs") ]] || echo "$dir"
	done
}
no_cgroups() { # REGEX
	local try
	for try in {1..50}; do
		[[ -n $(cgroups_left "$1") ]] || return 0
		sleep 0.1
	done
	die "cgroups are left after $try looks: $(cgroups_left "$1")"
}
# fetch URL: with no proxy of the environment in between.
fetch() { timeout -k 5 10 busybox wget -q -O - "$1"; }

# A profile that lets everything pass but: profile FILE SYSCALL-JSON...
profile() {
	local file=$1
	shift
	jq -n '{defaultAction: "SCMP_ACT_ALLOW", syscalls: ($ARGS.positional | map(fromjson))}' --args -- "$@" >"$file"
}
NO_MKDIR='{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}'

# --- what this kernel can do for the clients (see `can` of the integration suite) ----------------------------------------------

# shellcheck disable=SC2317
try_storage() { # an overlay in the client's directory, which may be on one itself
	mkdir -p "$W/probe"/{l,u,w,m} && mount -t overlay o -o "lowerdir=$W/probe/l,upperdir=$W/probe/u,workdir=$W/probe/w" "$W/probe/m" &&
		umount "$W/probe/m"
}
# shellcheck disable=SC2317
try_bridge() {
	ip link add rfp0 type bridge && ip link add rfp1 type veth peer name rfp2 && ip link set rfp1 master rfp0 &&
		ip link del rfp1 && ip link del rfp0 && iptables -t nat -S
}
need_bridge() { can bridge || skip "no bridges, veth pairs or iptables here"; }
need_ns() { can userns_map || skip "no user namespaces"; }
# shellcheck disable=SC2317
try_userns_map() { unshare --user --map-root-user true; }

# --- the image ---------------------------------------------------------------------------------------------------------------------

# make_rootfs DIR: busybox, some users, and payloads that the cases need.
make_rootfs() {
	local busybox applet
	busybox=${RF_BUSYBOX:-$(command -v busybox)} || return 1
	mkdir -p "$1"/{bin,dev,etc,home/ann,mnt,proc,root,run,sys,tmp,usr/bin,var/empty,srv}
	chmod 1777 "$1/tmp"
	cp "$busybox" "$1/bin/busybox"
	chroot "$1" /bin/busybox true || return 1
	# ip, tar and many more: all of them, whatever this busybox was built with.
	for applet in $("$busybox" --list); do [[ -e $1/bin/$applet ]] || ln -s busybox "$1/bin/$applet"; done
	printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'open::0:0:nobody asks for its password:/root:/bin/sh' \
		'ann:x:1000:1000::/home/ann:/bin/sh' >"$1/etc/passwd"
	printf '%s\n' root:x:0: ann:x:1000: staff:x:50:ann >"$1/etc/group"
	echo planted >"$1/srv/seed"
	chown 1000:1000 "$1/home/ann"
	# set-uid root, to see what no_new_privs does about it
	cp "$busybox" "$1/bin/busybox-root"
	chmod 4755 "$1/bin/busybox-root"
	# says what it is told, ends in its own way
	cat >"$1/bin/obey" <<-'END'
		#!/bin/sh
		trap 'echo heard USR1' USR1
		trap 'echo heard HUP; exit 43' HUP
		trap 'echo heard TERM; exit 42' TERM
		echo up
		while :; do sleep 1000 & wait $!; done
	END
	# deaf to TERM
	cat >"$1/bin/deaf" <<-'END'
		#!/bin/sh
		trap '' TERM
		echo up
		while :; do sleep 1000; done
	END
	# counts in /n, to see whether it runs
	cat >"$1/bin/count" <<-'END'
		#!/bin/sh
		i=0
		while :; do i=$((i + 1)); echo $i >/n; sleep 0.05; done
	END
	# more processes than it may have: says "all" if it gets them
	cat >"$1/bin/swarm" <<-'END'
		#!/bin/sh
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sleep 5 & done
		echo all
	END
	# wants 200 MiB at once: more than it may have, but no more than a host stands if the limit is not there
	printf '#!/bin/sh\nexec dd if=/dev/zero of=/dev/null bs=200M count=1\n' >"$1/bin/greedy"
	# which descriptors it has beyond the first three
	cat >"$1/bin/strays" <<-'END'
		#!/bin/sh
		for fd in 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			# the shell has this script open, too
			[ ! -L /proc/$$/fd/$fd ] || [ "$(readlink /proc/$$/fd/$fd)" = "$0" ] || echo "$fd $(readlink /proc/$$/fd/$fd)"
		done
	END
	# a web page on port 80
	cat >"$1/bin/serve" <<-'END'
		#!/bin/sh
		mkdir -p /tmp/www && echo "page of ${1:-nobody}" >/tmp/www/index.html
		exec httpd -f -p 80 -h /tmp/www
	END
	chmod 755 "$1"/bin/{obey,deaf,count,swarm,greedy,strays,serve}
}

go_arch() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	i?86) echo 386 ;;
	armv*) echo arm ;;
	*) uname -m ;;
	esac
}

# make_archive FILE NAME ROOTFS COMMAND...: a docker-archive with one layer.
make_archive() {
	local file=$1 name=$2 rootfs=$3 dir layer config
	shift 3
	dir=$(mktemp -d "$RF_WORK/archive.XXXXXX") || return 1
	tar -C "$rootfs" --numeric-owner --sort=name -cf "$dir/layer.tar" . || return 1
	layer=$(sha256sum <"$dir/layer.tar") layer=${layer%% *}
	mkdir "$dir/$layer" && mv "$dir/layer.tar" "$dir/$layer/layer.tar"
	jq -cn --arg arch "$(go_arch)" --arg diff "sha256:$layer" '{architecture: $arch, os: "linux", created: "2024-01-01T00:00:00Z",
		config: {Cmd: $ARGS.positional, Env: ["PATH=/usr/bin:/bin", "FROM_IMAGE=yes"], WorkingDir: "/"},
		rootfs: {type: "layers", diff_ids: [$diff]}, history: [{created: "2024-01-01T00:00:00Z", created_by: "by hand"}]}' \
		--args -- "$@" >"$dir/config.json" || return 1
	config=$(sha256sum <"$dir/config.json") config=${config%% *}
	mv "$dir/config.json" "$dir/$config.json"
	jq -cn --arg c "$config.json" --arg n "$name" --arg l "$layer/layer.tar" \
		'[{Config: $c, RepoTags: [$n], Layers: [$l]}]' >"$dir/manifest.json"
	tar -C "$dir" -cf "$file" manifest.json "$config.json" "$layer" && rm -rf "$dir"
}

# --- the private world of a client --------------------------------------------------------------------------------------------

private_world() {
	local dir own
	mount --make-rprivate / || return 1
	for dir in /run /dev/shm; do mount -t tmpfs -o mode=755 tmpfs "$dir" || return 1; done
	chmod 1777 /dev/shm
	mkdir -p /run/lock /run/netns /run/layers
	mount -t mqueue mqueue /dev/mqueue 2>/dev/null
	# Clients write keys, caches and leases where packages have put their own: into a layer that goes away.
	for dir in /etc /var/lib; do
		mkdir -p "/run/layers$dir"/{upper,work}
		mount -t overlay overlay -o "lowerdir=$dir,upperdir=/run/layers$dir/upper,workdir=/run/layers$dir/work" "$dir" && continue
		for own in "$dir"/{docker,cni,containers}; do [[ ! -d $own ]] || mount -t tmpfs -o mode=755 tmpfs "$own"; done
	done
	ip link set lo up
	# As systemd has it, and as bind mounts with propagation want it.
	mount --make-rshared /
	mkdir -p "$W/home" "$W/tmp"
	export HOME=$W/home TMPDIR=$W/tmp XDG_RUNTIME_DIR=/run
	unset "${!DOCKER_@}" "${!CONTAINER_@}" "${!CONTAINERS_@}" "${!BUILDAH_@}" http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
}

# daemon LOG COMMAND...: in the background; its pid in DAEMON.
daemon() {
	local log=$1
	shift
	"$@" >>"$log" 2>&1 </dev/null &
	DAEMON=$!
	DAEMONS+=("$DAEMON")
}

# --- running ---------------------------------------------------------------------------------------------------------------------

# report STATUS FUNCTION DESCRIPTION LOG MILLISECONDS: one line to `run`, short enough to be written in one piece.
report() { printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$CLIENT: $3 [$2]" "$4" "$5" "$CLIENT" >"$RF_REPORT"; }

# report_all STATUS LOG: the same of every case.
report_all() {
	local case
	for case in "${CASES[@]}"; do report "$1" "${case%%$'\t'*}" "${case#*$'\t'}" "$2" 0; done
}

run_case() { # FUNCTION DESCRIPTION
	local log=$W/log/$1 begin=${EPOCHREALTIME/./} rc
	(
		STAGE=case T=$W/case/$1
		# What a case left in the background is its own; a container that it left is looked for in the last one.
		# shellcheck disable=SC2046
		trap 'kill $(jobs -p) 2>/dev/null' EXIT
		mkdir -p "$T" && cd "$T" && "$1"
	) >"$log" 2>&1 </dev/null
	rc=$?
	report "$rc" "$1" "$2" "$log" $(((${EPOCHREALTIME/./} - begin) / 1000))
	[[ $rc == 0 || $rc == 77 ]] || client_sweep >"$W/log/sweep" 2>&1 </dev/null
}

# shellcheck disable=SC2317
client_end() {
	local rc=$? pid
	trap '' EXIT
	if [[ $STAGE == setup ]]; then
		# Why it did not come up is in its daemons' logs.
		[[ $rc == 77 ]] || tail -n 5 "$W"/*.log >>"$W/log/setup" 2>/dev/null
		if [[ $rc == 77 ]]; then report_all 77 "$W/log/setup"; else report "${rc/#0/1}" client_setup "comes up" "$W/log/setup" 0; fi
	fi
	for pid in "${DAEMONS[@]}"; do kill "$pid" 2>/dev/null; done
	wait
}

# list_cases CLIENT: as "CLIENT<tab>FUNCTION<tab>DESCRIPTION" lines.
list_cases() {
	# shellcheck source=/dev/null
	source "$CLIENTS/$1.sh"
	local case
	for case in "${CASES[@]}"; do printf '%s\t%s\n' "$1" "$case"; done
}

# client_main CLIENT: what each client's process does.
client_main() {
	local case chosen=()
	set -o pipefail
	CLIENT=$1 W=$RF_WORK/$1 CG=$RF_CG.$1 T=$RF_WORK/$1
	TRACED=$W/traced/$(basename "$RT") CALLS=$W/calls
	ROOTFS=$RF_WORK/rootfs IMAGE=$RF_WORK/box.tar
	mkdir -p "$W"/{log,case,traced}
	chmod 711 "$W"
	cd "$W" || exit 1
	# shellcheck source=/dev/null
	source "$CLIENTS/$1.sh"
	for case in "${CASES[@]}"; do
		if grep -qiE -- "${RF_ONLY:-.}" <<<"$CLIENT ${case%%$'\t'*} ${case#*$'\t'}"; then chosen+=("$case"); fi
	done
	CASES=("${chosen[@]}")
	if [[ ${#MISSING[@]} -gt 0 ]]; then
		echo "not installed: ${MISSING[*]}" >"$W/log/setup"
		report_all 77 "$W/log/setup"
		exit 0
	fi
	printf '#!/bin/sh\necho "$*" >>%q\nexec %q "$@"\n' "$CALLS" "$RT" >"$TRACED"
	chmod 755 "$TRACED"
	trap client_end EXIT
	STAGE=setup
	{ private_world && cg_scan && client_setup; } >"$W/log/setup" 2>&1 </dev/null || exit 1
	STAGE=cases
	for case in "${CASES[@]}"; do run_case "${case%%$'\t'*}" "${case#*$'\t'}"; done
}
