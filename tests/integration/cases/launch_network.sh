# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Networks of launched partitions: the hooks and the verb `port`, with CNI plugins and pasta as Debian has them. Each case has a network
# namespace of its own for a host, with its own firewall; the machine's interfaces and rules are never touched.

PLUGINS=/usr/lib/cni

# A "host": network and mount namespace, an interface with a default route, an empty place for leases; and behind the interface
# another host, 198.51.100.1, which is the process WORLD's network namespace.
net_host() {
	need_cmd iptables nsenter
	ok mkdir -p /run/ringfence-network "$T/net.d" "$T/data/partitions"
	chmod 700 "$T/data" "$T/data/partitions"
	export NETCONFPATH=$T/net.d
	mknod -m 666 "$T/tun" c 10 200
	unshare --net sleep 1000 8>&- 9>&- &
	WORLD=$!
	until_ok 5 sh -c '[ "$(readlink /proc/$0/ns/net)" != "$(readlink /proc/self/ns/net)" ]' $WORLD
	unshare --net --mount --propagation private sh -c '
		mount -t tmpfs -o mode=700 tmpfs /run/ringfence-network && ip link set lo up &&
		ip link add out0 type veth peer name out1 && ip address add 198.51.100.2/24 dev out0 &&
		ip link set out1 netns "$3" && ip link set out0 up && ip route add default via 198.51.100.1 &&
		nsenter --net="/proc/$3/ns/net" sh -c "ip address add 198.51.100.1/24 dev out1; ip link set out1 up" || exit 1
		[ ! -e /dev/net/tun ] || mount --bind "$1" /dev/net/tun
		echo $$ >"$2" && exec sleep 1000' sh "$T/tun" "$T/holder" "$WORLD" 8>&- 9>&- &
	HOLDER=$!
	# Were the runtime told to delete what a failed case left, its hooks would run on the real host: they find nothing to do.
	trap 'rm -rf "$T/data/network"; kill -9 $(jobs -p) 2>/dev/null; rmdir /run/ringfence-network 2>/dev/null' EXIT
	until_ok 5 test -s "$T/holder"
}
inside() { nsenter --net="/proc/$HOLDER/ns/net" --mount="/proc/$HOLDER/ns/mnt" --wd=. "$@"; }
exec_inside() { exec nsenter --net="/proc/$HOLDER/ns/net" --mount="/proc/$HOLDER/ns/mnt" --wd=. "$@"; }
rt() { inside "$RT" "${GOPTS[@]}" --data "$T/data" "$@"; }
net_bridge() {
	[[ -x $PLUGINS/bridge && -x $PLUGINS/portmap && -x $PLUGINS/firewall ]] || skip "no CNI plugins (Debian: containernetworking-plugins)"
	net_host
	inside iptables -t nat -A POSTROUTING -m comment --comment x -m mark --mark 1 -j MASQUERADE 2>/dev/null ||
		skip "the kernel has no iptables with NAT"
	inside iptables -t nat -F
}

# launched ID NETWORK [PORTS]: a bundle in $B with the record and the hooks of a launched partition. PORTS: "HOST:PORT/PROTOCOL ...".
launched() {
	local id=$1 network=$2 ports=${3:-} dir=$T/data/partitions/$1 hooks env
	bundle "b-$id"
	mkdir -m 700 "$dir"
	ports=$(jq -n '[$p|splits(" +")|select(.!="")|capture("^(?<h>[0-9]+):(?<p>[0-9]+)/(?<r>.*)$")
		|{hostIp:"0.0.0.0",hostPort:(.h|tonumber),port:(.p|tonumber),protocol:.r}]' --arg p "$ports")
	jq -n '{name:$n,image:"host",created:"2026-01-01T00:00:00Z",cgroupManager:"cgroupfs",command:["sh"],restart:"no",
		stopSignal:"SIGTERM",stopTimeout:10,network:$w,ports:$p,ids:-1,idCount:0}' \
		--arg n "$id" --arg w "$network" --argjson p "$ports" >"$dir/launch.json"
	env=$(jq -n '["NETCONFPATH="+$c]+(if $p=="" then [] else ["CNI_PATH="+$p] end)' --arg c "$NETCONFPATH" --arg p "${CNI_PATH:-}")
	hooks=$(jq -n '{createRuntime:"up",poststop:"down"}|map_values([{path:$rt,
		args:["ringfence","--root",$root,"--data",$data,"network-hook",.],env:$env,timeout:120}])' \
		--arg rt "$RT" --arg root "$ROOT" --arg data "$T/data" --argjson env "$env")
	edit '.hooks=$h' --argjson h "$hooks"
}
# A server on port 80 that says TEXT, as the payload.
serves() { script "echo '$1' >/tmp/index.html; exec busybox httpd -f -p 80 -h /tmp"; }
# What the server at ADDRESS:PORT says. Not by wget: a static one may not be able to look up names, not even numbers.
says() { says_to "$HOLDER" "$1"; }
says_to() { # PID ADDRESS:PORT: from the network namespace of that process
	set -- "$1" "${2%:*}" "${2##*:}"
	nsenter --net="/proc/$1/ns/net" sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | busybox nc -w 3 "$1" "$2"' sh "$2" "$3" >"$T/said" && sed '1,/^\r$/d' "$T/said" &&
		[[ -s $T/said ]]
}
server() { # [ADDRESS:]PORT: a program of the host that listens there
	exec_inside busybox httpd -f -p "$1" -h "$T" &
	until_ok 5 listens 127.0.0.1 "${1##*:}"
}
listens() { inside busybox nc -w 1 "$1" "$2" </dev/null; }
known() { jq -r "$2" "$T/data/network/$1.json"; }
rules() { inside iptables-save 2>/dev/null | grep -v '^[#:*]\|^COMMIT' | sort; }
veths() { inside ip -o link show type veth | grep -c 'master rf0'; }
no_veths() { [[ $(veths) == 0 ]]; }
leases() { inside find /run/ringfence-network -name '10.*' | wc -l; }
# Nothing is left of any partition: files, devices, rules that name one, leases, processes of pasta.
net_clean() {
	eq "$(find "$T/data/network" -type f | wc -l)" 0 "files of networks"
	until_ok 5 no_veths
	hasnt "$(rules)" rf-rft "rules of a partition"
	hasnt "$(rules)" 10.89. "rules of a partition"
	eq "$(leases)" 0 leases
	fails pgrep -f "pasta.*$T/"
}

# --- bridge -----------------------------------------------------------------------------------------------------------------

tc net_publish 'bridge: a published port leads to the server inside, and nothing stays behind'
net_publish() {
	net_bridge
	launched "$ID" bridge "18080:80/tcp 18081:81/udp"
	serves hello
	mkdir "$B/etc" && echo inside >"$B/etc/hostname" && printf '127.0.0.1\tlocalhost\n127.0.1.1\tinside\n' >"$B/etc/hosts"
	up
	until_ok 20 says 198.51.100.2:18080
	eq "$(says 198.51.100.2:18080)" hello
	eq "$(says 127.0.0.1:18080)" hello "through the loopback"
	eq "$(says_to "$WORLD" 198.51.100.2:18080)" hello "from another host"
	eq "$(known "$ID" '.result.ips[0].address')" 10.89.0.2/16
	eq "$(says 10.89.0.2:80)" hello "by its own address"
	match "$(tail -n 1 "$B/etc/hosts")" '^10\.89\.0\.2[[:space:]]inside[[:space:]]'
	exec_good ip route
	has "$OUT" 'default via 10.89.0.1 dev eth0'
	good port "$ID"
	eq "$OUT" $'80/tcp -> 0.0.0.0:18080\n81/udp -> 0.0.0.0:18081'
	good port "$ID" 81/udp
	eq "$OUT" 0.0.0.0:18081
	good port --format json "$ID" 80
	json "$OUT" '.==[{port:80,protocol:"tcp",hostIp:"0.0.0.0",hostPort:18080}]'
	bad 'does not publish its port 82/tcp' port "$ID" 82
	bad 'is no port' port "$ID" 80/sctp
	down
	net_clean
	fails says 198.51.100.2:18080
	# Once more, with another address in the same line.
	up
	eq "$(grep -c inside "$B/etc/hosts")" 1
	down
	net_clean
}

# udp_server PID ADDRESS PORT: answers "pong" in the network namespace of that process. udp_says PID ADDRESS PORT: asks from there.
udp_server() {
	exec_inside nsenter --net="/proc/$1/ns/net" python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
while True:
    s.sendto(b"pong", s.recvfrom(512)[1])' "$2" "$3"
}
udp_says() {
	[[ $(inside nsenter --net="/proc/$1/ns/net" timeout 2 bash -c 'exec 3<>"/dev/udp/$0/$1" && echo ping >&3 && head -c 4 <&3' "$2" "$3") == pong ]]
}
tc net_udp 'bridge: a published UDP port leads to the server inside'
net_udp() {
	need_cmd python3
	net_bridge
	launched "$ID" bridge 5300:5353/udp
	up
	udp_server "$PID" 0.0.0.0 5353 &
	until_ok 5 udp_says "$HOLDER" 198.51.100.2 5300
	until_ok 5 udp_says "$WORLD" 198.51.100.2 5300
	until_ok 5 udp_says "$HOLDER" 127.0.0.1 5300
	kill $!
	wait $! 2>/dev/null
	down
	net_clean
}

tc net_userns 'bridge: in a user namespace of its own'
net_userns() {
	need_userns
	net_bridge
	launched "$ID" bridge 18080:80/tcp
	serves hello
	userns
	no_mount /sys
	up
	until_ok 20 says 198.51.100.2:18080
	down
	net_clean
}

tc net_loopback "bridge: root inside, with all rights over its network, does not reach what listens on the host's loopback"
net_loopback() {
	net_bridge
	launched "$ID" bridge 18080:80/tcp
	serves hello
	up
	echo precious >"$T/index.html"
	server 127.0.0.1:18090
	inside nsenter --net="/proc/$PID/ns/net" sh -c '
		ip address del 127.0.0.1/8 dev lo
		echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet
		echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
		ip route add 127.0.0.1 via 10.89.0.1 src 10.89.0.2'
	has "$(inside nsenter --net="/proc/$PID/ns/net" ip route get 127.0.0.1)" 'via 10.89.0.1'
	fails says_to "$PID" 127.0.0.1:18090
	until_ok 20 says 127.0.0.1:18080
	# The same without the rule: the case can fail.
	inside iptables -t raw -F PREROUTING
	eq "$(says_to "$PID" 127.0.0.1:18090)" precious
	down
	net_clean
}

tc net_many 'bridge: ten at once, each with an address and a port of its own'
net_many() {
	local n pids=()
	net_bridge
	for n in 0 1 2 3 4 5 6 7 8 9; do
		launched "$ID-$n" bridge "1808$n:80/tcp"
		serves "this is $n"
	done
	for n in 0 1 2 3 4 5 6 7 8 9; do
		rt run -d --bundle "$T/b-$ID-$n" "$ID-$n" >"$T/out.$n" 2>&1 </dev/null &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || die "$(cat "$T"/out.*)"; done
	eq "$(cat "$T"/data/network/*.json | jq -r '.result.ips[0].address' | sort -u | wc -l)" 10 addresses
	for n in 0 1 2 3 4 5 6 7 8 9; do
		until_ok 20 says "127.0.0.1:1808$n"
		eq "$(says "127.0.0.1:1808$n")" "this is $n"
	done
	pids=()
	for n in 0 1 2 3 4 5 6 7 8 9; do
		rt delete --force "$ID-$n" >"$T/out.$n" 2>&1 </dev/null &
		pids+=($!)
	done
	for n in "${pids[@]}"; do wait "$n" || die "$(cat "$T"/out.*)"; done
	eq "$(cat "$T"/out.*)" ''
	net_clean
}

tc net_subnet 'bridge: 10.89.0.0/16 is left to a route of the host that goes there'
net_subnet() {
	net_bridge
	ok inside ip route add 10.89.128.0/20 via 198.51.100.7
	ok inside ip route add 10.90.0.0/15 via 198.51.100.7
	launched "$ID" bridge 18080:80/tcp
	up
	eq "$(known "$ID" '.result.ips[0].address')" 10.92.0.2/16
	# The bridge that is there decides, whatever the routes are now.
	ok inside ip route del 10.89.128.0/20
	launched "$ID-2" bridge
	good run -d --bundle "$B" "$ID-2"
	eq "$(known "$ID-2" '.result.ips[0].address')" 10.92.0.3/16
	down
	down "$ID-2"
	net_clean
}

tc net_port_in_use 'bridge: a port that a program or a partition has is refused by name'
net_port_in_use() {
	net_bridge
	server 18080
	launched "$ID" bridge 18080:80/tcp
	refused '0\.0\.0\.0:18080/tcp is in use by a program'
	launched "$ID-1" bridge 18081:80/tcp
	good run -d --bundle "$B" "$ID-1"
	launched "$ID-2" bridge 18081:81/tcp
	bad "18081/tcp is published by partition .$ID-1" run -d --bundle "$B" "$ID-2"
	down "$ID-1"
	net_clean
}

tc net_own_conf 'bridge:NAME: a network of net.d, as list or as a single plugin; an unknown one tells which there are'
net_own_conf() {
	net_bridge
	cat >"$T/net.d/10-mine.conflist" <<-END
		{"cniVersion":"0.4.0","name":"mine","plugins":[{"type":"ptp","ipMasq":true,"ipam":{"type":"host-local","dataDir":"$T/leases",
		"subnet":"10.77.0.0/24","routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","capabilities":{"portMappings":true}}]}
	END
	cat >"$T/net.d/20-old.conf" <<-END
		{"cniVersion":"0.3.1","name":"old","type":"bridge","bridge":"br-old","isGateway":true,
		"ipam":{"type":"host-local","dataDir":"$T/leases","subnet":"10.78.0.0/24"}}
	END
	echo '{"name":' >"$T/net.d/30-bad.conf"
	launched "$ID" bridge:mine 18080:80/tcp
	serves mine
	up
	until_ok 20 says 198.51.100.2:18080
	eq "$(known "$ID" '.result.ips[0].address')" 10.77.0.2/24
	down
	eq "$(find "$T/leases" -name '10.*' | wc -l)" 0 leases
	hasnt "$(rules)" 10.77.
	launched "$ID-old" bridge:old
	good run -d --bundle "$B" "$ID-old"
	eq "$(known "$ID-old" '.result.ips[0].address')" 10.78.0.2/24
	down "$ID-old"
	launched "$ID-3" bridge:old 18080:80/tcp
	bad 'publishes no ports.*portMappings' run -d --bundle "$B" "$ID-3"
	launched "$ID-4" bridge:none
	bad 'no network .none. in .*there is ringfence, mine, old.*not understood: parse 30-bad' run -d --bundle "$B" "$ID-4"
	net_clean
}

# --- with launch -----------------------------------------------------------------------------------------------------------

need_launch() {
	rt launch --help >/dev/null 2>&1 || skip "no launch"
	mkdir -p "$T/store"
	GOPTS+=(--store "$T/store")
	trap 'for p in "$T/data/partitions"/*; do rt rm --force "${p##*/}"; done >/dev/null 2>&1; rm -rf "$T/data/network"; kill -9 $(jobs -p) 2>/dev/null
		rmdir /run/ringfence-network 2>/dev/null' EXIT
}
# As docker and podman, launch exits with 125 for a failure that is not the command's.
no_launch() { # PATTERN OPTIONS
	try launch "${@:2}"
	eq "$RC" 125 "exit status"
	match "$ERR" "$1"
}
httpd() { printf 'echo %s >/tmp/index.html; exec busybox httpd -f -p 80 -h /tmp' "$1"; }
get='printf "GET / HTTP/1.0\r\n\r\n" | busybox nc 127.0.0.1 80'

tc net_launch 'launch -p: from the command line to an answer; inspect, port, stop, restart, rm'
net_launch() {
	net_bridge
	need_launch
	good launch -d -p 18080:80 -p 81/udp host "$ID" -- sh -c "$(httpd hello)"
	until_ok 20 says 127.0.0.1:18080
	eq "$(says_to "$WORLD" 198.51.100.2:18080)" hello
	good port "$ID" 81/udp
	match "$OUT" '^0\.0\.0\.0:[0-9]+$'
	good inspect "$ID"
	has "$OUT" '"10.89.0.2/16"'
	exec_good cat /etc/hosts
	eq "$(grep -c "$ID" <<<"$OUT")" 1 "lines of /etc/hosts with its name"
	no_launch "18080/tcp is published by partition .$ID" -d -p 18080:80 host "$ID-2" -- true
	no_launch "no network .foo." -d --network bridge:foo host "$ID-2" -- true
	hasnt "$ERR" createRuntime
	good stop -t 1 "$ID"
	net_clean
	good restart -t 1 "$ID"
	until_ok 20 says 127.0.0.1:18080
	good rm --force "$ID"
	net_clean
}

tc net_launch_container 'launch --network container:NAME: the namespace of that one, as it runs now, also after a restart of both'
net_launch_container() {
	net_bridge
	need_launch
	no_launch "container:$ID.: partition .$ID. does not run" -d --network "container:$ID" host "$ID-2" -- true
	good launch -d --network bridge host "$ID" -- sh -c "$(httpd hello)"
	until_ok 20 says 10.89.0.2:80
	good launch --network "container:$ID" host "$ID-2" -- sh -c "$get"
	has "$OUT" hello
	good launch -d --network "container:$ID" host "$ID-3" -- sleep 100
	eq "$(nslink net "$(rt state "$ID-3" | jq .pid)")" "$(nslink net "$(rt state "$ID" | jq .pid)")" namespace
	good restart -t 1 "$ID"
	ne "$(nslink net "$(rt state "$ID-3" | jq .pid)")" "$(nslink net "$(rt state "$ID" | jq .pid)")" namespace
	good restart -t 1 "$ID-3"
	eq "$(nslink net "$(rt state "$ID-3" | jq .pid)")" "$(nslink net "$(rt state "$ID" | jq .pid)")" namespace
	good stop -t 1 "$ID"
	good stop -t 1 "$ID-3"
	bad "partition .$ID. does not run" restart "$ID-3"
	good rm --force "$ID" "$ID-2" "$ID-3"
	net_clean
}

tc net_launch_pasta 'launch --network pasta'
net_launch_pasta() {
	net_pasta_host
	need_launch
	good launch -d --network pasta -p 18080:80 host "$ID" -- sh -c "$(httpd hello)"
	until_ok 20 says 127.0.0.1:18080
	exec_good cat /etc/resolv.conf
	has "$OUT" 'nameserver 169.254.1.1'
	good rm --force "$ID"
	net_clean
}

tc net_launch_rootless 'launch -p by a user who is not root: pasta'
net_launch_rootless() {
	user_rt() {
		grab inside setpriv --reuid 4200 --regid 4200 --clear-groups --bounding-set -all --inh-caps -all \
			env -i PATH="$PATH" XDG_RUNTIME_DIR="$T/xdg" HOME="$T/xdg" "$RT" "$@"
	}
	net_pasta_host
	need_launch
	setpriv --reuid 4200 --regid 4200 --clear-groups unshare -U -r true 2>/dev/null ||
		skip "this kernel gives user namespaces to root only"
	setpriv --reuid 4200 --regid 4200 --clear-groups test -x "$RT" || skip "a user who is not root cannot execute $RT"
	mkdir "$T/xdg" && chown 4200:4200 "$T/xdg"
	user_rt launch -d -p 18080:80 host "$ID" -- sh -c "$(httpd hello)"
	eq "$RC" 0 "$ERR"
	until_ok 20 says 127.0.0.1:18080
	eq "$(says_to "$WORLD" 198.51.100.2:18080)" hello
	user_rt restart -t 1 "$ID"
	eq "$RC" 0 "$ERR"
	until_ok 20 says 127.0.0.1:18080
	user_rt rm --force "$ID"
	eq "$RC" 0 "$ERR"
	eq "$(find "$T/xdg/.local/share/ringfence/network" -type f | wc -l)" 0 "files of networks"
	fails pgrep -f "pasta.*$T/"
	user_rt launch -d -p 80:80 host "$ID" -- true
	has "$ERR" 'not for users that are not root'
	user_rt launch --network bridge host "$ID" -- true
	has "$ERR" 'needs root'
}

tc net_container 'a namespace by path: both are in it, and it has the network'
net_container() {
	net_bridge
	launched "$ID" bridge
	serves hello
	up
	launched "$ID-2" "container:$ID"
	edit 'del(.hooks)'
	ns network "/proc/$PID/ns/net"
	script 'printf "GET / HTTP/1.0\r\n\r\n" | busybox nc 127.0.0.1 80'
	until_ok 20 says 10.89.0.2:80
	good run --bundle "$B" "$ID-2"
	has "$OUT" hello
	down
	net_clean
}

# --- failures ---------------------------------------------------------------------------------------------------------------

# stage PLUGIN SCRIPT: the real plugins in $T/cni, but for that one.
stage() {
	local p
	mkdir -p "$T/cni"
	for p in "$PLUGINS"/*; do ln -sf "$p" "$T/cni/"; done
	rm -f "$T/cni/$1"
	[[ -z ${2:-} ]] || { printf '#!/bin/bash\n%s\n' "$2" >"$T/cni/$1" && chmod 755 "$T/cni/$1"; }
	CNI_PATH=$T/cni
}

tc net_missing 'a plugin that is missing is named with its Debian package, before anything is done'
net_missing() {
	net_bridge
	cat >"$T/net.d/10-x.conflist" <<<'{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"bridge","ipam":{"type":"host-local"}},{"type":"nosuch"}]}'
	launched "$ID" bridge:x
	refused 'plugin "nosuch" is in none of .*/usr/lib/cni.*containernetworking-plugins'
	cat >"$T/net.d/10-x.conflist" <<<'{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"../../bin/sh"}]}'
	refused 'is no name of a CNI plugin'
	net_clean
	eq "$(rules)" ''
}

tc net_hostile 'hostile plugins: endless output, no JSON, a wrong result, errors with control characters, an early end'
net_hostile() {
	local began
	net_bridge
	stage firewall 'cat >/dev/null; [[ $CNI_COMMAND == DEL ]] || head -c 1000000000 /dev/zero | tr "\0" x'
	launched "$ID" bridge 18080:80/tcp
	began=$SECONDS
	refused 'plugin firewall \(ADD\) was killed: it printed more than 1048576 bytes'
	at_most $((SECONDS - began)) $((10 * RF_SCALE)) seconds
	net_clean
	stage firewall 'cat >/dev/null; [[ $CNI_COMMAND == DEL ]] || echo "{\"cniVersion\":"'
	refused 'plugin firewall \(ADD\): .*result'
	stage firewall 'cat >/dev/null; [[ $CNI_COMMAND == DEL ]] || echo "[]"'
	refused 'the result is no object'
	stage firewall 'cat >/dev/null; [[ $CNI_COMMAND == DEL ]] || echo "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.2.3/33; rm\"}]}"'
	refused 'not of the form ADDRESS/PREFIX'
	stage firewall '[[ $CNI_COMMAND == DEL ]] || { echo "{\"code\":7,\"msg\":\"no\\u001b[31m way\",\"details\":\"today\"}"; exit 1; }'
	refused 'plugin firewall \(ADD\) failed: no \[31m way: today'
	hasnt "$ERR" $'\e'
	stage firewall 'exec </dev/null; [[ $CNI_COMMAND == DEL ]] || { echo broken >&2; exit 3; }'
	refused 'exit status 3.*broken'
	stage firewall '[[ $CNI_COMMAND == DEL ]] || kill -9 $$'
	refused 'killed by signal 9'
	# One that holds its output open in the background is not waited for.
	stage firewall 'cat >/dev/null; sleep 30 & [[ $CNI_COMMAND == DEL ]] || exit 1'
	began=$SECONDS
	refused 'plugin firewall'
	at_most $((SECONDS - began)) $((10 * RF_SCALE)) seconds
	net_clean
}

tc net_prev 'each plugin gets the result of the one before; DEL in reverse order gets the last; no capabilities, no environment of ours'
net_prev() {
	net_bridge
	export SECRET=x
	stage firewall 'env | sort >>"$0.env"; tee -a "$0.in" | jq -c .prevResult'
	launched "$ID" bridge 18080:80/tcp
	up
	down
	eq "$(jq -s -c 'map(.prevResult.ips[0].address)' "$T/cni/firewall.in")" '["10.89.0.2/16","10.89.0.2/16"]'
	eq "$(jq -s -c 'map(has("capabilities"))' "$T/cni/firewall.in")" '[false,false]'
	eq "$(jq -s -c '.[0]|[.name,.cniVersion,.type]' "$T/cni/firewall.in")" '["ringfence","1.0.0","firewall"]'
	eq "$(grep -v '^PWD=\|^SHLVL=\|^_=' "$T/cni/firewall.env" | cut -d= -f1 | sort -u | tr '\n' ' ')" \
		'CNI_COMMAND CNI_CONTAINERID CNI_IFNAME CNI_NETNS CNI_PATH PATH '
	net_clean
}

# The hook is killed while the plugin of that name works; rm, or the next start, takes down what there is.
net_killed() {
	local n
	net_bridge
	launched "$ID" bridge 18080:80/tcp
	stage "$1" "n=\$(cat); [[ \$CNI_COMMAND != ADD || -e $T/go ]] || { $2 touch $T/here; exec sleep 100; }; $PLUGINS/$1 <<<\"\$n\""
	launched "$ID-2" bridge 18081:80/tcp
	rm -rf "$T/data/partitions/$ID"
	rt run -d --bundle "$B" "$ID-2" >"$T/out" 2>&1 </dev/null &
	until_ok 10 test -e "$T/here"
	n=$(pgrep -f "^ringfence .*--data $T/data network-hook up")
	ok kill -9 "$n"
	wait $! && die "the run should have failed"
	has "$(<"$T/out")" "killed by signal 9"
	# The poststop hook of the run that failed has done it already, or nothing was done.
	net_clean
	touch "$T/go"
	good run -d --bundle "$B" "$ID-2"
	down "$ID-2"
	net_clean
}
tc 'net_killed bridge' 'kill -9 of the hook before the first plugin did anything'
tc "net_killed bridge '$PLUGINS/bridge <<<\"\$n\" >/dev/null;'" 'kill -9 of the hook when the bridge was made and nobody was told'
tc 'net_killed portmap' 'kill -9 of the hook between two plugins'
tc "net_killed firewall '$PLUGINS/firewall <<<\"\$n\" >/dev/null;'" 'kill -9 of the hook in the last plugin'

tc net_all_killed 'kill -9 of the runtime, the hook and the plugin: what was set up is known, and taken down by who removes it'
net_all_killed() {
	net_bridge
	stage portmap "n=\$(cat); [[ \$CNI_COMMAND != ADD || -e $T/go ]] || { touch $T/here; exec sleep 100; }; $PLUGINS/portmap <<<\"\$n\""
	launched "$ID" bridge 18080:80/tcp
	rt run -d --bundle "$B" "$ID" >"$T/out" 2>&1 </dev/null &
	until_ok 10 test -e "$T/here"
	# shellcheck disable=SC2046
	kill -9 $(pgrep -f "$RT.* run -d --bundle $B $ID\$") $(pgrep -f "^ringfence .*--data $T/data network-hook up")
	wait $!
	at_least "$(leases)" 1 leases
	ok test -e "$T/data/network/$ID.json"
	down
	net_clean
}

tc net_gone 'down: a lease is given back and the partition removed, too, if a boot or somebody else took the rules and devices away'
net_gone() {
	net_bridge
	launched "$ID" bridge 18080:80/tcp
	up
	inside sh -c 'for t in nat filter; do iptables -t $t -F && iptables -t $t -X; done; ip link delete rf0'
	down
	eq "$ERR" ''
	net_clean
	up
	jq '.bootId="another"' "$T/data/network/$ID.json" >"$T/x" && cat "$T/x" >"$T/data/network/$ID.json"
	inside sh -c 'for t in nat filter; do iptables -t $t -F && iptables -t $t -X; done; ip link delete rf0; rm -r /run/ringfence-network/*'
	down
	eq "$ERR" ''
	net_clean
}

tc net_down_killed 'kill -9 of the poststop hook when a plugin was done and nobody was told: the next one goes on'
net_down_killed() {
	net_bridge
	stage bridge "n=\$(cat); $PLUGINS/bridge <<<\"\$n\" || exit 1; [[ \$CNI_COMMAND != DEL || -e $T/go ]] || { touch $T/here; exec sleep 100; }"
	launched "$ID" bridge 18080:80/tcp
	up
	rt delete --force "$ID" >"$T/out" 2>&1 </dev/null &
	until_ok 10 test -e "$T/here"
	ok kill -9 "$(pgrep -f "^ringfence .*--data $T/data network-hook down")"
	wait $!
	ok test -e "$T/data/network/$ID.json"
	touch "$T/go"
	rt network-hook down <<<"{\"id\":\"$ID\"}" || die "down again"
	net_clean
}

tc net_no_record 'a hook without a record, or without a state, says so; down of what was never up is silent'
net_no_record() {
	net_bridge
	launched "$ID" bridge
	rm -r "$T/data/partitions/$ID"
	refused "it said: .*$ID"
	grab rt network-hook up <<<'{"id":"../../x","pid":1}'
	eq "$RC" 1
	grab inside "$RT" --data "$T/data" network-hook down < <(echo '{"id":"nobody"}')
	try network-hook sideways
	has "$ERR" 'up" or "down'
	rt network-hook down <<<'{"id":"nobody"}' || die "down of nothing"
	rt network-hook down <<<'{"id":"../x"}' 2>/dev/null && die "a path for a name"
	hasnt "$(rt --help)" network-hook
}

# --- pasta ------------------------------------------------------------------------------------------------------------------

net_pasta_host() {
	need_userns
	need_cmd pasta
	[[ -e /dev/net/tun ]] || skip "no /dev/net/tun"
	net_host
}

tc net_pasta 'pasta: a published port leads to the server inside; no process stays behind'
net_pasta() {
	net_pasta_host
	launched "$ID" pasta "18080:80/tcp 18081:81/udp"
	serves hello
	userns
	no_mount /sys
	mkdir "$B/etc" && echo inside >"$B/etc/hostname" && : >"$B/etc/hosts"
	up
	until_ok 20 says 198.51.100.2:18080
	eq "$(says 127.0.0.1:18080)" hello
	eq "$(says_to "$WORLD" 198.51.100.2:18080)" hello "from another host"
	eq "$(known "$ID" .pastaAddress)" 198.51.100.2/24
	has "$(<"$B/etc/hosts")" 198.51.100.2
	alive "$(known "$ID" .pasta)" || die "pasta does not run"
	# What listens on the host's loopback is out of reach.
	server 127.0.0.1:18090
	ex busybox nc -w 2 198.51.100.1 18090
	ne "$RC" 0 "the host's loopback by the gateway"
	ex busybox nc -w 2 127.0.0.1 18090
	ne "$RC" 0 "the host's loopback by our own"
	down
	net_clean
	# Ends by itself, too.
	args true
	good run --bundle "$B" "$ID"
	net_clean
}

tc net_pasta_dns 'pasta: names are asked for at an address that pasta answers for, also if the host asks on its own loopback'
net_pasta_dns() {
	need_cmd python3
	net_pasta_host
	echo 'nameserver 127.0.0.53' >"$T/resolv"
	inside mount --bind "$T/resolv" "$(readlink -f /etc/resolv.conf)"
	udp_server "$HOLDER" 127.0.0.53 53 &
	launched "$ID" pasta 5300:5353/udp
	userns
	no_mount /sys
	up
	until_ok 5 udp_says "$PID" 169.254.1.1 53
	udp_server "$PID" 0.0.0.0 5353 &
	until_ok 5 udp_says "$HOLDER" 127.0.0.1 5300
	until_ok 5 udp_says "$WORLD" 198.51.100.2 5300
	kill $!
	wait $! 2>/dev/null
	down
	net_clean
}

tc net_pasta_v6 'pasta: IPv6, a port below 1024, and several at once'
net_pasta_v6() {
	net_pasta_host
	inside sh -c 'ip -6 address add 2001:db8::2/64 dev out0 nodad && ip -6 route add default via 2001:db8::1' ||
		skip "no IPv6"
	launched "$ID" pasta 80:80/tcp
	jq '.ports+=[{hostIp:"::1",hostPort:18080,port:80,protocol:"tcp"},{hostIp:"127.0.0.1",hostPort:18081,port:80,protocol:"tcp"}]' \
		"$T/data/partitions/$ID/launch.json" >"$T/x" && cat "$T/x" >"$T/data/partitions/$ID/launch.json"
	script 'echo hello >/tmp/index.html; exec busybox httpd -f -p [::]:80 -h /tmp'
	userns
	no_mount /sys
	up
	until_ok 20 says 127.0.0.1:80
	eq "$(says ::1:18080)" hello
	eq "$(says 127.0.0.1:18081)" hello
	good port "$ID"
	eq "$OUT" $'80/tcp -> 0.0.0.0:80\n80/tcp -> [::1]:18080\n80/tcp -> 127.0.0.1:18081'
	exec_good ip address show dev eth0
	has "$OUT" 2001:db8::2
	down
	net_clean
}

tc net_pasta_killed 'pasta: one whose hook was killed is found and ended'
net_pasta_killed() {
	local pid
	net_pasta_host
	launched "$ID" pasta 18080:80/tcp
	userns
	no_mount /sys
	up
	pid=$(known "$ID" .pasta)
	# As if it had been killed before the pid was written down.
	jq 'del(.pasta,.pastaStart)' "$T/data/network/$ID.json" >"$T/x" && cat "$T/x" >"$T/data/network/$ID.json"
	down
	dead "$pid" || die "pasta lives"
	net_clean
}

tc net_pasta_refused 'pasta: without a user namespace, and with a port that is in use, it says why'
net_pasta_refused() {
	net_pasta_host
	launched "$ID" pasta 18080:80/tcp
	refused 'needs a user namespace'
	userns
	no_mount /sys
	server 18080
	refused '18080/tcp is in use'
	inside ip route del default
	launched "$ID-2" pasta
	userns
	no_mount /sys
	bad 'pasta failed.*default route' run -d --bundle "$B" "$ID-2"
	net_clean
}

tc net_rootless 'pasta: of a user who is not root'
net_rootless() {
	as_user() {
		inside setpriv --reuid 4200 --regid 4200 --clear-groups --bounding-set -all --inh-caps -all \
			env -i PATH="$PATH" XDG_RUNTIME_DIR="$T/xdg" HOME="$T/xdg" "$@"
	}
	user_rt() { grab as_user "$RT" --root "$ROOT" --data "$T/data" "$@"; }
	net_pasta_host
	setpriv --reuid 4200 --regid 4200 --clear-groups unshare -U -r true 2>/dev/null ||
		skip "this kernel gives user namespaces to root only"
	as_user test -x "$RT" || skip "a user who is not root cannot execute $RT"
	launched "$ID" pasta 18080:80/tcp
	serves hello
	userns
	no_mount /sys
	edit '.linux.uidMappings=[{containerID:0,hostID:4200,size:1}]|.linux.gidMappings=.linux.uidMappings
		|del(.linux.resources)|.mounts|=map(if .type=="devpts" then .options-=["gid=5"] else . end)'
	mkdir -p "$T/xdg" "$ROOT"
	find "$B" "$T/xdg" "$ROOT" "$T/data" \( -type d -o -name '*.json' \) -exec chown 4200:4200 {} +
	user_rt run -d --bundle "$B" "$ID"
	eq "$RC" 0 "$ERR"
	until_ok 20 says 198.51.100.2:18080
	eq "$(says 127.0.0.1:18080)" hello
	user_rt port "$ID"
	eq "$OUT" '80/tcp -> 0.0.0.0:18080'
	user_rt delete --force "$ID"
	eq "$RC" 0 "$ERR"
	net_clean
}
