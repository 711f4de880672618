# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# mounts[]: order, destinations, sources, file systems. Options are in mount-options.sh.

tc mounts_order 'R6: in the order of the list: the later one on top'
mounts_order() {
	bundle
	mkdir -p "$T/one/sub" "$T/two"
	touch "$T/two/mark"
	mount_entry /m bind "$T/one" bind
	mount_entry /m/sub bind "$T/two" bind
	mount_entry /n tmpfs tmpfs ''
	mount_entry /n bind "$T/two" bind
	script 'ls /m/sub /n'
	runs
	eq "$OUT" $'/m/sub:\nmark\n\n/n:\nmark'
}

tc mounts_dest_dir 'R7: a missing destination is made: a directory for a directory'
mounts_dest_dir() {
	bundle
	mkdir "$T/vol"
	echo x >"$T/vol/file"
	mount_entry /a/b/c bind "$T/vol" bind
	args cat /a/b/c/file
	runs
	eq "$OUT" x
	ok test -d "$ROOTFS/a/b/c"
}

tc mounts_dest_file 'R7: a missing destination is made: an empty file for a file'
mounts_dest_file() {
	bundle
	echo x >"$T/file"
	mount_entry /a/b/file bind "$T/file" bind
	args cat /a/b/file
	runs
	eq "$OUT" x
	ok test -f "$ROOTFS/a/b/file"
	eq "$(stat -c %s "$ROOTFS/a/b/file")" 0
}

tc mounts_dest_special 'R7: a socket as source: the destination is a file to bind it on'
mounts_dest_special() {
	bundle
	bg_rft "$T/sink" recv-pidfd "$T/socket"
	until_ok 5 test -S "$T/socket"
	mount_entry /run/the.sock bind "$T/socket" bind
	args stat -c %F /run/the.sock
	runs
	eq "$OUT" socket
}

tc mounts_dest_relative 'R7: a relative destination is taken from /'
mounts_dest_relative() {
	bundle
	mkdir "$T/vol"
	touch "$T/vol/mark"
	mount_entry rel/dir bind "$T/vol" bind
	edit '.process.cwd="/etc"'
	args ls /rel/dir
	runs
	eq "$OUT" mark
}

tc mounts_dest_symlink 'R7: a symlink on the way is followed inside the root file system, absolute ones too'
mounts_dest_symlink() {
	bundle
	mkdir "$T/vol" "$ROOTFS/real"
	touch "$T/vol/mark"
	ln -s /real "$ROOTFS/link"
	ln -s ../../../../../../real "$ROOTFS/up"
	mount_entry /link/one bind "$T/vol" bind
	mount_entry /up/two bind "$T/vol" bind
	script 'ls /real/one /real/two'
	runs
	eq "$OUT" $'/real/one:\nmark\n\n/real/two:\nmark'
}

tc mounts_dest_symlink_end 'R7: a symlink as the destination itself'
mounts_dest_symlink_end() {
	bundle
	mkdir "$T/vol" "$ROOTFS/real"
	touch "$T/vol/mark"
	ln -s /real "$ROOTFS/link"
	mount_entry /link bind "$T/vol" bind
	args ls /real
	runs
	eq "$OUT" mark
}

tc mounts_dest_missing 'R7: no destination: refused'
mounts_dest_missing() {
	bundle
	edit '.mounts+=[{type:"tmpfs",source:"tmpfs"}]'
	refused 'destination'
}

tc mounts_source_relative 'R8: a relative bind source is relative to the bundle'
mounts_source_relative() {
	bundle
	mkdir "$B/vol"
	touch "$B/vol/mark"
	mount_entry /vol bind vol bind
	args ls /vol
	cd /
	runs
	eq "$OUT" mark
}

tc mounts_bind_no_type 'R8: bind by option alone, without a type and with type none'
mounts_bind_no_type() {
	bundle
	mkdir "$T/vol"
	touch "$T/vol/mark"
	mount_entry /v1 '' "$T/vol" bind
	mount_entry /v2 none "$T/vol" rbind
	script 'ls /v1 /v2'
	runs
	eq "$OUT" $'/v1:\nmark\n\n/v2:\nmark'
}

# crun and runc add ENOENT's text, which podman takes for a missing command.
tc mounts_source_missing '2.4: a missing bind source: "mount source missing: PATH"'
mounts_source_missing() {
	bundle
	mount_entry /vol bind "$T/nothing" bind
	refused "mount source missing: $T/nothing, for /vol"
	hasnt "$ERR" 'o such file'
}

tc mounts_bind_not_recursive 'R8: bind leaves submounts out, rbind takes them along'
mounts_bind_not_recursive() {
	bundle
	mkdir -p "$T/vol/sub"
	mount -t tmpfs none "$T/vol/sub"
	touch "$T/vol/sub/mark"
	mount_entry /one bind "$T/vol" bind
	mount_entry /all bind "$T/vol" rbind
	script 'ls /one/sub; echo -; ls /all/sub'
	runs
	eq "$OUT" $'-\nmark'
}

tc mounts_bind_symlink_source 'R8: a symlink as source is followed on the host'
mounts_bind_symlink_source() {
	bundle
	mkdir "$T/vol"
	touch "$T/vol/mark"
	ln -s vol "$T/link"
	mount_entry /vol bind "$T/link" bind
	args ls /vol
	runs
	eq "$OUT" mark
}

tc mounts_bind_write 'a bind is the host'\''s directory itself: writes come through'
mounts_bind_write() {
	bundle
	mkdir "$T/vol"
	mount_entry /vol bind "$T/vol" bind
	script 'echo from inside >/vol/file'
	runs
	eq "$(<"$T/vol/file")" 'from inside'
}

tc mounts_unknown_type 'R16: a file system that nobody has: an error that names it or the destination'
mounts_unknown_type() {
	bundle
	mount_entry /vol nosuchfs none ''
	refused 'nosuchfs|vol'
}

tc mounts_tmpfs 'R16: tmpfs with size and mode'
mounts_tmpfs() {
	bundle
	mount_entry /t tmpfs tmpfs size=1m,mode=1751
	script 'stat -c %a /t; dd if=/dev/zero of=/t/x bs=64k count=32 2>/dev/null; stat -c %s /t/x'
	runs
	eq "$OUT" $'1751\n1048576'
}

tc mounts_tmpfs_keeps_mode 'R16: tmpfs without mode keeps that of the directory it covers'
# crun does not; runc does.
mounts_tmpfs_keeps_mode() {
	bundle
	mkdir -m 711 "$ROOTFS/covered"
	mount_entry /covered tmpfs tmpfs nosuid
	args stat -c %a /covered
	runs
	eq "$OUT" 711
}

tc mounts_tmpfs_copyup 'R11: tmpcopyup: the covered directory'\''s contents are in the tmpfs'
mounts_tmpfs_copyup() {
	bundle
	mkdir -p "$ROOTFS/covered/dir"
	echo deep >"$ROOTFS/covered/dir/file"
	echo top >"$ROOTFS/covered/file"
	chmod 640 "$ROOTFS/covered/file"
	ln -s file "$ROOTFS/covered/link"
	mount_entry /covered tmpfs tmpfs tmpcopyup
	script 'cat /covered/link /covered/dir/file; stat -c %a /covered/file; echo new >/covered/file; stat -f -c %T /covered'
	runs
	eq "$OUT" $'top\ndeep\n640\ntmpfs'
	eq "$(<"$ROOTFS/covered/file")" top
}

tc mounts_proc 'R16: proc shows the pid namespace'
mounts_proc() {
	bundle
	script 'readlink /proc/self; stat -f -c %T /proc'
	runs
	match "$OUT" $'^[0-9]+\nproc$'
}

tc mounts_mqueue 'R16: mqueue'
mounts_mqueue() {
	need_fs mqueue
	bundle
	mount_entry /dev/mqueue mqueue mqueue nosuid,noexec,nodev
	args cat /proc/self/mountinfo
	runs
	opt "$(mount_in /dev/mqueue)" nosuid
	has "$(mount_in /dev/mqueue)" '|mqueue|'
}

tc mounts_devpts 'R16: devpts is an instance of its own'
mounts_devpts() {
	bundle
	script 'ls /dev/pts; stat -c "%a %t:%T" /dev/pts/ptmx'
	runs
	eq "$OUT" $'ptmx\n666 5:2'
}

tc mounts_overlay 'R16: overlay, with its own options as data'
mounts_overlay() {
	can overlay || skip "no overlay"
	bundle
	mkdir -p "$T"/{l,u,w}
	echo lower >"$T/l/file"
	mount_entry /o overlay overlay "lowerdir=$T/l,upperdir=$T/u,workdir=$T/w"
	script 'cat /o/file; echo upper >/o/file'
	runs
	eq "$OUT" lower
	eq "$(<"$T/u/file")" upper
}

tc mounts_overlay_relative 'R16: relative paths in the options are the bundle'"'"'s, as with crun'
mounts_overlay_relative() {
	can overlay || skip "no overlay"
	bundle
	mkdir "$B"/{l,u,w}
	touch "$B/l/lower"
	mount_entry /o overlay overlay "lowerdir=l,upperdir=u,workdir=w"
	args ls /o
	cd /
	runs
	has "$OUT" lower
}

tc mounts_hugetlbfs 'R16: hugetlbfs'
mounts_hugetlbfs() {
	can mount_fs hugetlbfs || skip "no hugetlbfs"
	bundle
	mount_entry /huge hugetlbfs none nosuid
	args cat /proc/self/mountinfo
	runs
	has "$(mount_in /huge)" '|hugetlbfs|'
}

tc mounts_propagation_in 'R9: a mount made outside later shows up in an rslave bind, and not in an rprivate one'
mounts_propagation_in() {
	bundle
	mkdir -p "$T/vol/sub"
	mount -t tmpfs none "$T/vol"
	mkdir "$T/vol/sub"
	mount_entry /slave bind "$T/vol" rbind,rslave
	mount_entry /private bind "$T/vol" rbind,rprivate
	# What engines set along with such a mount; it is crun's private otherwise.
	edit '.linux.rootfsPropagation="rslave"'
	up
	mount -t tmpfs none "$T/vol/sub"
	touch "$T/vol/sub/mark"
	exec_good sh -c 'ls /slave/sub; echo -; ls /private/sub'
	eq "$OUT" $'mark\n-'
}

tc mounts_propagation_out 'R9: a mount made inside an rshared bind shows up outside; one in an rslave bind does not'
mounts_propagation_out() {
	bundle
	mkdir "$T/shared" "$T/slave"
	mount -t tmpfs none "$T/shared"
	mount -t tmpfs none "$T/slave"
	mkdir "$T/shared/sub" "$T/slave/sub"
	mount_entry /shared bind "$T/shared" rbind,rshared
	mount_entry /slave bind "$T/slave" rbind,rslave
	edit '.process.capabilities|=map_values(.+["CAP_SYS_ADMIN"])|.linux.rootfsPropagation="shared"'
	script 'mount -t tmpfs none /shared/sub && touch /shared/sub/mark && mount -t tmpfs none /slave/sub && touch /slave/sub/mark'
	runs
	ok test -e "$T/shared/sub/mark"
	fails test -e "$T/slave/sub/mark"
}

tc mounts_copy_symlink 'R17: copy-symlink: the destination becomes the same symlink'
# runc has no such option.
mounts_copy_symlink() {
	bundle
	ln -s /etc/file "$T/link"
	mount_entry /copied bind "$T/link" bind,copy-symlink
	script 'readlink /copied; cat /copied'
	runs
	eq "$OUT" $'/etc/file\ninside'
}

tc mounts_src_nofollow 'R17: src-nofollow: a symlink as source is bound itself'
# runc has no such option.
mounts_src_nofollow() {
	bundle
	ln -s /etc/issue "$T/link"
	echo x >"$ROOTFS/target"
	mount_entry /target bind "$T/link" bind,src-nofollow
	args readlink /target
	runs
	eq "$OUT" /etc/issue
}

tc mounts_label_off 'R19: mountLabel where SELinux is off: an error or no effect, never a mount that fails'
mounts_label_off() {
	! can selinux || skip "SELinux is on"
	bundle
	edit '.linux.mountLabel="system_u:object_r:container_file_t:s0"'
	args cat /proc/self/mountinfo
	try run --bundle "$B" "$ID"
	if [[ $RC == 0 ]]; then hasnt "$OUT" 'context='; else imatch "$ERR" 'selinux|label'; fi
}

tc mounts_many 'a hundred binds'
mounts_many() {
	bundle
	mkdir "$T/vol"
	touch "$T/vol/mark"
	edit '.mounts+=[range(100)|{destination:"/many/\(.)",type:"bind",source:$s,options:["bind","ro","nosuid"]}]' --arg s "$T/vol"
	script 'ls /many/*/mark | wc -l'
	runs
	eq "$OUT" 100
}

tc mounts_nested_ro 'R14: a read-only bind with a writable one in it'
mounts_nested_ro() {
	bundle
	mkdir -p "$T/vol/sub" "$T/rw"
	mount_entry /vol bind "$T/vol" rbind,ro
	mount_entry /vol/sub bind "$T/rw" bind,rw
	script 'touch /vol/x 2>/dev/null; touch /vol/sub/y; ls /vol /vol/sub'
	runs
	eq "$OUT" $'/vol:\nsub\n\n/vol/sub:\ny'
}

tc mounts_dest_nofollow 'R17: dest-nofollow: a symlink as destination is covered itself'
# runc has no such option.
mounts_dest_nofollow() {
	bundle
	mkdir "$ROOTFS/real"
	echo target >"$ROOTFS/real/file"
	ln -s real/file "$ROOTFS/link"
	echo source >"$T/source"
	mount_entry /link bind "$T/source" bind,dest-nofollow
	script 'cat /link /real/file'
	runs
	eq "$OUT" $'source\ntarget'
}
