# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016
# What this host is and can do. The kernel is asked, by trying; never the runtime, and nothing is known by name.

# can WHAT [ARG]: rft's questions and the functions try_WHAT below, each asked once a run.
can() {
	local key=$RF_WORK/can/${*//\//_}
	if [[ ! -e $key ]]; then
		mkdir -p "$RF_WORK/can"
		if { declare -F "try_$1" >/dev/null && "try_$1" "${@:2}" || "$RF_RFT" can "$@"; } >/dev/null 2>&1; then
			echo yes >"$key.$BASHPID"
		else
			echo no >"$key.$BASHPID"
		fi
		mv "$key.$BASHPID" "$key"
	fi
	[[ $(<"$key") == yes ]]
}
need_userns() { can userns || skip "no user namespaces"; }
need_idmap() { can idmap "${1:-$T}" || skip "no idmapped mounts on the file system of ${1:-the temporary directory}"; }
need_mount_setattr() { can mount_setattr || skip "no mount_setattr(2)"; }
need_timens() { can timens || skip "no time namespaces"; }
need_cmd() {
	local c
	for c; do command -v "$c" >/dev/null || skip "no $c on this machine"; done
}
need_fs() { grep -qw "$1" /proc/filesystems || can mount_fs "$1" || skip "the kernel has no $1"; }
# LeakSanitizer ends a process that is traced, and its handlers are not those of a program that a tracer is to see.
traceable() { ! sanitized || skip "sanitizers do not work under ptrace"; }
cgroupfs_only() { [[ $RF_MANAGER == cgroupfs ]] || skip "about the cgroupfs manager"; }
systemd_only() { [[ $RF_MANAGER == systemd ]] || skip "about the systemd manager"; }

try_mount_fs() {
	local d rc
	d=$(mktemp -d "$RF_WORK/can/fs.XXXXXX")
	mount -t "$1" none "$d"
	rc=$?
	umount "$d"
	return $rc
}
try_overlay() {
	local d rc
	d=$(mktemp -d "$RF_WORK/can/ovl.XXXXXX")
	mkdir "$d"/{l,u,w,m}
	mount -t overlay o -o "lowerdir=$d/l,upperdir=$d/u,workdir=$d/w" "$d/m"
	rc=$?
	umount "$d/m"
	return $rc
}
# A link that may be moved to another network namespace.
try_veth() { unshare -n ip link add v0 type veth peer name v1; }
try_apparmor() { [[ $(</sys/module/apparmor/parameters/enabled) == Y && -d /sys/kernel/security/apparmor ]]; }
try_selinux() { grep -q selinuxfs /proc/mounts; }
try_swap() { [[ $(wc -l </proc/swaps) -gt 1 ]]; }
# Does a v1 cpu cgroup get a real-time budget?
try_rt_budget() {
	local dir rc=1
	dir=$(v1_root cpu)/rft-probe-$BASHPID
	mkdir "$dir" || return 1
	echo 1000 >"$dir/cpu.rt_runtime_us" && rc=0
	rmdir "$dir"
	return $rc
}
# And may a process in a new one, which has none, be a real-time process?
try_rt_in_cgroup() {
	local dir rc=1 n=0
	[[ $(cg_kind cpu) == v1 ]] || return 0
	dir=$(v1_root cpu)/rft-probe-$BASHPID
	mkdir "$dir" || return 1
	sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2" sched 1 1' - "$dir" "$RF_RFT" && rc=0
	until rmdir "$dir" || ((n++ > 50)); do sleep 0.02; done
	return $rc
}
try_newuidmap() { command -v newuidmap && command -v newgidmap; }
# Two CPUs that we may run on.
try_two_cpus() { [[ $(nproc) -ge 2 ]]; }
first_cpu() { sed -n 's/^Cpus_allowed_list:[[:blank:]]*\([0-9]*\).*/\1/p' /proc/self/status; }
last_cpu() { sed -n 's/^Cpus_allowed_list:.*[^0-9]\([0-9]*\)$/\1/p' /proc/self/status; }
# The host's first block device that may be throttled, as major:minor.
a_disk() {
	local d
	for d in /sys/block/*; do
		[[ $(<"$d/size") -gt 0 && ${d##*/} != loop* && ${d##*/} != zram* && ${d##*/} != ram* ]] && cat "$d/dev" && return
	done
	return 1
}

# --- cgroups ----------------------------------------------------------------------------------------------------------------

# What is mounted where, read once: CG_V1[controller], CG_V2 and what it has.
declare -A CG_V1=()
CG_V2='' CG_V2_HAS=''
cg_scan() {
	local root point rest type super option
	while read -r _ _ _ root point _ rest; do
		read -r type _ super <<<"${rest#*- }"
		if [[ $type == cgroup2 && $root == / && -z $CG_V2 ]]; then
			CG_V2=$point
			[[ ! -r $point/cgroup.controllers ]] || CG_V2_HAS=" $(<"$point/cgroup.controllers") "
		elif [[ $type == cgroup ]]; then
			for option in ${super//,/ }; do [[ -n ${CG_V1[$option]:-} ]] || CG_V1[$option]=$point; done
		fi
	done </proc/self/mountinfo
}
v2_root() { echo "$CG_V2"; }
v1_root() { echo "${CG_V1[$1]:-}"; }
# pure_v2: /sys/fs/cgroup itself is cgroup2. pure_v1: cgroup2 is not mounted at all.
pure_v2() { [[ -e $RF_CGROUP/cgroup.controllers ]]; }
pure_v1() { [[ -z $CG_V2 ]]; }
# cg_kind CONTROLLER: v1, v2 or none. freezer and devices are no controllers on v2, but they are there.
on_v1() { [[ -n ${CG_V1[$1]:-} ]]; }
on_v2() { ! on_v1 "$1" && [[ -n $CG_V2 && ($1 == freezer || $1 == devices || $CG_V2_HAS == *" $1 "*) ]]; }
cg_kind() { if on_v1 "$1"; then echo v1; elif on_v2 "$1"; then echo v2; else echo none; fi; }
need_cg() {
	local c name
	for c; do
		name=$c
		[[ $c != blkio ]] || ! on_v2 io || continue
		[[ $(cg_kind "$name") != none ]] || skip "no cgroup controller $c"
	done
}
# Is there such a file in a new cgroup of that controller?
try_cgfile() {
	local root dir rc kind
	kind=$(cg_kind "$1")
	if [[ $kind == v1 ]]; then root=$(v1_root "$1"); else root=$(v2_root); fi
	dir=$root/rft-probe-$BASHPID
	mkdir "$dir" || return 1
	[[ $kind == v1 ]] || echo "+$1" >"$root/cgroup.subtree_control"
	[[ -e $dir/$2 ]]
	rc=$?
	rmdir "$dir"
	return $rc
}
# need_cgfile CONTROLLER V1FILE V2FILE: "-" means that version has no such thing.
need_cgfile() {
	local file=$2
	need_cg "$1"
	! on_v2 "$1" || file=$3
	if [[ $file == - ]] || ! can cgfile "$1" "$file"; then skip "cgroup $(cg_kind "$1") has no $2"; fi
}
# cg_path CONTROLLER [PID]: its path below that hierarchy's root.
cg_path() {
	local number list path
	while IFS=: read -r number list path; do
		if on_v1 "$1"; then [[ ,$list, == *,"$1",* ]] || continue; else [[ $number == 0 ]] || continue; fi
		echo "$path"
		return
	done <"/proc/${2:-$PID}/cgroup"
	return 1
}
# cg_dir CONTROLLER [PID]: the directory.
cg_dir() {
	local root path
	if on_v2 "$1"; then root=$(v2_root); else root=$(v1_root "$1"); fi
	path=$(cg_path "$1" "${2:-$PID}") || die "no cgroup of $1 for ${2:-$PID}"
	echo "$root${path%/}"
}
# cg CONTROLLER V1FILE V2FILE: its contents, of $PID's cgroup.
cg() {
	local file=$2
	! on_v2 "$1" || file=$3
	tr '\t' ' ' <"$(cg_dir "$1")/$file"
}
# cg_is CONTROLLER V1FILE V1VALUE V2FILE V2VALUE
cg_is() {
	if on_v2 "$1"; then eq "$(cg "$1" "$2" "$4")" "$5" "$4"; else eq "$(cg "$1" "$2" "$4")" "$3" "$2"; fi
}
# cg_has likewise: one of the lines is that.
cg_has() {
	local want=$3
	! on_v2 "$1" || want=$5
	has "
$(cg "$1" "$2" "$4")
" "
$want
" "$1"
}
# limit FILTER: changes .linux.resources.
limit() { edit ".linux.resources|=(.//{}|$1)"; }
