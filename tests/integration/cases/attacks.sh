# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# What images, volumes and other partitions have tried against container runtimes. Those that are about one property stand with it (user
# parsing in exec.sh, inheritable capabilities in caps.sh, sysctl values in sysctl.sh, hook environments in hooks.sh).

# It may be refused or done inside; outside nothing changes either way.
attempt() {
	try run --bundle "$B" "$ID"
	untouched
}

# --- paths that lead out ------------------------------------------------------------------------------------------------------------

dest_symlink() { # DESTINATION TYPE: rootfs/link leads to the directory outside.
	bundle
	outside
	ln -s "$T/outside" "$ROOTFS/link"
	ln -s "../../../../../../../..$T/outside" "$ROOTFS/uplink"
	mkdir "$T/vol"
	touch "$T/vol/intruder"
	if [[ $2 == bind ]]; then mount_entry "$1" bind "$T/vol" bind; else mount_entry "$1" tmpfs tmpfs ''; fi
	args true
	attempt
}
for d in /link /link/new /uplink /uplink/new/deep /dir/../link/x; do
	tc "dest_symlink $d bind" "CVE-2019-18837: a mount destination that leads out: $d, bind"
	tc "dest_symlink $d tmpfs" "CVE-2019-18837: a mount destination that leads out: $d, tmpfs"
done

tc dest_file_symlink 'CVE-2019-18837: a file destination that leads to a file outside: not made, not covered'
dest_file_symlink() {
	bundle
	outside
	ln -s "$T/outside/new" "$ROOTFS/link"
	echo mine >"$T/source"
	mount_entry /link bind "$T/source" bind
	args true
	attempt
}

tc device_symlink 'CVE-2026-41579: linux.devices below a directory that leads out: no node outside'
device_symlink() {
	bundle
	outside
	ln -s "$T/outside" "$ROOTFS/link"
	edit '.linux.devices=[{path:"/link/node",type:"c",major:1,minor:3}]'
	args true
	attempt
}

tc dev_symlink 'CVE-2026-41579, CVE-2026-47766: /dev of the image leads out, no /dev mount: nothing made or deleted there'
dev_symlink() {
	bundle
	outside
	touch "$T/outside/ptmx" "$T/outside/null"
	# shellcheck disable=SC2034
	BEFORE=$(find "$T/outside" -printf '%P %y %m %U:%G %s %i\n' | sort)
	no_mount /dev
	no_mount /dev/pts
	no_mount /dev/shm
	rmdir "$ROOTFS/dev"
	ln -s "$T/outside" "$ROOTFS/dev"
	args true
	attempt
}

tc dev_symlink_mount 'CVE-2026-41579: the same with a /dev mount'
dev_symlink_mount() {
	bundle
	outside
	rmdir "$ROOTFS/dev"
	ln -s "$T/outside" "$ROOTFS/dev"
	args true
	attempt
}

tc console_symlink 'CVE-2026-88264: /dev/console of the image leads to a file outside, no /dev mount, with a terminal'
console_symlink() {
	bundle
	outside
	no_mount /dev
	no_mount /dev/pts
	no_mount /dev/shm
	mount_entry /dev/pts devpts devpts newinstance,ptmxmode=0666,mode=0620
	mkdir "$ROOTFS/dev/pts"
	ln -s "$T/outside/file" "$ROOTFS/dev/console"
	edit '.process.terminal=true'
	script 'echo overwritten >/dev/console'
	bg_rft "$T/tty" console "$T/console"
	until_ok 5 test -S "$T/console"
	try run -d --bundle "$B" --console-socket "$T/console" "$ID"
	[[ $RC != 0 ]] || until_is stopped
	untouched
}

tc null_symlink 'CVE-2026-88265: /dev/null of the image leads to a file outside, standard streams closed: no chown, no write'
null_symlink() {
	bundle
	outside
	no_mount /dev
	no_mount /dev/pts
	no_mount /dev/shm
	ln -s "$T/outside/file" "$ROOTFS/dev/null"
	edit '.process.user={uid:1000,gid:1000}'
	script 'echo overwritten; echo overwritten >/dev/null'
	"$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" <&- >&- 2>&-
	untouched
}

tc cwd_symlink 'cwd that leads out: made inside or refused'
cwd_symlink() {
	bundle
	outside
	ln -s "$T/outside" "$ROOTFS/link"
	edit '.process.cwd="/link/new/cwd"'
	args pwd
	attempt
}

tc mask_symlink 'masked and read-only paths that lead out: nothing outside is covered'
mask_symlink() {
	bundle
	outside
	ln -s "$T/outside" "$ROOTFS/link"
	own_files
	edit '.linux.maskedPaths+=["/link/file","/link"]|.linux.readonlyPaths+=["/link"]'
	args true
	attempt
	ok touch "$T/outside/file"
}

tc copyup_symlink 'tmpcopyup of a directory that leads out copies nothing of the host'
copyup_symlink() {
	bundle
	outside
	echo 'secret of the host' >"$T/outside/secret"
	# shellcheck disable=SC2034
	BEFORE=$(find "$T/outside" -printf '%P %y %m %U:%G %s %i\n' | sort)
	ln -s "$T/outside" "$ROOTFS/link"
	mount_entry /link tmpfs tmpfs tmpcopyup
	script 'cat /link/secret'
	attempt
	hasnt "$OUT" 'secret of the host'
}

tc passwd_symlink 'CVE-2024-9676: /etc/passwd of the image leads out or is a fifo: not read, no hang'
passwd_symlink() {
	bundle
	outside
	echo 'root:x:0:0:root:/stolen:/bin/sh' >"$T/outside/passwd"
	# shellcheck disable=SC2034
	BEFORE=$(find "$T/outside" -printf '%P %y %m %U:%G %s %i\n' | sort)
	rm "$ROOTFS/etc/passwd"
	ln -s "$T/outside/passwd" "$ROOTFS/etc/passwd"
	script 'echo "<$HOME>"'
	attempt
	hasnt "$OUT" stolen
	rm "$ROOTFS/etc/passwd"
	mkfifo "$ROOTFS/etc/passwd"
	grab timeout -s KILL 15 "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	ne "$RC" 137 "exit status (hung on a fifo)"
}

# --- /proc and /sys -----------------------------------------------------------------------------------------------------------------

proc_target() { # DESTINATION: a symlink in the image, where proc or sysfs is to be mounted
	bundle
	mkdir "$ROOTFS/vol"
	rmdir "$ROOTFS$1"
	ln -s vol "$ROOTFS$1"
	args ls /vol
	try run --bundle "$B" "$ID"
	ne "$RC" 0 "exit status: mounted through a symlink ($OUT)"
	gone
}
# crun follows it inside the root.
tc 'proc_target /proc' 'CVE-2019-19921, CVE-2023-27561: /proc of the image is a symlink: refused'
tc 'proc_target /sys' 'CVE-2023-28642: /sys of the image is a symlink: refused'

over_proc() { # DESTINATION [TYPE]
	bundle
	mkdir -p "$T/vol/self/attr"
	mount_entry "$1" "${2:-bind}" "$T/vol" bind
	[[ -z ${2:-} ]] || edit '.mounts[-1].options=[]'
	args true
	refused "proc|${1##*/}"
}
# crun allows it.
tc 'over_proc /proc' 'CVE-2019-16884: a bind on /proc: refused'
tc 'over_proc /proc/self/attr' 'CVE-2019-16884: a bind on /proc/self/attr: refused'
tc 'over_proc /proc/sys' 'CVE-2019-16884: a bind on a directory of /proc: refused'
tc 'over_proc /proc tmpfs' 'CVE-2019-16884: a tmpfs on /proc: refused'

tc over_proc_allowed 'CVE-2019-16884: the files that lxcfs puts there are allowed'
over_proc_allowed() {
	bundle
	echo 'fake uptime' >"$T/uptime"
	mount_entry /proc/uptime bind "$T/uptime" bind
	args cat /proc/uptime
	runs
	eq "$OUT" 'fake uptime'
}

tc over_proc_symlink 'CVE-2019-16884: a destination that reaches /proc by a symlink: refused'
over_proc_symlink() {
	bundle
	mkdir "$T/vol"
	ln -s /proc "$ROOTFS/link"
	mount_entry /link/sys bind "$T/vol" bind
	try create --bundle "$B" "$ID"
	ne "$RC" 0 "exit status"
	gone
}

# --- descriptors ----------------------------------------------------------------------------------------------------------------------

tc leaked_cwd 'CVE-2024-21626: cwd=/proc/self/fd/N: never a directory of the host'
leaked_cwd() {
	local n
	exec 20<"$RF_CGROUP" 21</
	bundle
	for n in 3 4 5 6 7 8 9 10 11 12 20 21; do
		edit ".process.cwd=\"/proc/self/fd/$n\""
		script 'readlink /proc/self/cwd; ls ../../../../../../etc/debian_version 2>/dev/null'
		try run --bundle "$B" "$ID"
		[[ $RC != 0 ]] || {
			hasnt "$OUT" unreachable "fd $n"
			hasnt "$OUT" debian_version "fd $n"
			hasnt "$OUT" /sys/fs/cgroup "fd $n"
		}
	done
}

tc leaked_cwd_exec 'CVE-2024-21626: exec --cwd /proc/self/fd/N'
leaked_cwd_exec() {
	local n
	exec 20<"$RF_CGROUP" 21</
	bundle
	up
	for n in 3 4 5 6 7 8 9 10 11 12 20 21; do
		try exec --cwd "/proc/self/fd/$n" "$ID" sh -c 'readlink /proc/self/cwd; ls ../../../../../../etc/debian_version 2>/dev/null'
		hasnt "$OUT" unreachable "fd $n"
		hasnt "$OUT" debian_version "fd $n"
	done
}

tc leaked_cwd_symlink 'CVE-2024-21626: cwd is a symlink in the image to /proc/self/fd/N'
leaked_cwd_symlink() {
	local n
	exec 20<"$RF_CGROUP" 21</
	bundle
	edit '.process.cwd="/work"'
	for n in 3 5 7 8 9 20 21; do
		ln -sfn "/proc/self/fd/$n" "$ROOTFS/work"
		script 'ls ../../../../../../etc/debian_version 2>/dev/null'
		try run --bundle "$B" "$ID"
		hasnt "$OUT" debian_version "fd $n"
	done
}

tc watch_exec 'CVE-2016-9962: a process inside with CAP_SYS_PTRACE sees nothing of the host in what joins by exec'
watch_exec() {
	local n
	bundle
	edit '.process.capabilities|=map_values(.+["CAP_SYS_PTRACE","CAP_DAC_READ_SEARCH"])|.process.noNewPrivileges=false'
	args rft watch-procs 3
	up
	until_has 10 "$T/out" ready
	cp "$T/out" "$T/seen.start"
	for n in 1 2 3 4 5 6 7 8; do "$RT" "${GOPTS[@]}" exec "$ID" true <&- >/dev/null 2>&1; done
	until_has 20 "$T/out" 'done'
	hasnt "$(<"$T/out")" "$T/state"
	hasnt "$(<"$T/out")" "$B"
	hasnt "$(<"$T/out")" /sys/fs/cgroup
	hasnt "$(<"$T/out")" "$RT"
}

# traced FILTER: a process inside traces whatever joins by exec, from its first moment; what it caught is in OUT.
traced() {
	local n
	bundle
	edit '.process.capabilities|=map_values(.+["CAP_SYS_PTRACE"])'
	edit "$1"
	args rft trace-joins "${RF_DIFFERENCES:+3}3"
	up
	until_has 10 "$T/out" ready
	for n in {1..25}; do "$RT" "${GOPTS[@]}" exec "$ID" true >"$T/o" 2>&1 </dev/null || die "exec: $(<"$T/o")"; done
	until_ok 20 eval '"$RT" "${GOPTS[@]}" exec "$ID" true >/dev/null 2>&1 </dev/null; grep -q caught= "$T/out"'
	OUT=$(<"$T/out")
	hasnt "$OUT" 'caught=0' "processes that were traced"
}
tc trace_exec 'CVE-2016-9962: a tracer inside gets no capability from what joins by exec that it does not have'
# crun and runc give it all of the host'\''s.
trace_exec() {
	traceable
	traced .
	has "$OUT" ' caps=0'
}

tc trace_exec_user 'CVE-2016-9962: the same with another user, and without noNewPrivileges'
trace_exec_user() {
	traceable
	traced '.process.noNewPrivileges=false|.process.user={uid:1000,gid:1000}
		|.process.capabilities|=with_entries(.value=["CAP_SYS_PTRACE"])|.process.capabilities+={inheritable:["CAP_SYS_PTRACE"]}
		|.process.capabilities.ambient=["CAP_SYS_PTRACE"]'
	has "$OUT" ' caps=0'
}

trace_exec_filter() { # NO-NEW-PRIVS
	traceable
	traced ".process.noNewPrivileges=$1"'|.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mount"],action:"SCMP_ACT_ERRNO"}]}'
	has "$OUT" ' early=0 caps=0'
}
tc 'trace_exec_filter true' 'CVE-2016-9962: a tracer inside catches nobody without the filter'
tc 'trace_exec_filter false' 'CVE-2016-9962: nor, without noNewPrivileges, anybody who has CAP_SYS_ADMIN to install it'

tc trace_exec_control 'CVE-2016-9962, the control: the tracer does get the capabilities of what joins by nsenter'
trace_exec_control() {
	need_cmd nsenter
	bundle
	edit '.process.capabilities|=map_values(.+["CAP_SYS_PTRACE"])'
	args rft trace-joins 3
	up
	until_has 10 "$T/out" ready
	# As long as it traces: on a busy machine it may not have a processor while the first ones join.
	until_ok 20 eval 'nsenter -t "$PID" -m -p -u -i -n /bin/sh -c : >/dev/null 2>&1 </dev/null; grep -q caught= "$T/out"'
	hasnt "$(<"$T/out")" 'caps=0' "what the tracer caught"
}

# own_copy: a copy of the runtime that may come to harm.
own_copy() {
	REAL=$RT
	mkdir "$T/bin"
	cp "$RT" "$T/bin/$(basename "$RT")"
	RT=$T/bin/$(basename "$RT")
	SUM=$(sha256sum "$RT" "$REAL")
}
copy_whole() { eq "$(sha256sum "$RT" "$REAL")" "$SUM" "the runtime's binary"; }

tc exe_entrypoint 'CVE-2019-5736: the entry point is a script of /proc/self/exe: the binary stays whole'
exe_entrypoint() {
	bundle
	own_files
	own_copy
	printf '#!/proc/self/exe\n' >"$ROOTFS/bin/trap"
	chmod 755 "$ROOTFS/bin/trap"
	args /bin/trap
	"$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" >"$T/o" 2>&1 </dev/null
	args /proc/self/exe
	"$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" >"$T/o" 2>&1 </dev/null
	copy_whole
}

exe_steal_exec() { # CAPABILITY...
	local n
	bundle
	own_files
	own_copy
	edit '.process.capabilities|=map_values(.+$ARGS.positional)|.process.noNewPrivileges=false' --args -- "$@"
	args rft steal-exe 4
	up
	until_has 10 "$T/out" ready
	printf '#!/proc/self/exe\n' >"$ROOTFS/bin/trap"
	chmod 755 "$ROOTFS/bin/trap"
	for n in 1 2 3 4 5; do
		timeout -s KILL 10 "$RT" "${GOPTS[@]}" exec "$ID" /bin/trap >"$T/o" 2>&1 </dev/null
		timeout -s KILL 10 "$RT" "${GOPTS[@]}" exec "$ID" true >"$T/o" 2>&1 </dev/null
	done
	until_has 20 "$T/out" seen=
	hasnt "$(<"$T/out")" seen=0 "programs that were held"
	copy_whole
	ok "$RT" --version
}
tc 'exe_steal_exec CAP_SYS_PTRACE CAP_DAC_OVERRIDE' 'CVE-2019-5736: init holds /proc/PID/exe of what joins and writes to it: the binary stays whole'
tc 'exe_steal_exec CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_SYS_ADMIN' 'CVE-2019-5736: the same, and init would make its mount writable'

tc exe_steal_control 'CVE-2019-5736, the control: the thief does overwrite a binary that is left to it'
exe_steal_control() {
	mkdir "$T/p"
	cp "$(command -v sleep)" "$T/p/victim"
	local sum
	sum=$(sha256sum "$T/p/victim")
	# In a pid namespace of its own: everything else is out of its sight.
	unshare --pid --fork --mount-proc --kill-child bash -c '"$1" 0.7 & exec "$2" steal-exe 2' - "$T/p/victim" "$RF_RFT" >"$T/o" 2>&1
	ne "$(sha256sum "$T/p/victim")" "$sum" "the victim"
}

# --- the rest -----------------------------------------------------------------------------------------------------------------------

tc state_permissions 'CVE-2021-41091: another user of the host can look at no state'
state_permissions() {
	bundle
	up
	fails setpriv --reuid 65534 --regid 65534 --clear-groups ls "$ROOT/$ID" 2>/dev/null
	eq "$(find "$ROOT/$ID" -perm /022 ! -type l | head -n 1)" '' "writable by others"
}

tc release_agent 'CVE-2022-0492: a cgroup v1 mount inside gives no release_agent'
release_agent() {
	[[ $(cg_kind pids) == v1 ]] || skip "no cgroup v1"
	bundle
	mount_entry /sys/fs/cgroup cgroup cgroup ro
	script 'for d in /sys/fs/cgroup/*/; do echo /x 2>/dev/null >$d/release_agent && echo "wrote $d"; done; true'
	try run --bundle "$B" "$ID"
	hasnt "$OUT" wrote
	eq "$(cat "$(v1_root pids)/release_agent")" ''
}

# CVE-2023-25809: a cgroup that is delegated to whom root inside is outside: can it be written to through the host's /sys?
sysfs_cgroup() { # OPTIONS of the sysfs mount
	local dir rel
	need_userns
	if [[ $(cg_kind pids) == v1 ]]; then dir=$(v1_root pids); else dir=$(v2_root); fi
	[[ $dir == "$RF_CGROUP"* ]] || skip "cgroups are mounted elsewhere"
	rel=$ID-delegated
	mkdir "$dir/$rel" && chown 100000:100000 "$dir/$rel" || die "cannot make a cgroup"
	bundle
	userns
	no_ns network
	edit '(.mounts[]|select(.destination=="/sys")).options=($o|split(","))' --arg o "$1"
	script 'ls -d /sys/class/net; mkdir /sys/fs/cgroup/$D/inside 2>/dev/null && echo "made"; true'
	edit '.process.env+=["D="+$d]' --arg d "${dir#"$RF_CGROUP"}/$rel"
	try run --bundle "$B" "$ID"
	# The control: it is really his.
	ok setpriv --reuid 100000 --regid 100000 --clear-groups mkdir "$dir/$rel/outside"
	rmdir "$dir/$rel/inside" 2>/dev/null
	rmdir "$dir/$rel/outside" "$dir/$rel"
	[[ $RC == 0 ]] || die "run: exit status $RC"
	eq "$OUT" /sys/class/net
}
tc 'sysfs_cgroup nosuid,noexec,nodev,ro' "CVE-2023-25809: no network namespace, /sys read-only: the user's own cgroups cannot be written to"
tc 'sysfs_cgroup nosuid,noexec,nodev' "CVE-2023-25809: the same with a writable /sys"

tc kernel_files 'with the default config nothing of the kernel can be written: core_pattern, sysrq, uevent_helper, hotplug'
kernel_files() {
	bundle
	script 'for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper /proc/sys/kernel/modprobe \
		/proc/sys/kernel/hotplug /sys/kernel/mm/transparent_hugepage/enabled; do (echo x >$f) 2>/dev/null && echo "wrote $f"; done; true'
	runs
	eq "$OUT" ''
}

tc env_bombs 'strange environment and arguments: megabytes, new lines, no equals sign'
env_bombs() {
	bundle
	edit '.process.env+=["BIG=\("x"*100000)","NL=a\nb","WITHOUT","=x"]'
	script 'echo ${#BIG}; echo "$NL"'
	try run --bundle "$B" "$ID"
	[[ $RC != 0 ]] || has "$OUT" $'100000\na\nb'
}

tc nul_bytes 'NUL characters in the config: refused, never cut off there'
nul_bytes() {
	bundle
	edit '.process.args=["sh","-c","echo safe"]|.mounts+=[{destination:"/a\u0000/../etc",type:"tmpfs",source:"tmpfs"}]'
	bad . create --bundle "$B" "$ID"
	gone
}

tc deep_json 'JSON nested 100,000 deep: refused, no crash'
deep_json() {
	bundle
	{
		printf '{"ociVersion":"1.0.2","x":'
		printf '[%.0s' {1..100000}
		printf ']%.0s' {1..100000}
		printf '}'
	} >"$B/config.json"
	try create --bundle "$B" "$ID"
	[[ $RC -lt 128 ]] || die "crashed: exit status $RC"
	ne "$RC" 0 "exit status"
	gone
}

tc rootfs_symlink_id 'a state directory prepared as a symlink: not followed'
rootfs_symlink_id() {
	bundle
	outside
	mkdir -m 700 "$ROOT"
	ln -s "$T/outside" "$ROOT/$ID"
	try create --bundle "$B" "$ID"
	untouched
	[[ $RC != 0 ]] || rt delete --force "$ID"
	untouched
	rm -f "$ROOT/$ID"
}
