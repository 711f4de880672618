# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154
# For cases about supervisors: partitions that need no image, made by hand.

# part NAME SCRIPT [JQ-FILTER-OF-launch.json]: a launched partition, as `launch` leaves it on disk before it runs. Sets P (its
# directory) and N (its name).
part() {
	local data=$T/data/partitions
	N=$ID$1 P=$data/$ID$1
	[[ -d $data ]] || { mkdir -p "$data" && chmod -R go= "$T/data"; }
	bundle "b$1"
	script "$2"
	edit '.root.path=$r' --arg r "$ROOTFS"
	mkdir -m 700 "$P"
	jq -n --arg n "$N" --arg root "$ROOT" --arg m "${RF_MANAGER:-cgroupfs}" '{name:$n,image:"host",
		created:"2026-11-25T00:00:00.000000000Z",runtimeRoot:$root,cgroupManager:$m,command:["sh"],detach:true,restart:"no",
		stopSignal:"SIGTERM",stopTimeout:10,network:"none",ids:-1,idCount:0}' | jq "${3:-.}" >"$P/launch.json"
	[[ $(jq .tty "$P/launch.json") != true ]] || edit '.process.terminal=true'
	cp "$B/config.json" "$P/config.json"
}
# l VERB…: with the data directory; lgood, lbad as good and bad.
l() { rt --data "$T/data" "$@"; }
lgood() {
	grab l "$@"
	[[ $RC == 0 ]] || die "exit status $RC: $*"
}
lbad() {
	local pattern=$1
	shift
	grab l "$@"
	ne "$RC" 0 "exit status of $*"
	imatch "$ERR" "$pattern" message
}
st() { jq -r ".$1" "$P/state.json"; }
st_is() { [[ $(st "$1") == "$2" ]]; }
# Runs it: SV is the supervisor, PID the payload.
go() {
	lgood restart "$N"
	SV=$(st supervisor) PID=$(st pid)
}
# The end of each case: nothing of it runs any more, neither payload nor supervisor.
over() {
	local dir
	for dir in "$T"/data/partitions/*/; do
		[[ -e $dir/launch.json ]] || continue
		l stop -t 0 "$(basename "$dir")" >/dev/null 2>"$T/over.err" || die "stop at the end: $(<"$T/over.err")"
	done
	until_ok 10 none_left
}
# The list is made before there is a process that has the words to look for in its own arguments.
none_left() {
	local files=(/proc/[0-9]*/cmdline) found
	found=$(grep -lsF -- "$T/data" "${files[@]}" | grep -v "^/proc/$$/")
	[[ -z $found ]]
}
follows() { find "/proc/$1/fd" -lname '*inotify*' | grep -q .; }
private() { awk '/^Private_(Clean|Dirty)/ {n += $2} END {print n}' "/proc/$1/smaps_rollup"; }
on_tty() { "$RF_RFT" pty "$@" >"$T/typescript" 2>&1 </dev/null; }
