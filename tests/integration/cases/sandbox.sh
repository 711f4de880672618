# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Partitions with a kernel of their own: --isolation sandbox. Where KVM cannot run a kernel, under software emulation, which
# takes seconds a start: so a case has many questions to one machine.

GUEST_KERNEL=${RINGFENCE_GUEST_KERNEL:-/var/cache/ringfence/guest-kernel/current/vmlinux}
sandboxes() {
	! sanitized || skip "the agent in the guest is a static program, which a sanitized build is not"
	[[ -r $GUEST_KERNEL ]] || skip "no kernel for guests ($GUEST_KERNEL): ./bootstrap kernel builds it"
	[[ -x $(dirname "$RT")/ringfence-guest ]] || skip "no ringfence-guest beside the runtime"
	[[ -x /usr/bin/qemu-system-x86_64 || -w /dev/kvm ]] || skip "neither QEMU nor KVM is there"
}
# As up, made, runs, refused.
s_up() { up --isolation sandbox "$@"; }
s_made() { made --isolation sandbox "$@"; }
s_runs() { runs --isolation sandbox "$@"; }
s_refused() {
	local pattern=$1
	shift
	refused "$pattern" --isolation sandbox "$@"
}
# Nothing of it is left on the host: processes, cgroups.
s_over() {
	! pgrep -f "isolation sandbox.* $ID\$" >/dev/null || die "processes are left: $(pgrep -af "isolation sandbox")"
}

tc sandbox_run 'sandbox: another kernel; output, input, exit status; nothing is left'
sandbox_run() {
	sandboxes
	bundle
	script 'uname -n; cat /proc/version; cat; cat /sys/devices/system/clocksource/clocksource0/current_clocksource; echo err >&2; exit 7'
	echo from outside >"$T/in"
	OUT=$(rt run --bundle "$B" --isolation sandbox "$ID" <"$T/in" 2>"$T/err")
	eq "$?" 7
	ne "$(sed -n 2p <<<"$OUT")" "$(</proc/version)" "the kernel's version"
	has "$OUT" 'from outside'
	eq "$(<"$T/err")" err
	# A kernel that measures its clock by itself, by emulation, falls back to counting ticks.
	match "$OUT" '(tsc|tsc-early|kvm-clock)$'
	gone "$ID"
	s_over
}

# The state of the sandbox's first process, as its kernel has it.
inner_state() { [[ $(rt exec "$ID" sed 's/.*) \(.\) .*/\1/' /proc/1/stat) =~ ^$1$ ]]; }

tc sandbox_life 'sandbox: create, state, start, exec, signals, pause (when all is written back), kill, delete'
sandbox_life() {
	sandboxes
	bundle
	edit '.root.readonly=false'
	script 'trap "echo got TERM; exit 3" TERM; echo up; while :; do sleep 0.1; done'
	s_made
	is created || die "not created"
	eq "$(rt state "$ID" | jq -r '.annotations["io.ringfence.sandbox.accel"]|test("kvm|tcg")')" true "how it runs, in state"
	good start "$ID"
	is running || die "not running"
	bad 'already' start "$ID"
	ex sh -c 'cat /proc/1/comm; exit 5'
	eq "$RC" 5
	OUT=$(echo through | rt exec "$ID" cat) || die "exec cat"
	eq "$OUT" through
	ex sh -c 'kill -9 $$'
	eq "$RC" 137
	ex /nothing/here
	ne "$RC" 0
	imatch "$ERR" 'no such file' "exec of nothing"
	exec_good sh -c 'echo $MARK; pwd; id -u'
	try exec --env MARK=1 --cwd /etc --user 5:6 "$ID" sh -c 'echo $MARK; pwd; id -u; id -g'
	eq "$OUT" $'1\n/etc\n5\n6'
	exec_good sh -c 'echo inside >/written'
	good pause "$ID"
	is paused || die "not paused"
	eq "$(<"$ROOTFS/written")" inside "what it wrote before it was paused"
	bad paused exec "$ID" true
	good resume "$ID"
	is running || die "not running again"
	exec_good true
	# It is the payload that stops, not the sandbox.
	good kill "$ID" STOP
	until_ok 10 inner_state T
	is running || die "stopped as a whole"
	good kill "$ID" CONT
	until_ok 10 inner_state '[SR]'
	good kill "$ID" TERM
	until_is stopped
	good delete "$ID"
	gone "$ID"
	s_over
}

tc sandbox_big_output 'sandbox: a megabyte each way, in order, and nothing lost; a slow reader'
sandbox_big_output() {
	sandboxes
	bundle
	script 'seq 1 150000; cat'
	seq 1 150000 >"$T/numbers"
	rt run --bundle "$B" --isolation sandbox "$ID" <"$T/numbers" 2>"$T/err" | {
		sleep 2
		cat
	} >"$T/both"
	cat "$T/numbers" "$T/numbers" | cmp - "$T/both" || die "what came out differs: $(<"$T/err")"
}

tc sandbox_files 'sandbox: the root file system is the bundle'\''s; binds, read-only ones, single files; nothing else of the host'
sandbox_files() {
	sandboxes
	bundle
	own_files
	mkdir "$T/share" "$T/ro"
	echo one >"$T/share/a"
	echo two >"$T/ro/b"
	echo three >"$T/file"
	ln -s /etc/shadow "$T/share/link"
	mount_entry /share bind "$T/share" rbind,rw
	mount_entry /ro bind "$T/ro" rbind,ro
	mount_entry /file bind "$T/file" bind,ro
	edit '.root.readonly=false'
	script 'cat /share/a /ro/b /file; echo new >/share/made; echo x >/inroot; mkdir /share/d; mv /share/made /share/d/moved
		chmod 751 /share/d; chown 7:8 /share/d; ln /share/d/moved /share/hard; touch /ro/no; cp /ro/b /file; cat /share/link
		mknod /share/null c 1 3; ls /share; rm /share/a; :'
	try run --bundle "$B" --isolation sandbox "$ID"
	eq "$RC" 0
	has "$OUT" $'one\ntwo\nthree'
	eq "$(<"$T/share/d/moved")" new
	eq "$(stat -c '%a %u:%g %h' "$T/share/d" "$T/share/hard" | tr '\n' ' ')" "751 7:8 2 644 0:0 2 "
	eq "$(<"$ROOTFS/inroot")" x
	fails test -e "$T/share/a"
	fails test -e "$T/ro/no"
	fails test -e "$T/share/null"
	eq "$(<"$T/file")" three
	hasnt "$OUT" root:
}

tc sandbox_own 'sandbox: /dev/shm is memory of the guest'\''s, cgroups are its own, and it has no network card that nobody gave it'
sandbox_own() {
	sandboxes
	bundle
	mkdir "$T/shm" "$T/used"
	mount -t tmpfs -o size=1m,mode=1777 tmpfs "$T/shm" || skip "no tmpfs"
	mount_entry /dev/shm bind "$T/shm" bind,rprivate
	mount_entry /used bind "$T/shm" bind
	no_mount /sys/fs/cgroup
	mount_entry /sys/fs/cgroup cgroup cgroup ro
	[[ ! -d /sys/fs/cgroup/systemd ]] || mount_entry /sys/fs/cgroup/systemd bind /sys/fs/cgroup/systemd bind
	script 'df -k /dev/shm | tail -n 1; echo x >/dev/shm/f; ls /used; mkdir /sys/fs/cgroup/made && echo made; ls /sys/class/net'
	try run --bundle "$B" --isolation sandbox "$ID"
	eq "$RC" 0
	match "$OUT" '(shm|tmpfs) +1024 '
	hasnt "$OUT" f$'\n'
	eq "$(ls "$T/shm")" ""
	eq "$(tail -n 1 <<<"$OUT")" lo
	[[ ! -d /sys/fs/cgroup/systemd ]] || has "$OUT" made
	# A tmpfs with something in it was meant as it is.
	echo there >"$T/shm/file"
	script 'cat /dev/shm/file'
	try run --bundle "$B" --isolation sandbox "$ID"
	eq "$OUT" there
	umount "$T/shm"
	s_over
}

# volume FILE MIB: a file system of that size, with nothing in it.
volume() {
	[[ -n $(type -P mke2fs) ]] || skip "no mke2fs"
	truncate -s "$2M" "$1"
	mke2fs -q -t ext4 -E lazy_itable_init=1,root_owner=0:0 "$1" || die "mke2fs $1"
}
# What the host sees in it, once nobody has it.
in_volume() { debugfs -R "cat $2" "$1" 2>/dev/null; }

tc sandbox_volume 'sandbox: a volume in an image: what one writes the next one reads; options; read-only, also as a device; two at once are refused'
sandbox_volume() {
	sandboxes
	bundle
	volume "$T/v" 16
	mount_entry /data ext4 "$T/v" rw,nosuid,noatime
	script 'grep " /data " /proc/mounts; echo kept >/data/file; mkdir /data/d; chown 7:8 /data/d; dd if=/dev/zero bs=64k count=40 2>/dev/null >/data/big; echo done'
	s_runs
	has "$OUT" done
	match "$OUT" '/data ext4 .*nosuid.*noatime'
	eq "$(in_volume "$T/v" /file)" kept "written back"
	e2fsck -fn "$T/v" >"$T/fsck" 2>&1 || die "the file system is damaged: $(<"$T/fsck")"
	# The next one reads it, and has a second one, so that they are told apart.
	bundle
	volume "$T/w" 8
	mount_entry /data ext4 "$T/v" ro
	mount_entry /other ext4 "$T/w" rw
	mount_entry /empty tmpfs tmpfs rw
	# With powers that let it get at the device itself.
	edit '.process.capabilities|=map_values(["CAP_MKNOD","CAP_SYS_ADMIN","CAP_DAC_OVERRIDE"])|.linux.resources.devices=[{allow:true,access:"rwm"}]'
	script 'cat /data/file; stat -c %u:%g /data/d; touch /data/x && echo WROTE; echo two >/other/file
		dev=$(sed -n "s/ \/data .*//p" /proc/mounts); mm=$(cat /sys/block/${dev##*/}/dev)
		mknod /empty/raw b ${mm%:*} ${mm#*:}
		head -c 4096 /empty/raw | wc -c
		dd if=/dev/zero of=/empty/raw bs=4096 count=1 conv=fsync 2>/dev/null && echo OVERWRITTEN; cat /sys/block/${dev##*/}/ro'
	sha256sum "$T/v" >"$T/sum"
	s_runs
	has "$OUT" $'kept\n7:8'
	has "$OUT" $'4096\n1'
	hasnt "$OUT" WR
	eq "$(in_volume "$T/w" /file)" two
	sha256sum --quiet -c "$T/sum" || die "a read-only volume was changed"
	# Who may write has it alone; who only read share it.
	bundle
	mount_entry /data ext4 "$T/v" rw
	script 'sleep 1000'
	s_up
	bundle again
	mount_entry /data ext4 "$T/v" ro
	bad 'another sandbox has it' run --bundle "$B" --isolation sandbox "$ID-2"
	mount_entry /more ext4 "$T/v" rw
	bad 'another sandbox has it' run --bundle "$B" --isolation sandbox "$ID-2"
	good kill "$ID" KILL
	until_is stopped
	bundle again
	mount_entry /data ext4 "$T/v" rw
	script 'cat /data/file'
	grab rt run --bundle "$B" --isolation sandbox "$ID-2"
	eq "$OUT" kept "after kill -9 of the one before"
	down
	s_over
}

tc sandbox_volume_hostile 'sandbox: what is no image ends with an error that says what it is, and leaves nothing'
sandbox_volume_hostile() {
	local i
	sandboxes
	bundle
	volume "$T/real" 8
	ln -s real "$T/link"
	mkfifo "$T/fifo"
	mkdir "$T/dir"
	head -c 511 /dev/zero >"$T/short"
	head -c 1048576 /dev/urandom >"$T/garbage"
	# As far as the superblock goes it is one.
	volume "$T/hollow" 8
	dd if=/dev/urandom of="$T/hollow" bs=4096 seek=1 count=1000 conv=notrunc 2>/dev/null
	for i in 'link|symlink' 'fifo|FIFO' 'dir|directory' 'short|511 bytes' 'none|No such file' 'garbage|ext4 on /data' 'hollow|ext4 on /data'; do
		bundle
		mount_entry /data ext4 "$T/${i%%|*}" rw
		s_refused "${i#*|}"
	done
	bundle
	mount_entry /data erofs "$T/garbage" ro
	s_refused 'erofs on /data'
	bundle
	mount_entry /data ext4 not/absolute rw
	s_refused 'absolute'
	bundle
	mount_entry /data ext4 /dev/null rw
	s_refused 'device of another kind'
	bundle
	for i in {1..41}; do mount_entry "/d$i" ext4 "$T/real" ro; done
	s_refused 'at most 40 disks'
	# By KVM there is room for so many.
	bundle
	for i in {1..7}; do mount_entry "/d$i" ext4 "$T/real" ro; done
	try create --bundle "$B" --isolation sandbox "$ID"
	if [[ $RC != 0 ]]; then
		has "$ERR" 'has places for 6 of them'
	else
		eq "$(rt state "$ID" | jq -r '.annotations["io.ringfence.sandbox.accel"]')" kvm "by what 7 disks are had"
		good delete --force "$ID"
	fi
	# The lock is gone with who had it.
	flock -n -x "$T/garbage" true || die "garbage is still locked"
	flock -n -x "$T/real" true || die "real is still locked"
	s_over
}

tc sandbox_block_device 'sandbox: block devices of the host: in linux.devices, as a bind, mounted; their rules; who has it has it alone'
sandbox_block_device() {
	local dev maj min held
	sandboxes
	bundle
	volume "$T/v" 16
	dev=$(losetup --find --show "$T/v" 2>/dev/null) || skip "no loop devices"
	# It goes when nobody has it open any more, however this case ends.
	exec {held}<"$dev"
	losetup -d "$dev"
	maj=$((0x$(stat -c %t "$dev"))) min=$((0x$(stat -c %T "$dev")))
	edit '.process.capabilities|=map_values(["CAP_MKNOD","CAP_SYS_ADMIN","CAP_DAC_OVERRIDE"])'
	edit '.linux.devices=[{path:"/dev/disk",type:"b",major:$a,minor:$i,fileMode:416,uid:3,gid:4}]' --argjson a "$maj" --argjson i "$min"
	edit '.linux.resources.devices=[{allow:false,access:"rwm"},{allow:true,type:"b",major:$a,minor:$i,access:"rw"}]' \
		--argjson a "$maj" --argjson i "$min"
	mount_entry /mnt2 tmpfs tmpfs rw
	script 'stat -c "%a %u:%g" /dev/disk; mount -t ext4 /dev/disk /mnt2 && echo raw >/mnt2/raw; umount /mnt2; mknod /mnt2/x b 7 99; cat /mnt2/x; :'
	s_runs
	has "$OUT" '640 3:4'
	until_ok 10 test "$(in_volume "$dev" /raw)" = raw
	# Without a rule that lets it write: by the descriptor, whatever the guest does.
	edit '.linux.resources.devices[1].access="r"'
	script 'head -c 4096 /dev/disk | wc -c; dd if=/dev/zero of=/dev/disk bs=4096 count=1 2>/dev/null && echo OVERWRITTEN; cat /sys/block/vd*/ro'
	s_runs
	eq "$OUT" $'4096\n1'
	# Mounted by the guest, and as a bind.
	bundle
	mount_entry /data ext4 "$dev" rw
	script 'cat /data/raw; echo more >/data/more; until [ -e /data/end ]; do sleep 0.1; done'
	s_up
	until_ok 20 rt exec "$ID" test -e /data/more
	bundle again
	mount_entry /data ext4 "$dev" ro
	bad 'in use' run --bundle "$B" --isolation sandbox "$ID-2"
	no_mount /data
	mount_entry /dev/block bind "$dev" bind,rw
	edit '.linux.resources.devices=[{allow:true,access:"rwm"}]'
	bad 'in use' run --bundle "$B" --isolation sandbox "$ID-2"
	ex touch /data/end
	until_is stopped
	down
	edit '.linux.resources.devices=[{allow:false,access:"rwm"},{allow:true,type:"b",major:$a,minor:$i,access:"r"}]' \
		--argjson a "$maj" --argjson i "$min"
	script 'dd if=/dev/block bs=1024 skip=1 count=1 2>/dev/null | od -An -tx2 -j56 -N2'
	s_runs
	eq "$OUT" " ef53" "ext4's magic number, through a bind"
	# The host's own mount of it keeps it from a sandbox.
	if mount "$dev" "$T/dir" 2>/dev/null; then
		bundle
		mount_entry /data ext4 "$dev" rw
		s_refused 'in use'
		umount "$T/dir"
	fi
	bundle
	edit '.linux.devices=[{path:"/dev/x",type:"b",major:4000,minor:1}]'
	s_refused '/dev/x'
	s_over
}

# What is in a root file system, as far as busybox can tell, but for what partitions mount; the root directory's own links vary.
LISTING='cd /; find . -xdev -mindepth 1 | grep -Ev "^./(proc|sys|dev|etc/(hosts|hostname|resolv.conf))(/|$)" | sort | while read -r f; do
	case $(stat -c %F "$f") in
	directory) stat -c "%n %a %u:%g %F %Y" "$f" ;;
	"symbolic link") stat -c "%n %u:%g %F %Y" "$f"; readlink "$f" ;;
	regular*) stat -c "%n %a %u:%g %F %Y %h %s" "$f"; md5sum <"$f" ;;
	*) stat -c "%n %a %u:%g %F %t,%T" "$f" ;;
	esac; done'

tc sandbox_root_disk 'sandbox: launch --rm has its root file system as an EROFS disk, with all that layers have; made once, by one of many'
sandbox_root_disk() {
	local top i pids=()
	sandboxes
	[[ -n $(type -P mkfs.erofs) && -n $(type -P mke2fs) ]] || skip "no mkfs.erofs or no mke2fs"
	# shellcheck source=../lib-launch.sh disable=SC2119
	source "$RF_HERE/lib-launch.sh"
	images
	lgood launch bb "$ID" -- sh -c 'rm /data/file; echo a >/data/other; rm -r /home; mkdir -p /home/new; cp /bin/busybox /su; chown 5:6 /su
		chmod 6755 /su; ln /su /hard; ln -s /no/where /link; mkfifo -m 620 /fifo; mkdir -m 3751 /d; chown 7:8 /d; touch -d "2001-02-03 04:05:06" /d'
	# As a layer may have them; mknod takes more than a partition may.
	mknod -m 640 "$T/data/partitions/$ID/upper/node" c 1 3
	[[ -z $(type -P setfattr) ]] || setfattr -n user.mine -v text "$T/data/partitions/$ID/upper/su"
	lgood commit -q "$ID" localhost/two
	lgood rm "$ID"
	lgood launch --rm localhost/two -- sh -c "$LISTING"
	cp "$T/out" "$T/there"
	has "$OUT" '/su 6755 5:6'
	# Nobody has one yet. Of many who make it one is killed.
	for i in 1 2 3 4; do
		"${RT%/*}/ringfence-image" --store "$T/data/store" prepare -q --root-image localhost/two >/dev/null 2>"$T/prepare.$i" &
		pids+=($!)
	done
	sleep 0.02
	kill -9 "${pids[1]}" 2>/dev/null
	wait "${pids[@]}" 2>/dev/null
	mapfile -t top < <(find "$T/data/store/layers" -name root.erofs)
	eq "${#top[@]}" 1 "images of the root file system"
	eq "$(stat -c %a "${top[0]}")" 600
	i=$(stat -c %i "${top[0]}")
	lgood store check
	lgood launch --rm --isolation sandbox localhost/two -- sh -c "$LISTING"
	diff "$T/there" "$T/out" || die "another root file system"
	eq "$(stat -c %i "${top[0]}")" "$i" "the image is the one that was there"
	if [[ -n $(type -P getfattr) ]] && mkdir "$T/m" && mount -o ro,loop -t erofs "${top[0]}" "$T/m" 2>/dev/null; then
		eq "$(getfattr -n user.mine --only-values --absolute-names "$T/m/su")" text
		eq "$(find "$T/m" -type c -printf '%P ')" 'node '
		umount "$T/m"
	fi
	# Where it is, that it can be written to, and that directories of the image can go.
	lgood launch -d --rm --isolation sandbox localhost/two "$ID" -- sh -c 'grep " / " /proc/mounts; rm -r /data /d; mkdir /data; echo x >/data/y; mv /bin/rft /data/
		dd if=/dev/zero of=/big bs=1M count=40 2>/dev/null; ls -s /big; touch /ready; sleep 1000'
	until_ok 60 l exec "$ID" test -e /ready
	says() { l logs "$ID" | grep -qE "$1"; }
	says 'overlay / overlay rw,.*,volatile' || die "not of a disk: $(l logs "$ID")"
	l exec "$ID" ls /d && die "a removed directory is there"
	eq "$(l exec "$ID" cat /data/y)" x
	lbad 'on a disk of its sandbox' commit "$ID" localhost/no
	lgood stop -t 1 "$ID"
	# What writes nothing has one, too; what is to be kept has none, unless it is asked for.
	lgood launch --isolation sandbox --read-only localhost/two "$ID-ro" -- sh -c 'grep " / " /proc/mounts; touch /x; :'
	match "$OUT" 'overlay ro,'
	imatch "$ERR" 'read-only'
	lgood launch --isolation sandbox localhost/two "$ID-k" -- sh -c 'grep " / " /proc/mounts; echo kept >/kept'
	has "$OUT" ' 9p '
	lgood cp "$ID-k:/kept" "$T/"
	lgood launch --rm --isolation sandbox --annotation io.ringfence.sandbox.root=share localhost/two -- grep ' / ' /proc/mounts
	has "$OUT" ' 9p '
	lgood launch --isolation sandbox --annotation io.ringfence.sandbox.root=disk localhost/two "$ID-e" -- sh -c 'cat /gone; echo x >/gone'
	lbad 'on a disk of its sandbox' cp "$ID-e:/gone" "$T/"
	lbad 'on a disk of its sandbox' commit "$ID-e" localhost/no
	lbad 'disk, share or auto' launch --rm --isolation sandbox --annotation io.ringfence.sandbox.root=tape localhost/two
	over
	lgood rmi --force localhost/two localhost/bb
	lgood prune
	eq "$(find "$T/data/store" -name 'root.erofs*')" "" "what is left of the image"
	s_over
}

tc sandbox_root_images 'sandbox: run and create of layers that are EROFS images, as disks; and what is none'
sandbox_root_images() {
	local i host='' how='.annotations={"io.ringfence.sandbox.root":$h}'
	sandboxes
	[[ -n $(type -P mkfs.erofs) ]] || skip "no mkfs.erofs"
	bundle
	mkdir "$T/top" "$T/up" "$T/work" "$T/root"
	echo top >"$T/top/file"
	mknod "$T/top/tmp" c 0 0
	mkfs.erofs --quiet "$T/lower.erofs" "$ROOTFS" && mkfs.erofs --quiet "$T/top.erofs" "$T/top" || die "mkfs.erofs"
	layers() {
		edit '.root={path:$r}|.mounts=[{destination:"/",type:"overlay",source:"overlay",options:($o|split(" "))}]+(.mounts|map(select(.destination!="/")))' \
			--arg r "$T/root" --arg o "$1"
	}
	# Without an upper directory it is read-only, and a disk by itself.
	layers "lowerdir=$T/top.erofs:$T/lower.erofs noatime"
	script 'cat /file; ls -d /tmp; touch /x; grep " / " /proc/mounts'
	try run --bundle "$B" --isolation sandbox "$ID"
	has "$OUT" top
	match "$OUT" 'overlay ro,noatime,.*,volatile'
	imatch "$ERR" '/tmp.*no such file'
	imatch "$ERR" 'read-only file system'
	# The host has to mount them otherwise, which takes loop devices or a kernel that does without.
	if mount -o ro,loop -t erofs "$T/top.erofs" "$T/root" 2>/dev/null; then
		umount "$T/root"
		host=1
		edit "$how" --arg h share
		try run --bundle "$B" --isolation sandbox "$ID"
		has "$OUT" ' 9p '
	fi
	# With one, what is written is meant to be found there.
	layers "lowerdir=$T/top.erofs:$T/lower.erofs upperdir=$T/up workdir=$T/work"
	edit "$how" --arg h auto
	script 'echo x >/x; grep " / " /proc/mounts'
	if [[ -n $host ]]; then
		s_runs
		has "$OUT" ' 9p '
		eq "$(<"$T/up/x")" x
	else
		echo >"$T/up/x"
	fi
	edit "$how" --arg h disk
	s_refused 'something in .*/up'
	rm "$T/up/x"
	s_runs
	has "$OUT" ' overlay '
	eq "$(ls "$T/up")" "" "in the upper directory"
	# What is no image: said if a disk was asked for.
	head -c 65536 /dev/urandom >"$T/garbage"
	ln -s lower.erofs "$T/link"
	mkfifo "$T/fifo"
	for i in 'garbage|no EROFS image' 'link|symbolic links' 'fifo|no EROFS' 'top|no EROFS' 'none|No such file'; do
		layers "lowerdir=$T/lower.erofs upperdir=$T/up workdir=$T/work"
		edit '.annotations["io.ringfence.sandbox.root-image"]=$i' --arg i "$T/${i%%|*}"
		s_refused "root=disk.*${i#*|}"
	done
	# One whose superblock is all that is right.
	cp "$T/lower.erofs" "$T/hollow"
	dd if=/dev/urandom of="$T/hollow" bs=1 seek=1032 count=200 conv=notrunc 2>/dev/null
	edit '.annotations["io.ringfence.sandbox.root-image"]=$i' --arg i "$T/hollow"
	s_refused 'erofs'
	bundle plain
	edit "$how" --arg h disk
	s_refused 'no overlay'
	s_over
}

tc sandbox_confined 'sandbox: its processes on the host have nobody'\''s uid, no capabilities, an empty root, a filter, and are in the cgroup'
sandbox_confined() {
	local pid text
	sandboxes
	bundle
	s_up
	eq "$(proc Uid)" "65534 65534 65534 65534"
	eq "$(proc CapEff)" 0000000000000000
	eq "$(proc CapBnd)" 0000000000000000
	eq "$(proc NoNewPrivs)" 1
	eq "$(proc Seccomp)" 2
	eq "$(ls -A "/proc/$PID/root/")" "" "the monitor's root"
	eq "$(awk '/^Max processes/{print $3}' "/proc/$PID/limits")" "$(awk '/^Max processes/{print $4}' "/proc/$PID/limits")" \
		"threads of a user whom others have, too"
	ne "$(nslink net "$PID")" "$(nslink net)"
	ne "$(nslink mnt "$PID")" "$(nslink mnt)"
	for pid in $(pgrep -P "$PID"); do
		eq "$(proc NoNewPrivs "$pid")" 1 "$pid"
		eq "$(proc Seccomp "$pid")" 2 "$pid"
		text=$(</proc/"$pid"/comm)
		if [[ $text == ringfence-files ]]; then
			# CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, SETGID, SETUID, SETFCAP.
			eq "$(proc CapEff "$pid")" 00000000800000df
			eq "$(ls "/proc/$pid/root/")" root
		else
			eq "$(proc Uid "$pid")" "65534 65534 65534 65534" "$text"
			eq "$(proc CapEff "$pid")" 0000000000000000 "$text"
			# All sandboxes have the same user: it may see nobody else's processes.
			ne "$(nslink pid "$pid")" "$(nslink pid)" "the pid namespace of $text"
		fi
		eq "$(<"/proc/$pid/cgroup")" "$(<"/proc/$PID/cgroup")" "cgroups of $text"
	done
	down
	s_over
}

tc sandbox_dies 'sandbox: kill -9 of any of its processes ends it; delete --force from that'
sandbox_dies() {
	local pid
	sandboxes
	bundle
	edit '.root.readonly=false'
	script 'echo run >>/log; exec sleep 1000'
	s_up
	until_ok 10 rt exec "$ID" test -s /log
	good kill "$ID" KILL
	until_is stopped
	eq "$(<"$ROOTFS/log")" run "what it wrote before it was killed"
	down
	s_up
	pid=$(pgrep -P "$PID" -f qemu-system) || skip "no child to kill: it runs by KVM"
	kill -9 "$pid"
	until_is stopped
	match "$(rt state "$ID" | jq -r '.annotations["io.ringfence.failure"]')" '(machine ended|control channel is closed)' "why, in state"
	down
	# A guest that does not answer has no say in it.
	s_up
	kill -STOP "$(pgrep -P "$PID" -f qemu-system)"
	good kill "$ID" KILL
	until_is stopped
	down
	s_over
}

tc sandbox_ends 'sandbox: a stream that the payload closes has ended for who reads it; one that was killed for memory is told'
sandbox_ends() {
	sandboxes
	need_cg memory
	bundle
	limit '.memory={limit:33554432}'
	edit '.root.readonly=false'
	script 'echo out; echo err >&2; exec >&-; until [ -e /tmp/go ]; do usleep 20000; done; rft alloc 80; echo "$?" >/tmp/status; exec rft pause'
	mkfifo "$T/pipe"
	cat "$T/pipe" >"$T/read" &
	local reader=$!
	rt create --bundle "$B" --isolation sandbox "$ID" >"$T/pipe" 2>/dev/null </dev/null
	good start "$ID"
	timeout $((20 * RF_SCALE)) tail --pid=$reader -f /dev/null || die "the reader has not seen the end"
	eq "$(<"$T/read")" out
	is running || die "ended, too"
	"$RT" "${GOPTS[@]}" events --interval 200ms "$ID" >"$T/ev" 2>&1 </dev/null &
	until_has 20 "$T/ev" stats
	touch "$ROOTFS/tmp/go"
	until_has 20 "$T/ev" '"type":"oom"'
	until_ok 10 test -s "$ROOTFS/tmp/status"
	eq "$(<"$ROOTFS/tmp/status")" 137
	kill $!
	down
	s_over
}

tc sandbox_terminal 'sandbox: a terminal, its size, its end'
sandbox_terminal() {
	sandboxes
	bundle
	script 'tty; stty size; read x; echo "<$x>"; exit 6'
	edit '.process.terminal=true|.process.consoleSize={height:33,width:99}'
	# Its input ends at once.
	try run --bundle "$B" --isolation sandbox "$ID"
	eq "$RC" 6
	has "$OUT" /dev/pts/0
	has "$OUT" '33 99'
	has "$OUT" '<>'
	echo typed >"$T/in"
	OUT=$(rt run --bundle "$B" --isolation sandbox "$ID" <"$T/in")
	eq "$?" 6
	has "$OUT" '<typed>'
}

tc sandbox_limits 'sandbox: memory, pids and CPU limits hold inside, and the machine has that size'
sandbox_limits() {
	sandboxes
	bundle
	edit '.linux.resources={memory:{limit:33554432},pids:{limit:20},cpu:{quota:50000,period:100000}}'
	no_mount /sys/fs/cgroup
	mount_entry /sys/fs/cgroup cgroup cgroup ro
	script 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max; grep MemTotal /proc/meminfo; nproc'
	s_runs
	has "$OUT" $'33554432\n20\n50000 100000'
	at_most "$(sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' <<<"$OUT")" 76000 "kB of memory"
	eq "$(tail -n 1 <<<"$OUT")" 1 "CPUs"
}

# PSS in KiB of the monitor: the guest's memory, which is what it keeps out of core files (dd), or all but that.
guests_pss() { awk '$1 == "Pss:" { p = $2 } $1 == "VmFlags:" && / dd( |$)/ { s += p } END { print s + 0 }' "/proc/$PID/smaps"; }
monitors_pss() { awk '$1 == "Pss:" { p = $2 } $1 == "VmFlags:" && !/ dd( |$)/ { s += p } END { print s + 0 }' "/proc/$PID/smaps"; }

tc sandbox_small 'sandbox: an idle one takes few MiB of the host'\''s; the smallest machine works'
sandbox_small() {
	local least=49152
	sandboxes
	bundle idle
	edit '.annotations={"io.ringfence.sandbox.memory":"64M"}'
	args sleep 1000
	s_up
	exec_good true
	at_most "$(monitors_pss)" 3072 "KiB of the monitor's own"
	# QEMU has it in a process of its own, with its translated code.
	if [[ $(rt state "$ID" | jq -r '.annotations["io.ringfence.sandbox.accel"]') == kvm ]]; then
		least=32768
		ne "$(guests_pss)" 0 "KiB of the guest's memory"
		# 24100 when this was written, of which 18432 are huge pages.
		at_most "$(guests_pss)" 24576 "KiB of the guest's memory touched"
	fi
	down
	# What is less than the least is that.
	bundle
	edit '.annotations={"io.ringfence.sandbox.memory":"1M"}'
	script 'grep MemTotal /proc/meminfo; echo done'
	s_runs
	has "$OUT" done
	at_most "$(sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' <<<"$OUT")" $least "kB of memory in the smallest machine"
	s_over
}

tc sandbox_gives_back 'sandbox: memory that the guest has free goes back to the host'
sandbox_gives_back() {
	local before full
	sandboxes
	bundle
	edit '.annotations={"io.ringfence.sandbox.memory":"512M"}'
	mount_entry /scratch tmpfs tmpfs size=250m
	args sleep 1000
	s_up
	[[ $(rt state "$ID" | jq -r '.annotations["io.ringfence.sandbox.accel"]') == kvm ]] || {
		down
		skip "by KVM only: QEMU's machine has no place for a balloon"
	}
	exec_good true
	before=$(guests_pss)
	exec_good dd if=/dev/zero of=/scratch/x bs=1M count=200
	full=$(guests_pss)
	at_least $((full - before)) 180000 "KiB more of the host's memory"
	exec_good rm /scratch/x
	# The guest's kernel tells 2 s later, in blocks of 4 MiB, of what is free beyond 128 MiB.
	until_ok 60 eval '(($(guests_pss) < full - 120000))'
	echo "# guest's memory: $before KiB, $full with 200 MiB in a file, $(guests_pss) after its end"
	# And it can have it again.
	exec_good dd if=/dev/zero of=/scratch/y bs=1M count=200
	exec_good sh -c 'tr -d "\0" </scratch/y | wc -c'
	eq "$OUT" 0
	down
	s_over
}

tc sandbox_updated 'sandbox: update of what it has inside; its memory is fixed, unless the limit is the one it has'
sandbox_updated() {
	sandboxes
	bundle
	edit '.linux.resources={memory:{limit:33554432},pids:{limit:20}}'
	no_mount /sys/fs/cgroup
	mount_entry /sys/fs/cgroup cgroup cgroup ro
	s_up
	good update --pids-limit 30 --memory 33554432 "$ID"
	exec_good cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max
	eq "$OUT" $'30\n33554432'
	bad 'fixed' update --memory 67108864 "$ID"
	bad 'fixed' update --memory-swap 67108864 "$ID"
	bad 'apparmor' exec --apparmor x "$ID" true
	bad 'pid' exec -d --pid-file "$T/none/pid" "$ID" sleep 77
	until_ok 10 no_sleep
	down
	s_over
}
no_sleep() { ! rt exec "$ID" ps | grep -q 'sleep 77'; }

tc sandbox_refused 'sandbox: what it cannot do is refused by name, and leaves nothing'
sandbox_refused() {
	sandboxes
	bundle
	no_ns network
	s_refused 'network namespace'
	bundle c
	ns pid /proc/self/ns/pid
	s_refused 'pid namespace'
	bundle d
	edit '.linux.devices=[{path:"/dev/x",type:"c",major:7,minor:0}]'
	s_refused '/dev/x'
	bundle f
	edit '.hooks={createContainer:[{path:"/bin/true"}]}'
	s_refused 'createContainer'
	bundle g
	bad 'accel' create --bundle "$B" --isolation sandbox --accel fast "$ID"
	bad 'isolation' create --bundle "$B" --isolation vm "$ID"
	edit '.annotations={"io.ringfence.sandbox.kernel":"/nothing/here"}'
	s_refused '/nothing/here'
	edit '.annotations={"io.ringfence.sandbox.kernel":"/bin/busybox"}'
	s_refused 'kernel|machine'
	edit '.annotations={"io.ringfence.sandbox.kernel-args":("a"*2000)}'
	s_refused 'command line has'
	echo x >"$T/kernel"
	chmod 666 "$T/kernel"
	edit '.annotations={"io.ringfence.sandbox.kernel":$k}' --arg k "$T/kernel"
	s_refused 'changed by others'
	edit '.annotations={"io.ringfence.sandbox.memory":"1G"}|.linux.resources.memory.limit=67108864'
	s_refused 'memory.*more than'
	edit '.annotations={"io.ringfence.sandbox.memory":"much"}'
	s_refused 'memory'
	s_over
}

tc sandbox_asked 'sandbox: by annotation, by the name of the program; a partition of that config by --isolation partition'
sandbox_asked() {
	sandboxes
	bundle
	script 'cat /proc/version'
	edit '.annotations={"io.ringfence.isolation":"sandbox"}'
	runs
	ne "$OUT" "$(</proc/version)" "the kernel, by annotation"
	runs --isolation partition
	eq "$OUT" "$(</proc/version)" "the kernel, of a partition"
	edit 'del(.annotations)'
	ln -s "$RT" "$T/ringfence-sandbox"
	OUT=$(RINGFENCE_GUEST_AGENT=$(dirname "$RT")/ringfence-guest "$T/ringfence-sandbox" "${GOPTS[@]}" run --bundle "$B" "$ID" </dev/null) ||
		die "ringfence-sandbox run"
	ne "$OUT" "$(</proc/version)" "the kernel, by name"
}

tc sandbox_hooks 'sandbox: hooks of the host see its network namespace; startContainer runs inside'
sandbox_hooks() {
	sandboxes
	bundle
	edit '.hooks={
		prestart:[{path:"/bin/sh",args:["sh","-c",$a]}],
		createRuntime:[{path:"/bin/sh",args:["sh","-c",$b]}],
		poststart:[{path:"/bin/sh",args:["sh","-c",$c]}],
		poststop:[{path:"/bin/sh",args:["sh","-c",$d]}]}' \
		--arg a "cat >$T/prestart; echo prestart >>$T/order" --arg b "cat >$T/createRuntime; echo createRuntime >>$T/order" \
		--arg c "echo poststart >>$T/order" --arg d "echo poststop >>$T/order"
	script 'echo inside'
	s_runs
	eq "$(<"$T/order")" $'prestart\ncreateRuntime\npoststart\npoststop'
	eq "$(jq -r .status "$T/createRuntime")" creating
	edit '.hooks={createRuntime:[{path:"/bin/false"}]}'
	s_refused createRuntime
	s_over
}

tc sandbox_netns 'sandbox: a network namespace that outlives it has its interfaces back; the host'\''s own is refused'
sandbox_netns() {
	local ns
	sandboxes
	[[ -c /dev/net/tun ]] || skip "no /dev/net/tun"
	unshare --net sleep 1000 &
	ns=$!
	until [[ $(nslink net $ns) != "$(nslink net)" ]]; do sleep 0.05; done
	nsenter -t $ns -n sh -c 'ip link add e0 type veth peer name p0 && ip addr add 10.9.8.7/24 dev e0 && ip link set e0 up && ip link set p0 up' ||
		skip "no veth interfaces"
	bundle
	ns network "/proc/$ns/ns/net"
	script 'cat /sys/class/net/e0/address; ip -4 addr show dev e0'
	s_runs
	has "$OUT" 10.9.8.7
	has "$OUT" "$(nsenter -t $ns -n ip -o link show e0 | sed 's/.*ether \([^ ]*\).*/\1/')"
	eq "$(nsenter -t $ns -n tc qdisc show dev e0 ingress)" "" "redirection"
	kill $ns
	ns network /proc/self/ns/net
	s_refused 'network namespace'
	s_over
}

tc sandbox_launched 'sandbox: launch, detached: its log, exec, stop, restart, and what it wrote is there'
sandbox_launched() {
	sandboxes
	# shellcheck source=../lib-launch.sh disable=SC2119
	source "$RF_HERE/lib-launch.sh"
	images
	says() { l logs "$ID" | grep -q "$1"; }
	lgood launch -d --isolation sandbox bb "$ID" -- \
		sh -c 'cat /proc/version; cat /kept; echo kept >/kept; trap "exit 4" TERM; while :; do sleep 0.2; done'
	until_ok 30 says 'Linux version'
	ne "$(l logs "$ID" | sed -n 1p)" "$(</proc/version)" "the kernel"
	lgood exec "$ID" cat /kept
	eq "$OUT" kept
	lbad 'runs in a sandbox' cp "$ID:/kept" "$T/"
	lgood stop -t 30 "$ID"
	lgood cp "$ID:/kept" "$T/"
	eq "$(<"$T/kept")" kept
	lgood restart "$ID"
	until_ok 30 says '^kept'
	over
	s_over
}

tc sandbox_chosen 'sandbox: launch by annotation, by the name of the program, and not; a kill for memory is told'
sandbox_chosen() {
	local eat='x=x; while :; do x=$x$x; done'
	sandboxes
	# shellcheck source=../lib-launch.sh disable=SC2119
	source "$RF_HERE/lib-launch.sh"
	images
	lgood launch --rm --annotation io.ringfence.isolation=sandbox bb -- cat /proc/version
	ne "$OUT" "$(</proc/version)" "the kernel, by annotation"
	lgood launch --rm --isolation partition --annotation io.ringfence.isolation=sandbox bb -- cat /proc/version
	eq "$OUT" "$(</proc/version)" "the kernel, of a partition"
	ln -s "$RT" "$T/ringfence-sandbox"
	export RINGFENCE_GUEST_AGENT
	RINGFENCE_GUEST_AGENT=$(dirname "$RT")/ringfence-guest
	RT=$T/ringfence-sandbox
	lgood launch --rm --isolation partition bb -- cat /proc/version
	eq "$OUT" "$(</proc/version)" "the kernel, of a partition that the name does not choose"
	grab l launch -m 16M --memory-swap 16M bb "$ID" -- sh -c "cat /proc/version; $eat"
	ne "$OUT" "$(</proc/version)" "the kernel, by name"
	eq "$RC" 137
	eq "$(of "$ID" .oomKilled)" true
	over
	s_over
}

tc sandbox_readonly 'sandbox: a read-only root file system, with places for mounts that it had not'
sandbox_readonly() {
	sandboxes
	bundle
	own_files
	echo text >"$T/file"
	edit '.root.readonly=true'
	mount_entry /not/there tmpfs tmpfs rw
	mount_entry /neither/file bind "$T/file" bind,ro
	mount_entry /not/there/below tmpfs tmpfs rw
	script 'cat /neither/file; touch /not/there/x /not/there/below/y && echo written; touch /z; :'
	try run --bundle "$B" --isolation sandbox "$ID"
	eq "$RC" 0
	eq "$OUT" $'text\nwritten'
	imatch "$ERR" 'read-only'
	fails test -e "$ROOTFS/z"
	fails test -e "$ROOTFS/not/there/below"
}

tc sandbox_propagation 'sandbox: what the host mounts later is seen behind a slave, and not behind a private bind'
sandbox_propagation() {
	local i
	sandboxes
	bundle
	for i in slave private; do
		mkdir -p "$T/$i/d" && mount -t tmpfs "$i" "$T/$i" && mount --make-shared "$T/$i" && mkdir "$T/$i/d" || die "mount"
		mount_entry /$i bind "$T/$i" rbind,r$i
	done
	s_up
	for i in slave private; do mount -t tmpfs later "$T/$i/d" && echo >"$T/$i/d/$i"; done
	exec_good sh -c 'ls /slave/d /private/d'
	umount -l "$T/slave" "$T/private"
	has "$OUT" $'d:\nslave'
	hasnt "$OUT" $'d:\nprivate'
	down
}

# A pod, as containerd's CRI plugin describes it: podded ROLE [POD] makes a bundle's config one; the pod's network is that of $NS.
podded() {
	edit '.annotations+={"io.kubernetes.cri.container-type":$t}+(if $p=="" then {} else {"io.kubernetes.cri.sandbox-id":$p} end)' --arg t "$1" --arg p "${2:-}"
	ns network "/proc/$NS/ns/net"
}
pod_up() { # in bundle "pod"; its network namespace's keeper is NS
	unshare --net sleep 1000 &
	NS=$!
	until [[ $(nslink net $NS) != "$(nslink net)" ]]; do sleep 0.05; done
	bundle pod
	edit '.hostname="of-pod"'
	mkdir "$T/shm" && mount -t tmpfs -o size=65536k tmpfs "$T/shm" || die "mount"
	no_mount /dev/shm
	mount_entry /dev/shm bind "$T/shm" rbind,rw
	args sleep 1000
	podded sandbox
	good run -d --isolation sandbox --bundle "$B" --pid-file "$T/pod.pid" "$ID-pod"
}
pod_down() {
	try delete --force "$ID-pod"
	umount "$T/shm"
	kill "$NS"
}
member() { # NAME SCRIPT: bundle and config
	bundle "$1"
	script "$2"
	edit 'del(.hostname)'
	no_mount /dev/shm
	mount_entry /dev/shm bind "$T/shm" rbind,rw
	podded container "$ID-pod"
	ns ipc "/proc/$(<"$T/pod.pid")/ns/ipc"
	ns uts "/proc/$(<"$T/pod.pid")/ns/uts"
}

tc sandbox_pod 'sandbox: the members of a pod share its machine, and have files, limits, a life and an end of their own'
sandbox_pod() {
	local kernel pid
	sandboxes
	pod_up
	member a 'cat /proc/version; hostname; cat; echo err >&2; echo there >/dev/shm/f; echo mine >/written; exit 7'
	mkdir "$T/bound" && echo bound >"$T/bound/f"
	OUT=$(echo from outside | rt run --bundle "$B" --isolation sandbox "$ID" 2>"$T/err")
	eq "$?" 7
	eq "$(<"$T/err")" err
	eq "$(sed -n '2,$p' <<<"$OUT")" $'of-pod\nfrom outside' "what it said"
	eq "$(<"$ROOTFS/written")" mine "its own root file system"
	kernel=$(rt exec "$ID-pod" cat /proc/version)
	eq "$(head -n 1 <<<"$OUT")" "$kernel" "one kernel for both"
	[[ ! -e $T/pod/rootfs/written ]] || die "it has written to the pod's files"
	gone "$ID"
	# Two at once, and verbs for one of them.
	member b 'trap "echo TERM; exit 3" TERM; echo up; while :; do sleep 0.1; done'
	mount_entry /bound bind "$T/bound" rbind,ro
	mount_entry /sys/fs/cgroup cgroup cgroup ro
	edit '.linux.resources.pids.limit=17|.linux.resources.memory.limit=50331648'
	good create --bundle "$B" --isolation sandbox --pid-file "$T/pid" "$ID" </dev/null >"$T/out"
	is created || die "not created"
	eq "$(rt state "$ID" | jq -r '.annotations["io.ringfence.sandbox.pod"]')" "$ID-pod" "the pod, in state"
	ne "$(<"$T/pid")" "$(<"$T/pod.pid")" "its process on the host"
	good start "$ID"
	is running || die "not running"
	eq "$(rt exec "$ID" cat /dev/shm/f /bound/f)" $'there\nbound' "shared memory and a bind"
	bad . exec "$ID" touch /bound/x
	eq "$(rt exec "$ID" cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max)" $'17\n50331648' "limits inside"
	eq "$(rt exec "$ID" readlink /proc/self/ns/uts /proc/self/ns/ipc)" "$(rt exec "$ID-pod" readlink /proc/self/ns/uts /proc/self/ns/ipc)"
	ne "$(rt exec "$ID" readlink /proc/self/ns/pid)" "$(rt exec "$ID-pod" readlink /proc/self/ns/pid)" "pid namespaces"
	good pause "$ID"
	is paused || die "not paused"
	is running "$ID-pod" || die "the pod stands still"
	eq "$(rt exec "$ID-pod" echo runs)" runs
	good resume "$ID"
	rt exec "$ID" sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'
	OUT=$(rt events --stats "$ID")
	eq "$(jq -r '.data|.pids.limit, (.pids.current>0 and .pids.current<10), .cpu.usage.total>10000000, .memory.usage.limit' <<<"$OUT")" \
		$'17\ntrue\ntrue\n50331648' "statistics, in $OUT"
	good update --pids-limit 23 "$ID"
	eq "$(rt exec "$ID" cat /sys/fs/cgroup/pids.max)" 23
	good kill "$ID" TERM
	until_is stopped
	has "$(<"$T/out")" TERM
	good delete "$ID"
	# What stands for it on the host has no powers there, nor files; its network is the pod's, which who asks for its network joins.
	member b 'sleep 1000'
	good run -d --isolation sandbox --bundle "$B" --pid-file "$T/pid" "$ID"
	pid=$(<"$T/pid")
	eq "$(awk '/^Uid|^CapEff|^CapBnd|^NoNewPrivs/{print $2}' "/proc/$pid/status")" $'65534\n0000000000000000\n0000000000000000\n1' "of the stand-in"
	eq "$(ls -A "/proc/$pid/root")" "" "its root"
	eq "$(nslink net "$pid")" "$(nslink net "$(<"$T/pod.pid")")" "its network"
	eq "$(rt exec "$ID" echo here)" here
	good exec -d --pid-file "$T/exec" "$ID" sleep 1000
	eq "$(awk '/^Uid|^CapEff/{print $2}' "/proc/$(<"$T/exec")/status")" $'65534\n0000000000000000' "of an exec's"
	script 'hostname; cat /proc/version'
	edit 'del(.annotations)|.hostname="own"'
	ns network "/proc/$pid/ns/net"
	ns ipc
	ns uts
	eq "$(rt run --isolation sandbox --bundle "$B" "$ID-third" </dev/null)" $'own\n'"$kernel" "a guest of a member's network"
	good kill "$ID" KILL
	until_is stopped
	good delete "$ID"
	# --network=container: the same without a word in annotations, and without its other namespaces.
	member c 'hostname; ls /dev/shm; cat /proc/version'
	edit 'del(.annotations)|.hostname="own"'
	ns network "/proc/$(<"$T/pod.pid")/ns/net"
	ns ipc
	ns uts
	s_runs
	eq "$OUT" $'own\n'"$kernel" "what a guest of its network says"
	# The same name again; a program that is not there; hunger.
	member b 'exit 0'
	args /no/such/program
	bad 'no/such/program' run --isolation sandbox --bundle "$B" "$ID"
	gone "$ID"
	member b 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'
	edit '.linux.resources.memory={limit:8388608,swap:8388608}'
	try run --isolation sandbox --bundle "$B" --keep "$ID"
	eq "$RC" 137
	is running "$ID-pod" || die "it took the pod with it"
	try delete --force "$ID"
	pod_down
	s_over
}

# How many such processes the pod's first partition sees.
pod_sleeps() { [[ $(rt exec "$ID-pod" ps | grep -c '[s]leep 1000') == "$1" ]]; }

tc sandbox_pod_ends 'sandbox: who names a pod without its network does not get in; kill -9 of a member, of its creator, of the pod'
sandbox_pod_ends() {
	local server
	sandboxes
	pod_up
	server=$(pgrep -P "$(<"$T/pod.pid")" -x ringfence-files) || die "no server of directories"
	# By annotation only, as an image could: a sandbox of its own, or nothing, but not this one.
	member b 'cat /proc/uptime; hostname'
	ns network
	ns uts
	edit '.hostname="stranger"'
	s_runs
	has "$OUT" stranger
	eq "$(ls "/proc/$server/root/pod")" "" "files in the pod's server"
	# A shared pid namespace; then its process on the host is killed.
	member c 'sleep 1000 & sleep 1000; :'
	ns pid "/proc/$(<"$T/pod.pid")/ns/pid"
	good run -d --isolation sandbox --bundle "$B" --pid-file "$T/pid" "$ID"
	eq "$(ls "/proc/$server/root/pod")" "$ID"
	until_ok 5 pod_sleeps 4
	kill -9 "$(<"$T/pid")"
	until_is stopped
	until_ok 5 pod_sleeps 1
	good delete "$ID"
	eq "$(ls "/proc/$server/root/pod")" "" "files in the pod's server after delete"
	# A namespace of somebody else's is not the pod's.
	member c 'sleep 1000'
	ns pid "/proc/$NS/ns/pid"
	s_refused 'pid namespace'
	member c 'sleep 1000'
	good run -d --isolation sandbox --bundle "$B" "$ID"
	kill -9 "$(<"$T/pod.pid")"
	until_is stopped
	eq "$(rt state "$ID" | jq -r '.annotations["io.ringfence.failure"]|test("has ended")')" true "why, in state"
	good delete --force "$ID"
	pod_down
	s_over
}

tc sandbox_resolver 'sandbox: a resolver on the loopback interface of the network namespace, as Docker has one, is reached from inside'
sandbox_resolver() {
	local ns server
	sandboxes
	unshare --net sleep 1000 &
	ns=$!
	until [[ $(nslink net $ns) != "$(nslink net)" ]]; do sleep 0.05; done
	nsenter -t $ns -n ip link set lo up || die "lo"
	nsenter -t $ns -n "$RF_RFT" resolver 127.0.0.11 10.1.2.3 >"$T/server" &
	server=$!
	until_has 5 "$T/server" ready
	printf 'search x\nnameserver 127.0.0.11\noptions ndots:0\n' >"$T/resolv.conf"
	bundle
	ns network "/proc/$ns/ns/net"
	mount_entry /etc/resolv.conf bind "$T/resolv.conf" bind,ro
	edit '.root.readonly=false'
	script 'busybox nslookup peer.example; busybox nslookup none.example; for i in 1 2 3 4 5 6 7 8; do busybox nslookup p$i.example >/tmp/$i & done; wait
		cat /tmp/[1-8] | grep -c 10.1.2.3'
	try run --isolation sandbox --bundle "$B" "$ID"
	eq "$RC" 0
	has "$OUT" 10.1.2.3
	imatch "$OUT$ERR" "NXDOMAIN|can't find none"
	eq "$(tail -n 1 <<<"$OUT")" 8 "answers to many at once"
	# Nobody there: no answer, and nothing worse.
	kill $server
	script 'timeout 3 busybox nslookup peer.example; echo alive'
	s_runs
	hasnt "$OUT" 10.1.2.3
	eq "$(tail -n 1 <<<"$OUT")" alive
	kill $ns
	s_over
}
