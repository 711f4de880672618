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
	eq "$(tr -s ' ' <"/proc/$PID/timens_offsets")" $'monotonic 100000 500\nboottime 2000000 0'
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
