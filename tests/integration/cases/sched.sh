# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# process.scheduler, ioPriority; linux.personality, memoryPolicy. crun 1.9 and runc 1.2 or 1.3 brought most of them.

scheduler() { edit '.process.scheduler=$s' --argjson s "$1"; }
# sched_is JSON POLICY NICE
sched_is() {
	bundle
	scheduler "$1"
	inspect
	runs
	kv_is sched.policy "$2"
	kv_is sched.nice "$3"
}
tc $'sched_is \'{"policy":"SCHED_OTHER","nice":5}\' 0 5' 'P12: SCHED_OTHER with nice'
tc $'sched_is \'{"policy":"SCHED_BATCH","nice":3}\' 3 3' 'P12: SCHED_BATCH'
tc $'sched_is \'{"policy":"SCHED_IDLE"}\' 5 0' 'P12: SCHED_IDLE'
tc $'sched_is \'{"policy":"SCHED_OTHER","nice":-5}\' 0 -5' 'P12: a negative nice'

# rt_place: a cgroup with a budget for real time: a new one, or, where v1 gives it none, the one that we are in.
rt_place() {
	! can rt_in_cgroup || return 0
	grep -q -- '--cgroup-manager' <<<"$("$RT" --help)" || skip "no real-time scheduling in a new v1 cpu cgroup"
	GOPTS+=(--cgroup-manager disabled)
	edit 'del(.linux.resources)'
}
sched_rt() { # NAME NUMBER
	can rt || skip "no real-time scheduling here"
	bundle
	rt_place
	scheduler "{\"policy\":\"$1\",\"priority\":7}"
	inspect
	runs
	kv_is sched.policy "$2"
	kv_is sched.priority 7
}
tc 'sched_rt SCHED_FIFO 1' 'P12: SCHED_FIFO with priority'
tc 'sched_rt SCHED_RR 2' 'P12: SCHED_RR with priority'

tc sched_flag 'P12: SCHED_FLAG_RESET_ON_FORK'
sched_flag() {
	bundle
	scheduler '{"policy":"SCHED_BATCH","flags":["SCHED_FLAG_RESET_ON_FORK"]}'
	inspect
	runs
	kv_is sched.flags 0x1
}

sched_bad() { # JSON
	bundle
	scheduler "$1"
	refused 'sched'
}
tc $'sched_bad \'{"policy":"SCHED_NOSUCH"}\'' 'P12: an unknown policy: refused'
tc $'sched_bad \'{"policy":"SCHED_OTHER","priority":5}\'' 'P12: priority with SCHED_OTHER: refused'
tc $'sched_bad \'{"policy":"SCHED_OTHER","nice":20}\'' 'P12: nice 20: refused'
tc $'sched_bad \'{"policy":"SCHED_ISO"}\'' 'P12: SCHED_ISO, which no kernel has: refused'
tc $'sched_bad \'{"policy":"SCHED_FIFO"}\'' 'P12: SCHED_FIFO without priority: refused'
tc $'sched_bad \'{"policy":"SCHED_RR","priority":100}\'' 'P12: priority 100: refused'
tc $'sched_bad \'{"policy":"SCHED_DEADLINE","runtime":5,"deadline":4}\'' 'P12: a runtime over the deadline: refused'
tc $'sched_bad \'{"policy":"SCHED_OTHER","runtime":1000}\'' 'P12: runtime with SCHED_OTHER: refused'
tc $'sched_bad \'{"policy":"SCHED_BATCH","flags":["SCHED_FLAG_NOSUCH"]}\'' 'P12: an unknown flag: refused'

ioprio_is() { # CLASS PRIORITY SHOWN
	bundle
	edit '.process.ioPriority={class:$c,priority:($p|tonumber)}' --arg c "$1" --arg p "$2"
	inspect
	runs
	kv_is ioprio "$3"
}
tc 'ioprio_is IOPRIO_CLASS_BE 6 2:6' 'P13: IOPRIO_CLASS_BE'
tc 'ioprio_is IOPRIO_CLASS_IDLE 0 3:0' 'P13: IOPRIO_CLASS_IDLE'
tc 'ioprio_is IOPRIO_CLASS_RT 2 1:2' 'P13: IOPRIO_CLASS_RT'

ioprio_bad() { # JSON
	bundle
	edit '.process.ioPriority=$p' --argjson p "$1"
	refused 'prio'
}
tc $'ioprio_bad \'{"class":"IOPRIO_CLASS_NOSUCH","priority":1}\'' 'P13: an unknown class: refused'
tc $'ioprio_bad \'{"class":"IOPRIO_CLASS_BE","priority":8}\'' 'P13: priority 8: refused'

personality_is() { # DOMAIN MACHINE-REGEX
	bundle
	edit '.linux.personality={domain:$d}' --arg d "$1"
	inspect
	runs
	match "$(kv machine)" "$2"
}
tc 'personality_is LINUX "64|arm|riscv"' 'N9: personality LINUX'
[[ $(uname -m) != x86_64 ]] || tc 'personality_is LINUX32 "^i686$"' 'N9: personality LINUX32: uname says i686'

tc personality_flags 'N9: personality with flags: refused'
personality_flags() {
	bundle
	edit '.linux.personality={domain:"LINUX",flags:["ADDR_NO_RANDOMIZE"]}'
	refused 'personality'
}

tc personality_unknown 'N9: an unknown domain: refused'
personality_unknown() {
	bundle
	edit '.linux.personality={domain:"BSD"}'
	refused 'personality|domain|BSD'
}

mempolicy() { edit '.linux.memoryPolicy=$p' --argjson p "$1"; }
mempolicy_is() { # JSON MODE NODES
	can mempolicy || skip "no memory policies in this kernel"
	[[ $3 == 0 ]] || can mempolicy "$2" || skip "the kernel has no such mode"
	bundle
	mempolicy "$1"
	inspect
	runs
	match "$(kv mempolicy.mode)" "^$2$"
	kv_is mempolicy.nodes "$3"
}
# runc 1.4, crun 1.26.
tc $'mempolicy_is \'{"mode":"MPOL_BIND","nodes":"0"}\' 2 0x1' 'N11: MPOL_BIND'
tc $'mempolicy_is \'{"mode":"MPOL_INTERLEAVE","nodes":"0"}\' 3 0x1' 'N11: MPOL_INTERLEAVE'
tc $'mempolicy_is \'{"mode":"MPOL_PREFERRED","nodes":"0"}\' 1 0x1' 'N11: MPOL_PREFERRED'
tc $'mempolicy_is \'{"mode":"MPOL_PREFERRED_MANY","nodes":"0"}\' 5 0x1' 'N11: MPOL_PREFERRED_MANY'
tc $'mempolicy_is \'{"mode":"MPOL_LOCAL","nodes":""}\' 4 0' 'N11: MPOL_LOCAL with empty nodes'
tc $'mempolicy_is \'{"mode":"MPOL_DEFAULT","nodes":""}\' 0 0' 'N11: MPOL_DEFAULT'
tc $'mempolicy_is \'{"mode":"MPOL_DEFAULT"}\' 0 0' 'N11: MPOL_DEFAULT without nodes'
tc $'mempolicy_is \'{"mode":"MPOL_WEIGHTED_INTERLEAVE","nodes":"0"}\' 6 0x1' 'N11: MPOL_WEIGHTED_INTERLEAVE'
# The kernel makes MPOL_LOCAL of it (4), before 5.14 it was left as it is (1).
tc $'mempolicy_is \'{"mode":"MPOL_PREFERRED","nodes":""}\' "[14]" 0' 'N11: MPOL_PREFERRED with empty nodes'

mempolicy_flags() { # FLAG VALUE
	can mempolicy || skip "no memory policies in this kernel"
	bundle
	mempolicy "{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":[\"$1\"]}"
	inspect
	runs
	kv_is mempolicy.flags "$2"
}
tc 'mempolicy_flags MPOL_F_STATIC_NODES 0x8000' 'N11: MPOL_F_STATIC_NODES'
tc 'mempolicy_flags MPOL_F_RELATIVE_NODES 0x4000' 'N11: MPOL_F_RELATIVE_NODES'
tc 'mempolicy_flags MPOL_F_NUMA_BALANCING 0x2000' 'N11: MPOL_F_NUMA_BALANCING'

tc mempolicy_exec 'N11, N9: memory policy and personality hold for processes of exec, too'
mempolicy_exec() {
	can mempolicy || skip "no memory policies in this kernel"
	bundle
	mempolicy '{"mode":"MPOL_BIND","nodes":"0"}'
	[[ $(uname -m) != x86_64 ]] || edit '.linux.personality={domain:"LINUX32",flags:[]}'
	up
	exec_good rft inspect
	kv_is mempolicy.mode 2
	kv_is mempolicy.nodes 0x1
	[[ $(uname -m) != x86_64 ]] || kv_is machine i686
}

mempolicy_bad() { # JSON
	bundle
	mempolicy "$1"
	refused 'memorypolicy|mempolicy|mpol|memory policy'
}
tc $'mempolicy_bad \'{"mode":"MPOL_NOSUCH","nodes":"0"}\'' 'N11: an unknown mode: refused'
tc $'mempolicy_bad \'{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_NOSUCH"]}\'' 'N11: an unknown flag: refused'
tc $'mempolicy_bad \'{"mode":"MPOL_BIND","nodes":"x"}\'' 'N11: nodes that are no list: refused'
tc $'mempolicy_bad \'{"mode":"MPOL_BIND","nodes":""}\'' 'N11: MPOL_BIND without nodes: refused'
tc $'mempolicy_bad \'{"mode":"MPOL_LOCAL","nodes":"0"}\'' 'N11: MPOL_LOCAL with nodes: refused'
tc $'mempolicy_bad \'{"mode":"MPOL_BIND","nodes":"1023"}\'' 'N11: a node that does not exist: refused'
tc $'mempolicy_bad \'{"nodes":"0"}\'' 'N11: no mode: refused'
tc $'mempolicy_bad \'{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES","MPOL_F_RELATIVE_NODES"]}\'' 'N11: flags that exclude each other: refused'

tc affinity_reset 'P14: a caller bound to one CPU does not bind the payload'
# runc does so, crun does not.
affinity_reset() {
	can two_cpus || skip "needs two CPUs"
	need_cmd taskset
	bundle
	inspect
	grab taskset -c "$(first_cpu)" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$RC" 0
	has "$(kv affinity)" ,
}

tc apparmor_off 'P7: apparmorProfile where AppArmor is off: an error that says so'
# crun and runc take no notice unless it is something else than unconfined.
apparmor_off() {
	! can apparmor || skip "AppArmor is on"
	bundle
	edit '.process.apparmorProfile="some-profile"'
	refused 'apparmor'
}

tc apparmor_on 'P7: apparmorProfile is applied'
apparmor_on() {
	can apparmor || skip "no AppArmor"
	need_cmd apparmor_parser
	echo "profile rft-test flags=(attach_disconnected,mediate_deleted) { file, signal, deny /etc/file r, }" >"$T/profile"
	apparmor_parser -r "$T/profile" || skip "cannot load a profile"
	bundle
	edit '.process.apparmorProfile="rft-test"'
	script 'cat /proc/self/attr/current; cat /etc/file 2>&1'
	try run --bundle "$B" "$ID"
	apparmor_parser -R "$T/profile"
	has "$OUT" rft-test
	hasnt "$OUT" inside
}

tc selinux_off 'P8: selinuxLabel where SELinux is off: an error that says so'
selinux_off() {
	! can selinux || skip "SELinux is on"
	bundle
	edit '.process.selinuxLabel="system_u:system_r:container_t:s0"'
	refused 'selinux'
}

tc rdt_off '1.6: intelRdt without resctrl: an error that says so'
rdt_off() {
	! grep -q ' resctrl ' /proc/mounts || skip "there is resctrl"
	bundle
	edit '.linux.intelRdt={closID:"x",l3CacheSchema:"L3:0=f"}'
	refused 'rdt|resctrl'
}

tc sched_deadline 'P12: SCHED_DEADLINE with runtime, deadline and period'
sched_deadline() {
	can deadline || skip "no deadline scheduling here"
	bundle
	rt_place
	scheduler '{"policy":"SCHED_DEADLINE","runtime":1000000,"deadline":10000000,"period":20000000}'
	inspect
	runs
	kv_is sched.policy 6
	kv_is sched.runtime 1000000
	kv_is sched.deadline 10000000
	kv_is sched.period 20000000
}
