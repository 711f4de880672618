# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Partitions that live with a supervisor: their output, their end, restarts, attaching, stopping; supervisors that are killed.

# shellcheck source=../lib-supervised.sh
source "${BASH_SOURCE[0]%/*}/../lib-supervised.sh"

tc sv_life 'launch: a detached partition: state, output of both streams, end, exit code'
sv_life() {
	part '' 'echo out; echo err >&2; read x; echo "stdin ended: $?"; sleep 1; exit 7'
	go
	ne "$SV" 0
	match "$(tr '\0' ' ' <"/proc/$SV/cmdline")" "supervise .*$N"
	lgood wait "$N"
	eq "$OUT" 7
	eq "$(st phase)" ended
	eq "$(st exitCode)" 7
	eq "$(st oomKilled)" false
	match "$(st finished)" '^20.*Z$'
	until_ok 5 dead "$SV"
	gone "$N"
	lgood logs "$N"
	eq "$OUT" $'out\nstdin ended: 1'
	eq "$ERR" err
	fails test -e "$P/control"
	over
}

tc sv_session 'launch: the supervisor survives its terminal, has a session of its own, and holds few descriptors'
sv_session() {
	part '' 'sleep 1000'
	go
	eq "$(ps -o sid= -p "$SV" | tr -d ' ')" "$SV" session
	kill -HUP "$SV"
	sleep 0.2
	ok alive "$SV"
	ok alive "$PID"
	at_most "$(find "/proc/$SV/fd" -type l | wc -l)" 12 descriptors
	match "$(readlink "/proc/$SV/fd/0")" '^/dev/null$'
	over
}

tc sv_relative 'launch: directories that are given relative to ours'
sv_relative() {
	part '' 'exit 4' '.restart="on-failure"|.restartMax=2|del(.runtimeRoot)'
	cd "$T" || die cd
	grab "$RT" --root state --data data restart "$N"
	eq "$RC" 0 "exit status"
	until_ok 10 eval '[[ $(st restarts) == 2 && $(st phase) == ended ]]'
	grab "$RT" --root state --data data wait "$N"
	eq "$OUT" 4
	lgood stop "$N"
	over
}

tc sv_error 'launch: why a start failed is told word by word, and nothing is left'
sv_error() {
	part '' true
	jq '.process.args=["/no/such/program"]' "$B/config.json" >"$P/config.json"
	lbad '/no/such/program.*(no such file|not found)' restart "$N"
	gone "$N"
	eq "$(st phase)" ended
	match "$(st error)" '/no/such/program'
	echo '{' >"$P/config.json"
	lbad 'config.json' restart "$N"
	over
}

tc sv_memory 'launch: the private memory of a supervisor stays under 300 KiB'
sv_memory() {
	! sanitized || skip "sanitizers take memory"
	part '' 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; echo ready; sleep 1000'
	go
	until_ok 20 grep -q ready "$P/log"
	sleep 2.5
	at_most "$(private "$SV")" 300 "KiB of private memory"
	# It sleeps: hardly a switch in two seconds.
	local before
	before=$(awk '/^voluntary/ {print $2}' "/proc/$SV/status")
	sleep 2
	at_most $(($(awk '/^voluntary/ {print $2}' "/proc/$SV/status") - before)) 2 wake-ups
	over
}

tc sv_lines 'logs: lines beyond every buffer, binary output, no newline at the end'
sv_lines() {
	part '' 'head -c 100000 /dev/zero | tr "\0" x; echo; printf "a\0b\377\033[1mc\n"; printf unfinished'
	go
	lgood wait "$N"
	l logs "$N" >"$T/said" || die logs
	{ head -c 100000 /dev/zero | tr '\0' x && echo && printf 'a\0b\377\033[1mc\nunfinished'; } >"$T/want"
	ok cmp "$T/said" "$T/want"
	# As CRI has it.
	fails grep -avE '^[0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z (stdout|stderr) [FP] ' "$P/log"
	at_most "$(wc -L <"$P/log")" $((8192 + 40)) "length of a record"
	over
}

tc sv_logs 'logs: --tail, --since, --until, --timestamps, --format json'
sv_logs() {
	local now
	part '' 'i=0; while [ $i -lt 10 ]; do echo "$i"; i=$((i+1)); done; sleep 1.2; echo late; echo oops >&2'
	go
	lgood wait "$N"
	lgood logs -n 3 "$N"
	eq "$OUT" $'9\nlate'
	eq "$ERR" oops
	lgood logs --tail=0 "$N"
	eq "$OUT$ERR" ''
	lgood logs --tail=1000 "$N"
	eq "$(wc -l <<<"$OUT")" 11
	now=$(grep -a ' late$' "$P/log" | cut -d' ' -f1)
	lgood logs --since "$now" "$N"
	eq "$OUT" late
	lgood logs --until "$now" -n 2 "$N"
	match "$OUT" '^9.late$'
	lgood logs --since 1h --until 0s "$N"
	eq "$(wc -l <<<"$OUT")" 11
	lgood logs --since "$(($(date +%s) + 100))" "$N"
	eq "$OUT$ERR" ''
	lgood logs -t -n 2 "$N"
	match "$OUT" '^20[0-9-]{8}T[0-9:]{8}\.[0-9]{9}Z late$'
	lgood logs --format json -n 2 "$N"
	eq "$(jq -r .text <<<"$OUT" | tr '\n' ,)" late,oops,
	eq "$(jq -r .stream <<<"$OUT" | tr '\n' ,)" stdout,stderr,
	lbad 'since' logs --since yesterday "$N"
	lbad 'tail' logs --tail x "$N"
	lbad 'there is no launched partition' logs "${N}x"
	over
}

tc sv_rotation 'logs: rotation keeps at most twice the limit, and readers follow across it'
sv_rotation() {
	part '' 'i=0; until [ -e /dir/go ]; do usleep 10000; done; while [ $i -lt 4000 ]; do echo "line $i ...................................."; i=$((i+1)); [ $((i%100)) != 0 ] || usleep 10000; done' \
		'.logMax=65536'
	go
	"$RT" "${GOPTS[@]}" --data "$T/data" logs -f "$N" >"$T/follow" 2>&1 &
	until_ok 10 follows $!
	"$RT" "${GOPTS[@]}" --data "$T/data" logs -f -n 0 "$N" >"$T/follow2" 2>&1 &
	until_ok 10 follows $!
	touch "$B/rootfs/dir/go"
	lgood wait "$N"
	wait
	at_most "$(stat -c %s "$P/log")" 65536
	at_most "$(stat -c %s "$P/log.1")" 65536
	at_least "$(stat -c %s "$P/log.1")" 50000
	# What a follower has seen is all of it, in order, without a gap.
	awk '{if (n++ && $2 != last + 1) {print "gap at " last " " $2; exit 1}; last = $2} END {exit last != 3999}' "$T/follow" ||
		die "follow: $(awk '{if (n++ && $2 != last + 1) print last, $2; last = $2}' "$T/follow" | head -n 3)"
	eq "$(head -n 1 "$T/follow")" 'line 0 ....................................'
	eq "$(tail -n 1 "$T/follow2")" 'line 3999 ....................................'
	lgood logs -n 700 "$N"
	eq "$(head -n 1 <<<"$OUT")" 'line 3300 ....................................'
	eq "$(wc -l <<<"$OUT")" 700
	over
}

tc sv_full_disk 'logs: a full disk loses output, and neither the payload nor its supervisor'
sv_full_disk() {
	part '' 'i=0; while [ $i -lt 3000 ]; do echo "line $i ...................................."; i=$((i+1)); done; sleep '$((RF_SCALE * 2))'; exit 3'
	mkdir "$T/small"
	mount -t tmpfs -o size=64k,mode=700 tmpfs "$T/small" || skip "no tmpfs"
	cp -p "$P"/* "$T/small/"
	mount --bind "$T/small" "$P" || skip "no bind mount"
	go
	# A new state.json finds no room, either: the exit is told all the same, and kept for those who ask later.
	lgood wait "$N"
	eq "$OUT" 3
	until_ok 10 dead "$SV"
	eq "$(st phase)" ended
	eq "$(st exitCode)" 3
	lgood wait "$N"
	eq "$OUT" 3
	fails grep -avE '^[0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z (stdout|stderr) [FP] ' "$P/log"
	until_ok 5 none_left
	umount "$P" "$T/small"
}

tc sv_follow_end 'logs -f: ends with the partition; a reader that goes away is no trouble'
sv_follow_end() {
	part '' 'while :; do echo tick; usleep 50000; done'
	go
	eq "$(timeout 10 "$RT" "${GOPTS[@]}" --data "$T/data" logs -f "$N" | head -n 3 | wc -l)" 3
	timeout 20 "$RT" "${GOPTS[@]}" --data "$T/data" logs -f "$N" >"$T/f" 2>&1 &
	sleep 0.3
	lgood stop -t 0 "$N"
	ok wait $!
	has "$(<"$T/f")" tick
	over
}

tc sv_stop 'stop: the stop signal; SIGKILL after the timeout for one that ignores it'
sv_stop() {
	local start
	part a 'trap "echo bye; exit 5" TERM; echo up; while :; do usleep 20000; done'
	go
	until_ok 10 grep -q up "$P/log"
	lgood stop "$N"
	eq "$OUT" "$N"
	eq "$(st exitCode)" 5
	eq "$(st stoppedByUser)" true
	lgood logs "$N"
	has "$OUT" bye
	gone "$N"
	lgood stop "$N"
	part b 'trap "" TERM; echo up; while :; do usleep 20000; done' '.stopTimeout=1'
	go
	until_ok 10 grep -q up "$P/log"
	start=$EPOCHREALTIME
	lgood stop "$N"
	at_least $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) 900 ms
	eq "$(st exitCode)" 137
	go
	start=$EPOCHREALTIME
	lgood stop -t 0 "$N"
	at_most $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) $((900 * RF_SCALE)) ms
	part c 'trap "exit 9" USR1; echo up; while :; do usleep 20000; done' '.stopSignal="SIGUSR1"'
	go
	until_ok 10 grep -q up "$P/log"
	lgood stop "$N"
	eq "$(st exitCode)" 9
	lbad 'no launched partition' stop "$N" "${N}x"
	lbad 'no partition named' stop
	over
}

tc sv_stop_several 'stop: several wait for their ends at the same time; one that fails does not keep the others'
sv_stop_several() {
	local i start names=()
	for i in 1 2 3 4 5; do
		part "$i" 'trap "" TERM; echo up; while :; do usleep 20000; done'
		go
		until_ok 10 grep -q up "$P/log"
		names+=("$N")
	done
	start=$EPOCHREALTIME
	grab l stop -t 2 "${names[@]}" "${ID}none"
	at_most $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) $((6000 * RF_SCALE)) ms
	eq "$RC" 1
	has "$ERR" '1 of 6 failed'
	eq "$OUT" "$(printf '%s\n' "${names[@]}")"
	for i in "${names[@]}"; do gone "$i"; done
	grab l stop --format json "${ID}1" "${ID}none"
	json "$OUT" '(.[0]|has("error")|not) and (.[1].error|test("no launched"))'
	over
}

tc sv_stop_paused 'stop: one that is paused'
sv_stop_paused() {
	part '' 'trap "exit 4" TERM; echo up; while :; do usleep 20000; done'
	go
	until_ok 10 grep -q up "$P/log"
	good pause "$N"
	lgood stop -t 5 "$N"
	eq "$(st exitCode)" 4
	over
}

tc sv_sigterm 'launch: SIGTERM to the supervisor stops the partition properly'
sv_sigterm() {
	part '' 'trap "exit 6" TERM; echo up; while :; do usleep 20000; done' '.restart="always"'
	go
	until_ok 10 grep -q up "$P/log"
	kill -TERM "$SV"
	until_ok 10 dead "$SV"
	eq "$(st exitCode)" 6
	eq "$(st phase)" ended
	gone "$N"
	over
}

tc sv_restart_policy 'launch: --restart on-failure:N, always, backoff'
sv_restart_policy() {
	part a 'echo go; exit 3' '.restart="on-failure"|.restartMax=3'
	go
	lgood wait "$N"
	eq "$OUT" 3
	eq "$(st restarts)" 3
	eq "$(wc -l <"$P/log")" 4
	# 100, 200, 400 ms
	sed 's/.*:\([0-9.]*\)Z .*/\1/' "$P/log" | awk '{d[++n] = (60 + $1 - last) % 60; last = $1}
		END {exit !(n == 4 && d[2] >= 0.095 && d[3] >= 0.190 && d[4] >= 0.380)}' || die "times: $(<"$P/log")"
	part b 'exit 0' '.restart="on-failure"'
	go
	lgood wait "$N"
	eq "$(st restarts)" 0
	part c 'exit 0' '.restart="always"'
	go
	until_ok 10 eval '[[ $(st restarts) -ge 2 ]]'
	ok alive "$SV"
	lgood stop "$N"
	ok dead "$SV"
	eq "$(st phase)" ended
	eq "$(st stoppedByUser)" true
	over
}

tc sv_restart_waiting 'launch: stop while it waits to restart'
sv_restart_waiting() {
	part '' 'exit 1' '.restart="unless-stopped"'
	go
	until_ok 20 eval '[[ $(st restarts) -ge 3 && $(st phase) == waiting ]]'
	lgood stop "$N"
	until_ok 2 dead "$SV"
	eq "$(st phase)" ended
	gone "$N"
	over
}

tc sv_restart_verb 'restart: of one that runs, of one that has ended; restarts are of its own'
sv_restart_verb() {
	local first
	part '' 'echo up; sleep 1000'
	go
	first=$PID
	lgood restart -t 0 "$N"
	ok dead "$first"
	ne "$(st pid)" "$first"
	ok alive "$(st pid)"
	lgood logs "$N"
	until_ok 5 eval '[[ $(grep -c up "$P/log") == 2 ]]'
	lgood restart -t 0 --format json "$N"
	eq "$(jq -r '.[0].name' <<<"$OUT")" "$N"
	over
}

tc sv_oom 'launch: an OOM kill is recorded'
sv_oom() {
	part '' 'exec rft eat 200' .
	jq '.linux.resources.memory={limit:16777216,swap:16777216}' "$B/config.json" >"$P/config.json"
	jq '.process.args=["sh","-c","x=a; while :; do x=$x$x; done"]' "$P/config.json" >"$T/c" && cp "$T/c" "$P/config.json"
	grab l restart "$N"
	[[ $RC == 0 ]] || skip "no memory limit here: $ERR"
	lgood wait "$N"
	[[ $OUT == 137 ]] || skip "not killed, but ended with $OUT"
	eq "$(st oomKilled)" true
	over
}

tc sv_killed 'launch: the supervisor is killed: the payload lives, stop, restart and rm work'
sv_killed() {
	part '' 'trap "" PIPE; while :; do usleep 20000; done'
	go
	kill -9 "$SV"
	until_ok 5 dead "$SV"
	ok alive "$PID"
	lbad 'no supervisor' attach --no-stdin "$N"
	lgood stop -t 1 "$N"
	ok dead "$PID"
	gone "$N"
	lbad 'nobody saw' wait "$N"
	go
	kill -9 "$SV"
	until_ok 5 dead "$SV"
	lgood restart -t 0 "$N"
	ok dead "$PID"
	ok alive "$(st pid)"
	ok alive "$(st supervisor)"
	over
}

tc sv_killed_anywhen 'launch: the supervisor is killed at any moment: nothing is left that stop does not take away'
sv_killed_anywhen() {
	local i sv
	part '' 'trap "" TERM; sleep 1000'
	for i in {1..25}; do
		l restart "$N" >/dev/null 2>&1 &
		sleep "0.0$((RANDOM % 30 + 1))"
		sv=$(grep -lsF "$T/data" /proc/[0-9]*/cmdline | xargs -r grep -lsF supervise | grep -oE '[0-9]+' | sort -n | head -n 1)
		[[ -z $sv ]] || kill -9 "$sv" 2>/dev/null
		wait $!
		lgood stop -t 0 "$N"
		gone "$N"
	done
	go
	ok alive "$PID"
	over
}

tc sv_payload_killed 'launch: the payload is killed, by us or by hand'
sv_payload_killed() {
	part '' 'sleep 1000'
	go
	kill -9 "$PID"
	lgood wait "$N"
	eq "$OUT" 137
	go
	good kill "$N" KILL
	lgood wait "$N"
	eq "$OUT" 137
	go
	good delete --force "$N"
	lgood wait "$N"
	eq "$OUT" 137
	over
}

tc sv_orphans 'launch: without a pid namespace, what the payload leaves behind goes, too'
sv_orphans() {
	part '' '(trap "" HUP; echo child; sleep 1000) & usleep 100000; exit 2'
	jq '.linux.namespaces|=map(select(.type!="pid"))' "$B/config.json" >"$P/config.json"
	go
	lgood wait "$N"
	eq "$OUT" 2
	lgood logs "$N"
	eq "$OUT" child
	gone "$N"
	over
}

tc sv_attach 'attach: input, output of both streams, the end of stdin, the exit status'
sv_attach() {
	part '' 'while read x; do echo "got <$x>"; echo "err <$x>" >&2; done; exit 8' '.interactive=true'
	go
	printf 'one\ntwo\n' | l attach "$N" >"$T/o" 2>"$T/e"
	eq $? 8
	eq "$(<"$T/o")" $'got <one>\ngot <two>'
	eq "$(<"$T/e")" $'err <one>\nerr <two>'
	go
	# /dev/null is nobody's wish to end the input.
	timeout 1 "$RT" "${GOPTS[@]}" --data "$T/data" attach --sig-proxy=false "$N" >"$T/o" 2>&1 </dev/null
	ok alive "$PID"
	timeout 1 "$RT" "${GOPTS[@]}" --data "$T/data" attach --no-stdin --sig-proxy=false "$N" >"$T/o" 2>&1 < <(echo x)
	ok alive "$PID"
	lgood stop -t 0 "$N"
	lbad 'does not run' attach "$N"
	lbad 'detach-keys' attach --detach-keys ctrl-xx "$N"
	over
}

tc sv_attach_signal 'attach: signals are passed on'
sv_attach_signal() {
	part '' 'trap "exit 11" USR1; echo up; while :; do usleep 20000; done'
	go
	until_ok 10 grep -q up "$P/log"
	"$RT" "${GOPTS[@]}" --data "$T/data" attach "$N" >"$T/o" 2>&1 </dev/null &
	sleep 0.5
	kill -USR1 $!
	wait $!
	eq $? 11
	over
}

tc sv_attach_slow 'attach: one that takes nothing does not stop the payload, and is told of the gap'
sv_attach_slow() {
	! slow || skip "an emulated machine takes longer than readers are waited for"
	local size=$((20 << 20))
	part '' "read x; head -c $size /dev/zero | tr '\\0' x; echo; echo all-said; exit 5" '.interactive=true|.logMax=1000000'
	go
	mkfifo "$T/fifo"
	# A reader that holds still, and then reads on.
	(
		echo go | l attach "$N" >"$T/fifo" 2>"$T/e"
		echo $? >"$T/rc"
	) &
	(
		exec <"$T/fifo"
		until [[ -e $T/on ]]; do sleep 0.1; done
		wc -c >"$T/n"
	) &
	until_ok 30 grep -qa all-said "$P/log"
	touch "$T/on"
	wait
	eq "$(<"$T/rc")" 5
	at_most "$(<"$T/n")" $((size - 1))
	match "$(<"$T/e")" 'not taken in time'
	over
}

tc sv_attach_fast 'attach: one that takes all of it gets all of it'
sv_attach_fast() {
	! slow || skip "an emulated machine takes longer than readers are waited for"
	local size=$((20 << 20))
	part '' "read x; head -c $size /dev/zero | tr '\\0' x; echo; exit 5" '.interactive=true|.logMax=1000000'
	go
	echo go | l attach "$N" 2>"$T/e" | wc -c >"$T/n"
	eq "$(<"$T/n")" $((size + 1)) "bytes ($(<"$T/e"))"
	over
}


tc sv_tty 'attach: a terminal: size, typing, ^C, detach keys, its end'
sv_tty() {
	part '' 'trap "echo interrupted" INT; tty; (while :; do echo tick; usleep 100000; done) & while :; do read x && case $x in bye) exit 12 ;; *) echo "got <$x> $(rft winsize)" ;; esac; done' \
		'.tty=true|.interactive=true'
	go
	until_ok 10 grep -q /dev/pts "$P/log"
	on_tty 33 77 tick $'hello\n\x10\x11' "$RT" "${GOPTS[@]}" --data "$T/data" attach "$N"
	eq $? 0 "exit status after the detach keys"
	ok alive "$PID"
	until_ok 10 grep -q 'got <hello> rows=33 cols=77' "$P/log"
	on_tty 33 77 tick $'\x03\x18' "$RT" "${GOPTS[@]}" --data "$T/data" attach --detach-keys ctrl-x "$N"
	eq $? 0 "exit status after other detach keys"
	until_ok 10 grep -q interrupted "$P/log"
	ok alive "$PID"
	on_tty 33 77 tick $'\x10a\nbye\n' "$RT" "${GOPTS[@]}" --data "$T/data" attach "$N"
	eq $? 12 "exit status of the payload"
	eq "$(st exitCode)" 12
	over
}

tc sv_tty_restored 'attach: our terminal is afterwards what it was'
sv_tty_restored() {
	part '' '(while :; do echo tick; usleep 100000; done) & read x; exit 0' '.tty=true|.interactive=true'
	go
	on_tty 24 80 tick $'\x10\x11' sh -c 'stty -g >$0/before; "$@"; stty -g >$0/after' "$T" "$RT" "${GOPTS[@]}" --data "$T/data" attach "$N"
	eq "$(<"$T/after")" "$(<"$T/before")"
	over
}

tc sv_rm 'launch --rm: removed at its end; wait still tells the exit code'
sv_rm() {
	l rm --help >/dev/null 2>&1 || skip "no rm yet"
	part '' 'sleep '"$RF_SCALE"'; exit 21' '.rm=true'
	go
	lgood wait "$N"
	eq "$OUT" 21
	until_ok 5 eval '[[ ! -e $P ]]'
	over
}

tc sv_many 'launch: 50 at once, all stopped at once'
sv_many() {
	local i names=()
	for i in {1..50}; do
		part "$i" 'trap "exit 0" TERM; echo up; while :; do usleep 200000; done'
		names+=("$N")
	done
	for i in "${names[@]}"; do l restart "$i" >/dev/null 2>>"$T/errors" & done
	wait
	eq "$(cat "$T/errors")" ''
	eq "$(pgrep -fc "supervise --report [0-9]+ $ID")" 50 supervisors
	sleep 1.5
	for i in $(pgrep -f "supervise --report [0-9]+ $ID" | head -n 5); do
		sanitized || at_most "$(private "$i")" 150 "KiB of private memory of one of many"
	done
	lgood stop -t 5 "${names[@]}"
	eq "$OUT" "$(printf '%s\n' "${names[@]}")"
	over
}

tc sv_control 'launch: the control socket is ours alone, and nonsense on it does no harm'
sv_control() {
	part '' 'sleep 1000'
	go
	eq "$(stat -c %a "$P/control")" 600
	command -v python3 >/dev/null || skip "no python3"
	python3 - "$P" <<-'END' || die "control socket"
		import os, socket, struct, sys
		os.chdir(sys.argv[1])
		def conn():
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.connect("control")
		    s.settimeout(5)
		    return s
		for m in (b"?", b"I" + b"x" * 9000, b"R", b"R123456789", b"S" + b"\0" * 100, b"A" * 8193, b"C", b"I"):
		    s = conn()
		    s.send(m)
		    s.close()
		# Those who say nothing give way to who does.
		idle = [conn() for i in range(40)]
		s = conn()
		s.send(b"S\1")
		assert s.recv(100)[:1] == b"Y"
		for c in idle:
		    c.close()
		s.close()
		# More than it takes are refused; who has something short to say gets in.
		staying = []
		for i in range(16):
		    s = conn()
		    s.send(b"A" if i % 2 else b"W")
		    assert s.recv(100)[:1] == b"Y"
		    staying.append(s)
		s = conn()
		s.send(b"A")
		assert s.recv(100)[:1] == b"N"
		s = conn()
		s.send(b"S\1")
		assert s.recv(100)[:1] == b"Y"
		for s in staying:
		    s.close()
		s.close()
		# Another user is turned away, should he ever get at it.
		os.chmod("control", 0o666)
		pid = os.fork()
		if pid == 0:
		    fd = os.open(".", os.O_PATH)
		    os.setgid(65534); os.setuid(65534)
		    try:
		        s = conn(); s.send(b"A"); r = s.recv(100)
		        os._exit(0 if not r else 1)
		    except OSError:
		        os._exit(0)
		assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
	END
	ok alive "$SV"
	ok alive "$PID"
	over
}

tc sv_rename 'rename: of one that does not run; paths in config.json, log and state go along'
sv_rename() {
	local old
	part '' 'echo said; sleep 1000'
	# As launch has it: paths below the partition's directory, some of them escaped.
	jq --arg p "$P" '.annotations={"a":($p+"/upper"),"b":("x="+$p+"/work,y"),"c":($p+"x/no"),"d":$p}' "$B/config.json" >"$P/config.json"
	go
	lbad 'runs' rename "$N" "${N}-new"
	until_ok 5 grep -q said "$P/log"
	lgood stop -t 0 "$N"
	old=$N
	lgood rename "$N" "${N}-new"
	fails test -e "$P"
	N=$N-new P=$P-new
	json "$(<"$P/config.json")" '.annotations=={"a":($p+"/upper"),"b":("x="+$p+"/work,y"),"c":($o+"x/no"),"d":$o}' \
		--arg p "$P" --arg o "${P%-new}"
	eq "$(jq -r .name "$P/launch.json")" "$N"
	lgood logs "$N"
	eq "$OUT" said
	lbad 'there is no launched partition' logs "$old"
	go
	ok alive "$PID"
	good state "$N"
	lgood stop -t 0 "$N"
	part b true
	lbad 'already' rename "$N" "${ID}-new"
	lbad 'already' rename "${ID}b" "${ID}-new"
	lbad 'name' rename "$N" 'a/b'
	lgood rename "${ID}b" "$ID"
	over
}

tc sv_generate 'generate systemd: a unit that systemd takes; its main process starts and stops the partition'
sv_generate() {
	local sv
	part '' 'trap "exit 5" TERM; echo up; while :; do usleep 20000; done' '.stopTimeout=7'
	lgood generate systemd "$N"
	has "$OUT" "supervise $N"
	has "$OUT" "ExecStop="
	has "$OUT" "TimeoutStopSec=37"
	has "$OUT" $'\nRestart=on-failure\n'
	cd "$T" || die cd
	lgood generate systemd --files --restart-policy always "$N"
	eq "$OUT" "ringfence-$N.service"
	has "$(<"$T/ringfence-$N.service")" $'\nRestart=always\n'
	lgood generate systemd --format json "$N"
	json "$OUT" 'has($n)' --arg n "ringfence-$N.service"
	lbad 'restart-policy' generate systemd --restart-policy sometimes "$N"
	lbad 'systemd' generate openrc "$N"
	if command -v systemd-analyze >/dev/null; then
		grab systemd-analyze verify --man=no "$T/ringfence-$N.service"
		hasnt "$ERR" "ringfence-$N.service:"
	fi
	# What systemd does with it.
	cat >"$T/notify.py" <<-'END'
		import os, socket, subprocess, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		s.settimeout(10)
		p = subprocess.Popen(sys.argv[2:], env=dict(os.environ, NOTIFY_SOCKET=sys.argv[1]))
		print(s.recv(100).decode(), p.pid, flush=True)
		sys.exit(p.wait())
	END
	command -v python3 >/dev/null || skip "no python3"
	python3 "$T/notify.py" "$T/n.sock" sh -c "exec $(sed -n 's/^ExecStart=//p' "ringfence-$N.service")" >"$T/said" 2>&1 &
	until_has 10 "$T/said" READY=1
	sv=$(cut -d' ' -f2 "$T/said")
	eq "$(st supervisor)" "$sv"
	until_ok 10 grep -q up "$P/log"
	lbad 'runs already' supervise "$N"
	kill -TERM "$sv"
	wait $!
	eq $? 0 "exit status of the supervisor that was stopped"
	eq "$(st exitCode)" 5
	# Nobody asked for that end.
	jq '.process.args=["sh","-c","exit 23"]' "$B/config.json" >"$P/config.json"
	try --data "$T/data" supervise "$N"
	eq "$RC" 23
	over
}

tc sv_end_complete 'logs: the last words are in the log, also if one who is attached takes nothing'
sv_end_complete() {
	part '' 'read x; head -c 400000 /dev/zero | tr "\0" x; echo; echo last; exit 5' '.interactive=true'
	go
	mkfifo "$T/fifo"
	(echo go | l attach "$N" >"$T/fifo" 2>/dev/null) &
	exec 9<"$T/fifo"
	lgood wait "$N"
	eq "$OUT" 5
	lgood logs -n 1 "$N"
	eq "$OUT" last
	lgood logs "$N"
	eq "${#OUT}" 400005
	exec 9<&-
	wait
	over
}
