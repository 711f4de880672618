# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Seccomp user notification: the listener goes to an agent.

# with_agent SYSCALL ANSWER: a bundle that notifies about SYSCALL, and an agent that answers so.
with_agent() {
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$p,listenerMetadata:"meta \"x\"",
		syscalls:[{names:[$n],action:"SCMP_ACT_NOTIFY"}]}' --arg p "$T/agent" --arg n "$1"
	bg_rft "$T/agent.log" agent "$T/agent" "$2"
	until_ok 5 test -S "$T/agent"
}
agent_state() { sed -n 's/^state=//p' "$T/agent.log"; }

tc notify_errno 'NOTIFY: the agent decides: an error'
notify_errno() {
	with_agent mkdir errno=28
	args rft sys mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=ENOSPC'
	until_has 5 "$T/agent.log" 'call nr='
	fails test -e "$ROOTFS/tmp/d"
}

tc notify_value 'NOTIFY: the agent decides: a value'
notify_value() {
	with_agent getppid value=4711
	args rft sys getppid
	runs
	eq "$OUT" 'ret=4711 errno=0'
}

tc notify_continue 'NOTIFY: the agent decides: go on'
notify_continue() {
	with_agent mkdir continue
	args rft sys mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=0 errno=0'
}

tc notify_message 'NOTIFY: one message: containerProcessState with one descriptor'
notify_message() {
	with_agent mkdir continue
	up
	until_has 5 "$T/agent.log" state=
	eq "$(sed -n 's/^fds=//p' "$T/agent.log")" 1
	json "$(agent_state)" '.ociVersion|test("^1\\.")'
	json "$(agent_state)" '.fds==["seccompFd"]'
	json "$(agent_state)" '.metadata=="meta \"x\""'
	json "$(agent_state)" '.pid==($p|tonumber)' --arg p "$PID"
	json "$(agent_state)" '.state.id==$i and .state.bundle==$b and (.state.pid==($p|tonumber))' --arg i "$ID" --arg b "$B" --arg p "$PID"
	json "$(agent_state)" '.state.status=="created" and (.state.ociVersion|test("^1\\."))'
}

tc notify_exec 'NOTIFY: exec brings a listener of its own, with its pid'
notify_exec() {
	with_agent mkdir continue
	up
	until_has 5 "$T/agent.log" state=
	kill "$BG"
	rm "$T/agent"
	bg_rft "$T/exec.log" agent "$T/agent" errno=28
	until_ok 5 test -S "$T/agent"
	exec_good rft sys mkdir :/tmp/d 0755
	eq "$OUT" 'ret=-1 errno=ENOSPC'
	json "$(sed -n 's/^state=//p' "$T/exec.log")" '.pid!=($p|tonumber) and .state.id==$i' --arg p "$PID" --arg i "$ID"
}

tc notify_nobody 'NOTIFY: nobody listens: create is an error, and nothing is left'
# crun and runc fail as well, with the text of ENOENT, which podman takes for a missing command.
notify_nobody() {
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$p,syscalls:[{names:["mkdir"],action:"SCMP_ACT_NOTIFY"}]}' \
		--arg p "$T/agent"
	refused "nobody listens on $T/agent"
	hasnt "$ERR" 'o such file'
	bad "nobody listens on $T/agent" run --bundle "$B" "$ID"
	gone
	# A socket file whose owner has gone, and a file that is none.
	"$RF_RFT" sink "$T/agent" >/dev/null 2>&1 &
	until_ok 5 test -S "$T/agent"
	kill $!
	wait $!
	refused "nobody listens on $T/agent"
	edit '.linux.seccomp.listenerPath=$p' --arg p "$B/config.json"
	refused "nobody listens on $B/config.json"
}

tc notify_ignored 'NOTIFY: a listenerPath without the action is ignored, as the specification says'
notify_ignored() {
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$p,syscalls:[{names:["mkdir"],action:"SCMP_ACT_ERRNO"}]}' \
		--arg p "$T/agent"
	args rft sys mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=EPERM'
}

tc notify_wait_killable 'NOTIFY with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, TSYNC and LOG; without the action the flags are no error'
notify_wait_killable() {
	can seccomp_flag $((32 + 8)) || skip "the kernel has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
	with_agent mkdir errno=28
	edit '.linux.seccomp.flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV","SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG"]'
	args rft sys mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=ENOSPC'
	edit '.linux.seccomp.syscalls[0].action="SCMP_ACT_ERRNO"'
	runs
	eq "$OUT" 'ret=-1 errno=EPERM'
}

tc notify_created 'NOTIFY: create looks for the agent without its noticing; it gets its listener at start, status created'
# runc: at create, status creating. See runtime/payload.h.
notify_created() {
	with_agent mkdir continue
	made
	sleep 0.3
	eq "$(<"$T/agent.log")" ''
	eq "$(proc Seccomp)" 0 "filter while created"
	good start "$ID"
	until_has 5 "$T/agent.log" state=
	json "$(agent_state)" '.state.status=="created" and .state.pid==($p|tonumber)' --arg p "$PID"
	until_ok 5 eval '[[ $(proc Seccomp) == 2 ]]'
}

tc notify_agent_gone 'NOTIFY: the agent goes between create and start: start is an error, the payload never ran, all is taken back'
notify_agent_gone() {
	local dir
	with_agent mkdir continue
	hook poststop "touch $T/poststop"
	script 'touch /tmp/ran'
	made
	dir=$(cg_dir pids)
	kill "$BG"
	wait "$BG"
	bad "nobody listens on $T/agent" start "$ID"
	until_ok 10 dead "$PID"
	gone
	fails test -e "$ROOTFS/tmp/ran"
	fails test -e "$dir"
	ok test -e "$T/poststop"
}

tc notify_hang_up 'NOTIFY: an agent that hangs up without a listener: what it was to decide fails, and nothing hangs'
notify_hang_up() {
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$p,syscalls:[{names:["mkdir"],action:"SCMP_ACT_NOTIFY"}]}' \
		--arg p "$T/agent"
	bg_rft "$T/sink.log" sink "$T/agent"
	until_ok 5 test -S "$T/agent"
	args rft sys mkdir :/tmp/d 0755
	grab timeout -s KILL 20 "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	[[ $RC == 1 ]] || eq "$OUT" 'ret=-1 errno=ENOSYS'
	fails test -e "$ROOTFS/tmp/d"
}

# What a static program needs to start, print and end; other names are for other machines.
MINIMAL='["execve","brk","arch_prctl","set_tid_address","set_robust_list","rseq","prlimit64","readlink","readlinkat","getrandom",
	"mprotect","mmap","munmap","fstat","newfstatat","statx","ioctl","write","exit_group","exit","rt_sigprocmask","uname"]'

tc notify_minimal 'NOTIFY: a minimal profile need not allow what the runtime does before execve, but for read and write'
notify_minimal() {
	with_agent mkdir value=0
	edit '.linux.seccomp|=(.defaultAction="SCMP_ACT_KILL_PROCESS"|.syscalls+=[{names:($n+["read"]),action:"SCMP_ACT_ALLOW"}])' \
		--argjson n "$MINIMAL"
	args rft sys mkdir :/tmp/d 0755
	made
	good start "$ID"
	until_is stopped
	until_has 5 "$T/agent.log" 'call nr='
	fails test -e "$ROOTFS/tmp/d"
}

tc notify_minimal_read 'NOTIFY: a profile that allows no read: refused at create, by name'
notify_minimal_read() {
	with_agent mkdir continue
	edit '.linux.seccomp|=(.defaultAction="SCMP_ACT_ERRNO"|.syscalls+=[{names:$n,action:"SCMP_ACT_ALLOW"}])' --argjson n "$MINIMAL"
	refused 'SCMP_ACT_NOTIFY has to allow read'
}

tc notify_read 'NOTIFY of read(2), with which the process waits for its agent: no deadlock'
notify_read() {
	with_agent read continue
	script 'echo alive'
	grab timeout -s KILL 20 "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$RC" 0
	eq "$OUT" alive
}

tc notify_write 'NOTIFY of write(2): refused, the runtime would wait for itself'
# crun takes it.
notify_write() {
	with_agent write continue
	refused 'write'
}

tc notify_default 'NOTIFY as the default action: refused'
notify_default() {
	with_agent mkdir continue
	edit '.linux.seccomp.defaultAction="SCMP_ACT_NOTIFY"'
	refused 'notify|default|seccomp'
}

tc notify_start_not_blocked 'NOTIFY of what the runtime itself does before execve does not block create'
notify_start_not_blocked() {
	with_agent getppid continue
	edit '.linux.seccomp.syscalls[0].names=["getppid","setgroups","setresuid","setresgid","capset","chdir","umask"]'
	edit '.process.user={uid:1000,gid:1000,additionalGids:[7]}'
	args rft sys getppid
	runs
	has "$OUT" errno=0
}

# runc has no such annotation.
tc notify_annotation '2.6: run.oci.seccomp.receiver names the agent as well'
notify_annotation() {
	with_agent mkdir errno=28
	edit 'del(.linux.seccomp.listenerPath,.linux.seccomp.listenerMetadata)|.annotations={"run.oci.seccomp.receiver":$p}' \
		--arg p "$T/agent"
	args rft sys mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=ENOSPC'
}

tc notify_long_path 'NOTIFY: a listenerPath of more than 108 bytes'
# crun and runc fail.
notify_long_path() {
	local long
	bundle
	long=$T/$(printf 'x%.0s' {1..120})
	mkdir "$long"
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$p,syscalls:[{names:["mkdir"],action:"SCMP_ACT_NOTIFY"}]}' \
		--arg p "$long/agent"
	bg_rft "$T/agent.log" agent "$long/agent" errno=28
	until_ok 5 test -S "$long/agent"
	args rft sys mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=ENOSPC'
}
