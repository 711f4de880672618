# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154,SC2317
# Supervisors that doze (launch/doze.h): nothing that happens is missed, and little memory is taken meanwhile.

# shellcheck source=../lib-supervised.sh
source "${BASH_SOURCE[0]%/*}/../lib-supervised.sh"

asleep() { grep -qz '^RINGFENCE_DOZES=' "/proc/$SV/environ"; }
awake() { ! asleep; }
# Before there is anything that a skip would leave behind.
can_doze() {
	! sanitized || skip "sanitizers need a dynamic program"
	[[ $(uname -m) == x86_64 ]] || skip "the entry point is written for x86-64"
	! LC_ALL=C ldd "$RT" 2>&1 | grep -q '=>' || skip "not a static build: no entry point of its own"
}
# Until it has fallen asleep; it has the same pid then.
doze() { until_ok 20 asleep; }
descriptors() { find "/proc/$SV/fd" -type l -printf '%f %l\n' | sort; }
chatty='trap "echo said" USR1; trap "exit 9" TERM; echo up; while :; do usleep 20000; done'
up() { until_ok 10 grep -q up "$P/log"; }

tc dz_memory 'launch: a supervisor with nothing to do keeps next to nothing in memory, is what it was, and does not wake by itself'
dz_memory() {
	local before
	can_doze
	part '' "$chatty"
	go
	up
	before=$(descriptors)
	doze
	at_most "$(awk '/^RssAnon/ {print $2}' "/proc/$SV/status")" 24 "KiB of its own"
	eq "$(descriptors)" "$before" descriptors
	eq "$(<"/proc/$SV/comm")" ringfence
	eq "$(st supervisor)" "$SV"
	eq "$(ps -o sid= -p "$SV" | tr -d ' ')" "$SV" session
	before=$(awk '/^voluntary/ {print $2}' "/proc/$SV/status")
	sleep 2
	eq "$(awk '/^voluntary/ {print $2}' "/proc/$SV/status")" "$before" switches
	lgood ls --format json
	json "$OUT" '.[0].status|startswith("running")'
	over
}

tc dz_output 'launch: output wakes a supervisor, which falls asleep again with the same descriptors'
dz_output() {
	local before i
	can_doze
	part '' "$chatty"
	go
	up
	doze
	before=$(descriptors)
	for i in 1 2 3; do
		kill -USR1 "$PID"
		until_ok 10 eval '[[ $(grep -c said "$P/log") == $i ]]'
		until_ok 20 asleep
		eq "$(descriptors)" "$before" descriptors
	done
	ok alive "$PID"
	kill -TERM "$PID"
	lgood wait "$N"
	eq "$OUT" 9
	until_ok 10 dead "$SV"
	eq "$(st exitCode)" 9
	eq "$(grep -c . "$P/log")" 4 "lines of the log"
	gone "$N"
	over
}

tc dz_attach 'launch: attach, input and wait reach a supervisor that dozes'
dz_attach() {
	can_doze
	part '' 'while read x; do echo "got <$x>"; done; exit 8' '.interactive=true'
	go
	doze
	l wait "$N" >"$T/w" &
	until_ok 10 awake
	printf 'one\ntwo\n' | l attach "$N" >"$T/o" 2>"$T/e"
	eq $? 8
	eq "$(<"$T/o")" $'got <one>\ngot <two>'
	wait $!
	eq "$(<"$T/w")" 8
	over
}

tc dz_tty 'launch: a terminal whose supervisor dozes'
dz_tty() {
	can_doze
	part '' 'trap "echo said" USR1; tty; while :; do read x && case $x in bye) exit 12 ;; *) echo "got <$x> $(rft winsize)" ;; esac; done' \
		'.tty=true|.interactive=true'
	go
	until_ok 10 grep -q /dev/pts "$P/log"
	doze
	say_when_attached &
	on_tty 33 77 said $'hello\n\x10\x11' "$RT" "${GOPTS[@]}" --data "$T/data" attach "$N"
	until_ok 10 grep -q 'got <hello> rows=33 cols=77' "$P/log"
	until_ok 20 asleep
	say_when_attached &
	on_tty 33 77 said $'bye\n' "$RT" "${GOPTS[@]}" --data "$T/data" attach "$N"
	eq $? 12 "exit status of the payload"
	wait
	over
}
# What is typed before attach has taken the terminal is lost.
say_when_attached() {
	until_ok 10 awake
	sleep 0.5
	kill -USR1 "$PID"
}

tc dz_signals 'launch: SIGTERM to a supervisor that dozes stops the partition properly; SIGHUP and SIGSTOP do nothing'
dz_signals() {
	can_doze
	part '' 'trap "exit 6" TERM; echo up; while :; do usleep 20000; done' '.restart="always"'
	go
	up
	doze
	kill -HUP "$SV"
	kill -STOP "$SV"
	sleep 0.2
	kill -CONT "$SV"
	sleep 0.2
	ok alive "$SV"
	kill -TERM "$SV"
	until_ok 10 dead "$SV"
	eq "$(st exitCode)" 6
	eq "$(st stoppedByUser)" true
	eq "$(st phase)" ended
	gone "$N"
	over
}

tc dz_restart 'launch: what dozed starts again as its policy says, and is removed where --rm says so'
dz_restart() {
	can_doze
	part a "echo up; trap 'exit 3' USR1; while :; do usleep 20000; done" '.restart="on-failure"|.restartMax=2'
	go
	for i in 1 2; do
		until_ok 10 eval '[[ $(grep -c up "$P/log") == $i ]]'
		doze
		kill -USR1 "$(st pid)"
		until_ok 20 eval '[[ $(st restarts) == $i && $(st phase) == up ]]'
	done
	eq "$(st supervisor)" "$SV"
	until_ok 10 eval '[[ $(grep -c up "$P/log") == 3 ]]'
	doze
	kill -USR1 "$(st pid)"
	lgood wait "$N"
	eq "$OUT" 3
	part b "$chatty" '.rm=true'
	go
	up
	doze
	kill -TERM "$PID"
	until_ok 10 eval '[[ ! -e $P ]]'
	gone "$N"
	over
}

tc dz_oom 'launch: a kill for want of memory is told by a supervisor that dozed'
dz_oom() {
	can_doze
	part '' "echo up; trap 'x=a; while :; do x=\$x\$x; done' USR1; while :; do usleep 20000; done"
	jq '.linux.resources.memory={limit:16777216,swap:16777216}' "$B/config.json" >"$P/config.json"
	grab l restart "$N"
	[[ $RC == 0 ]] || skip "no memory limit here: $ERR"
	SV=$(st supervisor)
	up
	doze
	kill -USR1 "$(st pid)"
	lgood wait "$N"
	[[ $OUT == 137 ]] || skip "not killed, but ended with $OUT"
	eq "$(st oomKilled)" true
	over
}

tc dz_killed 'launch: a supervisor that is killed while it dozes: the payload lives, stop and restart work'
dz_killed() {
	can_doze
	part '' 'trap "" PIPE; echo up; while :; do usleep 20000; done'
	go
	up
	doze
	kill -9 "$SV"
	until_ok 5 dead "$SV"
	ok alive "$PID"
	lgood stop -t 1 "$N"
	ok dead "$PID"
	gone "$N"
	go
	ok alive "$PID"
	over
}

tc dz_installed 'launch: a supervisor wakes up as the version that it was, whatever is installed meanwhile'
dz_installed() {
	can_doze
	part '' "$chatty"
	cp "$RT" "$T/program"
	grab "$T/program" "${GOPTS[@]}" --data "$T/data" restart "$N"
	eq "$RC" 0 "exit status"
	SV=$(st supervisor) PID=$(st pid)
	up
	doze
	cp "$(command -v false)" "$T/other"
	mv "$T/other" "$T/program"
	kill -USR1 "$PID"
	until_ok 10 grep -q said "$P/log"
	until_ok 20 asleep
	rm "$T/program"
	lgood stop "$N"
	eq "$(st exitCode)" 9
	over
}

tc dz_variable 'launch: what supervisors leave in their environment means nothing to other commands, nor to payloads'
dz_variable() {
	local name
	part '' "$chatty"
	for name in RINGFENCE_DOZES RINGFENCE_WAKES; do
		grab env "$name=00" "$RT" "${GOPTS[@]}" --data "$T/data" ls --format json
		eq "$RC" 0 "exit status"
		# It starts, as if it had never been there.
		grab timeout 10 env "$name=ff" "$RT" "${GOPTS[@]}" --data "$T/data" restart "$N"
		eq "$RC" 0 "exit status"
		up
		lgood stop -t 0 "$N"
		rm -f "$P/log"
	done
	over
}
