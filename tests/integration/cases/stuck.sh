# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# What hangs (a hook without a timeout, a frozen cgroup, a payload that never gets ready) must not take the other verbs with it.

# behind COMMAND...: in the background; BEHIND is its pid.
behind() {
	"$@" >"$T/behind" 2>&1 </dev/null &
	BEHIND=$!
}
# quickly SECONDS ARGS...: the runtime, which must answer by then. RC, OUT, ERR.
quickly() {
	local seconds=$(($1 * RF_SCALE))
	shift
	grab timeout -s KILL "$seconds" "$RT" "${GOPTS[@]}" "$@"
	[[ $RC != 137 ]] || die "no answer within $seconds s: $*"
}
# A hook that tells that it runs, and then hangs. Inside and outside $T is not the same place.
hang() {
	local there=$T/there
	[[ $1 != startContainer ]] || there=/there
	hook "$1" "echo x >$there; exec sleep 600"
}
hanging() { until_ok 10 test -s "$T/there" -o -s "$ROOTFS/there"; }
all_gone() {
	gone "$ID"
	[[ ! -e $ROOT/$ID ]] || die "state left: $(ls -lR "$ROOT/$ID")"
}

# hook_hangs KIND STATUS: create or start hangs in it.
hook_hangs() {
	bundle
	hang "$1"
	case $1 in
	startContainer | poststart)
		made
		behind "$RT" "${GOPTS[@]}" start "$ID"
		;;
	*) behind "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID" ;;
	esac
	hanging
	quickly 2 state "$ID"
	eq "$RC" 0 "exit status of state"
	eq "$(jq -r .status <<<"$OUT")" "$2" "status"
	quickly 2 list -q
	has "$OUT" "$ID"
	quickly 8 delete --force "$ID"
	eq "$RC" 0 "exit status of delete --force"
	# That one has nothing to do with whether the process lives.
	[[ $1 != poststart ]] || pkill -P "$BEHIND"
	until_ok 5 dead "$BEHIND"
	wait "$BEHIND"
	# A process that was let go and dies before its exec is a payload that died.
	[[ $? != 0 || $1 == startContainer ]] || die "what hung ended with success: $(<"$T/behind")"
	all_gone
}
tc 'hook_hangs prestart creating' 'a prestart hook hangs: state and list answer, delete --force ends it all'
tc 'hook_hangs createRuntime creating' 'a createRuntime hook hangs: the same'
tc 'hook_hangs createContainer creating' 'a createContainer hook hangs: the same'
tc 'hook_hangs startContainer created' 'a startContainer hook hangs: the same'
tc 'hook_hangs poststart running' 'a poststart hook hangs: the partition is running all the same, and can be deleted'

tc hook_hangs_shared 'a createContainer hook hangs, and the pid namespace is the host'"'"'s: delete --force leaves no process'
hook_hangs_shared() {
	bundle
	no_ns pid
	hang createContainer
	behind "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID"
	hanging
	quickly 8 delete --force "$ID"
	eq "$RC" 0 "exit status of delete --force"
	until_ok 5 dead "$BEHIND"
	all_gone
}

tc poststart_verbs 'while a poststart hook takes its time: kill, exec, pause, resume, update work'
poststart_verbs() {
	bundle
	limit '.pids={limit:100}'
	hang poststart
	made
	behind "$RT" "${GOPTS[@]}" start "$ID"
	hanging
	quickly 5 exec "$ID" echo fine
	eq "$OUT" fine
	quickly 5 update --pids-limit 50 "$ID"
	eq "$RC" 0 "exit status of update"
	quickly 5 pause "$ID"
	eq "$RC" 0 "exit status of pause"
	quickly 5 resume "$ID"
	eq "$RC" 0 "exit status of resume"
	quickly 5 start "$ID"
	has "$ERR" 'already running'
	quickly 5 kill "$ID" KILL
	until_is stopped
	quickly 5 delete "$ID"
	eq "$RC" 0 "exit status of delete"
	pkill -P "$BEHIND" sleep
	wait "$BEHIND"
	ne "$?" 0 "exit status of start, whose hook was killed"
}

tc never_ready 'a payload that never says READY=1: start waits, the other verbs do not'
never_ready() {
	bundle
	bg_rft "$T/notified" sd-recv "$T/notify" 20 MAINPID
	until_ok 5 test -S "$T/notify"
	NOTIFY_SOCKET=$T/notify made
	NOTIFY_SOCKET=$T/notify behind "$RT" "${GOPTS[@]}" start "$ID"
	until_ok 5 is running
	ok alive "$BEHIND"
	quickly 5 pause "$ID"
	eq "$RC" 0 "exit status of pause"
	ok is paused
	quickly 5 resume "$ID"
	quickly 5 delete --force "$ID"
	eq "$RC" 0 "exit status of delete --force"
	until_ok 5 dead "$BEHIND"
}

tc paused_created 'a created partition is paused: it says so, start refuses, and after resume it is created and can start'
paused_created() {
	bundle
	made
	good pause "$ID"
	ok is paused
	quickly 5 start "$ID"
	eq "$RC" 1 "exit status of start"
	imatch "$ERR" 'paused'
	good resume "$ID"
	ok is created
	good start "$ID"
	ok is running
}

tc start_killed_late 'start is killed after it let the payload go: the state is true, and a second start is refused'
start_killed_late() {
	bundle
	hook startContainer 'echo x >/there; sleep 1'
	made
	behind "$RT" "${GOPTS[@]}" start "$ID"
	hanging
	kill -9 "$BEHIND"
	wait "$BEHIND" 2>/dev/null
	until_ok 5 grep -q rft "/proc/$PID/comm"
	ok is running
	bad 'already running' start "$ID"
	exec_good echo fine
	eq "$OUT" fine
	good kill "$ID" KILL
	until_is stopped
	good delete "$ID"
}

tc start_killed_early 'start is killed before it let the payload go: the partition is still created and can be started'
start_killed_early() {
	bundle
	made
	[[ -S $ROOT/$ID/start.sock ]] || skip 'this runtime keeps its state in another way'
	# As a start leaves it that died between taking the socket and using it.
	mv "$ROOT/$ID/start.sock" "$ROOT/$ID/starting.sock"
	ok is created
	good start "$ID"
	ok is running
	[[ -z $(find "$ROOT/$ID" -name '*.sock') ]] || die "left: $(ls "$ROOT/$ID")"
}

# interrupted SIGNAL: an attached run hangs, and is told to end.
interrupted() {
	behind env --default-signal "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	hanging
	kill "-$1" "$BEHIND"
	until_ok 5 dead "$BEHIND"
	wait "$BEHIND"
	eq "$?" 1 "exit status of run"
	imatch "$(<"$T/behind")" "interrupted|signal"
	all_gone
}
run_interrupted() {
	bundle
	hang "$1"
	interrupted "$2"
}
tc 'run_interrupted startContainer TERM' 'an attached run hangs in a startContainer hook: SIGTERM ends it, nothing is left'
tc 'run_interrupted startContainer INT' 'an attached run hangs in a startContainer hook: SIGINT too'
tc 'run_interrupted poststart TERM' 'an attached run hangs in a poststart hook: SIGTERM ends it, nothing is left'

tc run_interrupted_not_ready 'an attached run waits for READY=1: SIGTERM ends it, nothing is left'
run_interrupted_not_ready() {
	bundle
	script 'echo x >/there; trap "" TERM; while :; do sleep 1; done'
	bg_rft "$T/notified" sd-recv "$T/notify" 20 MAINPID
	until_ok 5 test -S "$T/notify"
	NOTIFY_SOCKET=$T/notify interrupted TERM
}

tc exec_interrupted 'exec --ignore-paused in a paused partition: SIGTERM ends it; the partition goes on'
exec_interrupted() {
	bundle
	up
	good pause "$ID"
	behind env --default-signal "$RT" "${GOPTS[@]}" exec --ignore-paused "$ID" true
	sleep 0.3
	ok alive "$BEHIND"
	kill "$BEHIND"
	until_ok 5 dead "$BEHIND"
	good resume "$ID"
	exec_good echo fine
	eq "$OUT" fine
}

tc lock_told 'a lock that somebody holds: the message names the process'
lock_told() {
	bundle
	up
	flock "$ROOT/$ID" "$RF_RFT" pause &
	BEHIND=$!
	until_ok 5 bash -c "! flock -n '$ROOT/$ID' true"
	quickly 20 pause "$ID"
	eq "$RC" 1 "exit status"
	has "$ERR" "process $BEHIND"
	pkill -P "$BEHIND"
}

# halfway WHAT: `run` whose first process meets that at its pivot_root(2), while it still has the host's tree below it.
halfway() {
	need_cmd strace
	traceable
	strace -qq -o /dev/null true || skip "strace cannot trace here"
	bundle
	args sleep 1000
	behind strace -f -qq -o "$T/strace" -e trace=pivot_root -e "inject=pivot_root:$1" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	until_ok 10 test -e "$ROOT/$ID/snapshot"
}

tc entered_early 'exec while the first process is still being set up: refused; nobody gets to see the host through half a partition'
entered_early() {
	echo outside >"$T/secret"
	halfway delay_enter=2000000
	local refused=0 end=$((SECONDS + 20 * RF_SCALE))
	while ((SECONDS < end)); do
		try exec "$ID" cat "$T/secret"
		hasnt "$OUT" outside
		try exec "$ID" cat /etc/file
		[[ $RC != 0 ]] || break
		refused=$((refused + 1))
	done
	eq "$OUT" inside
	((refused > 2)) || die "it was never refused: the delay did not work"
	rt delete --force "$ID" || die "delete"
	until_ok 5 dead "$BEHIND"
	all_gone
}

tc killed_early 'run is killed while the first process hangs in its set-up: delete --force ends it'
killed_early() {
	halfway signal=SIGSTOP
	until_ok 10 grep -q 'stopped by SIGSTOP' "$T/strace"
	local runtime child
	runtime=$(pgrep -P "$BEHIND")
	child=$(pgrep -P "$runtime")
	# The tracer goes: what is stopped stays so.
	kill -KILL "$BEHIND" "$runtime"
	wait "$BEHIND"
	alive "$child" || die "the first process has not stayed"
	quickly 8 delete --force "$ID"
	eq "$RC" 0 "exit status of delete --force: $ERR"
	until_ok 5 dead "$child"
	all_gone
}
