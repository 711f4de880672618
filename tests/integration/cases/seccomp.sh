# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# linux.seccomp: actions, arguments, architectures, flags, refusals.

# seccomp DEFAULT RULES: the section; RULES is a JSON array.
seccomp() {
	edit '.linux.seccomp={defaultAction:$d,architectures:["SCMP_ARCH_X86_64"],syscalls:$r}' --arg d "$1" --argjson r "${2:-[]}"
	[[ $(uname -m) == x86_64 ]] || edit 'del(.linux.seccomp.architectures)'
}
# action SYSCALL ACTION [MORE]: a rule.
action() { jq -nc --arg n "$1" --arg a "$2" "[{names:[\$n],action:\$a}${3:+ + $3}]"; }
# calls NAME [ARG...]: the payload makes that system call.
calls() { args rft sys "$@"; }

tc seccomp_errno 'SCMP_ACT_ERRNO: EPERM by default'
seccomp_errno() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=EPERM'
	fails test -e "$ROOTFS/tmp/d"
}

tc seccomp_errno_ret 'errnoRet: another error number'
seccomp_errno_ret() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO '{errnoRet:28}')"
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=ENOSPC'
}

tc seccomp_allow 'a call that no rule is about goes through'
seccomp_allow() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action chmod SCMP_ACT_ERRNO)"
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=0 errno=0'
}

tc seccomp_status 'the filter is seen from outside, and exec gets it as well'
seccomp_status() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	up
	eq "$(proc Seccomp)" 2
	exec_good rft sys mkdir :/tmp/d 0755
	eq "$OUT" 'ret=-1 errno=EPERM'
}

tc seccomp_none 'without the section there is no filter'
seccomp_none() {
	bundle
	up
	eq "$(proc Seccomp)" 0
}

killed() { # ACTION
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir "$1")"
	script 'rft sys mkdir :/tmp/d 0755; echo $?'
	runs
	eq "$OUT" 159
}
tc 'killed SCMP_ACT_KILL' 'SCMP_ACT_KILL: SIGSYS'
tc 'killed SCMP_ACT_KILL_PROCESS' 'SCMP_ACT_KILL_PROCESS: SIGSYS'
tc 'killed SCMP_ACT_KILL_THREAD' 'SCMP_ACT_KILL_THREAD: SIGSYS of the only thread'
tc 'killed SCMP_ACT_TRAP' 'SCMP_ACT_TRAP: SIGSYS that may be caught'

tc seccomp_log 'SCMP_ACT_LOG: allowed'
seccomp_log() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_LOG)"
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=0 errno=0'
}

tc seccomp_trace 'SCMP_ACT_TRACE without a tracer: ENOSYS'
seccomp_trace() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_TRACE '{errnoRet:5}')"
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=ENOSYS'
}

# arg OP VALUE VALUETWO EXPECTED-FOR-8 EXPECTED-FOR-0: personality(2) with an argument is errno EDOM where the rule holds.
compare() {
	local v
	bundle
	seccomp SCMP_ACT_ALLOW "$(action personality SCMP_ACT_ERRNO \
		"{errnoRet:33,args:[{index:0,value:$2,valueTwo:$3,op:\"$1\"}]}")"
	script 'for v in 0 8 9; do rft sys personality $v; done | sed "s/.*errno=//"'
	runs
	v=${OUT//$'\n'/ }
	eq "${v//EDOM/x}" "$4"
}
tc 'compare SCMP_CMP_EQ 8 0 0\ x\ 0' 'SCMP_CMP_EQ'
tc 'compare SCMP_CMP_NE 8 0 x\ 0\ x' 'SCMP_CMP_NE'
tc 'compare SCMP_CMP_LT 8 0 x\ 0\ 0' 'SCMP_CMP_LT'
tc 'compare SCMP_CMP_LE 8 0 x\ x\ 0' 'SCMP_CMP_LE'
tc 'compare SCMP_CMP_GT 8 0 0\ 0\ x' 'SCMP_CMP_GT'
tc 'compare SCMP_CMP_GE 8 0 0\ x\ x' 'SCMP_CMP_GE'
tc 'compare SCMP_CMP_MASKED_EQ 1 1 0\ 0\ x' 'SCMP_CMP_MASKED_EQ'

tc seccomp_args_and 'several arguments of a rule must all match'
seccomp_args_and() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO '{errnoRet:33,args:[{index:1,value:448,op:"SCMP_CMP_EQ"},
		{index:2,value:7,op:"SCMP_CMP_EQ"}]}')"
	script 'rft sys mkdir :/tmp/a 0700 6; rft sys mkdir :/tmp/b 0700 7'
	runs
	eq "$OUT" $'ret=0 errno=0\nret=-1 errno=EDOM'
}

tc seccomp_args_64 'a comparison is of 64 bits'
seccomp_args_64() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action getppid SCMP_ACT_ERRNO '{errnoRet:33,args:[{index:0,value:4294967301,op:"SCMP_CMP_EQ"}]}')"
	script 'rft sys getppid 5; rft sys getppid 4294967301'
	runs
	has "$OUT" 'errno=0'
	eq "$(tail -n 1 <<<"$OUT")" 'ret=-1 errno=EDOM'
}

tc seccomp_default_errno 'a default of ERRNO with allowed calls, and defaultErrnoRet'
seccomp_default_errno() {
	local profile=$RF_HERE/allow.json
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ERRNO",defaultErrnoRet:95,syscalls:[{names:$n,action:"SCMP_ACT_ALLOW"}]}' \
		--argjson n "$(jq -c .names "$profile")"
	script 'rft sys mkdir :/tmp/d 0755; rft sys sethostname :x 1'
	runs
	eq "$OUT" $'ret=0 errno=0\nret=-1 errno=EOPNOTSUPP'
}

tc seccomp_enosys 'a system call that is newer than the profile: ENOSYS, so that a libc falls back'
seccomp_enosys() {
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ERRNO",syscalls:[{names:$n,action:"SCMP_ACT_ALLOW"}]}' \
		--argjson n "$(jq -c .names "$RF_HERE/allow.json")"
	script 'rft sys 999; rft sys sethostname :x 1'
	runs
	eq "$OUT" $'ret=-1 errno=ENOSYS\nret=-1 errno=EPERM'
}

tc seccomp_unknown_name 'a system call that nobody knows is left out'
seccomp_unknown_name() {
	bundle
	seccomp SCMP_ACT_ALLOW '[{"names":["no_such_call","mkdir"],"action":"SCMP_ACT_ERRNO"}]'
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=EPERM'
}

# runc has no such annotation.
tc seccomp_unknown_fatal '2.6: run.oci.seccomp_fail_unknown_syscall makes it an error'
seccomp_unknown_fatal() {
	bundle
	seccomp SCMP_ACT_ALLOW '[{"names":["no_such_call"],"action":"SCMP_ACT_ERRNO"}]'
	edit '.annotations={"run.oci.seccomp_fail_unknown_syscall":"1"}'
	refused 'no_such_call|seccomp'
}

bad_profile() { # PATTERN FILTER-ON-.linux.seccomp
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	edit ".linux.seccomp|=($2)"
	refused "$1"
}
tc "bad_profile 'action|seccomp' '.defaultAction=\"SCMP_ACT_NOSUCH\"'" 'an unknown default action: refused'
tc "bad_profile 'action|seccomp' '.syscalls[0].action=\"SCMP_ACT_NOSUCH\"'" 'an unknown action: refused'
tc "bad_profile 'operator|seccomp|op' '.syscalls[0].args=[{index:0,value:1,op:\"SCMP_CMP_NOSUCH\"}]'" 'an unknown operator: refused'
tc "bad_profile 'arch|seccomp' '.architectures=[\"SCMP_ARCH_NOSUCH\"]'" 'an unknown architecture: refused'
tc "bad_profile 'flag|seccomp' '.flags=[\"SECCOMP_FILTER_FLAG_NOSUCH\"]'" 'an unknown flag: refused'
tc "bad_profile 'index|seccomp|argument' '.syscalls[0].args=[{index:6,value:1,op:\"SCMP_CMP_EQ\"}]'" 'a seventh argument: refused'
tc "bad_profile 'errno' '.syscalls[0]|=(.action=\"SCMP_ACT_KILL\"|.errnoRet=1)'" 'errnoRet with an action that takes none: refused'
tc "bad_profile 'metadata|listener' '.listenerMetadata=\"x\"'" 'listenerMetadata without listenerPath: refused'
tc "bad_profile 'listener|notify' '.syscalls[0].action=\"SCMP_ACT_NOTIFY\"'" 'SCMP_ACT_NOTIFY without listenerPath: refused'

tc seccomp_all_archs 'every architecture of the specification is accepted'
seccomp_all_archs() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	edit '.linux.seccomp.architectures=["X86","X86_64","X32","ARM","AARCH64","MIPS","MIPS64","MIPS64N32","MIPSEL","MIPSEL64",
		"MIPSEL64N32","PPC","PPC64","PPC64LE","S390","S390X","PARISC","PARISC64","RISCV64"]
		|.linux.seccomp.architectures|=map("SCMP_ARCH_"+.)'
	# libseccomp does not mix byte orders in one filter: only those of this machine's order.
	[[ $(uname -m) != x86_64 ]] || edit '.linux.seccomp.architectures|=map(select(test("X86|X32|ARM|AARCH|MIPSEL|PPC64LE|RISCV")))'
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=EPERM'
}

tc seccomp_foreign_arch 'a call by another architecture'\''s entry is killed unless that is listed'
seccomp_foreign_arch() {
	can int80 || skip "no 32-bit system calls in this kernel"
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	script 'rft int80; echo $?'
	runs
	ne "$(tail -n 1 <<<"$OUT")" 0
	edit '.linux.seccomp.architectures+=["SCMP_ARCH_X86"]'
	runs
	eq "$OUT" $'same\n0'
}

tc seccomp_sub_arch 'rules hold for a listed second architecture too'
seccomp_sub_arch() {
	can int80 || skip "no 32-bit system calls in this kernel"
	bundle
	seccomp SCMP_ACT_ALLOW "$(action getpid SCMP_ACT_ERRNO)"
	edit '.linux.seccomp.architectures+=["SCMP_ARCH_X86"]'
	script 'rft int80; echo $?'
	runs
	eq "$(head -n 1 <<<"$OUT")" denied
}

flag() { # NAME BIT
	can seccomp_flag "$2" || skip "the kernel has no SECCOMP_FILTER_FLAG_$1"
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	edit '.linux.seccomp.flags=[$f]' --arg f "SECCOMP_FILTER_FLAG_$1"
	script 'rft sys mkdir :/tmp/d 0755; grep Speculation_Store /proc/self/status'
	runs
	has "$OUT" 'errno=EPERM'
	[[ $1 != SPEC_ALLOW ]] || hasnt "$OUT" 'force mitigated'
}
tc 'flag TSYNC 1' 'flag SECCOMP_FILTER_FLAG_TSYNC'
tc 'flag LOG 2' 'flag SECCOMP_FILTER_FLAG_LOG'
tc 'flag SPEC_ALLOW 4' 'flag SECCOMP_FILTER_FLAG_SPEC_ALLOW'

tc seccomp_without_nnp 'P10: a filter without noNewPrivileges, and capabilities less than root'\''s'
seccomp_without_nnp() {
	bundle
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	edit '.process.noNewPrivileges=false|.process.user={uid:1000,gid:1000}'
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=EPERM'
}

tc seccomp_with_nnp_setup 'P10: a filter does not hinder the runtime: no setuid, capset, chdir, mount for the payload'
seccomp_with_nnp_setup() {
	bundle
	edit '.process.user={uid:1000,gid:1000,additionalGids:[5]}|.process.cwd="/etc"'
	seccomp SCMP_ACT_ALLOW '[{"names":["mount","pivot_root","setuid","setresuid","setgid","setresgid","setgroups","capset",
		"chdir","fchdir","unshare","setns","sethostname","umount2","chroot","open_tree","move_mount","fsopen"],"action":"SCMP_ACT_ERRNO"}]'
	inspect
	runs
	kv_is uid 1000
	kv_is cwd /etc
}

# crun 1.28 finds the first filter again for the section that differs in errnoRet only.
tc seccomp_repeat 'the same section three times: the same filter each time (a cache must not change it)'
seccomp_repeat() {
	local n
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ERRNO",syscalls:[{names:$n,action:"SCMP_ACT_ALLOW"},
		{names:["mkdir"],action:"SCMP_ACT_ERRNO",errnoRet:7}]}' \
		--argjson n "$(jq -c '.names-["mkdir"]' "$RF_HERE/allow.json")"
	calls mkdir :/tmp/d 0755
	for n in 1 2 3; do
		runs
		eq "$OUT" 'ret=-1 errno=E2BIG' "run $n"
	done
	edit '.linux.seccomp.syscalls[1].errnoRet=33'
	runs
	eq "$OUT" 'ret=-1 errno=EDOM' "another section"
}

tc seccomp_userns 'a filter inside a user namespace'
seccomp_userns() {
	need_userns
	bundle
	userns
	seccomp SCMP_ACT_ALLOW "$(action mkdir SCMP_ACT_ERRNO)"
	calls mkdir :/tmp/d 0755
	runs
	eq "$OUT" 'ret=-1 errno=EPERM'
}

tc seccomp_minimal 'P10: with noNewPrivileges a profile of nothing but what the payload does is enough: execve is all of ours'
seccomp_minimal() {
	bundle
	seccomp SCMP_ACT_KILL_PROCESS '[{"names":["execve","brk","arch_prctl","set_tid_address","set_robust_list","rseq","prlimit64",
		"readlink","readlinkat","getrandom","mprotect","mmap","munmap","fstat","newfstatat","statx","ioctl","write","exit_group",
		"exit","rt_sigprocmask","uname"],"action":"SCMP_ACT_ALLOW"},{"names":["getppid"],"action":"SCMP_ACT_ERRNO","errnoRet":33}]'
	calls getppid
	made
	good start "$ID"
	until_is stopped
	down
	runs
	eq "$OUT" 'ret=-1 errno=EDOM'
}

tc seccomp_no_execve 'a profile that does not allow execve: an error that says so, not a payload that ended'
seccomp_no_execve() {
	! sanitized || skip "the sanitizers need system calls that the profile forbids"
	bundle
	seccomp SCMP_ACT_ERRNO '[{"names":["write","exit_group"],"action":"SCMP_ACT_ALLOW"}]'
	calls getppid
	bad 'exec: "rft".*not permitted' run --bundle "$B" "$ID"
	gone
}
