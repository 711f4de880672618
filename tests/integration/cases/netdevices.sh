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
