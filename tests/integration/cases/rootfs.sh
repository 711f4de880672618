# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# root, rootfsPropagation, masked and read-only paths, /dev symlinks, pivot_root.

tc rootfs_relative 'R2: a relative root.path is relative to the bundle'
rootfs_relative() {
	bundle
	mkdir "$B/deep"
	mv "$ROOTFS" "$B/deep/root"
	edit '.root.path="deep/root"'
	args cat /etc/file
	cd /
	runs
	eq "$OUT" inside
}

tc rootfs_absolute 'R2: an absolute root.path'
rootfs_absolute() {
	bundle
	mv "$ROOTFS" "$T/elsewhere"
	edit '.root.path=$p' --arg p "$T/elsewhere"
	args cat /etc/file
	runs
	eq "$OUT" inside
}

tc rootfs_missing 'R2: a root.path that does not exist: refused'
rootfs_missing() {
	bundle
	edit '.root.path="nothing"'
	refused 'nothing|root'
}

tc rootfs_file 'R2: a root.path that is a file: refused'
rootfs_file() {
	bundle
	touch "$B/file"
	edit '.root.path="file"'
	refused 'file|not a directory'
}

tc rootfs_absent 'R2: no root: refused'
rootfs_absent() {
	bundle
	edit 'del(.root)'
	refused 'root'
}

tc rootfs_readonly 'R3: readonly: no write to the root, mounts stay writable'
rootfs_readonly() {
	bundle
	edit '.root.readonly=true'
	mount_entry /t tmpfs tmpfs ''
	script 'touch /x 2>&1; touch /etc/x 2>&1; touch /t/x /dev/shm/x && echo written'
	runs
	eq "$(grep -ic 'read-only' <<<"$OUT")" 2
	has "$OUT" written
	fails test -e "$ROOTFS/x"
}

tc rootfs_readonly_last 'R3: it becomes read-only after the createContainer hooks'
# crun before 1.26 does it earlier.
rootfs_readonly_last() {
	bundle
	edit '.root.readonly=true'
	hook createContainer "touch $ROOTFS/from-hook"
	args cat /from-hook
	runs
}

tc rootfs_readonly_host 'R3: the directory on the host stays writable'
rootfs_readonly_host() {
	bundle
	edit '.root.readonly=true'
	up
	ok touch "$ROOTFS/still"
	opt "$(mount_of /)" ro
}

tc rootfs_pivot 'pivot_root: no mount and no directory of the host is left inside'
rootfs_pivot() {
	bundle
	mkdir "$T/canary"
	mount -t tmpfs none "$T/canary"
	script 'cut -d" " -f5 /proc/self/mountinfo | grep -vE "^/((proc|dev|sys)(/.*)?)?$"; echo -; ls /..; cat /proc/self/mountinfo'
	runs
	eq "$(head -n 1 <<<"$OUT")" - "mounts that the config does not ask for"
	eq "$(sed -n '/^-$/,/ - /p' <<<"$OUT" | grep -v ' ' | grep -v '^-$' | tr '\n' ' ')" \
		'bin dev dir etc home mnt proc root run sys tmp var '
	hasnt "$OUT" canary
}

tc rootfs_no_pivot '--no-pivot: the same view without pivot_root'
rootfs_no_pivot() {
	bundle
	script 'cat /etc/file; cat /etc/hostname /etc/debian_version 2>/dev/null; ls /..'
	runs --no-pivot
	eq "$(head -n 1 <<<"$OUT")" inside
	has "$OUT" mnt
}

tc rootfs_mount_point 'the root file system may be a mount, a tmpfs here'
rootfs_mount_point() {
	bundle
	mkdir "$T/m"
	mount -t tmpfs none "$T/m"
	cp -a "$ROOTFS/." "$T/m/"
	edit '.root.path=$p' --arg p "$T/m"
	args stat -f -c %T /
	runs
	eq "$OUT" tmpfs
}

tc rootfs_overlay 'the root file system may be an overlay, as engines make it'
rootfs_overlay() {
	can overlay || skip "no overlay"
	bundle
	mkdir "$T/u" "$T/w" "$T/m"
	mount -t overlay o -o "lowerdir=$ROOTFS,upperdir=$T/u,workdir=$T/w" "$T/m"
	edit '.root.path=$p' --arg p "$T/m"
	script 'echo new >/etc/file; cat /etc/file'
	runs
	eq "$OUT" new
	eq "$(<"$ROOTFS/etc/file")" inside
	eq "$(<"$T/u/etc/file")" new
}

tc rootfs_readonly_fs 'the root file system may be on a read-only mount, if the mount points are there'
rootfs_readonly_fs() {
	bundle
	mount --bind "$ROOTFS" "$ROOTFS"
	mount -o remount,bind,ro "$ROOTFS"
	edit '.root.readonly=true'
	args cat /etc/file
	try run --bundle "$B" "$ID"
	umount -l "$ROOTFS"
	eq "$RC" 0
	eq "$OUT" inside
}

tc rootfs_submounts 'mounts below the root file system on the host come along'
rootfs_submounts() {
	bundle
	mount -t tmpfs none "$ROOTFS/mnt"
	touch "$ROOTFS/mnt/mark"
	args ls /mnt
	try run --bundle "$B" "$ID"
	umount "$ROOTFS/mnt"
	eq "$OUT" mark
}

propagation_root() { # VALUE REGEX
	bundle
	edit '.linux.rootfsPropagation=$v' --arg v "$1"
	args cat /proc/self/mountinfo
	runs
	match "|$(mount_in / | cut -d'|' -f2)|" "$2" "optional fields of /"
}
tc 'propagation_root shared "shared:"' 'R18: rootfsPropagation shared'
tc 'propagation_root slave "(^.master:)|(^..$)"' 'R18: rootfsPropagation slave'
tc 'propagation_root private "^..$"' 'R18: rootfsPropagation private'
tc 'propagation_root unbindable "unbindable"' 'R18: rootfsPropagation unbindable'
tc 'propagation_root rprivate "^..$"' 'R18: rootfsPropagation rprivate'
tc 'propagation_root runbindable "unbindable"' 'R18: rootfsPropagation runbindable'
tc 'propagation_root rshared "shared:"' 'R18: rootfsPropagation rshared'
tc 'propagation_root rslave "(^.master:)|(^..$)"' 'R18: rootfsPropagation rslave'

tc propagation_unknown 'R18: an unknown rootfsPropagation: refused'
propagation_unknown() {
	bundle
	edit '.linux.rootfsPropagation="sideways"'
	refused 'propagation|sideways'
}

tc propagation_host 'R18: whatever it is, the runtime'\''s mounts do not show up on a host whose / is shared'
propagation_host() {
	local v
	for v in '' shared rslave private; do
		bundle "b$v"
		[[ -z $v ]] || edit '.linux.rootfsPropagation=$v' --arg v "$v"
		hook createContainer "cat /proc/$$/mountinfo >$T/during"
		up
		eq "$(grep -c "$T" "$T/during")" 0 "mounts on the host while it is made, $v"
		eq "$(grep -c "$T" /proc/self/mountinfo)" 0 "mounts on the host, $v"
		down
	done
}

tc masked_file 'R20: a masked file reads as empty: it is /dev/null'
masked_file() {
	bundle
	edit '.linux.maskedPaths+=["/etc/file","/proc/version"]'
	script 'cat /etc/file /proc/version; stat -c %t:%T /etc/file; echo x >/etc/file'
	runs
	eq "$OUT" 1:3
	eq "$(<"$ROOTFS/etc/file")" inside
}

tc masked_dir 'R20: a masked directory is empty and read-only'
masked_dir() {
	bundle
	mkdir "$ROOTFS/secret"
	touch "$ROOTFS/secret/x"
	edit '.linux.maskedPaths+=["/secret","/sys/kernel"]'
	script 'ls /secret /sys/kernel; touch /secret/y 2>&1 || echo refused; grep " /secret " /proc/self/mountinfo'
	try run --bundle "$B" "$ID"
	hasnt "$OUT" /x
	hasnt "$OUT" cgroup
	has "$OUT" refused
	match "$OUT" ' /secret ro,nosuid,nodev,noexec'
}

tc masked_missing 'R20: a masked path that does not exist is ignored'
masked_missing() {
	bundle
	edit '.linux.maskedPaths+=["/nothing/there","/proc/nothing"]'
	args true
	runs
	fails test -e "$ROOTFS/nothing"
}

tc masked_one_superblock 'R20: all masked directories share one superblock'
# Each one more makes every memory cgroup of the host larger. crun before 1.24 and runc before 1.5 make one each.
masked_one_superblock() {
	bundle
	mkdir "$ROOTFS"/secret{1,2,3}
	edit '.linux.maskedPaths+=["/secret1","/secret2","/secret3"]'
	args stat -c %d /secret1 /secret2 /secret3
	runs
	eq "$(sort -u <<<"$OUT" | wc -l)" 1
}

tc masked_by_sysfs 'R20: with a sysfs of its own a partition needs none for masks: an empty directory in that serves'
masked_by_sysfs() {
	bundle
	mkdir "$ROOTFS"/secret{1,2}
	touch "$ROOTFS"/secret{1,2}/x
	edit '.linux.maskedPaths=["/secret1","/secret2","/sys/kernel"]'
	script 'stat -c %d /sys /secret1 /secret2; ls -A /secret1 /secret2 /sys/kernel'
	runs
	eq "$(grep -E '^[0-9]+$' <<<"$OUT" | sort -u | wc -l)" 1
	eq "$(grep -vE '^[0-9]*$|:$' <<<"$OUT")" ''
	# Something mounted over that directory of the sysfs must not show through a mask.
	mkdir "$T/full"
	touch "$T/full/shows"
	for at in kernel/debug kernel/tracing fs/cgroup; do
		[[ ! -d /sys/$at ]] || mount_entry "/sys/$at" bind "$T/full" bind
	done
	script 'ls -A /secret1 /secret2'
	runs
	hasnt "$OUT" shows
	hasnt "$OUT" x
}

tc masked_null_symlink 'CVE-2025-31133: /dev/null of the partition is not what masks: a symlink there gains nothing'
masked_null_symlink() {
	bundle
	no_mount /dev
	no_mount /dev/pts
	no_mount /dev/shm
	mkdir "$ROOTFS/evil"
	mount_entry /dev bind "$ROOTFS/evil" bind
	ln -s /proc/sys/kernel/hostname "$ROOTFS/evil/null"
	edit '.linux.maskedPaths=["/proc/version"]'
	args cat /proc/version
	try run --bundle "$B" "$ID"
	[[ $RC == 0 ]] || return 0 # refused: as good
	eq "$OUT" ''
}

tc readonly_paths 'R21: a read-only path can be read and not written, flags stay'
readonly_paths() {
	bundle
	edit '.linux.readonlyPaths+=["/etc"]'
	script 'cat /etc/file; echo x 2>&1 >/etc/file; cat /proc/self/mountinfo'
	try run --bundle "$B" "$ID"
	has "$OUT" inside
	imatch "$OUT$ERR" 'read-only'
	opt "$(mount_in /etc)" ro
	opt "$(mount_in /proc/sys)" ro
	eq "$(<"$ROOTFS/etc/file")" inside
}

tc readonly_keeps_flags 'R21: nosuid, nodev and noexec of the mount below are kept'
readonly_keeps_flags() {
	bundle
	mount_entry /t tmpfs tmpfs nosuid,nodev,noexec,noatime
	edit '.linux.readonlyPaths+=["/t"]'
	args cat /proc/self/mountinfo
	runs
	local f
	for f in ro nosuid nodev noexec noatime; do opt "$(mount_in /t)" $f; done
}

tc readonly_missing 'R21: one that does not exist is ignored'
readonly_missing() {
	bundle
	edit '.linux.readonlyPaths+=["/nothing/there"]'
	args true
	runs
}

tc readonly_submount 'R21: a read-only path takes submounts along'
readonly_submount() {
	bundle
	mount_entry /d/t tmpfs tmpfs mode=1777
	edit '.linux.readonlyPaths+=["/d"]'
	script 'touch /d/x 2>&1; ls -d /d/t'
	try run --bundle "$B" "$ID"
	imatch "$OUT" 'read-only'
	has "$OUT" /d/t
}

tc dev_symlinks 'R23: /dev/fd, stdin, stdout, stderr, core, ptmx'
dev_symlinks() {
	bundle
	script 'for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; readlink /dev/core; true'
	runs
	eq "$(head -n 5 <<<"$OUT")" $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx'
	# runc makes it only where the kernel has a kcore.
	[[ ! -e /proc/kcore ]] || eq "$(tail -n 1 <<<"$OUT")" /proc/kcore
}

tc dev_stdout_works 'R23: /dev/stdout and /dev/fd work'
dev_stdout_works() {
	bundle
	script 'echo one >/dev/stdout; echo two >/dev/fd/1'
	OUT=$(rt run --bundle "$B" "$ID" </dev/null | cat)
	eq "$OUT" $'one\ntwo'
}

tc default_filesystems 'R22: /proc, /sys, /dev/pts, /dev/shm as configured'
default_filesystems() {
	bundle
	script 'for d in /proc /sys /dev /dev/pts /dev/shm; do stat -f -c %T $d; done; stat -c %a /dev/shm /dev'
	runs
	eq "$(tr '\n' ' ' <<<"$OUT")" 'proc sysfs tmpfs devpts tmpfs 1777 755 '
}
