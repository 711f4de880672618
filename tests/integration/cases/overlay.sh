# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# A root file system of layers: an overlay on "/" as the first mount. An extension of ringfence's.

# shellcheck source=tests/integration/cases/rootless.sh
. "${BASH_SOURCE[0]%/*}/rootless.sh" >/dev/null

# layers N: a bundle whose root file system is the layers $T/l/0 (base) to N-1, and an upper directory. $LOWER is the list.
layers() {
	local n=$1 i
	ours_only
	need_fs overlay
	bundle
	# What the work directory is on must be one that overlayfs can write to.
	can overlay || skip "no overlay on the file system of the temporary directory"
	mkdir -p "$T/l"
	mv "$ROOTFS" "$T/l/0"
	mkdir "$ROOTFS" "$T/rw"{,/upper,/work}
	LOWER=$T/l/0
	for ((i = 1; i < n; i++)); do
		mkdir "$T/l/$i"
		echo "$i" >"$T/l/$i/layer"
		LOWER=$T/l/$i:$LOWER
	done
	overlay ""
}
# overlay OPTION,OPTION [LIST]: the first mount, with an upper directory unless $READ_ONLY.
overlay() {
	local opts=${1:-}
	[[ -n ${READ_ONLY:-} ]] || opts+=${opts:+,}upperdir=$T/rw/upper,workdir=$T/rw/work
	edit '.root={path:"rootfs"}|.mounts|=[{destination:"/",type:"overlay",source:"overlay",
		options:(["lowerdir="+$l]+($o|split(",")|map(select(.!=""))))}]+map(select(.destination!="/"))' --arg l "${2:-$LOWER}" --arg o "$opts"
}
ours_only() { [[ ${RT##*/} == ringfence* ]] || skip "an extension of ringfence's"; }
# Nothing of it is to be seen on the host.
hidden() { hasnt "$(</proc/self/mountinfo)" "$T/"; }

tc overlay_run 'a root file system of layers: read, written, and nothing of it in the layers'
overlay_run() {
	layers 3
	script 'cat /layer; echo new >/new; rm /layer; echo x >>/etc/passwd; grep -o " / / .* - [a-z]*" /proc/self/mountinfo'
	cp "$T/l/0/etc/passwd" "$T/before"
	runs
	eq "${OUT%%$'\n'*}" 2
	has "$OUT" overlay
	eq "$(<"$T/rw/upper/new")" new
	eq "$(stat -c %F "$T/rw/upper/layer")" 'character special file'
	ok cmp "$T/before" "$T/l/0/etc/passwd"
	eq "$(ls -A "$ROOTFS")" ''
	hidden
}

tc overlay_host_mounts 'the host'\''s list of mounts does not grow; exec, delete; a second start on the same upper directory'
overlay_host_mounts() {
	layers 2
	script 'touch /up; sleep 1000'
	cp /proc/self/mountinfo "$T/before"
	up
	until_ok 10 test -e "$T/rw/upper/up"
	eq "$(wc -l </proc/self/mountinfo)" "$(wc -l <"$T/before")"
	hidden
	ex cat /layer
	eq "$OUT" 1
	has "$(mount_of /)" overlay
	down
	args cat /layer /up
	runs
	eq "$OUT" 1
}

tc overlay_created 'create and start, and the userspace half of it killed: nothing stays'
overlay_created() {
	layers 2
	made
	hidden
	good start "$ID"
	ex cat /layer
	eq "$OUT" 1
	kill -9 "$PID"
	until_ok 10 dead "$PID"
	down
	# The upper directory is free again.
	until_ok 10 mount -t overlay o -o "lowerdir=$T/l/0,upperdir=$T/rw/upper,workdir=$T/rw/work" "$ROOTFS"
	umount "$ROOTFS"
}

tc overlay_kill 'kill -9 of ringfence while it works: nothing stays, and the next start works'
overlay_kill() {
	local i
	layers 20
	args true
	for i in {1..15}; do
		rt run --bundle "$B" "$ID-$i" >/dev/null 2>&1 </dev/null &
		sleep "0.00$((RANDOM % 9))"
		kill -9 $! 2>/dev/null
		wait $! 2>/dev/null
		rt delete --force "$ID-$i" >"$T/deleted" 2>&1 || die "$(<"$T/deleted")"
		hidden
	done
	args cat /layer
	runs
	eq "$OUT" 19
}

tc overlay_many '100 layers, and 499'
overlay_many() {
	layers 100
	args cat /layer
	runs
	eq "$OUT" 99
	LOWER=$T/l/0
	for ((i = 1; i < 499; i++)); do
		mkdir -p "$T/l/$i"
		LOWER=$T/l/$i:$LOWER
	done
	overlay ''
	runs
	eq "$OUT" 99
	LOWER=$LOWER:$LOWER
	overlay ''
	refused '998 layers'
}

tc overlay_hiding 'whiteouts and opaque directories'
overlay_hiding() {
	layers 3
	need_cmd setfattr
	mkdir -p "$T/l/0/dir" "$T/l/1/dir" "$T/l/0/tree"
	touch "$T/l/0/dir/below" "$T/l/1/dir/above" "$T/l/0/tree/x" "$T/l/0/gone"
	setfattr -n trusted.overlay.opaque -v y "$T/l/1/dir" || skip "no trusted.* attributes here"
	mknod "$T/l/1/gone" c 0 0
	mknod "$T/l/2/tree" c 0 0
	script 'ls /dir; ls -d /gone /tree 2>/dev/null; true'
	runs
	eq "$OUT" above
}

tc overlay_user 'a user namespace: ids on disk are shifted without idmap'
overlay_user() {
	need_userns
	layers 2
	userns
	chown 100000:100000 "$T/rw/upper" "$T/l/1" "$T/l/0"
	script 'id -u; touch /new; stat -c %u:%g /new /layer'
	chown 100005:100006 "$T/l/1/layer"
	runs
	eq "$OUT" $'0\n0:0\n5:6'
	eq "$(stat -c %u:%g "$T/rw/upper/new")" 100000:100000
	hidden
}

idmapped() {
	need_userns
	need_idmap
	layers 3
	userns
	chown 0:0 "$ROOTFS"
	touch "$T/l/2/five"
	chown 5:6 "$T/l/2/five"
	overlay idmap
	script 'id -u; touch /new; chown 7:8 /new; stat -c %u:%g /new /five /layer; echo x >>/five; stat -c %u:%g /five /'
}
are_mapped() {
	eq "$OUT" $'0\n7:8\n5:6\n0:0\n5:6\n0:0'
	eq "$(stat -c %u:%g "$T/rw/upper/new" "$T/rw/upper/five" "$T/l/2/five")" $'7:8\n5:6\n5:6'
	hidden
}

tc overlay_idmap 'a user namespace with idmap: the layers and what is written keep the image'\''s ids on disk'
overlay_idmap() {
	idmapped
	runs
	are_mapped
}

tc overlay_idmap_two_places 'idmap: upper and work directory have their common parent far up'
overlay_idmap_two_places() {
	idmapped
	mkdir -p "$T/rw/a/b" "$T/rw/c/d"
	edit '.mounts[0].options|=map(sub("rw/upper";"rw/a/b")|sub("rw/work";"rw/c/d"))'
	args touch /x
	runs
	eq "$(stat -c %u "$T/rw/a/b/x")" 0
	edit '.mounts[0].options|=map(sub("rw/c/d";"rw/a/b/w"))'
	refused 'inside'
}

tc overlay_idmap_plain 'idmap without a user namespace: refused'
overlay_idmap_plain() {
	layers 1
	overlay idmap
	refused 'uidMappings'
}

# injected CALLS COMMAND…: these fsconfig(2) calls of ringfence itself fail, as an older kernel has it.
injected() {
	need_cmd strace
	traceable
	strace -qq -o /dev/null true || skip "strace cannot trace here"
	grab strace ${FOLLOW:+-f} -qq -o "$T/strace" -e trace=fsconfig -e "inject=fsconfig:error=${ERROR:-EINVAL}:when=$1" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$RC" 0
	has "$(<"$T/strace")" INJECTED
	hidden
}

# Both processes that make an overlay; the first process then must have nothing to make.
both_injected() {
	edit '.mounts=[.mounts[0]]|.linux|=del(.maskedPaths,.readonlyPaths)'
	FOLLOW=1 injected 1..2
	hasnt "$(grep -v INJECTED "$T/strace")" CMD_CREATE
}

tc overlay_by_path 'a kernel that does not take layers by descriptor (before Linux 6.13)'
overlay_by_path() {
	layers 4
	args cat /layer
	injected 1
	eq "$OUT" 3
	has "$(<"$T/strace")" 'FSCONFIG_SET_STRING, "lowerdir+", "/proc/self/fd/'
}

tc overlay_by_mount 'a kernel that takes layers by mount(2) only (before Linux 6.7): 250 of them'
overlay_by_mount() {
	layers 250
	args cat /layer
	both_injected
	eq "$OUT" 249
}

tc overlay_idmap_attached 'a kernel that does not take layers which are attached nowhere (before Linux 6.15)'
overlay_idmap_attached() {
	local n
	idmapped
	# The call that makes the superblock: after the layers, two directories and three words.
	injected $((3 + 2 + 3 + 1))
	has "$(<"$T/strace")" FSCONFIG_CMD_CREATE
	are_mapped
}

tc overlay_idmap_mount 'idmapped layers and mount(2)'
overlay_idmap_mount() {
	idmapped
	both_injected
	are_mapped
}

tc overlay_read_only 'root.readonly, the option ro, and no upper directory at all'
overlay_read_only() {
	local opts
	layers 2
	script 'touch /x 2>/dev/null && echo written; cat /layer; mkdir -p /tmp/x 2>/dev/null; true'
	edit '.root.readonly=true'
	overlay ''
	edit '.root.readonly=true'
	runs
	eq "$OUT" 1
	overlay ro
	runs
	eq "$OUT" 1
	eq "$(ls -A "$T/rw/upper/x" 2>/dev/null)" ''
	# Mount points cannot be made any more.
	mkdir -p "$T/l/0/"{proc,dev,sys}
	edit '.mounts|=map(select(.destination|IN("/","/proc","/dev","/sys")))'
	READ_ONLY=1 overlay ''
	runs
	eq "$OUT" 1
	# One layer alone.
	echo base >"$T/l/0/layer"
	LOWER=$T/l/0
	READ_ONLY=1 overlay ''
	runs
	eq "$OUT" base
	hidden
}

tc overlay_volatile 'volatile: nothing is synced'
overlay_volatile() {
	layers 2
	overlay volatile
	script 'grep " / " /proc/self/mountinfo'
	runs
	has "$OUT" volatile
	# What the kernel does not take again is explained.
	try run --bundle "$B" "$ID"
	[[ $RC == 0 ]] || has "$ERR" 'volatile once'
}

tc overlay_options 'the options that are always the same; propagation; nosuid'
overlay_options() {
	layers 2
	overlay nosuid,nodev
	edit '.linux.rootfsPropagation="shared"'
	script 'grep " / " /proc/self/mountinfo'
	runs
	has "$OUT" nosuid,nodev
	has "$OUT" shared:
	hasnt "$OUT" redirect_dir=on
	hasnt "$OUT" metacopy=on
	hasnt "$OUT" index=on
	hidden
}

tc overlay_names 'colons, backslashes and commas in paths; paths of the bundle'
overlay_names() {
	layers 1
	mkdir "$T/l/a:b\\c,d" "$B/inside"
	echo odd >"$T/l/a:b\\c,d/layer"
	echo two >"$B/inside/two"
	overlay '' "inside:$T/l/a\\:b\\\\c\\,d:$LOWER"
	args cat /layer /two
	runs
	eq "$OUT" $'odd\ntwo'
}

tc overlay_hostile 'layers that are none: a symlink, a file, nothing'
overlay_hostile() {
	layers 1
	ln -s / "$T/l/link"
	touch "$T/l/file"
	overlay '' "$T/l/link:$LOWER"
	refused "layer .*/l/link.*symlink"
	overlay '' "$T/l/none:$LOWER"
	refused "layer .*/l/none"
	overlay '' "$LOWER::$LOWER"
	refused 'layer 1 .*empty'
	overlay '' "$LOWER,redirect_dir=on"
	refused 'layer .*redirect_dir'
	overlay '' "$LOWER:$LOWER"
	refused 'layers'
	rm -r "$T/rw/upper" && ln -s "$T/l/0" "$T/rw/upper"
	overlay ''
	refused 'upperdir .*symlink'
}

tc overlay_refused 'what is no option, and other mounts on /'
overlay_refused() {
	local word
	layers 1
	for word in redirect_dir=on metacopy=on index=on xino=off lowerdir+=/ bind remount shared z nfs_export=on; do
		overlay "$word"
		refused "option \"?${word//+/\\+}"
	done
	overlay lowerdir=/
	refused twice
	edit '.mounts[0].options=["lowerdir=/l","upperdir=/u"]'
	refused 'workdir'
	edit '.mounts[0].options=["upperdir=/u","workdir=/w"]'
	refused 'no lowerdir'
	edit '.mounts[0].options=["lowerdir=/l","volatile"]'
	refused 'volatile'
	overlay ''
	edit '.mounts=.mounts[1:]+[.mounts[0]]'
	refused 'first'
	edit '.mounts[-1].type="tmpfs"'
	refused 'root.path'
	overlay ''
	edit '.mounts=[.mounts[0]]+.mounts'
	refused 'first'
	overlay ''
	no_ns mount
	refused 'mount namespace'
}

tc overlay_upper_unfit 'an upper directory on an overlay: refused, with a hint'
overlay_upper_unfit() {
	layers 1
	mkdir "$T"/{ou,ow,om}
	mount -t overlay o -o "lowerdir=$T/l/0,upperdir=$T/ou,workdir=$T/ow" "$T/om" || skip "no overlay here"
	mkdir "$T/om/"{u,w}
	edit '.mounts[0].options=["lowerdir="+$l,"upperdir="+$t+"/om/u","workdir="+$t+"/om/w"]' --arg l "$LOWER" --arg t "$T"
	try run --bundle "$B" "$ID"
	umount "$T/om"
	[[ $RC == 0 ]] || has "$ERR" 'upperdir'
}

tc overlay_rootless 'a user who is not root: it is made in the user namespace'
overlay_rootless() {
	need_cmd setfattr
	can rootless_overlay || skip "no overlay mounts in user namespaces"
	own
	layers 3
	edit '.linux.namespaces|=map(select(.type!="user"))+[{type:"user"}]
		|.linux.uidMappings=[{containerID:0,hostID:4200,size:1}]|.linux.gidMappings=.linux.uidMappings
		|del(.linux.resources)|.mounts|=map(if .type=="devpts" then .options-=["gid=5"] else . end)'
	mkdir -p "$T/l/1/dir" "$T/l/0/dir"
	touch "$T/l/0/dir/below" "$T/l/1/dir/above"
	setfattr -n user.overlay.opaque -v y "$T/l/1/dir" || skip "no user.* attributes here"
	belongs 4200
	chown 4200:4200 "$T/rw" "$T/rw/"* "$T/l" "$T/l/"[12] "$T/l/1/dir" "$T/l/0" "$T/l/0/dir"
	chmod 700 "$T/l"
	script 'cat /layer; ls /dir; echo new >/new; rm /layer'
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 0
	eq "$OUT" $'2\nabove'
	eq "$(stat -c %u "$T/rw/upper/new")" 4200
	overlay idmap
	belongs 4200
	user_rt run --bundle "$B" "$ID"
	eq "$RC" 1
	has "$ERR" idmap
	hidden
}
try_rootless_overlay() {
	local d
	d=$(mktemp -d "$RF_WORK/can/ovl.XXXXXX")
	mkdir "$d"/{l,u,w,m}
	chown -R 4200:4200 "$d"
	setpriv --reuid 4200 --regid 4200 --clear-groups unshare -U -r -m mount -t overlay o -o "userxattr,lowerdir=$d/l,upperdir=$d/u,workdir=$d/w" "$d/m"
}

# erofs N: layer N is an image file from now on.
erofs() {
	need_cmd mkfs.erofs
	need_fs erofs
	mkfs.erofs --quiet "$T/l/$1.erofs" "$T/l/$1" || die "mkfs.erofs"
	rm -r "$T/l/${1:?}"
	LOWER=${LOWER//"$T/l/$1"/"$T/l/$1.erofs"}
	overlay "${2:-}"
}

tc overlay_erofs 'layers that are EROFS images, among directories and alone'
overlay_erofs() {
	layers 4
	mkdir -p "$T/l/2/dir" "$T/l/3/dir"
	touch "$T/l/2/dir/below" "$T/l/3/dir/above"
	mknod "$T/l/3/gone" c 0 0
	touch "$T/l/2/gone"
	if command -v setfattr >/dev/null; then setfattr -n trusted.overlay.opaque -v y "$T/l/3/dir"; else rm "$T/l/2/dir/below"; fi
	erofs 2
	script 'cat /layer; ls /dir; ls /gone 2>/dev/null; echo x >>/layer; cat /layer'
	runs
	eq "$OUT" $'3\nabove\n3\nx'
	rm "$T/rw/upper/layer"
	erofs 3
	runs
	eq "$OUT" $'3\nabove\n3\nx'
	rm "$T/rw/upper/layer"
	mkdir -p "$T/l/0/"{proc,dev,sys}
	edit '.mounts|=map(select(.destination|IN("/","/proc","/dev","/sys")))'
	erofs 0
	erofs 1
	READ_ONLY=1 overlay ''
	args cat /layer
	runs
	eq "$OUT" 3
	LOWER=$T/l/0.erofs
	READ_ONLY=1 overlay ''
	args cat /etc/passwd
	runs
	hidden
	# While it runs, too.
	args rft pause
	up
	hidden
	eq "$(losetup -a | grep -c "$T/")" 0
}

tc overlay_erofs_idmap 'EROFS images, idmapped'
overlay_erofs_idmap() {
	idmapped
	erofs 2 idmap
	runs
	eq "$OUT" $'0\n7:8\n5:6\n0:0\n5:6\n0:0'
	eq "$(stat -c %u:%g "$T/rw/upper/new" "$T/rw/upper/five")" $'7:8\n5:6'
}

tc overlay_erofs_loop 'a kernel that mounts EROFS from block devices only (before Linux 6.12)'
overlay_erofs_loop() {
	layers 2
	[[ -e /dev/loop-control ]] || skip "no loop devices"
	erofs 1
	args cat /layer
	# source, ro, and the one that makes the superblock.
	ERROR=ENOTBLK injected 3
	eq "$OUT" 1
	has "$(<"$T/strace")" ENOTBLK
	until_ok 10 eval '! losetup -a | grep -q "$T/"'
}

tc overlay_erofs_attached 'EROFS images on a kernel that wants layers attached (before Linux 6.15)'
overlay_erofs_attached() {
	layers 2
	erofs 1
	args cat /layer
	# Three for the image; then two layers, two directories, three words.
	injected $((3 + 2 + 2 + 3 + 1))
	has "$(grep INJECTED "$T/strace")" FSCONFIG_CMD_CREATE
	eq "$OUT" 1
}

tc overlay_erofs_damaged 'a file that is no EROFS image: refused by name'
overlay_erofs_damaged() {
	layers 2
	erofs 1
	head -c 65536 /dev/zero >"$T/l/1.erofs"
	refused 'layer .*/l/1.erofs .*EROFS'
	rm "$T/l/1.erofs" && mkfifo "$T/l/1.erofs"
	refused 'layer .*/l/1.erofs'
}
