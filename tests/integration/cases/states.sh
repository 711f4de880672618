# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Every verb in every state that a partition can be in: exit status and text (2.3, 2.4), on stderr and in the log.

# answers STATUS PATTERN VERB...: a failure is one line on stderr that matches, nothing on stdout, and one JSON object in the log
# with the same text.
answers() {
	local status=$1 pattern=$2 msg
	shift 2
	rm -f "$T/log"
	try --log "$T/log" --log-format json "$@"
	eq "$RC" "$status" "exit status of $*"
	if [[ $status == 0 ]]; then
		[[ ! -s $T/log ]] || die "$* succeeds, and logs $(<"$T/log")"
		return
	fi
	eq "$OUT" '' "stdout of $*"
	eq "$(wc -l <"$T/err")" 1 "lines of the message of $*"
	eq "$(wc -l <"$T/log")" 1 "lines in the log of $*"
	json "$(<"$T/log")" '.level=="error" and (.time|fromdateiso8601? // (sub("[.][0-9]+Z";"Z")|fromdateiso8601)|. > 0)'
	msg=$(jq -r .msg "$T/log")
	imatch "$msg" "$pattern" "message of $*"
	# runc's stderr has it inside quotes.
	has "${ERR//\\\"/\"}" "$msg" "stderr of $*"
}

NONE='container ".*" does not exist'
tc states_unknown '2.3: an unknown id: 1 and "does not exist" of every verb, but delete --force'
# runc: 255 for exec.
states_unknown() {
	local verb
	mkdir "$ROOT"
	for verb in state start kill delete pause resume ps events; do answers 1 "$NONE" $verb "$ID"; done
	answers 1 "$NONE" kill "$ID" 0
	answers 1 "$NONE" kill --all "$ID" KILL
	answers 1 "$NONE" ps --format json "$ID"
	answers 1 "$NONE" events --stats "$ID"
	answers 1 "$NONE" update --pids-limit 5 "$ID"
	answers 1 "$NONE" exec "$ID" true
	answers 0 '' delete --force "$ID"
	# Whether there is a root or not makes no difference.
	rmdir "$ROOT"
	answers 1 "$NONE" state "$ID"
	answers 0 '' delete --force "$ID"
	fails test -e "$ROOT"
}

# What is refused of whatever lives.
living() {
	answers 1 'container.* exists' create --bundle "$B" "$ID"
	answers 1 'container.* exists' run --bundle "$B" "$ID"
	answers 0 '' state "$ID"
	answers 0 '' kill "$ID" 0
	answers 0 '' kill --all "$ID" 0
	answers 0 '' ps --format json "$ID"
	if [[ -n ${RF_DIFFERENCES:-} ]] && is paused; then
		answers 1 'is paused: .*resume it first' update --pids-limit 50 "$ID"
	elif [[ $(cg_kind pids) != none ]]; then
		answers 0 '' update --pids-limit 50 "$ID"
	fi
	answers 0 '' events --stats "$ID"
}

tc states_created '2.3: every verb on what is created'
states_created() {
	bundle
	made
	living
	answers 1 'not paused' resume "$ID"
	answers 255 'executable file not found in \$PATH' exec "$ID" nope
	answers 0 '' exec "$ID" true
	is created
	answers 0 '' start "$ID"
	is running
	down
	made
	answers 0 '' delete "$ID"
	gone
}

tc states_running '2.3: every verb on what runs'
states_running() {
	bundle
	up
	living
	answers 1 "cannot delete container \"$ID\" that is not stopped" delete "$ID"
	answers 1 'cannot start an already running container' start "$ID"
	answers 1 'not paused' resume "$ID"
	answers 255 'executable file not found in \$PATH' exec "$ID" nope
	is running
	ok alive "$PID"
}

tc states_paused '2.3: every verb on what is paused'
# runc: 255 for exec.
states_paused() {
	need_cg freezer
	bundle
	up
	answers 0 '' pause "$ID"
	living
	answers 1 "cannot delete container \"$ID\" that is not stopped" delete "$ID"
	answers 1 'paused' start "$ID"
	answers 1 'not running.*paused' pause "$ID"
	answers 1 'cannot exec in a paused container' exec "$ID" true
	answers 1 'cannot exec in a paused container' exec "$ID" nope
	is paused
	answers 0 '' kill "$ID" KILL
	until_is stopped
}

tc states_paused_created 'what is paused before it was started: start says so and does not hang, resume brings it back'
states_paused_created() {
	need_cg freezer
	bundle
	made
	answers 0 '' pause "$ID"
	is paused
	answers 1 'paused' start "$ID"
	answers 1 'cannot exec in a paused container' exec "$ID" true
	answers 0 '' resume "$ID"
	is created
	answers 0 '' start "$ID"
	is running
}

STOPPED='container not running'
# What is refused of whatever is dead.
dead_verbs() {
	answers 1 'cannot start a container that has stopped' start "$ID"
	answers 1 "$STOPPED: no such process" kill "$ID"
	answers 1 "$STOPPED: no such process" kill "$ID" 0
	answers 0 '' kill --all "$ID" KILL
	answers 1 "$STOPPED" pause "$ID"
	answers 1 'not paused' resume "$ID"
	answers 1 "$STOPPED" update --pids-limit 5 "$ID"
	answers 1 "$STOPPED" events --stats "$ID"
	answers 1 "$STOPPED" events "$ID"
	answers 1 'cannot exec in a stopped container' exec "$ID" true
	answers 1 'container.* exists' create --bundle "$B" "$ID"
	answers 0 '' ps --format json "$ID"
	eq "$(jq -c . <<<"$OUT")" '[]'
	answers 0 '' state "$ID"
	json "$OUT" '.status=="stopped" and .pid==0'
	# go-runc refuses the whole list for a time that it cannot read.
	json "$OUT" '.created|test("^20[0-9-]+T[0-9:]+([.][0-9]+)?Z$")'
	answers 0 '' list --format json
	json "$OUT" '.[0].created|test("^20[0-9-]+T[0-9:]+([.][0-9]+)?Z$")'
	answers 0 '' delete "$ID"
	answers 1 "$NONE" delete "$ID"
}

tc states_stopped '2.3: every verb on what is stopped'
# runc: 255 for exec, null for ps.
states_stopped() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	dead_verbs
}

states_wreck() { # COMMAND that damages the state in $D
	bundle
	up
	local D=$ROOT/$ID file
	kill -9 "$PID"
	until_is stopped
	for file in "$D"/*; do [[ ! -f $file ]] || printf "$1" >"$file"; done
	dead_verbs
}
# runc answers every one of them with "EOF", delete --force included.
tc "states_wreck ''" '2.3: every verb on a wreck: its state files are empty'
tc "states_wreck '{\"pid\":'" '2.3: every verb on a wreck: its state files are cut off'
