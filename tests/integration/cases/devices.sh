# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Default devices and linux.devices. What may be opened is in cgroup-devices.sh.

device() { edit '.linux.devices+=[$d]' --argjson d "$1"; }

tc devices_default '1.4: null zero full random urandom tty: type, numbers, mode, owner'
devices_default() {
	bundle
	script 'cd /dev; stat -c "%n %F %t:%T %a %u:%g" null zero full random urandom tty | sed "s/character special file/c/"'
	runs
	eq "$OUT" $'null c 1:3 666 0:0\nzero c 1:5 666 0:0\nfull c 1:7 666 0:0\nrandom c 1:8 666 0:0\nurandom c 1:9 666 0:0\ntty c 5:0 666 0:0'
}

tc devices_work '1.4: and they work'
devices_work() {
	bundle
	script 'echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x >/dev/full; cat /dev/null'
	try run --bundle "$B" "$ID"
	eq "$OUT" $'3\n3'
	imatch "$ERR" 'no space'
}

tc devices_user '1.4: a user who is not root can use them'
devices_user() {
	bundle
	edit '.process.user={uid:1000,gid:1000}'
	script 'echo x >/dev/null && head -c 3 /dev/zero | wc -c'
	runs
	eq "$OUT" 3
}

tc devices_char '1.4: a character device with mode and owner'
devices_char() {
	can mknod "$T" || skip "no mknod"
	bundle
	device '{"path":"/dev/mine","type":"c","major":1,"minor":3,"fileMode":416,"uid":7,"gid":8}'
	args stat -c '%F %t:%T %a %u:%g' /dev/mine
	runs
	eq "$OUT" 'character special file 1:3 640 7:8'
}

tc devices_block '1.4: a block device'
devices_block() {
	can mknod "$T" || skip "no mknod"
	bundle
	device '{"path":"/dev/blk","type":"b","major":7,"minor":99,"fileMode":384}'
	args stat -c '%F %t:%T %a' /dev/blk
	runs
	eq "$OUT" 'block special file 7:63 600'
}

tc devices_unbuffered '1.4: type u is a character device'
devices_unbuffered() {
	can mknod "$T" || skip "no mknod"
	bundle
	device '{"path":"/dev/u","type":"u","major":1,"minor":5}'
	args stat -c '%F %t:%T' /dev/u
	runs
	eq "$OUT" 'character special file 1:5'
}

tc devices_fifo '1.4: a fifo, without numbers'
devices_fifo() {
	bundle
	device '{"path":"/dev/pipe","type":"p","fileMode":438}'
	args stat -c '%F %a' /dev/pipe
	runs
	eq "$OUT" 'fifo 666'
}

tc devices_anywhere '1.4: a path outside /dev, directories made'
devices_anywhere() {
	can mknod "$T" || skip "no mknod"
	bundle
	device '{"path":"/opt/a/b/null","type":"c","major":1,"minor":3,"fileMode":438}'
	device '{"path":"/dev/x/y/null","type":"c","major":1,"minor":3,"fileMode":438}'
	script 'stat -c %t:%T /opt/a/b/null /dev/x/y/null'
	runs
	eq "$OUT" $'1:3\n1:3'
}

tc devices_existing_same '1.4: a node that is there already and matches is left alone'
devices_existing_same() {
	can mknod "$T" || skip "no mknod"
	bundle
	mkdir "$ROOTFS/nodes"
	mknod "$ROOTFS/nodes/null" c 1 3
	device '{"path":"/nodes/null","type":"c","major":1,"minor":3}'
	args stat -c %t:%T /nodes/null
	runs
	eq "$OUT" 1:3
}

tc devices_existing_other '1.4: a file at the path that is something else: refused'
devices_existing_other() {
	bundle
	echo precious >"$ROOTFS/etc/precious"
	device '{"path":"/etc/precious","type":"c","major":1,"minor":3}'
	refused 'precious|exist'
	eq "$(<"$ROOTFS/etc/precious")" precious
}

tc devices_default_changed '1.4: an entry for a default device decides its mode'
devices_default_changed() {
	can mknod "$T" || skip "no mknod"
	bundle
	device '{"path":"/dev/zero","type":"c","major":1,"minor":5,"fileMode":384,"uid":9}'
	args stat -c '%a %u' /dev/zero
	runs
	eq "$OUT" '600 9'
}

bad_device() { # JSON
	bundle
	device "$1"
	refused 'device|major|type|path'
}
tc $'bad_device \'{"path":"/dev/x","type":"z","major":1,"minor":3}\'' '1.4: an unknown type: refused'
tc $'bad_device \'{"type":"c","major":1,"minor":3}\'' '1.4: no path: refused'
tc $'bad_device \'{"path":"/dev/x","major":1,"minor":3}\'' '1.4: no type: refused'

tc devices_userns '1.4: in a user namespace a device is bound from the host'
devices_userns() {
	need_userns
	bundle
	userns
	device '{"path":"/dev/mine","type":"c","major":1,"minor":3}'
	[[ -e /dev/mine ]] || edit '.linux.devices[-1].path="/dev/full"|.linux.devices[-1].minor=7'
	script 'stat -c %t:%T /dev/full; cat /proc/self/mountinfo'
	runs
	eq "$(head -n 1 <<<"$OUT")" 1:7
	has "$(mount_in /dev/full)" '|'
}

tc devices_no_dev_mount '1.4: without a /dev mount the devices are made in the root file system'
devices_no_dev_mount() {
	can mknod "$T" || skip "no mknod"
	bundle
	no_mount /dev/pts
	no_mount /dev/shm
	no_mount /dev
	script 'stat -c %t:%T /dev/null; readlink /dev/stdin; echo x >/dev/null'
	runs
	eq "$OUT" $'1:3\n/proc/self/fd/0'
}

tc devices_bind_dev '1.4: with a bind of a directory on /dev its contents are used'
devices_bind_dev() {
	bundle
	no_mount /dev/pts
	no_mount /dev/shm
	no_mount /dev
	mount_entry /dev bind /dev rbind,rprivate
	script 'stat -c %t:%T /dev/null; echo x >/dev/null && echo fine'
	runs
	has "$OUT" fine
	eq "$(stat -c %t:%T /dev/null)" 1:3
}

tc devices_umask '1.4: the caller'\''s umask has no say in the modes'
devices_umask() {
	can mknod "$T" || skip "no mknod"
	bundle
	device '{"path":"/dev/mine","type":"c","major":1,"minor":3,"fileMode":438}'
	args stat -c %a /dev/null /dev/mine
	umask 077
	runs
	eq "$OUT" $'666\n666'
}
