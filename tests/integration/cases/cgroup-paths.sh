# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Where the cgroup is, who owns it, what is refused, the freezer, the cgroup mount inside.

# controllers: those that this host has of the usual ones. What cgroup2 has on a mixed host is left out: a runtime need not go there
# before something of it is asked for.
controllers() {
	local c
	for c in cpu cpuacct cpuset memory pids blkio io freezer devices hugetlb; do
		[[ $(cg_kind $c) == v1 ]] || { pure_v2 && on_v2 $c; } || continue
		echo $c
	done
}

tc paths_every_hierarchy '1.5: init is in a cgroup of its own in every hierarchy'
paths_every_hierarchy() {
	local c
	bundle
	up
	for c in $(controllers); do
		# A v1 cpuset directly below the root is only made when a limit is asked for.
		[[ $c != cpuset || $(cg_path cpuset) != / ]] || continue
		has "$(cg_path "$c")" "$ID" "$c"
		has "$(<"$(cg_dir "$c")/cgroup.procs")" "$PID" "$c"
	done
}

# without_clone_into PATTERN COMMAND...: the runtime, whose first clone3(2) fails as on a kernel that has no CLONE_INTO_CGROUP.
without_clone_into() {
	local error=$1
	shift
	grab strace -qq -o "$T/strace" -e trace=clone3 -e "inject=clone3:error=$error:when=1" "$RT" "${GOPTS[@]}" "$@"
}
# Born outside its cgroup, a process joins by itself. ERROR as of 5.3 to 5.6 (the structure is too long) or a flag that is unknown.
late_join() { # ERROR
	cgroupfs_only
	traceable
	need_cmd strace
	strace -qq -o /dev/null true || skip "strace cannot trace here"
	[[ -n $CG_V2 ]] || skip "no cgroup v2"
	bundle
	mount_entry /sys/fs/cgroup cgroup cgroup rw
	args rft pause up
	without_clone_into "$1" run -d --pid-file "$T/pid" --bundle "$B" "$ID"
	eq "$RC" 0
	has "$(<"$T/strace")" INJECTED
	PID=$(<"$T/pid")
	match "$(grep ^0:: "/proc/$PID/cgroup")" "^0::.*$ID"
	without_clone_into "$1" exec "$ID" cat /proc/self/cgroup
	eq "$RC" 0
	has "$(<"$T/strace")" INJECTED
	match "$(grep ^0:: <<<"$OUT")" '^0::/$'
	down
	made
	without_clone_into "$1" create --bundle "$B" --pid-file "$T/pid2" "$ID-2"
	eq "$RC" 0
	match "$(grep ^0:: "/proc/$(<"$T/pid2")/cgroup")" "^0::.*$ID-2"
}
tc 'late_join E2BIG' '1.5: a kernel before 5.7: the process joins its cgroup2 by itself (E2BIG)'
tc 'late_join EINVAL' '1.5: a kernel that refuses CLONE_INTO_CGROUP: the process joins its cgroup2 by itself (EINVAL)'

tc paths_absolute '1.5: an absolute cgroupsPath is below the mount point'
paths_absolute() {
	cgroupfs_only
	local c
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "/$ID-parent/leaf"
	up
	for c in $(controllers); do eq "$(cg_path "$c")" "/$ID-parent/leaf" "$c"; done
}

tc paths_relative '1.5: a relative cgroupsPath is somewhere, with that name at its end'
paths_relative() {
	cgroupfs_only
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "$ID-parent/leaf"
	up
	match "$(cg_path pids)" "/$ID-parent/leaf\$"
}

# Both crun and runc use /ID for both.
tc paths_two_roots '1.5: the same id under two --root directories: two cgroups'
paths_two_roots() {
	local first
	bundle
	up
	first=$PID
	GOPTS[1]=$T/state-two
	if [[ $RF_MANAGER == systemd ]]; then
		# The scope's name comes from the id alone: then the second one is refused, and the first does not notice.
		try run -d --bundle "$B" --pid-file "$T/pid" "$ID"
		[[ $RC == 0 ]] || { GOPTS[1]=$ROOT && ok is running && ok alive "$first" && return; }
		PID=$(<"$T/pid")
	else
		up
	fi
	local c
	for c in $(controllers); do
		[[ $c != cpuset || $(cg_path cpuset) != / ]] || continue
		ne "$(cg_path "$c" "$first")" "$(cg_path "$c" "$PID")" "$c"
	done
	if [[ $(cg_kind freezer) != none ]]; then
		good pause "$ID"
		GOPTS[1]=$ROOT
		eq "$(status)" running
	fi
	GOPTS[1]=$ROOT
	down
	ok alive "$PID"
	GOPTS[1]=$T/state-two
	down
}

tc paths_default_root '1.5: the default root and another one do not share a cgroup either'
paths_default_root() {
	local first
	bundle
	up
	first=$PID
	"$RT" "${GOPTS[@]:2}" run -d --bundle "$B" --pid-file "$T/pid2" "$ID" >"$T/o" 2>&1 </dev/null || {
		[[ $RF_MANAGER == systemd ]] || die "$(<"$T/o")"
		ok alive "$first"
		return
	}
	PID=$(<"$T/pid2")
	local same=''
	[[ $(cg_path pids "$first") != "$(cg_path pids)" ]] || same=1
	"$RT" "${GOPTS[@]:2}" delete --force "$ID"
	[[ -z $same ]] || die "one cgroup for both"
}

tc paths_dotdot '1.5: a cgroupsPath with ".." stays below the hierarchy'
paths_dotdot() {
	cgroupfs_only
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "/../../../$ID-x/../$ID-y"
	try run -d --bundle "$B" --pid-file "$T/pid" "$ID"
	[[ $RC == 0 ]] || return 0 # refused: as good
	PID=$(<"$T/pid")
	eq "$(cg_path pids)" "/$ID-y"
}

tc paths_busy '1.5: a cgroup with processes in it: refused'
# crun takes it.
paths_busy() {
	cgroupfs_only
	local c dir busy rc
	sleep 1000 &
	busy=$!
	for c in $(controllers); do
		if on_v2 "$c"; then dir=$(v2_root)/$ID-busy; else dir=$(v1_root "$c")/$ID-busy; fi
		mkdir -p "$dir"
		# A v1 cpuset takes nobody before it has these.
		[[ $c != cpuset ]] || on_v2 cpuset || for f in cpus mems; do cat "$dir/../cpuset.$f" >"$dir/cpuset.$f"; done
		echo $busy >"$dir/cgroup.procs"
	done
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "/$ID-busy"
	try create --bundle "$B" "$ID"
	rc=$RC
	[[ $rc != 0 ]] || rt delete --force "$ID"
	ok alive $busy
	kill -9 $busy
	wait $busy 2>/dev/null
	until_ok 5 eval 'find "$RF_CGROUP" -depth -type d -name "$ID-busy" -exec rmdir {} +'
	eq "$rc" 1 "exit status"
}

tc paths_frozen '1.5: a frozen cgroup: refused'
paths_frozen() {
	cgroupfs_only
	need_cg freezer
	local dir
	if on_v2 freezer; then dir=$(v2_root)/$ID-frozen; else dir=$(v1_root freezer)/$ID-frozen; fi
	mkdir "$dir"
	if on_v2 freezer; then echo 1 >"$dir/cgroup.freeze"; else echo FROZEN >"$dir/freezer.state"; fi
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "/$ID-frozen"
	timeout -s KILL 10 "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID" >"$T/o" 2>&1 </dev/null
	local rc=$?
	if on_v2 freezer; then echo 0 >"$dir/cgroup.freeze"; else echo THAWED >"$dir/freezer.state"; fi 2>/dev/null
	[[ $rc != 0 ]] || rt delete --force "$ID"
	until_ok 5 eval '! [[ -d $dir ]] || rmdir "$dir"'
	eq $rc 1 "exit status"
	imatch "$(<"$T/o")" 'frozen|paused'
}

tc paths_empty_existing '1.5: an empty cgroup that is there already is used'
paths_empty_existing() {
	cgroupfs_only
	need_cg pids
	local dir
	if on_v2 pids; then dir=$(v2_root)/$ID-there; else dir=$(v1_root pids)/$ID-there; fi
	mkdir "$dir"
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "/$ID-there"
	up
	eq "$(cg_path pids)" "/$ID-there"
}

tc paths_sub_removed 'delete removes cgroups that were made below the partition'\''s'
paths_sub_removed() {
	local c
	bundle
	up
	for c in $(controllers); do mkdir -p "$(cg_dir "$c")/a/b"; done
	down
	eq "$(find "$RF_CGROUP" -type d -path "*$ID*" | head -n 1)" ''
}

tc paths_annotation_long 'a long id is a long cgroup name'
paths_annotation_long() {
	ID=$ID-$(printf 'n%.0s' {1..150})
	bundle
	up
	[[ -n $(cg_path pids) ]] || skip "no pids controller"
	ok is running
}

tc disabled '2.1: --cgroup-manager disabled: no cgroup is made'
# runc has no such option.
disabled() {
	cgroupfs_only
	bundle
	edit 'del(.linux.resources)'
	no_ns cgroup
	GOPTS+=(--cgroup-manager disabled)
	up
	hasnt "$(<"/proc/$PID/cgroup")" "$ID"
	eq "$(sort "/proc/$PID/cgroup")" "$(sort /proc/self/cgroup)"
	good kill "$ID" KILL
	until_is stopped
	good delete "$ID"
}

tc cgroupfs_named '2.1: --cgroup-manager cgroupfs'
# runc has no such option.
cgroupfs_named() {
	cgroupfs_only
	bundle
	GOPTS+=(--cgroup-manager=cgroupfs)
	args true
	runs
}

# --- freezer ------------------------------------------------------------------------------------------------------------------

tc freezer_pause 'pause stops every process, resume lets them go on'
freezer_pause() {
	need_cg freezer
	local a
	bundle
	script 'n=0; while :; do n=$((n+1)); echo $n >/tmp/n; usleep 5000; done'
	up
	until_ok 10 test -s "$ROOTFS/tmp/n"
	good pause "$ID"
	eq "$(status)" paused
	a=$(<"$ROOTFS/tmp/n")
	sleep 0.2
	eq "$(<"$ROOTFS/tmp/n")" "$a" "counter while paused"
	good resume "$ID"
	eq "$(status)" running
	until_ok 10 eval '[[ $(<"$ROOTFS/tmp/n") != "$a" ]]'
}

tc freezer_file 'pause is seen in the freezer'
freezer_file() {
	need_cg freezer
	bundle
	up
	good pause "$ID"
	if on_v2 freezer; then
		eq "$(cg freezer - cgroup.freeze)" 1
	else
		eq "$(cg freezer freezer.state -)" FROZEN
	fi
	good resume "$ID"
}

tc freezer_twice 'pause of what is paused and resume of what runs: no harm'
freezer_twice() {
	need_cg freezer
	bundle
	up
	good pause "$ID"
	try pause "$ID"
	eq "$(status)" paused
	good resume "$ID"
	try resume "$ID"
	eq "$(status)" running
}

tc freezer_stopped 'pause of what is stopped: an error'
freezer_stopped() {
	need_cg freezer
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	bad 'stopped|not running|running|paused' pause "$ID"
}

tc freezer_kill 'kill -9 of what is paused: it ends once resumed, or at once'
freezer_kill() {
	need_cg freezer
	bundle
	up
	good pause "$ID"
	good kill "$ID" KILL
	try resume "$ID"
	until_is stopped
}

tc freezer_outside 'a partition that somebody else froze shows as paused'
freezer_outside() {
	need_cg freezer
	bundle
	up
	if on_v2 freezer; then
		echo 1 >"$(cg_dir freezer)/cgroup.freeze"
	else
		echo FROZEN >"$(cg_dir freezer)/freezer.state"
	fi
	until_is paused
	good resume "$ID"
	ok is running
}

# --- the mount inside ---------------------------------------------------------------------------------------------------------

# cgroup_mount OPTIONS
cgroup_mount() { mount_entry /sys/fs/cgroup cgroup cgroup "$1"; }

tc cgmount_ro 'R15: type cgroup: the partition'\''s own cgroup, read-only as asked'
cgmount_ro() {
	bundle
	cgroup_mount nosuid,noexec,nodev,relatime,ro
	need_cg pids
	if on_v2 pids; then
		script 'cat /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x 2>&1'
	else
		script 'cat /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x 2>&1'
	fi
	try run --bundle "$B" "$ID"
	match "$OUT" '^1'
	imatch "$OUT" 'read-only'
}

tc cgmount_rw 'R15: read-write: sub-cgroups can be made, in the partition'\''s own'
cgmount_rw() {
	bundle
	cgroup_mount nosuid,noexec,nodev,relatime
	need_cg pids
	if on_v2 pids; then
		script 'mkdir /sys/fs/cgroup/x; exec rft pause'
	else
		script 'mkdir /sys/fs/cgroup/pids/x; exec rft pause'
	fi
	up
	until_ok 10 test -d "$(cg_dir pids)/x"
}

# On v2 engines expect the host's whole tree then ("--cgroupns=host").
tc cgmount_host_hidden 'R15: v1: without a cgroup namespace the rest of the hierarchy is not seen either'
cgmount_host_hidden() {
	bundle
	no_ns cgroup
	cgroup_mount nosuid,noexec,nodev,relatime,ro
	on_v1 pids || skip "no cgroup v1"
	args cat /sys/fs/cgroup/pids/cgroup.procs
	runs
	match "$OUT" '^1'
}

tc cgmount_v1_all 'R15: v1: a directory for each hierarchy'
cgmount_v1_all() {
	[[ $(cg_kind pids) == v1 ]] || skip "no cgroup v1"
	bundle
	cgroup_mount ro
	args ls /sys/fs/cgroup
	runs
	local c
	for c in $(controllers); do [[ $(cg_kind "$c") != v1 ]] || has " ${OUT//$'\n'/ } " " $c "; done
}

tc cgmount_type2 'R15: type cgroup2'
cgmount_type2() {
	[[ -n $(v2_root) ]] || skip "no cgroup2"
	bundle
	mount_entry /sys/fs/cgroup cgroup2 cgroup ro
	args cat /sys/fs/cgroup/cgroup.procs
	runs
	match "$OUT" '^1'
}

tc cgmount_userns 'R15: inside a user namespace'
cgmount_userns() {
	need_userns
	bundle
	userns
	cgroup_mount nosuid,noexec,nodev,relatime,ro
	script 'ls /sys/fs/cgroup | wc -l'
	runs
	at_least "$OUT" 1
}

delegated() { stat -c %u "$(cg_dir pids)" "$(cg_dir pids)/cgroup.procs" "$(cg_dir pids)/cgroup.subtree_control" | tr '\n' ' '; }

tc cgown_delegated '1.5: v2, cgroup namespace, writable mount: the directory belongs to the partition'\''s root'
cgown_delegated() {
	need_userns
	on_v2 pids || skip "no cgroup v2"
	bundle
	userns
	cgroup_mount nosuid,noexec,nodev,relatime
	script 'mkdir /sys/fs/cgroup/sub && echo $$ >/sys/fs/cgroup/sub/cgroup.procs && cat /proc/self/cgroup; exec rft pause'
	up
	eq "$(delegated)" '100000 100000 100000 '
	eq "$(stat -c %u "$(dirname "$(cg_dir pids)")/pids.max")" 0
}

# owner_v2: whose the partition's cgroup2 directory and its cgroup.procs are, on a mixed host too.
owner_v2() { stat -c %u "$CG_V2$(sed -n 's/^0:://p' "/proc/$PID/cgroup")"{,/cgroup.procs} | tr '\n' ' '; }
cgown_user() { # USERNS UID READONLY OWNER
	[[ -n $CG_V2 ]] || skip "no cgroup v2"
	[[ $1 == no ]] || need_userns
	bundle
	[[ $1 == no ]] || userns
	cgroup_mount "nosuid,noexec,nodev$3"
	edit '.process.user={uid:$u,gid:$u}' --argjson u "$2"
	up
	eq "$(owner_v2)" "$4 $4 "
}
# crun: root's.
tc 'cgown_user yes 1000 "" 101000' '1.5: v2: the directory belongs to process.user.uid as mapped'
tc 'cgown_user yes 0 "" 100000' '1.5: v2: the directory belongs to the mapped root, if that is who the process is'
tc 'cgown_user no 1000 "" 1000' '1.5: v2: without a user namespace to process.user.uid itself'
tc 'cgown_user no 0 "" 0' '1.5: v2: it stays root'\''s for root'
tc 'cgown_user yes 1000 ,ro 0' '1.5: v2: not with a read-only mount, whoever the process is'

tc cgown_not_delegated '1.5: not with a read-only mount'
cgown_not_delegated() {
	need_userns
	on_v2 pids || skip "no cgroup v2"
	bundle
	userns
	cgroup_mount nosuid,noexec,nodev,relatime,ro
	up
	eq "$(delegated)" '0 0 0 '
}

tc cgown_v1 '1.5: never on v1'
cgown_v1() {
	need_userns
	[[ $(cg_kind pids) == v1 ]] || skip "no cgroup v1"
	bundle
	userns
	cgroup_mount nosuid,noexec,nodev,relatime
	up
	eq "$(stat -c %u "$(cg_dir pids)" "$(cg_dir pids)/tasks" | tr '\n' ' ')" '0 0 '
}

# --- systemd -----------------------------------------------------------------------------------------------------------------------

tc systemd_scope '1.5: slice:prefix:name: a scope of that name in that slice'
systemd_scope() {
	systemd_only
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "system.slice:rft:$ID"
	up
	# crun puts it into a sub-cgroup "container".
	match "$(cg_path pids)" "^/system.slice/rft-$ID.scope(/container)?\$"
	eq "$(systemctl is-active "rft-$ID.scope")" active
	down
	until_ok 10 eval '! systemctl is-active "rft-$ID.scope"'
}

tc systemd_default '1.5: without cgroupsPath: a scope in system.slice with the id in its name'
systemd_default() {
	systemd_only
	bundle
	up
	match "$(cg_path pids)" "^/system.slice/.*$ID\\.scope(/container)?\$"
}

tc systemd_nested_slice '1.5: a slice below a slice'
systemd_nested_slice() {
	systemd_only
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "rfta-rftb.slice:rft:$ID"
	up
	match "$(cg_path pids)" "^/rfta.slice/rfta-rftb.slice/rft-$ID.scope(/container)?\$"
}

tc systemd_properties '1.5: limits are properties of the scope, so that a reload keeps them'
systemd_properties() {
	systemd_only
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "system.slice:rft:$ID"
	limit '.memory={limit:67108864}|.pids={limit:44}|.cpu={shares:512,quota:50000,period:100000}'
	up
	local unit=rft-$ID.scope
	eq "$(systemctl show -P TasksMax "$unit")" 44
	if on_v2 memory; then
		eq "$(systemctl show -P MemoryMax "$unit")" 67108864
	else
		eq "$(systemctl show -P MemoryLimit "$unit")" 67108864
	fi
	eq "$(systemctl show -P Delegate "$unit")" yes
	systemctl daemon-reload
	cg_is pids pids.max 44 pids.max 44
	cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
	cg_is cpu cpu.cfs_quota_us 50000 cpu.max '50000 100000'
}

tc systemd_annotation '2.6: org.systemd.property.*: a property of the scope'
systemd_annotation() {
	systemd_only
	bundle
	edit '.linux.cgroupsPath=$p|.annotations={"org.systemd.property.TimeoutStopUSec":"uint64 123000000",
		"org.systemd.property.CollectMode":"'\''inactive-or-failed'\''"}' --arg p "system.slice:rft:$ID"
	up
	eq "$(systemctl show -P CollectMode "rft-$ID.scope")" inactive-or-failed
	eq "$(systemctl show -P TimeoutStopUSec "rft-$ID.scope")" '2min 3s'
}

tc systemd_annotation_exec 'CVE-2024-3154: a property that would run commands: refused'
systemd_annotation_exec() {
	systemd_only
	bundle
	edit '.annotations={"org.systemd.property.ExecStopPost":"[\"/bin/touch\",\"/tmp/owned\"]"}'
	refused 'property|annotation|ExecStopPost'
}

tc systemd_bad_path '1.5: a plain path with the systemd manager: refused'
systemd_bad_path() {
	systemd_only
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "/$ID"
	refused 'slice|cgroupspath|systemd'
}

# runc has no such annotation.
tc systemd_subgroup '2.6: run.oci.systemd.subgroup: a sub-cgroup of the scope'
systemd_subgroup() {
	systemd_only
	bundle
	edit '.linux.cgroupsPath=$p|.annotations={"run.oci.systemd.subgroup":"inner"}' --arg p "system.slice:rft:$ID"
	up
	eq "$(cg_path pids)" "/system.slice/rft-$ID.scope/inner"
}

tc cgroup_no_mount 'a directory in /sys/fs/cgroup that is no mount is no hierarchy, and no reason to complain'
# shellcheck disable=SC2016
cgroup_no_mount() {
	[[ $RF_MANAGER == cgroupfs && $(stat -fc %T /sys/fs/cgroup) == tmpfs ]] || skip "no v1 hierarchies"
	bundle
	args true
	mkdir "$T/cg"
	unshare --mount --propagation private bash -c '
		mount -t tmpfs cg "$1/cg" || exit
		for d in /sys/fs/cgroup/*/; do
			mkdir "$1/cg/${d:15}"
			mount --bind "$d" "$1/cg/${d:15}" || exit
		done
		mkdir "$1/cg/net_prio" "$1/cg/rdma"
		mount --rbind "$1/cg" /sys/fs/cgroup || exit
		"${@:2}" 2>"$1/err" || exit
		find "$1/cg/net_prio" "$1/cg/rdma" -mindepth 1' - "$T" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" >"$T/out" ||
		die "run: $(<"$T/err")"
	eq "$(<"$T/err")" ''
	eq "$(<"$T/out")" ''
}
