# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# cp: files into partitions and out of them. The partitions are made by hand, so that each case says what is in them.

# shellcheck source=../lib-living.sh
source "${BASH_SOURCE[0]%/*}/../lib-living.sh"
# shellcheck source=tests/integration/cases/rootless.sh
. "${BASH_SOURCE[0]%/*}/rootless.sh" >/dev/null

# Files of many kinds below a directory of the host.
sample() {
	mkdir -p "$1/sub/deep"
	echo one >"$1/file"
	chmod 4755 "$1/file"
	echo two >"$1/sub/deep/two"
	chmod 640 "$1/sub/deep/two"
	ln "$1/sub/deep/two" "$1/hard"
	ln -s ../nowhere "$1/link"
	mkfifo "$1/fifo"
	: >"$1/empty"
	printf 'x%.0s' {1..200} | tr -d '\n' >"$1/name"
	touch "$1/$(printf 'long%.0s' {1..50})"
	touch "$1/"$'new\nline'
	chmod 1777 "$1/sub"
	touch -d '2001-02-03 04:05:06.123456789 UTC' "$1/file" "$1/sub"
}
# What a tree is, without owners.
tree() { (cd "$1" && find . -printf '%P|%y|%m|%s|%l|%n|%T@\n' | sed '/|d|/s/|[0-9]*||[0-9]*|/|||/' | sort); }

tc cp_in_out 'a tree goes in and comes out the same, but for set-id bits on the host'
cp_in_out() {
	part
	up
	sample "$T/host/a"
	good cp "$T/host/a" "${IN}/dir"
	eq "$(tree "$ROOTFS/dir/a")" "$(tree "$T/host/a")" "the tree inside"
	eq "$(find "$ROOTFS/dir/a" -printf '%U:%G\n' | sort -u)" 0:0 owners
	good cp "${IN}/dir/a" "$T/host/b"
	eq "$(tree "$T/host/b")" "$(tree "$T/host/a" | sed 's/^file|f|4755/file|f|755/')" "what came out"
	good cp -a "${IN}/dir/a/file" "$T/host/c"
	eq "$(stat -c %a "$T/host/c")" 755 "set-id with --archive"
}

tc cp_destinations "docker's rules for destinations"
cp_destinations() {
	part
	up
	mkdir "$T/host/d"
	echo x >"$T/host/d/x"
	echo f >"$T/host/f"
	good cp "$T/host/f" "${IN}/new"
	eq "$(<"$ROOTFS/new")" f
	good cp "$T/host/f" "${IN}/dir"
	eq "$(<"$ROOTFS/dir/f")" f "file into a directory"
	good cp "$T/host/f" "${IN}dir/g"
	eq "$(<"$ROOTFS/dir/g")" f "relative path"
	bad 'does not exist' cp "$T/host/f" "${IN}/missing/"
	bad 'does not exist' cp "$T/host/f" "${IN}/missing/sub"
	bad 'not a directory' cp "$T/host/f" "${IN}/new/"
	bad 'not a directory.*--overwrite' cp "$T/host/d" "${IN}/new"
	good cp --overwrite "$T/host/d" "${IN}/new"
	eq "$(<"$ROOTFS/new/x")" x "directory over a file"
	good cp "$T/host/d" "${IN}/made"
	eq "$(<"$ROOTFS/made/x")" x "a directory that was made"
	good cp "$T/host/d/." "${IN}/made2/"
	eq "$(<"$ROOTFS/made2/x")" x "contents, made"
	good cp "$T/host/d" "${IN}/made"
	eq "$(<"$ROOTFS/made/d/x")" x "below an existing directory"
	good cp "$T/host/d/." "${IN}/dir/."
	eq "$(<"$ROOTFS/dir/x")" x "contents into an existing directory"
	mkdir "$ROOTFS/dir/h"
	touch "$T/host/h"
	bad 'is a directory.*--overwrite' cp "$T/host/h" "${IN}/dir"
	good cp --overwrite "$T/host/h" "${IN}/dir"
	eq "$(stat -c %F "$ROOTFS/dir/h")" 'regular empty file' "file over a directory"
	(cd "$T/host" && good cp f "${IN}/dir/rel" && good cp "${IN}/dir/rel" . && good cp "${IN}/dir/rel" ./a:b)
	eq "$(cat "$T/host/rel" "$T/host/a:b")" $'f\nf' "relative to the working directory"
	ln -s /dir "$ROOTFS/to-dir"
	ln -s dir/target "$ROOTFS/to-file"
	good cp "$T/host/f" "${IN}/to-dir/via"
	good cp "$T/host/f" "${IN}/to-file"
	eq "$(cat "$ROOTFS/dir/via" "$ROOTFS/dir/target")" $'f\nf' "through symlinks"
	good cp "${IN}/to-file" "$T/host/l1"
	eq "$(readlink "$T/host/l1")" dir/target "a symlink is copied as one"
	good cp -L "${IN}/to-file" "$T/host/l2"
	eq "$(<"$T/host/l2")" f "--follow-link"
	bad 'pipe' cp "${IN}/new" "${IN}/old"
	bad 'NAME:PATH' cp "$T/host/f" "$T/host/g"
	bad 'no such file' cp "${IN}/nothing" "$T/host"
	bad 'partition' cp "nobody-$ID:/x" "$T/host"
	bad 'missing' cp ":/x" "$T/host"
}

tc cp_symlinks_out 'CVE-2018-15664, CVE-2019-10152: symlinks inside lead nowhere outside'
cp_symlinks_out() {
	part
	outside
	ln -s "$T/outside" "$ROOTFS/abs"
	ln -s ../../../../../../../../../.."$T/outside" "$ROOTFS/up"
	ln -s /etc/shadow "$ROOTFS/shadow"
	up
	echo evil >"$T/host/file"
	bad . cp "$T/host/file" "${IN}/abs/file"
	bad . cp "$T/host/file" "${IN}/up/file"
	bad . cp -L "${IN}/shadow" "$T/host/got"
	bad . cp "${IN}/abs/file" "$T/host/got"
	mkdir "$T/host/abs"
	echo evil >"$T/host/abs/file"
	good cp "$T/host/abs" "${IN}/dir"
	bad 'not a directory' cp "$T/host/abs" "${IN}/"
	[[ ! -e $T/host/got ]] || die "something came out"
	untouched
}

tc cp_race_in 'CVE-2018-15664: a directory that is exchanged for a symlink while files go in'
cp_race_in() {
	part
	outside
	mkdir "$ROOTFS/a"
	ln -s "$T/outside" "$ROOTFS/b"
	up
	mkdir "$T/host/d"
	for i in {1..20}; do echo evil >"$T/host/d/$i"; done
	bg_rft "$T/swap" exchange "$ROOTFS/a" "$ROOTFS/b"
	for ((n = 0; n < 60; n++)); do
		try cp "$T/host/d" "${IN}/a"
		try cp "$T/host/d/1" "${IN}/a/file"
	done
	alive "$BG" || die "nobody raced: $(<"$T/swap")"
	kill "$BG"
	untouched
	[[ ! -e $T/outside/d ]] || die "written outside"
}

tc cp_race_out 'CVE-2018-15664: a file that is exchanged for a symlink while it is copied out'
cp_race_out() {
	part
	outside
	echo harmless >"$ROOTFS/a"
	ln -s "$T/outside/file" "$ROOTFS/b"
	mkdir "$ROOTFS/x"
	echo harmless >"$ROOTFS/x/file"
	ln -s "$T/outside" "$ROOTFS/y"
	up
	bg_rft "$T/swap" exchange "$ROOTFS/a" "$ROOTFS/b"
	local first=$BG
	bg_rft "$T/swap2" exchange "$ROOTFS/x" "$ROOTFS/y"
	for ((n = 0; n < 100; n++)); do
		rm -rf "$T/host/got" "$T/host/got2"
		try cp -L "${IN}/a" "$T/host/got"
		[[ ! -f $T/host/got || $(<"$T/host/got") != precious ]] || die "the file outside came out"
		try cp "${IN}/x/file" "$T/host/got2"
		[[ ! -f $T/host/got2 || $(<"$T/host/got2") != precious ]] || die "the file outside came out"
	done
	alive "$first" && alive "$BG" || die "nobody raced"
	kill "$first" "$BG"
	untouched
}

tc cp_special 'fifos and devices are not opened, devices are not made, file systems of the kernel are left alone'
cp_special() {
	part
	mkfifo "$ROOTFS/fifo"
	mkdir "$ROOTFS/tree"
	mknod -m 666 "$ROOTFS/tree/disk" b 7 0
	mkfifo "$ROOTFS/tree/pipe"
	echo x >"$ROOTFS/tree/x"
	up
	good cp "${IN}/fifo" "$T/host/fifo"
	[[ -p $T/host/fifo ]] || die "no fifo"
	bad 'a device' cp "${IN}/tree/disk" "$T/host/disk"
	good cp "${IN}/tree" "$T/host/tree"
	has "$ERR" "disk: a device"
	[[ ! -e $T/host/tree/disk && -p $T/host/tree/pipe && -f $T/host/tree/x ]] || die "$(ls -la "$T/host/tree")"
	good cp -q "${IN}/tree" "$T/host/tree2"
	eq "$ERR" '' "--quiet"
	echo 1 >"$T/host/one"
	bad 'kernel' cp "$T/host/one" "${IN}/proc/1/oom_score_adj"
	bad 'kernel' cp "$T/host/one" "${IN}/proc/sys/kernel/core_pattern"
	bad 'kernel' cp "${IN}/proc/1/environ" "$T/host/env"
	bad 'kernel' cp "${IN}/proc" "$T/host/proc"
	rm "$ROOTFS/tree/pipe"
	mkfifo "$ROOTFS/tree/waits"
	good cp "$T/host/one" "${IN}/tree/waits"
	[[ -f $ROOTFS/tree/waits ]] || die "the fifo was written to"
}

tc cp_big 'holes stay holes: 1 GiB in no time and no space'
cp_big() {
	part
	truncate -s 1G "$T/host/sparse"
	echo end | dd of="$T/host/sparse" bs=1 seek=$((512 << 20)) conv=notrunc status=none
	head -c 30000000 /dev/urandom >"$T/host/random"
	up
	good cp "$T/host/sparse" "${IN}/dir/sparse"
	good cp "$T/host/random" "${IN}/dir/random"
	eq "$(stat -c %s "$ROOTFS/dir/sparse")" $((1 << 30)) size
	at_most "$(stat -c %b "$ROOTFS/dir/sparse")" 2048 blocks
	good cp "${IN}/dir/." "$T/host/out"
	at_most "$(stat -c %b "$T/host/out/sparse")" 2048 blocks
	ok cmp "$T/host/sparse" "$T/host/out/sparse"
	ok cmp "$T/host/random" "$T/host/out/random"
}

tc cp_owners 'owners with and without --archive, in a user namespace'
cp_owners() {
	part
	userns
	chown 100005:100006 "$ROOTFS/etc/file"
	up
	echo x >"$T/host/x"
	mkdir "$T/host/d"
	echo x >"$T/host/d/x"
	chown 7:8 "$T/host/x" "$T/host/d/x"
	good cp "$T/host/x" "${IN}/dir/x"
	good cp "$T/host/d" "${IN}/dir/d"
	good cp -a "$T/host/x" "${IN}/dir/y"
	eq "$(stat -c %u:%g "$ROOTFS/dir/x" "$ROOTFS/dir/y" "$ROOTFS/dir/d" "$ROOTFS/dir/d/x" | tr '\n' ' ')" \
		'100000:100000 100007:100008 100000:100000 100000:100000 ' "owners inside"
	good cp "${IN}/etc/file" "$T/host/plain"
	good cp -a "${IN}/etc/file" "$T/host/kept"
	eq "$(stat -c %u:%g "$T/host/plain" "$T/host/kept" | tr '\n' ' ')" '0:0 5:6 ' "owners outside"
	chown 70000:0 "$T/host/x"
	bad 'no id of the partition' cp -a "$T/host/x" "${IN}/dir/z"
	exec_good stat -c %u:%g /dir/x /dir/y
	eq "$OUT" $'0:0\n7:8' "as seen inside"
}

tc cp_volumes 'volumes and tmpfs of a running partition are seen; what is mounted is not removed'
cp_volumes() {
	part
	mkdir -p "$DATA/volumes/v/_data"
	echo vol >"$DATA/volumes/v/_data/file"
	echo resolv >"$T/resolv"
	mount_entry /dir bind "$DATA/volumes/v/_data" bind,rw
	mount_entry /var tmpfs tmpfs rw
	mount_entry /etc/resolv.conf bind "$T/resolv" bind,rw
	up
	echo new >"$T/host/new"
	good cp "$T/host/new" "${IN}/dir/new"
	eq "$(<"$DATA/volumes/v/_data/new")" new "in the volume"
	good cp "$T/host/new" "${IN}/var/new"
	exec_good cat /var/new
	eq "$OUT" new "in the tmpfs"
	good cp "${IN}/dir/file" "$T/host/file"
	eq "$(<"$T/host/file")" vol "out of the volume"
	good cp "$T/host/new" "${IN}/etc/resolv.conf"
	eq "$(<"$T/resolv")" new "a file that is mounted"
	ne "$(mount_of /etc/resolv.conf)" '' "still a mount"
	touch "$T/host/dir"
	bad 'mounted' cp --overwrite "$T/host/dir" "${IN}/"
	eq "$(<"$DATA/volumes/v/_data/file")" vol "the volume"
	ne "$(mount_of /dir)" '' "still a mount"
}

tc cp_stopped 'one that does not run: its root file system and volumes, and no mount is left'
cp_stopped() {
	part
	mkdir -p "$DATA/volumes/v/_data"
	mount_entry /dir bind "$DATA/volumes/v/_data" bind,rw
	echo '{"phase":"ended"}' >"$B/state.json"
	sample "$T/host/a"
	good cp "$T/host/a" "${IN}/dir"
	eq "$(tree "$DATA/volumes/v/_data/a")" "$(tree "$T/host/a")" "in the volume"
	good cp "$T/host/a" "${IN}/home"
	eq "$(tree "$ROOTFS/home/a")" "$(tree "$T/host/a")" "in the root"
	good cp "${IN}/dir/a" - >/dev/null
	good cp "${IN}/etc/file" "$T/host/out"
	eq "$(<"$T/host/out")" inside
	cd "$T/host" && good cp "${IN}/etc/file" out2 && eq "$(<out2)" inside "relative to the working directory"
	hasnt "$(</proc/self/mountinfo)" "$B" "mounts"
	up
	exec_good cat /dir/a/file
	eq "$OUT" one "after the start"
}

tc cp_tar_out "tar streams: GNU tar's view is the tree"
cp_tar_out() {
	part
	sample "$ROOTFS/a"
	setfattr -n user.color -v green "$ROOTFS/a/empty" 2>/dev/null
	chown 12:34 "$ROOTFS/a/empty"
	chown 3000000:3000001 "$ROOTFS/a/sub"
	truncate -s 5000 "$ROOTFS/a/holes"
	up
	rt cp "${IN}/a" - >"$T/tar" || die "cp -"
	mkdir "$T/x"
	tar -C "$T/x" --xattrs -xpf "$T/tar" || die "tar: $?"
	eq "$(tree "$T/x/a")" "$(tree "$ROOTFS/a")" "extracted"
	eq "$(find "$T/x/a" -printf '%P %U:%G\n' | sort)" "$(find "$ROOTFS/a" -printf '%P %U:%G\n' | sort)" owners
	eq "$(getfattr --only-values -n user.color "$T/x/a/empty" 2>/dev/null)" \
		"$(getfattr --only-values -n user.color "$ROOTFS/a/empty" 2>/dev/null)" xattr
	rt cp "${IN}/a/." - | tar -tf - >"$T/list" || die "contents"
	has "$(<"$T/list")" ./file
	rt cp "${IN}/a/file" - | tar -xOf - file | cmp - "$ROOTFS/a/file" || die "one file"
}

tc cp_tar_in "tar streams of GNU tar in all its formats go in"
cp_tar_in() {
	part
	sample "$T/host/a"
	rm "$T/host/a/fifo"
	chown 7:8 "$T/host/a/file"
	truncate -s 3M "$T/host/a/sparse"
	echo middle | dd of="$T/host/a/sparse" bs=1 seek=1000000 conv=notrunc status=none
	echo end >>"$T/host/a/sparse"
	truncate -s 2M "$T/host/a/hole"
	up
	local format
	for format in posix gnu ustar "gnu --sparse" "posix --sparse"; do
		local exclude=()
		[[ $format != ustar ]] || exclude=(--exclude 'long*')
		rm -rf "${ROOTFS:?}/dir/a"
		# shellcheck disable=SC2086
		tar -C "$T/host" "${exclude[@]}" --format=$format -cf "$T/tar" a
		rt cp - "${IN}/dir" <"$T/tar" >"$T/out" 2>&1 || die "$format: $(<"$T/out")"
		eq "$(cd "$ROOTFS/dir/a" && find . -printf '%P %y %m %s %l %n %U\n' | sort | sed '/ d /s/ [0-9]*  [0-9]* / /')" \
			"$(cd "$T/host/a" && find . "${exclude[@]:+!}" ${exclude:+-name} ${exclude:+long*} -printf '%P %y %m %s %l %n 0\n' |
				sort | sed '/ d /s/ [0-9]*  [0-9]* / /')" "$format"
		cmp "$T/host/a/sparse" "$ROOTFS/dir/a/sparse" || die "$format: sparse"
	done
	rt cp -a - "${IN}/dir" <"$T/tar" || die "--archive"
	eq "$(stat -c %u:%g "$ROOTFS/dir/a/file")" 7:8 "--archive"
}

tc cp_tar_hostile 'tar streams that climb, lie, are cut off, compressed, or have symlinks in the way'
cp_tar_hostile() {
	part
	outside
	up
	send() { grab rt cp - "${IN}/dir" <"$T/tar"; RC=0; rt cp - "${IN}/dir" <"$T/tar" >"$T/out" 2>"$T/err" || RC=$?; slurp ERR "$T/err"; }
	echo evil >"$T/host/evil"
	tar -C "$T/host" --transform 's,^,../../../x/,' -Pcf "$T/tar" evil
	send
	eq "$RC" 1
	has "$ERR" '..'
	tar -C "$T/host" --transform "s,^,$T/outside/," -Pcf "$T/tar" evil
	send
	eq "$RC" 0 "a slash in front is dropped"
	[[ -f $ROOTFS/dir$T/outside/evil ]] || die "not below the destination"
	mkdir "$T/host/s1" "$T/host/s2" "$T/host/s2/s"
	ln -s "$T/outside" "$T/host/s1/s"
	echo evil >"$T/host/s2/s/file"
	tar -C "$T/host/s1" -cf "$T/tar" s
	tar -C "$T/host/s2" -rf "$T/tar" s/file
	send
	untouched
	head -c 5000 /dev/urandom >"$T/tar"
	send
	has "$ERR" 'no tar stream'
	head -c 100000 /dev/zero >"$T/host/big"
	tar -C "$T/host" -cf - big | head -c 50000 >"$T/tar"
	send
	has "$ERR" 'not complete'
	tar -C "$T/host" -czf "$T/tar" evil
	send
	has "$ERR" 'gzip -dc'
	untouched
}

tc cp_killed 'killed in the middle: nothing stays but what was copied'
cp_killed() {
	part
	head -c 200000000 /dev/zero | tr '\0' x >"$T/host/big"
	echo '{"phase":"ended"}' >"$B/state.json"
	for t in 0.005 0.02 0.05 0.1; do
		"$RT" "${GOPTS[@]}" cp "$T/host/big" "${IN}/dir/big" &
		local pid=$!
		sleep $t
		kill -9 $pid 2>/dev/null
		wait $pid 2>/dev/null
	done
	hasnt "$(</proc/self/mountinfo)" "$B" "mounts"
	good cp "$T/host/big" "${IN}/dir/big"
	ok cmp "$T/host/big" "$ROOTFS/dir/big"
}

tc cp_rootless 'a user who is not root: in and out of what runs, as root of its user namespace'
cp_rootless() {
	DATA=$T/data
	mkdir -p "$DATA/partitions" "$T/host" "$T/mine"
	own
	mv "$B" "$DATA/partitions/$ID"
	B=$DATA/partitions/$ID ROOTFS=$DATA/partitions/$ID/rootfs
	GOPTS+=(--data "$DATA")
	jq -n --arg n "$ID" --arg r "$ROOT" '{name:$n,image:"test",created:"2026-01-01T00:00:00Z",runtimeRoot:$r,
		cgroupManager:"cgroupfs",command:["x"],restart:"no",stopSignal:"SIGTERM",stopTimeout:1,network:"none",ids:-1,idCount:0}' \
		>"$B/launch.json"
	chown 4200:4200 "$DATA" "$DATA/partitions" "$B" "$B/launch.json" "$T/mine"
	chmod 700 "$B"
	user_rt run -d --bundle "$B" "$ID"
	eq "$RC" 0
	echo x >"$T/mine/x"
	chmod 4755 "$T/mine/x"
	user_rt cp "$T/mine/x" "$ID:/dir/x"
	eq "$RC" 0
	eq "$(stat -c %u:%a "$ROOTFS/dir/x")" 4200:4755
	user_rt cp "$ID:/dir/x" "$T/mine/y"
	eq "$RC" 0
	eq "$(stat -c %u:%a "$T/mine/y")" 4200:755
	user_rt cp "$ID:/etc/passwd" "$T/host/x"
	ne "$RC" 0 "into a directory of another's"
	echo secret >"$T/host/secret"
	chmod 600 "$T/host/secret"
	user_rt cp "$T/host/secret" "$ID:/dir/secret"
	ne "$RC" 0 "of a file of another's"
	user_rt delete --force "$ID"
	user_rt cp "$ID:/etc/file" "$T/mine/z"
	has "$ERR" "only be seen while it does"
}
