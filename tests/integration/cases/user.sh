# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# process.user: ids, groups, umask, ownership of the standard streams.

tc user_ids 'P15: uid and gid, inside and outside'
user_ids() {
	bundle
	edit '.process.user={uid:1000,gid:1001}'
	up
	eq "$(proc Uid)" '1000 1000 1000 1000'
	eq "$(proc Gid)" '1001 1001 1001 1001'
	exec_good id -u
	eq "$OUT" 1000
}

tc user_groups 'P15: additionalGids are the supplementary groups'
user_groups() {
	bundle
	edit '.process.user={uid:1000,gid:1000,additionalGids:[5,2000,70000]}'
	up
	eq "$(proc Groups)" '5 2000 70000 '
	ex rft inspect
	kv_is groups 5,2000,70000
}

tc user_groups_dropped 'P15: the caller'\''s supplementary groups do not get in'
user_groups_dropped() {
	bundle
	inspect
	grab setpriv --groups 4,20,44 "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is groups ''
}

# runc has no such annotation.
tc user_groups_kept '2.6: run.oci.keep_original_groups keeps them'
user_groups_kept() {
	bundle
	inspect
	edit '.annotations={"run.oci.keep_original_groups":"1"}'
	grab setpriv --groups 4,20,44 "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is groups 4,20,44
}

tc user_umask 'P15: umask is set'
user_umask() {
	bundle
	edit '.process.user.umask=23'
	script 'umask; touch /tmp/x; stat -c %a /tmp/x'
	runs
	eq "$OUT" $'0027\n640'
}

tc user_umask_absent 'P15: without umask the payload has 0022 or the caller'\''s'
user_umask_absent() {
	bundle
	inspect
	umask 0022
	runs
	kv_is umask 0022
}

tc user_large_ids 'P15: the largest ids'
# runc ends at 2^31-1.
user_large_ids() {
	bundle
	edit '.process.user={uid:4294967294,gid:4294967294}'
	up
	eq "$(proc Uid)" '4294967294 4294967294 4294967294 4294967294'
}

tc user_bad_ids 'P15: a uid out of range: refused, never taken for another'
user_bad_ids() {
	local v
	bundle
	for v in -1 4294967296 1.5 '"1000"'; do
		edit ".process.user={uid:$v,gid:0}"
		bad . create --bundle "$B" "$ID"
		gone
	done
}

tc user_stdout_reopen 'P15: a user can reopen its stdout and stderr when they are pipes'
user_stdout_reopen() {
	bundle
	edit '.process.user={uid:1000,gid:1000}'
	script 'echo one >/dev/stdout; echo two >/dev/stderr'
	OUT=$({ rt run --bundle "$B" "$ID" 2>&1; } | cat)
	has "$OUT" one
	has "$OUT" two
	hasnt "$OUT" denied
}

tc user_stdout_userns 'P15: in a user namespace root, other users, and commands of exec can reopen pipes as their stdout and stderr'
user_stdout_userns() {
	local uid
	need_userns
	for uid in 0 1000; do
		bundle "b$uid"
		userns
		no_mount /sys
		edit '.process.user={uid:$u,gid:$u}' --argjson u $uid
		script 'echo one >/dev/stdout; echo two >/dev/stderr; exec sleep 100'
		{ rt run -d --bundle "$B" "$ID-$uid" 2>&1 </dev/null; } | cat >"$T/out.$uid" &
		until_has 5 "$T/out.$uid" two
		OUT=$({ rt exec --user $uid "$ID-$uid" sh -c 'echo three >/dev/stdout; echo four >/dev/stderr' 2>&1; } | cat)
		eq "$OUT" $'three\nfour'
		down "$ID-$uid"
		wait $!
		eq "$(<"$T/out.$uid")" $'one\ntwo'
	done
}

tc user_null_not_chowned 'P15: the host'\''s /dev/null never changes owner'
user_null_not_chowned() {
	bundle
	edit '.process.user={uid:1000,gid:1000}'
	args true
	rt run --bundle "$B" "$ID" </dev/null >/dev/null 2>/dev/null || die "run"
	eq "$(stat -c %u:%g:%a /dev/null)" 0:0:666
}

tc user_file_not_chowned 'P15: a regular file as stdout keeps its owner (a log of the host)'
# runc and crun before 1.29 give the file to the user.
user_file_not_chowned() {
	bundle
	edit '.process.user={uid:1000,gid:1000}'
	args true
	touch "$T/log"
	rt run --bundle "$B" "$ID" </dev/null >"$T/log" 2>&1 || die "run"
	eq "$(stat -c %u "$T/log")" 0
}

tc user_home_permission 'P3: cwd is entered with the payload'\''s rights where root has none (or before they are given up)'
user_home_permission() {
	bundle
	mkdir -m 700 "$ROOTFS/private"
	chown 1000:1000 "$ROOTFS/private"
	edit '.process.user={uid:1000,gid:1000}|.process.cwd="/private"|.process.capabilities={}'
	args pwd
	runs
	eq "$OUT" /private
}
