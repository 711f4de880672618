# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# The runtime started by a user who is not root. cgroups need delegation, so none is asked for.

# as_user COMMAND...: as uid and gid 4200, which no account has, with what a login would have.
as_user() {
	setpriv --reuid 4200 --regid 4200 --clear-groups --bounding-set -all --inh-caps -all \
		env -i PATH="$PATH" XDG_RUNTIME_DIR="$T/xdg" HOME="$T/xdg" "$@"
}
user_rt() { grab as_user "$RT" "${GOPTS[@]}" "$@"; }
# belongs UID: what the user must own. The files are links to the template's, whose owner must stay.
belongs() { find "$B" "$T/xdg" "$ROOT" \( -type d -o -name config.json \) -exec chown "$1:$1" {} +; }
# A bundle of that user's, with a user namespace of one id.
own() {
	need_userns
	can unprivileged || skip "this kernel gives user namespaces to root only"
	bundle
	userns
	edit '.linux.uidMappings=[{containerID:0,hostID:4200,size:1}]|.linux.gidMappings=.linux.uidMappings
		|del(.linux.resources)|.mounts|=map(if .type=="devpts" then .options-=["gid=5"] else . end)'
	mkdir -p "$T/xdg" "$ROOT"
	belongs 4200
	as_user test -x "$RT" || skip "a user who is not root cannot execute $RT"
	# Whatever cgroups this user could join is not asked here.
	GOPTS=(--root "$ROOT")
}
try_unprivileged() { setpriv --reuid 4200 --regid 4200 --clear-groups unshare -U -r true; }

tc rootless_run 'N6: a map of one id, written by the user itself, with setgroups denied'
rootless_run() {
	own
	inspect
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is uid 0
	kv_is setgroups deny
	eq "$ERR" '' "messages of a run that succeeds"
}

tc rootless_caps 'P9: the user namespace'\''s root has the capabilities of the config'
rootless_caps() {
	own
	edit '.process.capabilities|=map_values(["CAP_CHOWN","CAP_SYS_ADMIN"])|.process.capabilities.inheritable=[]'
	inspect
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is CapEff 0000000000200001
	kv_is CapBnd 0000000000200001
	args rft pause
	user_rt run -d --bundle "$B" "$ID"
	user_rt exec "$ID" rft inspect
	eq "$RC" 0
	kv_is CapEff 0000000000200001
}

tc rootless_outside 'N6: outside it is that user'\''s process'
rootless_outside() {
	own
	user_rt run -d --bundle "$B" --pid-file "$T/xdg/pid" "$ID"
	eq "$RC" 0
	PID=$(<"$T/xdg/pid")
	eq "$(proc Uid)" '4200 4200 4200 4200'
	user_rt exec "$ID" id -u
	eq "$OUT" 0
	user_rt kill "$ID" KILL
	eq "$RC" 0
	until_ok 10 dead "$PID"
	user_rt delete --force "$ID"
	eq "$RC" 0
}

tc rootless_groups 'P15: additionalGids where setgroups is denied: an error, not silence'
rootless_groups() {
	own
	edit '.process.user.additionalGids=[5]'
	user_rt create --bundle "$B" "$ID"
	eq "$RC" 1
}

tc rootless_oom 'P11: an oomScoreAdj that the user may not set is clamped'
# crun fails.
rootless_oom() {
	own
	edit '.process.oomScoreAdj=-500'
	inspect
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is oom_score_adj "$(</proc/self/oom_score_adj)"
}

tc rootless_limit 'limits that the user has no cgroup for: an error that names the controller or delegation'
rootless_limit() {
	own
	edit '.linux.resources={memory:{limit:67108864}}'
	user_rt create --bundle "$B" "$ID"
	[[ $RC == 0 ]] && skip "this user has a delegated cgroup"
	imatch "$ERR" 'cgroup|memory|delegat'
}

tc rootless_default_root '2.1: without --root the state is below XDG_RUNTIME_DIR'
rootless_default_root() {
	own
	GOPTS=()
	user_rt run -d --bundle "$B" --pid-file "$T/xdg/pid" "$ID"
	eq "$RC" 0
	ok test -d "$T/xdg/$(basename "$RT")/$ID"
	user_rt delete --force "$ID"
	eq "$RC" 0
	until_ok 10 dead "$(<"$T/xdg/pid")"
}

tc rootless_devices '1.4: devices without mknod: bound from the host'
rootless_devices() {
	own
	script 'echo x >/dev/null && head -c 2 /dev/zero | wc -c'
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	eq "$OUT" 2
}

tc rootless_terminal 'P1: a terminal'
rootless_terminal() {
	own
	edit '.process.terminal=true'
	args tty
	as_user "$RF_RFT" console "$T/xdg/console" >"$T/tty" 2>&1 </dev/null &
	until_ok 5 test -S "$T/xdg/console"
	user_rt run -d --console-socket "$T/xdg/console" --bundle "$B" "$ID"
	eq "$RC" 0
	until_has 10 "$T/tty" /dev/pts/0
	user_rt delete --force "$ID"
}

# runc refuses a config without maps.
tc rootless_auto 'N7: no user namespace in the config: one is made for the user'
rootless_auto() {
	own
	no_ns user
	edit 'del(.linux.uidMappings,.linux.gidMappings)'
	inspect
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is uid 0
	ne "$(kv ns.user)" "$(nslink user)"
}

tc rootless_no_maps 'N7: a user namespace without maps: the same'
rootless_no_maps() {
	own
	edit 'del(.linux.uidMappings,.linux.gidMappings)'
	inspect
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is uid 0
}

tc rootless_net_devices 'N10: a device of the host, which is not the user'\''s to move: an error that names it'
rootless_net_devices() {
	own
	edit '.linux.netDevices={"lo":{"name":"other"}}'
	user_rt create --bundle "$B" "$ID"
	eq "$RC" 1
	imatch "$ERR" 'netdevices.*not permitted.*takes its root'
	user_rt state "$ID"
	ne "$RC" 0 "exit status of state"
}

# granted: what /etc is to say of uid 4200, who gets subordinate ids there.
granted() {
	can newuidmap || skip "no newuidmap (Debian: uidmap)"
	local file
	for file in passwd group subuid subgid; do
		[[ -e /etc/$file ]] || skip "no /etc/$file to put another over"
		cat "/etc/$file" >"$T/$file"
	done
	echo 'rft:x:4200:4200::/:/bin/sh' >>"$T/passwd"
	echo 'rft:x:4200:' >>"$T/group"
	printf '%s\n' rft:500000:1000 someone:700000:9 4200:600000:500 >"$T/subuid"
	echo rft:500000:1000 >"$T/subgid"
}
# The runtime as that user, with that /etc; the helpers are set-user-id programs, so the capabilities that one may gain stay.
granted_rt() {
	# shellcheck disable=SC2016
	grab unshare --mount --propagation private sh -c 'for f in passwd group subuid subgid; do
			mount --bind "$0/$f" "/etc/$f" || exit 77; done
		exec setpriv --reuid 4200 --regid 4200 --clear-groups env -i PATH="$PATH" XDG_RUNTIME_DIR="$0/xdg" HOME=/ "$@"' \
		"$T" "$RT" "${GOPTS[@]}" "$@"
}

tc rootless_subids_auto 'N7: and with it come the subordinate ids that the user has been granted'
# crun does the same.
rootless_subids_auto() {
	own
	granted
	no_ns user
	edit 'del(.linux.uidMappings,.linux.gidMappings)|.process.user={uid:1001,gid:7,additionalGids:[8]}'
	script 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "; id -u; id -G'
	granted_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	eq "$OUT" $' 0 4200 1\n 1 500000 1000\n 1001 600000 500\n 0 4200 1\n 1 500000 1000\n1001\n7 8'
}

tc rootless_subids_refused 'N7: ranges that the helper does not grant after all are done without'
rootless_subids_refused() {
	own
	granted
	no_ns user
	edit 'del(.linux.uidMappings,.linux.gidMappings)'
	# More ranges than the kernel takes lines would be an error, too.
	printf 'rft:500000:1000\nrft:500500:1000\n' >"$T/subuid"
	script 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "'
	granted_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	eq "$OUT" $' 0 4200 1\n 0 4200 1\n 1 500000 1000'
}

tc rootless_subids 'N6: many ids through newuidmap and newgidmap'
rootless_subids() {
	own
	granted
	edit '.linux.uidMappings=[{containerID:0,hostID:4200,size:1},{containerID:1,hostID:500000,size:1000}]
		|.linux.gidMappings=.linux.uidMappings|.process.user={uid:5,gid:6}'
	inspect
	granted_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is uid 5
	kv_is gid 6
	edit '.linux.uidMappings[1].size=1001'
	granted_rt run --bundle "$B" "$ID"
	eq "$RC" 1
	imatch "$ERR" 'newuidmap failed.*/etc/subuid'
}
