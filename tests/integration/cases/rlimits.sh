# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# process.rlimits.

limits() { edit '.process.rlimits=$l' --argjson l "$1"; }

tc rlimits_set 'P6: soft and hard, inside and outside'
rlimits_set() {
	bundle
	limits '[{"type":"RLIMIT_NOFILE","soft":100,"hard":200},{"type":"RLIMIT_CORE","soft":0,"hard":4096}]'
	up
	match "$(proc_file "$PID" limits | grep 'Max open files')" 'files +100 +200 '
	exec_good rft inspect
	kv_is rlimit.nofile 100:200
	kv_is rlimit.core 0:4096
}

tc rlimits_all 'P6: every type by name'
rlimits_all() {
	! sanitized || skip "a sanitized runtime does not live in 1 GB of address space"
	bundle
	limits '[["CPU",100000],["FSIZE",1000000],["DATA",1000000000],["STACK",4194304],["CORE",0],["RSS",1000000],["NPROC",500],
		["NOFILE",64],["MEMLOCK",32768],["AS",1000000000],["LOCKS",100],["SIGPENDING",100],["MSGQUEUE",10000],["NICE",0],
		["RTPRIO",0],["RTTIME",1000000]]' 2>/dev/null
	edit '.process.rlimits|=map({type:("RLIMIT_"+.[0]),soft:.[1],hard:.[1]})'
	inspect
	runs
	kv_is rlimit.cpu 100000:100000
	kv_is rlimit.nproc 500:500
	kv_is rlimit.stack 4194304:4194304
	kv_is rlimit.as 1000000000:1000000000
	kv_is rlimit.sigpending 100:100
	kv_is rlimit.msgqueue 10000:10000
	kv_is rlimit.rttime 1000000:1000000
}

tc rlimits_infinity 'P6: 2^64-1 is no limit'
rlimits_infinity() {
	bundle
	edit '.process.rlimits=[{type:"RLIMIT_CPU",soft:1000,hard:18446744073709551615}]'
	inspect
	# jq prints 2^64-1 as a float; the file must not have that.
	sed -i 's/18446744073709552000/18446744073709551615/' "$B/config.json"
	runs
	kv_is rlimit.cpu 1000:-1
}

tc rlimits_unknown 'P6: an unknown type: refused'
rlimits_unknown() {
	bundle
	limits '[{"type":"RLIMIT_NOSUCH","soft":1,"hard":1}]'
	refused 'rlimit'
}

tc rlimits_duplicate 'P6: a type given twice: refused'
# crun and runc accept it (the last wins in one of them).
rlimits_duplicate() {
	bundle
	limits '[{"type":"RLIMIT_NOFILE","soft":10,"hard":10},{"type":"RLIMIT_NOFILE","soft":20,"hard":20}]'
	refused 'rlimit'
}

tc rlimits_soft_over_hard 'P6: soft over hard: refused'
rlimits_soft_over_hard() {
	bundle
	limits '[{"type":"RLIMIT_NOFILE","soft":200,"hard":100}]'
	refused 'rlimit|invalid argument'
}

tc rlimits_raise 'P6: a hard limit can be raised by root'
rlimits_raise() {
	can raise_rlimit || skip "this root has no CAP_SYS_RESOURCE: limits cannot be raised"
	bundle
	limits '[{"type":"RLIMIT_MEMLOCK","soft":17179869184,"hard":17179869184}]'
	inspect
	runs
	kv_is rlimit.memlock 17179869184:17179869184
}

tc rlimits_raise_refused 'P6: one that cannot be raised is an error that names it'
rlimits_raise_refused() {
	! can raise_rlimit || skip "this root can raise limits"
	bundle
	limits '[{"type":"RLIMIT_NOFILE","soft":1048576,"hard":1048576}]'
	refused 'nofile|rlimit'
}

tc rlimits_effect 'P6: the limit works: no more files than NOFILE'
rlimits_effect() {
	bundle
	limits '[{"type":"RLIMIT_FSIZE","soft":1024,"hard":1024}]'
	script 'dd if=/dev/zero of=/tmp/x bs=512 count=10 2>/dev/null; stat -c %s /tmp/x'
	runs
	eq "$OUT" 1024
}

tc rlimits_nproc_exec 'P6: exec with RLIMIT_NPROC: room for one more is enough, and the limit holds'
rlimits_nproc_exec() {
	local uid=$((3000000 + BASHPID % 1000000))
	bundle
	edit '.process.user={uid:$u,gid:$u}' --argjson u $uid
	limits '[{"type":"RLIMIT_NPROC","soft":2,"hard":2}]'
	up
	exec_good rft inspect
	kv_is rlimit.nproc 2:2
	ex sh -c 'true & wait; echo $?'
	hasnt "$OUT" 0 "a third process"
	"$RT" "${GOPTS[@]}" exec "$ID" rft pause up >"$T/second" 2>&1 </dev/null &
	until_has 10 "$T/second" up
	ex true
	ne "$RC" 0 "a third process by exec"
	rt kill --all "$ID" KILL
	wait
}
