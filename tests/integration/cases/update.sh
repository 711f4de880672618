# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# update: options, files, stdin. events.

tc update_pids '2.2: update --pids-limit'
update_pids() {
	need_cg pids
	bundle
	limit '.pids={limit:33}'
	up
	good update --pids-limit 44 "$ID"
	cg_is pids pids.max 44 pids.max 44
	good update --pids-limit=-1 "$ID"
	cg_is pids pids.max max pids.max max
}

tc update_memory '2.2: update --memory, --memory-reservation, up and down'
update_memory() {
	need_cg memory
	bundle
	limit '.memory={limit:67108864}'
	up
	good update --memory 134217728 --memory-reservation 33554432 "$ID"
	cg_is memory memory.limit_in_bytes 134217728 memory.max 134217728
	cg_is memory memory.soft_limit_in_bytes 33554432 memory.low 33554432
	good update --memory 33554432 "$ID"
	cg_is memory memory.limit_in_bytes 33554432 memory.max 33554432
}

tc update_memory_swap '2.2: update --memory and --memory-swap together, in both directions'
update_memory_swap() {
	need_cgfile memory memory.memsw.limit_in_bytes memory.swap.max
	bundle
	limit '.memory={limit:33554432,swap:67108864}'
	up
	good update --memory 134217728 --memory-swap 268435456 "$ID"
	cg_is memory memory.limit_in_bytes 134217728 memory.max 134217728
	cg_is memory memory.memsw.limit_in_bytes 268435456 memory.swap.max 134217728
	good update --memory 33554432 --memory-swap 50331648 "$ID"
	cg_is memory memory.limit_in_bytes 33554432 memory.max 33554432
	cg_is memory memory.memsw.limit_in_bytes 50331648 memory.swap.max 16777216
}

tc update_memory_unlimited '2.2: update --memory -1 --memory-swap -1'
update_memory_unlimited() {
	need_cgfile memory memory.memsw.limit_in_bytes memory.swap.max
	bundle
	limit '.memory={limit:33554432,swap:67108864}'
	up
	good update --memory=-1 --memory-swap=-1 "$ID"
	if on_v2 memory; then eq "$(cg memory - memory.max)" max; else
		at_least "$(cg memory memory.limit_in_bytes -)" 9000000000000000000
	fi
}

tc update_cpu '2.2: update --cpu-share, --cpu-quota, --cpu-period'
update_cpu() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	up
	good update --cpu-share 512 --cpu-quota 20000 --cpu-period 80000 "$ID"
	cg_is cpu cpu.shares 512 cpu.weight 59
	cg_is cpu cpu.cfs_quota_us 20000 cpu.max '20000 80000'
	cg_is cpu cpu.cfs_period_us 80000 cpu.max '20000 80000'
	good update --cpu-quota 30000 "$ID"
	cg_is cpu cpu.cfs_quota_us 30000 cpu.max '30000 80000'
	good update --cpu-quota=-1 "$ID"
	# systemd sets the period back along with it.
	match "$(cg cpu cpu.cfs_quota_us cpu.max)" '^(-1$|max (80000|100000)$)'
}

tc update_cpu_period_first '2.2: a new period and quota whose ratio is refused in the wrong order'
update_cpu_period_first() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	limit '.cpu={quota:1000,period:1000}'
	up
	good update --cpu-quota 500000 --cpu-period 1000000 "$ID"
	cg_is cpu cpu.cfs_quota_us 500000 cpu.max '500000 1000000'
	good update --cpu-quota 1000 --cpu-period 1000 "$ID"
	cg_is cpu cpu.cfs_period_us 1000 cpu.max '1000 1000'
}

tc update_cpu_refused '2.4: a quota or a period that is refused: the message says what is possible'
update_cpu_refused() {
	need_cgfile cpu cpu.cfs_quota_us -
	local hint='the period must be from 1000 to 1000000 us, the quota at least 1000 us'
	bundle
	up
	bad "cpu.cfs_quota_us.*$hint" update --cpu-quota 10 "$ID"
	bad "cpu.cfs_period_us.*$hint" update --cpu-period 2000000 "$ID"
	bad "cpu.cfs_.*$hint" update --cpu-period 2000000 --cpu-quota 5000 "$ID"
	good update --cpu-quota 5000 "$ID"
}

tc update_cpu_burst '2.2: update --cpu-burst'
update_cpu_burst() {
	need_cgfile cpu cpu.cfs_burst_us cpu.max.burst
	bundle
	limit '.cpu={quota:50000,period:100000}'
	up
	good update --cpu-burst 10000 "$ID"
	cg_is cpu cpu.cfs_burst_us 10000 cpu.max.burst 10000
	good update --cpu-burst 0 "$ID"
	cg_is cpu cpu.cfs_burst_us 0 cpu.max.burst 0
}

tc update_cpu_idle '2.2: update --cpu-idle'
# crun has no such option.
update_cpu_idle() {
	need_cgfile cpu cpu.idle cpu.idle
	bundle
	up
	good update --cpu-idle 1 "$ID"
	cg_is cpu cpu.idle 1 cpu.idle 1
	good update --cpu-idle 0 "$ID"
	cg_is cpu cpu.idle 0 cpu.idle 0
}

tc update_cpuset '2.2: update --cpuset-cpus, --cpuset-mems'
update_cpuset() {
	need_cg cpuset
	local cpu
	cpu=$(first_cpu)
	bundle
	up
	good update --cpuset-cpus "$cpu" --cpuset-mems 0 "$ID"
	cg_is cpuset cpuset.cpus "$cpu" cpuset.cpus "$cpu"
	cg_is cpuset cpuset.mems 0 cpuset.mems 0
	until_ok 5 eval '[[ $(proc Cpus_allowed_list) == "$cpu" ]]'
}

tc update_stdin '2.2: update --resources - reads stdin, as containerd does'
update_stdin() {
	need_cg pids
	bundle
	up
	echo '{"pids":{"limit":55},"memory":{"limit":67108864},"cpu":{"shares":512,"quota":0,"cpus":"","mems":""}}' |
		rt update --resources=- "$ID" >"$T/o" 2>&1 || die "$(<"$T/o")"
	cg_is pids pids.max 55 pids.max 55
	[[ $(cg_kind memory) == none ]] || cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
	[[ $(cg_kind cpu) == none ]] || cg_is cpu cpu.shares 512 cpu.weight 59
}

tc update_file '2.2: update --resources FILE, -r FILE'
update_file() {
	need_cg pids
	bundle
	up
	echo '{"pids":{"limit":66}}' >"$T/r.json"
	good update --resources "$T/r.json" "$ID"
	cg_is pids pids.max 66 pids.max 66
	echo '{"pids":{"limit":67}}' >"$T/r.json"
	good update -r "$T/r.json" "$ID"
	cg_is pids pids.max 67 pids.max 67
}

tc update_devices '2.2: device rules of an update'
update_devices() {
	need_cg devices
	bundle
	up
	exec_good sh -c 'mknod /tmp/kmsg c 1 11'
	ex sh -c ': >>/tmp/kmsg'
	ne "$RC" 0 "opening kmsg before the update"
	echo '{"devices":[{"allow":true,"type":"c","major":1,"minor":11,"access":"rw"}]}' >"$T/r.json"
	good update -r "$T/r.json" "$ID"
	exec_good sh -c ': >>/tmp/kmsg'
}

tc update_nothing 'update leaves what it does not name as it is'
update_nothing() {
	need_cg pids memory
	bundle
	limit '.pids={limit:33}|.memory={limit:67108864}'
	up
	good update --pids-limit 34 "$ID"
	cg_is memory memory.limit_in_bytes 67108864 memory.max 67108864
}

tc update_created 'update before start'
update_created() {
	need_cg pids
	bundle
	made
	good update --pids-limit 45 "$ID"
	good start "$ID"
	cg_is pids pids.max 45 pids.max 45
}

tc update_stopped 'update of what is stopped: an error'
update_stopped() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	bad 'stopped|not running|running' update --pids-limit 5 "$ID"
}

tc update_paused 'update of what is paused: done, and it stays paused'
update_paused() {
	need_cg freezer pids
	bundle
	up
	good pause "$ID"
	good update --pids-limit 46 "$ID"
	cg_is pids pids.max 46 pids.max 46
	eq "$(status)" paused
}

tc update_too_small 'update to a limit that the kernel refuses: an error, the old one stays'
update_too_small() {
	need_cg cpuset
	bundle
	up
	local before
	before=$(cg cpuset cpuset.cpus cpuset.cpus)
	bad 'cpuset.cpus.*; the cgroup above has [0-9]' update --cpuset-cpus 4000 "$ID"
	eq "$(cg cpuset cpuset.cpus cpuset.cpus)" "$before"
	exec_good true
	good update --cpuset-cpus "$(first_cpu)" "$ID"
	exec_good true
}

tc update_check_before '1.5: checkBeforeUpdate: a limit below present use: refused'
update_check_before() {
	need_cg memory
	! sanitized || skip "memory cases are not for a sanitized build"
	bundle
	args rft alloc 40 1000
	up
	until_has 10 "$T/out" allocated
	echo '{"memory":{"limit":4194304,"checkBeforeUpdate":true}}' >"$T/r.json"
	cp "$T/out" "$T/keep"
	"$RT" "${GOPTS[@]}" update -r "$T/r.json" "$ID" >"$T/o" 2>&1
	ne $? 0 "exit status"
	ok alive "$PID"
}

tc update_kernel_memory '2.2: --kernel-memory is accepted, --kernel-memory-tcp on v1'
update_kernel_memory() {
	need_cg memory
	bundle
	up
	good update --kernel-memory 50331648 "$ID"
	on_v2 memory || good update --kernel-memory-tcp 50331648 "$ID"
}

tc update_bad_json 'update with what is no JSON: an error'
update_bad_json() {
	bundle
	up
	echo '{"pids":' >"$T/r.json"
	try update -r "$T/r.json" "$ID"
	ne "$RC" 0 "exit status"
	echo '{"pids":{"limit":"many"}}' >"$T/r.json"
	try update -r "$T/r.json" "$ID"
	ne "$RC" 0 "exit status"
}

# --- events: crun has none ---------------------------------------------------------------------------------------------------------

tc events_stats '2.5: events --stats: one JSON line'
events_stats() {
	bundle
	up
	good events --stats "$ID"
	eq "$(wc -l <<<"$OUT")" 1
	json "$OUT" '.type=="stats" and .id==$i' --arg i "$ID"
	json "$OUT" '.data|has("cpu") and has("memory") and has("pids")'
}

tc events_pids '2.5: pids.current and pids.limit are right'
events_pids() {
	need_cg pids
	bundle
	limit '.pids={limit:77}'
	up
	good events --stats "$ID"
	json "$OUT" '.data.pids.current==1 and .data.pids.limit==77'
}

tc events_memory '2.5: memory usage and limit'
events_memory() {
	need_cg memory
	bundle
	limit '.memory={limit:67108864}'
	args rft alloc 20 1000
	up
	until_has 10 "$T/out" allocated
	"$RT" "${GOPTS[@]}" events --stats "$ID" >"$T/o" 2>&1 || die "$(<"$T/o")"
	json "$(<"$T/o")" '.data.memory.usage.limit==67108864'
	json "$(<"$T/o")" '.data.memory.usage.usage>20*1048576 and .data.memory.usage.usage<67108864'
	json "$(<"$T/o")" '.data.memory.raw|length>5'
}

tc events_cpu '2.5: cpu usage grows, throttling is counted'
events_cpu() {
	need_cgfile cpu cpu.cfs_quota_us cpu.max
	bundle
	limit '.cpu={quota:10000,period:100000}'
	args sh -c 'while :; do :; done'
	up
	until_ok 20 eval '[[ $(rt events --stats "$ID" | jq "(.data.cpu.usage.total > 10000000) and (.data.cpu.throttling|.throttledPeriods > 0 and .throttledTime > 0)") == true ]]'
	good events --stats "$ID"
	json "$OUT" '.data.cpu.throttling.periods>0 and .data.cpu.throttling.throttledTime>0'
}

tc events_interval '2.2: events --interval: a line each time, until the partition ends'
events_interval() {
	bundle
	up
	"$RT" "${GOPTS[@]}" events --interval 100ms "$ID" >"$T/ev" 2>&1 </dev/null &
	until_ok 20 eval '[[ $(grep -c stats "$T/ev") -ge 3 ]]'
	# runc goes on until the cgroup is removed.
	down
	until_ok 20 dead $!
	jq -e .type "$T/ev" >/dev/null || die "no JSON: $(<"$T/ev")"
}

tc events_oom '2.5: events: type oom when the kernel kills for memory'
events_oom() {
	need_cg memory
	! sanitized || skip "memory cases are not for a sanitized build"
	bundle
	limit '.memory={limit:16777216}'
	! can swap || limit '.memory.swap=16777216'
	script 'until [ -e /tmp/go ]; do usleep 20000; done; rft alloc 60; exec rft pause'
	up
	"$RT" "${GOPTS[@]}" events --interval 200ms "$ID" >"$T/ev" 2>&1 </dev/null &
	until_has 20 "$T/ev" stats
	touch "$ROOTFS/tmp/go"
	until_has 20 "$T/ev" '"type":"oom"'
	kill $!
}

tc events_fast 'events --interval 1ms, shorter than a look takes: still an oom is told, once, and the end is seen'
events_fast() {
	need_cg memory
	! sanitized || skip "memory cases are not for a sanitized build"
	bundle
	limit '.memory={limit:16777216}'
	! can swap || limit '.memory.swap=16777216'
	script 'until [ -e /tmp/go ]; do usleep 20000; done; rft alloc 60; exec rft pause'
	up
	"$RT" "${GOPTS[@]}" events --interval 1ms "$ID" >"$T/ev" 2>&1 </dev/null &
	until_has 20 "$T/ev" stats
	touch "$ROOTFS/tmp/go"
	until_has 20 "$T/ev" '"type":"oom"'
	# What woke it once must not do so for ever: looks take their time, and it sleeps in between.
	good kill "$ID" KILL
	until_ok 20 dead $!
	eq "$(grep -c '"type":"oom"' "$T/ev")" 1 "events of type oom"
}

tc events_quiet 'events with a long interval takes no time of the processor after an oom'
events_quiet() {
	need_cg memory
	! sanitized || skip "memory cases are not for a sanitized build"
	bundle
	limit '.memory={limit:16777216}'
	! can swap || limit '.memory.swap=16777216'
	script 'rft alloc 60; exec rft pause'
	made
	"$RT" "${GOPTS[@]}" events --interval 1000s "$ID" >"$T/ev" 2>&1 </dev/null &
	local events=$! before after
	until_ok 20 eval '[[ $(readlink /proc/$events/fd/* 2>/dev/null) == *pidfd* ]]'
	good start "$ID"
	until_has 20 "$T/ev" '"type":"oom"'
	before=$(awk '{ print $14 + $15 }' "/proc/$events/stat")
	sleep 2
	after=$(awk '{ print $14 + $15 }' "/proc/$events/stat")
	at_most $((after - before)) 50 "hundredths of a second of two"
}

tc events_stopped 'events --stats of what is stopped: an error'
events_stopped() {
	bundle
	up
	good kill "$ID" KILL
	until_is stopped
	bad 'not running|stopped' events --stats "$ID"
}

tc events_hugetlb '2.5: hugetlb by size'
events_hugetlb() {
	need_cg hugetlb
	[[ -d /sys/kernel/mm/hugepages/hugepages-2048kB ]] || skip "no 2 MB pages"
	bundle
	limit '.hugepageLimits=[{pageSize:"2MB",limit:4194304}]'
	up
	good events --stats "$ID"
	json "$OUT" '.data.hugetlb["2MB"]|has("usage")'
}

tc events_network '2.5: network_interfaces of the partition, but lo'
# runc leaves it empty for a network namespace that it made itself.
events_network() {
	need_cmd nsenter
	bundle
	up
	good events --stats "$ID"
	json "$OUT" '.data.network_interfaces==[]'
	nsenter -t "$PID" -n ip link add rft0 type veth peer name rft1 2>/dev/null || skip "no veth"
	good events --stats "$ID"
	json "$OUT" '[.data.network_interfaces[].Name]|sort==["rft0","rft1"]'
	json "$OUT" '.data.network_interfaces[0]|keys|sort==(["Name","RxBytes","RxPackets","RxErrors","RxDropped","TxBytes","TxPackets","TxErrors","TxDropped"]|sort)'
	# Somebody else's network: its figures are not the partition's.
	down
	no_ns network
	up
	good events --stats "$ID"
	json "$OUT" '.data.network_interfaces==[]'
}

tc events_members '2.5: events --stats has all members whatever the host has, each of them an object'
# What runc 1.1 prints, but network_interfaces, which is null there.
events_members() {
	bundle
	up
	good events --stats "$ID"
	json "$OUT" '.data|keys|sort==(["blkio","cpu","cpuset","hugetlb","intel_rdt","memory","network_interfaces","pids"]|sort)'
	json "$OUT" '.data|del(.network_interfaces)|all(.[];type=="object")'
	json "$OUT" '.data.cpu|has("usage") and has("throttling") and (.usage|has("total") and has("kernel") and has("user"))'
	[[ $(cg_kind cpu) != v1 ]] || json "$OUT" '.data.cpu.usage|[.percpu,.percpu_kernel,.percpu_user]|all(length>0)'
	[[ $(cg_kind memory) == none ]] || json "$OUT" '.data.memory|has("cache") and has("usage") and has("raw")'
	# No limit is the largest number, as the kernel prints it.
	[[ $(cg_kind memory) != v1 ]] || json "$OUT" '.data.memory.usage.limit>9e18'
}
