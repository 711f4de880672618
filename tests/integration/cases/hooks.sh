# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# The six hooks: when, where, what they are told, what happens if they fail. $T is seen by all hooks that run in or see the host's tree.

tc hooks_order '1.7: all six, each at its time, several of a kind in order'
hooks_order() {
	local k
	bundle
	for k in prestart createRuntime createContainer poststart poststop; do hook $k "echo $k >>$T/log"; done
	hook createRuntime "echo createRuntime2 >>$T/log"
	edit '.hooks.startContainer=[{path:"/bin/sh",args:["sh","-c","echo start >/tmp/started"]}]'
	made
	eq "$(tr '\n' ' ' <"$T/log")" 'prestart createRuntime createRuntime2 createContainer '
	fails test -e "$ROOTFS/tmp/started"
	good start "$ID"
	ok test -e "$ROOTFS/tmp/started"
	has "$(tr '\n' ' ' <"$T/log")" 'createContainer poststart '
	good delete --force "$ID"
	has "$(tr '\n' ' ' <"$T/log")" 'poststart poststop '
}

tc hooks_run 'run calls all of them too'
hooks_run() {
	local k
	bundle
	for k in prestart createRuntime createContainer poststart poststop; do hook $k "echo $k >>$T/log"; done
	args true
	runs
	eq "$(tr '\n' ' ' <"$T/log")" 'prestart createRuntime createContainer poststart poststop '
}

# hook_state KIND STATUS PID: what the hook reads from stdin: these members and no other. PID: init's as seen from where the hook runs.
hook_state() {
	local keys='["annotations","bundle","id","ociVersion","pid","root","status"]'
	bundle
	edit '.annotations={"a.b/c":"d e"}'
	if [[ $1 == startContainer ]]; then hook "$1" "cat >/tmp/state.json"; else hook "$1" "cat >$T/state.json"; fi
	made
	good start "$ID"
	down
	[[ $1 != startContainer ]] || mv "$ROOTFS/tmp/state.json" "$T"
	json "$(<"$T/state.json")" '.id==$i' --arg i "$ID"
	json "$(<"$T/state.json")" '.ociVersion==$v' --arg v "$(jq -r .ociVersion "$B/config.json")"
	json "$(<"$T/state.json")" '.bundle==$b' --arg b "$B"
	json "$(<"$T/state.json")" '.status==$s' --arg s "$2"
	json "$(<"$T/state.json")" '.annotations=={"a.b/c":"d e"}'
	hasnt "$(<"$T/state.json")" '\/'
	case $3 in
	host) json "$(<"$T/state.json")" '.pid==($p|tonumber)' --arg p "$PID" ;;
	none) keys='["annotations","bundle","id","ociVersion","root","status"]' ;;
	*) json "$(<"$T/state.json")" '.pid==($p|tonumber)' --arg p "$3" ;;
	esac
	# crun gives root as well, for the hooks that came before the bundle was a member.
	json "$(<"$T/state.json")" 'keys==$k and .root==$r' --argjson k "$keys" --arg r "$ROOTFS"
}
# crun: status "created" for createRuntime, pid 0 for createContainer. runc 1.1: no pid for poststop.
tc 'hook_state prestart creating host' '1.7: prestart reads the state: id, bundle, status creating, pid, annotations'
tc 'hook_state createRuntime creating host' '1.7: createRuntime reads the state: status creating'
tc 'hook_state createContainer creating 1' '1.7: createContainer reads the state: status creating, its own view of the pid'
tc 'hook_state startContainer created 1' '1.7: startContainer reads the state: status created, its own view of the pid'
tc 'hook_state poststart running host' '1.7: poststart reads the state: status running'
tc 'hook_state poststop stopped none' '1.7: poststop reads the state: status stopped, no pid'

tc hook_state_host_pid '1.7: without a pid namespace createContainer and startContainer are told the pid that everybody sees'
hook_state_host_pid() {
	bundle
	no_ns pid
	hook createContainer "cat >$T/state.json"
	hook startContainer 'cat >/tmp/state.json'
	up
	json "$(<"$T/state.json")" '.pid==($p|tonumber)' --arg p "$PID"
	json "$(<"$ROOTFS/tmp/state.json")" '.pid==($p|tonumber)' --arg p "$PID"
}

tc hook_asks_state '1.7: a hook that asks for the state hears the same: creating, running'
hook_asks_state() {
	bundle
	hook createRuntime "$RT ${GOPTS[*]} state $ID >$T/creating"
	hook poststart "$RT ${GOPTS[*]} state $ID >$T/running"
	made
	json "$(<"$T/creating")" '.status=="creating" and .pid==($p|tonumber)' --arg p "$PID"
	good start "$ID"
	json "$(<"$T/running")" '.status=="running" and .pid==($p|tonumber)' --arg p "$PID"
}

tc hooks_start_container '1.7: startContainer: path inside, state with the pid of its own view, status created'
hooks_start_container() {
	bundle
	edit '.hooks.startContainer=[{path:"/bin/sh",args:["sh","-c","cat >/tmp/state; cat /etc/file >/tmp/file; readlink /proc/self/ns/mnt >/tmp/ns"]}]'
	made
	good start "$ID"
	eq "$(<"$ROOTFS/tmp/file")" inside
	json "$(<"$ROOTFS/tmp/state")" '.status=="created" and .pid==1 and .bundle==$b' --arg b "$B"
	eq "$(<"$ROOTFS/tmp/ns")" "$(nslink mnt "$PID")"
}

# hook_where KIND HOST|INSIDE: the namespaces it runs in.
hook_where() {
	bundle
	hook "$1" "for n in mnt net uts ipc pid; do readlink /proc/self/ns/\$n; done >$T/where; hostname >>$T/where"
	made
	good start "$ID"
	local n want=''
	for n in mnt net uts ipc; do
		if [[ $2 == host ]]; then want+="$(nslink $n) "; else want+="$(nslink $n "$PID") "; fi
	done
	down
	has "$(tr '\n' ' ' <"$T/where")" "$want"
}
tc 'hook_where prestart host' '1.7: prestart runs in the runtime'\''s namespaces'
tc 'hook_where createRuntime host' '1.7: createRuntime runs in the runtime'\''s namespaces'
tc 'hook_where createContainer inside' '1.7: createContainer runs in the partition'\''s namespaces, with a path of the runtime'\''s'
tc 'hook_where poststart host' '1.7: poststart runs in the runtime'\''s namespaces'

tc hooks_create_container_mounts '1.7: createContainer finds the mounts made, below the root file system'
hooks_create_container_mounts() {
	bundle
	hook createContainer "ls $ROOTFS/proc/self/comm >$T/log 2>&1; grep -c ' $ROOTFS/' /proc/self/mountinfo >>$T/log"
	args true
	runs
	has "$(<"$T/log")" "$ROOTFS/proc/self/comm"
}

tc hooks_create_runtime_ns '1.7: at createRuntime the namespaces of state.pid exist'
hooks_create_runtime_ns() {
	bundle
	hook createRuntime "p=\$(jq .pid); readlink /proc/\$p/ns/net >$T/net; ip link add rfd0 type dummy 2>/dev/null; true"
	up
	eq "$(<"$T/net")" "$(nslink net "$PID")"
	ne "$(<"$T/net")" "$(nslink net)"
}

# hook_env KIND: the third hook lists its environment, the second has none listed.
hook_env() {
	local at=$T cwd
	bundle
	cwd=$B
	[[ $1 != startContainer ]] || { at=/tmp && cwd=/; }
	edit '.process.env+=["LD_PRELOAD=/evil.so","IMAGE=1"]'
	hook "$1" true
	hook "$1" "tr '\\0' '\\n' </proc/self/environ >$at/none; /bin/readlink /proc/self/cwd >$at/cwd; exit 0"
	hook "$1" "tr '\\0' '\\n' </proc/self/environ >$at/env; exit 0"
	edit '.hooks[$k][2].env=["ONE=1","TWO=two words"]' --arg k "$1"
	HOST_SECRET=1 up
	down
	[[ $1 != startContainer ]] || at=$ROOTFS/tmp
	eq "$(grep -v '^PWD=\|^SHLVL=\|^_=\|^OLDPWD=' "$at/env")" $'ONE=1\nTWO=two words'
	eq "$(grep -v '^PWD=\|^SHLVL=\|^_=\|^OLDPWD=' "$at/none")" '' "environment without hook.env"
	eq "$(<"$at/cwd")" "$cwd" "working directory"
}
# crun: hooks without env get the runtime's. runc 1.1: createContainer gets the image's.
tc 'hook_env prestart' '1.7: prestart: the environment is hook.env and nothing else, cwd is the bundle'
tc 'hook_env createRuntime' '1.7: createRuntime: the environment is hook.env and nothing else, cwd is the bundle'
tc 'hook_env createContainer' 'CVE-2025-23266: createContainer: hook.env and nothing else, cwd is the bundle'
tc 'hook_env startContainer' '1.7: startContainer: hook.env and nothing else, cwd is / inside'
tc 'hook_env poststart' '1.7: poststart: hook.env and nothing else, cwd is the bundle'
tc 'hook_env poststop' '1.7: poststop: hook.env and nothing else, cwd is the bundle'

tc hooks_args '1.7: args are the whole argv; without them it is the path'
hooks_args() {
	bundle
	cat >"$T/prog" <<-END
		#!/bin/sh
		tr '\\0' '|' </proc/\$\$/cmdline >>$T/log; echo >>$T/log
	END
	chmod 755 "$T/prog"
	edit '.hooks.createRuntime=[{path:$p,args:["zero","one","two words"]},{path:$p}]' --arg p "$T/prog"
	args true
	runs
	has "$(head -n 1 "$T/log")" 'one|two words|'
	hasnt "$(tail -n 1 "$T/log")" one
}

# taken_back COMMAND...: fails and names the hook; then nothing is left, the payload never ran, no later hook did, and poststop has run.
taken_back() {
	local kind=$1
	shift
	hook "$kind" "touch $T/later"
	hook poststop "cat >$T/poststop"
	bad "$kind hook 0 .*exit status 3.*no luck" "$@"
	gone
	fails test -e "$T/later"
	json "$(<"$T/poststop")" '.status=="stopped" and .id==$i' --arg i "$ID"
}
# failing KIND create|start|run: which command fails.
failing() {
	local dir=''
	bundle
	hook "$1" 'echo no luck >&2; exit 3'
	case $1 in
	prestart) hook createRuntime "touch $T/later" ;;
	createRuntime) hook createContainer "touch $T/later" ;;
	createContainer) hook startContainer 'touch /tmp/later' ;;
	startContainer) hook poststart "touch $T/later" ;;
	esac
	script 'touch /tmp/ran; exec rft pause'
	case $2 in
	create) taken_back "$1" create --bundle "$B" "$ID" ;;
	run) taken_back "$1" run --bundle "$B" "$ID" ;;
	start)
		edit '.hooks.poststop=[{path:"/bin/sh",args:["sh","-c",$s]}]' --arg s "cat >$T/poststop"
		made
		dir=$(cg_dir pids)
		taken_back "$1" start "$ID"
		ok dead "$PID"
		fails test -e "$dir"
		;;
	esac
	fails test -e "$ROOTFS/tmp/later"
	# The payload of a poststart hook runs already.
	[[ $1 == poststart ]] || fails test -e "$ROOTFS/tmp/ran"
}
for k in prestart createRuntime createContainer; do
	tc "failing $k create" "1.7: $k fails: error, destroyed, poststop runs"
	tc "failing $k run" "1.7: $k fails in run: the same"
done
# runc leaves it stopped, for delete. crun and runc up to 1.3 only warn about poststart.
tc 'failing startContainer start' '1.7: startContainer fails: start is an error, the payload never ran, destroyed, poststop runs'
tc 'failing startContainer run' '1.7: startContainer fails in run: the same'
tc 'failing poststart start' '1.7 (1.3): poststart fails: start is an error, the payload is killed, destroyed, poststop runs'
tc 'failing poststart run' '1.7 (1.3): poststart fails in run: the same'

tc hooks_start_container_filter '1.7: a startContainer hook, whose program is the image'\''s, has the payload'\''s filter and capabilities'
hooks_start_container_filter() {
	local nnp user
	for nnp in true false; do
		for user in 0 1000; do
			bundle "b$nnp$user"
			chmod 777 "$ROOTFS/mnt"
			edit '.process.noNewPrivileges=$n|.process.user={uid:$u,gid:$u}
				|.process.capabilities|=with_entries(.value=["CAP_KILL"])
				|.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["sethostname"],action:"SCMP_ACT_ERRNO",errnoRet:71}]}
				|.hooks.startContainer=[{path:"/bin/sh",args:["sh","-c",$s]}]' --argjson n $nnp --argjson u $user \
				--arg s '/bin/rft sys sethostname :x 1 >/mnt/seen; /bin/grep -e ^CapPrm -e ^CapBnd -e ^NoNew /proc/self/status >>/mnt/seen'
			script 'cat /mnt/seen; grep -e ^CapPrm -e ^CapBnd -e ^NoNew /proc/self/status'
			runs
			match "$OUT" '^ret=-1 errno=EPROTO'
			OUT=${OUT#*EPROTO$'\n'}
			eq "$(head -n 3 <<<"$OUT")" "$(tail -n 3 <<<"$OUT")" "the hook's privileges and the payload's"
			match "$OUT" 'CapBnd:.0000000000000020'
		done
	done
}

tc hooks_start_container_notify '1.7: where the filter asks an agent, the hook has none to ask: ENOSYS'
hooks_start_container_notify() {
	can seccomp_flag 8 || skip "no seccomp listeners"
	bundle
	chmod 777 "$ROOTFS/mnt"
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$l,syscalls:[{names:["sethostname"],action:"SCMP_ACT_NOTIFY"}]}
		|.hooks.startContainer=[{path:"/bin/sh",args:["sh","-c","/bin/rft sys sethostname :x 1 >/mnt/seen"]}]' --arg l "$T/agent"
	bg_rft "$T/agent.out" agent "$T/agent" errno=28
	until_ok 5 test -S "$T/agent"
	script 'cat /mnt/seen'
	runs
	eq "$OUT" 'ret=-1 errno=ENOSYS'
}

tc hooks_start_exec_fails '1.7: a payload that cannot be executed after all: start is an error, the partition is stopped and can be deleted'
hooks_start_exec_fails() {
	bundle
	own_files
	hook poststart "touch $T/poststart"
	made
	rm "$ROOTFS/bin/rft"
	bad 'exec: "rft"' start "$ID"
	until_is stopped
	fails test -e "$T/poststart"
	good delete "$ID"
}

tc hooks_poststop_fails '1.7: poststop fails: a warning, the next one runs, delete succeeds'
hooks_poststop_fails() {
	bundle
	hook poststop 'exit 3'
	hook poststop "touch $T/second"
	up
	good delete --force "$ID"
	ok test -e "$T/second"
	gone
}

# late KIND create|start: a hook that takes longer than its timeout is killed, and that is a failure like any other.
late() {
	bundle
	hook "$1" "echo \$\$ >$T/pid.hook; exec sleep 100" 1
	hook poststop "touch $T/poststop"
	[[ $1 != startContainer ]] || edit '.hooks.startContainer[0].args[2]="exec sleep 100"'
	if [[ $2 == create ]]; then
		bad "$1 hook 0 .*killed.*timeout of 1 s" create --bundle "$B" "$ID"
	else
		made
		bad "$1 hook 0 .*killed.*timeout of 1 s" start "$ID"
		ok dead "$PID"
	fi
	gone
	# createContainer hooks are in the pid namespace, and went with it.
	[[ $1 == *Container ]] || ok dead "$(<"$T/pid.hook")"
	ok test -e "$T/poststop"
}
for k in prestart createRuntime createContainer; do
	tc "late $k create" "1.7: timeout: a $k hook that takes longer is killed, create fails, all is taken back"
done
for k in startContainer poststart; do
	tc "late $k start" "1.7: timeout: a $k hook that takes longer is killed, start fails, all is taken back"
done

tc hooks_timeout_poststop '1.7: timeout: a poststop hook that takes longer is killed, the next one runs, delete succeeds'
hooks_timeout_poststop() {
	bundle
	hook poststop "echo \$\$ >$T/pid.hook; exec sleep 100" 1
	hook poststop "touch $T/second"
	up
	good --debug delete --force "$ID"
	has "$ERR" 'poststop hook 0'
	ok dead "$(<"$T/pid.hook")"
	ok test -e "$T/second"
	gone
}

tc hooks_timeout_enough '1.7: one that ends in time is left alone'
hooks_timeout_enough() {
	bundle
	hook createRuntime "sleep 0.2; touch $T/done" 30
	args true
	runs
	ok test -e "$T/done"
}

bad_hook() { # FILTER
	bundle
	edit ".hooks.createRuntime=[$1]"
	refused 'hook|path|timeout'
}
tc 'bad_hook "{path:\"relative\"}"' '1.7: a relative path: refused'
tc 'bad_hook "{path:\"/nope/nothing\"}"' '1.7: a program that does not exist: an error'
tc 'bad_hook "{path:\"/bin/true\",timeout:0}"' '1.7: timeout 0: refused'
tc 'bad_hook "{path:\"/bin/true\",timeout:-1}"' '1.7: a negative timeout: refused'
tc 'bad_hook "{args:[\"x\"]}"' '1.7: no path: refused'

tc hooks_killed_payload_poststop '1.7: poststop runs at delete, not when the payload ends'
hooks_killed_payload_poststop() {
	bundle
	hook poststop "touch $T/poststop"
	up
	good kill "$ID" KILL
	until_is stopped
	fails test -e "$T/poststop"
	good delete "$ID"
	ok test -e "$T/poststop"
}

tc hooks_large_stdin '1.7: a hook that does not read its stdin is no failure'
hooks_large_stdin() {
	bundle
	edit '.annotations=([range(3000)|{("key.\(.)"):"value value value value value \(.)"}]|add)'
	hook createRuntime 'exit 0'
	args true
	runs
}

tc hooks_fds '1.7: a hook inherits no descriptors of the runtime'
hooks_fds() {
	bundle
	hook createRuntime "$RF_RFT fds >$T/fds"
	hook createContainer "$RF_RFT fds >$T/fds2"
	args true
	runs
	eq "$(cut -d' ' -f1 "$T/fds" | tr '\n' ' ')" '0 1 2 '
	eq "$(cut -d' ' -f1 "$T/fds2" | tr '\n' ' ')" '0 1 2 '
}

# runc has no such annotations.
tc hooks_output '2.6: run.oci.hooks.stdout and .stderr'
hooks_output() {
	bundle
	edit '.annotations={"run.oci.hooks.stdout":$o,"run.oci.hooks.stderr":$e}' --arg o "$T/hook.out" --arg e "$T/hook.err"
	hook createRuntime 'echo said; echo complained >&2'
	args true
	runs
	has "$(<"$T/hook.out")" said
	has "$(<"$T/hook.err")" complained
	eq "$OUT" ''
}

tc hooks_net 'a createRuntime hook can configure the network namespace before the payload starts'
hooks_net() {
	bundle
	need_cmd nsenter
	hook createRuntime "nsenter -t \$(jq .pid) -n ip addr add 10.9.8.7/32 dev lo"
	args ip -o addr show dev lo
	runs
	has "$OUT" 10.9.8.7
}
