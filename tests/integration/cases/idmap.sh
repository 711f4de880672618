# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Idmapped mounts. runc has them since 1.2 (binds only), crun since 0.24.

# volume: a directory with files of uid/gid 0:0 and 5:6.
volume() {
	mkdir -p "$T/vol/sub"
	touch "$T/vol/root" "$T/vol/five"
	chown 5:6 "$T/vol/five"
	chmod 777 "$T/vol"
}
MAP='[{"containerID":0,"hostID":100000,"size":65536}]'
# mapped OPTIONS UIDMAP GIDMAP: a bind at /v; a map of "" is left out.
mapped() {
	mount_entry /v bind "$T/vol" "$1"
	[[ -z $2 ]] || edit '.mounts[-1].uidMappings=$m' --argjson m "$2"
	[[ -z $3 ]] || edit '.mounts[-1].gidMappings=$m' --argjson m "$3"
	script 'stat -c %u:%g /v/root /v/five; touch /v/new && stat -c %u:%g /v/new'
}

tc idmap_userns 'R12: idmap with the partition'\''s own maps: owners on disk are owners inside, new files too'
idmap_userns() {
	need_userns
	need_idmap
	bundle
	userns
	volume
	mapped rbind,idmap "$MAP" "$MAP"
	runs
	eq "$OUT" $'0:0\n5:6\n0:0'
	eq "$(stat -c %u:%g "$T/vol/new")" 0:0
}

tc idmap_default_maps 'R12: idmap without maps takes the user namespace'\''s'
idmap_default_maps() {
	need_userns
	need_idmap
	bundle
	userns
	volume
	mapped rbind,idmap '' ''
	runs
	eq "$OUT" $'0:0\n5:6\n0:0'
	eq "$(stat -c %u:%g "$T/vol/new")" 0:0
}

tc idmap_without_option 'R13: maps without the option ask for it as well'
idmap_without_option() {
	need_userns
	need_idmap
	bundle
	userns
	volume
	mapped rbind "$MAP" "$MAP"
	runs
	eq "$OUT" $'0:0\n5:6\n0:0'
}

tc idmap_no_userns 'R12: idmap without a user namespace: ids are shifted inside'
idmap_no_userns() {
	need_idmap
	bundle
	volume
	mapped rbind,idmap '[{"containerID":0,"hostID":1000,"size":100}]' '[{"containerID":0,"hostID":2000,"size":100}]'
	script 'stat -c %u:%g /v/root /v/five'
	runs
	eq "$OUT" $'1000:2000\n1005:2006'
}

tc idmap_other_maps 'R12: maps that differ from the user namespace'\''s'
idmap_other_maps() {
	need_userns
	need_idmap
	bundle
	userns
	volume
	mapped rbind,idmap '[{"containerID":0,"hostID":101000,"size":100}]' '[{"containerID":0,"hostID":102000,"size":100}]'
	script 'stat -c %u:%g /v/root /v/five'
	runs
	eq "$OUT" $'1000:2000\n1005:2006'
}

tc idmap_two 'R12: two mounts with different maps'
idmap_two() {
	need_idmap
	bundle
	volume
	mapped rbind,idmap '[{"containerID":0,"hostID":1000,"size":100}]' '[{"containerID":0,"hostID":1000,"size":100}]'
	mount_entry /w bind "$T/vol" rbind,idmap
	edit '.mounts[-1].uidMappings=[{containerID:0,hostID:3000,size:100}]|.mounts[-1].gidMappings=.mounts[-1].uidMappings'
	mount_entry /x bind "$T/vol" rbind
	args stat -c %u /v/root /w/root /x/root
	runs
	eq "$OUT" $'1000\n3000\n0'
}

tc idmap_neither 'R12: idmap with neither maps nor a user namespace: refused'
idmap_neither() {
	bundle
	volume
	mapped rbind,idmap '' ''
	refused 'idmap|map'
}

tc idmap_half 'R12: maps of users only: refused'
idmap_half() {
	need_idmap
	bundle
	volume
	mapped rbind,idmap "$MAP" ''
	refused 'map'
}

# submount: a tmpfs in the volume, if that can be idmapped.
submount() {
	mount -t tmpfs none "$T/vol/sub"
	can idmap "$T/vol/sub" || skip "no idmapped mounts on tmpfs"
	touch "$T/vol/sub/root"
}
tc idmap_plain_submount 'R12: idmap leaves submounts as they are'
# crun 1.8 and runc fail or map them.
idmap_plain_submount() {
	need_idmap
	bundle
	volume
	submount
	mapped rbind,idmap '[{"containerID":0,"hostID":1000,"size":100}]' '[{"containerID":0,"hostID":1000,"size":100}]'
	args stat -c %u /v/root /v/sub/root
	runs
	eq "$OUT" $'1000\n0'
}

tc idmap_recursive 'R12: ridmap maps submounts too'
idmap_recursive() {
	need_idmap
	bundle
	volume
	submount
	mapped rbind,ridmap '[{"containerID":0,"hostID":1000,"size":100}]' '[{"containerID":0,"hostID":1000,"size":100}]'
	args stat -c %u /v/root /v/sub/root
	runs
	eq "$OUT" $'1000\n1000'
}

tc idmap_not_possible 'R12: a file system that cannot be idmapped: an error that names the mount'
idmap_not_possible() {
	! can idmap /proc || skip "proc can be idmapped here"
	bundle
	mount_entry /v bind /proc/sys rbind,idmap
	edit '.mounts[-1].uidMappings=[{containerID:0,hostID:1000,size:1}]|.mounts[-1].gidMappings=.mounts[-1].uidMappings'
	refused '/v|/proc/sys'
}

# runc has no such form.
tc idmap_crun_form 'R17: idmap=uids=…;gids=…'
idmap_crun_form() {
	need_userns
	need_idmap
	bundle
	userns
	volume
	mapped 'rbind,idmap=uids=0-101000-100;gids=0-102000-100' '' ''
	script 'stat -c %u:%g /v/root /v/five'
	runs
	eq "$OUT" $'1000:2000\n1005:2006'
}

# runc has no such form.
tc idmap_crun_relative 'R17: idmap=uids=@…: relative to the partition'\''s maps'
idmap_crun_relative() {
	need_userns
	need_idmap
	bundle
	userns
	volume
	mapped 'rbind,idmap=uids=@0-1000-100;gids=@0-2000-100' '' ''
	script 'stat -c %u:%g /v/root /v/five'
	runs
	eq "$OUT" $'1000:2000\n1005:2006'
}

tc idmap_readonly 'R12: idmap and ro together'
idmap_readonly() {
	need_userns
	need_idmap
	bundle
	userns
	volume
	mapped rbind,idmap,ro "$MAP" "$MAP"
	script 'stat -c %u:%g /v/five; touch /v/new 2>&1'
	try run --bundle "$B" "$ID"
	eq "$(head -n 1 <<<"$OUT")" 5:6
	imatch "$OUT" 'read-only'
}
