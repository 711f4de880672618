# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Global options, logs, messages, version and help.

# A command that fails with an error.
failing_create() {
	bundle
	args nope
}

tc log_text '2.1: --log FILE: the error is in the file, and on stderr too'
# crun: stderr stays empty.
log_text() {
	failing_create
	try --log "$T/log" create --bundle "$B" "$ID"
	eq "$RC" 1
	has "$(<"$T/log")" nope
	has "$ERR" nope
}

tc log_json '2.4: --log-format json: one line, one object: level, msg, time'
log_json() {
	failing_create
	try --log "$T/log" --log-format json create --bundle "$B" "$ID"
	eq "$RC" 1
	eq "$(wc -l <"$T/log")" 1 "lines"
	json "$(<"$T/log")" '.level=="error" and (.msg|test("nope"))'
	json "$(<"$T/log")" '.time|test("^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9:]+)$")'
	has "$ERR" nope "stderr"
}

tc log_json_escapes '2.4: whatever is in the message, it is JSON'
log_json_escapes() {
	bundle
	args $'no"such\\\n\x01\xc3\xa4thing'
	try --log "$T/log" --log-format json create --bundle "$B" "$ID"
	eq "$RC" 1
	eq "$(wc -l <"$T/log")" 1 "lines"
	json "$(<"$T/log")" '.msg|test("such")'
}

tc log_json_quiet '2.4: a success writes nothing, a warning neither'
# runc writes warnings.
log_json_quiet() {
	bundle
	args true
	edit '.process.capabilities.bounding+=["CAP_UNHEARD_OF"]'
	try --log "$T/log" --log-format json run --bundle "$B" "$ID"
	eq "$RC" 0
	[[ ! -s $T/log ]] || die "log: $(<"$T/log")"
}

tc log_append '2.1: the log is appended to'
log_append() {
	failing_create
	echo first >"$T/log"
	try --log "$T/log" create --bundle "$B" "$ID"
	eq "$(head -n 1 "$T/log")" first
	at_least "$(wc -l <"$T/log")" 2
}

tc log_exec '2.4: exec logs likewise'
log_exec() {
	bundle
	up
	try --log "$T/log" --log-format json exec "$ID" nope
	eq "$(wc -l <"$T/log")" 1 "lines"
	json "$(<"$T/log")" '.level=="error"'
}

# runc knows no prefix.
tc log_file_prefix '2.1: --log file:PATH'
log_file_prefix() {
	failing_create
	try --log "file:$T/log" create --bundle "$B" "$ID"
	has "$(<"$T/log")" nope
}

tc log_unwritable '2.1: a log that cannot be opened: an error'
log_unwritable() {
	bundle
	args true
	try --log "$T/nothing/log" run --bundle "$B" "$ID"
	ne "$RC" 0 "exit status"
}

tc log_bad_format '2.1: an unknown log format: refused'
log_bad_format() {
	bundle
	args true
	try --log "$T/log" --log-format xml run --bundle "$B" "$ID"
	ne "$RC" 0 "exit status"
}

tc log_debug '2.1: --debug: still works, JSON lines all of them'
log_debug() {
	bundle
	args true
	try --debug --log "$T/log" --log-format json run --bundle "$B" "$ID"
	eq "$RC" 0
	[[ ! -s $T/log ]] || jq -e . "$T/log" >/dev/null || die "log: $(<"$T/log")"
}

tc message_one_line 'an error is one line on stderr and nothing on stdout'
message_one_line() {
	failing_create
	try create --bundle "$B" "$ID"
	eq "$(wc -l <"$T/err")" 1 "lines"
	eq "$OUT" ''
	bundle b
	mount_entry /vol bind "$T/nothing" bind
	try create --bundle "$B" "$ID"
	eq "$(wc -l <"$T/err")" 1 "lines"
}

tc message_names 'a config error names the property'
message_names() {
	bundle
	edit '.process.cwd=5'
	refused 'cwd'
	edit '.process.cwd="/"|.process.rlimits[0].soft="x"'
	refused 'rlimits?|soft'
	edit '.process.rlimits=[]|.mounts[1].options="x"'
	refused 'options|mounts'
}

tc option_forms '2.1: --opt V, --opt=V, --bool, --bool=true, --bool=false'
option_forms() {
	bundle
	args true
	mkdir "$T/state-x"
	local id=$ID
	grab "$RT" --root="$T/state-x" --debug=false run --bundle="$B" --detach=false --no-pivot=false "$id"
	eq "$RC" 0
	grab "$RT" --root "$T/state-x" --systemd-cgroup=false run -b "$B" --detach=true "$id"
	eq "$RC" 0
	grab "$RT" --root "$T/state-x" delete --force=true "$id"
	eq "$RC" 0
}

tc option_stop '2.1: options end at the first word that is none: exec passes the rest on'
option_stop() {
	bundle
	up
	exec_good echo --detach -t --help
	eq "$OUT" '--detach -t --help'
	try exec --env A=1 "$ID" sh -c 'echo "$A" "$@"' - --env A=2
	eq "$OUT" '1 --env A=2'
}

tc option_accepted '2.1: --rootless=false and --criu are accepted'
option_accepted() {
	bundle
	args true
	try --rootless=false run --bundle "$B" "$ID"
	eq "$RC" 0
	try --rootless false run --bundle "$B" "$ID"
	eq "$RC" 0
}

tc option_criu '2.1: --criu PATH is accepted and ignored'
# Gone from runc 1.2 and never in crun.
option_criu() {
	bundle
	args true
	try --criu /nowhere/criu run --bundle "$B" "$ID"
	eq "$RC" 0
}

tc option_log_level '2.1: --log-level'
# runc has no such option.
option_log_level() {
	bundle
	args true
	local level
	for level in error warning debug; do
		try --log-level "$level" --log "$T/log" run --bundle "$B" "$ID"
		eq "$RC" 0 "exit status with $level"
	done
}

tc option_unknown 'an unknown option or command: an error'
option_unknown() {
	try --no-such-option list
	ne "$RC" 0 "exit status"
	try nosuchverb
	ne "$RC" 0 "exit status"
	try create --no-such-option x
	ne "$RC" 0 "exit status"
}

tc option_missing_value 'an option without its value: an error that names it'
option_missing_value() {
	try create --bundle
	ne "$RC" 0 "exit status"
	imatch "$OUT$ERR" 'bundle'
}

version_option() { # OPTION
	grab "$RT" "$1"
	eq "$RC" 0
	match "$(head -n 1 <<<"$OUT")" "^$(basename "$RT") version [0-9]+[.][0-9]"
	match "$OUT" $'\nspec: [0-9]+[.][0-9]+[.][0-9]+'
	match "$OUT" $'\ncommit: '
}
for o in --version -v; do tc "version_option $o" "2.1: $o: NAME version V, commit:, spec:"; done

tc help_option '2.1: --help, VERB --help: 0, on stdout, all verbs named'
help_option() {
	local verb
	grab "$RT" --help
	eq "$RC" 0
	for verb in create start run state kill delete list ps exec pause resume update spec features; do has "$OUT" $verb; done
	for verb in create start run state kill delete list ps exec pause resume update spec; do
		grab "$RT" $verb --help
		eq "$RC" 0 "$verb --help"
		[[ -n $OUT ]] || die "$verb --help says nothing"
	done
	grab "$RT" -h
	eq "$RC" 0
}

tc root_created '2.1: --root: made at need, 0700 for what is in it'
root_created() {
	bundle
	up
	ok test -d "$ROOT/$ID"
	eq "$(stat -c %a "$ROOT/$ID")" 700
}

tc root_relative '2.1: a relative --root'
root_relative() {
	bundle
	cd "$T" || die cd
	GOPTS[1]=state
	up
	cd /
	GOPTS[1]=$ROOT
	ok is running
}

tc environment_small '2.3: only PATH in the environment, as podman calls it'
environment_small() {
	bundle
	up
	grab env -i PATH=/usr/bin:/bin "$RT" "${GOPTS[@]}" state "$ID"
	eq "$RC" 0
	grab env -i PATH=/usr/bin:/bin "$RT" "${GOPTS[@]}" kill "$ID" KILL
	eq "$RC" 0
	until_is stopped
	grab env -i "$RT" "${GOPTS[@]}" delete "$ID"
	eq "$RC" 0
}
