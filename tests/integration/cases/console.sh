# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Terminals: console-socket of create, run and exec, run on our own terminal, pidfd-socket.

# receiver [TEXT]: takes the terminal at $T/console and types TEXT; what it says goes to $T/tty.
receiver() {
	bg_rft "$T/tty" console "$T/console" "$@"
	until_ok 5 test -S "$T/console"
}
term() {
	bundle
	edit '.process.terminal=true'
}

tc console_create 'P1, 2.3: create --console-socket: one message with one descriptor, the master of a pty'
console_create() {
	term
	script 'tty; stty -a | head -n 1'
	receiver
	made --console-socket "$T/console"
	good start "$ID"
	until_is stopped
	wait "$BG"
	eq "$(sed -n 's/^fds=//p' "$T/tty")" 1
	at_least "$(sed -n 's/^payload=//p' "$T/tty")" 1 "length of the payload"
	match "$(sed -n 's/^master=//p' "$T/tty")" 'ptmx$'
	has "$(<"$T/tty")" 'isatty=1'
	has "$(tr -d '\r' <"$T/tty")" $'\n/dev/pts/0\n'
}

tc console_inside 'P1: the terminal is 0, 1, 2, the controlling one, and /dev/console'
console_inside() {
	term
	script 'rft inspect; stat -c "console=%F" /dev/console; cat /proc/self/mountinfo'
	receiver
	good run -d --console-socket "$T/console" --bundle "$B" "$ID"
	wait "$BG"
	OUT=$(tr -d '\r' <"$T/tty")
	kv_is isatty.0 1
	kv_is isatty.1 1
	kv_is isatty.2 1
	kv_is fd.0 /dev/pts/0
	kv_is ctty 1
	kv_is console 'character special file'
	has "$(mount_in /dev/console)" '|devpts|'
}

tc console_io 'P1: typing arrives, output comes back'
console_io() {
	term
	script 'read x; echo "got <$x>"'
	receiver $'hello there\n'
	good run -d --console-socket "$T/console" --bundle "$B" "$ID"
	until_has 10 "$T/tty" 'got <hello there>'
	wait "$BG"
}

tc console_write_console 'P1: what is written to /dev/console arrives'
console_write_console() {
	term
	script 'echo by-console >/dev/console'
	receiver
	good run -d --console-socket "$T/console" --bundle "$B" "$ID"
	until_has 10 "$T/tty" by-console
	wait "$BG"
}

tc console_size 'P2: consoleSize'
console_size() {
	term
	edit '.process.consoleSize={height:33,width:111}'
	args rft winsize
	receiver
	good run -d --console-socket "$T/console" --bundle "$B" "$ID"
	wait "$BG"
	has "$(<"$T/tty")" 'rows=33 cols=111'
}

tc console_size_no_terminal 'P2: consoleSize without a terminal is ignored'
console_size_no_terminal() {
	bundle
	edit '.process.consoleSize={height:33,width:111}'
	args echo fine
	runs
	eq "$OUT" fine
}

tc console_owner 'P1: the terminal belongs to the payload'\''s user'
console_owner() {
	term
	edit '.process.user={uid:1000,gid:1000}'
	script 'stat -c "owner=%u" /dev/pts/0; echo again >/dev/tty'
	receiver
	good run -d --console-socket "$T/console" --bundle "$B" "$ID"
	wait "$BG"
	has "$(<"$T/tty")" owner=1000
	has "$(<"$T/tty")" again
}

tc console_userns 'P1: in a user namespace'
console_userns() {
	need_userns
	term
	userns
	script 'tty; stat -c "owner=%u" /dev/pts/0; stat -c %F /dev/console'
	receiver
	good run -d --console-socket "$T/console" --bundle "$B" "$ID"
	wait "$BG"
	has "$(<"$T/tty")" owner=0
	has "$(<"$T/tty")" /dev/pts/0
}

tc console_hangup 'P1: when the engine goes away the payload gets SIGHUP'
console_hangup() {
	term
	args sleep 1000
	receiver
	good run -d --console-socket "$T/console" --pid-file "$T/pid" --bundle "$B" "$ID"
	PID=$(<"$T/pid")
	edit '.process.args=["rft"]'
	kill -9 "$BG"
	# sleep as pid 1 has no handler and does not notice; its terminal is gone all the same.
	until_ok 10 eval 'rt exec "$ID" sh -c "! stty -F /dev/pts/0 -a" </dev/null'
}

tc console_required '2.3: create with a terminal and no socket: refused with the text'
console_required() {
	term
	bad 'cannot allocate tty if runc will detach without setting console socket|console.socket' create --bundle "$B" "$ID"
	gone
}

tc console_forbidden '2.3: a socket without a terminal: refused'
# crun takes no notice.
console_forbidden() {
	bundle
	receiver
	bad 'console.socket|terminal|tty' create --bundle "$B" --console-socket "$T/console" "$ID"
	gone
}

tc console_nobody '2.3: nobody listens: an error, nothing left'
console_nobody() {
	term
	try create --bundle "$B" --console-socket "$T/nothing" "$ID"
	ne "$RC" 0 "exit status"
	gone
}

tc console_dead_receiver '2.3: the engine hangs up: no crash, nothing left'
console_dead_receiver() {
	term
	args true
	bg_rft "$T/sink" sink "$T/console"
	until_ok 5 test -S "$T/console"
	try create --bundle "$B" --console-socket "$T/console" "$ID"
	[[ $RC == 0 ]] || gone
}

tc console_long_path '2.3: a socket path of more than 108 bytes'
console_long_path() {
	local dir
	term
	args tty
	dir=$T/$(printf 'd%.0s' {1..150})
	mkdir "$dir"
	bg_rft "$T/tty" console "$dir/console"
	until_ok 5 test -S "$dir/console"
	good run -d --console-socket "$dir/console" --bundle "$B" "$ID"
	wait "$BG"
	has "$(<"$T/tty")" /dev/pts/0
}

tc console_relative_path '2.3: a relative socket path'
console_relative_path() {
	term
	args tty
	receiver
	cd "$T" || die cd
	good run -d --console-socket console --bundle "$B" "$ID"
	wait "$BG"
	has "$(<"$T/tty")" /dev/pts/0
}

tc console_exec '2.2: exec --tty --console-socket'
console_exec() {
	bundle
	up
	receiver
	good exec --tty --detach --console-socket "$T/console" "$ID" sh -c 'tty; rft inspect | grep -e ctty -e isatty'
	wait "$BG"
	OUT=$(tr -d '\r' <"$T/tty")
	has "$OUT" /dev/pts/
	kv_is ctty 1
	kv_is isatty.2 1
}

tc console_exec_process '2.2: exec --process with terminal and consoleSize'
console_exec_process() {
	bundle
	up
	cat >"$T/p.json" <<-END
		{"terminal":true,"consoleSize":{"height":20,"width":30},"args":["rft","winsize"],"cwd":"/","env":["PATH=/bin"],
		"user":{"uid":0,"gid":0}}
	END
	receiver
	good exec --process "$T/p.json" --detach --console-socket "$T/console" --pid-file "$T/exec.pid" "$ID"
	wait "$BG"
	has "$(<"$T/tty")" 'rows=20 cols=30'
	match "$(<"$T/exec.pid")" '^[0-9]+$'
}

# on_tty ROWS COLS WAIT TEXT COMMAND...: as a person at a terminal; what it says goes to $T/typescript.
on_tty() { "$RF_RFT" pty "$@" >"$T/typescript" 2>&1 </dev/null; }

tc console_run_tty 'run with a terminal on our terminal: size, exit status'
console_run_tty() {
	term
	# A runtime may set the size a moment after the start.
	script 'n=0; until rft winsize | grep "rows=44 cols=132" || [ $n = 200 ]; do usleep 20000; n=$((n+1)); done; tty; exit 5'
	on_tty 44 132 '' '' "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq $? 5
	has "$(<"$T/typescript")" 'rows=44 cols=132'
	has "$(<"$T/typescript")" /dev/pts/0
	gone
}

tc console_run_tty_input 'run with a terminal on our terminal: what is typed arrives'
console_run_tty_input() {
	term
	script 'echo ready; read x; echo "got <$x>"'
	on_tty 24 80 ready $'typed line\n' "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq $? 0
	has "$(<"$T/typescript")" 'got <typed line>'
}

tc console_run_tty_interrupt 'run with a terminal on our terminal: ^C goes to the payload, not to the runtime'
console_run_tty_interrupt() {
	term
	script 'trap "echo interrupted; exit 4" INT; echo ready; while :; do usleep 20000; done'
	on_tty 24 80 ready $'\003' "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq $? 4
	has "$(<"$T/typescript")" interrupted
	gone
}

tc console_run_tty_resize 'run with a terminal on our terminal: a new size is passed on'
console_run_tty_resize() {
	term
	script 'echo ready; n=0; until rft winsize | grep "rows=50 cols=60" || [ $n = 200 ]; do usleep 20000; n=$((n+1)); done'
	on_tty 24 80 ready @50x60 "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	has "$(<"$T/typescript")" 'rows=50 cols=60'
}

tc console_tty_restored 'run with a terminal: our terminal'\''s settings are afterwards what they were'
console_tty_restored() {
	term
	args true
	# shellcheck disable=SC2016
	on_tty 24 80 '' '' sh -c 'stty -g >$0/before; "$@"; stty -g >$0/after' "$T" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$(<"$T/after")" "$(<"$T/before")"
}

tc console_exec_tty 'exec -t on our terminal'
console_exec_tty() {
	bundle
	up
	on_tty 30 90 '' '' "$RT" "${GOPTS[@]}" exec -t "$ID" sh -c \
		'n=0; until rft winsize | grep "rows=30 cols=90" || [ $n = 100 ]; do usleep 20000; n=$((n+1)); done; tty; exit 6'
	eq $? 6
	has "$(<"$T/typescript")" 'rows=30 cols=90'
	has "$(<"$T/typescript")" /dev/pts/
}

tc console_tiocsti 'CVE-2016-10124: the payload'\''s terminal is not ours: what it pushes into it does not reach our shell'
console_tiocsti() {
	bundle
	up
	# shellcheck disable=SC2016
	on_tty 24 80 '' '' sh -c '"$@"; read -t 1 x; echo "shell read <$x>"' - "$RT" "${GOPTS[@]}" exec -t "$ID" \
		sh -c 'rft tiocsti; rft inspect | grep fd.0'
	hasnt "$(<"$T/typescript")" 'shell read <echo injected>'
	has "$(<"$T/typescript")" 'fd.0=/dev/pts/'
}

tc console_not_tty_setsid 'CVE-2016-10124: without a terminal the payload has no controlling terminal of ours'
console_not_tty_setsid() {
	bundle
	script 'rft inspect; echo x >/dev/tty'
	on_tty 24 80 '' '' "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	OUT=$(tr -d '\r' <"$T/typescript")
	kv_is ctty 0
	has "$OUT" '/dev/tty'
}

# crun has no pidfd-socket.
tc pidfd_create '2.3: --pidfd-socket of create: one message, one pidfd, of init'
pidfd_create() {
	bundle
	bg_rft "$T/pidfd" recv-pidfd "$T/socket"
	until_ok 5 test -S "$T/socket"
	made --pidfd-socket "$T/socket"
	until_has 10 "$T/pidfd" link=
	eq "$(sed -n 's/^fds=//p' "$T/pidfd")" 1
	at_least "$(sed -n 's/^payload=//p' "$T/pidfd")" 1 "length of the payload"
	match "$(sed -n 's/^link=//p' "$T/pidfd")" pidfd
	eq "$(sed -n 's/^pid=//p' "$T/pidfd")" "$PID"
	good start "$ID"
	good kill "$ID" KILL
	until_has 10 "$T/pidfd" exited
}

tc pidfd_exec '2.3: --pidfd-socket of exec'
pidfd_exec() {
	bundle
	up
	bg_rft "$T/pidfd" recv-pidfd "$T/socket"
	until_ok 5 test -S "$T/socket"
	good exec --detach --pid-file "$T/exec.pid" --pidfd-socket "$T/socket" "$ID" sleep 1000
	until_has 10 "$T/pidfd" pid=
	eq "$(sed -n 's/^pid=//p' "$T/pidfd")" "$(<"$T/exec.pid")"
}

# runc has no such annotation.
tc pidfd_annotation '2.6: run.oci.pidfd_receiver: the same'
pidfd_annotation() {
	bundle
	bg_rft "$T/pidfd" recv-pidfd "$T/socket"
	until_ok 5 test -S "$T/socket"
	edit '.annotations={"run.oci.pidfd_receiver":$p}' --arg p "$T/socket"
	made
	until_has 10 "$T/pidfd" pid=
	eq "$(sed -n 's/^pid=//p' "$T/pidfd")" "$PID"
}
