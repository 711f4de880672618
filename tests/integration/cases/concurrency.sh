# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Verbs at the same time, on one id and on many.

# together N COMMAND...: N at once; RCS are the exit statuses, output in $T/t.N.
together() {
	local n count=$1 pids=()
	shift
	RCS=()
	for ((n = 0; n < count; n++)); do
		"$@" >"$T/t.$n" 2>&1 </dev/null &
		pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n"
		RCS+=($?)
	done
}
succeeded() {
	local rc n=0
	for rc in "${RCS[@]}"; do
		[[ $rc -lt 128 ]] || die "crashed: $rc"
		[[ $rc != 0 ]] || ((n++))
	done
	echo "$n"
}

tc same_id_create '20 creates with one id: exactly one succeeds'
same_id_create() {
	bundle
	together 20 "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID"
	eq "$(succeeded)" 1 "successes: ${RCS[*]}"
	ok is created
	good start "$ID"
	ok is running
	eq "$(rt ps --format json "$ID" | jq length)" 1
}

tc same_id_run '10 runs with one id: those that fail leave no harm to the one that runs'
same_id_run() {
	bundle
	together 10 "$RT" "${GOPTS[@]}" run -d --bundle "$B" "$ID"
	eq "$(succeeded)" 1 "successes: ${RCS[*]}"
	ok is running
	exec_good echo fine
	eq "$OUT" fine
}

tc same_id_start '10 starts: exactly one succeeds'
same_id_start() {
	bundle
	script 'echo x >>/tmp/started; exec rft pause'
	made
	together 10 "$RT" "${GOPTS[@]}" start "$ID"
	eq "$(succeeded)" 1 "successes: ${RCS[*]}"
	until_ok 10 test -s "$ROOTFS/tmp/started"
	eq "$(wc -l <"$ROOTFS/tmp/started")" 1
}

tc same_id_delete '10 deletes --force: all succeed'
same_id_delete() {
	bundle
	up
	together 10 "$RT" "${GOPTS[@]}" delete --force "$ID"
	eq "$(succeeded)" 10 "successes: ${RCS[*]}: $(cat "$T"/t.*)"
	ok dead "$PID"
	gone
}

tc kill_delete_state 'kill, delete, state, ps, list at the same time: no crash, nothing left'
kill_delete_state() {
	local n rc
	bundle
	for n in 1 2 3; do
		up
		for rc in 1 2 3; do
			rt state "$ID" &
			rt kill "$ID" KILL &
			rt ps "$ID" &
			rt list &
			rt delete --force "$ID" &
		done >"$T/o" 2>&1 </dev/null
		wait
		try delete --force "$ID"
		gone
		hasnt "$(<"$T/o")" 'egmentation'
	done
}

tc state_never_torn 'state while verbs change it: always a whole document, or an error'
state_never_torn() {
	local n
	bundle
	edit '.annotations=([range(300)|{("k\(.)"):("v"*100)}]|add)'
	(for n in 1 2 3 4; do
		rt create --bundle "$B" "$ID"
		rt start "$ID"
		rt pause "$ID"
		rt resume "$ID"
		rt delete --force "$ID"
	done >"$T/o" 2>&1 </dev/null) &
	while alive $!; do
		try state "$ID"
		[[ $RC != 0 ]] || json "$OUT" '.id and (.status=="creating" or (.annotations|length==300))'
	done
	wait
}

tc pause_resume '20 pauses and resumes at once: it runs in the end if resumed last'
pause_resume() {
	need_cg freezer
	local n
	bundle
	up
	for n in {1..10}; do
		rt pause "$ID" &
		rt resume "$ID" &
	done >"$T/o" 2>&1 </dev/null
	wait
	try resume "$ID"
	ok is running
	exec_good echo fine
}

tc exec_and_delete 'execs while it is deleted: they end, nothing is left'
exec_and_delete() {
	local n
	bundle
	up
	for n in {1..10}; do timeout -s KILL 20 "$RT" "${GOPTS[@]}" exec "$ID" sleep 1000 & done >"$T/o" 2>&1 </dev/null
	sleep 0.02
	good delete --force "$ID"
	wait
	gone
}

tc many_ids '20 partitions at once: all come up and go'
many_ids() {
	local n
	bundle
	args echo fine
	for n in {1..20}; do "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID-$n" >"$T/m.$n" 2>"$T/e.$n" </dev/null & done
	wait
	for n in {1..20}; do eq "$(<"$T/m.$n")" fine "partition $n: $(<"$T/e.$n")"; done
}

tc many_seccomp '10 starts with the same new filter at once: all get it'
many_seccomp() {
	local n
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mkdir"],action:"SCMP_ACT_ERRNO",errnoRet:($r|tonumber)}]}' \
		--arg r $((RANDOM % 100 + 1))
	script 'rft sys mkdir :/tmp/d 0755'
	for n in {1..10}; do "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID-$n" >"$T/m.$n" 2>"$T/e.$n" </dev/null & done
	wait
	for n in {1..10}; do has "$(<"$T/m.$n")" 'ret=-1' "partition $n: $(<"$T/e.$n")"; done
	eq "$(sort -u "$T"/m.* | wc -l)" 1
}

tc two_roots_at_once 'one id under ten --root directories at once'
two_roots_at_once() {
	cgroupfs_only
	local n
	bundle
	args echo fine
	for n in {1..10}; do
		"$RT" --root "$T/state-$n" "${GOPTS[@]:2}" run --bundle "$B" "$ID" >"$T/m.$n" 2>"$T/e.$n" </dev/null &
	done
	wait
	for n in {1..10}; do eq "$(<"$T/m.$n")" fine "root $n: $(<"$T/e.$n")"; done
}

tc update_many '10 updates at once: one of the values holds'
update_many() {
	need_cg pids
	local n
	bundle
	up
	for n in {1..10}; do rt update --pids-limit $((100 + n)) "$ID" & done >"$T/o" 2>&1 </dev/null
	wait
	match "$(cg pids pids.max pids.max)" '^1(0[1-9]|10)$'
}
