# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# The words of mounts[].options, seen in mountinfo from inside and by what they do.

# optioned OPTIONS: a tmpfs at /t with these; its line of mountinfo in LINE.
optioned() {
	bundle
	mount_entry /t tmpfs tmpfs "$1"
	args cat /proc/self/mountinfo
	runs
	LINE=$(mount_in /t)
}
set_word() { # OPTION SHOWN
	optioned "$1"
	has ",${LINE%%|*},${LINE##*|}," ",$2,"
}
clear_word() { # OPTIONS NOT-SHOWN
	optioned "$1"
	hasnt ",${LINE%%|*},${LINE##*|}," ",$2,"
}
for pair in ro:ro nosuid:nosuid nodev:nodev noexec:noexec noatime:noatime nodiratime:nodiratime relatime:relatime sync:sync \
	dirsync:dirsync rw:rw lazytime:lazytime nosymfollow:nosymfollow; do
	tc "set_word ${pair%:*} ${pair#*:}" "R9: ${pair%:*}"
done
for pair in nosuid,suid:nosuid nodev,dev:nodev noexec,exec:noexec ro,rw:ro noatime,atime:noatime nodiratime,diratime:nodiratime \
	sync,async:sync lazytime,nolazytime:lazytime strictatime:relatime nosymfollow,symfollow:nosymfollow \
	relatime,strictatime:relatime noatime,strictatime:noatime; do
	tc "clear_word ${pair%:*} ${pair#*:}" "R9: ${pair%:*}: the last word holds"
done

tc options_all 'R9 to R11: every word that is no data is understood, not handed to the file system'
options_all() {
	bundle
	mount_entry /t tmpfs tmpfs async,atime,dev,diratime,exec,iversion,loud,mand,noiversion,nolazytime,nomand,norelatime,nostrictatime,rw,silent,suid
	mount_entry /u tmpfs tmpfs defaults
	args cat /proc/self/mountinfo
	runs
	has "$(mount_in /t)" '|tmpfs|'
	has "$(mount_in /u)" '|tmpfs|'
}

tc options_remount 'R9: remount changes the flags of what an earlier entry mounted'
options_remount() {
	bundle
	mkdir "$T/vol"
	mount_entry /t tmpfs tmpfs nosuid
	mount_entry /t '' tmpfs remount,ro,nosuid,nodev
	mount_entry /v bind "$T/vol" bind
	mount_entry /v '' "$T/vol" bind,remount,ro,noexec
	script 'cat /proc/self/mountinfo; touch /t/x /v/x 2>&1'
	try run --bundle "$B" "$ID"
	opt "$(mount_in /t)" ro
	opt "$(mount_in /t)" nosuid
	opt "$(mount_in /t)" nodev
	opt "$(mount_in /v)" ro
	opt "$(mount_in /v)" noexec
	eq "$(grep -ic 'read-only file system' <<<"$OUT")" 2
	eq "$(ls -A "$T/vol")" ''
	ok touch "$T/vol/still-writable-outside"
}

tc options_data 'R11: unknown words are joined and go to the file system'
options_data() {
	optioned nosuid,size=2048k,mode=700,nr_inodes=77
	has "$LINE" nr_inodes=77
	has "$LINE" size=2048k
	opt "$LINE" nosuid
}

tc options_data_bad 'R11: a word that the file system does not know: an error'
options_data_bad() {
	bundle
	mount_entry /t tmpfs tmpfs nosuchoption
	refused 'options that are not for every mount go to the file system: does tmpfs know these'
}

# bound OPTIONS [FILTER]: a bind at /v of a tmpfs with a submount; LINE and SUBLINE.
bound() {
	bundle
	mkdir "$T/vol"
	mount -t tmpfs none "$T/vol"
	mkdir "$T/vol/sub"
	mount -t tmpfs none "$T/vol/sub"
	mount_entry /v bind "$T/vol" "$1"
	edit "${2:-.}"
	args cat /proc/self/mountinfo
	runs
	LINE=$(mount_in /v)
	SUBLINE=$(mount_in /v/sub)
}
bind_word() { # OPTIONS SHOWN
	bound "rbind,$1"
	opt "$LINE" "$2"
	noopt "$SUBLINE" "$2"
	noopt "$(minfo "$T/vol" /proc/self/mountinfo)" "$2"
}
for w in ro nosuid nodev noexec noatime nodiratime; do
	tc "bind_word $w $w" "R14: bind with $w: on the bind, not on submounts, not on the source"
done

recursive_word() { # OPTION SHOWN
	need_mount_setattr
	bound "rbind,$1"
	opt "$LINE" "$2"
	opt "$SUBLINE" "$2"
	noopt "$(minfo "$T/vol/sub" /proc/self/mountinfo)" "$2"
}
for pair in rro:ro rnosuid:nosuid rnodev:nodev rnoexec:noexec rnoatime:noatime rnodiratime:nodiratime rnosymfollow:nosymfollow; do
	tc "recursive_word ${pair%:*} ${pair#*:}" "R10: ${pair%:*}: on submounts as well"
done
recursive_clear() { # OPTION HIDDEN
	need_mount_setattr
	bundle
	mkdir "$T/vol"
	mount -t tmpfs -o "$2" none "$T/vol"
	mkdir "$T/vol/sub" 2>/dev/null || { mount -o remount,rw "$T/vol" && mkdir "$T/vol/sub" && mount -o "remount,$2" "$T/vol"; }
	mount -t tmpfs -o "$2" none "$T/vol/sub"
	mount --bind -o "remount,$2" "$T/vol/sub"
	mount_entry /v bind "$T/vol" "rbind,$1"
	args cat /proc/self/mountinfo
	runs
	noopt "$(mount_in /v)" "$2"
	noopt "$(mount_in /v/sub)" "$2"
}
for pair in rsuid:nosuid rdev:nodev rexec:noexec ratime:noatime rdiratime:nodiratime rstrictatime:noatime rrelatime:noatime \
	rsymfollow:nosymfollow; do
	tc "recursive_clear ${pair%:*} ${pair#*:}" "R10: ${pair%:*} takes ${pair#*:} back, on submounts as well"
done
# A tmpfs made with -o ro has a read-only superblock, which no mount option undoes: so rrw has a case of its own.
tc options_rrw 'R10: rrw takes read-only back, on submounts as well'
options_rrw() {
	need_mount_setattr
	bundle
	mkdir "$T/vol"
	mount -t tmpfs none "$T/vol"
	mkdir "$T/vol/sub"
	mount -t tmpfs none "$T/vol/sub"
	mount -o remount,bind,ro "$T/vol/sub"
	mount -o remount,bind,ro "$T/vol"
	mount_entry /v bind "$T/vol" rbind,rrw
	script 'touch /v/x /v/sub/y && echo written'
	runs
	eq "$OUT" written
}

tc options_rro_effect 'R10: rro: no write in a submount; ro alone: a write there'
options_rro_effect() {
	need_mount_setattr
	bundle
	mkdir "$T/vol"
	mount -t tmpfs none "$T/vol"
	mkdir "$T/vol/sub"
	mount -t tmpfs none "$T/vol/sub"
	mount_entry /ro bind "$T/vol" rbind,ro
	mount_entry /rro bind "$T/vol" rbind,rro
	script 'for d in /ro /ro/sub /rro /rro/sub; do touch $d/x 2>/dev/null && echo $d; done; true'
	runs
	eq "$OUT" /ro/sub
}

tc options_bind_effect 'R14: what the flags of a bind do: ro, noexec, nodev, nosuid'
options_bind_effect() {
	bundle
	mkdir "$T/vol"
	cp "$ROOTFS/bin/busybox" "$T/vol/echo"
	mknod "$T/vol/null" c 1 3
	mount_entry /v bind "$T/vol" bind,ro,noexec,nodev
	edit '.linux.resources.devices=[{allow:true,access:"rwm"}]'
	script 'touch /v/x 2>&1; /v/echo no 2>&1; cat /v/null 2>&1'
	try run --bundle "$B" "$ID"
	imatch "$OUT" 'read-only'
	eq "$(grep -ic 'permission denied' <<<"$OUT")" 2
}

propagation() { # OPTION OPTIONAL-FIELDS-REGEX
	local root
	# The root's propagation comes first, as engines set it along with such a mount.
	[[ $1 != *private && $1 != *unbindable ]] || root=private
	[[ $1 != *shared ]] || root=shared
	[[ $1 != *slave ]] || root=rslave
	bound "rbind,$1" ".linux.rootfsPropagation=\"$root\""
	match "|$(cut -d'|' -f2 <<<"$LINE")|" "$2" "$1"
}
tc 'propagation shared "shared:"' 'R9: shared'
tc 'propagation slave "^.master:[0-9]+( propagate_from:[0-9]+)?.$"' 'R9: slave'
tc 'propagation private "^..$"' 'R9: private'
tc 'propagation unbindable "unbindable"' 'R9: unbindable'
recursive_propagation() { # OPTION REGEX
	local root
	# The root's propagation comes first, as engines set it along with such a mount.
	[[ $1 != *private && $1 != *unbindable ]] || root=private
	[[ $1 != *shared ]] || root=shared
	[[ $1 != *slave ]] || root=rslave
	bound "rbind,$1" ".linux.rootfsPropagation=\"$root\""
	match "|$(cut -d'|' -f2 <<<"$LINE")|" "$2" "$1"
	match "|$(cut -d'|' -f2 <<<"$SUBLINE")|" "$2" "$1 of the submount"
}
tc 'recursive_propagation rshared "shared:"' 'R9: rshared'
tc 'recursive_propagation rslave "^.master:"' 'R9: rslave'
tc 'recursive_propagation rprivate "^..$"' 'R9: rprivate'
tc 'recursive_propagation runbindable "unbindable"' 'R9: runbindable'

tc options_bind_data 'R14: data for a file system on a bind: refused, it would be dropped silently'
# crun and old runc take it.
options_bind_data() {
	bundle
	mkdir "$T/vol"
	mount_entry /v bind "$T/vol" bind,size=4k
	refused 'size=4k|/v|data'
}

tc options_tmpfs_ro 'R16: a read-only tmpfs'
options_tmpfs_ro() {
	bundle
	mount_entry /t tmpfs tmpfs ro,mode=755
	script 'touch /t/x 2>&1'
	try run --bundle "$B" "$ID"
	imatch "$OUT" 'read-only'
}

tc options_symfollow_effect 'R10: nosymfollow: symlinks on that mount are not followed'
options_symfollow_effect() {
	bundle
	mkdir "$T/vol"
	ln -s /etc/file "$T/vol/link"
	mount_entry /n bind "$T/vol" bind,nosymfollow
	mount_entry /y bind "$T/vol" bind
	script 'cat /y/link; cat /n/link 2>&1'
	try run --bundle "$B" "$ID"
	eq "$(head -n 1 <<<"$OUT")" inside
	imatch "$OUT" 'symbolic links'
}

tc options_recursive_words 'R10: the recursive words that only undo something are understood as well'
options_recursive_words() {
	need_mount_setattr
	bound rbind,rnostrictatime,rrw,rsuid,rdev,rexec,rdiratime
	has "$LINE" tmpfs
	bound rbind,rnorelatime
	has "$LINE" tmpfs
}
