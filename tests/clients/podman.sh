# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# podman, which has conmon call the runtime: create, start, state, kill, delete, exec, pause, resume, update.

needs podman podman
needs conmon conmon

client_setup() {
	local network=cni init
	export CONTAINERS_CONF=$W/containers.conf CONTAINERS_STORAGE_CONF=$W/storage.conf CONTAINERS_REGISTRIES_CONF=$W/registries.conf
	[[ -z $(ls -d /usr/lib/podman/netavark /usr/libexec/podman/netavark 2>/dev/null) ]] || network=netavark
	init=$(command -v catatonit || command -v tini || echo /usr/libexec/podman/catatonit)
	cat >"$CONTAINERS_CONF" <<-END
		[containers]
		log_driver = "k8s-file"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		helper_binaries_dir = ["/usr/lib/podman", "/usr/libexec/podman", "/usr/bin"]
		init_path = "$init"
		[network]
		network_backend = "$network"
		network_config_dir = "$W/networks"
	END
	[[ ! -e /usr/share/containers/seccomp.json ]] ||
		sed -i '2i seccomp_profile = "/usr/share/containers/seccomp.json"' "$CONTAINERS_CONF"
	printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "/run/containers"\n' \
		"$(can storage && echo overlay || echo vfs)" "$W/storage" >"$CONTAINERS_STORAGE_CONF"
	: >"$CONTAINERS_REGISTRIES_CONF"
	mkdir "$W/networks"
	POD=("${LIMIT[@]}" podman --runtime "$RT")
	# One at a time is quicker than waiting for locks.
	p load -q -i "$IMAGE" && p image exists "$BOX"
}
client_sweep() { p pod rm -f -a -t 0; p rm -f -a -t 0; }
p() { "${POD[@]}" "$@"; }
# RUN is what starts one in our cgroup; ARGS after it are podman's. run: without a network; gone at its end.
launch() { p run --cgroup-parent="/$CG" "$@"; }
run() { launch --rm --network=none "$@"; }
# up NAME OPTIONS... [IMAGE COMMAND...]: detached; its pid in PID.
up() {
	local name=$1
	shift
	launch -d --network=none --name "$name" "$@" >/dev/null || die "podman run -d: exit status $?"
	PID=$(look "$name" .State.Pid)
}
look() { p inspect --format "{{$2}}" "$1"; }
is() { [[ $(look "$1" .State.Status) == "$2" ]]; }
said() { p logs "$1" 2>&1 | grep -qF -- "$2"; }
off() { p rm -f -t 0 "$@" >/dev/null || die "podman rm -f $*"; }
tty_run() { on_tty "${POD[@]}" run --rm --cgroup-parent="/$CG" --network=none "$@"; }

tc podman_runtime 'the runtime that is named does the work'
podman_runtime() {
	POD[-1]=$TRACED
	: >"$CALLS"
	eq "$(run $BOX echo words)" words
	match "$(<"$CALLS")" 'create '
	match "$(<"$CALLS")" 'delete '
}

tc podman_output 'run: both streams, environment, directory, hostname, pid 1'
podman_output() {
	run -e A='x y' -w /srv --hostname zebra $BOX \
		sh -c 'echo "$A,$FROM_IMAGE,$(pwd),$(hostname),$$"; echo wrong >&2' >out 2>err || die "exit status $?"
	eq "$(<out)" "x y,yes,/srv,zebra,1"
	eq "$(<err)" wrong
}

tc podman_codes 'run: exit codes; 127 for no program, 126 for what cannot be one'
podman_codes() {
	local n
	for n in 0 3 255; do code $n run $BOX sh -c "exit $n"; done
	code 137 run --init $BOX sh -c 'kill -9 $$'
	code 127 run $BOX /no/such/program
	code 127 run $BOX no-such-program
	code 126 run $BOX /etc/passwd
	code 126 run $BOX /etc
	code 126 run -w /srv/seed $BOX true
}

tc podman_stdin 'run -i: megabytes in, megabytes out'
podman_stdin() {
	eq "$(head -c 4000000 /dev/zero | run -i $BOX wc -c)" 4000000
	eq "$(run $BOX head -c 4000000 /dev/zero | wc -c)" 4000000
}

tc podman_fds 'run: no stray descriptors, and --preserve-fds'
podman_fds() {
	eq "$(run $BOX strays)" ""
	eq "$(run --preserve-fds=1 $BOX sh -c 'cat <&3' 3<<<third)" third
}

tc podman_detached 'run -d, inspect, wait, logs, rm: and nothing is left'
podman_detached() {
	local id
	up det $BOX sh -c 'echo one; echo two >&2; until [ -e /tmp/stop ]; do sleep 0.1; done; exit 5'
	id=$(look det .Id)
	match "$(tr '\0' ' ' <"/proc/$PID/cmdline")" '^sh -c echo one'
	has "$(<"/proc/$PID/cgroup")" "$CG"
	touch "/proc/$PID/root/tmp/stop"
	eq "$(p wait det)" 5 "exit code"
	eq "$(p logs det 2>/dev/null)" one
	has "$(p logs det 2>&1 >/dev/null)" two
	eq "$(look det '.State.Status')" exited
	off det
	until_ok 5 no_cgroup "$id"
	[[ ! -e $W/storage/overlay-containers/$id && -z $(find /run -name "$id" ! -path '*/crun/*.lock') ]] || die "directories are left of $id"
}

tc podman_create 'create, init, start -a, and once more'
podman_create() {
	p create --cgroup-parent="/$CG" --network=none --name made $BOX echo begun >/dev/null || die create
	eq "$(look made .State.Status)" created
	ok p init made
	eq "$(look made .State.Status)" initialized
	eq "$(p start -a made)" begun
	eq "$(p start -a made)" begun "second start"
	off made
}

tc podman_stop 'stop: TERM and its own code, --stop-signal, KILL for the deaf'
podman_stop() {
	up polite $BOX obey
	up other --stop-signal HUP $BOX obey
	up deaf $BOX deaf
	until_ok 10 said polite up
	until_ok 10 said other up
	until_ok 10 said deaf up
	ok p stop -t 20 polite
	ok p stop -t 20 other
	ok p stop -t 1 deaf
	eq "$(look polite .State.ExitCode)" 42
	has "$(p logs polite)" "heard TERM"
	eq "$(look other .State.ExitCode)" 43
	eq "$(look deaf .State.ExitCode)" 137
	off polite other deaf
}

tc podman_kill 'kill: by name, by number, of a dead one; death from outside is noticed'
podman_kill() {
	up kil $BOX obey
	until_ok 10 said kil up
	ok p kill -s USR1 kil
	until_ok 10 said kil "heard USR1"
	ok p kill -s 15 kil
	eq "$(p wait kil)" 42
	fails p kill kil
	off kil
	up victim $BOX sleep 1000
	kill -9 "$PID"
	eq "$(p wait victim)" 137
	off victim
}

tc podman_restart 'restart, and --restart=on-failure'
podman_restart() {
	up again $BOX sh -c 'echo begun >>/log; exec sleep 1000'
	until_ok 10 p exec again test -s /log
	ok p restart -t 0 again
	until_ok 10 eval '[[ $(p exec again wc -l /log) == 2* ]]'
	off again
	up tries --restart=on-failure:2 $BOX sh -c 'echo tried; exit 3'
	until_ok 30 eval '[[ $(p logs tries | wc -l) == 3 ]]'
	until_ok 10 is tries exited
	eq "$(look tries .RestartCount)" 2
	off tries
}

tc podman_pause 'pause and unpause; exec is refused between; rm -f of a paused one'
podman_pause() {
	up pau $BOX count
	until_ok 10 counts
	ok p pause pau
	eq "$(look pau .State.Status)" paused
	fails counts
	fails p exec pau true
	ok p unpause pau
	until_ok 10 counts
	ok p pause pau
	off pau
	until_ok 5 dead "$PID"
}

tc podman_exec 'exec: streams, codes, 127 and 126, stdin, environment, user, detached'
podman_exec() {
	up exe $BOX sleep 1000
	eq "$(p exec exe sh -c 'echo out; echo err >&2' 2>/dev/null)" out
	code 3 p exec exe sh -c 'exit 3'
	code 143 p exec exe sh -c 'kill -15 $$'
	code 127 p exec exe /no/such
	code 126 p exec exe /etc/passwd
	eq "$(head -c 3000000 /dev/zero | p exec -i exe wc -c)" 3000000
	eq "$(p exec -e Q=9 -w /srv -u 7:8 exe sh -c 'echo $Q $(pwd) $(id -u) $(id -g)')" "9 /srv 7 8"
	eq "$(p exec -u ann exe id -G)" "1000 50"
	ok p exec -d exe sh -c 'echo went >/tmp/detached; sleep 1000'
	until_ok 10 grep -q went "/proc/$PID/root/tmp/detached"
	off exe
}

tc podman_exec_inside 'exec joins every namespace and cgroup; --privileged has more capabilities'
podman_exec_inside() {
	local n
	up joi --cgroupns=host $BOX sleep 1000
	for n in mnt pid ipc uts net cgroup; do eq "$(p exec joi readlink /proc/self/ns/$n)" "$(nslink $n "$PID")" "$n namespace"; done
	eq "$(p exec joi cat /proc/self/cgroup)" "$(<"/proc/$PID/cgroup")" cgroups
	n=$(p exec joi cat /proc/self/status | mask CapEff)
	fails has_cap "$n" 21
	eq "$n" "$(mask CapEff <"/proc/$PID/status")"
	has_cap "$(p exec --privileged joi cat /proc/self/status | mask CapEff)" 21 || die "exec --privileged lacks CAP_SYS_ADMIN"
	off joi
}

tc podman_tty 'run -it: a terminal with our size and the right owner, typed lines, exit code'
podman_tty() {
	OUT=$(tty_run -it $BOX sh -c 'tty; test -t 0 && test -t 1 && echo terminal; stty size; test -c /dev/console && echo console; sleep 0.4; exit 4')
	eq $? 4 "exit code"
	has "$OUT" /dev/
	has "$OUT" terminal
	has "$OUT" "33 91"
	has "$OUT" console
	OUT=$(typed 'echo $((6 * 7))' 'exit 8' | tty_run -it $BOX sh)
	eq $? 8 "exit code of a typed exit"
	has "$OUT" 42
	has "$(tty_run -t --user 1000 $BOX sh -c 'echo mine >/dev/tty; stat -c "owner %u" $(tty); sleep 0.4')" "owner 1000"
}

tc podman_exec_tty 'exec -it: a terminal, its size, exit code'
podman_exec_tty() {
	up ext $BOX sleep 1000
	OUT=$(on_tty "${POD[@]}" exec -it ext sh -c 'tty; sleep 0.4; stty size; sleep 0.4; exit 6')
	eq $? 6 "exit code"
	has "$OUT" /dev/pts/
	has "$OUT" "33 91"
	off ext
}

tc podman_volumes 'volumes: bind, read-only, a file, options, propagation; a named one is filled from the image'
podman_volumes() {
	mkdir -p b/sub
	echo outside >b/f
	eq "$(run -v "$T/b:/b" $BOX sh -c 'cat /b/f; echo back >/b/g')" outside
	eq "$(<b/g)" back
	fails run -v "$T/b:/b:ro" $BOX touch /b/h
	eq "$(run -v "$T/b/f:/etc/one:ro" $BOX cat /etc/one)" outside
	match "$(run -v "$T/b:/b:nosuid,nodev,noexec" $BOX grep ' /b ' /proc/self/mounts)" 'nosuid,nodev,noexec'
	eq "$(run -v "$T/b:/no/such/yet" $BOX cat /no/such/yet/f)" outside
	ok run -v vol:/srv $BOX sh -c 'echo kept >/srv/f'
	eq "$(run -v vol:/srv $BOX cat /srv/f /srv/seed | xargs)" "kept planted"
	up prop -v "$T/b:/b:rslave" $BOX sleep 1000
	mount -t tmpfs tmpfs b/sub && touch b/sub/late
	p exec prop ls /b/sub >seen
	umount b/sub
	off prop
	eq "$(<seen)" late "a mount made later outside"
}

tc podman_tmpfs '--tmpfs with size and mode, --shm-size, --read-only'
podman_tmpfs() {
	OUT=$(run --tmpfs /t:size=4m,mode=1770 $BOX sh -c 'stat -c %a /t; dd if=/dev/zero of=/t/f bs=1M count=8' 2>&1)
	has "$OUT" 1770
	has "$OUT" "No space"
	match "$(run --shm-size 7m $BOX df -k /dev/shm)" ' 7168 '
	OUT=$(run --read-only $BOX sh -c 'touch /x /srv/y; touch /tmp/z && echo wrote' 2>&1)
	match "$OUT" 'x: Read-only'
	match "$OUT" 'y: Read-only'
	has "$OUT" wrote
}

tc podman_limits 'limits as seen inside: memory, pids, cpus, cpuset, weight'
podman_limits() {
	need_cg memory pids cpu cpuset
	up lim --memory 64m --memory-reservation 32m --pids-limit 77 --cpus 0.5 --cpuset-cpus "$(first_cpu)" $BOX sleep 1000
	eq "$(p exec lim cat "$(knob memory memory.limit_in_bytes memory.max)")" 67108864 memory
	eq "$(p exec lim cat "$(knob memory memory.soft_limit_in_bytes memory.low)")" 33554432 reservation
	eq "$(p exec lim cat "$(knob pids pids.max pids.max)")" 77 pids
	eq "$(p exec lim cat "$(knob cpuset cpuset.cpus cpuset.cpus)")" "$(first_cpu)" cpuset
	eq "$(p exec lim nproc)" 1 nproc
	cg_is cpu cpu.cfs_quota_us 50000 cpu.max "50000 100000"
	fails p exec lim mkdir "$(dirname "$(knob memory x x)")/mine"
	off lim
}

tc podman_enforced 'limits that act: OOM kill, fork refused, throttled'
podman_enforced() {
	need_cg memory pids cpu
	code 137 run --memory 32m --memory-swap 32m $BOX greedy
	OUT=$(run --pids-limit 10 $BOX swarm 2>&1)
	has "$OUT" fork
	hasnt "$OUT" all
	OUT=$(run --cpus 0.2 $BOX sh -c "timeout 2 sh -c 'while :; do :; done'; cat $(knob cpu cpu.stat cpu.stat)")
	at_least "$(sed -n 's/^nr_throttled //p' <<<"$OUT")" 5 "times throttled"
}

tc podman_update 'update --memory --cpus of a running one'
podman_update() {
	need_cg memory cpu
	p update --help >/dev/null 2>&1 || skip "this podman has no update"
	up upd --memory 64m $BOX sleep 1000
	ok p update --memory 128m --cpus 0.3 upd
	cg_is memory memory.limit_in_bytes 134217728 memory.max 134217728
	cg_is cpu cpu.cfs_quota_us 30000 cpu.max "30000 100000"
	off upd
}

tc podman_looks 'stats and top'
podman_looks() {
	need_cg memory pids
	up sta --memory 64m $BOX sh -c 'sleep 1234 & while :; do :; done'
	sleep 0.5
	OUT=$(p stats --no-stream --format '{{.MemUsage}};{{.PIDs}}' sta)
	match "$OUT" '67\.1.?M|64M'
	match "$OUT" ';2$'
	has "$(p top sta pid args)" "sleep 1234"
	off sta
}

tc podman_health 'healthcheck'
podman_health() {
	up hea --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 $BOX sleep 1000
	fails p healthcheck run hea
	touch "/proc/$PID/root/tmp/well"
	ok p healthcheck run hea
	eq "$(look hea .State.Health.Status)" healthy
	off hea
}

tc podman_init '--init: somebody else is pid 1 and reaps'
podman_init() {
	command -v catatonit >/dev/null || command -v tini >/dev/null || skip "no init for containers (Debian: catatonit)"
	OUT=$(run --init $BOX sh -c '(sleep 0.1 &); cat /proc/1/cmdline; echo; sleep 0.5; ps -o stat')
	match "$OUT" init
	hasnt "$OUT" Z
}

tc podman_userns '--uidmap: the map, owners outside, exec, a terminal'
podman_userns() {
	need_ns
	mkdir b && chown 100000:100000 b
	up usr --uidmap 0:100000:5000 --gidmap 0:100000:5000 -v "$T/b:/b" $BOX sh -c 'touch /b/f; exec sleep 1000'
	match "$(p exec usr cat /proc/self/uid_map)" '0 +100000 +5000'
	eq "$(p exec usr id -u)" 0
	eq "$(p exec -u ann usr id -u)" 1000
	until_ok 5 test -e b/f
	eq "$(stat -c %u:%g b/f)" 100000:100000
	match "$(sed -n 's/^Uid://p' "/proc/$PID/status")" 100000
	off usr
	has "$(tty_run -t --uidmap 0:100000:5000 $BOX sh -c 'test -t 0 && tty; sleep 0.4')" /dev/
}

tc podman_caps 'capabilities: dropped, added, none for users; no-new-privileges stops set-uid'
podman_caps() {
	caps() { run "$@" $BOX cat /proc/self/status | mask "$MASK"; }
	MASK=CapEff
	eq "$(caps --cap-drop all)" 0000000000000000
	eq "$(caps --cap-drop all --cap-add NET_BIND_SERVICE)" 0000000000000400
	has_cap "$(caps --cap-add SYS_ADMIN)" 21 || die "CAP_SYS_ADMIN not added"
	fails has_cap "$(caps --cap-drop CHOWN)" 0
	eq "$(caps --user 1000)" 0000000000000000
	MASK=CapBnd
	eq "$(caps --cap-drop all)" 0000000000000000 "bounding set"
	eq "$(run --user 1000 $BOX busybox-root su -c 'id -u' open)" 0 "set-uid"
	fails run --user 1000 --security-opt no-new-privileges $BOX busybox-root su -c 'id -u' open
}

tc podman_groups '--user and its groups, --group-add'
podman_groups() {
	eq "$(run --user 1234:4321 $BOX sh -c 'id -u; id -g' | xargs)" "1234 4321"
	eq "$(run --user ann --group-add 777 $BOX id -G | tr ' ' '\n' | sort -n | xargs)" "50 777 1000"
}

tc podman_seccomp 'seccomp: the default, none, a profile with errno, arguments, kill'
podman_seccomp() {
	eq "$(run $BOX sed -n 's/^Seccomp:.//p' /proc/self/status)" 2
	eq "$(run --security-opt seccomp=unconfined $BOX sed -n 's/^Seccomp:.//p' /proc/self/status)" 0
	profile errno.json "$NO_MKDIR"
	has "$(run --security-opt "seccomp=$T/errno.json" $BOX mkdir /tmp/x 2>&1)" "not supported"
	profile args.json '{"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}'
	OUT=$(run --security-opt "seccomp=$T/args.json" $BOX \
		sh -c 'trap "" USR1 USR2; kill -USR1 $$ || echo refused; kill -USR2 $$ && echo let' 2>/dev/null)
	eq "$OUT" $'refused\nlet'
	profile kill.json '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}'
	code 159 run --security-opt "seccomp=$T/kill.json" $BOX mkdir /tmp/x
}

tc podman_devices 'devices: the default ones, --device, its permissions; others cannot be opened'
podman_devices() {
	eq "$(run $BOX sh -c 'for d in null zero full random urandom tty ptmx; do test -c /dev/$d || echo no $d; done')" ""
	eq "$(run $BOX sh -c 'echo x >/dev/null; for d in fd stdin stdout stderr; do test -L /dev/$d || echo no $d; done')" ""
	fails run $BOX sh -c 'mknod /f c 1 1 && : </f'
	need_cg devices
	[[ -c /dev/fuse ]] || skip "no /dev/fuse to give"
	eq "$(run --device /dev/fuse:/dev/mine $BOX sh -c ': <>/dev/mine && stat -c %t:%T /dev/mine')" a:e5
	fails run --device /dev/fuse:/dev/mine:r $BOX sh -c ': >/dev/mine'
}

tc podman_masks 'masked and read-only paths, sysctls, ulimits, oom_score_adj'
podman_masks() {
	eq "$(run $BOX sh -c 'head -c 1 /proc/kcore; ls /proc/acpi /sys/firmware; true' 2>/dev/null | grep -v :)" ""
	has "$(run $BOX sh -c 'echo x >/proc/sys/kernel/domainname' 2>&1)" "Read-only"
	OUT=$(run --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=65000 $BOX cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax)
	eq "$OUT" $'1\n65000'
	# nproc, too, for podman's own default may be more than root can raise
	OUT=$(run --ulimit nofile=123:456 --ulimit nproc=1000:1000 --ulimit core=0 $BOX sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c')
	eq "$OUT" $'123\n456\n0'
	eq "$(run --oom-score-adj 321 $BOX cat /proc/self/oom_score_adj)" 321
}

tc podman_hooks '--hooks-dir: each stage gets the state on stdin; one that fails stops the start'
podman_hooks() {
	local stage
	mkdir hooks failing
	printf '#!/bin/sh\n{ echo "stage $1"; cat; echo; } >>%q\n' "$T/told" >hook
	chmod 755 hook
	for stage in prestart createRuntime poststart poststop; do
		jq -n --arg h "$T/hook" --arg s $stage \
			'{version: "1.0.0", hook: {path: $h, args: ["hook", $s]}, when: {always: true}, stages: [$s]}' >hooks/$stage.json
	done
	ok p --hooks-dir "$T/hooks" run --cgroup-parent="/$CG" --network=none --name hooked $BOX true
	ok p --hooks-dir "$T/hooks" rm -f hooked
	eq "$(sed -n 's/^stage //p' told | xargs)" "prestart createRuntime poststart poststop"
	json "$(grep -v ^stage told | jq -s .)" 'length == 4 and all(.id and .ociVersion and .bundle and .status) and .[0].pid > 0'
	jq -n '{version: "1.0.0", hook: {path: "/bin/false"}, when: {always: true}, stages: ["createRuntime"]}' >failing/f.json
	OUT=$(p --hooks-dir "$T/failing" run --rm --cgroup-parent="/$CG" --network=none $BOX echo ran 2>/dev/null) && die "succeeded"
	eq "$OUT" ""
}

tc podman_rootfs '--rootfs, and --cgroupns'
podman_rootfs() {
	cp -a "$ROOTFS" root
	eq "$(run --rootfs "$T/root" cat /srv/seed)" planted
	eq "$(run --cgroupns=private $BOX cat /proc/self/cgroup | grep -v -e name= -e ':/$' -e '/\.\.')" ""
	has "$(run --cgroupns=host $BOX cat /proc/self/cgroup)" "$CG"
}

tc podman_namespaces '--pid, --ipc, --uts, --network: host and container:'
podman_namespaces() {
	local n
	for n in pid ipc uts; do eq "$(run --$n=host $BOX readlink /proc/self/ns/$n)" "$(nslink $n)" "$n=host"; done
	eq "$(launch --rm --network=host $BOX readlink /proc/self/ns/net)" "$(nslink net)" network=host
	eq "$(run $BOX ls /sys/class/net)" lo
	up lender --ipc=shareable $BOX sleep 1000
	for n in pid ipc; do eq "$(run --$n container:lender $BOX readlink /proc/self/ns/$n)" "$(nslink $n "$PID")" "$n=container:"; done
	eq "$(launch --rm --network container:lender $BOX readlink /proc/self/ns/net)" "$(nslink net "$PID")" network=container:
	off lender
}

tc podman_pidhost '--pid=host: rm -f takes the children along, too'
podman_pidhost() {
	local child
	up shared --pid=host $BOX sh -c 'sleep 1000 & echo $! >/n; wait'
	until_ok 5 test -s "/proc/$PID/root/n"
	child=$(number)
	alive "$child" || die "no child $child"
	off shared
	until_ok 5 dead "$PID"
	until_ok 5 dead "$child"
}

tc podman_pod 'pods: what they share and what not, one cgroup above them'
podman_pod() {
	local n a b
	ok p pod create --cgroup-parent="/$CG" --network=none --share ipc,net,uts --infra-image "$BOX" --infra-command /bin/obey \
		--name pod --hostname podhost
	ok p run -d --pod pod --name one $BOX sleep 1000
	ok p run -d --pod pod --name two $BOX sleep 1000
	a=$(look one .State.Pid) b=$(look two .State.Pid)
	for n in ipc net uts; do eq "$(nslink $n "$a")" "$(nslink $n "$b")" "$n namespace"; done
	for n in mnt pid; do ne "$(nslink $n "$a")" "$(nslink $n "$b")" "$n namespace"; done
	eq "$(p exec one hostname)" podhost
	ok p pod stop -t 0 pod
	until_ok 5 dead "$a"
	ok p pod rm -f pod
}

tc podman_bridge 'network bridge: from outside, published, from another container, by name'
podman_bridge() {
	local ip
	need_bridge
	ok p network create --subnet 10.91.7.0/24 net
	launch -d --name web --network net -p 8123:80 $BOX serve podman >/dev/null || die "podman run: exit status $?"
	ip=$(look web '(index .NetworkSettings.Networks "net").IPAddress')
	match "$ip" '^10\.91\.7\.'
	until_ok 10 fetch "http://$ip/"
	eq "$(fetch "http://$ip/")" "page of podman"
	eq "$(fetch http://10.91.7.1:8123/)" "page of podman" "published port"
	eq "$(launch --rm --network net $BOX wget -q -O - "http://$ip/")" "page of podman"
	if [[ -x /usr/lib/podman/aardvark-dns ]]; then
		launch --rm --network net $BOX \
			sh -c 'for i in 1 2 3 4 5 6 7 8; do wget -q -O - http://web/ && exit; sleep 0.5; done; exit 1' >page ||
			die "no page by name"
		eq "$(<page)" "page of podman"
	fi
	off web
	ok p network rm net
}

tc podman_many 'ten at once, each with its own code; ten execs at once'
podman_many() {
	local i
	one() { run --name "many$1" $BOX sh -c "sleep 0.5; echo n$1; exit $1"; }
	inside() { p exec crowd sh -c "echo e$1"; }
	at_once 10 one
	for ((i = 1; i <= 10; i++)); do eq "$(<rc.$i) $(<out.$i)" "$i n$i" "$(<err.$i)"; done
	up crowd $BOX sleep 1000
	at_once 10 inside
	for ((i = 1; i <= 10; i++)); do eq "$(<rc.$i) $(<out.$i)" "0 e$i" "$(<err.$i)"; done
	off crowd
}

tc podman_checkpoint 'checkpoint and restore, if the runtime has them'
podman_checkpoint() {
	"${LIMIT[@]}" "$RT" checkpoint --help >/dev/null 2>&1 || skip "the runtime has no checkpoint"
	command -v criu >/dev/null && criu check >/dev/null 2>&1 || skip "criu does not work on this kernel"
	up chk $BOX count
	sleep 1
	ok p container checkpoint chk
	eq "$(look chk .State.Status)" exited
	ok p container restore chk
	PID=$(look chk .State.Pid)
	at_least "$(number)" 5 "where the count goes on"
	until_ok 5 counts
	off chk
}

tc podman_clean 'nothing is left: no container, no state, no cgroup'
podman_clean() {
	eq "$(p ps -a --format '{{.Names}}')" "" "containers of cases that failed, or"
	no_cgroups '^libpod-[0-9a-f]{64}$'
}
