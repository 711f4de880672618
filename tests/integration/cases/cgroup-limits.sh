# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# linux.resources of memory, cpu, pids, cpuset: the files on the host, and the effect where it can be felt.

tc memory_limit '1.5: memory.limit'
memory_limit() {
	need_cg memory
	bundle
	limit '.memory={limit:67108864}'
	up
	cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
}

tc memory_reservation '1.5: memory.reservation'
memory_reservation() {
	need_cg memory
	bundle
	limit '.memory={limit:67108864,reservation:33554432}'
	up
	cg_is memory memory.soft_limit_in_bytes 33554432 memory.low 33554432
}

tc memory_swap '1.5: memory.swap is memory and swap together'
memory_swap() {
	need_cgfile memory memory.memsw.limit_in_bytes memory.swap.max
	bundle
	limit '.memory={limit:67108864,swap:100663296}'
	up
	cg_is memory memory.memsw.limit_in_bytes 100663296 memory.swap.max 33554432
	cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
}

tc memory_swap_unlimited '1.5: memory.swap -1'
memory_swap_unlimited() {
	need_cgfile memory memory.memsw.limit_in_bytes memory.swap.max
	bundle
	limit '.memory={limit:67108864,swap:-1}'
	up
	if on_v2 memory; then
		eq "$(cg memory - memory.swap.max)" max
	else
		at_least "$(cg memory memory.memsw.limit_in_bytes -)" 9000000000000000000
	fi
}

tc memory_swap_small '1.5: swap below limit: refused'
memory_swap_small() {
	need_cgfile memory memory.memsw.limit_in_bytes memory.swap.max
	bundle
	limit '.memory={limit:67108864,swap:33554432}'
	refused 'swap|memsw|memory'
}

tc memory_unlimited '1.5: limit -1'
memory_unlimited() {
	need_cg memory
	bundle
	limit '.memory={limit:-1}'
	up
	if on_v2 memory; then
		eq "$(cg memory - memory.max)" max
	else
		at_least "$(cg memory memory.limit_in_bytes -)" 9000000000000000000
	fi
}

tc memory_swappiness '1.5: swappiness'
memory_swappiness() {
	need_cgfile memory memory.swappiness -
	bundle
	limit '.memory={swappiness:17}'
	up
	eq "$(cg memory memory.swappiness -)" 17
}

tc memory_swappiness_bad '1.5: swappiness 101: refused'
memory_swappiness_bad() {
	need_cg memory
	bundle
	limit '.memory={swappiness:101}'
	refused 'swappiness'
}

tc memory_hierarchy '1.5: useHierarchy: true is what kernels do; false, which they cannot any more, an error that names it'
memory_hierarchy() {
	need_cg memory
	bundle
	limit '.memory={useHierarchy:true}'
	args true
	runs
	[[ $(uname -r) != [1-4].* ]] || skip "this kernel still can"
	limit '.memory={useHierarchy:false}'
	refused 'usehierarchy'
}

tc memory_disable_oom '1.5: disableOOMKiller: set on v1, refused on v2'
memory_disable_oom() {
	need_cg memory
	bundle
	limit '.memory={limit:67108864,disableOOMKiller:true}'
	if on_v2 memory; then
		# runc and crun take no notice on v2.
		refused 'oom'
	else
		up
		has "$(cg memory memory.oom_control -)" 'oom_kill_disable 1'
	fi
}

tc memory_kernel_tcp '1.5: kernelTCP on v1'
memory_kernel_tcp() {
	need_cgfile memory memory.kmem.tcp.limit_in_bytes -
	bundle
	limit '.memory={kernelTCP:8388608}'
	up
	eq "$(cg memory memory.kmem.tcp.limit_in_bytes -)" 8388608
}

tc memory_effect '1.5: more than the limit: the kernel kills it'
memory_effect() {
	need_cg memory
	! sanitized || skip "memory cases are not for a sanitized build"
	bundle
	limit '.memory={limit:33554432}'
	! can swap || limit '.memory.swap=33554432'
	script 'rft alloc 16; rft alloc 100; echo "status $?"'
	runs
	eq "$OUT" $'allocated 16\nstatus 137'
}

tc memory_tiny '1.5: a limit of 256 KiB is enough to start'
# runc needs 4 MiB; FACTS of crun 1.8: 256 KiB.
memory_tiny() {
	need_cg memory
	! sanitized || skip "memory cases are not for a sanitized build"
	local least=262144
	bundle
	# cgroup v2 charges what the kernel needs for the mounts and namespaces as well.
	! on_v2 memory || least=4194304
	limit ".memory={limit:$least}"
	args true
	runs
}

tc memory_order '1.5: limit and swap in whatever order they stand'
memory_order() {
	need_cgfile memory memory.memsw.limit_in_bytes memory.swap.max
	bundle
	limit '.memory={swap:50331648,reservation:1048576,limit:50331648}'
	up
	cg_is memory memory.limit_in_bytes 50331648 memory.max 50331648
	cg_is memory memory.memsw.limit_in_bytes 50331648 memory.swap.max 0
}

# shares VALUE WEIGHT: v2 by the formula of runc 1.3.2 and crun 1.23; older ones are linear.
cpu_shares() {
	need_cg cpu
	bundle
	limit ".cpu={shares:$1}"
	up
	cg_is cpu cpu.shares "$1" cpu.weight "$2"
}
tc 'cpu_shares 1024 100' '1.5: cpu.shares 1024'
tc 'cpu_shares 2 1' '1.5: cpu.shares 2, the least'
tc 'cpu_shares 262144 10000' '1.5: cpu.shares 262144, the most'
tc 'cpu_shares 512 59' '1.5: cpu.shares 512'

tc cpu_quota '1.5: quota and period'
cpu_quota() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	limit '.cpu={quota:25000,period:50000}'
	up
	cg_is cpu cpu.cfs_quota_us 25000 cpu.max '25000 50000'
	cg_is cpu cpu.cfs_period_us 50000 cpu.max '25000 50000'
}

tc cpu_quota_only '1.5: quota alone: the default period'
cpu_quota_only() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	limit '.cpu={quota:30000}'
	up
	cg_is cpu cpu.cfs_quota_us 30000 cpu.max '30000 100000'
}

tc cpu_period_only '1.5: period alone: no quota'
cpu_period_only() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	limit '.cpu={period:200000}'
	up
	cg_is cpu cpu.cfs_period_us 200000 cpu.max 'max 200000'
	cg_is cpu cpu.cfs_quota_us -1 cpu.max 'max 200000'
}

tc cpu_quota_unlimited '1.5: quota -1'
cpu_quota_unlimited() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	limit '.cpu={quota:-1,period:100000}'
	up
	cg_is cpu cpu.cfs_quota_us -1 cpu.max 'max 100000'
}

tc cpu_quota_effect '1.5: a quota throttles'
cpu_quota_effect() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	limit '.cpu={quota:5000,period:100000}'
	args sh -c 'while :; do :; done'
	up
	until_ok 10 eval '[[ $(sed -n "s/^nr_throttled //p" "$(cg_dir cpu)/cpu.stat") -gt 1 ]]'
}

tc cpu_burst '1.5: burst'
cpu_burst() {
	need_cgfile cpu cpu.cfs_burst_us cpu.max.burst
	bundle
	limit '.cpu={quota:50000,period:100000,burst:20000}'
	up
	cg_is cpu cpu.cfs_burst_us 20000 cpu.max.burst 20000
}

tc cpu_idle '1.5: idle'
cpu_idle() {
	need_cgfile cpu cpu.idle cpu.idle
	bundle
	limit '.cpu={idle:1}'
	up
	cg_is cpu cpu.idle 1 cpu.idle 1
}

tc cpu_realtime '1.5: realtimeRuntime and realtimePeriod on v1'
cpu_realtime() {
	need_cgfile cpu cpu.rt_runtime_us -
	can rt_budget || skip "the kernel gives no real-time budget to a v1 cpu cgroup"
	bundle
	limit '.cpu={realtimeRuntime:1000,realtimePeriod:1000000}'
	up
	eq "$(cg cpu cpu.rt_runtime_us -)" 1000
}

tc cpu_realtime_refused '1.5: a real-time budget that the kernel does not give: an error that names it'
cpu_realtime_refused() {
	need_cgfile cpu cpu.rt_runtime_us -
	! can rt_budget || skip "the kernel gives it"
	bundle
	limit '.cpu={realtimeRuntime:1000}'
	refused 'rt_runtime|realtime|permitted'
}

tc pids_limit '1.5: pids.limit'
pids_limit() {
	need_cg pids
	bundle
	limit '.pids={limit:33}'
	up
	cg_is pids pids.max 33 pids.max 33
}

tc pids_unlimited '1.5: pids.limit -1'
pids_unlimited() {
	need_cg pids
	bundle
	limit '.pids={limit:-1}'
	up
	cg_is pids pids.max max pids.max max
}

tc pids_zero '1.5: pids.limit 0 is a limit (1.3)'
# crun and runc before 1.4 take 0 for no limit.
pids_zero() {
	need_cg pids
	bundle
	limit '.pids={limit:0}'
	try run -d --bundle "$B" --pid-file "$T/pid" "$ID"
	[[ $RC == 0 ]] || return 0 # with no task allowed a refusal by the kernel is right, too
	# shellcheck disable=SC2034
	PID=$(<"$T/pid")
	cg_is pids pids.max 0 pids.max 0
}

tc pids_effect '1.5: fork fails at the limit'
pids_effect() {
	need_cg pids
	bundle
	limit '.pids={limit:5}'
	script 'n=0; while [ $n -lt 10 ]; do sleep 100 & n=$((n+1)); done; echo all'
	try run --bundle "$B" "$ID"
	hasnt "$OUT" all
	imatch "$ERR" 'fork|resource'
}

tc cpuset_cpus '1.5: cpus: one CPU only'
cpuset_cpus() {
	need_cg cpuset
	local cpu
	cpu=$(first_cpu)
	bundle
	edit '.linux.resources.cpu={cpus:$c}' --arg c "$cpu"
	up
	cg_is cpuset cpuset.cpus "$cpu" cpuset.cpus "$cpu"
	eq "$(proc Cpus_allowed_list)" "$cpu"
	exec_good rft inspect
	kv_is affinity "$cpu"
}

tc cpuset_mems '1.5: mems'
cpuset_mems() {
	need_cg cpuset
	bundle
	limit '.cpu={mems:"0"}'
	up
	cg_is cpuset cpuset.mems 0 cpuset.mems 0
}

tc cpuset_bad '1.5: a CPU that does not exist: an error'
cpuset_bad() {
	need_cg cpuset
	bundle
	limit '.cpu={cpus:"4000"}'
	refused 'cpuset|cpus'
}

tc cpuset_nested '1.5: a v1 cpuset in directories that do not exist yet: each gets its parent'\''s CPUs'
cpuset_nested() {
	need_cg cpuset
	cgroupfs_only
	bundle
	edit '.linux.cgroupsPath=$p' --arg p "/$ID/one/two"
	limit '.cpu={cpus:"0"}'
	up
	cg_is cpuset cpuset.cpus 0 cpuset.cpus 0
	on_v2 cpuset || ne "$(<"$(v1_root cpuset)/$ID/one/cpuset.cpus")" ''
}

tc limits_bad_type '1.5: a limit that is no number: refused'
limits_bad_type() {
	bundle
	limit '.memory={limit:"64M"}'
	bad . create --bundle "$B" "$ID"
	gone
}

tc limits_all '1.5: all at once'
limits_all() {
	need_cg memory cpu pids
	bundle
	limit '.memory={limit:67108864,reservation:1048576}|.cpu={shares:512,quota:50000,period:100000}|.pids={limit:44}'
	up
	cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
	cg_is cpu cpu.cfs_quota_us 50000 cpu.max '50000 100000'
	cg_is pids pids.max 44 pids.max 44
}

tc limits_exec '1.5: exec counts against the same limits'
limits_exec() {
	need_cg pids
	bundle
	limit '.pids={limit:3}'
	up
	ex sh -c 'sleep 5 & sleep 5 & sleep 5 & sleep 5 & echo all'
	hasnt "$OUT" all
}
