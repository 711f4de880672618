# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the benchmarks: crun before 1.19 refuses a mixed cgroup hierarchy while cgroup2 has a controller of its own, which on such a host is
# hugetlb. A v1 mount takes that away, and has to be given back, or every engine that looks for hugetlb is confused until the next boot.

hugetlb=''
# hugetlb_borrow: mounts it on v1, if that is what is in the way.
hugetlb_borrow() {
	if [ "$(cat /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null)" = hugetlb ] && ! mountpoint -q /sys/fs/cgroup/hugetlb; then
		mkdir -p /sys/fs/cgroup/hugetlb
		mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb && hugetlb=1
	fi
}

# hugetlb_give_back NAME...: what was made in it has names like these patterns; nothing else is removed.
hugetlb_give_back() {
	local name match=()
	[ -n "$hugetlb" ] || return 0
	for name; do match+=(-o -name "$name"); done
	# A hierarchy that has children when it is unmounted stays. The kernel takes its time with those that were just removed: a minute was seen, and it
	# begins again if the hierarchy is mounted meanwhile.
	find /sys/fs/cgroup/hugetlb -mindepth 1 -depth -type d \( -false "${match[@]}" \) -exec rmdir {} + 2>/dev/null || true
	sleep 1
	umount /sys/fs/cgroup/hugetlb
	for _ in $(seq 240); do
		# Not -s: the size of such a file is always 0.
		! grep -qw hugetlb /sys/fs/cgroup/unified/cgroup.controllers || break
		sleep 0.5
	done
	rmdir /sys/fs/cgroup/hugetlb 2>/dev/null || true
	grep -qw hugetlb /sys/fs/cgroup/unified/cgroup.controllers || echo "${0##*/}: hugetlb stays a v1 hierarchy: something is left in it" >&2
}
