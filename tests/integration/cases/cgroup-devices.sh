# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# linux.resources.devices: what may be made and opened.

# rules JSON
rules() {
	need_cg devices
	edit '.linux.resources.devices=$r' --argjson r "$1"
}
DENY='{"allow":false,"access":"rwm"}'
# opens TYPE MAJOR MINOR HOW: a script line that says yes or no.
PROBE='probe() { rm -f /tmp/node; mknod /tmp/node $1 $2 $3 2>/dev/null || { echo nomknod; return; }
	case $4 in
	r) head -c 0 /tmp/node 2>/tmp/err;;
	w) (: >>/tmp/node) 2>/tmp/err;;
	m) true;;
	esac && echo yes || { grep -q "not permitted" /tmp/err && echo no || echo "else: $(cat /tmp/err)"; }; }; '

tc cgdev_default '1.5: with everything denied the default devices still work'
cgdev_default() {
	bundle
	rules "[$DENY]"
	script 'echo x >/dev/null && head -c 1 /dev/zero | wc -c && head -c 1 /dev/random | wc -c && : </dev/full && : </dev/urandom && ls /dev/pts >/dev/null && echo all'
	runs
	has "$OUT" all
}

tc cgdev_denied '1.5: another device cannot be opened: kmsg'
cgdev_denied() {
	bundle
	rules "[$DENY]"
	script "$PROBE probe c 1 11 r; probe c 1 11 w"
	runs
	eq "$OUT" $'no\nno'
}

tc cgdev_mknod_allowed '1.5: any node can be made (the default rules), even if it cannot be opened'
# crun: as runc.
cgdev_mknod_allowed() {
	bundle
	rules "[$DENY]"
	script "$PROBE probe c 1 11 m; probe b 7 200 m"
	runs
	eq "$OUT" $'yes\nyes'
}

tc cgdev_allow_all '1.5: everything allowed'
cgdev_allow_all() {
	bundle
	rules '[{"allow":true,"access":"rwm"}]'
	script "$PROBE probe c 1 11 w"
	runs
	eq "$OUT" yes
}

tc cgdev_allow_one '1.5: one device allowed after the denial'
cgdev_allow_one() {
	bundle
	rules "[$DENY,{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"rw\"}]"
	script "$PROBE probe c 1 11 w; probe c 1 1 r"
	runs
	eq "$OUT" $'yes\nno'
}

tc cgdev_access '1.5: access w: writing only'
cgdev_access() {
	bundle
	rules "[$DENY,{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"w\"}]"
	script "$PROBE probe c 1 11 w; probe c 1 11 r"
	runs
	eq "$OUT" $'yes\nno'
}

tc cgdev_wildcard '1.5: a major number without a minor'
cgdev_wildcard() {
	bundle
	rules "[$DENY,{\"allow\":true,\"type\":\"c\",\"major\":1,\"access\":\"rw\"}]"
	script "$PROBE probe c 1 11 w; probe c 4 64 w"
	runs
	eq "$(head -n 1 <<<"$OUT")" yes
	eq "$(tail -n 1 <<<"$OUT")" no
}

tc cgdev_order '1.5: the order counts: a denial after an allowance'
cgdev_order() {
	bundle
	rules "[$DENY,{\"allow\":true,\"type\":\"c\",\"major\":1,\"access\":\"rw\"},{\"allow\":false,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"rw\"}]"
	if ! on_v2 devices; then
		# v1 has lists without order: crun and runc both take that rule away only if it is exactly there.
		rules "[$DENY,{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"rw\"},{\"allow\":false,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"rw\"}]"
	fi
	script "$PROBE probe c 1 11 w"
	runs
	eq "$OUT" no
}

tc cgdev_exec '1.5: exec is bound by the same rules'
cgdev_exec() {
	bundle
	rules "[$DENY]"
	up
	exec_good sh -c "$PROBE probe c 1 11 r"
	eq "$OUT" no
}

tc cgdev_block '1.5: the host'\''s disk cannot be read'
cgdev_block() {
	local disk
	disk=$(a_disk) || skip "no block device"
	bundle
	rules "[$DENY]"
	script "$PROBE probe b ${disk%:*} ${disk#*:} r"
	runs
	eq "$OUT" no
}

tc cgdev_block_allowed '1.5: unless it is allowed (the control)'
cgdev_block_allowed() {
	local disk
	disk=$(a_disk) || skip "no block device"
	mknod "$T/disk" b "${disk%:*}" "${disk#*:}"
	(: <"$T/disk") 2>/dev/null || skip "this host lets nobody open its disk"
	bundle
	rules "[$DENY,{\"allow\":true,\"type\":\"b\",\"major\":${disk%:*},\"minor\":${disk#*:},\"access\":\"r\"}]"
	script "$PROBE probe b ${disk%:*} ${disk#*:} r"
	runs
	eq "$OUT" yes
}

tc cgdev_listed '1.5: linux.devices alone opens nothing; with a rule it does'
cgdev_listed() {
	can mknod "$T" || skip "no mknod"
	bundle
	edit '.linux.devices=[{path:"/dev/kmsg",type:"c",major:1,minor:11,fileMode:438}]'
	rules "[$DENY,{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"rwm\"}]"
	script ': >>/dev/kmsg && echo opened'
	runs
	eq "$OUT" opened
}

cgdev_bad() { # RULE
	bundle
	rules "[$1]"
	refused 'device|access|type'
}
tc "cgdev_bad '{\"allow\":true,\"type\":\"z\",\"access\":\"r\"}'" '1.5: an unknown type: refused'
tc "cgdev_bad '{\"allow\":true,\"type\":\"c\",\"access\":\"rx\"}'" '1.5: an unknown access: refused'

tc cgdev_host 'the host'\''s own rules are not touched'
cgdev_host() {
	bundle
	rules "[$DENY]"
	up
	: >>/dev/kmsg || skip "this host does not let us open kmsg anyway"
}
