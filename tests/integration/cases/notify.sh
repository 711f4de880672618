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
	# runc installs the filter at create; at start it need not allow what the wait for start takes.
	json "$(agent_state)" '.state.status=="creating" or .state.status=="created"'
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

tc notify_nobody 'NOTIFY: nobody listens: an error'
notify_nobody() {
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$p,syscalls:[{names:["mkdir"],action:"SCMP_ACT_NOTIFY"}]}' \
		--arg p "$T/agent"
	# At create or at start.
	bad 'agent|listener|seccomp' run --bundle "$B" "$ID"
	gone
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
