# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Docker: a daemon of our own whose configuration names the runtime, with the containerd that it starts itself.

needs dockerd docker.io
needs docker docker.io
needs containerd containerd
needs containerd-shim-runc-v2 containerd

client_setup() {
	local docker want net='{}'
	# Where several are installed, the one that came with the daemon.
	want=$(dockerd --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
	for docker in $(type -ap docker); do [[ $($docker --version) != *" $want"* ]] || break; done
	DOCKER=("${LIMIT[@]}" "$docker")
	export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG=$W/config DOCKER_BUILDKIT=0
	can bridge || net='{"bridge": "none", "iptables": false}'
	jq -n --arg rt "$RT" --arg traced "$TRACED" --arg cg "/$CG" --argjson net "$net" \
		--arg storage "$(can storage && echo overlay2 || echo vfs)" '{
		runtimes: {tested: {path: $rt}, traced: {path: $traced}, talkative: {path: $traced, runtimeArgs: ["--debug"]}},
		"default-runtime": "tested", "cgroup-parent": $cg, "storage-driver": $storage, "exec-opts": ["native.cgroupdriver=cgroupfs"],
		features: {buildkit: false}} + $net' >"$W/daemon.json"
	daemon "$W/dockerd.log" dockerd --config-file "$W/daemon.json" --data-root "$W/data" --exec-root /run/docker \
		--pidfile /run/docker.pid --host "$DOCKER_HOST"
	until_ok 60 d version
	d load -q -i "$IMAGE" && d tag "$BOX" box
}
client_sweep() {
	local id
	for id in $(d ps -aq); do
		d unpause "$id"
		d rm -f "$id"
	done
}
d() { "${DOCKER[@]}" "$@"; }
run() { d run --rm --network=none "$@"; }
up() { # NAME OPTIONS... IMAGE COMMAND...
	local name=$1
	shift
	d run -d --network=none --name "$name" "$@" >/dev/null || die "docker run -d: exit status $?"
	PID=$(look "$name" .State.Pid)
}
look() { d inspect --format "{{$2}}" "$1"; }
is() { [[ $(look "$1" .State.Status) == "$2" ]]; }
said() { d logs "$1" 2>&1 | grep -qF -- "$2"; }
off() { d rm -f "$@" >/dev/null || die "docker rm -f $*"; }

tc docker_runtimes 'runtimes of daemon.json: the default, another, with arguments, an unknown one'
docker_runtimes() {
	eq "$(d info --format '{{.DefaultRuntime}} {{(index .Runtimes "tested").Path}}')" "tested $RT"
	: >"$CALLS"
	eq "$(run --runtime traced box echo words)" words
	match "$(<"$CALLS")" 'create '
	match "$(<"$CALLS")" 'start '
	match "$(<"$CALLS")" 'delete '
	: >"$CALLS"
	eq "$(run --runtime talkative box echo words)" words
	match "$(<"$CALLS")" '^--debug .* create '
	OUT=$(run --runtime nowhere box true 2>&1) && die "an unknown runtime ran"
	imatch "$OUT" 'unknown.* runtime'
}

tc docker_output 'run: both streams, environment, directory, hostname, pid 1, entrypoint'
docker_output() {
	run -e A='x y' -w /made/for/it --hostname zebra box \
		sh -c 'echo "$A,$FROM_IMAGE,$(pwd),$(hostname),$$"; echo wrong >&2' >out 2>err || die "exit status $?"
	eq "$(<out)" "x y,yes,/made/for/it,zebra,1"
	eq "$(<err)" wrong
	eq "$(run --entrypoint /bin/echo box a b)" "a b"
	eq "$(run box strays)" "" "stray descriptors"
}

tc docker_codes 'run: exit codes; 127 for no program, 126 for what cannot be one'
docker_codes() {
	local n
	for n in 0 3 255; do code $n run box sh -c "exit $n"; done
	code 127 run box /no/such/program
	code 127 run box no-such-program
	code 126 run box /etc/passwd
	code 126 run box /etc
}

tc docker_stdin 'run -i: megabytes in, megabytes out'
docker_stdin() {
	eq "$(head -c 4000000 /dev/zero | run -i box wc -c)" 4000000
	eq "$(run box head -c 4000000 /dev/zero | wc -c)" 4000000
}

tc docker_detached 'run -d, inspect, wait, logs, rm: and no cgroup is left'
docker_detached() {
	local id
	up det box sh -c 'echo one; echo two >&2; until [ -e /tmp/stop ]; do sleep 0.1; done; exit 5'
	id=$(look det .Id)
	match "$(tr '\0' ' ' <"/proc/$PID/cmdline")" '^sh -c echo one'
	has "$(<"/proc/$PID/cgroup")" "/$CG/$id"
	touch "/proc/$PID/root/tmp/stop"
	eq "$(d wait det)" 5 "exit code"
	eq "$(d logs det 2>/dev/null)" one
	has "$(d logs det 2>&1 >/dev/null)" two
	eq "$(look det '.State.Status')" exited
	off det
	until_ok 5 no_cgroup "$id"
}

tc docker_stop 'stop: TERM and its own code, KILL for the deaf; kill; death from outside'
docker_stop() {
	up polite box obey
	up deaf box deaf
	until_ok 10 said polite up
	until_ok 10 said deaf up
	ok d kill -s USR1 polite
	until_ok 10 said polite "heard USR1"
	ok d stop -t 20 polite
	eq "$(look polite .State.ExitCode)" 42
	ok d stop -t 1 deaf
	eq "$(look deaf .State.ExitCode)" 137
	fails d kill deaf
	off polite deaf
	up victim box sleep 1000
	kill -9 "$PID"
	eq "$(d wait victim)" 137
	off victim
}

tc docker_restart 'restart; --restart=always after death; on-failure gives up'
docker_restart() {
	up again --restart=always box sh -c 'echo begun >>/log; exec sleep 1000'
	until_ok 10 d exec again test -s /log
	ok d restart -t 0 again
	until_ok 10 eval '[[ $(d exec again wc -l /log) == 2* ]]'
	kill -9 "$(look again .State.Pid)"
	until_ok 20 eval '[[ $(d exec again wc -l /log) == 3* ]]'
	off again
	up tries --restart=on-failure:2 box sh -c 'echo tried; exit 3'
	until_ok 30 eval '[[ $(d logs tries | wc -l) == 3 ]]'
	until_ok 10 is tries exited
	off tries
}

tc docker_pause 'pause and unpause'
docker_pause() {
	up pau box count
	until_ok 10 counts
	ok d pause pau
	eq "$(look pau .State.Status)" paused
	fails counts
	ok d unpause pau
	until_ok 10 counts
	off pau
}

tc docker_exec 'exec: streams, codes, stdin, environment, user, namespaces, --privileged'
docker_exec() {
	local n
	up exe box sleep 1000
	eq "$(d exec exe sh -c 'echo out; echo err >&2' 2>/dev/null)" out
	code 3 d exec exe sh -c 'exit 3'
	match "$(d exec exe /no/such 2>&1 || echo "code $?")" 'code 12[67]$'
	code 126 d exec exe /etc/passwd
	eq "$(head -c 3000000 /dev/zero | d exec -i exe wc -c)" 3000000
	eq "$(d exec -e Q=9 -w /srv -u 7:8 exe sh -c 'echo $Q $(pwd) $(id -u) $(id -g)')" "9 /srv 7 8"
	eq "$(d exec -u ann exe id -G)" "1000 50"
	for n in mnt pid ipc uts net; do eq "$(d exec exe readlink /proc/self/ns/$n)" "$(nslink $n "$PID")" "$n namespace"; done
	fails has_cap "$(d exec exe cat /proc/self/status | mask CapEff)" 21
	if can all_caps; then
		has_cap "$(d exec --privileged exe cat /proc/self/status | mask CapEff)" 21 || die "exec --privileged lacks CAP_SYS_ADMIN"
	fi
	off exe
}
# Docker's --privileged asks for each capability that the kernel has.
try_all_caps() { (((0x$(mask CapBnd </proc/self/status) + 1) == 1 << ($(</proc/sys/kernel/cap_last_cap) + 1))); }

tc docker_tty 'run -it and exec -it: terminals, sizes, owners, typed lines, exit codes'
docker_tty() {
	OUT=$(on_tty "${DOCKER[@]}" run --rm -it --network=none box sh -c 'tty; sleep 0.4; test -t 0 && echo terminal; stty size; sleep 0.4; exit 4')
	eq $? 4 "exit code"
	has "$OUT" terminal
	has "$OUT" "33 91"
	OUT=$(typed 'echo $((6 * 7))' 'exit 8' | on_tty "${DOCKER[@]}" run --rm -it --network=none box sh)
	eq $? 8 "exit code of a typed exit"
	has "$OUT" 42
	has "$(run -t --user 1000 box sh -c 'echo mine >/dev/tty; stat -c "owner %u" $(tty); sleep 0.4')" "owner 1000"
	up ext box sleep 1000
	OUT=$(on_tty "${DOCKER[@]}" exec -it ext sh -c 'test -t 0 && echo terminal; sleep 0.4; exit 6')
	eq $? 6 "exit code of exec"
	has "$OUT" terminal
	off ext
}

tc docker_limits 'limits as seen inside: memory, pids, cpus, cpuset'
docker_limits() {
	need_cg memory pids cpu cpuset
	up lim --memory 64m --memory-reservation 32m --pids-limit 77 --cpus 0.5 --cpuset-cpus "$(first_cpu)" box sleep 1000
	eq "$(d exec lim cat "$(knob memory memory.limit_in_bytes memory.max)")" 67108864 memory
	eq "$(d exec lim cat "$(knob pids pids.max pids.max)")" 77 pids
	eq "$(d exec lim cat "$(knob cpuset cpuset.cpus cpuset.cpus)")" "$(first_cpu)" cpuset
	cg_is cpu cpu.cfs_quota_us 50000 cpu.max "50000 100000"
	fails d exec lim mkdir "$(dirname "$(knob memory x x)")/mine"
	off lim
	OUT=$(run --pids-limit 10 box swarm 2>&1)
	has "$OUT" fork
	hasnt "$OUT" all
}

tc docker_update 'update: memory and cpus; then pids alone, which leaves the rest as it is'
docker_update() {
	need_cg memory cpu pids
	up upd --memory 64m --memory-swap 64m box sleep 1000
	ok d update --memory 128m --memory-swap 128m --cpus 0.3 upd
	cg_is memory memory.limit_in_bytes 134217728 memory.max 134217728
	cg_is cpu cpu.cfs_quota_us 30000 cpu.max "30000 100000"
	ok d update --pids-limit 33 upd
	cg_is pids pids.max 33 pids.max 33
	cg_is memory memory.limit_in_bytes 134217728 memory.max 134217728
	cg_is cpu cpu.cfs_quota_us 30000 cpu.max "30000 100000"
	off upd
}

tc docker_looks 'stats and top'
docker_looks() {
	need_cg memory pids
	up sta --memory 64m box sh -c 'sleep 1234 & while :; do :; done'
	sleep 0.5
	OUT=$(d stats --no-stream --format '{{.MemUsage}};{{.CPUPerc}};{{.PIDs}}' sta)
	match "$OUT" ' 64MiB;.*;2$'
	hasnt "$OUT" ";0.00%"
	OUT=$(d top sta)
	has "$OUT" "sleep 1234"
	has "$OUT" "$PID"
	off sta
}

tc docker_events 'events: the life of one, and the OOM of a child and of the first process'
docker_events() {
	local began events
	need_cg memory
	began=$(date +%s)
	code 137 d run --network=none --name oom --memory 32m --memory-swap 32m box greedy
	eq "$(look oom .State.OOMKilled)" true "OOM of the first process"
	up child --memory 32m --memory-swap 32m box sh -c 'greedy; sleep 1; exit 5'
	eq "$(d wait child)" 5
	eq "$(look child .State.OOMKilled)" true "OOM of a child"
	off oom child
	events=$(d events --since "$began" --until "$(($(date +%s) + 1))" \
		--format '{{.Actor.Attributes.name}} {{.Action}} {{.Actor.Attributes.exitCode}}')
	for what in 'oom create' 'oom start' 'oom oom' 'oom die 137' 'child oom' 'child die 5' 'oom destroy'; do
		has "$events" "$what" events
	done
}

tc docker_files '--read-only, --tmpfs, --shm-size, binds, volumes, propagation'
docker_files() {
	mkdir -p b/sub
	echo outside >b/f
	fails run --read-only box touch /x
	ok run --read-only --tmpfs /tmp box touch /tmp/x
	OUT=$(run --tmpfs /t:rw,size=4m,mode=1770 box sh -c 'stat -c %a /t; dd if=/dev/zero of=/t/f bs=1M count=8' 2>&1)
	has "$OUT" 1770
	has "$OUT" "No space"
	match "$(run --shm-size 7m box df -k /dev/shm)" ' 7168 '
	eq "$(run -v "$T/b:/b" -v "$T/b/f:/etc/one:ro" box sh -c 'cat /b/f /etc/one; echo back >/b/g' | xargs)" "outside outside"
	eq "$(<b/g)" back
	fails run -v "$T/b:/b:ro" box touch /b/h
	ok run -v vol:/srv box sh -c 'echo kept >/srv/f'
	eq "$(run -v vol:/srv box cat /srv/f /srv/seed | xargs)" "kept planted"
	up prop --mount "type=bind,src=$T/b,dst=/b,bind-propagation=rslave" box sleep 1000
	mount -t tmpfs tmpfs b/sub && touch b/sub/late
	d exec prop ls /b/sub >seen
	umount b/sub
	off prop
	eq "$(<seen)" late "a mount made later outside"
}

tc docker_caps '--cap-drop, --cap-add, --user, --group-add, and --privileged'
docker_caps() {
	caps() { run "$@" box cat /proc/self/status | mask CapEff; }
	eq "$(caps --cap-drop all)" 0000000000000000
	eq "$(caps --cap-drop all --cap-add NET_BIND_SERVICE)" 0000000000000400
	fails has_cap "$(caps --cap-drop CHOWN)" 0
	has_cap "$(caps --cap-add SYS_ADMIN)" 21 || die "CAP_SYS_ADMIN not added"
	eq "$(run --user ann --group-add 777 box id -G | tr ' ' '\n' | sort -n | xargs)" "50 777 1000"
	fails run box mount -t tmpfs none /tmp
	if can all_caps; then ok run --privileged box mount -t tmpfs none /tmp; fi
}

tc docker_security '--security-opt: seccomp default, none, a profile; no-new-privileges'
docker_security() {
	eq "$(run box sed -n 's/^Seccomp:.//p' /proc/self/status)" 2
	eq "$(run --security-opt seccomp=unconfined box sed -n 's/^Seccomp:.//p' /proc/self/status)" 0
	profile errno.json '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}'
	has "$(run --security-opt "seccomp=$T/errno.json" box mkdir /tmp/x 2>&1)" "not permitted"
	eq "$(run --user 1000 box busybox-root su -c 'id -u' open)" 0 "set-uid"
	fails run --user 1000 --security-opt no-new-privileges box busybox-root su -c 'id -u' open
}

tc docker_masks 'masked paths, sysctls, ulimits, devices, --init'
docker_masks() {
	eq "$(run box sh -c 'head -c 1 /proc/kcore; ls /proc/acpi /sys/firmware; true' 2>/dev/null | grep -v :)" ""
	has "$(run box sh -c 'echo x >/proc/sys/kernel/domainname' 2>&1)" "Read-only"
	OUT=$(run --sysctl net.ipv4.ip_forward=1 --ulimit nofile=123:456 box sh -c 'cat /proc/sys/net/ipv4/ip_forward; ulimit -Sn; ulimit -Hn')
	eq "$OUT" $'1\n123\n456'
	fails run box sh -c 'mknod /f c 1 1 && : </f'
	if [[ -c /dev/fuse ]]; then
		eq "$(run --device /dev/fuse box sh -c ': <>/dev/fuse && echo opened')" opened
		fails run box sh -c 'mknod /f c 10 229 && : <>/f'
		ok run --device-cgroup-rule 'c 10:229 rwm' box sh -c 'mknod /f c 10 229 && : <>/f'
	fi
	if [[ -n $(type -ap docker-init tini) ]]; then match "$(run --init box cat /proc/1/cmdline | tr '\0' ' ')" init; fi
}

tc docker_namespaces '--pid, --ipc, --uts, --network: host and container:'
docker_namespaces() {
	local n
	for n in pid ipc uts; do eq "$(run --$n=host box readlink /proc/self/ns/$n)" "$(nslink $n)" "$n=host"; done
	eq "$(d run --rm --network=host box readlink /proc/self/ns/net)" "$(nslink net)" network=host
	eq "$(run box ls /sys/class/net)" lo
	up lender --ipc=shareable box sleep 1000
	for n in pid ipc; do eq "$(run --$n container:lender box readlink /proc/self/ns/$n)" "$(nslink $n "$PID")" "$n=container:"; done
	eq "$(d run --rm --network container:lender box readlink /proc/self/ns/net)" "$(nslink net "$PID")" network=container:
	off lender
}

tc docker_network 'network: the default bridge, a published port, a named network with names'
docker_network() {
	local ip
	need_bridge
	match "$(d run --rm box ip -4 addr show eth0)" 'inet [0-9]'
	ok d network create net
	d run -d --name web --network net -p 127.0.0.1:8124:80 box serve docker >/dev/null || die "docker run: exit status $?"
	ip=$(look web '(index .NetworkSettings.Networks "net").IPAddress')
	until_ok 10 fetch "http://$ip/"
	eq "$(fetch "http://$ip/")" "page of docker"
	eq "$(fetch http://127.0.0.1:8124/)" "page of docker" "published port"
	d run --rm --network net box \
		sh -c 'for i in 1 2 3 4 5 6 7 8; do wget -q -O - http://web/ && exit; sleep 0.5; done; exit 1' >page || die "no page by name"
	eq "$(<page)" "page of docker"
	off web
	ok d network rm net
}

tc docker_build 'build (classic): RUN, USER, two stages, a limit; a RUN that fails'
docker_build() {
	need_cg memory
	mkdir context failing
	cat >context/Dockerfile <<-'END'
		FROM box AS one
		ARG WHO=nobody
		RUN echo "built for $WHO" >/made
		RUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max >/limit 2>/dev/null; true
		FROM box
		COPY --from=one /made /limit /
		USER ann
		WORKDIR /home/ann
		RUN ["/bin/sh", "-c", "id -u >who; pwd >>who"]
		CMD cat /made /limit who
	END
	ok d build -q --network=none --memory 64m --build-arg WHO=me -t built context
	eq "$(run built | xargs)" "built for me 67108864 1000 /home/ann"
	printf 'FROM box\nRUN exit 33\n' >failing/Dockerfile
	OUT=$(d build --force-rm --network=none failing 2>&1) && die "a failing RUN succeeded"
	has "$OUT" "non-zero code: 33"
	eq "$(d ps -aq)" "" "containers left"
}

tc docker_registry 'push to a registry on loopback, pull from it, run'
docker_registry() {
	local place=127.0.0.1:5000/box
	command -v docker-registry >/dev/null || skip "docker-registry not installed (Debian: docker-registry)"
	printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:5000"}\n' "$T/store" >registry.yml
	docker-registry serve registry.yml >registry.log 2>&1 &
	until_ok 20 fetch http://127.0.0.1:5000/v2/
	ok d tag box "$place"
	ok d push -q "$place"
	ok d rmi "$place"
	eq "$(run "$place" echo pulled 2>err)" pulled
	has "$(<err)" "Pulling from box"
	ok d rmi "$place"
}

tc docker_health 'a health check that the daemon repeats'
docker_health() {
	healthy() { [[ $(look hea .State.Health.Status) == "$1" ]]; }
	up hea --health-cmd 'test -e /tmp/well' --health-interval 300ms --health-retries 2 box sleep 1000
	until_ok 15 healthy unhealthy
	touch "/proc/$PID/root/tmp/well"
	until_ok 15 healthy healthy
	off hea
}

tc docker_changes 'cp, diff, commit'
docker_changes() {
	up chg box sh -c 'echo new >/srv/added; rm /srv/seed; exec sleep 1000'
	until_ok 10 d exec chg test ! -e /srv/seed
	echo in >cp.in
	ok d cp cp.in chg:/tmp/cp.in
	eq "$(d exec chg cat /tmp/cp.in)" in
	ok d cp chg:/srv/added cp.out
	eq "$(<cp.out)" new
	has "$(d diff chg)" "D /srv/seed"
	ok d commit chg changed
	eq "$(run changed cat /srv/added)" new
	off chg
	ok d rmi changed
}

tc docker_many 'ten at once, each with its own code; eight execs at once'
docker_many() {
	local i
	one() { run box sh -c "sleep 0.5; echo n$1; exit $1"; }
	inside() { d exec crowd sh -c "echo e$1"; }
	at_once 10 one
	for ((i = 1; i <= 10; i++)); do eq "$(<rc.$i) $(<out.$i)" "$i n$i" "$(<err.$i)"; done
	up crowd box sleep 1000
	at_once 8 inside
	for ((i = 1; i <= 8; i++)); do eq "$(<rc.$i) $(<out.$i)" "0 e$i" "$(<err.$i)"; done
	off crowd
}

tc docker_clean 'nothing is left: no container, no cgroup'
docker_clean() {
	eq "$(d ps -a --format '{{.Names}}')" "" "containers of cases that failed, or"
	no_cgroups '^[0-9a-f]{64}$'
}
