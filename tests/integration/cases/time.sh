# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# linux.timeOffsets. crun has time namespaces since 1.9, runc since 1.2.

tc time_offsets 'N5: offsets of monotonic and boottime, in init and in exec'
time_offsets() {
	need_timens
	bundle
	ns time
	edit '.linux.timeOffsets={monotonic:{secs:100000,nanosecs:500},boottime:{secs:2000000}}'
	up
	exec_good rft inspect
	at_least "$(kv clock.monotonic)" 100000 monotonic
	at_most "$(kv clock.monotonic)" 2000000 monotonic
	at_least "$(kv clock.boottime)" 2000000 boottime
	eq "$(proc_file "$PID" timens_offsets | tr -s ' ')" $'monotonic 100000 500\nboottime 2000000 0'
	ne "$(nslink time "$PID")" "$(nslink time)"
}

tc time_negative 'N5: a negative offset'
time_negative() {
	need_timens
	local up
	bundle
	ns time
	up=$(cut -d. -f1 /proc/uptime)
	[[ $up -gt 20 ]] || skip "up for less than 20 s: no room for a negative offset"
	edit '.linux.timeOffsets={boottime:{secs:-10}}'
	inspect
	runs
	at_most "$(kv clock.boottime)" $(($(cut -d. -f1 /proc/uptime) - 9))
}

time_one() { # JSON MONOTONIC BOOTTIME
	need_timens
	bundle
	ns time
	edit '.linux.timeOffsets=$o' --argjson o "$1"
	up
	eq "$(proc_file "$PID" timens_offsets | tr -s ' ')" "monotonic $2"$'\n'"boottime $3"
}
tc $'time_one \'{"boottime":{"secs":86400}}\' "0 0" "86400 0"' 'N5: boottime alone'
tc $'time_one \'{"monotonic":{"secs":86400}}\' "86400 0" "0 0"' 'N5: monotonic alone'
tc $'time_one \'{"monotonic":{"nanosecs":999999999}}\' "0 999999999" "0 0"' 'N5: nanoseconds alone, the most'
tc $'time_one \'{"monotonic":{},"boottime":{}}\' "0 0" "0 0"' 'N5: empty offsets are 0'
tc $'time_one \'{}\' "0 0" "0 0"' 'N5: no offsets: a namespace with the host'\''s clocks'

time_bad() { # PATTERN JSON
	need_timens
	bundle
	ns time
	edit '.linux.timeOffsets=$o' --argjson o "$2"
	refused "$1"
	eq "$(nslink time_for_children)" "$(nslink time)" "the time namespace of our own children"
}
tc $'time_bad "timeoffsets" \'{"monotonic":{"secs":-1000000000}}\'' 'N5: an offset that would make a clock negative: an error that names it'
tc $'time_bad "nanosecs" \'{"boottime":{"nanosecs":1000000000}}\'' 'N5: a thousand million nanoseconds: refused'
tc $'time_bad "secs" \'{"boottime":{"secs":1.5}}\'' 'N5: a fraction of a second: refused'
tc $'time_bad "timeoffsets" \'{"boottime":{"secs":9223372036854775807}}\'' 'N5: an offset beyond what the kernel takes: an error that names it'

tc time_userns 'N5: offsets in a partition with a user namespace'
time_userns() {
	need_timens
	need_userns
	bundle
	userns
	ns time
	edit '.linux.timeOffsets={boottime:{secs:3000000}}'
	inspect
	runs
	at_least "$(kv clock.boottime)" 3000000
}

tc time_offsets_empty 'N5: empty offsets without a time namespace are nothing'
time_offsets_empty() {
	bundle
	edit '.linux.timeOffsets={}'
	args true
	runs
}

tc time_offsets_without 'N5: offsets without a time namespace: refused'
time_offsets_without() {
	bundle
	edit '.linux.timeOffsets={monotonic:{secs:1}}'
	refused 'time'
}

tc time_offsets_path 'N5: offsets together with a path: refused'
time_offsets_path() {
	need_timens
	bundle
	ns time /proc/self/ns/time
	edit '.linux.timeOffsets={monotonic:{secs:1}}'
	refused 'time'
}

tc time_unknown_clock 'N5: an unknown clock: refused'
time_unknown_clock() {
	need_timens
	bundle
	ns time
	edit '.linux.timeOffsets={realtime:{secs:1}}'
	refused 'realtime|clock|timeoffsets'
}

tc time_hooks_host_clock 'N5: hooks in the runtime'\''s namespaces see the host'\''s clocks'
time_hooks_host_clock() {
	need_timens
	bundle
	ns time
	edit '.linux.timeOffsets={boottime:{secs:5000000}}'
	hook createRuntime "readlink /proc/self/ns/time >$T/hook"
	args true
	runs
	eq "$(<"$T/hook")" "$(nslink time)"
}
