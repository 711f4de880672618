# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# Races: a partition that shares a volume swaps what the runtime is about to use.

# racing PATH-A PATH-B: swapped for ever in the background.
racing() {
	"$RF_RFT" exchange "$1" "$2" >/dev/null 2>&1 &
	RACER=$!
}
rounds() { if slow || sanitized; then echo 10; else echo 40; fi; }

tc race_destination 'CVE-2021-30465: a mount destination is swapped for a symlink that leads out, many times'
race_destination() {
	local n
	bundle
	outside
	mkdir "$ROOTFS/vol" "$ROOTFS/vol/a" "$T/source"
	touch "$T/source/intruder"
	ln -s "../../../../../../../..$T/outside" "$ROOTFS/vol/b"
	mount_entry /vol/a bind "$T/source" bind
	mount_entry /vol/a/sub tmpfs tmpfs ''
	script 'cat /proc/self/mountinfo'
	racing "$ROOTFS/vol/a" "$ROOTFS/vol/b"
	for ((n = 0; n < $(rounds); n++)); do
		try run --bundle "$B" "$ID"
		# That path may well appear in the table, as a place of that name below the root: the link is followed there.
		untouched
	done
	kill "$RACER"
}

tc race_mkdir 'CVE-2024-45310: a parent of a missing destination is swapped: nothing is made outside'
race_mkdir() {
	local n
	bundle
	outside
	mkdir -p "$ROOTFS/vol/a" "$T/source"
	ln -s "../../../../../../../..$T/outside" "$ROOTFS/vol/b"
	edit '.mounts+=[range(20)|{destination:"/vol/a/n\(.)/deep",type:"bind",source:$s,options:["bind"]}]' --arg s "$T/source"
	args true
	racing "$ROOTFS/vol/a" "$ROOTFS/vol/b"
	for ((n = 0; n < $(rounds); n++)); do
		try run --bundle "$B" "$ID"
		untouched
		rm -rf --one-file-system "$ROOTFS/vol/a/"n* 2>/dev/null
	done
	kill "$RACER"
}

tc race_proc 'CVE-2019-19921: /proc of the image is swapped for a symlink: never mounted elsewhere'
race_proc() {
	local n
	bundle
	mkdir "$ROOTFS/elsewhere"
	ln -s elsewhere "$ROOTFS/proc.link"
	script 'while read -r a b c d e f; do echo "$e $f"; done </elsewhere/self/mountinfo'
	racing "$ROOTFS/proc" "$ROOTFS/proc.link"
	for ((n = 0; n < $(rounds) / 2; n++)); do
		try run --bundle "$B" "$ID"
		hasnt "$OUT" '/elsewhere ' "mountinfo of a procfs that was mounted elsewhere"
	done
	kill "$RACER"
}

tc race_console 'CVE-2025-52565: /dev/console is swapped for a symlink that leads out'
race_console() {
	local n
	bundle
	outside
	no_mount /dev
	no_mount /dev/pts
	no_mount /dev/shm
	mkdir -p "$ROOTFS/dev/pts"
	mount_entry /dev/pts devpts devpts newinstance,ptmxmode=0666,mode=0620
	touch "$ROOTFS/dev/console"
	ln -s "../../../../../../../..$T/outside/file" "$ROOTFS/dev/other"
	edit '.process.terminal=true|.process.user={uid:1000,gid:1000}'
	script 'echo overwritten >/dev/console'
	racing "$ROOTFS/dev/console" "$ROOTFS/dev/other"
	for ((n = 0; n < $(rounds) / 4; n++)); do
		"$RF_RFT" pty 24 80 '' '' "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID" >/dev/null 2>&1 </dev/null
		untouched
	done
	kill "$RACER"
}

tc race_null_mask 'CVE-2025-31133: /dev/null is swapped while it is to mask: nothing of /proc becomes writable'
race_null_mask() {
	local n
	bundle
	no_mount /dev/pts
	no_mount /dev/shm
	no_mount /dev
	mkdir "$T/dev"
	mount_entry /dev bind "$T/dev" bind
	mknod "$T/dev/null" c 1 3 || skip "no mknod"
	ln -s /proc/sys/kernel/shmmni "$T/dev/other"
	edit '.linux.maskedPaths=["/proc/version","/proc/cmdline"]|.linux.readonlyPaths=["/proc/sys"]'
	script 'cat /proc/version /proc/cmdline; echo 77 >/proc/version'
	racing "$T/dev/null" "$T/dev/other"
	for ((n = 0; n < $(rounds) / 2; n++)); do
		try run --bundle "$B" "$ID"
		[[ $RC != 0 ]] || eq "$OUT" '' "masked files"
	done
	kill "$RACER"
}
