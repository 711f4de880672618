# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Kubernetes' way: a pod sandbox and containers in it, through the CRI plugin of containerd, with the runtime behind a handler (what a
# RuntimeClass names). kubelet.py stands in for the kubelet.

# The Python that Debian's grpc belongs to, whatever else is in PATH.
PYTHON=$(for p in $(type -ap python3) /usr/bin/python3; do "$p" -c 'import grpc' 2>/dev/null && echo "$p" && break; done)

needs containerd containerd
needs ctr containerd
needs containerd-shim-runc-v2 containerd
needs python3 python3
[[ -n $PYTHON ]] || MISSING+=("Python's grpc (Debian: python3-grpcio)")

client_setup() {
	local plugin='plugins."io.containerd.grpc.v1.cri"'
	cat >"$W/config.toml" <<-END
		version = 2
		root = "$W/root"
		state = "/run/containerd"
		[$plugin]
		sandbox_image = "localhost/pause:latest"
		restrict_oom_score_adj = true
		disable_apparmor = true
		[$plugin.cni]
		bin_dir = "/usr/lib/cni"
		conf_dir = "$W/cni"
		[$plugin.containerd]
		snapshotter = "$(can storage && echo overlayfs || echo native)"
		default_runtime_name = "tested"
		[$plugin.containerd.runtimes.tested]
		runtime_type = "io.containerd.runc.v2"
		[$plugin.containerd.runtimes.tested.options]
		BinaryName = "$RT"
		[$plugin.containerd.runtimes.traced]
		runtime_type = "io.containerd.runc.v2"
		[$plugin.containerd.runtimes.traced.options]
		BinaryName = "$TRACED"
		[$plugin.containerd.runtimes.sandboxed]
		runtime_type = "io.containerd.runc.v2"
		[$plugin.containerd.runtimes.sandboxed.options]
		BinaryName = "$W/sandboxed/ringfence-sandbox"
	END
	# A copy: a symlink would be resolved, and its name lost.
	mkdir "$W/sandboxed" && cp -L "$RT" "$W/sandboxed/ringfence-sandbox"
	! [[ -x ${RT%/*}/ringfence-guest ]] || cp -L "${RT%/*}/ringfence-guest" "$W/sandboxed/"
	mkdir "$W/cni" "$W/logs"
	jq -n --arg dir "$W/leases" '{cniVersion: "0.4.0", name: "pods", plugins: [{type: "bridge", bridge: "pods0", isGateway: true,
		ipam: {type: "host-local", dataDir: $dir, ranges: [[{subnet: "10.92.7.0/24"}]], routes: [{dst: "0.0.0.0/0"}]}}]}' >"$W/cni/pods.conflist"
	daemon "$W/containerd.log" containerd --config "$W/config.toml"
	until_ok 30 ctr version
	mkdir "$W/requests" && mkfifo "$W/kubelet"
	daemon "$W/kubelet.log" "$PYTHON" "$CLIENTS/kubelet.py" /run/containerd/containerd.sock "$W/kubelet"
	until_ok 30 cri Version
	make_archive "$W/pause.tar" localhost/pause:latest "$ROOTFS" /bin/sleep 1000000
	ctr -n k8s.io image import "$IMAGE" && ctr -n k8s.io image import "$W/pause.tar"
}
# cri METHOD [JSON]: the answer on stdout; or the error on stderr, and 1.
cri() {
	local dir answer
	dir=$(mktemp -d "$W/requests/XXXXXX") && mkfifo "$dir/answer" || return 1
	printf '%s\n%s' "$1" "${2-"{}"}" >"$dir/request"
	echo "$dir" >"$W/kubelet"
	answer=$("${LIMIT[@]}" cat "$dir/answer")
	if [[ ${answer%%$'\n'*} == 0 ]]; then
		echo "${answer#*$'\n'}"
	else
		echo "${answer#*$'\n'}" >&2
		return 1
	fi
}

client_sweep() {
	local id
	for id in $(cri ListPodSandbox | jq -r '.items[]?.id'); do (off "$id"); done
}

# Values of NamespaceMode in the protocol.
OF_POD=0 OF_CONTAINER=1 OF_NODE=2
# pod NAME [FILTER [HANDLER]]: a sandbox on the host's network unless the filter changes that; its id in POD.
pod() {
	mkdir -p "$W/logs/$1"
	SANDBOX=$(jq -cn --arg n "$1" --arg cg "/$CG" --arg logs "$W/logs/$1" \
		--argjson modes "{\"network\": $OF_NODE, \"pid\": $OF_CONTAINER, \"ipc\": $OF_POD}" \
		'{metadata: {name: $n, uid: $n, namespace: "tests"}, log_directory: $logs,
			linux: {cgroup_parent: $cg, security_context: {namespace_options: $modes}}}'" | ${2:-.}")
	POD=$(jq -cn --argjson c "$SANDBOX" --arg h "${3-tested}" '{config: $c, runtime_handler: $h}')
	POD=$(cri RunPodSandbox "$POD" | jq -re .pod_sandbox_id) || die "RunPodSandbox $1"
}
# container NAME FILTER COMMAND...: created and started in POD; its id in ID, its pid in PID, its log in LOG.
container() {
	local config name=$1 filter=$2
	shift 2
	LOG=$(jq -r .log_directory <<<"$SANDBOX")/$name
	config=$(jq -cn --arg n "$name" --arg i "$BOX" \
		'{metadata: {name: $n}, image: {image: $i}, log_path: $n, command: $ARGS.positional, linux: {}}'" | $filter" --args -- "$@")
	ID=$(jq -cn --arg p "$POD" --argjson c "$config" --argjson s "$SANDBOX" '{pod_sandbox_id: $p, config: $c, sandbox_config: $s}')
	ID=$(cri CreateContainer "$ID" | jq -re .container_id) || die "CreateContainer $name"
	cri StartContainer "{\"container_id\": \"$ID\"}" >/dev/null || die "StartContainer $name"
	PID=$(ctr -n k8s.io task ls | awk -v id="$ID" '$1 == id { print $2 }')
}
look() { cri ContainerStatus "{\"container_id\": \"$1\"}" | jq -r ".status$2"; }
# 2 is CONTAINER_EXITED
exited() { [[ $(look "$1" .state) == 2 ]]; }
ex() { # ID COMMAND...
	local answer id=$1
	shift
	answer=$(cri ExecSync "$(jq -cn --arg i "$id" '{container_id: $i, timeout: 20, cmd: $ARGS.positional}' --args -- "$@")") || return 99
	jq -rj '.stdout // ""' <<<"$answer"
	jq -rj '.stderr // ""' <<<"$answer" >&2
	return "$(jq '.exit_code // 0' <<<"$answer")"
}
stop() { cri StopContainer "{\"container_id\": \"$1\", \"timeout\": $2}" >/dev/null || die "StopContainer"; }
off() { # POD
	cri StopPodSandbox "{\"pod_sandbox_id\": \"$1\"}" >/dev/null || die "StopPodSandbox"
	cri RemovePodSandbox "{\"pod_sandbox_id\": \"$1\"}" >/dev/null || die "RemovePodSandbox"
}

tc cri_handlers 'runtime handlers: the sandbox and its container by the one that is named; an unknown one'
cri_handlers() {
	: >"$CALLS"
	pod handled . traced
	eq "$(cri PodSandboxStatus "{\"pod_sandbox_id\": \"$POD\"}" | jq -r '.status | "\(.state // 0) \(.runtime_handler)"')" "0 traced"
	container c . sleep 1000
	eq "$(ex "$ID" echo words)" words
	off "$POD"
	eq "$(grep -c 'create ' "$CALLS") $(grep -c 'exec ' "$CALLS")" "2 1" "create and exec in: $(<"$CALLS")"
	OUT=$( (pod no . nowhere) 2>&1) && die "an unknown handler ran"
	has "$OUT" 'no runtime for "nowhere"'
}

tc cri_exit 'a container that ends: its code, and both streams in its log; no such program'
cri_exit() {
	pod ends
	container c . sh -c 'echo out; echo wrong >&2; exit 7'
	until_ok 10 exited "$ID"
	eq "$(look "$ID" .exit_code)" 7
	match "$(<"$LOG")" 'stdout F out'
	match "$(<"$LOG")" 'stderr F wrong'
	OUT=$(container none . /no/such/program 2>&1) && die "started"
	has "$OUT" /no/such/program
	off "$POD"
}

tc cri_exec 'ExecSync: streams, codes, timeout; what timed out is killed'
cri_exec() {
	pod execs
	container c . sleep 1000
	eq "$(ex "$ID" sh -c 'echo out; echo wrong >&2' 2>err)" out
	eq "$(<err)" wrong
	code 3 ex "$ID" sh -c 'exit 3'
	fails ex "$ID" /no/such
	OUT=$(cri ExecSync "{\"container_id\": \"$ID\", \"cmd\": [\"sleep\", \"77\"], \"timeout\": 1}" 2>&1) && die "no timeout"
	imatch "$OUT" 'deadline|timed out|timeout'
	hasnt "$(ex "$ID" ps)" "sleep 77"
	off "$POD"
}

tc cri_stop 'StopContainer: TERM, and KILL after the grace period; RemoveContainer'
cri_stop() {
	local log
	pod stops
	container obey . obey
	log=$LOG
	until_ok 10 grep -q up "$log"
	stop "$ID" 20
	eq "$(look "$ID" .exit_code)" 42
	has "$(<"$log")" "heard TERM"
	container deaf . deaf
	until_ok 10 grep -q up "$LOG"
	stop "$ID" 1
	eq "$(look "$ID" .exit_code)" 137
	cri RemoveContainer "{\"container_id\": \"$ID\"}" >/dev/null || die RemoveContainer
	fails look "$ID" .state
	until_ok 5 no_cgroup "$ID"
	off "$POD"
}

tc cri_shared 'two containers of a pod: what they share and what not'
cri_shared() {
	local n first modes=".linux.security_context.namespace_options = {network: $OF_NODE, pid: $OF_POD, ipc: $OF_POD}"
	pod shares "$modes"
	container one "$modes" sleep 1000
	first=$PID
	container two "$modes" sleep 1000
	for n in pid ipc net; do eq "$(nslink $n "$first")" "$(nslink $n "$PID")" "$n namespace"; done
	ne "$(nslink mnt "$first")" "$(nslink mnt "$PID")" "mount namespace"
	has "$(ex "$ID" ps)" "sleep 1000000"
	off "$POD"
	until_ok 5 dead "$first"
}

tc cri_network 'a pod with a network and sysctls of its own'
cri_network() {
	need_bridge
	[[ -x /usr/lib/cni/bridge ]] || skip "no CNI plugins (Debian: containernetworking-plugins)"
	pod net 'del(.linux.security_context.namespace_options.network) | .hostname = "zebra" | .linux.sysctls = {"net.ipv4.ip_forward": "1"}'
	container c "del(.x)" serve cri
	match "$(ex "$ID" ip -4 addr show eth0)" 'inet 10\.92\.7\.'
	eq "$(ex "$ID" hostname)" zebra
	eq "$(ex "$ID" cat /proc/sys/net/ipv4/ip_forward)" 1
	n=$(cri PodSandboxStatus "{\"pod_sandbox_id\": \"$POD\"}" | jq -r .status.network.ip)
	until_ok 10 fetch "http://$n/"
	eq "$(fetch "http://$n/")" "page of cri"
	off "$POD"
}

tc cri_resources 'resources, their update, statistics'
cri_resources() {
	need_cg memory cpu
	pod res
	container c '.linux.resources = {memory_limit_in_bytes: 67108864, cpu_quota: 50000, cpu_period: 100000}' sh -c 'while :; do :; done'
	cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
	cg_is cpu cpu.cfs_quota_us 50000 cpu.max "50000 100000"
	has "$(<"/proc/$PID/cgroup")" "/$CG/$ID"
	ok cri UpdateContainerResources "$(jq -cn --arg id "$ID" \
		'{container_id: $id, linux: {memory_limit_in_bytes: 134217728, cpu_quota: 30000, cpu_period: 100000}}')"
	cg_is memory memory.limit_in_bytes 134217728 memory.max 134217728
	cg_is cpu cpu.cfs_quota_us 30000 cpu.max "30000 100000"
	busy() {
		json "$(cri ContainerStats "{\"container_id\": \"$ID\"}")" \
			'.stats | .cpu.usage_core_nano_seconds.value > 100000000 and .memory.working_set_bytes.value > 0'
	}
	until_ok 10 eval '(busy)'
	off "$POD"
}

tc cri_oom 'OOMKilled'
cri_oom() {
	need_cg memory
	pod oom
	container c '.linux.resources = {memory_limit_in_bytes: 33554432}' greedy
	until_ok 20 exited "$ID"
	eq "$(look "$ID" .exit_code)" 137
	until_ok 5 eval '[[ $(look "$ID" .reason) == OOMKilled ]]'
	off "$POD"
}

tc cri_security 'security context, mounts, environment, seccomp, terminal'
cri_security() {
	mkdir b && echo outside >b/f
	pod sec
	container c '.mounts = [{container_path: "/b", host_path: "'"$T/b"'", readonly: 1}] | .envs = [{key: "K", value: "v"}]
		| .working_dir = "/srv" | .linux.security_context = {run_as_user: {value: 1000}, run_as_group: {value: 2000},
			supplemental_groups: [777], readonly_rootfs: 1, no_new_privs: 1, capabilities: {drop: ["ALL"]}, seccomp_profile_path: "runtime/default"}' sleep 1000
	eq "$(ex "$ID" sh -c 'echo $(cat /b/f) $K $(pwd) $(id -u) $(id -g)')" "outside v /srv 1000 2000"
	has " $(ex "$ID" id -G) " " 777 "
	fails ex "$ID" touch /tmp/x
	fails ex "$ID" touch /b/x
	eq "$(ex "$ID" sed -n 's/^NoNewPrivs:.//p; s/^Seccomp:.//p; s/^CapBnd:.//p' /proc/self/status | xargs)" "0000000000000000 1 2"
	container tty '.tty = 1' sh -c 'test -t 0 && echo terminal; sleep 1000'
	until_ok 10 grep -q terminal "$LOG"
	off "$POD"
}

tc cri_sandbox 'a pod in a sandbox: one kernel and one network for its containers, which start, are probed and end by themselves'
cri_sandbox() {
	local kernel=${RINGFENCE_GUEST_KERNEL:-/var/cache/ringfence/guest-kernel/current/vmlinux} first n
	need_bridge
	[[ -x /usr/lib/cni/bridge ]] || skip "no CNI plugins (Debian: containernetworking-plugins)"
	[[ -x $W/sandboxed/ringfence-guest ]] || skip "no ringfence-guest beside the runtime"
	[[ -r $kernel ]] || skip "no kernel for guests ($kernel): ./bootstrap kernel builds it"
	[[ -c /dev/net/tun ]] || skip "no /dev/net/tun"
	[[ -x /usr/bin/qemu-system-x86_64 || -w /dev/kvm ]] || skip "neither QEMU nor KVM is there"
	pod boxed 'del(.linux.security_context.namespace_options.network) | .hostname = "boxed" | .linux.sysctls = {"net.ipv4.ip_forward": "1"}' sandboxed
	container web 'del(.x)' serve boxed
	first=$ID
	container b '.linux.resources = {memory_limit_in_bytes: 67108864}' sh -c 'echo out; echo wrong >&2; read x; exit 7'
	until_ok 10 grep -q 'stdout F out' "$LOG"
	until_ok 10 grep -q 'stderr F wrong' "$LOG"
	ne "$(ex "$first" cat /proc/version)" "$(</proc/version)" "the kernel"
	until_ok 10 exited "$ID"
	eq "$(look "$ID" .exit_code)" 7
	container c . sleep 1000
	eq "$(ex "$ID" hostname) $(ex "$ID" cat /proc/sys/net/ipv4/ip_forward)" "boxed 1"
	until_ok 10 ex "$ID" wget -q -O - http://127.0.0.1/
	eq "$(ex "$ID" wget -q -O - http://127.0.0.1/)" "page of boxed" "by the loopback interface that they share"
	n=$(cri PodSandboxStatus "{\"pod_sandbox_id\": \"$POD\"}" | jq -r .status.network.ip)
	eq "$(fetch "http://$n/")" "page of boxed" "from outside"
	eq "$(ex "$ID" readlink /proc/self/ns/net)" "$(ex "$first" readlink /proc/self/ns/net)"
	ne "$(ex "$ID" readlink /proc/self/ns/mnt)" "$(ex "$first" readlink /proc/self/ns/mnt)"
	code 3 ex "$ID" sh -c 'exit 3'
	stop "$first" 1
	eq "$(look "$first" .state)" 2
	eq "$(ex "$ID" echo there)" there
	off "$POD"
}

tc cri_many 'four pods at once'
cri_many() {
	local i
	one() {
		pod "many$1"
		container c . sh -c "exit $1"
		until_ok 20 exited "$ID"
		look "$ID" .exit_code
		off "$POD"
	}
	subshell() { (one "$@"); }
	at_once 4 subshell
	for ((i = 1; i <= 4; i++)); do eq "$(<rc.$i) $(<out.$i)" "0 $i" "$(<err.$i)"; done
}

tc cri_clean 'nothing is left: no container, no sandbox, no cgroup'
cri_clean() {
	eq "$(ctr -n k8s.io container ls -q)" "" "containers of cases that failed, or"
	eq "$(find "$RF_CGROUP" -mindepth 1 -type d -path "*/$CG/*")" "" "cgroups"
}
