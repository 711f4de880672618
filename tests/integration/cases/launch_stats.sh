# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# stats, top: the figures of partitions, against the files that they come from.
# shellcheck source=../lib-living.sh
source "${BASH_SOURCE[0]%/*}/../lib-living.sh"

# cg CONTROLLER FILE_V1 FILE_V2: the file of the payload's cgroup.
cg() {
	local path
	path=$(sed -n "s/^[0-9]*:[^:]*\b$1\b[^:]*://p" "/proc/$PID/cgroup" | head -n 1)
	if [[ -n $path ]]; then
		cat "/sys/fs/cgroup/$1$path/$2"
	else
		path=$(sed -n 's/^0:://p' "/proc/$PID/cgroup")
		cat "/sys/fs/cgroup$path/$3"
	fi
}

tc stats_figures 'stats: CPU, memory and pids are those of the cgroup'
stats_figures() {
	part
	edit '.linux.resources.memory={limit:134217728}|.linux.resources.pids={limit:77}'
	script 'dd if=/dev/zero of=/tmp/x bs=1M count=40 2>/dev/null; while :; do :; done & wait'
	mount_entry /tmp tmpfs tmpfs rw
	up
	until_ok 10 eval '[[ $(stat -c %s /proc/$PID/root/tmp/x) == 41943040 ]]'
	local before after
	before=$(cg memory memory.usage_in_bytes memory.current)
	good stats --no-stream --format json "$ID"
	after=$(cg memory memory.usage_in_bytes memory.current)
	json "$OUT" '.[0].running and .[0].name==$n' --arg n "$ID"
	json "$OUT" '.[0].memory.limit==134217728 and .[0].pids.limit==77'
	json "$OUT" '.[0].pids.current==($p|tonumber)' --arg p "$(cg pids pids.current pids.current)"
	json "$OUT" '(.[0].memory.usage-($b|tonumber)|fabs) < 4194304 and (.[0].memory.usage-($a|tonumber)|fabs) < 4194304' \
		--arg b "$before" --arg a "$after"
	json "$OUT" '.[0].memory.usage >= 41943040'
	json "$OUT" '.[0].cpu.percent > 10 and .[0].cpu.percent < 130'
	json "$OUT" '(.[0].memory.percent - .[0].memory.usage*100/.[0].memory.limit|fabs) < 0.01'
	good stats --no-stream "$ID"
	match "$OUT" "^NAME .*CPU %.*MEM USAGE / LIMIT.*NET I/O.*BLOCK I/O.*PIDS"
	match "$OUT" "$ID +[0-9.]+% +[0-9.]+MiB / 128.0MiB +[0-9.]+% +"
	good top
	match "$OUT" "$ID +[0-9.]+% "
	bad 'twice' stats --no-stream "$ID" "$ID"
	bad 'no launched partition' stats --no-stream "nobody-$ID"
}

tc stats_pressure 'stats: pressure as cgroup v2 has it, and none on v1'
stats_pressure() {
	part
	up
	good stats --no-stream --json "$ID"
	local path
	path=$(sed -n 's/^0:://p' "/proc/$PID/cgroup")
	if [[ $path == *"$ID"* ]] && cat /sys/fs/cgroup{,/unified}"$path/cpu.pressure" >/dev/null 2>&1; then
		json "$OUT" '.[0].pressure.cpu >= 0'
	elif [[ $path != *"$ID"* ]]; then
		json "$OUT" '.[0]|has("pressure")|not'
	fi
}

tc stats_all 'stats: those that run, with --all the others too; a stopped one is no error'
stats_all() {
	part
	up
	cp -r "$DATA/partitions/$ID" "$DATA/partitions/$ID-off"
	mkdir "$DATA/partitions/.gone" "$DATA/partitions/x y"
	good stats --no-stream --json
	json "$OUT" 'map(.name)==[$n]' --arg n "$ID"
	good stats --no-stream --json --all
	json "$OUT" 'map([.name,.running])==[[$n,true],[$n+"-off",false]]' --arg n "$ID"
	good stats --no-stream --all
	match "$OUT" "$ID-off +-- "
	down
	good stats --no-stream
	hasnt "$OUT" "$ID"
	good stats --no-stream "$ID"
	match "$OUT" "$ID +-- "
}

tc stats_stream 'stats: goes on, sees one that comes, ends quietly when nobody reads'
stats_stream() {
	part
	"$RT" "${GOPTS[@]}" stats --json --interval 100ms >"$T/lines" 2>&1 &
	local pid=$!
	until_has 5 "$T/lines" '[]'
	up
	until_has 5 "$T/lines" "$ID"
	down
	until_ok 5 eval '[[ $(tail -n 1 "$T/lines") == "[]" ]]'
	kill $pid
	"$RT" "${GOPTS[@]}" stats --json --interval 100ms 2>"$T/err" | head -n 1 >/dev/null
	eq "$(<"$T/err")" '' "at a closed pipe"
}

tc top_processes 'top NAME: processes as ps has them; a name that would drive a terminal cannot'
top_processes() {
	part
	script $'printf \'#!/bin/sh\\nsleep 1000\\n\' >/tmp/$(printf \'a\\033[31mb\\302\\233c\'); cd /tmp; chmod 755 a*; ./a*'
	up
	until_ok 5 eval '[[ $("$RT" "${GOPTS[@]}" ps --format json "$ID" | jq length) -ge 2 ]]'
	good top "$ID"
	has "$OUT" PID
	has "$OUT" sleep
	hasnt "$OUT" $'\033'
	hasnt "$OUT" $'\302\233'
	good top "$ID" -eo pid,comm
	has "$OUT" COMMAND
	bad 'no PID column' top "$ID" -eo comm
}

tc top_terminal 'top on a terminal: draws, sorts, quits, and puts the terminal back'
top_terminal() {
	python3 -c 'import pty' 2>/dev/null || skip "no python3 with its module pty"
	part
	up
	cat >"$T/drive.py" <<-'END'
		import os, pty, select, sys, termios, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		out, keys, end = b"", [b"m", b"i", b"q"], time.time() + 20
		while time.time() < end:
		    if select.select([fd], [], [], 0.3)[0]:
		        try:
		            data = os.read(fd, 65536)
		        except OSError:
		            break
		        if not data:
		            break
		        out += data
		    elif keys and b"NAME" in out:
		        os.write(fd, keys.pop(0))
		sys.stdout.buffer.write(out)
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	grab python3 "$T/drive.py" "$RT" "${GOPTS[@]}" top
	eq "$RC" 0 "exit status"
	has "$OUT" "by CPU"
	has "$OUT" "by memory"
	has "$OUT" "by I/O"
	has "$OUT" "$ID"
	has "$OUT" $'\033[?1049h'
	[[ $OUT == *$'\033[?25h\033[?1049l' ]] || die "the terminal is not put back"
}
