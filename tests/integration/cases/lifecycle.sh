# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# create, start, run, state, kill, delete as a sequence; what each must refuse. Signals are in kill.sh.

tc life_states '1.8: created, running, stopped; pid in the first two, 0 in the last; then gone'
life_states() {
	bundle
	made
	try state "$ID"
	json "$OUT" '.status=="created" and .pid==($p|tonumber)' --arg p "$PID"
	good start "$ID"
	try state "$ID"
	json "$OUT" '.status=="running" and .pid==($p|tonumber)' --arg p "$PID"
	until_ok 5 eval '[[ $(proc_file "$PID" comm) == rft ]]'
	good kill "$ID" TERM
	until_is stopped
	try state "$ID"
	json "$OUT" '.pid==0 or (has("pid")|not)'
	good delete "$ID"
	gone
}

tc life_not_before_start '1.8: the payload does not run before start'
life_not_before_start() {
	bundle
	script 'touch /tmp/ran'
	made
	sleep 0.2
	fails test -e "$ROOTFS/tmp/ran"
	good start "$ID"
	until_ok 10 test -e "$ROOTFS/tmp/ran"
	until_is stopped
}

tc life_snapshot '1.8: config.json is read at create; later edits have no effect'
life_snapshot() {
	bundle
	script 'echo first >/tmp/which'
	good create --bundle "$B" "$ID"
	script 'echo second >/tmp/which'
	good start "$ID"
	until_ok 10 test -s "$ROOTFS/tmp/which"
	eq "$(<"$ROOTFS/tmp/which")" first
	until_is stopped
	rm "$B/config.json"
	good delete "$ID"
}

tc life_bundle_gone 'delete works when the bundle is gone'
life_bundle_gone() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	rm -rf --one-file-system "$B"
	good delete "$ID"
	gone
}

tc life_duplicate '1.8: create with an id that exists: an error, and the first one lives on'
life_duplicate() {
	bundle
	up
	bad 'exist' create --bundle "$B" "$ID"
	ok is running
	ok alive "$PID"
	bad 'exist' run --bundle "$B" "$ID"
	ok is running
}

tc life_reuse 'an id can be used again after delete'
life_reuse() {
	bundle
	args true
	runs
	runs
	up
	down
	runs
}

tc life_start_twice '1.8: start of what runs, or ran: an error'
life_start_twice() {
	bundle
	up
	bad 'created|running|state|start' start "$ID"
	ok alive "$PID"
	good kill "$ID" KILL
	until_is stopped
	bad 'created|stopped|running|state|start|process' start "$ID"
}

unknown_id() { # VERB ARGS...
	bad "container.* does not exist" "$@"
}
# The text that containerd looks for.
tc 'unknown_id start nobody' '2.4: start of an unknown id: does not exist'
tc 'unknown_id state nobody' '2.4: state of an unknown id: does not exist'
tc 'unknown_id kill nobody KILL' '2.4: kill of an unknown id: does not exist'
tc 'unknown_id delete nobody' '2.4: delete of an unknown id: does not exist'
tc 'unknown_id pause nobody' '2.4: pause of an unknown id: does not exist'
tc 'unknown_id resume nobody' '2.4: resume of an unknown id: does not exist'
tc 'unknown_id ps nobody' '2.4: ps of an unknown id: does not exist'
# crun has no events.
tc 'unknown_id events --stats nobody' '2.4: events of an unknown id: does not exist'
tc 'unknown_id update --pids-limit 5 nobody' '2.4: update of an unknown id: does not exist'

tc life_unknown_name '2.4: the id is in the message'
life_unknown_name() {
	bad "container \"?.?nobody\"?.? does not exist" state nobody
	has "$ERR" nobody
}

no_id() { # VERB ARGS...: exits with an error
	try "$@"
	ne "$RC" 0 "exit status of $*"
	[[ -n $ERR$OUT ]] || die "no message"
}
for verb in start state kill delete pause resume ps create run exec update; do
	tc "no_id $verb" "1.8: $verb without an id: an error"
done

bad_id() { # ID
	bundle
	try create --bundle "$B" "$1"
	[[ $RC != 0 ]] || {
		rt delete --force "$1"
		die "id '$1' was taken"
	}
	eq "$(ls -A "$ROOT" 2>/dev/null)" '' "state directory"
}
for id in . .. ../x a/b .x '' 'a b' 'ä' 'a;b' 'x%y'; do
	tc "bad_id '$id'" "2.5: the id '$id': refused"
done

tc life_good_ids '2.5: ids of all the allowed characters'
life_good_ids() {
	local id
	bundle
	for id in "$ID-A_z.0+9" "$ID+" "$ID..x" "$ID--y"; do
		# No unit can have that in its name.
		[[ $RF_MANAGER == cgroupfs ]] || id=${id//+/_}
		args true
		good run --bundle "$B" "$id"
	done
}

tc life_run_keep '2.2: run --keep leaves the stopped partition'
# crun and runc 1.1: --keep.
life_run_keep() {
	bundle
	script 'exit 3'
	try run --keep --bundle "$B" "$ID"
	eq "$RC" 3
	eq "$(status)" stopped
	good delete "$ID"
}

tc life_run_detach '2.2: run -d returns at once with 0'
life_run_detach() {
	bundle
	up
	ok is running
}

tc life_cwd_bundle '2.2: without --bundle the working directory is the bundle'
life_cwd_bundle() {
	bundle
	args cat /etc/file
	cd "$B" || die cd
	good run "$ID"
	eq "$OUT" inside
}

tc life_bundle_forms '2.2: -b X, --bundle=X, a relative path'
life_bundle_forms() {
	bundle
	args true
	good run -b "$B" "$ID"
	good run --bundle="$B" "$ID"
	cd "$T" || die cd
	good run -b b "$ID"
}

# runc has no --config.
tc life_config_option '2.2: -f, --config: another file'
life_config_option() {
	bundle
	args echo other
	mv "$B/config.json" "$B/other.json"
	good run -b "$B" --config "$B/other.json" "$ID"
	eq "$OUT" other
	cd "$B" || die cd
	good run -f other.json "$ID"
}

tc life_no_config 'a bundle without config.json: an error that names it'
life_no_config() {
	bundle
	rm "$B/config.json"
	refused 'config.json'
}

tc life_bad_json 'config.json that is no JSON: an error, nothing left'
life_bad_json() {
	bundle
	echo '{"ociVersion": "1.0.2", ' >"$B/config.json"
	refused .
}

tc life_no_bundle 'a bundle that does not exist: an error'
life_no_bundle() {
	bad 'nothing|no such' create --bundle "$T/nothing" "$ID"
	gone
}

tc life_reparent '2.3: init is a child of whoever is the subreaper, not of the runtime'
life_reparent() {
	bundle
	made
	local parent
	parent=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$PID/status")
	[[ $parent == 1 || $(<"/proc/$parent/comm") == rft ]] || die "parent is $parent, $(<"/proc/$parent/comm")"
}

tc life_no_helper 'no process of the runtime stays with a running partition'
life_no_helper() {
	bundle
	up
	local dir
	for dir in /proc/[0-9]*; do
		[[ $(readlink "$dir/exe") != "$RT" ]] || ! grep -qzxF "ID=$ID" "$dir/environ" ||
			die "still there: $(tr '\0' ' ' <"$dir/cmdline")"
	done
}

tc life_exit_reaped 'the payload ends by itself: stopped, and no zombie keeps it running'
life_exit_reaped() {
	bundle
	script 'usleep 100000'
	up
	until_is stopped
	bad 'not running' kill "$ID" TERM
	good delete "$ID"
}

tc life_stdin_closed 'create and start with stdin, stdout and stderr closed'
life_stdin_closed() {
	bundle
	script 'echo fine >/tmp/x'
	"$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" <&- >&- 2>&-
	eq $? 0
	eq "$(<"$ROOTFS/tmp/x")" fine
}

tc life_flags '2.2: --no-subreaper, --no-new-keyring, --no-pivot are taken by create and run'
life_flags() {
	bundle
	args true
	good create --bundle "$B" --no-pivot --no-new-keyring "$ID"
	down
	runs --no-subreaper
}
