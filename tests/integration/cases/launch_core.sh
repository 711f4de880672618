# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154,SC2317
# launch, ls, inspect, rm: from an image to a partition, what is told of it, and what is left of it.

# shellcheck source=../lib-launch.sh
source "${BASH_SOURCE[0]%/*}/../lib-launch.sh"

tc lc_foreground 'launch: output, exit status and what `ls` and `inspect` tell afterwards'
lc_foreground() {
	images
	lgood launch bb "$ID"
	eq "$OUT" default
	grab l launch bb "$ID-b" -- sh -c 'echo out; echo err >&2; exit 7'
	eq "$RC" 7
	eq "$OUT" out
	eq "$ERR" err
	lgood ls
	match "$OUT" "$ID-b +bb +exited \(7\)"
	eq "$(of "$ID-b" .exitCode)" 7
	eq "$(of "$ID-b" .image)" bb
	eq "$(of "$ID-b" .imageName)" localhost/bb:latest
	eq "$(of "$ID-b" '.command|join(" ")')" "sh -c echo out; echo err >&2; exit 7"
	match "$(of "$ID-b" .started)" '^20.*Z$'
	match "$(of "$ID-b" .finished)" '^20.*Z$'
	eq "$(of "$ID-b" .pid)" 0
	eq "$(of "$ID-b" .config.root.path)" root
	lgood ls -q
	eq "$OUT" "$ID"$'\n'"$ID-b"
	lgood rm "$ID" "$ID-b"
	eq "$OUT" "$ID"$'\n'"$ID-b"
	lbad 'no launched partition' rm "$ID"
	lgood rm -f "$ID"
	over
}

tc lc_statuses 'launch: 127 for a command that is not there, 126 for one that cannot be executed, 125 for all else; nothing is left'
lc_statuses() {
	images
	grab l launch bb "$ID" -- nosuch
	eq "$RC" 127
	has "$ERR" nosuch
	grab l launch bb "$ID" -- /data/file
	eq "$RC" 126
	grab l launch --memory 1 bb "$ID" -- true
	eq "$RC" 125
	grab l launch --pull never nosuch "$ID" -- true
	eq "$RC" 125
	has "$ERR" nosuch
	grab l launch --restart always bb "$ID" -- true
	eq "$RC" 125
	has "$ERR" --detach
	eq "$(l ls -q)" ""
	over
}

tc lc_usage 'launch: what docker users type is understood, or told how to say'
lc_usage() {
	images
	lbad 'ringfence launch bb -- echo hi' launch bb echo hi
	lbad 'ringfence launch bb -- /bin/sh -c .echo a. b' launch bb /bin/sh -c 'echo a' b
	lbad 'options of launch come before the image' launch bb -d
	lbad 'two names' launch --name "$ID" bb "$ID-x" -- true
	lbad 'invalid partition name' launch bb a+b -- true
	lbad 'invalid partition name' launch --name=-x bb -- true
	lbad 'requires' launch
	# Scripts tell by it that it was not the command that failed: as docker's.
	eq "$RC" 125
	lbad 'unknown option' launch --such bb
	eq "$RC" 125
	lbad 'two names' launch --name "$ID" bb "$ID-x"
	eq "$RC" 125
	lbad 'must be missing, always or never' launch --pull now bb "$ID"
	grab l launch --help
	eq "$RC" 0
	has "$OUT" '-h, --hostname'
	# Short options in one word, and -h with a value.
	lgood launch -h box -e A=b -w /data -u app --rm bb -- sh -c 'hostname; echo $A; pwd; id -u; id -G'
	eq "$OUT" $'box\nb\n/data\n1000\n1000 2000'
	lgood launch -dit --name "$ID" bb -- sh
	eq "$OUT" "$ID"
	eq "$(of "$ID" '[.detach,.interactive,.tty]|join(" ")')" "true true true"
	over
}

tc lc_stdin 'launch: without -i standard input is empty, with it the command reads it'
lc_stdin() {
	images
	OUT=$(echo text | l launch --rm bb -- cat) || die "launch"
	eq "$OUT" ""
	OUT=$(echo text | l launch --rm -i bb -- cat) || die "launch -i"
	eq "$OUT" text
	over
}

tc lc_names 'launch: a name that is taken is refused, also by the runtime; made up ones are printed'
lc_names() {
	images
	lgood launch bb "$ID"
	lbad "already.*rm $ID" launch bb "$ID"
	eq "$(of "$ID" .status)" exited
	bundle
	rt run --bundle "$B" -d "$ID-rt" >"$T/out" 2>&1 </dev/null || die "run -d"
	lbad "already.*not launched.*delete" launch bb "$ID-rt"
	lbad 'has not made' inspect --type partition "$ID-rt"
	rt delete --force "$ID-rt"
	lgood launch -d bb -- sleep 100
	match "$OUT" '^[a-z]+_[a-z]+(_[0-9a-f]+)?$'
	lgood rm -f "$OUT"
	over
}

tc lc_userns 'launch: a user namespace of its own by default, files have the image'"'"'s ids; none with --userns host'
lc_userns() {
	local first second
	images
	unshare --user true || skip "no user namespaces"
	lgood launch bb "$ID" -- sh -c 'cat /proc/self/uid_map; touch /new; ls -ln /new /data/file'
	[[ $(of "$ID" .ids) != -1 ]] || skip "no idmapped mounts here"
	first=$(of "$ID" .ids)
	match "$OUT" "^ *0 +$first +65536"
	hasnt "$OUT" 65534
	eq "$(stat -c %u "$T/data/partitions/$ID/upper/new")" 0
	lgood launch bb "$ID-b"
	second=$(of "$ID-b" .ids)
	ne "$first" "$second" "the ids of two partitions"
	lgood launch --rm --userns host bb -- cat /proc/self/uid_map
	match "$OUT" '^ *0 +0 +4294967295'
	lgood launch --rm --userns 700000:1000 bb -- cat /proc/self/uid_map
	match "$OUT" '^ *0 +700000 +1000'
	over
}

tc lc_layer 'launch: what is written is kept, in a layer of its own; the image is as before, and another partition sees none of it'
lc_layer() {
	local before
	images
	before=$(find "$T/tree" -printf '%P %y %m\n' | sort)
	lgood launch bb "$ID" -- sh -c 'echo mine >/data/file; rm /etc/group; echo x >/new'
	lgood launch --rm bb -- sh -c 'cat /data/file; ls /new 2>&1; test -e /etc/group && echo there'
	has "$OUT" from-the-image
	has "$OUT" there
	hasnt "$OUT" mine
	eq "$(<"$T/data/partitions/$ID/upper/data/file")" mine
	eq "$(cd "$T"/data/store/layers/*/diff && find . -path ./dev -prune -o -printf '%P %y %m\n' | sort | grep -c .)" "$(wc -l <<<"$before")"
	over
}

tc lc_readonly 'launch --read-only: the root cannot be written to, --tmpfs and volumes can'
lc_readonly() {
	images
	grab l launch --rm --read-only --tmpfs /tmp -v "$ID-v:/vol" bb -- sh -c 'touch /tmp/a /vol/b && ! touch /x 2>/dev/null && echo good'
	eq "$OUT" good
	[[ -e $T/data/volumes/$ID-v/_data/b ]] || die "no file in the volume"
	over
	[[ -e $T/data/volumes/$ID-v/_data/b ]] || die "rm took a named volume"
}

tc lc_volumes 'launch -v: named volumes outlive partitions; anonymous ones go with rm -v and --rm'
lc_volumes() {
	local v
	images '.config.Volumes={"/vol":{}}'
	lgood launch -v "$ID-v:/data" bb "$ID" -- sh -c 'echo one >/data/n; echo two >/vol/a'
	v=$(of "$ID" '.anonymousVolumes[0]')
	eq "$(<"$T/data/volumes/$v/_data/a")" two
	lgood rm "$ID"
	[[ -d $T/data/volumes/$v ]] || die "rm without -v took the anonymous volume"
	lgood launch -v "$ID-v:/data" bb "$ID" -- cat /data/n
	eq "$OUT" one
	v=$(of "$ID" '.anonymousVolumes[0]')
	lgood rm -v "$ID"
	[[ ! -e $T/data/volumes/$v ]] || die "rm -v left the anonymous volume"
	lgood launch --rm bb "$ID"
	eq "$(find "$T/data/volumes" -mindepth 1 -maxdepth 1 -name "$ID*" ! -name "$ID-v" ! -name .gone)" "" "after --rm"
	over
}

tc lc_volume_owner 'launch -v: a new volume has the owner and mode of the directory that the image has there; one that is there keeps its own'
lc_volume_owner() {
	images
	rm -rf "$T/layout" "$T/data"
	chmod 750 "$T/tree/home/app"
	ln -s home/app "$T/tree/link"
	layout "$T/layout" "$T/tree" '.config.User="app"'
	lgood load -q -i "$T/layout"
	lgood prepare --pull never bb
	ok chown 1000:1000 "$T"/data/store/layers/*/diff/home/app
	lgood launch -v "$ID-v:/home/app" bb "$ID" -- sh -c 'stat -c "%u:%g %a" /home/app; touch /home/app/x'
	eq "$OUT" "1000:1000 750"
	chmod 700 "$T/data/volumes/$ID-v/_data"
	lgood launch --rm -v "$ID-v:/home/app" bb -- stat -c '%a' /home/app
	eq "$OUT" 700
	lgood launch --rm -v "$ID-w:/link/" bb -- stat -c '%a' /home/app
	eq "$OUT" 750
	over
}

tc lc_image 'launch: fetches nothing where the image is there; what is in use stays through a prune; a digest will do'
lc_image() {
	local target
	images
	lgood launch -d bb "$ID" -- sleep 100
	target=$(of "$ID" .target)
	eq "$(<"$T/data/store/uses/$ID")" "$target"
	lgood launch --rm "$target" -- cat /data/file
	eq "$OUT" from-the-image
	lgood rm -f "$ID"
	[[ ! -e $T/data/store/uses/$ID ]] || die "still in use"
	over
}

tc lc_detached 'launch -d: the name is printed when it runs; rm refuses, rm --force ends it'
lc_detached() {
	local pid
	images
	lgood launch -d --pid-file "$T/pidfile" --cidfile "$T/cid" bb "$ID" -- sleep 100
	eq "$OUT" "$ID"
	eq "$(<"$T/cid")" "$ID"
	pid=$(<"$T/pidfile")
	eq "$(of "$ID" .pid)" "$pid"
	eq "$(tr '\0' ' ' <"/proc/$pid/cmdline")" "sleep 100 "
	eq "$(of "$ID" .status)" running
	lgood exec "$ID" cat /data/file
	eq "$OUT" from-the-image
	lgood ls --running -q
	eq "$OUT" "$ID"
	lbad "is running; stop it first" rm "$ID"
	alive "$pid" || die "a refused rm has ended it"
	lbad 'there already' launch --rm --cidfile "$T/cid" bb -- true
	lgood pause "$ID"
	eq "$(of "$ID" .status)" paused
	lbad "is paused" rm "$ID"
	lgood rm --force "$ID"
	until_ok 5 dead "$pid"
	over
}

# --- ends that nobody saw -----------------------------------------------------------------------------------------------------

tc lc_kill_command 'ls: kill -9 of a command in the foreground is told as lost, or as running where the payload lives; rm takes it'
lc_kill_command() {
	local command
	images
	bg "$T/out" launch bb "$ID" -- sleep 1000
	command=$!
	until_ok 10 is_now "$ID" running
	eq "$(of "$ID" .supervisor)" "$command" "who stays with it"
	kill -9 "$command"
	wait "$command" 2>/dev/null
	match "$(of "$ID" .status)" '^(lost|running)$'
	eq "$(of "$ID" .supervisor)" 0
	[[ $(of "$ID" .status) == lost ]] || lbad 'is running' rm "$ID"
	lgood rm -f "$ID"
	over
}

tc lc_boot 'ls: what a state of another boot says of processes is not believed; nor is a recycled pid'
lc_boot() {
	local state=$T/data/partitions/$ID/state.json
	images
	lgood launch bb "$ID"
	jq --argjson p $$ '.phase="up"|.supervisor=$p|.supervisorStart=1' "$state" >"$T/s" && cp "$T/s" "$state"
	eq "$(of "$ID" .status)" lost
	eq "$(of "$ID" .supervisor)" 0
	jq --argjson p $$ --argjson s "$(cut -d' ' -f22 "/proc/$$/stat")" '.phase="up"|.supervisor=$p|.supervisorStart=$s' "$state" >"$T/s" &&
		cp "$T/s" "$state"
	eq "$(of "$ID" .status)" running
	jq '.bootId="00000000-0000-0000-0000-000000000000"' "$state" >"$T/s" && cp "$T/s" "$state"
	eq "$(of "$ID" .status)" lost
	rm "$state"
	eq "$(of "$ID" .status)" created
	lgood rm "$ID"
	over
}

tc lc_wrecks 'rm --force takes any wreck; the next launch takes one without a record; ls lists it as lost'
lc_wrecks() {
	images
	lgood launch bb "$ID"
	echo '{"name":1}' >"$T/data/partitions/$ID/launch.json"
	eq "$(l ls --format json | jq -r '.[].status')" lost
	lbad 'wreck' rm "$ID"
	lbad 'already' launch bb "$ID"
	lgood rm -f "$ID"
	[[ ! -e $T/data/store/uses/$ID ]] || die "the image is still in use"
	# Killed before there was a record.
	mkdir -p "$T/data/partitions/$ID/upper/deep"
	ln -s x "$T/data/partitions/$ID/link"
	eq "$(l ls -q)" "$ID"
	lgood launch bb "$ID"
	# A state directory of the runtime that somebody has removed.
	lgood launch -d bb "$ID-b" -- sleep 100
	PID=$(of "$ID-b" .pid)
	rm -rf "$ROOT/$ID-b"
	kill -9 "$PID"
	until_ok 10 dead "$PID"
	lgood rm -f "$ID-b"
	over
}

tc lc_kill_anywhere 'kill -9 of launch at any moment: what is left, rm --force removes'
lc_kill_anywhere() {
	local n pid
	images
	lgood launch --rm bb
	for n in 1 2 3 4 5 6 8 10 12 15 18 22 27 33; do
		bg /dev/null launch bb "$ID-$n" -- sleep 100
		pid=$!
		sleep "0.0$(printf %02d "$n")"
		kill -9 "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	over
	until_ok 10 no_cgroup
}
no_cgroup() { [[ -z $(find /sys/fs/cgroup -type d -name "*$ID-*" 2>/dev/null) ]]; }

tc lc_interrupt 'launch: a signal while it works leaves nothing; one while the command runs reaches it'
lc_interrupt() {
	local pid
	images
	bg "$T/o" launch bb "$ID" -- sh -c 'trap "echo got; exit 3" TERM; echo up; while :; do sleep 0.05; done'
	pid=$!
	until_has 10 "$T/o" up
	kill -TERM "$pid"
	wait "$pid"
	eq "$?" 3
	has "$(<"$T/o")" got
	eq "$(of "$ID" .exitCode)" 3
	over
}

tc lc_oom 'launch --memory: the end by the limit is told, in the foreground, detached and after restarts'
lc_oom() {
	local eat='x=x; while :; do x=$x$x; done' n tries=1
	[[ -z $RF_SANITIZED ]] || skip "memory cases are left out"
	images
	# systemd removes a scope's cgroup, with the count, as soon as it is empty: who is not scheduled by then does not see it, and the kernel
	# tells of a change to what changes all the time 10 ms late.
	[[ $RF_MANAGER != systemd ]] || tries=10
	for ((n = 1; n <= tries; n++)); do
		[[ $n == 1 ]] || lgood rm "$ID"
		grab l launch -m 16M --memory-swap 16M bb "$ID" -- sh -c "$eat"
		[[ $(of "$ID" .config.linux.resources.memory.limit) == 16777216 ]] || die "no limit"
		[[ $RC == 137 || $(of "$ID" .oomKilled) == true ]] || skip "the limit has ended nothing here (status $RC)"
		[[ $(of "$ID" .oomKilled) != true ]] || break
	done
	eq "$(of "$ID" .oomKilled)" true
	grab l launch -m 64M bb "$ID-b" -- true
	eq "$(of "$ID-b" .oomKilled)" false
	for ((n = 1; n <= tries; n++)); do
		lgood launch -d -m 16M --memory-swap 16M bb "$ID-c$n" -- sh -c "$eat"
		lgood wait "$ID-c$n"
		[[ $(of "$ID-c$n" .oomKilled) != true ]] || break
	done
	eq "$(of "$ID-c$((n > tries ? tries : n))" .oomKilled)" true detached
	for ((n = 1; n <= tries; n++)); do
		lgood launch -d --restart on-failure:2 -m 16M --memory-swap 16M bb "$ID-d$n" -- sh -c "sleep 0.3; $eat"
		lgood wait "$ID-d$n"
		eq "$(of "$ID-d$n" .restarts)" 2
		[[ $(of "$ID-d$n" .oomKilled) != true ]] || break
	done
	eq "$(of "$ID-d$((n > tries ? tries : n))" .oomKilled)" true "after restarts"
	# The last life counts.
	lgood launch -d --restart on-failure:1 -v "$T:/t" -m 16M --memory-swap 16M bb "$ID-e" -- sh -c "mkdir /t/once || exit 3; $eat"
	lgood wait "$ID-e"
	eq "$OUT" 3
	eq "$(of "$ID-e" .restarts)" 1
	eq "$(of "$ID-e" .oomKilled)" false "the last life"
	over
}

# --- many ---------------------------------------------------------------------------------------------------------------------

tc lc_concurrent 'launch: 20 at once, all run, with ids of their own; one name for ten, one of them wins'
lc_concurrent() {
	local n pids=() wins=0
	images
	lgood launch --rm bb
	for n in {1..20}; do
		bg "$T/o$n" launch bb "$ID-$n" -- echo "$n"
		pids+=($!)
	done
	for n in {1..20}; do
		wait "${pids[n - 1]}" || die "launch $n: $(<"$T/o$n")"
		eq "$(<"$T/o$n")" "$n"
	done
	eq "$(l ls -q | wc -l)" 20
	eq "$(l ls --format json | jq '[.[]|.ids]|if .[0]<0 then 20 else unique|length end')" 20 "ranges of ids"
	pids=()
	for n in {1..10}; do
		bg "$T/o$n" launch bb "$ID-same" -- true
		pids+=($!)
	done
	for n in {1..10}; do
		if wait "${pids[n - 1]}"; then ((wins++)); else has "$(<"$T/o$n")" already; fi
	done
	eq "$wins" 1 "launches of one name that went well"
	over
}

tc lc_taken 'launch: another one takes the name before we have locked its directory: we are refused, and it keeps its files'
lc_taken() {
	local slow
	need_cmd strace
	strace -qq -o /dev/null true || skip "strace cannot trace here"
	traceable
	images
	strace -qq -o /dev/null -e trace=mkdirat -e inject=mkdirat:delay_exit=1500000 "$RT" "${GOPTS[@]}" --data "$T/data" launch bb "$ID" -- \
		echo slow >"$T/slow" 2>&1 &
	slow=$!
	until_ok 10 test -d "$T/data/partitions/$ID"
	lgood launch bb "$ID" -- sh -c 'echo quick; echo kept >/kept'
	eq "$OUT" quick
	wait "$slow"
	ne $? 0 "exit status of the one that was too late"
	has "$(<"$T/slow")" already
	lgood ls -aq
	eq "$OUT" "$ID"
	eq "$(<"$T/data/partitions/$ID/upper/kept")" kept
	over
}

tc lc_launch_rm 'launch against rm --force: each ends, and nothing is left'
lc_launch_rm() {
	local n pid
	images
	for n in {1..10}; do
		bg "$T/o" launch bb "$ID" -- sleep 100
		pid=$!
		sleep "0.0$n"
		lgood rm -f "$ID"
		# It may have been too early for rm.
		lgood rm -f "$ID"
		until_ok 10 gone_or_removed "$pid"
		wait "$pid" 2>/dev/null
	done
	over
}
gone_or_removed() {
	! kill -0 "$1" 2>/dev/null || { l rm -f "$ID" && false; }
}

# --- hostile ------------------------------------------------------------------------------------------------------------------

tc lc_hostile 'ls: control characters of commands, labels and images reach no terminal; filters and JSON take them as they are'
lc_hostile() {
	local esc=$'\033[2J' label=$'k=\033]0;x\a\nnext'
	images '.config.Labels={"evil\u001b[1m":"v\u0007"}'
	lgood launch -l "$label" -l plain=1 bb "$ID" -- echo "$esc" $'\xe2\x80\xae'
	lgood ls --no-trunc
	hasnt "$OUT" $'\033'
	hasnt "$OUT" $'\xe2\x80\xae'
	eq "$(wc -l <<<"$OUT")" 2 "lines of the table"
	eq "$(of "$ID" '.labels.k')" $'\033]0;x\a\nnext'
	eq "$(of "$ID" '.labels.plain')" 1
	lgood ls -q --filter label=plain=1 --filter "name=$ID"
	eq "$OUT" "$ID"
	lgood ls -q --filter label=plain=2
	eq "$OUT" ""
	lgood ls -q --filter status=exited --filter image=bb
	eq "$OUT" "$ID"
	lbad 'must be name=' ls --filter x
	lbad 'status must be' ls --filter status=up
	over
}

tc lc_deep 'rm: a tree of any depth, and symlinks out of it, are removed; what they lead to stays'
lc_deep() {
	images
	outside
	lgood launch bb "$ID" -- sh -c 'i=0; while [ $i -lt 800 ]; do mkdir d; cd d || exit; i=$((i+1)); done; ln -s / /out; chmod 0 /data'
	ln -s "$T/outside" "$T/data/partitions/$ID/upper/leak"
	lgood rm "$ID"
	untouched
	over
}

tc lc_symlink_root 'launch: an image whose directories are symlinks to the host writes nothing there'
lc_symlink_root() {
	outside
	tree_of_image "$T/tree"
	rmdir "$T/tree/vol"
	ln -s "$T/outside" "$T/tree/vol"
	rm -r "$T/tree/etc" && ln -s "$T/outside" "$T/tree/etc"
	layout "$T/layout" "$T/tree"
	lgood load -q -i "$T/layout"
	grab l launch --rm -v "$ID-v:/vol" bb -- sh -c 'echo x >/vol/x; echo y >/etc/y'
	untouched
	over
}

# --- without root -------------------------------------------------------------------------------------------------------------

tc lc_rootless 'launch without root: from load to rm, with a data directory of its own'
lc_rootless() {
	local u="$T/user" run
	setpriv --reuid 4200 --regid 4200 --clear-groups unshare -U -r true 2>/dev/null || skip "no user namespaces without root"
	[[ -x ${RT%/*}/ringfence-image ]] || skip "no ringfence-image beside $RT"
	tree_of_image "$T/tree"
	layout "$T/layout" "$T/tree"
	chmod -R a+rX "$T/layout"
	chmod 711 "$T"
	mkdir "$u" && chown 4200:4200 "$u"
	run=(setpriv --reuid 4200 --regid 4200 --clear-groups --bounding-set -all --inh-caps -all env -i "PATH=$PATH" "HOME=$u"
		"XDG_RUNTIME_DIR=$u" "$RT" --root "$u/state" --cgroup-manager disabled --data "$u/data")
	grab "${run[@]}" load -q -i "$T/layout"
	eq "$RC" 0 "load"
	grab "${run[@]}" launch bb one -- sh -c 'id -u; cat /data/file; echo x >/new; exit 5'
	eq "$RC" 5
	eq "$OUT" $'0\nfrom-the-image'
	grab "${run[@]}" ls -q
	eq "$OUT" one
	grab "${run[@]}" launch --rm bb two -- true
	eq "$RC" 0
	grab "${run[@]}" rm one
	eq "$RC" 0 rm
	eq "$(find "$u/data/partitions" -mindepth 1 ! -name .gone)" ""
}

tc lc_rootless_ids 'rm without root: what other users of the partition have written is removed, too'
lc_rootless_ids() {
	local u="$T/user" file
	[[ -u $(command -v newuidmap) ]] || getcap "$(command -v newuidmap)" 2>/dev/null | grep -q setuid || skip "no newuidmap (Debian: uidmap)"
	for file in passwd group subuid subgid; do
		[[ -e /etc/$file ]] || skip "no /etc/$file to put another over"
		cat "/etc/$file" >"$T/$file"
	done
	echo 'rft:x:4200:4200::/:/bin/sh' >>"$T/passwd"
	echo 'rft:x:4200:' >>"$T/group"
	echo rft:500000:65536 | tee "$T/subuid" >"$T/subgid"
	[[ -x ${RT%/*}/ringfence-image ]] || skip "no ringfence-image beside $RT"
	tree_of_image "$T/tree"
	layout "$T/layout" "$T/tree"
	chmod -R a+rX "$T/layout"
	chmod 711 "$T"
	mkdir "$u" && chown 4200:4200 "$u"
	as_user() {
		grab unshare --mount --propagation private sh -c 'for f in passwd group subuid subgid; do
				mount --bind "$0/$f" "/etc/$f" || exit 77; done
			exec setpriv --reuid 4200 --regid 4200 --clear-groups env -i PATH="$PATH" HOME="$0/user" XDG_RUNTIME_DIR="$0/user" "$@"' \
			"$T" "$RT" --root "$T/user/state" --cgroup-manager disabled --data "$T/user/data" "$@"
	}
	as_user load -q -i "$T/layout"
	eq "$RC" 0 load
	as_user launch bb one -- sh -c 'mkdir -p /a/b && echo x >/a/b/c && chown -R 1000:1000 /a && chmod 700 /a && ls -ln / | grep " a$"'
	eq "$RC" 0 launch
	has "$OUT" "1000     1000"
	eq "$(stat -c %u "$u/data/partitions/one/upper/a")" 500999
	as_user rm one
	eq "$RC" 0 rm
	eq "$(find "$u/data/partitions" -mindepth 1 ! -name .gone)" ""
}
