# shellcheck shell=bash
# Faults at every place: a command is killed, or a system call of it or of its first process fails. Whatever becomes of it, delete --force leaves
# nothing. A sample of places; RF_TEST_SLOW=1 tries them all.

# shellcheck disable=SC2016
strike_at() { # N HOW
	local n=$1 how=$2 id=$ID-$1 rc
	edit '.process.env=["PATH=/bin","STRUCK="+$id]' --arg id "$id"
	timeout $((20 * RF_SCALE)) "$RF_RFT" inject "$n" "$how" "$RT" "${GOPTS[@]}" run --bundle "$B" "$id" 9>"$T/struck" >"$T/said" 2>&1 </dev/null
	rc=$?
	[[ $rc != 124 ]] || die "call $n, $how: hangs: $(<"$T/struck")"
	if [[ $how != kill* && $rc != 0 ]] && grep -q injected "$T/struck" && [[ -s $T/said ]]; then
		[[ $(<"$T/said") == *ringfence* || $(<"$T/said") == *" "* ]] || die "call $n, $how: no message: $(<"$T/said")"
	fi
	rt delete --force "$id" >"$T/deleted" 2>&1 || die "call $n, $how, $(<"$T/struck"): delete --force: $(<"$T/deleted")"
	[[ ! -e $ROOT/$id ]] || die "call $n, $how, $(<"$T/struck"): state is left"
	for _ in {1..50}; do
		[[ -z $(find /sys/fs/cgroup -type d -name "*$id@*" -print -quit 2>/dev/null) ]] && ! grep -ls "STRUCK=$id" /proc/[0-9]*/environ >/dev/null 2>&1 && return
		sleep 0.05
	done
	die "call $n, $how, $(<"$T/struck"): a cgroup or a process is left"
}

struck() {
	local how=$1 n step=$2 total
	[[ $(uname -m) == x86_64 ]] || skip "made for x86-64"
	sanitized && skip "the sanitizers' own calls are not ringfence's"
	[[ -z ${RF_TEST_SLOW:-} ]] || step=1
	bundle
	args true
	"$RF_RFT" inject 100000 "$how" "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID-0" 9>"$T/struck" >"$T/said" 2>&1 </dev/null || die "untouched: $(<"$T/said")"
	total=$(sed -n 's/^total=//p' "$T/struck")
	((total > 100)) || die "only ${total:-no} calls were seen"
	for ((n = 1 + RANDOM % step; n <= total; n += step)); do strike_at "$n" "$how"; done
}

tc 'struck kill 11' 'run: whoever makes a call is killed at it'
tc 'struck kill-main 11' 'run: ringfence is killed while it, or the first process, makes a call'
tc 'struck ENOMEM 13' 'run: a call fails for lack of memory'
tc 'struck EPERM 17' 'run: a call is not permitted'
tc 'struck ENOSYS 17' 'run: the kernel does not have a call'
