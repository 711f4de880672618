# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# The runtime dies at any moment: delete --force removes whatever there is.

rounds() { if [[ -n ${RF_DIFFERENCES:-} ]]; then echo 4; elif slow || sanitized; then echo 8; else echo 30; fi; }

# How long a create takes here, in ms.
measure() {
	local t0 t1
	t0=$(date +%s%N)
	made
	t1=$(date +%s%N)
	down
	TOOK=$(((t1 - t0) / 1000000 + 1))
}

# clean ID: nothing of it is left. PIDS from cgroup or state cannot be known after a crash; the subreaper tells of processes.
clean() {
	gone "$1"
	[[ ! -e $ROOT/$1 ]] || die "state of $1: $(ls -lR "$ROOT/$1")"
	local n=0
	while [[ -n $(find "$RF_CGROUP" -type d -name "*$1*" 2>/dev/null) ]]; do
		((n++ < 100 * RF_SCALE)) || die "cgroups of $1: $(find "$RF_CGROUP" -type d -name "*$1*")"
		sleep 0.02
	done
}

# killed_during VERB: SIGKILL after a random part of the time that create takes.
killed_during() {
	local n id delay victim
	bundle
	# With all that leaves traces outside: a hook, a pid file, limits, a user namespace if there may be one.
	limit '.pids={limit:100}'
	hook createRuntime 'exit 0'
	if [[ ${2:-} == userns ]]; then
		need_userns
		userns
	fi
	measure
	for ((n = 0; n < $(rounds); n++)); do
		id=$ID-$n
		"$RT" "${GOPTS[@]}" "$1" --bundle "$B" --pid-file "$T/pid.$n" "$id" >"$T/o" 2>&1 </dev/null &
		victim=$!
		delay=$(((RANDOM % (TOOK * 1200)) + 100))
		sleep "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))"
		kill -9 "$victim" 2>/dev/null
		wait "$victim" 2>/dev/null
		grab timeout -s KILL 30 "$RT" "${GOPTS[@]}" delete --force "$id"
		eq "$RC" 0 "delete --force, killed after $delay of $((TOOK * 1000)) us"
		clean "$id"
	done
}
tc 'killed_during create' 'create is killed at random moments: delete --force clears it all'
tc 'killed_during run' 'run is killed at random moments: delete --force clears it all'
tc 'killed_during create userns' 'create with a user namespace is killed at random moments: delete --force clears it all'

tc killed_exec 'exec is killed at random moments: the partition lives on and can be used'
killed_exec() {
	local n delay victim
	bundle
	up
	for ((n = 0; n < $(rounds) / 2; n++)); do
		"$RT" "${GOPTS[@]}" exec "$ID" sleep 1000 >"$T/o" 2>&1 </dev/null &
		victim=$!
		delay=$((RANDOM % 30000 + 100))
		sleep "$(printf '0.%06d' $delay)"
		kill -9 "$victim" 2>/dev/null
		wait "$victim" 2>/dev/null
	done
	exec_good echo fine
	eq "$OUT" fine
	ok is running
}

tc killed_delete 'delete --force is killed at random moments: a second one clears the rest'
killed_delete() {
	local n id delay victim
	bundle
	for ((n = 0; n < $(rounds) / 3; n++)); do
		id=$ID-$n
		good run -d --bundle "$B" "$id"
		"$RT" "${GOPTS[@]}" delete --force "$id" >"$T/o" 2>&1 </dev/null &
		victim=$!
		delay=$((RANDOM % 20000 + 100))
		sleep "$(printf '0.%06d' $delay)"
		kill -9 "$victim" 2>/dev/null
		wait "$victim" 2>/dev/null
		grab timeout -s KILL 30 "$RT" "${GOPTS[@]}" delete --force "$id"
		eq "$RC" 0 "second delete --force: $ERR"
		clean "$id"
	done
}

tc killed_start 'start is killed at random moments: delete --force clears it'
killed_start() {
	local n id delay victim
	bundle
	for ((n = 0; n < $(rounds) / 3; n++)); do
		id=$ID-$n
		good create --bundle "$B" "$id"
		"$RT" "${GOPTS[@]}" start "$id" >"$T/o" 2>&1 </dev/null &
		victim=$!
		delay=$((RANDOM % 8000 + 100))
		sleep "$(printf '0.%06d' $delay)"
		kill -9 "$victim" 2>/dev/null
		wait "$victim" 2>/dev/null
		grab timeout -s KILL 30 "$RT" "${GOPTS[@]}" delete --force "$id"
		eq "$RC" 0
		clean "$id"
	done
}

tc init_killed_created 'init is killed while created: state says stopped, start fails, delete works'
init_killed_created() {
	bundle
	made
	kill -9 "$PID"
	until_is stopped
	try start "$ID"
	ne "$RC" 0 "exit status of start"
	good delete "$ID"
	clean "$ID"
}

tc init_killed_outside 'init is killed by somebody else: stopped, delete works'
init_killed_outside() {
	bundle
	up
	kill -9 "$PID"
	until_is stopped
	good delete "$ID"
	clean "$ID"
}

damage() { # COMMAND: what happens to the state directory; D is its path.
	bundle
	up
	local D=$ROOT/$ID
	eval "$1"
	grab timeout -s KILL 30 "$RT" "${GOPTS[@]}" list -q
	[[ $RC -lt 128 ]] || die "list crashed: $RC"
	grab timeout -s KILL 30 "$RT" "${GOPTS[@]}" state "$ID"
	[[ $RC -lt 128 ]] || die "state crashed: $RC"
	grab timeout -s KILL 30 "$RT" "${GOPTS[@]}" delete --force "$ID"
	eq "$RC" 0 "delete --force"
	[[ ! -e $D ]] || die "left: $(ls -lR "$D")"
	# With its state destroyed nobody can know about the process: the case clears up after itself.
	if alive "$PID"; then
		[[ ${2:-} == unknowable ]] || die "the process lives on"
		kill -9 "$PID"
	fi
	find "$RF_CGROUP" -depth -type d -name "*$ID*" -exec rmdir {} + 2>/dev/null
	true
}
tc "damage 'for f in \"\$D\"/*; do : >\"\$f\"; done' unknowable" 'wreck: all state files are empty'
tc "damage 'rm -f \"\$D\"/*' unknowable" 'wreck: all state files are gone'
tc "damage 'for f in \"\$D\"/*; do [[ ! -f \$f ]] || head -c 20 /dev/urandom >\"\$f\"; done' unknowable" 'wreck: all state files are garbage'
tc "damage 'touch \"\$D\"/foreign; mkdir \"\$D\"/dir; touch \"\$D\"/dir/file'" 'wreck: foreign files in the state directory'
tc "damage 'kill -9 \$PID; find \"\$RF_CGROUP\" -depth -type d -name \"*\$ID*\" -exec rmdir {} + 2>/dev/null'" 'wreck: the cgroup is gone'

tc full_disk 'the state directory'\''s file system is full: create fails, nothing left'
full_disk() {
	mkdir -p "$T/small"
	mount -t tmpfs -o size=64k,mode=700 none "$T/small"
	dd if=/dev/zero of="$T/small/fill" bs=1k count=100 2>/dev/null
	bundle
	edit '.annotations=([range(100)|{("k\(.)"):("v"*200)}]|add)'
	GOPTS[1]=$T/small
	try create --bundle "$B" "$ID"
	local rc=$RC left
	rt delete --force "$ID" 2>/dev/null
	left=$(ls "$T/small")
	umount "$T/small"
	GOPTS[1]=$ROOT
	ne "$rc" 0 "exit status"
	hasnt "$left" "$ID"
}

tc signals_during_create 'SIGTERM during create: a clean end, nothing left after delete --force'
signals_during_create() {
	local n id victim
	bundle
	for n in 1 2 3 4 5; do
		id=$ID-$n
		"$RT" "${GOPTS[@]}" create --bundle "$B" "$id" >"$T/o" 2>&1 </dev/null &
		victim=$!
		sleep "0.00$n"
		kill -TERM "$victim" 2>/dev/null
		wait "$victim" 2>/dev/null
		good delete --force "$id"
		clean "$id"
	done
}
