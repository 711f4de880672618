# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# state, list, ps.

tc state_layout '2.5: state: every member, its type and value'
state_layout() {
	bundle
	edit '.annotations={"one":"1","two/x":"y z"}'
	up
	good state "$ID"
	json "$OUT" '.id==$i and .bundle==$b and .pid==($p|tonumber) and .status=="running"' --arg i "$ID" --arg b "$B" --arg p "$PID"
	json "$OUT" '.ociVersion|test("^1\\.[0-9]+\\.[0-9]+")'
	json "$OUT" '.annotations.one=="1" and .annotations["two/x"]=="y z"'
	json "$OUT" '.created|test("^20[0-9-]+T[0-9:]+(\\.[0-9]+)?Z$")'
	json "$OUT" 'has("owner") and has("rootfs")'
}

tc state_rootfs '2.5: state: rootfs is absolute'
# crun gives it as in the config.
state_rootfs() {
	bundle
	up
	good state "$ID"
	json "$OUT" '.rootfs==$r' --arg r "$ROOTFS"
}

tc state_version 'R1: state echoes the config'\''s ociVersion'
# crun says 1.0.0 always, runc its own.
state_version() {
	bundle
	edit '.ociVersion="1.1.0"'
	up
	good state "$ID"
	json "$OUT" '.ociVersion=="1.1.0"'
}

tc state_bundle_absolute '1.8: bundle is absolute however it was given'
state_bundle_absolute() {
	bundle
	cd "$T" || die cd
	good run -d --bundle ./b "$ID"
	good state "$ID"
	json "$OUT" '.bundle==$b' --arg b "$B"
}

tc state_paused '2.5: paused'
state_paused() {
	need_cg freezer
	bundle
	up
	good pause "$ID"
	eq "$(status)" paused
	good resume "$ID"
	eq "$(status)" running
}

tc state_big_annotations 'annotations of 100 KiB come back unchanged'
state_big_annotations() {
	bundle
	edit '.annotations=([range(500)|{("k\(.)"):("v"*200+"\n\"\\é\u0001"+"\(.)")}]|add)'
	up
	good state "$ID"
	json "$OUT" '.annotations==$a' --argjson a "$(jq .annotations "$B/config.json")"
}

tc state_outside 'state is asked by pid and start time: another process with that pid is not taken for it'
# Simulated: init is killed, and its state must say stopped whoever has the pid then.
state_outside() {
	bundle
	up
	kill -9 "$PID"
	until_is stopped
	bad 'not running' kill "$ID" TERM
}

tc list_json '2.5: list -f json: an array of state objects'
list_json() {
	bundle
	up
	good list -f json
	json "$OUT" 'length==1 and .[0].id==$i and .[0].status=="running" and .[0].bundle==$b and .[0].pid==($p|tonumber)' \
		--arg i "$ID" --arg b "$B" --arg p "$PID"
	json "$OUT" '.[0]|has("created") and has("owner")'
	good list --format=json
	json "$OUT" 'length==1'
}

# runc: null.
tc list_empty '2.5: list of nothing: [] as JSON, a header as a table'
list_empty() {
	mkdir -p "$ROOT"
	good list -f json
	eq "$(jq -c . <<<"$OUT")" '[]'
	good list -q
	eq "$OUT" ''
}

tc list_table '2.5: list: a header and a line each'
list_table() {
	bundle
	up
	good list
	match "$(head -n 1 <<<"$OUT")" '^(ID|NAME) +PID +STATUS +BUNDLE'
	match "$(grep "$ID" <<<"$OUT")" "^$ID +$PID +running +$B"
}

tc list_quiet '2.2: list -q: ids'
list_quiet() {
	bundle
	up
	local one=$ID
	ID=$ID-b
	up
	good list -q
	eq "$(sort <<<"$OUT")" "$one"$'\n'"$ID"
}

tc list_states 'list shows created, running and stopped'
list_states() {
	bundle
	local one=$ID
	ID=$one-a
	made
	ID=$one-b
	up
	ID=$one-c
	up
	good kill "$ID" KILL
	until_is stopped
	good list -f json
	json "$OUT" '[.[].status]|sort==["created","running","stopped"]'
	ID=$one
}

tc list_missing_root '2.5: list with a --root that does not exist: an error (runc 1.5), or nothing'
list_missing_root() {
	try --root "$T/nowhere" list -q
	eq "$OUT" ''
	fails test -e "$T/nowhere"
}

tc list_default_root '2.5: list with the default root works though nothing was ever made there'
list_default_root() {
	grab "$RT" list -q
	eq "$RC" 0
	eq "$OUT" ''
}

tc list_during 'list while partitions come and go'
list_during() {
	bundle
	mkdir "$ROOT"
	args true
	(for _ in 1 2 3 4 5; do "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID-x" >/dev/null 2>&1 </dev/null; done) &
	while kill -0 $! 2>/dev/null; do
		try list -f json
		eq "$RC" 0 "exit status of list"
	done
}

tc ps_json '2.5: ps --format json: host pids'
ps_json() {
	bundle
	up
	exec_good sh -c 'sleep 1000 </dev/null >/dev/null 2>&1 &'
	until_ok 5 eval '[[ $(rt ps --format json "$ID" | jq length) == 2 ]]'
	good ps --format json "$ID"
	json "$OUT" 'any(.==($p|tonumber))' --arg p "$PID"
	eq "$(jq '.[]' <<<"$OUT" | while read -r p; do cat "/proc/$p/comm"; done | sort | tr '\n' ' ')" 'rft sleep '
	good ps -f json "$ID"
	json "$OUT" 'length==2'
}

tc ps_table '2.2: ps: a table with a header and the process'
ps_table() {
	need_cmd ps
	bundle
	up
	good ps "$ID"
	match "$OUT" 'PID'
	has "$OUT" "$PID"
	good ps --format table "$ID" -o pid,args
	match "$OUT" "$PID +rft pause"
	eq "$(wc -l <<<"$OUT")" 2
}

tc ps_subcgroup '2.5: ps shows processes in sub-cgroups too'
ps_subcgroup() {
	local dir sub
	need_cg freezer
	bundle
	up
	exec_good sh -c 'sleep 1000 </dev/null >/dev/null 2>&1 &'
	until_ok 5 eval '[[ $(rt ps --format json "$ID" | jq length) == 2 ]]'
	sub=$(rt ps --format json "$ID" | jq ".[]|select(.!=$PID)")
	# In every hierarchy, since it is the runtime's choice which of them it asks.
	while IFS=: read -r _ _ path; do
		[[ $path == *"$ID"* ]] || continue
		for dir in "$RF_CGROUP"/*"$path" "$RF_CGROUP$path"; do
			[[ -d $dir && -e $dir/cgroup.procs ]] || continue
			mkdir -p "$dir/sub"
			[[ ! -e $dir/sub/cpuset.cpus || -n $(<"$dir/sub/cpuset.cpus") ]] || {
				cat "$dir/cpuset.cpus" >"$dir/sub/cpuset.cpus"
				cat "$dir/cpuset.mems" >"$dir/sub/cpuset.mems"
			} 2>/dev/null
			echo "$sub" >"$dir/sub/cgroup.procs"
		done
	done < <(sort -u -t: -k3 "/proc/$PID/cgroup") 2>/dev/null
	good ps --format json "$ID"
	json "$OUT" 'length==2'
}

tc ps_stopped 'ps of a stopped partition: nothing or an error, no crash'
ps_stopped() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	try ps --format json "$ID"
	[[ $RC == 1 || ($RC == 0 && $(jq length <<<"$OUT") == 0) ]] || die "exit status $RC, output $OUT"
}
