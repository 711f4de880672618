# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# User namespaces: maps, ownership, devices, what must not work.

tc userns_maps 'N6: the maps are what the config says'
userns_maps() {
	need_userns
	bundle
	userns
	edit '.linux.uidMappings=[{containerID:0,hostID:100000,size:1000},{containerID:1000,hostID:200000,size:5}]
		|.linux.gidMappings=[{containerID:0,hostID:300000,size:10}]'
	find "$ROOTFS" -type d -exec chown 100000:300000 {} +
	up
	eq "$(tr -s ' ' <"/proc/$PID/uid_map")" $' 0 100000 1000\n 1000 200000 5'
	eq "$(tr -s ' ' <"/proc/$PID/gid_map")" ' 0 300000 10'
	eq "$(proc Uid)" '100000 100000 100000 100000'
	eq "$(proc Gid)" '300000 300000 300000 300000'
}

tc userns_owner 'N6: root inside writes files that belong to the mapped id outside'
userns_owner() {
	need_userns
	bundle
	userns
	script 'touch /tmp/x; chown 7:8 /tmp/x; stat -c %u:%g /tmp/x'
	runs
	eq "$OUT" 7:8
	eq "$(stat -c %u:%g "$ROOTFS/tmp/x")" 100007:100008
}

tc userns_user 'N6: a mapped user and groups'
userns_user() {
	need_userns
	bundle
	userns
	edit '.process.user={uid:1000,gid:1000,additionalGids:[5,6]}'
	up
	eq "$(proc Uid)" '101000 101000 101000 101000'
	eq "$(proc Groups)" '100005 100006 '
	ex rft inspect
	kv_is uid 1000
	kv_is groups 5,6
}

tc userns_unmapped_user 'N6: a user that the map does not have: refused'
userns_unmapped_user() {
	need_userns
	bundle
	userns
	edit '.process.user={uid:70000,gid:0}'
	refused .
}

tc userns_no_chown 'N6: the runtime changes no owner in the root file system'
userns_no_chown() {
	need_userns
	bundle
	userns
	find "$ROOTFS" -printf '%p %U %G %m\n' | sort >"$T/before"
	args true
	runs
	find "$ROOTFS" -printf '%p %U %G %m\n' | sort >"$T/after"
	eq "$(comm -23 "$T/before" "$T/after")" ''
}

tc userns_maps_without 'N6: maps without a user namespace: refused'
# crun and runc take no notice of them.
userns_maps_without() {
	bundle
	edit '.linux.uidMappings=[{containerID:0,hostID:100000,size:10}]|.linux.gidMappings=.linux.uidMappings'
	refused 'map|user namespace'
}

# other_userns UIDMAP GIDMAP: a process in a user namespace with these; its pid in HOLDER.
other_userns() {
	unshare -U sleep 1000 >/dev/null 2>&1 </dev/null &
	HOLDER=$!
	until_ok 5 eval '[[ $(<"/proc/$HOLDER/comm") == sleep && $(nslink user $HOLDER) != $(nslink user) ]]'
	# In one write(2), as the kernel wants it.
	cat >"/proc/$HOLDER/uid_map" <<<"$1" && cat >"/proc/$HOLDER/gid_map" <<<"$2" || die "cannot write a map"
}

tc userns_path_and_maps 'N6: a path and maps that say what the namespace has, as containerd and CRI-O write them for pods: joined'
# runc takes it with a warning if they are the same, crun whatever they are.
userns_path_and_maps() {
	need_userns
	bundle
	other_userns $'0 100000 1000\n1000 200000 64536' '0 100000 65536'
	userns
	ns user "/proc/$HOLDER/ns/user"
	# In another order, and in more pieces.
	edit '.linux.uidMappings=[{containerID:1000,hostID:200000,size:64536},{containerID:0,hostID:100000,size:500},
		{containerID:500,hostID:100500,size:500}]'
	up
	eq "$(nslink user "$PID")" "$(nslink user "$HOLDER")"
	eq "$(proc Uid)" '100000 100000 100000 100000'
	exec_good id -u
	eq "$OUT" 0
	eq "$(nslink user "$PID")" "$(nslink user "$HOLDER")"
}

tc userns_path_and_other_maps 'N6: a path and maps that differ from the namespace'\''s: refused, both are told'
userns_path_and_other_maps() {
	need_userns
	bundle
	other_userns '0 100000 65536' '0 100000 65536'
	userns
	ns user "/proc/$HOLDER/ns/user"
	edit '.linux.gidMappings[0].size=1000'
	refused 'linux.gidmappings \(0 100000 1000\) is not what the user namespace .* has \(0 100000 65536\)'
	edit '.linux.gidMappings[0].size=65536|.linux.uidMappings[0].hostID=0'
	refused 'linux.uidmappings \(0 0 65536\) is not what the user namespace .* has \(0 100000 65536\)'
}

tc userns_path_and_idmap 'R12: idmap of a mount with the maps of a namespace that is joined by path'
userns_path_and_idmap() {
	need_userns
	need_idmap
	bundle
	other_userns '0 100000 65536' '0 100000 65536'
	userns
	ns user "/proc/$HOLDER/ns/user"
	mkdir -m 777 "$T/vol"
	touch "$T/vol/root"
	mount_entry /v bind "$T/vol" rbind,idmap
	mount_entry /w bind "$T/vol" rbind,idmap
	edit '.mounts[-1].uidMappings=.linux.uidMappings|.mounts[-1].gidMappings=.linux.gidMappings'
	mount_entry /x bind "$T/vol" 'rbind,idmap=uids=@0-7-10;gids=@0-8-10'
	script 'stat -c %u:%g /v/root /w/root /x/root'
	runs
	eq "$OUT" $'0:0\n0:0\n7:8'
	# The namespace alone says who is who.
	edit 'del(.linux.uidMappings,.linux.gidMappings)'
	runs
	eq "$OUT" $'0:0\n0:0\n7:8'
}

tc userns_no_maps 'N6: a new user namespace without maps, for root: refused, with an example'
# crun maps the host's root and nobody else; runc refuses.
userns_no_maps() {
	need_userns
	bundle
	ns user
	refused 'linux.uidmappings and linux.gidmappings must have entries.*100000'
	edit '.linux.uidMappings=[{containerID:0,hostID:100000,size:1}]'
	refused 'linux.gidmappings must have an entry'
}

tc userns_overlap 'N6: maps that overlap: refused'
userns_overlap() {
	need_userns
	bundle
	userns
	edit '.linux.uidMappings+=[{containerID:10,hostID:400000,size:5}]'
	refused 'map'
}

tc userns_huge_map 'CVE-2021-43784: thousands of map lines: an error, and nothing else happens'
userns_huge_map() {
	need_userns
	bundle
	userns
	edit '.linux.uidMappings=[range(5000)|{containerID:.,hostID:(100000+2*.),size:1}]|.linux.gidMappings=.linux.uidMappings'
	refused .
}

tc userns_many_lines 'N6: 340 lines, the most that the kernel takes'
userns_many_lines() {
	need_userns
	bundle
	userns
	# Short ids: the kernel takes a page of text at most.
	edit '.linux.uidMappings=[range(340)|{containerID:.,hostID:(1000+2*.),size:1}]|.linux.gidMappings=.linux.uidMappings'
	find "$ROOTFS" -type d -exec chown 1000:1000 {} +
	up
	eq "$(wc -l <"/proc/$PID/uid_map")" 340
}

tc userns_devices 'N6, 1.4: the default devices work inside a user namespace'
userns_devices() {
	need_userns
	bundle
	userns
	script 'echo x >/dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c && ! echo x >/dev/full 2>/dev/null &&
		stat -c "%F %t:%T" /dev/null'
	runs
	eq "$OUT" $'4\n4\ncharacter special file 1:3'
}

tc userns_caps 'N6: capabilities inside are capabilities over the namespace: set the host name, but not the clock'
userns_caps() {
	need_userns
	bundle
	userns
	edit '.process.capabilities|=map_values(.+["CAP_SYS_ADMIN","CAP_SYS_TIME"])'
	script 'hostname changed && hostname; date -s @0 2>&1'
	try run --bundle "$B" "$ID"
	eq "$(head -n 1 <<<"$OUT")" changed
	has "$OUT" 'not permitted'
}

tc userns_proc_sys 'N6: /proc and /sys are mounted and work'
userns_proc_sys() {
	need_userns
	bundle
	userns
	script 'cat /proc/self/comm; ls -d /sys/class'
	runs
	eq "$OUT" $'cat\n/sys/class'
}

tc userns_sysfs_host_net 'R16: sysfs without a network namespace of its own: a read-only bind of the host'\''s'
userns_sysfs_host_net() {
	need_userns
	bundle
	userns
	no_ns network
	script 'ls -d /sys/class/net; mkdir /sys/fs/x 2>&1; cat /proc/self/mountinfo'
	try run --bundle "$B" "$ID"
	eq "$RC" 0
	has "$OUT" /sys/class/net
	opt "$(mount_in /sys)" ro
}

tc userns_pts 'N6: a devpts with a gid option, and mqueue'
userns_pts() {
	need_userns
	bundle
	userns
	edit '.mounts|=map(if .type=="devpts" then .options+=["gid=5"] else . end)'
	mount_entry /dev/mqueue mqueue mqueue nosuid,noexec,nodev
	script 'stat -c %u:%g /dev/pts; stat -f -c %T /dev/mqueue; ls -la /dev/ptmx'
	runs
	has "$OUT" ptmx
}

tc userns_pts_gid '2.4: a gid= that is not mapped: the message says so, and what writes a config.json without'
userns_pts_gid() {
	need_userns
	bundle
	userns
	edit '.mounts|=map(if .type=="devpts" then .options+=["gid=4000000000"] else . end)'
	refused 'devpts.*; a gid= that the user namespace does not map is refused; .ringfence spec --rootless.'
}

tc userns_stat_bind 'N6: a bind mount keeps its owners: what is not mapped is nobody'
userns_stat_bind() {
	need_userns
	bundle
	userns
	mkdir "$T/vol"
	touch "$T/vol/root" "$T/vol/mapped"
	chown 100003:100004 "$T/vol/mapped"
	mount_entry /vol bind "$T/vol" rbind
	args stat -c '%n %u:%g' /vol/root /vol/mapped
	runs
	eq "$OUT" $'/vol/root 65534:65534\n/vol/mapped 3:4'
}

tc userns_locked_flags 'R14: a bind of a nosuid,nodev mount keeps these flags, and ro is added'
userns_locked_flags() {
	need_userns
	bundle
	userns
	mkdir "$T/vol"
	mount -t tmpfs -o nosuid,nodev,noexec none "$T/vol"
	mount_entry /vol bind "$T/vol" bind,ro
	args cat /proc/self/mountinfo
	runs
	opt "$(mount_in /vol)" ro
	opt "$(mount_in /vol)" nosuid
	opt "$(mount_in /vol)" nodev
	opt "$(mount_in /vol)" noexec
}

unlock() { # OPTIONS OF THE BIND: what a payload with CAP_SYS_ADMIN in its user namespace can undo; the control is a tmpfs of its own.
	need_userns
	bundle
	userns
	mkdir -m 777 "$T/vol"
	mount --bind "$T/vol" "$T/vol"
	mkdir "$T/vol/hidden"
	echo secret >"$T/vol/hidden/secret"
	mount -o remount,bind,ro,nosuid,nodev "$T/vol"
	[[ $1 != rbind ]] || mount -t tmpfs -o ro none "$T/vol/hidden"
	mount_entry /mnt bind "$T/vol" "$1"
	edit '.process.capabilities|=map_values(.+["CAP_SYS_ADMIN"])'
	script 'mount -t tmpfs -o ro,nosuid none /tmp; mount -o remount,bind,rw,suid /tmp && echo control; umount /tmp && echo control
		for o in rw suid dev; do mount -o remount,bind,ro,nosuid,nodev,$o /mnt 2>/dev/null && echo "undone: $o"; done
		touch /mnt/x 2>/dev/null && echo written; umount /mnt/hidden 2>/dev/null && cat /mnt/hidden/secret; true'
	runs
	[[ ! -e $T/vol/x ]] || die "written to a volume that is read-only on the host"
}
# crun undoes ro, and runc none of them.
tc userns_unlock 'R14: read-only, nosuid and nodev of the host'\''s mount cannot be undone inside'
userns_unlock() {
	unlock bind
	eq "$OUT" $'control\ncontrol'
}

tc userns_uncover 'R14: what covers a directory below a volume on the host cannot be taken away inside'
userns_uncover() {
	unlock rbind
	eq "$OUT" $'control\ncontrol'
}

tc userns_private_source 'N6: a bind source below a directory that only the host'\''s root may enter'
userns_private_source() {
	need_userns
	bundle
	userns
	mkdir -m 700 "$T/private"
	mkdir "$T/private/vol"
	echo secret >"$T/private/vol/file"
	mount_entry /vol bind "$T/private/vol" bind,ro
	args cat /vol/file
	runs
	eq "$OUT" secret
}

tc userns_private_rootfs 'N6: a root file system below such a directory'
# crun and runc open it with the rights of the mapped root and fail.
userns_private_rootfs() {
	need_userns
	bundle
	userns
	mkdir -m 700 "$T/private"
	mv "$B" "$T/private/b"
	B=$T/private/b
	args echo fine
	runs
	eq "$OUT" fine
}

tc userns_exec 'exec enters the user namespace with the right ids'
userns_exec() {
	need_userns
	bundle
	userns
	up
	try exec --user 5:6 "$ID" rft inspect
	kv_is uid 5
	kv_is gid 6
	kv_is ns.user "$(nslink user "$PID")"
}

tc userns_ro_mask 'masked and read-only paths hold inside a user namespace'
userns_ro_mask() {
	need_userns
	bundle
	userns
	script 'echo 1 >/proc/sys/kernel/domainname; head -c 1 /proc/kcore | wc -c'
	try run --bundle "$B" "$ID"
	eq "$OUT" 0
	imatch "$ERR" 'read-only|denied'
}
