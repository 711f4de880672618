# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# What a caller may leave us with: signals ignored or blocked, a strange umask, limits, a working directory that is gone.

# as OPTIONS -- VERB...: the runtime below env(1) with these options (--ignore-signal, --block-signal, -i, …).
as() {
	local with=()
	while [[ $1 != -- ]]; do with+=("$1") && shift; done
	shift
	grab timeout -s KILL $((20 * RF_SCALE)) env "${with[@]}" "$RT" "${GOPTS[@]}" "$@"
}
nothing_left() {
	gone "$ID"
	[[ ! -e $ROOT/$ID ]] || die "state left: $(ls -lR "$ROOT/$ID")"
	[[ -z $(find "$RF_CGROUP" -type d -name "*$ID*" 2>/dev/null) ]] || die "a cgroup is left"
}

tc env_sigchld 'SIGCHLD ignored by the caller: run ends with the payload, and with its status'
env_sigchld() {
	bundle
	script 'exit 7'
	as --ignore-signal=CHLD -- run --bundle "$B" "$ID"
	eq "$RC" 7 "exit status"
	nothing_left
}

tc env_sigchld_exec 'SIGCHLD ignored by the caller: exec and ps too'
env_sigchld_exec() {
	bundle
	up
	as --ignore-signal=CHLD -- exec "$ID" sh -c 'exit 8'
	eq "$RC" 8 "exit status of exec"
	as --ignore-signal=CHLD -- ps "$ID"
	eq "$RC" 0 "exit status of ps"
	has "$OUT" "$PID"
}

tc env_sigchld_hook 'SIGCHLD ignored by the caller: a hook that fails has failed'
env_sigchld_hook() {
	bundle
	hook createRuntime 'exit 3'
	as --ignore-signal=CHLD -- create --bundle "$B" "$ID"
	eq "$RC" 1 "exit status"
	has "$ERR" 'exit status 3'
	nothing_left
}

tc env_signals_ignored 'signals ignored by the caller: the payload has none ignored'
env_signals_ignored() {
	bundle
	inspect
	as --ignore-signal -- run --bundle "$B" "$ID"
	eq "$RC" 0 "exit status"
	kv_is SigIgn 0000000000000000
	edit '.process.args=["rft","pause"]'
	up
	as --ignore-signal -- exec "$ID" rft inspect
	eq "$RC" 0 "exit status of exec"
	kv_is SigIgn 0000000000000000
}

tc env_signals_blocked 'signals blocked by the caller: none are for the payload, and SIGTERM ends a create'
env_signals_blocked() {
	local victim
	bundle
	inspect
	as --block-signal -- run --bundle "$B" "$ID"
	eq "$RC" 0 "exit status"
	kv_is SigBlk 0000000000000000
	args rft pause
	up
	as --block-signal -- exec "$ID" rft inspect
	kv_is SigBlk 0000000000000000
	down
	hook createRuntime "touch '$T/there'; exec sleep 1"
	env --block-signal "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID" >"$T/o" 2>&1 </dev/null &
	victim=$!
	until_ok 10 test -e "$T/there"
	kill "$victim"
	until_ok 5 dead "$victim"
}

# with_umask MASK: what becomes of it.
with_umask() {
	local mask
	bundle
	inspect
	edit '.process.cwd="/new/deep"|.process.user.uid=1000'
	mask=$(umask)
	umask "$1"
	as -- run --bundle "$B" "$ID"
	umask "$mask"
	eq "$RC" 0 "exit status"
	kv_is umask 0022
	eq "$(stat -c %a "$ROOTFS/new")" 755 "a directory made on the way"
	args rft pause
	umask "$1"
	try run -d --bundle "$B" --pid-file "$T/pid" "$ID"
	umask "$mask"
	eq "$RC" 0 "exit status of run -d"
	eq "$(stat -c %a "$ROOT/$ID")" 700 "the state directory"
	umask "$1"
	as -- exec "$ID" rft inspect
	umask "$mask"
	kv_is umask 0022
	ok is running
}
tc 'with_umask 0777' 'umask 0777: the payload has 0022, directories can be entered, the partition can be used'
tc 'with_umask 0077' 'umask 0077: the same'
tc 'with_umask 0000' 'umask 0: the same'

tc env_file_size 'RLIMIT_FSIZE 0: create fails with a message, nothing is left'
env_file_size() {
	bundle
	grab bash -c 'ulimit -f 0; exec "$@"' - "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID" </dev/null
	eq "$RC" 1 "exit status"
	nothing_left
}

tc env_few_files 'too few descriptors: run works or fails with a message, and nothing is left'
env_few_files() {
	local n worked=''
	bundle
	args true
	edit 'del(.process.rlimits)'
	sanitized && skip 'the sanitizers need descriptors of their own'
	for n in {3..24} 32 64; do
		grab bash -c 'ulimit -n "$1"; shift; exec "$@"' - "$n" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" </dev/null
		[[ $RC == 0 || ($RC == 1 && ($n -lt 4 || -n $ERR)) ]] || die "with $n: exit status $RC: $ERR"
		[[ ! -e $ROOT/$ID ]] || die "with $n: state left"
		[[ -z $worked || $RC == 0 ]] || die "works with $worked descriptors, but not with $n: $ERR"
		[[ $RC != 0 || -n $worked ]] || worked=$n
	done
	nothing_left
	at_most "${worked:-1000}" 24 "descriptors that are needed"
}

tc env_no_cwd 'the working directory is gone: absolute paths work, relative ones are errors that say so'
env_no_cwd() {
	bundle
	args echo fine
	mkdir "$T/gone"
	cd "$T/gone" || die cd
	rmdir "$T/gone"
	try run --bundle "$B" "$ID"
	eq "$RC" 0 "exit status"
	eq "$OUT" fine
	try run "$ID"
	eq "$RC" 1 "exit status without a bundle"
	has "$ERR" config.json
	grab "$RT" --root state "${GOPTS[@]:2}" run --bundle "$B" "$ID"
	eq "$RC" 1 "exit status with a relative root"
	imatch "$ERR" 'state.*(no such file|working directory)'
	cd / || die cd
	nothing_left
}

tc env_empty 'no environment at all; TMPDIR, HOME and PATH that lead nowhere'
env_empty() {
	bundle
	args echo fine
	as -i -- run --bundle "$B" "$ID"
	eq "$OUT" fine
	as TMPDIR=/nonexistent HOME=/nonexistent PATH=/nonexistent XDG_RUNTIME_DIR=/nonexistent LD_PRELOAD=/nonexistent -- \
		run --bundle "$B" "$ID"
	eq "$OUT" fine
	nothing_left
}

tc env_huge 'an environment of a megabyte that nobody asked for'
env_huge() {
	local n big=()
	bundle
	args echo fine
	for n in {1..10}; do big+=("BIG$n=$(head -c 100000 /dev/zero | tr '\0' x)"); done
	as "${big[@]}" -- run --bundle "$B" "$ID"
	eq "$RC" 0 "exit status"
	eq "$OUT" fine
}
