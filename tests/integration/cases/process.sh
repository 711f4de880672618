# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# process: args, env, cwd, descriptors, exit status, what the payload inherits and what it must not.

tc process_args 'P5: args reach the payload as they are'
process_args() {
	bundle
	args rft inspect 'a b' '' '$x "y"'
	runs
	kv_is arg.1 'a b'
	kv_is arg.2 ''
	kv_is arg.3 '$x "y"'
}

tc process_path_lookup 'P4: args[0] is looked up in the PATH of process.env, not in the caller'\''s'
process_path_lookup() {
	bundle
	mkdir "$ROOTFS/opt"
	cp "$ROOTFS/bin/rft" "$ROOTFS/opt/only-there"
	args only-there inspect
	edit '.process.env=["PATH=/nowhere:/opt"]'
	runs
	kv_is exe /opt/only-there
	edit '.process.env=["PATH=/bin"]'
	refused 'exec: "only-there": executable file not found in \$path'
}

# crun: "executable file `nope` not found in $PATH".
tc process_not_found 'P5, 2.4: a command that is not in PATH fails at create with the text that engines look for'
process_not_found() {
	bundle
	args nope
	refused 'exec: "nope": executable file not found in \$path'
}

# crun: "executable file `/nope` not found: No such file or directory".
tc process_missing_file 'P5, 2.4: an absolute path that does not exist fails at create: stat'
process_missing_file() {
	bundle
	args /nope/x
	refused 'exec: "/nope/x": stat /nope/x: no such file or directory'
}

# crun: "open executable: Operation not permitted".
tc process_is_directory 'P5, 2.4: a directory as command: permission denied'
process_is_directory() {
	bundle
	args /etc
	refused 'exec: "/etc":.* permission denied'
}

tc process_not_executable 'P5, 2.4: a file without x: permission denied'
process_not_executable() {
	bundle
	args /etc/passwd
	refused 'exec: "/etc/passwd":.* permission denied'
}

tc process_bad_format 'P5: a file that is no program fails with exec format error'
process_bad_format() {
	bundle
	printf '\x7fELFnot really' >"$ROOTFS/bin/odd"
	chmod 755 "$ROOTFS/bin/odd"
	args /bin/odd
	try run --bundle "$B" "$ID"
	ne "$RC" 0 "exit status"
	imatch "$ERR" 'exec format error'
}

tc process_relative_command 'P5: a command with a slash is relative to cwd'
process_relative_command() {
	bundle
	mkdir "$ROOTFS/job"
	cp "$ROOTFS/bin/rft" "$ROOTFS/job/tool"
	args ./tool inspect
	edit '.process.cwd="/job"'
	runs
	kv_is exe /job/tool
}

tc process_no_args 'P5: no args: refused'
process_no_args() {
	bundle
	edit '.process.args=[]'
	refused 'args'
}

tc process_env 'P4: the environment is what env says, and HOME'
process_env() {
	bundle
	edit '.process.env=["PATH=/bin","A=1","B=with = and blank","EMPTY="]'
	inspect
	LEAK=yes runs
	kv_is env.A 1
	kv_is env.B 'with = and blank'
	kv_is env.EMPTY ''
	kv_is env.HOME /root
	kv_is n_env 5
	hasnt "$OUT" LEAK
}

tc process_home_user 'P4: HOME comes from the /etc/passwd inside, by uid'
process_home_user() {
	bundle
	edit '.process.user={uid:1000,gid:1000}'
	inspect
	runs
	kv_is env.HOME /home
}

tc process_home_given 'P4: a HOME that is given stays'
process_home_given() {
	bundle
	edit '.process.env+=["HOME=/given"]'
	inspect
	runs
	kv_is env.HOME /given
	eq "$(grep -c '^env.HOME' <<<"$OUT")" 1
}

tc process_home_unknown 'P4: HOME of a uid that passwd does not know is /'
process_home_unknown() {
	bundle
	edit '.process.user={uid:4242,gid:4242}'
	inspect
	runs
	kv_is env.HOME /
}

tc process_cwd 'P3: cwd is where the payload starts'
process_cwd() {
	bundle
	edit '.process.cwd="/etc"'
	inspect
	runs
	kv_is cwd /etc
}

tc process_cwd_made 'P3: a cwd that is missing is made, inside the root file system'
process_cwd_made() {
	bundle
	edit '.process.cwd="/a/b/c"'
	inspect
	runs
	kv_is cwd /a/b/c
	ok test -d "$ROOTFS/a/b/c"
}

tc process_cwd_relative 'P3: a relative cwd: refused'
process_cwd_relative() {
	bundle
	edit '.process.cwd="etc"'
	refused 'cwd'
}

tc process_cwd_file 'P3: a cwd that is a file: refused'
process_cwd_file() {
	bundle
	edit '.process.cwd="/etc/passwd"'
	refused 'not a directory|cwd'
}

tc process_cwd_mount 'P3: a cwd on a mount of the config is that mount'
process_cwd_mount() {
	bundle
	mkdir "$T/vol"
	touch "$T/vol/here"
	mount_entry /vol bind "$T/vol" bind,ro
	edit '.process.cwd="/vol"'
	args ls
	runs
	eq "$OUT" here
}

tc process_fds 'P17: the payload has descriptors 0, 1, 2 and no other'
process_fds() {
	bundle
	args rft fds
	exec 5<"$T" 7<"$B/config.json"
	runs
	eq "$(cut -d' ' -f1 <<<"$OUT" | tr '\n' ' ')" '0 1 2 '
	ex rft fds
}

tc process_fds_detached 'P17: seen from outside, a created and a running init hold no other descriptors'
process_fds_detached() {
	bundle
	exec 5<"$T" 7<"$B/config.json"
	up
	eq "$(find "/proc/$PID/fd" -type l -printf '%f ')" '0 1 2 '
}

tc process_stdin 'stdio: stdin of run is the payload'\''s'
process_stdin() {
	bundle
	args cat
	OUT=$(echo through | rt run --bundle "$B" "$ID") || die "exit status $?"
	eq "$OUT" through
}

tc process_stderr 'stdio: stdout and stderr stay apart'
process_stderr() {
	bundle
	script 'echo out; echo err >&2'
	runs
	eq "$OUT" out
	eq "$ERR" err
}

tc process_exit_status '2.3: run exits as the payload does'
process_exit_status() {
	bundle
	script 'exit 7'
	try run --bundle "$B" "$ID"
	eq "$RC" 7
	gone
}

tc process_exit_signal '2.3: run exits with 128 + signal: KILL 137'
process_exit_signal() {
	bundle
	script 'sh -c "kill -9 \$\$"; echo $?; exec rft pause'
	rt run --bundle "$B" "$ID" >"$T/log" &
	until_has 10 "$T/log" 137
	until_ok 10 is running
	good kill "$ID" KILL
	wait $!
	eq $? 137
}

tc process_exit_term '2.3: run exits with 143 when TERM ends the payload'
process_exit_term() {
	bundle
	no_ns pid
	script 'echo up; exec sleep 1000'
	rt run --bundle "$B" "$ID" >"$T/out" &
	until_has 10 "$T/out" up
	good kill "$ID" TERM
	wait $!
	eq $? 143
}

tc process_signal_forward 'run forwards signals to the payload'
process_signal_forward() {
	bundle
	args rft pause up
	"$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" >"$T/log" 2>&1 &
	until_has 10 "$T/log" up
	kill -USR1 $!
	until_has 10 "$T/log" 'signal 10'
	kill -TERM $!
	wait $!
	eq $? 0
	gone
}

tc process_signal_state 'the payload starts with no signal blocked, no parent-death signal, not a subreaper, dumpable'
process_signal_state() {
	bundle
	inspect
	runs
	kv_is SigBlk 0000000000000000
	kv_is pdeathsig 0
	kv_is subreaper 0
	kv_is dumpable 1
	kv_is securebits 0
}

tc process_session 'the payload leads a session of its own'
process_session() {
	bundle
	inspect
	runs
	kv_is pid 1
	kv_is sid 1
	kv_is pgid 1
}

tc process_oom_score 'P11: oomScoreAdj is set, inside and outside'
process_oom_score() {
	bundle
	edit '.process.oomScoreAdj=500'
	up
	eq "$(<"/proc/$PID/oom_score_adj")" 500
	exec_good cat /proc/self/oom_score_adj
	eq "$OUT" 500
}

tc process_oom_score_absent 'P11: without oomScoreAdj the caller'\''s stays'
process_oom_score_absent() {
	bundle
	echo 321 >/proc/$BASHPID/oom_score_adj
	up
	eq "$(<"/proc/$PID/oom_score_adj")" 321
}

tc process_oom_score_low 'P11: a value that the kernel forbids to root without CAP_SYS_RESOURCE is an error'
process_oom_score_low() {
	! can cap 24 || skip "this root has CAP_SYS_RESOURCE"
	bundle
	edit '.process.oomScoreAdj=-900'
	refused 'oom_score_adj|oomscoreadj'
}

tc process_nnp_on 'P10: noNewPrivileges true'
process_nnp_on() {
	bundle
	up
	eq "$(proc NoNewPrivs)" 1
	exec_good grep NoNewPrivs /proc/self/status
	match "$OUT" '1$'
}

tc process_nnp_off 'P10: noNewPrivileges false or absent'
process_nnp_off() {
	bundle
	edit 'del(.process.noNewPrivileges)'
	up
	eq "$(proc NoNewPrivs)" 0
}

tc process_nnp_setuid 'P10: noNewPrivileges makes a set-user-id program powerless; without it it is not'
process_nnp_setuid() {
	bundle
	rm "$ROOTFS/bin/rft"
	cp "$RF_RFT" "$ROOTFS/bin/rft"
	chmod 4755 "$ROOTFS/bin/rft"
	edit '.process.user={uid:1000,gid:1000}'
	inspect
	runs
	kv_is euid 1000
	edit '.process.noNewPrivileges=false'
	runs
	kv_is euid 0
}

tc process_keyring 'the payload has a session keyring of its own, unless --no-new-keyring'
process_keyring() {
	local own kernel_default
	bundle
	inspect
	own=$("$RF_RFT" inspect | sed -n 's/^keyring=//p')
	[[ $own != -1 ]] || skip "no keyrings in this kernel"
	runs
	kernel_default=$(kv keyring)
	ne "$kernel_default" "$own"
	runs
	ne "$(kv keyring)" "$kernel_default" "a second partition's keyring"
	runs --no-new-keyring
	eq "$(kv keyring)" "$own"
}

tc process_keyring_named 'a keyring that somebody has made, named after the partition and opened to all: not joined by run nor exec'
process_keyring_named() {
	local theirs n=0
	[[ $("$RF_RFT" inspect | sed -n 's/^keyring=//p') != -1 ]] || skip "no keyrings in this kernel"
	bundle
	for name in "_ses.$ID" "$ID" "_ses"; do
		# In a file of its own: each stays until the end of the case.
		bg_rft "$T/keyring.$((++n))" keyring "$name"
		until_has 5 "$T/keyring.$n" keyring=
	done
	# The control: whoever joins by that name is in it.
	theirs=$(sed -n 's/^keyring=//p' "$T/keyring.1")
	eq "$("$RF_RFT" keyring "_ses.$ID" 0 | sed -n 's/^keyring=//p')" "$theirs" "the control's keyring"
	up
	exec_good rft inspect
	hasnt "$(cat "$T"/keyring.*)" "keyring=$(kv keyring)"
	inspect
	good run --bundle "$B" "$ID-b"
	hasnt "$(cat "$T"/keyring.*)" "keyring=$(kv keyring)"
}

tc process_keyring_quota 'a user namespace whose root has used up its own keys: the partition still has a keyring of its own'
process_keyring_quota() {
	need_userns
	[[ $("$RF_RFT" inspect | sed -n 's/^keyring=//p') != -1 ]] || skip "no keyrings in this kernel"
	bundle
	userns
	inspect
	setpriv --reuid 100000 --regid 100000 --clear-groups "$RF_RFT" keyring fill 60 >"$T/fill" 2>&1 </dev/null &
	until_has 20 "$T/fill" full=
	grab "$RF_RFT" keyring "mine-$ID" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is keyring.name _ses
	ne "$(sed -n 's/^keyring=//p' <<<"$OUT" | tail -n 1)" "$(kv keyring)" "the partition's keyring and the caller's"
}

tc process_absent 'P16: without process, create is allowed and start is an error'
process_absent() {
	bundle
	edit 'del(.process)'
	good create --bundle "$B" "$ID"
	bad 'process' start "$ID"
	down
}
