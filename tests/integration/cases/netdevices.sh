# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# linux.netDevices (1.3): runc 1.4, crun 1.24. Each case has a network namespace of its own as its host.

# as_host FUNCTION: the case in a new network namespace, as its host, with veth links v0 (which has 192.0.2.1) and v1.
as_host() {
	can veth || skip "no veth links"
	# shellcheck disable=SC2016
	unshare -n bash -c 'source "$RF_HERE/lib.sh"
		tc() { :; }
		cg_scan
		source "$RF_HERE/cases/netdevices.sh"
		ROOT=$T/state GOPTS=(--root "$T/state")
		[[ $RF_MANAGER != systemd ]] || GOPTS+=(--systemd-cgroup)
		ip link add v0 type veth peer name v1 && ip addr add 192.0.2.1/24 dev v0 && ip link set v0 up && "$1"' - "$1"
	exit $?
}
devices() { edit '.linux.netDevices=$d' --argjson d "$1"; }

tc 'as_host net_move' 'N10: a device is moved in, under its name, up, with its address'
net_move() {
	bundle
	devices '{"v0":{}}'
	args ip -o addr show dev v0
	runs
	has "$OUT" 192.0.2.1/24
}

tc 'as_host net_up' 'N10: it is up, and gone from the host'
net_up() {
	bundle
	devices '{"v0":{}}'
	script 'ip -o link show dev v0; exec rft pause'
	up
	until_ok 10 test -s "$T/out"
	match "$(<"$T/out")" 'v0.*[<,]UP'
	fails ip link show dev v0
}

tc 'as_host net_rename' 'N10: under another name'
net_rename() {
	bundle
	devices '{"v0":{"name":"eth0"}}'
	args ip -o addr show dev eth0
	runs
	has "$OUT" 192.0.2.1/24
}

tc 'as_host net_pattern' 'N10: a name with %d'
net_pattern() {
	bundle
	devices '{"v0":{"name":"net%d"}}'
	args ip -o link show dev net0
	runs
	has "$OUT" net0
}

tc 'as_host net_clash' 'N10: a name that is taken: refused, and the device is still on the host'
net_clash() {
	bundle
	devices '{"v0":{"name":"lo"}}'
	refused 'lo|exist'
	ok ip link show dev v0
}

tc 'as_host net_addresses' 'N10: every global permanent address is kept: both families, peers; those with a lifetime are not'
net_addresses() {
	ip addr add 192.0.2.9/32 peer 198.51.100.1/32 dev v0
	ip addr add 2001:db8::5/64 dev v0 nodad
	ip addr add 192.0.2.77/24 dev v0 valid_lft 1000 preferred_lft 500
	ip link set v1 up
	bundle
	devices '{"v0":{"name":"eth0"}}'
	args ip -o addr show dev eth0
	runs
	has "$OUT" 'inet 192.0.2.1/24'
	has "$OUT" '192.0.2.9'
	has "$OUT" '198.51.100.1/32'
	has "$OUT" 'inet6 2001:db8::5/64'
	# With a lifetime it is somebody's who will renew it, in the host's namespace.
	hasnt "$OUT" 192.0.2.77
}

tc 'as_host net_pattern_two' 'N10: a pattern takes the first number that is free'
net_pattern_two() {
	bundle
	devices '{"v0":{"name":"net%d"},"v1":{"name":"net%d"}}'
	script 'ip -o link | grep -o "net[0-9]" | sort -u | tr "\n" " "'
	runs
	eq "$OUT" 'net0 net1 '
}

tc 'as_host net_clash_two' 'N10: one name for two devices: refused'
net_clash_two() {
	bundle
	devices '{"v0":{"name":"same"},"v1":{"name":"same"}}'
	refused 'netdevices.*same'
	devices '{"v0":{"name":"v1"},"v1":{}}'
	refused 'netdevices.*v1'
	ok ip link show dev v0
}

# host_as_before: v0 is on the host, up, with its address.
host_as_before() {
	has "$(ip -o addr show dev v0)" 192.0.2.1/24
	match "$(ip -o link show dev v0)" '[<,]UP[,>]'
}

tc 'as_host net_second_fails' 'N10: a second device that does not exist: refused, and the first one was not touched'
net_second_fails() {
	bundle
	ip route add 203.0.113.0/24 dev v0
	devices '{"v0":{},"nosuch0":{}}'
	refused 'nosuch0'
	host_as_before
	has "$(ip route)" 203.0.113.0/24
}

tc 'as_host net_create_fails' 'N10: a create that fails after the devices were moved: they are back, with name, address and state'
net_create_fails() {
	bundle
	devices '{"v0":{"name":"eth0"}}'
	args no-such-program
	refused 'no-such-program'
	host_as_before
	args true
	hook createContainer 'exit 3'
	refused 'createContainer'
	host_as_before
	# And so does a run.
	bad 'createContainer' run --bundle "$B" "$ID"
	host_as_before
	edit 'del(.hooks)'
	runs
	fails ip link show dev v0
}

tc 'as_host net_own_path' 'N10: the path of the runtime'\''s own network namespace: refused'
net_own_path() {
	bundle
	ns network /proc/self/ns/net
	devices '{"v0":{"name":"eth0"}}'
	refused 'netdevices.*own'
	host_as_before
}

tc 'as_host net_joined' 'N10: a network namespace that is joined by path'
net_joined() {
	bundle
	unshare -n sleep 1000 >/dev/null 2>&1 </dev/null &
	# shellcheck disable=SC2064
	trap "kill $!" EXIT
	until_ok 5 eval '[[ $(<"/proc/$!/comm") == sleep ]]'
	ns network "/proc/$!/ns/net"
	devices '{"v0":{"name":"eth0"}}'
	args ip -o addr show dev eth0
	runs
	has "$OUT" 192.0.2.1/24
	# It goes with the namespace, not with the partition.
	has "$(nsenter -t $! -n ip -o addr show dev eth0)" 192.0.2.1/24
}

tc 'as_host net_missing' 'N10: a device that does not exist: refused'
net_missing() {
	bundle
	devices '{"nosuch0":{}}'
	refused 'nosuch0|device'
}

tc 'as_host net_host' 'N10: without a network namespace of its own: refused'
net_host() {
	bundle
	no_ns network
	devices '{"v0":{}}'
	refused 'net'
	ok ip link show dev v0
}

tc 'as_host net_bad_name' 'N10: a name that no interface can have: refused'
net_bad_name() {
	bundle
	devices '{"v0":{"name":"a/b"}}'
	refused 'name|netdevices|a/b'
	devices '{"v0":{"name":"much-too-long-a-name"}}'
	refused 'name|netdevices|much'
}

tc 'as_host net_two' 'N10: two devices, one of them in a user namespace'
net_two() {
	can userns || skip "no user namespaces"
	bundle
	userns
	devices '{"v0":{"name":"a0"},"v1":{"name":"a1"}}'
	args ip -o link
	runs
	has "$OUT" a0
	has "$OUT" a1
}
