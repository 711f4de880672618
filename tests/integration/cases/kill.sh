# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# kill, delete.

# signalled ARG NUMBER: kill ID ARG arrives as that signal.
signalled() {
	bundle
	args rft pause up
	up
	grep -q . "$T/out" || until_has 10 "$T/out" up
	cp "$T/out" "$T/out.keep" 2>/dev/null
	"$RT" "${GOPTS[@]}" kill "$ID" "$1" >"$T/k" 2>&1 || die "kill $1: $(<"$T/k")"
	until_has 10 "$T/out" "signal $2"
}
for pair in USR1:10 SIGUSR1:10 sigusr1:10 SigUsr1:10 usr2:12 10:10 HUP:1 SIGWINCH:28 34:34 64:64 IOT:6 POLL:29 PWR:30; do
	tc "signalled ${pair%:*} ${pair#*:}" "2.2: kill ID ${pair%:*}"
done
# crun has no RTMIN.
tc 'signalled RTMIN+3 37' '2.2: kill ID RTMIN+3'
tc 'signalled SIGRTMIN 34' '2.2: kill ID SIGRTMIN'
tc 'signalled RTMAX 64' '2.2: kill ID RTMAX'
tc 'signalled SIGRTMIN+3 37' '2.2: kill ID SIGRTMIN+3'
tc 'signalled rtmax-2 62' '2.2: kill ID rtmax-2'

tc kill_default '2.2: without a signal: TERM'
kill_default() {
	bundle
	# A pid 1 that does not wait for it yet takes no notice.
	args rft pause up
	up
	until_has 10 "$T/out" up
	good kill "$ID"
	until_is stopped
	ok dead "$PID"
}

tc kill_created '1.8: kill of what is created and not started: it stops'
kill_created() {
	bundle
	made
	good kill "$ID" KILL
	until_is stopped
	good delete "$ID"
}

tc kill_stopped '2.4: kill of what is stopped: "container not running", and "no such process" in lower case'
# crun: "kill container: No such process".
kill_stopped() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	bad 'container not running' kill "$ID" KILL
	[[ $ERR == *'container not running: no such process'* || $ERR == *'container not running'* ]] || die "message: $ERR"
}

kill_bad() { # SIGNAL
	bundle
	up
	bad 'signal|argument|option' kill "$ID" "$1"
	ok alive "$PID"
}
for s in NOSUCH 65 -1 9x 'KILL TERM' 99999999999999999999 '' SIG +9 RTMIN-1 RTMAX+1 RTMIN+31 SIGSIGTERM; do
	tc "kill_bad '$s'" "2.2: kill ID '$s': refused"
done

tc kill_zero '2.2: kill 0, as kill(2): whether it is there; it harms nobody'
kill_zero() {
	bundle
	up
	good kill "$ID" 0
	good kill --all "$ID" 0
	ok alive "$PID"
	good kill "$ID" KILL
	until_is stopped
	bad 'container not running' kill "$ID" 0
}

kill_all() { # OPTION
	bundle
	no_ns pid
	script 'sleep 1001 & sleep 1002 & exec sleep 1003'
	up
	until_ok 10 eval '[[ $(rt ps --format json "$ID" | jq length) == 3 ]]'
	local pids
	pids=$(rt ps --format json "$ID" | jq '.[]')
	good kill "$1" "$ID" KILL
	for p in $pids; do until_ok 10 dead "$p"; done
	until_is stopped
}
tc 'kill_all --all' '2.2: kill --all: every process, without a pid namespace'
tc 'kill_all -a' '2.2: kill -a'

tc kill_all_stopped '2.2: kill --all of what is stopped is no error'
kill_all_stopped() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	good kill --all "$ID" KILL
}

tc kill_one_of_many 'kill without --all signals init only'
kill_one_of_many() {
	bundle
	args rft pause up
	up
	exec_good sh -c 'rft pause second </dev/null >/tmp/second 2>&1 &'
	until_ok 10 eval '[[ $(rt ps --format json "$ID" | jq length) == 2 ]]'
	good kill "$ID" USR1
	sleep 0.1
	hasnt "$(<"$ROOTFS/tmp/second")" signal
}

tc kill_all_subcgroup 'kill --all reaches sub-cgroups'
kill_all_subcgroup() {
	need_cg freezer
	bundle
	up
	exec_good sh -c 'sleep 1000 </dev/null >/dev/null 2>&1 &'
	until_ok 5 eval '[[ $(rt ps --format json "$ID" | jq length) == 2 ]]'
	local p dir
	p=$(rt ps --format json "$ID" | jq ".[]|select(.!=$PID)")
	dir=$(cg_dir freezer)
	mkdir "$dir/sub"
	echo "$p" >"$dir/sub/cgroup.procs"
	good kill --all "$ID" KILL
	until_ok 10 dead "$p"
	until_ok 10 dead "$PID"
}

# runc has no --regex.
tc kill_regex '2.2: kill --regex'
kill_regex() {
	bundle
	local one=$ID
	ID=$one-a1
	up
	local a=$PID
	ID=$one-b2
	up
	good kill --regex "$one-a[0-9]" KILL
	until_ok 10 dead "$a"
	ok alive "$PID"
	ID=$one
}

tc delete_running '1.8: delete of what runs: an error, it lives on'
delete_running() {
	bundle
	up
	bad 'running|not stopped|stopped' delete "$ID"
	ok alive "$PID"
	ok is running
}

tc delete_created '1.8: delete of what was never started removes it, as crun and runc do and containerd expects: killed, poststop hooks run'
delete_created() {
	local dir
	bundle
	hook poststop "cat >$T/poststop"
	script 'touch /tmp/ran'
	made
	dir=$(cg_dir pids)
	good delete "$ID"
	ok dead "$PID"
	gone
	fails test -e "$dir"
	json "$(<"$T/poststop")" '.status=="stopped"'
	fails test -e "$ROOTFS/tmp/ran"
}

tc delete_created_no_pidns '1.8: the same where nothing but its cgroup holds its processes together'
delete_created_no_pidns() {
	bundle
	no_ns pid
	made
	exec_good sh -c 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'
	good delete "$ID"
	ok dead "$PID"
	ok dead "$OUT"
	gone
}

tc delete_paused_refused '1.8: delete of what is paused: an error, it lives on'
delete_paused_refused() {
	need_cg freezer
	bundle
	up
	good pause "$ID"
	bad 'paused' delete "$ID"
	good resume "$ID"
	ok is running
	ok alive "$PID"
}

tc delete_force_running '2.2: delete --force of what runs: killed and removed'
delete_force_running() {
	bundle
	up
	good delete --force "$ID"
	ok dead "$PID"
	gone
}

tc delete_force_created '2.2: delete -f of what is created'
delete_force_created() {
	bundle
	made
	good delete -f "$ID"
	until_ok 10 dead "$PID"
	gone
}

tc delete_force_unknown '2.3: delete --force of an unknown id: 0'
delete_force_unknown() {
	good delete --force "$ID-nobody"
}

tc delete_twice 'delete twice: does not exist'
delete_twice() {
	bundle
	up
	good delete --force "$ID"
	bad 'does not exist' delete "$ID"
	good delete --force "$ID"
}

tc delete_many_processes 'delete --force with a hundred processes, without a pid namespace'
delete_many_processes() {
	bundle
	no_ns pid
	script 'n=0; while [ $n -lt 100 ]; do sleep 1000 & n=$((n+1)); done; touch /tmp/all; wait'
	up
	until_ok 20 test -e "$ROOTFS/tmp/all"
	good delete --force "$ID"
	gone
}

tc delete_fork_bomb 'delete --force while processes fork as fast as they can'
delete_fork_bomb() {
	need_cg pids
	bundle
	limit '.pids={limit:60}'
	script 'f() { while :; do sleep 0.01 & true & done; }; f & f & f 2>/dev/null'
	up
	sleep 0.3
	good delete --force "$ID"
	gone
}

tc delete_paused 'delete --force of what is paused'
delete_paused() {
	need_cg freezer
	bundle
	up
	good pause "$ID"
	good delete --force "$ID"
	ok dead "$PID"
	gone
}

tc delete_stopped_children 'delete after init ended and left children, without a pid namespace'
delete_stopped_children() {
	bundle
	no_ns pid
	script 'sleep 1000 </dev/null >/dev/null 2>&1 & exit 0'
	up
	until_is stopped
	good delete --force "$ID"
	gone
}

# runc has no --regex.
tc delete_regex '2.2: delete --regex'
delete_regex() {
	bundle
	local one=$ID
	ID=$one-a1
	up
	ID=$one-a2
	up
	ID=$one-b1
	up
	good delete --force --regex "$one-a[0-9]\$"
	good list -q
	eq "$OUT" "$one-b1"
	ID=$one
}

tc delete_keeps_rootfs 'delete leaves bundle and root file system alone'
delete_keeps_rootfs() {
	bundle
	up
	find "$B" | grep -v '/rootfs/dev\|/rootfs/proc' | sort >"$T/before"
	down
	find "$B" | grep -v '/rootfs/dev\|/rootfs/proc' | sort >"$T/after"
	eq "$(diff "$T/before" "$T/after")" ''
}
