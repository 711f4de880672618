# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154,SC2317
# Launched partitions under attack: images that say more than a program should, and verbs that meet each other.

# shellcheck source=../lib-launch.sh
source "${BASH_SOURCE[0]%/*}/../lib-launch.sh"

tc lh_rm_of_rm 'rm --force of one that runs in the foreground with --rm: at once, and its command ends by itself'
lh_rm_of_rm() {
	local pid before
	images
	lgood launch --rm bb
	bg "$T/o" launch --rm bb "$ID" -- sh -c 'echo up; exec sleep 100'
	pid=$!
	until_has 10 "$T/o" up
	before=$SECONDS
	lgood rm -f "$ID"
	((SECONDS - before < 4)) || die "rm --force took $((SECONDS - before)) s"
	wait "$pid"
	eq "$?" 137 "exit status of launch"
	# Killed, its shell would say so; it ends by itself, with the payload's status, and quietly.
	eq "$(<"$T/o")" up
	over
}

# limited SECONDS KIB VERB...: in so much memory and time (sanitizers take address space by the terabyte, and time). RC, ERR.
limited() {
	local seconds=$(($1 * RF_SCALE)) kib=$2
	! sanitized || kib=unlimited
	shift 2
	grab timeout -s KILL "$seconds" sh -c 'ulimit -v "$0" && exec "$@"' "$kib" "$RT" "${GOPTS[@]}" --data "$T/data" "$@"
}

tc lh_many_ports 'launch: an image that exposes tens of thousands of ports takes no gigabytes'
lh_many_ports() {
	images '.config.ExposedPorts=([range(1;65536)|{"\(.)/tcp":{}}]|add)'
	limited 60 1000000 launch bb "$ID" -- true
	eq "$RC" 0 "exit status ($ERR)"
	has "$(jq -r '.annotations["org.opencontainers.image.exposedPorts"]' "$T/data/partitions/$ID/config.json")" '40000/tcp,'
	over
}

tc lh_many_words 'launch: an image with as many variables, labels and volumes as fit into it is taken or refused soon'
lh_many_words() {
	images '.config.Env=["PATH=/bin"]+[range(0;40000)|"V\(.)="]+["V7=last"]|.config.Labels=([range(0;150000)|{"l\(.)":""}]|add)'
	limited 40 1000000 launch --label l5=ours bb "$ID" -- true
	ne "$RC" 137 "killed: too slow"
	has "$(jq -c '.process.env' "$T/data/partitions/$ID/config.json")" '"V7=last"'
	eq "$(jq -c '[.process.env[]|select(startswith("V7="))]|length' "$T/data/partitions/$ID/config.json")" 1
	eq "$(jq -r '.annotations.l5' "$T/data/partitions/$ID/config.json")" ours
	over
}

tc lh_many_volumes 'launch: an image with thousands of volumes is refused'
lh_many_volumes() {
	images '.config.Volumes=([range(0;5000)|{"/v\(.)":{}}]|add)'
	lbad 'declares 5000 volumes' launch bb "$ID" -- true
	eq "$(ls "$T/data/volumes")" "" volumes
	over
}

tc lh_wreck_ids 'rm --force of a wreck gives back the user ids that it took before there was a record'
lh_wreck_ids() {
	images
	lgood launch bb "$ID" -- true
	[[ -d $T/data/ids ]] || skip "no ranges of user ids here"
	mkdir "$T/data/partitions/$ID-w"
	ln -s "$ID-w" "$T/data/ids/1879048128"
	lgood rm -f "$ID-w"
	[[ ! -L $T/data/ids/1879048128 ]] || die "the range is still taken"
	[[ -n $(find "$T/data/ids" -type l ! -name grid) ]] || die "another's range was given back"
	over
}

# --- faults at every place: a sample; RF_TEST_SLOW=1 tries them all --------------------------------------------------------------

# launch_struck HOW STEP LAUNCH-OPTION...: at each STEPth system call of launch, and of what it starts, HOW happens.
launch_struck() {
	local how=$1 step=$2 n total id
	shift 2
	[[ $(uname -m) == x86_64 ]] || skip "made for x86-64"
	sanitized && skip "the sanitizers' own calls are not ringfence's"
	[[ -z ${RF_TEST_SLOW:-} ]] || step=1
	images
	lgood launch --rm bb
	inject 100000 "$ID-0" "$@" || die "untouched: $(<"$T/said")"
	total=$(sed -n 's/^total=//p' "$T/struck")
	((total > 100)) || die "only ${total:-no} calls were seen"
	lgood rm -f "$ID-0"
	for ((n = 1 + RANDOM % step; n <= total; n += step)); do
		id=$ID-$n
		inject "$n" "$id" "$@"
		RC=$?
		[[ $RC != 124 ]] || die "call $n, $how: hangs: $(<"$T/struck")"
		# What has failed takes all of it away again; what was killed is a wreck for rm.
		if [[ $how != kill* && $RC == 125 ]]; then
			[[ -s $T/said ]] || die "call $n, $how: no message: $(<"$T/struck")"
			# One that has run is not taken away because of a failure after that.
			[[ ! -e $T/data/partitions/$id ]] || grep -q 'stays behind' "$T/said" || grep -q '"ended"' "$T/data/partitions/$id/state.json" ||
				die "call $n, $how: a directory is left: $(<"$T/struck"); $(<"$T/said")"
		fi
		l rm -fv "$id" >"$T/removed" 2>&1 || die "call $n, $how, $(<"$T/struck"): rm --force: $(<"$T/removed")"
		[[ ! -e $T/data/partitions/$id ]] || die "call $n, $how, $(<"$T/struck"): its directory is left"
		[[ ! -e $T/data/store/uses/$id ]] || die "call $n, $how, $(<"$T/struck"): its image is in use"
		[[ ! -e $ROOT/$id ]] || die "call $n, $how, $(<"$T/struck"): the runtime's state is left"
	done
	over
	until_ok 10 no_cgroups
}
inject() {
	local n=$1 id=$2
	shift 2
	timeout $((20 * RF_SCALE)) "$RF_RFT" inject "$n" "$how" "$RT" "${GOPTS[@]}" --data "$T/data" launch "$@" bb "$id" -- true \
		9>"$T/struck" >"$T/said" 2>&1 </dev/null
}
no_cgroups() { [[ -z $(find /sys/fs/cgroup -type d -name "*$ID-*" -print -quit 2>/dev/null) ]]; }

tc 'launch_struck kill 29' 'launch: whoever makes a call is killed at it'
tc 'launch_struck ENOMEM 31 -v v:/vol' 'launch: a call fails for lack of memory'
tc 'launch_struck EPERM 37' 'launch: a call is not permitted'
tc 'launch_struck ENOSPC 41 -v /vol' 'launch: there is no space'

tc lh_shared_anonymous 'rm -v: an anonymous volume that another partition uses stays, and what is in it'
lh_shared_anonymous() {
	local volume
	images '.config.Volumes={"/vol":{}}'
	lgood launch bb "$ID" -- sh -c 'echo precious >/vol/file'
	volume=$(l volume ls -q)
	lgood launch -d -v "$volume:/mine" bb "$ID-b" -- sleep 1000
	lgood rm -v "$ID"
	eq "$(<"$T/data/volumes/$volume/_data/file")" precious
	lgood exec "$ID-b" cat /mine/file
	eq "$OUT" precious
	lgood rm -fv "$ID-b"
	lgood volume prune -f --all
	eq "$(l volume ls -q)" ""
	over
}

# many: from here on there are so many threads that templates are used.
many() {
	"$RF_RFT" threads 1100 >"$T/threads" &
	until_has 20 "$T/threads" ready
	! grep -q only "$T/threads" || skip "no 1100 threads: $(<"$T/threads")"
}
# templated PID: whether its mount namespace is made of a template: nothing of the host is below its root.
templated() { [[ $(awk '$5 == "/sys" { print $NF }' "/proc/$1/mountinfo") == ro ]]; }
holder() { cut -d ' ' -f 1 "$T/data/template"; }

tc lh_template 'launch -d: with many about, mount namespaces are made of a template, which goes with its last holder'
lh_template() {
	local first before
	images
	many
	mkdir "$T/vol" && echo v >"$T/vol/x"
	before=$(wc -l </proc/self/mountinfo)
	lgood launch -d -v "$T/vol:/vol" bb "$ID-a" -- sleep 1000
	templated "$(of "$ID-a" .pid)" || skip "no template here: $(cat "$T/data/template" 2>&1)"
	lgood launch -d bb "$ID-b" -- sleep 1000
	templated "$(of "$ID-b" .pid)" || die "the second has none"
	first=$(holder)
	eq "$(of "$ID-a" .supervisor)" "$first" "who made it"
	for n in a b; do
		lgood exec "$ID-$n" sh -c 'ls /sys/class/net; ls /sys/firmware; ls /proc/acpi; touch /sys/x; echo w >/root-file && cat /root-file; readlink /proc/self/root'
		match "$ERR" 'touch: /sys/x: Read-only'
		eq "$OUT" $'lo\nw\n/'
		lgood exec "$ID-$n" sh -c 'grep -c . /proc/self/mountinfo; cat /etc/hostname'
		at_most "$(head -n 1 <<<"$OUT")" 40
		eq "$(tail -n 1 <<<"$OUT")" "$ID-$n"
		lgood cp "$ID-$n:/root-file" "$T/copied"
		eq "$(<"$T/copied")" w
	done
	lgood exec "$ID-a" sh -c 'cat /vol/x; echo y >/vol/y'
	eq "$OUT" v
	eq "$(<"$T/vol/y")" y
	eq "$(wc -l </proc/self/mountinfo)" "$before" "mounts of the host"
	# One that was written down and has gone is not believed, nor one that is no template.
	kill -9 "$first"
	until_ok 5 dead "$first"
	lgood launch -d bb "$ID-c" -- sleep 1000
	templated "$(of "$ID-c" .pid)" || die "the third has none"
	eq "$(of "$ID-c" .supervisor)" "$(holder)" "who made the next"
	for n in "x y z" "$$ 1 2" "$(holder) 7 1" "1 $(cut -d ' ' -f 22 /proc/1/stat) 0" "99999999999999999999 1 1" ""; do
		echo "$n" >"$T/data/template"
		lgood launch -d bb "$ID-d" -- sleep 1000
		templated "$(of "$ID-d" .pid)" || die "none after \"$n\""
		lgood exec "$ID-d" ls /sys/class/net
		eq "$OUT" lo
		lgood rm -f "$ID-d"
	done
	lgood restart -t 0 "$ID-b"
	templated "$(of "$ID-b" .pid)" || die "none after a restart"
	# What another network, a terminal or a shared tree would be wrong in has none.
	lgood launch -d --network host bb "$ID-e" -- sleep 1000
	! templated "$(of "$ID-e" .pid)" || die "with the host's network"
	lgood launch -dt bb "$ID-f" -- sleep 1000
	! templated "$(of "$ID-f" .pid)" || die "with a terminal"
	over
}

tc lh_template_root 'launch -d: root of the user namespace finds nothing of the host below a root that came by a template'
lh_template_root() {
	local n kind
	images
	many
	for kind in template pivot; do
		[[ $kind == template ]] || n=--network=host
		lgood launch -d ${n:-} --cap-add SYS_ADMIN --cap-add SYS_CHROOT --security-opt seccomp=unconfined --security-opt no-new-privileges=false \
			bb "$ID-$kind" -- sleep 1000
		[[ $kind == pivot ]] || templated "$(of "$ID-$kind" .pid)" || skip "no template here"
		# Another user namespace gets no sysfs or proc without the masks.
		lgood exec "$ID-$kind" sh -c 'mkdir -p /m; unshare -Urmn sh -c "mount -t sysfs x /m" || echo no-sysfs; unshare -Urmpf sh -c "mount -t proc x /m" || echo no-proc'
		eq "$OUT" $'no-sysfs\nno-proc' "$kind"
		lgood exec "$ID-$kind" sh -c 'umount /sys/firmware; umount /sys/firmware; ls /sys/firmware 2>/dev/null | head -n 1; echo x >/sys/power/state || echo refused'
		has "$OUT" refused
		# All mounts off, one after the other, and whatever there is below.
		"$RT" "${GOPTS[@]}" --data "$T/data" exec "$ID-$kind" sh -c 'cp /bin/busybox /proc/self/fd/1 2>/dev/null
			exec 3</; umount -l /proc /dev/pts /dev /etc/hosts 2>/dev/null; umount -l / 2>/dev/null
			cd ..; cd ..; echo /*; cd /; echo /etc/*' >"$T/o" 2>&1 </dev/null
		hasnt "$(<"$T/o")" debian_version "$kind"
		hasnt "$(<"$T/o")" /lib64 "$kind"
		ok test -e /etc/debian_version
	done
	over
}
