# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# exec without a terminal. Namespaces of exec are in namespaces.sh, capabilities in caps.sh.

tc exec_basic 'exec: output, arguments, exit status'
exec_basic() {
	bundle
	up
	exec_good rft inspect 'a b' ''
	kv_is arg.1 'a b'
	kv_is arg.2 ''
	ex sh -c 'exit 9'
	eq "$RC" 9
	ex sh -c 'kill -9 $$'
	eq "$RC" 137
	ex sh -c 'kill -TERM $$'
	eq "$RC" 143
}

tc exec_stdin 'exec: stdin, stdout, stderr'
exec_stdin() {
	bundle
	up
	OUT=$(echo through | rt exec "$ID" cat) || die "exec"
	eq "$OUT" through
	ex sh -c 'echo o; echo e >&2'
	eq "$OUT" o
	eq "$ERR" e
}

tc exec_inherits 'exec without a process file has the config'\''s env, cwd and user'
exec_inherits() {
	bundle
	edit '.process.env+=["MARK=1"]|.process.cwd="/etc"|.process.user={uid:1000,gid:1000}'
	up
	exec_good rft inspect
	kv_is env.MARK 1
	kv_is cwd /etc
	kv_is uid 1000
}

tc exec_options '2.2: --cwd, --env, --user, --additional-gids'
exec_options() {
	bundle
	up
	try exec --cwd /etc --env A=1 --env 'B=two words' --user 5:6 --additional-gids 7 --additional-gids 8 "$ID" rft inspect
	eq "$RC" 0
	kv_is cwd /etc
	kv_is env.A 1
	kv_is env.B 'two words'
	kv_is uid 5
	kv_is gid 6
	has "$(kv groups)" 7
	has "$(kv groups)" 8
	try exec -e A=2 -u 9 -g 10 "$ID" rft inspect
	kv_is env.A 2
	kv_is uid 9
	has "$(kv groups)" 10
}

tc exec_env_override '2.2: --env replaces a variable of the config'
exec_env_override() {
	bundle
	edit '.process.env+=["MARK=config"]'
	up
	try exec --env MARK=mine "$ID" sh -c 'echo $MARK'
	eq "$OUT" mine
}

tc exec_no_new_privs '2.2: --no-new-privs'
exec_no_new_privs() {
	bundle
	edit '.process.noNewPrivileges=false'
	up
	exec_good rft inspect
	kv_is NoNewPrivs 0
	try exec --no-new-privs "$ID" rft inspect
	kv_is NoNewPrivs 1
}

tc exec_process '2.2: --process FILE: everything from there'
exec_process() {
	bundle
	up
	cat >"$T/p.json" <<-END
		{"args":["rft","inspect","x"],"cwd":"/etc","env":["PATH=/bin","ONLY=1"],"user":{"uid":5,"gid":6,"additionalGids":[9],
		"umask":63},"rlimits":[{"type":"RLIMIT_NOFILE","soft":33,"hard":44}],"noNewPrivileges":true,"oomScoreAdj":700,
		"capabilities":{"bounding":["CAP_KILL"],"effective":[],"permitted":[]}}
	END
	try exec --process "$T/p.json" "$ID"
	eq "$RC" 0
	kv_is arg.1 x
	kv_is cwd /etc
	kv_is env.ONLY 1
	kv_is uid 5
	kv_is groups 9
	kv_is umask 0077
	kv_is rlimit.nofile 33:44
	kv_is NoNewPrivs 1
	kv_is oom_score_adj 700
	kv_is CapBnd 0000000000000020
	try exec -p "$T/p.json" "$ID"
	eq "$RC" 0
}

tc exec_process_scheduling 'P12, P13: scheduler and ioPriority of a process file'
exec_process_scheduling() {
	bundle
	up
	cat >"$T/p.json" <<-END
		{"args":["rft","inspect"],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0},
		"scheduler":{"policy":"SCHED_BATCH","nice":4},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":6}}
	END
	try exec --process "$T/p.json" "$ID"
	eq "$RC" 0
	kv_is sched.policy 3
	kv_is sched.nice 4
	kv_is ioprio 2:6
}

tc exec_detach '2.2: --detach: returns at once, the process lives on'
exec_detach() {
	bundle
	up
	good exec --detach --pid-file "$T/exec.pid" "$ID" sleep 1000
	local p
	p=$(<"$T/exec.pid")
	ok alive "$p"
	eq "$(nslink pid "$p")" "$(nslink pid "$PID")"
	match "$(proc NSpid "$p")" " [0-9]+\$"
	# Whoever is the subreaper has it as a child, so that conmon can wait for it.
	local parent
	parent=$(proc PPid "$p")
	[[ $parent == 1 || $(<"/proc/$parent/comm") == rft ]] || die "parent is $parent, $(<"/proc/$parent/comm")"
}

tc exec_pid_file '2.3: --pid-file of exec: decimal, no new line'
exec_pid_file() {
	bundle
	up
	good exec --pid-file "$T/exec.pid" "$ID" true
	match "$(<"$T/exec.pid")" '^[0-9]+$'
	eq "$(wc -c <"$T/exec.pid")" "$(tr -d '\n' <"$T/exec.pid" | wc -c)"
}

tc exec_pid_file_failed '2.3: it does not exist if the process did not start'
exec_pid_file_failed() {
	bundle
	up
	try exec --detach --pid-file "$T/exec.pid" "$ID" /nope
	ne "$RC" 0 "exit status"
	fails test -e "$T/exec.pid"
}

exec_fails() { # STATUS PATTERN ARGS...
	bundle
	up
	if [[ $3 == -* ]]; then
		try exec "${@:3:2}" "$ID" "${@:5}"
	else
		try exec "$ID" "${@:3}"
	fi
	eq "$RC" "$1" "exit status"
	imatch "${ERR//\\\"/\"}" "$2"
	ok is running
}
# crun has other texts.
tc "exec_fails 255 'exec: \"nope\": executable file not found in .path' nope" '2.3, 2.4: exec of a missing command: 255 and the text'
tc "exec_fails 1 'is no capability; they are called CAP_NET_ADMIN' --cap NETADMIN true" '2.4: exec with a capability that is none: the text'
tc "exec_fails 255 'exec: \"/nope\": stat /nope: no such file or directory' /nope" '2.3, 2.4: exec of a missing file: 255 and the text'
tc "exec_fails 255 'exec: \"/etc\":.* permission denied' /etc" '2.3, 2.4: exec of a directory: 255 and the text'
tc "exec_fails 255 'exec: \"/etc/passwd\":.* permission denied' /etc/passwd" '2.3, 2.4: exec of a file without x: 255 and the text'

tc exec_bad_cwd 'exec --cwd of a file: an error'
exec_bad_cwd() {
	bundle
	up
	try exec --cwd /etc/passwd "$ID" true
	ne "$RC" 0 "exit status"
}

tc exec_no_command 'exec without a command: an error'
exec_no_command() {
	bundle
	up
	try exec "$ID"
	ne "$RC" 0 "exit status"
}

tc exec_unknown '2.3: exec in an unknown id: does not exist'
exec_unknown() {
	try exec nobody true
	ne "$RC" 0 "exit status"
	imatch "$ERR" 'does not exist'
}

tc exec_stopped '2.3: exec in what is stopped: an error that says so'
exec_stopped() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	ex true
	ne "$RC" 0 "exit status"
	imatch "$ERR" 'stopped|not running'
}

tc exec_created 'exec in what is created, as engines do for health checks before start: works'
# crun refuses.
exec_created() {
	bundle
	made
	ex echo fine
	eq "$RC" 0
	eq "$OUT" fine
	ok is created
}

tc exec_paused '2.2: exec in what is paused: refused; --ignore-paused waits'
# crun has no --ignore-paused.
exec_paused() {
	need_cg freezer
	bundle
	up
	good pause "$ID"
	ex true
	ne "$RC" 0 "exit status"
	imatch "$ERR" 'paused'
	rt exec --ignore-paused "$ID" touch /tmp/done </dev/null >"$T/x" 2>&1 &
	sleep 0.2
	fails test -e "$ROOTFS/tmp/done"
	good resume "$ID"
	until_ok 10 test -e "$ROOTFS/tmp/done"
	wait $!
	eq $? 0
}

user_parsed() { # OPTION UID GID
	bundle
	up
	try exec --user "$1" "$ID" rft inspect
	eq "$RC" 0
	kv_is uid "$2"
	kv_is gid "$3"
}
# crun 1.19 to 1.26: 0:0 for "1".
tc 'user_parsed 1 1 0' 'CVE-2026-30892: exec -u 1'
tc 'user_parsed 1:1 1 1' 'CVE-2026-30892: exec -u 1:1'
tc 'user_parsed 0:5 0 5' 'CVE-2026-30892: exec -u 0:5'
tc 'user_parsed 4294967294:1 4294967294 1' 'CVE-2026-30892: exec -u 4294967294:1'
tc 'user_parsed 1001 1001 0' 'CVE-2016-3697: exec -u 1001: a number is a number, whatever passwd calls a user'

user_refused() { # OPTION
	bundle
	up
	try exec --user "$1" "$ID" id
	ne "$RC" 0 "exit status for --user '$1' ($OUT)"
}
for u in 1: :1 -1 1x x 4294967295 4294967296 '1 ' 0x1 1:2:3 ''; do
	tc "user_refused '$u'" "CVE-2026-30892: exec -u '$u': refused"
done

tc exec_cgroup 'exec joins the partition'\''s cgroups, all of them'
exec_cgroup() {
	bundle
	up
	good exec --detach --pid-file "$T/exec.pid" "$ID" sleep 1000
	eq "$(sort "/proc/$(<"$T/exec.pid")/cgroup")" "$(sort "/proc/$PID/cgroup")"
}

tc exec_sub_cgroup '2.2: --cgroup PATH: a sub-cgroup'
# crun: one path; runc: v1 needs CONTROLLER:PATH.
exec_sub_cgroup() {
	need_cg pids
	bundle
	up
	mkdir "$(cg_dir pids)/sub"
	if on_v2 pids; then
		try exec --cgroup /sub --detach --pid-file "$T/exec.pid" "$ID" sleep 1000
	else
		try exec --cgroup pids:sub --detach --pid-file "$T/exec.pid" "$ID" sleep 1000
	fi
	eq "$RC" 0
	eq "$(cg_path pids "$(<"$T/exec.pid")")" "$(cg_path pids)/sub"
}

tc exec_sub_cgroup_escape '2.2: --cgroup with "..": refused, or stays inside'
exec_sub_cgroup_escape() {
	need_cg pids
	bundle
	up
	local p=/../..
	on_v2 pids || p=pids:../..
	try exec --cgroup $p --detach --pid-file "$T/exec.pid" "$ID" sleep 1000
	[[ $RC != 0 ]] || has "$(cg_path pids "$(<"$T/exec.pid")")" "$(cg_path pids)"
}

tc exec_fds 'P17: exec: no descriptors but 0, 1, 2'
exec_fds() {
	bundle
	up
	exec 5<"$T" 9<"$B/config.json"
	exec_good rft fds
	eq "$(cut -d' ' -f1 <<<"$OUT" | tr '\n' ' ')" '0 1 2 '
}

tc exec_root_same 'exec sees the same root, mounts and pid 1'
exec_root_same() {
	bundle
	mount_entry /t tmpfs tmpfs ''
	script 'touch /t/from-init; exec rft pause'
	up
	until_ok 10 eval 'rt exec "$ID" test -e /t/from-init </dev/null'
	exec_good sh -c 'cat /proc/1/comm; ls /t'
	eq "$OUT" $'rft\nfrom-init'
}

tc exec_many 'twenty execs at once'
exec_many() {
	bundle
	up
	local n
	for n in {1..20}; do rt exec "$ID" echo "$n" >"$T/o.$n" 2>"$T/e.$n" </dev/null & done
	wait
	for n in {1..20}; do eq "$(<"$T/o.$n")" "$n" "exec $n: $(<"$T/e.$n")"; done
}

tc exec_home 'P4: HOME of exec --user comes from passwd'
exec_home() {
	bundle
	up
	try exec --user 1000 "$ID" sh -c 'echo $HOME'
	eq "$OUT" /home
}

# P14: runc 1.3 and crun 1.2x.
tc exec_cpu_affinity 'P14: execCPUAffinity final: exec runs there, init does not'
exec_cpu_affinity() {
	can two_cpus || skip "needs two CPUs"
	local cpu
	cpu=$(last_cpu)
	bundle
	edit '.process.execCPUAffinity={initial:$c,final:$c}' --arg c "$cpu"
	up
	exec_good rft inspect
	kv_is affinity "$cpu"
	ne "$(proc Cpus_allowed_list)" "$cpu"
}

tc exec_cpu_affinity_initial 'P14: execCPUAffinity initial: where the runtime is before it goes into the cgroup; the process gets all CPUs again'
exec_cpu_affinity_initial() {
	traceable
	local cpu
	can two_cpus || skip "needs two CPUs"
	need_cmd strace
	strace -qq -o /dev/null true || skip "strace cannot trace here"
	cpu=$(last_cpu)
	bundle
	edit '.process.execCPUAffinity={initial:$c}' --arg c "$cpu"
	up
	grab strace -f -qq -o "$T/strace" -e trace=sched_setaffinity,clone3 "$RT" "${GOPTS[@]}" exec "$ID" rft inspect
	eq "$RC" 0
	has "$(kv affinity)" ,
	match "$(head -n 1 "$T/strace")" "sched_setaffinity\(0, [0-9]+, \[$cpu\]\) += 0"
	has "$(sed -n 2p "$T/strace")" clone3
}

tc exec_cpu_affinity_process 'P14: execCPUAffinity of a process file'
exec_cpu_affinity_process() {
	can two_cpus || skip "needs two CPUs"
	local cpu
	cpu=$(last_cpu)
	bundle
	up
	cat >"$T/p.json" <<-END
		{"args":["rft","inspect"],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0},"execCPUAffinity":{"final":"$cpu"}}
	END
	try exec --process "$T/p.json" "$ID"
	eq "$RC" 0
	kv_is affinity "$cpu"
}

tc exec_cpu_affinity_bad 'P14: an execCPUAffinity that is no list: refused'
exec_cpu_affinity_bad() {
	bundle
	edit '.process.execCPUAffinity={initial:"0-"}'
	refused 'affinity|cpu'
}

tc exec_lsm_off '2.2: exec --apparmor and --process-label where there is no such LSM: errors'
exec_lsm_off() {
	if can apparmor || can selinux; then skip "there is such an LSM"; fi
	bundle
	up
	try exec --apparmor some-profile "$ID" true
	ne "$RC" 0 "exit status with --apparmor"
	try exec --process-label system_u:system_r:container_t:s0 "$ID" true
	ne "$RC" 0 "exit status with --process-label"
}

tc exec_without_mount_ns 'exec in a partition without a mount namespace stays in its root file system'
# crun wants mounts, runc a /proc.
exec_without_mount_ns() {
	bundle
	no_ns mount
	edit 'del(.mounts,.linux.maskedPaths,.linux.readonlyPaths)'
	up
	echo outside >"$T/secret"
	exec_good cat /etc/file
	eq "$OUT" inside
	exec_good sh -c 'ls -di / /.. | sed "s/^ *//; s/ .*//" | sort -u'
	eq "$OUT" "$(stat -c %i "$ROOTFS")" "the root directory and what is above it"
	ex cat "$T/secret"
	ne "$RC" 0 "reading a file of the host"
	try exec --cwd /etc "$ID" pwd
	eq "$OUT" /etc
}

tc exec_own_user_ns 'exec where the user namespace is the caller'\''s own, by path'
# crun and runc refuse such a config.
exec_own_user_ns() {
	bundle
	ns user /proc/self/ns/user
	up
	exec_good echo fine
	eq "$OUT" fine
}

tc exec_old_kernel 'exec on a kernel that cannot join by pidfd (before 5.8): each namespace by its own file'
exec_old_kernel() {
	traceable
	need_cmd strace
	bundle
	if can userns; then userns; fi
	up
	grab strace -f -qq -o "$T/trace" -e trace=setns -e inject=setns:error=EINVAL:when=1 "$RT" "${GOPTS[@]}" exec "$ID" rft inspect
	eq "$RC" 0
	at_least "$(grep -c 'setns(.*= 0' "$T/trace")" 5 "namespaces joined by file"
	for n in mnt net pid ipc uts cgroup user; do kv_is "ns.$n" "$(nslink "$n" "$PID")"; done
}
