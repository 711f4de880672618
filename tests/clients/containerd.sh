# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# containerd's runc v2 shim, asked by ctr: it keeps the runtime's state below its own root, and reads its JSON log.

needs containerd containerd
needs ctr containerd
needs containerd-shim-runc-v2 containerd

client_setup() {
	SNAPSHOTTER=$(can storage && echo overlayfs || echo native)
	cat >"$W/config.toml" <<-END
		version = 2
		root = "$W/root"
		state = "/run/containerd"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
	END
	daemon "$W/containerd.log" containerd --config "$W/config.toml"
	# The namespace's name is also the directory of its cgroups.
	CTR=("${LIMIT[@]}" ctr --namespace "$CG")
	until_ok 30 c version
	c image import --snapshotter "$SNAPSHOTTER" "$IMAGE"
	c image ls -q | grep -x "$BOX"
}
client_sweep() {
	local id
	for id in $(c container ls -q); do
		c task resume "$id"
		c task rm -f "$id"
		c container rm "$id"
	done
}
c() { "${CTR[@]}" "$@"; }
launch=(run --runtime io.containerd.runc.v2)
# run [OPTION... --] COMMAND...: with an id of its own, gone at its end.
run() {
	local options=()
	while [[ $# -gt 0 && $1 != -- ]]; do options+=("$1") && shift; done
	if [[ $# -gt 0 ]]; then shift; else set -- "${options[@]}" && options=(); fi
	c "${launch[@]}" --runc-binary "$RT" --snapshotter "$SNAPSHOTTER" --rm "${options[@]}" "$BOX" "r$BASHPID-$RANDOM" "$@"
}
# up ID [OPTION... --] COMMAND...: detached; its pid in PID.
up() {
	local id=$1 options=()
	shift
	while [[ $# -gt 0 && $1 != -- ]]; do options+=("$1") && shift; done
	if [[ $# -gt 0 ]]; then shift; else set -- "${options[@]}" && options=(); fi
	c "${launch[@]}" --runc-binary "$RT" --snapshotter "$SNAPSHOTTER" -d "${options[@]}" "$BOX" "$id" "$@" || die "ctr run -d: exit status $?"
	PID=$(task "$id" 2)
}
task() { c task ls | awk -v id="$1" -v column="$2" '$1 == id { print $column }'; }
is() { [[ $(task "$1" 3) == "$2" ]]; }
ex() { # ID COMMAND...
	local id=$1
	shift
	c task exec --exec-id "e$BASHPID-$RANDOM" "$id" "$@"
}
off() {
	local id
	for id; do
		c task kill -s KILL "$id" >/dev/null 2>&1
		until_ok 10 is "$id" STOPPED
		c task rm "$id" >/dev/null 2>&1
		c container rm "$id" || die "container rm $id"
	done
}
# ended ID CODE: deletes the stopped task, whose exit code that must be.
ended() {
	until_ok 10 is "$1" STOPPED
	OUT=$(c task rm "$1" 2>&1)
	match "$OUT" "exit code $2" "task rm"
	ok c container rm "$1"
}

tc containerd_runtime 'the binary that is named does the work'
containerd_runtime() {
	: >"$CALLS"
	eq "$(RT=$TRACED run echo words)" words
	for verb in create start delete; do has "$(<"$CALLS")" "$verb " "calls"; done
	eq "$(c container ls -q)" ""
}

tc containerd_output 'run: streams, environment, directory, megabytes, stdin, exit codes'
containerd_output() {
	local n got
	run --env 'A=x y' --cwd /srv -- sh -c 'echo "$A,$FROM_IMAGE,$(pwd),$$"; echo wrong >&2' >out 2>err || die "exit status $?"
	eq "$(<out)" "x y,yes,/srv,1"
	has "$(<err)" wrong
	eq "$(run head -c 4000000 /dev/zero | wc -c)" 4000000
	got=$(printf 'a\nb\n' | run sh -c 'read x; read y; echo "$y$x"' 2>err; echo "status $?")
	eq "$got" $'ba\nstatus 0' "what it read ($(<err))"
	eq "$(run strays)" "" "stray descriptors"
	for n in 0 3 255; do code $n run sh -c "exit $n"; done
}

tc containerd_errors 'what cannot be run is told by the runtime, and leaves nothing'
containerd_errors() {
	OUT=$(run /no/such/program 2>&1) && die "succeeded"
	has "$OUT" /no/such/program
	imatch "$OUT" 'no such file|not found'
	OUT=$(run /etc/passwd 2>&1) && die "succeeded"
	imatch "$OUT" 'permission denied'
	eq "$(c container ls -q)" ""
}

tc containerd_tty 'run -t and exec -t: terminals, sizes, typed lines, exit codes'
containerd_tty() {
	local start=("${CTR[@]}" "${launch[@]}" --runc-binary "$RT" --snapshotter "$SNAPSHOTTER" --rm -t "$BOX")
	OUT=$(on_tty "${start[@]}" tty1 sh -c 'sleep 0.4; test -t 0 && echo terminal; stty size; sleep 0.4; exit 4')
	eq $? 4 "exit code"
	has "$OUT" terminal
	has "$OUT" "33 91"
	OUT=$(typed 'echo $((6 * 7))' 'exit 8' | on_tty "${start[@]}" tty2 sh)
	eq $? 8 "exit code of a typed exit"
	has "$OUT" 42
	up tty3 sleep 1000
	OUT=$(on_tty "${CTR[@]}" task exec -t --exec-id x tty3 sh -c 'test -t 0 && echo terminal; sleep 0.4; exit 6')
	eq $? 6 "exit code of exec"
	has "$OUT" terminal
	off tty3
}

tc containerd_life 'run -d: status, signals by name, exit codes, death from outside; no cgroup is left'
containerd_life() {
	up obedient --log-uri "file://$T/log" -- obey
	is obedient RUNNING || die "status: $(task obedient 3)"
	until_ok 10 grep -q up log
	ok c task kill -s USR1 obedient
	until_ok 10 grep -q 'heard USR1' log
	ok c task kill -s SIGTERM obedient
	ended obedient 42
	until_ok 5 no_cgroup obedient
	up deaf deaf
	ok c task kill -s KILL deaf
	ended deaf 137
	up group sh -c 'sleep 1000 & sleep 1000'
	ok c task kill --all -s KILL group
	ended group 137
	up victim sleep 1000
	kill -9 "$PID"
	ended victim 137
}

tc containerd_exec 'exec: streams, codes, user and directory, detached, eight at once'
containerd_exec() {
	local i
	up exe sleep 1000
	eq "$(ex exe echo words)" words
	code 3 ex exe sh -c 'exit 3'
	fails ex exe /no/such
	eq "$(printf 'x\ny' | ex exe cat | xargs)" "x y"
	ok c task exec -d --exec-id detached exe sh -c 'echo went >/tmp/detached; sleep 1000'
	until_ok 10 test -s "/proc/$PID/root/tmp/detached"
	inside() { c task exec --exec-id "many$1" exe sh -c "echo e$1"; }
	at_once 8 inside
	for ((i = 1; i <= 8; i++)); do eq "$(<rc.$i) $(<out.$i)" "0 e$i" "$(<err.$i)"; done
	# Last: to look the user up, ctr mounts the overlay a second time, and after that the first one can copy no file up any more.
	eq "$(c task exec --exec-id u --cwd /srv --user 1000 exe sh -c 'echo $(pwd) $(id -u)')" "/srv 1000"
	off exe
}

tc containerd_pause 'pause and resume, ps'
containerd_pause() {
	up pau count
	until_ok 10 counts
	has "$(c task ps pau)" "$PID"
	ok c task pause pau
	eq "$(task pau 3)" PAUSED
	fails counts
	ok c task resume pau
	until_ok 10 counts
	eq "$(task pau 3)" RUNNING
	off pau
}

tc containerd_metrics 'limits, and metrics as containerd reads them'
containerd_metrics() {
	need_cg memory cpu
	up met --memory-limit 67108864 --cpu-quota 30000 --cpu-period 100000 -- sh -c 'while :; do :; done'
	cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
	cg_is cpu cpu.cfs_quota_us 30000 cpu.max "30000 100000"
	has "$(<"/proc/$PID/cgroup")" "/$CG/met"
	sleep 0.5
	OUT=$(c task metrics met)
	if on_v2 memory; then
		match "$OUT" 'memory\.usage +[1-9]'
		match "$OUT" 'memory\.usage_limit +67108864'
	else
		match "$OUT" 'memory\.usage_in_bytes +[1-9]'
		match "$OUT" 'memory\.limit_in_bytes +67108864'
		match "$OUT" 'cpuacct\.usage +[1-9]'
	fi
	off met
}

tc containerd_events 'events: create, start, exit, delete, OOM'
containerd_events() {
	local topic
	need_cg memory
	ctr --namespace "$CG" events >events 2>&1 &
	sleep 0.5
	code 3 run sh -c 'exit 3'
	for topic in create start exit delete; do until_ok 10 grep -q "/tasks/$topic" events; done
	match "$(grep /tasks/exit events)" '"exit_status":3'
	code 137 run --memory-limit 33554432 -- greedy
	up oom --memory-limit 33554432 -- sh -c 'greedy; sleep 1000'
	until_ok 10 grep -q '/tasks/oom.*"oom"' events
	off oom
}

tc containerd_options '--read-only, --mount, capabilities, --privileged, seccomp, no_new_privs, devices, namespaces'
containerd_options() {
	mkdir b && echo outside >b/f
	fails run --read-only -- touch /x
	eq "$(run --mount "type=bind,src=$T/b,dst=/b,options=rbind:rw" -- sh -c 'cat /b/f; echo back >/b/g')" outside
	eq "$(<b/g)" back
	fails run --mount "type=bind,src=$T/b,dst=/b,options=rbind:ro" -- touch /b/h
	match "$(run --mount type=tmpfs,src=none,dst=/t,options=size=4m:nosuid -- grep ' /t ' /proc/self/mounts)" 'tmpfs.*nosuid.*size=4096k'
	has_cap "$(run --cap-add CAP_SYS_ADMIN -- cat /proc/self/status | mask CapEff)" 21 || die "CAP_SYS_ADMIN not added"
	fails has_cap "$(run --cap-drop CAP_CHOWN -- cat /proc/self/status | mask CapEff)" 0
	ok run --privileged -- mount -t tmpfs none /tmp
	profile errno.json '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}'
	has "$(run --seccomp --seccomp-profile "$T/errno.json" -- mkdir /tmp/x 2>&1)" "not permitted"
	eq "$(run --seccomp -- sed -n 's/^Seccomp:.//p' /proc/self/status)" 2
	eq "$(run sed -n 's/^NoNewPrivs:.//p' /proc/self/status)" 1
	eq "$(run --allow-new-privs -- sed -n 's/^NoNewPrivs:.//p' /proc/self/status)" 0
	if [[ -c /dev/fuse ]]; then eq "$(run --device /dev/fuse -- sh -c ': <>/dev/fuse && echo opened')" opened; fi
	eq "$(run --net-host -- readlink /proc/self/ns/net)" "$(nslink net)"
	up lender sleep 1000
	eq "$(run --with-ns "network:/proc/$PID/ns/net" -- readlink /proc/self/ns/net)" "$(nslink net "$PID")"
	off lender
	cp -a "$ROOTFS" root
	eq "$(c "${launch[@]}" --runc-binary "$RT" --rm --rootfs "$T/root" rooted /bin/cat /srv/seed)" planted
}

tc containerd_shim 'the shim is killed: containerd has the runtime delete what it left'
containerd_shim() {
	local shim
	up orphan sleep 1000
	shim=$(sed -n 's/^PPid:.//p' "/proc/$PID/status")
	has "$(tr '\0' ' ' <"/proc/$shim/cmdline")" containerd-shim
	kill -9 "$shim"
	until_ok 20 dead "$PID"
	until_ok 10 no_cgroup orphan
	c task rm -f orphan
	ok c container rm orphan
}

tc containerd_again 'containerd itself goes and comes: what runs goes on'
containerd_again() {
	up keeps count
	until_ok 10 counts
	kill "${DAEMONS[0]}"
	until_ok 10 dead "${DAEMONS[0]}"
	counts || die "it stopped"
	# Not a child of this case, which ends before it: init's.
	setsid containerd --config "$W/config.toml" >>"$W/containerd.log" 2>&1 </dev/null &
	disown
	until_ok 20 c version
	eq "$(task keeps 3)" RUNNING
	eq "$(ex keeps echo still)" still
	off keeps
}

tc containerd_many 'ten at once, each with its own code'
containerd_many() {
	local i
	one() { run sh -c "sleep 0.5; echo n$1; exit $1"; }
	at_once 10 one
	for ((i = 1; i <= 10; i++)); do eq "$(<rc.$i) $(<out.$i)" "$i n$i" "$(<err.$i)"; done
}

tc containerd_clean 'nothing is left: no task, no container, no cgroup'
containerd_clean() {
	eq "$(c task ls -q)$(c container ls -q)" "" "containers of cases that failed, or"
	eq "$(find "$RF_CGROUP" -mindepth 1 -type d -path "*/$CG/*")" "" "cgroups"
}
