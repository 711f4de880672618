# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# blockIO, hugepageLimits, network, rdma, unified.

disk() { DISK=$(a_disk) || skip "no block device to limit"; }

# throttle PROPERTY V1FILE V2KEY
throttle() {
	need_cgfile "$(if [[ $(cg_kind io) == v2 ]]; then echo io; else echo blkio; fi)" "$2" io.max
	disk
	bundle
	limit ".blockIO={$1:[{major:${DISK%:*},minor:${DISK#*:},rate:1048576}]}"
	up
	if on_v2 io; then
		match "$(cg io - io.max)" "$DISK .*$3=1048576"
	else
		has "$(cg blkio "$2" -)" "$DISK 1048576"
	fi
}
tc 'throttle throttleReadBpsDevice blkio.throttle.read_bps_device rbps' '1.5: throttleReadBpsDevice'
tc 'throttle throttleWriteBpsDevice blkio.throttle.write_bps_device wbps' '1.5: throttleWriteBpsDevice'
tc 'throttle throttleReadIOPSDevice blkio.throttle.read_iops_device riops' '1.5: throttleReadIOPSDevice'
tc 'throttle throttleWriteIOPSDevice blkio.throttle.write_iops_device wiops' '1.5: throttleWriteIOPSDevice'

tc throttle_many '1.5: several throttles of one device'
throttle_many() {
	need_cgfile "$(if [[ $(cg_kind io) == v2 ]]; then echo io; else echo blkio; fi)" blkio.throttle.read_bps_device io.max
	disk
	bundle
	limit ".blockIO={throttleReadBpsDevice:[{major:${DISK%:*},minor:${DISK#*:},rate:1000000}],
		throttleWriteIOPSDevice:[{major:${DISK%:*},minor:${DISK#*:},rate:77}]}"
	up
	if on_v2 io; then
		has "$(cg io - io.max)" "rbps=1000000"
		has "$(cg io - io.max)" "wiops=77"
	else
		has "$(cg blkio blkio.throttle.read_bps_device -)" "$DISK 1000000"
		has "$(cg blkio blkio.throttle.write_iops_device -)" "$DISK 77"
	fi
}

# A file for weights is there only with the right I/O scheduler.
weight_file() {
	local f
	if on_v2 io; then
		for f in io.bfq.weight io.weight; do can cgfile io $f && echo $f && return; done
	else
		for f in blkio.bfq.weight blkio.weight; do can cgfile blkio $f && echo $f && return; done
	fi
	return 1
}

tc io_weight '1.5: blockIO.weight'
io_weight() {
	local file
	file=$(weight_file) || skip "no weights in this kernel's block layer"
	bundle
	limit '.blockIO={weight:500}'
	up
	case $file in
	io.bfq.weight) has "$(cg io - "$file")" 500 ;;
	io.weight) has "$(cg io - "$file")" $((1 + (500 - 10) * 9999 / 990)) ;;
	*) match "$(cg blkio "$file" -)" '(^|default )500' ;;
	esac
}

tc io_weight_missing '1.5: blockIO.weight where the kernel has none: an error that names it'
# crun and runc: no error on v1, silently dropped.
io_weight_missing() {
	weight_file >/dev/null && skip "there are weights"
	[[ $(cg_kind io)$(cg_kind blkio) != nonenone ]] || skip "no block I/O controller"
	bundle
	limit '.blockIO={weight:500}'
	refused 'weight|blkio|io'
}

tc io_bad_device '1.5: a throttle for a device that does not exist: an error'
io_bad_device() {
	need_cgfile "$(if [[ $(cg_kind io) == v2 ]]; then echo io; else echo blkio; fi)" blkio.throttle.read_bps_device io.max
	bundle
	limit '.blockIO={throttleReadBpsDevice:[{major:4000,minor:1,rate:1000}]}'
	refused 'blkio|io|4000|device'
}

hugepage_sizes() { find /sys/kernel/mm/hugepages -name 'hugepages-*kB' -printf '%f\n' | sed 's/hugepages-\(.*\)kB/\1/'; }
page_name() { if (($1 >= 1048576)); then echo $(($1 / 1048576))GB; elif (($1 >= 1024)); then echo $(($1 / 1024))MB; else echo "$1"KB; fi; }

tc hugetlb_limit '1.5: hugepageLimits, and the reservation limit with it'
# crun and runc know no hugetlb on a mixed host's cgroup2.
hugetlb_limit() {
	local size name
	need_cg hugetlb
	size=$(hugepage_sizes | head -n 1)
	[[ -n $size ]] || skip "no huge pages in this kernel"
	name=$(page_name "$size")
	bundle
	limit ".hugepageLimits=[{pageSize:\"$name\",limit:$((size * 1024 * 2))}]"
	up
	cg_is hugetlb "hugetlb.$name.limit_in_bytes" $((size * 1024 * 2)) "hugetlb.$name.max" $((size * 1024 * 2))
	[[ ! -e $(cg_dir hugetlb)/hugetlb.$name.rsvd.max ]] || eq "$(<"$(cg_dir hugetlb)/hugetlb.$name.rsvd.max")" $((size * 1024 * 2))
}

tc hugetlb_bad_size '1.5: a page size that the kernel does not have: an error'
hugetlb_bad_size() {
	need_cg hugetlb
	bundle
	limit '.hugepageLimits=[{pageSize:"3MB",limit:0}]'
	refused 'hugetlb|page|3MB'
}

tc net_cls '1.5: network.classID'
net_cls() {
	need_cgfile net_cls net_cls.classid -
	bundle
	limit '.network={classID:1048577}'
	up
	eq "$(cg net_cls net_cls.classid -)" 1048577
}

tc net_cls_missing '1.5: network.classID where there is no net_cls: an error that names it'
net_cls_missing() {
	[[ $(cg_kind net_cls) == none ]] || skip "there is net_cls"
	bundle
	limit '.network={classID:1048577}'
	refused 'net_cls|classid|network'
}

tc net_prio '1.5: network.priorities'
net_prio() {
	need_cgfile net_prio net_prio.ifpriomap -
	bundle
	limit '.network={priorities:[{name:"lo",priority:5}]}'
	up
	has "$(cg net_prio net_prio.ifpriomap -)" 'lo 5'
}

tc rdma '1.5: rdma'
rdma() {
	need_cg rdma
	local dev
	dev=$(find /sys/class/infiniband -mindepth 1 -printf '%f\n' -quit 2>/dev/null)
	[[ -n $dev ]] || skip "no RDMA device"
	bundle
	limit ".rdma={\"$dev\":{hcaHandles:3,hcaObjects:100}}"
	up
	has "$(cg rdma rdma.max rdma.max)" 'hca_handle=3 hca_object=100'
}

tc rdma_missing '1.5: rdma where there is no such controller or device: an error'
rdma_missing() {
	[[ ! -e /sys/class/infiniband/nosuch ]] || skip "that device exists"
	bundle
	limit '.rdma={"nosuch":{hcaHandles:3}}'
	refused 'rdma|nosuch'
}

tc unified_keys '1.5: unified: each key is written as it stands'
unified_keys() {
	pure_v2 || skip "no pure cgroup v2 host"
	bundle
	limit '.unified={"memory.high":"50331648","pids.max":"55"}'
	up
	eq "$(cg memory - memory.high)" 50331648
	eq "$(cg pids - pids.max)" 55
}

tc unified_enables '1.5: unified: the controller of a key is enabled on the way'
unified_enables() {
	pure_v2 || skip "no pure cgroup v2 host"
	on_v2 cpuset || skip "no cpuset on v2"
	bundle
	limit '.unified={"cpuset.cpus":"0"}'
	up
	eq "$(cg cpuset - cpuset.cpus)" 0
}

tc unified_mixed '1.5: unified on a mixed host: the controllers that cgroup2 has there'
# crun refuses mixed hosts, runc knows no cgroup2 there.
unified_mixed() {
	local size name
	pure_v2 && skip "no mixed host"
	pure_v1 && skip "no mixed host"
	on_v2 hugetlb || skip "cgroup2 has no hugetlb here"
	size=$(hugepage_sizes | head -n 1)
	name=$(page_name "$size")
	bundle
	limit ".unified={\"hugetlb.$name.max\":\"$((size * 1024))\"}"
	up
	eq "$(cg hugetlb - "hugetlb.$name.max")" $((size * 1024))
}

tc unified_v1 '1.5: unified on a pure v1 host: refused'
unified_v1() {
	pure_v1 || skip "no pure v1 host"
	bundle
	limit '.unified={"memory.high":"50331648"}'
	refused 'unified|v2|v1'
}

tc unified_slash '1.5: unified: a key with a slash: refused'
unified_slash() {
	bundle
	limit '.unified={"../memory.max":"50331648"}'
	refused 'unified|/'
}

tc unified_missing '1.5: unified: a controller that is not there: an error that names it'
unified_missing() {
	bundle
	limit '.unified={"nosuch.max":"5"}'
	refused 'nosuch|unified'
}

tc io_weight_device '1.5: blockIO.weightDevice'
io_weight_device() {
	local file
	disk
	file=$(weight_file) || skip "no weights in this kernel's block layer"
	if on_v2 io; then can cgfile io "$file"; else file=${file}_device && can cgfile blkio "$file"; fi || skip "no $file"
	bundle
	limit ".blockIO={weightDevice:[{major:${DISK%:*},minor:${DISK#*:},weight:300}]}"
	# Whether the kernel takes it depends on the disk's scheduler; then the refusal must name the device or the file.
	try create --bundle "$B" --pid-file "$T/pid" "$ID"
	if [[ $RC == 0 ]]; then
		# shellcheck disable=SC2034
		PID=$(<"$T/pid")
		match "$(cg "$(if on_v2 io; then echo io; else echo blkio; fi)" "$file" "$file")" "$DISK "
	else
		imatch "$ERR" 'weight|blkio|io'
	fi
}

tc io_leaf_weight_missing '1.5: blockIO.leafWeight where the kernel has none: an error that names it'
io_leaf_weight_missing() {
	! can cgfile blkio blkio.leaf_weight || skip "there are leaf weights"
	bundle
	limit '.blockIO={leafWeight:500}'
	refused 'leaf|weight|blkio|io'
}

tc io_weight_update '2.2: update --blkio-weight'
io_weight_update() {
	local file
	file=$(weight_file) || skip "no weights in this kernel's block layer"
	bundle
	up
	good update --blkio-weight 700 "$ID"
	if on_v2 io; then
		[[ $file == io.weight ]] || has "$(cg io - "$file")" 700
	else
		match "$(cg blkio "$file" -)" '(^|default )700'
	fi
}
