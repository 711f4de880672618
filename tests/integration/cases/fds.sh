# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# pid-file, --preserve-fds, LISTEN_FDS, NOTIFY_SOCKET, what the caller's death does.

tc pidfile_create '2.3: --pid-file: decimal without new line, there when create returns'
pidfile_create() {
	bundle
	made
	eq "$PID" "$(rt state "$ID" | jq .pid)"
	eq "$(wc -c <"$T/pid")" "${#PID}"
	good start "$ID"
	eq "$(<"$T/pid")" "$PID"
}

tc pidfile_replaced '2.3: an old pid file is replaced, nothing else is left beside it'
pidfile_replaced() {
	bundle
	echo 'old contents that are longer than a pid' >"$T/pid"
	made
	match "$PID" '^[0-9]+$'
	eq "$(find "$T" -maxdepth 1 -name '*pid*' | wc -l)" 1
}

tc pidfile_relative '2.3: a relative path is relative to the working directory'
pidfile_relative() {
	bundle
	cd "$T" || die cd
	good create --bundle b --pid-file rel.pid "$ID"
	match "$(<"$T/rel.pid")" '^[0-9]+$'
}

tc pidfile_unwritable '2.3: a pid file that cannot be written: an error, nothing left'
pidfile_unwritable() {
	bundle
	bad 'pid|nothing' create --bundle "$B" --pid-file "$T/nothing/pid" "$ID"
	gone
}

tc preserve_fds 'P17: --preserve-fds 2: 3 and 4 get through, 5 does not'
preserve_fds() {
	bundle
	args rft fds
	echo three >"$T/3"
	echo four >"$T/4"
	exec 3<"$T/3" 4<"$T/4" 5<"$T"
	runs --preserve-fds 2
	eq "$(cut -d' ' -f1 <<<"$OUT" | tr '\n' ' ')" '0 1 2 3 4 '
	script 'cat <&3 <&4; cat <&3'
	exec 3<"$T/3" 4<"$T/4"
	script 'cat <&3; cat <&4'
	runs --preserve-fds=2
	eq "$OUT" $'three\nfour'
}

tc preserve_fds_exec 'P17: exec --preserve-fds'
preserve_fds_exec() {
	bundle
	up
	echo three >"$T/3"
	exec 3<"$T/3" 4<"$T"
	try exec --preserve-fds 1 "$ID" sh -c 'cat <&3; rft fds'
	eq "$RC" 0
	has "$OUT" three
	eq "$(tail -n +2 <<<"$OUT" | cut -d' ' -f1 | tr '\n' ' ')" '0 1 2 3 '
}

tc preserve_fds_closed 'P17: --preserve-fds of a descriptor that is not open: an error'
# crun takes no notice.
preserve_fds_closed() {
	bundle
	args true
	exec 3<&- 4<&- 5<&- 6<&-
	try run --bundle "$B" --preserve-fds 3 "$ID"
	ne "$RC" 0 "exit status"
}

# listening N ARGS...: the runtime as a service manager starts it, with N descriptors from 3 on.
listening() {
	# shellcheck disable=SC2016
	LISTEN_FDS=$1 sh -c 'export LISTEN_PID=$$; exec "$@"' - "$RT" "${GOPTS[@]}" "${@:2}" >"$T/out" 2>&1 </dev/null ||
		die "run: $(<"$T/out")"
	OUT=$(<"$T/out")
}
tc listen_fds '2.3: LISTEN_FDS: the descriptors get through, with LISTEN_FDS and LISTEN_PID=1 in the environment'
listen_fds() {
	bundle
	script 'env | grep LISTEN; cat <&3; cat <&4; rft fds | wc -l'
	echo three >"$T/3"
	echo four >"$T/4"
	listening 2 run --bundle "$B" "$ID" 3<"$T/3" 4<"$T/4"
	has "$OUT" LISTEN_FDS=2
	has "$OUT" LISTEN_PID=1
	has "$OUT" $'three\nfour\n5'
}

tc listen_fds_names '2.3: LISTEN_FDNAMES too'
# crun and runc 1.1 leave it out.
listen_fds_names() {
	bundle
	script 'env | grep LISTEN'
	LISTEN_FDNAMES=web listening 1 run --bundle "$B" "$ID" 3<"$T"
	has "$OUT" LISTEN_FDNAMES=web
}

tc listen_and_preserve '2.3: LISTEN_FDS and --preserve-fds add up'
# shellcheck disable=SC2094
listen_and_preserve() {
	bundle
	args rft fds
	listening 1 run --bundle "$B" --preserve-fds 1 "$ID" 3<"$T" 4<"$B" 5<"$T"
	eq "$(cut -d' ' -f1 "$T/out" | tr '\n' ' ')" '0 1 2 3 4 '
}

tc notify_socket '2.3: NOTIFY_SOCKET: a socket inside; READY=1 arrives outside with MAINPID'
notify_socket() {
	bundle
	args sh -c 'echo $NOTIFY_SOCKET; test -S $NOTIFY_SOCKET && rft sd-notify STATUS=hidden READY=1; exec rft pause'
	bg_rft "$T/notified" sd-recv "$T/notify" 20 MAINPID
	until_ok 5 test -S "$T/notify"
	NOTIFY_SOCKET=$T/notify up
	until_has 10 "$T/notified" READY=1
	until_has 10 "$T/notified" MAINPID=
	has "$(tr ' ' '\n' <"$T/notified" | grep MAINPID)" "MAINPID=$PID"
}

tc notify_socket_attached '2.3: NOTIFY_SOCKET with an attached run'
notify_socket_attached() {
	bundle
	script 'rft sd-notify READY=1; usleep 300000'
	bg_rft "$T/notified" sd-recv "$T/notify" 20 READY=1
	until_ok 5 test -S "$T/notify"
	NOTIFY_SOCKET=$T/notify "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" >"$T/out" 2>&1 </dev/null || die "run: $(<"$T/out")"
	until_has 10 "$T/notified" READY=1
}

tc notify_socket_none '2.3: without NOTIFY_SOCKET there is none inside'
notify_socket_none() {
	bundle
	script 'echo "<$NOTIFY_SOCKET>"; ls /run'
	runs
	eq "$OUT" '<>'
}

tc pdeathsig_create '2.3: a runtime that is killed with its caller after create leaves init alive'
pdeathsig_create() {
	bundle
	need_cmd setpriv
	setpriv --pdeathsig KILL "$RT" "${GOPTS[@]}" create --bundle "$B" --pid-file "$T/pid" "$ID" >"$T/o" 2>&1 </dev/null || die "$(<"$T/o")"
	PID=$(<"$T/pid")
	sleep 0.1
	ok alive "$PID"
	good start "$ID"
	ok is running
}

tc run_killed 'run -9 killed while attached: the payload lives, delete --force clears it'
run_killed() {
	bundle
	args rft pause up
	"$RT" "${GOPTS[@]}" run --bundle "$B" --pid-file "$T/pid" "$ID" >"$T/out" 2>&1 </dev/null &
	until_has 10 "$T/out" up
	kill -9 $!
	wait $! 2>/dev/null
	down
	until_ok 10 dead "$(<"$T/pid")"
}

tc stdio_inherited '2.3: create passes its own 0, 1, 2 on to the payload'
stdio_inherited() {
	bundle
	script 'cat; echo out; echo err >&2'
	echo input >"$T/in"
	rt create --bundle "$B" "$ID" <"$T/in" >"$T/c.out" 2>"$T/c.err" || die "create"
	good start "$ID"
	until_is stopped
	eq "$(<"$T/c.out")" $'input\nout'
	eq "$(<"$T/c.err")" err
}
