# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# linux.namespaces: new, inherited, joined by path; and what each of them shows.

# holder UNSHARE-OPTIONS: a process in namespaces of its own; its pid in HOLDER.
holder() {
	unshare "$@" sleep 1000 >/dev/null 2>&1 </dev/null &
	HOLDER=$!
	until_ok 5 eval '[[ $(<"/proc/$HOLDER/comm") == sleep ]]'
}

new_ns() {
	[[ $1 != time ]] || need_timens
	[[ $1 != user ]] || need_userns
	bundle
	if [[ $1 == user ]]; then userns; else ns "$1"; fi
	up
	ne "$(nslink "$2" "$PID")" "$(nslink "$2")" "$1 namespace"
	exec_good readlink "/proc/self/ns/$2"
	eq "$OUT" "$(nslink "$2" "$PID")" "$1 namespace of exec"
}
tc 'new_ns pid pid' 'N1: a new pid namespace, exec is in it'
tc 'new_ns network net' 'N1: a new network namespace, exec is in it'
tc 'new_ns mount mnt' 'N1: a new mount namespace, exec is in it'
tc 'new_ns ipc ipc' 'N1: a new ipc namespace, exec is in it'
tc 'new_ns uts uts' 'N1: a new uts namespace, exec is in it'
tc 'new_ns user user' 'N1: a new user namespace, exec is in it'
tc 'new_ns cgroup cgroup' 'N1: a new cgroup namespace, exec is in it'
tc 'new_ns time time' 'N1: a new time namespace, exec is in it'

host_ns() {
	bundle
	no_ns "$1"
	[[ $1 != uts ]] || edit 'del(.hostname)'
	[[ $1 != network ]] || edit 'del(.linux.sysctl)'
	up
	eq "$(nslink "$2" "$PID")" "$(nslink "$2")" "$1 namespace"
}
tc 'host_ns pid pid' 'N1: a pid namespace that is not listed is inherited'
tc 'host_ns network net' 'N1: a network namespace that is not listed is inherited'
tc 'host_ns ipc ipc' 'N1: an ipc namespace that is not listed is inherited'
tc 'host_ns uts uts' 'N1: a uts namespace that is not listed is inherited'
tc 'host_ns cgroup cgroup' 'N1: a cgroup namespace that is not listed is inherited'
tc 'host_ns user user' 'N1: a user namespace that is not listed is inherited'
tc 'host_ns time time' 'N1: a time namespace that is not listed is inherited'

joined_ns() {
	local option=--$2
	[[ $1 != time ]] || need_timens
	bundle
	[[ $1 != uts ]] || edit 'del(.hostname)'
	holder "$option"
	ns "$1" "/proc/$HOLDER/ns/$2"
	up
	eq "$(nslink "$2" "$PID")" "$(nslink "$2" "$HOLDER")" "$1 namespace"
	exec_good readlink "/proc/self/ns/$2"
	eq "$OUT" "$(nslink "$2" "$HOLDER")" "$1 namespace of exec"
}
tc 'joined_ns network net' 'N2: a network namespace is joined by path'
tc 'joined_ns ipc ipc' 'N2: an ipc namespace is joined by path'
tc 'joined_ns uts uts' 'N2: a uts namespace is joined by path'
tc 'joined_ns cgroup cgroup' 'N2: a cgroup namespace is joined by path'

tc joined_pid 'N2: a pid namespace is joined by path: init is a process among others there'
joined_pid() {
	bundle a
	up
	local first=$PID
	ID=$ID-b
	bundle b
	ns pid "/proc/$first/ns/pid"
	up
	eq "$(nslink pid)" "$(nslink pid $$)"
	eq "$(nslink pid "$PID")" "$(nslink pid "$first")"
	match "$(proc NSpid)" "^$PID [0-9]+\$"
	ne "$(proc NSpid)" "$PID 1"
	down
	ok alive "$first"
}

tc joined_time 'N2: a time namespace is joined by path, with its clocks'
joined_time() {
	need_timens
	bundle
	unshare --time --boottime 100000 --fork --kill-child sleep 1000 >/dev/null 2>&1 </dev/null &
	until_ok 5 pgrep -P $! sleep
	local p
	p=$(pgrep -P $! sleep)
	ns time "/proc/$p/ns/time"
	inspect
	runs
	kv_is ns.time "$(nslink time "$p")"
	at_least "$(kv clock.boottime)" 100000
}

tc joined_user 'N2: a user namespace is joined by path, its maps hold'
joined_user() {
	need_userns
	bundle a
	userns
	up
	local first=$PID
	ID=$ID-b
	bundle b
	ns user "/proc/$first/ns/user"
	find "$ROOTFS" -type d -exec chown 100000:100000 {} +
	up
	eq "$(nslink user "$PID")" "$(nslink user "$first")"
	eq "$(proc Uid)" '100000 100000 100000 100000'
}

tc joined_mount 'N2: a mount namespace is joined by path: the payload sees what is mounted there'
# runc fails here without a rootfs of its own in that namespace.
joined_mount() {
	bundle
	mkdir "$T/there"
	unshare --mount --propagation private sh -c 'mount -t tmpfs none "$1" && touch "$1/mark" && exec sleep 1000' - "$ROOTFS/mnt" \
		>/dev/null 2>&1 </dev/null &
	HOLDER=$!
	until_ok 5 test -e "/proc/$HOLDER/root$ROOTFS/mnt/mark"
	ns mount "/proc/$HOLDER/ns/mnt"
	edit '.mounts=[]|.linux.maskedPaths=[]|.linux.readonlyPaths=[]'
	args ls /mnt
	runs
	eq "$OUT" mark
}

tc pod_share 'N2: a second partition shares net, ipc and uts of the first, as in a pod'
pod_share() {
	bundle a
	up
	local first=$PID n
	ID=$ID-b
	bundle b
	edit 'del(.hostname)'
	ns network "/proc/$first/ns/net"
	ns ipc "/proc/$first/ns/ipc"
	ns uts "/proc/$first/ns/uts"
	up
	for n in net ipc uts; do eq "$(nslink $n "$PID")" "$(nslink $n "$first")" $n; done
	ne "$(nslink mnt "$PID")" "$(nslink mnt "$first")"
	exec_good hostname
	eq "$OUT" inside
}

tc ns_wrong_type 'N2: a path to another type of namespace: refused'
ns_wrong_type() {
	bundle
	ns network /proc/self/ns/uts
	refused 'namespace'
}

tc ns_not_nsfs 'N2: a path that is no namespace: refused'
ns_not_nsfs() {
	bundle
	touch "$T/file"
	ns network "$T/file"
	refused 'namespace|invalid argument'
}

tc ns_missing_path 'N2: a path that does not exist: refused'
ns_missing_path() {
	bundle
	ns ipc "$T/nothing"
	refused 'nothing'
}

tc ns_relative_path 'N2: a relative path: refused'
# crun follows it, relative to its working directory.
ns_relative_path() {
	bundle
	ln -s /proc/self/ns/net "$T/net"
	ns network net
	refused 'absolute|namespace'
}

tc ns_duplicate 'N1: a type listed twice: refused'
ns_duplicate() {
	bundle
	edit '.linux.namespaces+=[{type:"ipc"}]'
	refused 'duplicate|ipc|twice'
}

tc ns_unknown 'N1: an unknown type: refused'
ns_unknown() {
	bundle
	edit '.linux.namespaces+=[{type:"nosuch"}]'
	refused 'nosuch|namespace'
}

tc ns_pid_view 'N1: inside the pid namespace init is 1 and nothing of the host is seen'
ns_pid_view() {
	bundle
	script 'echo $$; ls /proc | grep -c "^[0-9]"'
	runs
	eq "$(head -n 1 <<<"$OUT")" 1
	at_most "$(tail -n 1 <<<"$OUT")" 4
}

tc ns_pid_kill 'N1: when init ends, the processes of its pid namespace end'
ns_pid_kill() {
	bundle
	up
	exec_good sh -c 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'
	until_ok 5 eval '[[ $(rt ps --format json "$ID" | jq length) == 2 ]]'
	good kill "$ID" KILL
	until_is stopped
	until_ok 5 eval '[[ $(rt ps --format json "$ID" 2>/dev/null | jq -r "length // 0") == 0 ]]'
}

tc ns_net_lo 'N3: a new network namespace has lo, and it is up'
ns_net_lo() {
	bundle
	args ip -o link
	runs
	match "$OUT" 'lo: <LOOPBACK,UP'
	eq "$(grep -c -v -e ': lo:' -e 'tunl\|sit0\|ip6tnl\|gre\|erspan\|ip_vti\|ip6_vti\|ifb' <<<"$OUT")" 0
}

tc ns_net_traffic 'N3: traffic flows over lo'
ns_net_traffic() {
	bundle
	ln -s busybox "$ROOTFS/bin/nc"
	# The server's input never ends: nc would close its side at once, and the client leave before it has said a word.
	script 'mkfifo /tmp/quiet; nc -l -p 4000 <>/tmp/quiet >/tmp/got & n=0
		until echo hello | nc 127.0.0.1 4000 || [ $n = 200 ]; do n=$((n+1)); usleep 50000; done; wait; cat /tmp/got'
	runs
	has "$OUT" hello
}

tc ns_cgroup_view 'N4: the cgroup namespace is made inside the partition'\''s cgroup: every path is /'
ns_cgroup_view() {
	bundle
	args cat /proc/self/cgroup
	need_cg pids
	runs
	match "$(grep -E ':pids:|^0::' <<<"$OUT" | head -n 1)" ':/$'
	no_ns cgroup
	runs
	has "$OUT" "$ID"
}

tc ns_hostname 'R4: hostname and domainname are set inside, and only there'
ns_hostname() {
	local before
	before=$(uname -n)
	bundle
	edit '.hostname="one"|.domainname="two.example"'
	inspect
	runs
	kv_is hostname one
	kv_is domainname two.example
	eq "$(uname -n)" "$before"
}

tc ns_hostname_without 'R4: hostname without a uts namespace: refused'
ns_hostname_without() {
	bundle
	no_ns uts
	refused 'hostname|uts'
}

tc ns_hostname_own_path 'R4: hostname or domainname with the path of the runtime'\''s own uts namespace: refused, or it would rename the host'
# crun and runc rename it. This host's is in a namespace of its own here.
ns_hostname_own_path() {
	bundle
	ns uts /proc/self/ns/uts
	args true
	edit '.hostname="renamed"'
	grab unshare --uts sh -c 'hostname before; "$@"; echo "exit status $?"; hostname' - "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID"
	imatch "$ERR" 'hostname.*own'
	eq "$OUT" $'exit status 1\nbefore'
	gone
	edit 'del(.hostname)|.domainname="renamed"'
	refused 'domainname.*own'
}

tc ns_hostname_joined 'R4: hostname in a uts namespace that is joined, as in a pod'
ns_hostname_joined() {
	bundle
	holder --uts
	ns uts "/proc/$HOLDER/ns/uts"
	edit '.hostname="pod"'
	args hostname
	runs
	eq "$OUT" pod
	eq "$(nsenter -t "$HOLDER" --uts hostname)" pod
}

tc ns_domainname_without 'R4: domainname without a uts namespace: refused'
ns_domainname_without() {
	bundle
	no_ns uts
	edit 'del(.hostname)|.domainname="x"'
	refused 'domainname|uts'
}

tc ns_ipc_apart 'N1: System V objects of the host are not seen inside'
ns_ipc_apart() {
	local q
	need_cmd ipcmk ipcrm
	q=$(ipcmk -Q | grep -o '[0-9]*$')
	bundle
	script 'wc -l </proc/sysvipc/msg'
	try run --bundle "$B" "$ID"
	ipcrm -q "$q"
	eq "$OUT" 1 "lines of /proc/sysvipc/msg"
}

tc ns_mount_apart 'N1: what is mounted inside is not seen outside, and the other way round'
ns_mount_apart() {
	bundle
	up
	mkdir "$T/later"
	mount -t tmpfs none "$T/later"
	hasnt "$(<"/proc/$PID/mountinfo")" "$T/later"
	hasnt "$(</proc/self/mountinfo)" "$ROOTFS"
}

tc ns_net_exec_proc 'N1: /proc/net and /sys/class/net inside show the new network namespace'
ns_net_exec_proc() {
	bundle
	script 'ls /sys/class/net; tail -n +3 /proc/net/dev | wc -l'
	runs
	has "$OUT" lo
	hasnt "$OUT" eth0
}
