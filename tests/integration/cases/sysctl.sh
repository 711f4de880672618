# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# linux.sysctl.

sysctl() { edit '.linux.sysctl[$k]=$v' --arg k "$1" --arg v "$2"; }

tc sysctl_ipc 'N8: kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* with an ipc namespace'
sysctl_ipc() {
	local host
	host=$(</proc/sys/kernel/msgmax)
	bundle
	sysctl kernel.msgmax 12345
	sysctl kernel.shmmni 99
	sysctl kernel.sem '100 200 30 40'
	sysctl fs.mqueue.msg_max 7
	script 'cd /proc/sys; cat kernel/msgmax kernel/shmmni kernel/sem fs/mqueue/msg_max | tr "\t" " "'
	runs
	eq "$OUT" $'12345\n99\n100 200 30 40\n7'
	eq "$(</proc/sys/kernel/msgmax)" "$host"
}

tc sysctl_net 'N8: net.* with a network namespace'
sysctl_net() {
	local host
	host=$(</proc/sys/net/core/somaxconn)
	bundle
	sysctl net.core.somaxconn 77
	sysctl net.ipv4.ip_unprivileged_port_start 80
	args cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_unprivileged_port_start
	runs
	eq "$OUT" $'77\n80'
	eq "$(</proc/sys/net/core/somaxconn)" "$host"
}

tc sysctl_slashes 'N8: a key with slashes'
sysctl_slashes() {
	bundle
	sysctl net/core/somaxconn 78
	args cat /proc/sys/net/core/somaxconn
	runs
	eq "$OUT" 78
}

tc sysctl_dotted_interface 'N8: an interface with a dot: net.ipv4.conf.eth0/5.forwarding and net/ipv4/conf/eth0.5/…'
sysctl_dotted_interface() {
	can veth || skip "no veth links"
	bundle
	unshare -n sh -c 'ip link add eth0.5 type veth peer name p && exec sleep 1000' >/dev/null 2>&1 </dev/null &
	until_ok 5 eval '[[ $(<"/proc/$!/comm") == sleep ]]'
	ns network "/proc/$!/ns/net"
	sysctl net.ipv4.conf.eth0/5.accept_redirects 0
	sysctl net/ipv4/conf/eth0.5/secure_redirects 0
	script 'cd /proc/sys/net/ipv4/conf/eth0.5; cat accept_redirects secure_redirects'
	runs
	eq "$OUT" $'0\n0'
}

refused_sysctl() { # NAMESPACE-TO-DROP KEY VALUE
	bundle
	[[ $1 == - ]] || no_ns "$1"
	[[ $1 != uts ]] || edit 'del(.hostname)'
	sysctl "$2" "$3"
	refused "${2##*/}|sysctl"
}
tc 'refused_sysctl - kernel.pid_max 4000000' 'N8: a sysctl of the whole host: refused (kernel.pid_max)'
tc 'refused_sysctl - vm.swappiness 10' 'N8: a sysctl of the whole host: refused (vm.swappiness)'
tc 'refused_sysctl - kernel.core_pattern "|/bin/x"' 'N8: a sysctl of the whole host: refused (kernel.core_pattern)'
tc 'refused_sysctl network net.core.somaxconn 1' 'N8: net.* without a network namespace of its own: refused'
tc 'refused_sysctl ipc kernel.msgmax 1' 'N8: kernel.msg* without an ipc namespace: refused'
tc 'refused_sysctl ipc fs.mqueue.msg_max 1' 'N8: fs.mqueue.* without an ipc namespace: refused'
tc 'refused_sysctl - user.max_user_namespaces 5' 'N8: user.* without a user namespace: refused'
tc 'refused_sysctl - net.core.nosuch 5' 'N8: a key that does not exist: refused'
tc 'refused_sysctl - net/core/../../kernel/pid_max 4000000' 'CVE-2022-0811: ".." in a key: refused'
tc 'refused_sysctl - net.core.somaxconn many' 'N8: a value that the kernel does not take: refused'

tc 'refused_sysctl uts kernel.hostname other' 'N8: kernel.hostname without a uts namespace: refused'
tc 'refused_sysctl ipc kernel.sem "1 2 3 4"' 'N8: kernel.sem without an ipc namespace: refused'
tc 'refused_sysctl ipc kernel.shm_rmid_forced 1' 'N8: kernel.shm* without an ipc namespace: refused'
tc 'refused_sysctl - kernel/../vm/swappiness 10' 'CVE-2022-0811: the way round by kernel/..: refused'
tc 'refused_sysctl - net 5' 'N8: a directory: refused'

tc sysctl_ipc_host_path 'N8: kernel.shm* with the path of the runtime'\''s own ipc namespace: refused'
sysctl_ipc_host_path() {
	local before
	before=$(</proc/sys/kernel/shmmni)
	bundle
	ns ipc /proc/self/ns/ipc
	sysctl kernel.shmmni 99
	refused 'kernel.shmmni.*ipc'
	eq "$(</proc/sys/kernel/shmmni)" "$before"
}

tc sysctl_exec 'N8: processes of exec see the values; the host does not'
sysctl_exec() {
	local host
	host=$(</proc/sys/kernel/shmmni)
	bundle
	sysctl kernel.shmmni 77
	up
	exec_good cat /proc/sys/kernel/shmmni
	eq "$OUT" 77
	eq "$(</proc/sys/kernel/shmmni)" "$host"
}

tc sysctl_user 'N8: user.* with a user namespace'
# crun and runc before 1.5 refuse it.
sysctl_user() {
	need_userns
	bundle
	userns
	sysctl user.max_mnt_namespaces 5
	args cat /proc/sys/user/max_mnt_namespaces
	runs
	eq "$OUT" 5
}

tc sysctl_userns 'N8: net and ipc keys inside a user namespace'
sysctl_userns() {
	need_userns
	bundle
	userns
	sysctl net.ipv4.ip_forward 1
	sysctl kernel.shmmni 88
	args cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni
	runs
	eq "$OUT" $'1\n88'
}

tc sysctl_injection 'CVE-2022-0811: a value with a new line and another assignment touches nothing else'
sysctl_injection() {
	local before
	before=$(</proc/sys/kernel/core_pattern)
	bundle
	sysctl kernel.shmmni $'4096\nkernel.core_pattern=|/bin/x'
	args true
	try run --bundle "$B" "$ID"
	eq "$(</proc/sys/kernel/core_pattern)" "$before"
	bundle b
	sysctl $'kernel.shmmni=1\nkernel.core_pattern' '|/bin/x'
	refused .
	eq "$(</proc/sys/kernel/core_pattern)" "$before"
}

tc sysctl_hostname_conflict 'R4: kernel.hostname against another hostname: refused'
sysctl_hostname_conflict() {
	bundle
	sysctl kernel.hostname other
	refused 'hostname|sysctl'
}

tc sysctl_domainname 'N8: kernel.domainname with a uts namespace'
# runc takes it, crun 1.8.1 does not.
sysctl_domainname() {
	bundle
	sysctl kernel.domainname by.sysctl
	inspect
	runs
	kv_is domainname by.sysctl
}

tc sysctl_net_host_path 'N8: net.* with the path of the runtime'\''s own network namespace: refused'
sysctl_net_host_path() {
	bundle
	ns network "/proc/$$/ns/net"
	sysctl net.core.somaxconn 99
	local before
	before=$(</proc/sys/net/core/somaxconn)
	try create --bundle "$B" "$ID"
	eq "$(</proc/sys/net/core/somaxconn)" "$before"
	ne "$RC" 0 "exit status"
}
