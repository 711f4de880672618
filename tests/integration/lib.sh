# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034
# What a case has at hand: bundles, the runtime, assertions. Sourced by run (to list) and by the process of each case.
#
# A case is a shell function below a line `tc FUNCTION 'ROW: what is true'`. It runs in a shell of its own, below a subreaper and in a
# mount namespace that it shares with cases before and after it, with
#   RT GOPTS ROOT  the runtime, its global options, its --root
#   T              an empty directory
#   ID             an id that nobody else has; others are made by appending to it
# and after it nothing may be left: see case_end.

# jq takes a while to start: whoever is in a hurry installs gojq.
! command -v gojq >/dev/null || jq() { command gojq "$@"; }

# tc is what lists a file's cases; a worker overrides it with nothing.
tc() { printf '%s\t%s\t%s\n' "$RF_FILE" "$1" "$2"; }

# --- assertions: each ends the case ---------------------------------------------------------------------------------------

skip() {
	echo "$*"
	exit 77
}
die() {
	echo "FAILED: $*"
	[[ -z ${ERR:-} ]] || echo "stderr of the last command: $ERR"
	exit 1
}
eq() { [[ $1 == "$2" ]] || die "${3:-value}: expected '$2', got '$1'"; }
ne() { [[ $1 != "$2" ]] || die "${3:-value}: must not be '$2'"; }
has() { [[ $1 == *"$2"* ]] || die "${3:-output}: no '$2' in: $1"; }
hasnt() { [[ $1 != *"$2"* ]] || die "${3:-output}: '$2' in: $1"; }
match() { [[ $1 =~ $2 ]] || die "${3:-output}: '$1' does not match /$2/"; }
# Without regard to case.
imatch() {
	local x=$1 y=$2
	[[ ${x,,} =~ ${y,,} ]] || die "${3:-output}: '$1' does not match /$2/i"
}
ok() { "$@" || die "exit status $?: $*"; }
fails() { if "$@"; then die "should have failed: $*"; fi; }
at_least() { [[ $1 -ge $2 ]] || die "${3:-value}: $1 is less than $2"; }
at_most() { [[ $1 -le $2 ]] || die "${3:-value}: $1 is more than $2"; }
# until_ok SECONDS COMMAND...: polls.
until_ok() {
	local end=$((SECONDS + $1 * RF_SCALE + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS <= end)) || die "never came true: $*"
		sleep 0.02
	done
}
until_has() { until_ok "$1" grep -qF -- "$3" "$2"; } # SECONDS FILE TEXT
slow() { [[ ${RF_TEST_SLOW:-} == 1 ]]; }
sanitized() { [[ -n ${RF_SANITIZED:-} ]]; }

# --- bundles ----------------------------------------------------------------------------------------------------------------

# bundle [NAME]: a new bundle in $B with its own root file system; the payload waits for SIGTERM.
bundle() {
	B=$T/${1:-b}
	ROOTFS=$B/rootfs
	"$RF_RFT" bundle "$RF_TEMPLATE" "$B" || die "bundle"
}
# The files of a bundle's root file system are links to the template's. own_files makes them copies, for whoever means to change them.
own_files() {
	local file
	for file in "$ROOTFS"/bin/{busybox,rft} "$ROOTFS"/etc/*; do cp -p "$file" "$T/.copy" && mv "$T/.copy" "$file"; done
}
# edit FILTER [JQ OPTIONS]: changes config.json.
edit() {
	local filter=$1 text
	shift
	text=$(jq "$filter" "$@" <"$B/config.json") || die "jq: $filter"
	printf '%s\n' "$text" >"$B/config.json"
}
# What the payload is: a shell script, a command, or "rft inspect".
script() { edit '.process.args=["sh","-c",$s]' --arg s "$1"; }
args() { edit '.process.args=$ARGS.positional' --args -- "$@"; }
inspect() { edit '.process.args=["rft","inspect"]'; }
# mount_entry DESTINATION TYPE SOURCE OPTION,OPTION: appended.
mount_entry() {
	edit '.mounts+=[{destination:$d,type:$t,source:$s,options:($o|split(","))}|with_entries(select(.value!=""))]' \
		--arg d "$1" --arg t "$2" --arg s "$3" --arg o "$4"
}
no_mount() { edit '.mounts|=map(select(.destination!=$d))' --arg d "$1"; }
# ns TYPE [PATH]: adds or replaces one; no_ns TYPE...: removes.
ns() {
	edit '.linux.namespaces|=map(select(.type!=$t))+[{type:$t}+(if $p=="" then {} else {path:$p} end)]' \
		--arg t "$1" --arg p "${2:-}"
}
no_ns() {
	local t
	for t; do edit '.linux.namespaces|=map(select(.type!=$t))' --arg t "$t"; done
}
# A user namespace: container 0.. is host 100000.., and the root file system belongs to it.
userns() {
	edit '.linux.namespaces|=map(select(.type!="user"))+[{type:"user"}]
		|.linux.uidMappings=[{containerID:0,hostID:100000,size:65536}]|.linux.gidMappings=.linux.uidMappings'
	find "$ROOTFS" -type d -exec chown 100000:100000 {} +
}

# --- the runtime --------------------------------------------------------------------------------------------------------------

rt() { "$RT" "${GOPTS[@]}" "$@"; }
# slurp VARIABLE FILE: as VARIABLE=$(<FILE), without the process.
slurp() {
	local slurped_part slurped=''
	while IFS= read -r -d '' slurped_part; do slurped+=$slurped_part; done <"$2"
	slurped+=$slurped_part
	while [[ $slurped == *$'\n' ]]; do slurped=${slurped%$'\n'}; done
	printf -v "$1" %s "$slurped"
}
# grab COMMAND...: RC, OUT, ERR. Files, not pipes: a container that stays behind would hold a pipe open.
grab() {
	"$@" >"$T/out" 2>"$T/err" </dev/null
	RC=$?
	slurp OUT "$T/out"
	slurp ERR "$T/err"
}
# try ARGS...: the runtime with these; good: must succeed.
try() { grab rt "$@"; }
good() {
	try "$@"
	[[ $RC == 0 ]] || die "exit status $RC: $*"
}
# bad PATTERN ARGS...: must fail with 1 and a message that matches, without regard to case.
bad() {
	local pattern=$1
	shift
	try "$@"
	[[ $RC != 0 ]] || die "should have failed: $*"
	eq "$RC" 1 "exit status of a failure"
	# runc quotes its messages once more.
	imatch "${ERR//\\\"/\"}" "$pattern" "message"
}
# runs [OPTIONS]: the whole life of the bundle's payload, which must succeed; OUT is what it says.
runs() { good run --bundle "$B" "$@" "$ID"; }
# up [OPTIONS]: leaves it running, init's pid in PID.
up() {
	try run --bundle "$B" -d --pid-file "$T/pid" "$@" "$ID"
	[[ $RC == 0 ]] || die "run -d: exit status $RC"
	PID=$(<"$T/pid")
}
# made [OPTIONS]: created, not started.
made() {
	try create --bundle "$B" --pid-file "$T/pid" "$@" "$ID"
	[[ $RC == 0 ]] || die "create: exit status $RC"
	PID=$(<"$T/pid")
}
down() { good delete --force "${1:-$ID}"; }
# refused PATTERN [OPTIONS]: create must fail so, and leave no partition behind.
refused() {
	local pattern=$1
	shift
	bad "$pattern" create --bundle "$B" "$@" "$ID"
	gone "$ID"
}
# A config that must not be refused for what it says (run to the end, whatever the payload does).
gone() {
	try state "${1:-$ID}"
	[[ $RC != 0 ]] || die "${1:-$ID} still has a state: $OUT"
}
status() {
	local text
	rt state "${1:-$ID}" >"$T/state.$BASHPID" || return
	slurp text "$T/state.$BASHPID"
	[[ $text =~ \"status\":[[:space:]]*\"([a-z]+)\" ]] && echo "${BASH_REMATCH[1]}"
}
is() { [[ $(status "${2:-$ID}") == "$1" ]]; }
until_is() { until_ok 10 is "$@"; }
# ex ARGS...: exec in $ID; RC, OUT, ERR.
ex() { try exec "$ID" "$@"; }
exec_good() {
	ex "$@"
	[[ $RC == 0 ]] || die "exec: exit status $RC: $*"
}

# --- looking -------------------------------------------------------------------------------------------------------------------

# kv KEY: its value in OUT, the output of rft inspect. kv_is KEY VALUE.
kv() { sed -n "s/^$1=//p" <<<"$OUT" | head -n 1; }
kv_is() { eq "$(kv "$1")" "$2" "$1"; }
# The first process of a sandbox is 1 of another kernel, which only the runtime can look at.
is_inside() { [[ -n ${RF_DIFFERENCES:-} && -n $1 && $1 == "${PID:-}" ]]; }
# proc_file PID NAME: /proc/PID/NAME.
proc_file() {
	if is_inside "$1"; then
		rt exec --user 0 "$ID" cat "/proc/1/$2" </dev/null
	else
		cat "/proc/$1/$2"
	fi
}
# proc KEY [PID]: a line of /proc/PID/status, blanks made single.
proc() { proc_file "${2:-$PID}" status | sed -n "s/^$1:[[:blank:]]*//p" | tr -s '[:blank:]' ' '; }
# nslink TYPE [PID]: which namespace it is in.
nslink() {
	if is_inside "${2:-}"; then
		rt exec --user 0 "$ID" readlink "/proc/1/ns/$1" </dev/null
	else
		readlink "/proc/${2:-self}/ns/$1"
	fi
}
# minfo DESTINATION [FILE]: the last mount there: "per-mount options|optional fields|type|source|super options".
minfo() {
	awk -v d="$1" '$5 == d { o = ""; for (i = 7; $i != "-"; i++) o = o (o ? " " : "") $i
		r = $6 "|" o "|" $(i + 1) "|" $(i + 2) "|" $(i + 3) } END { print r }' "${2:--}"
}
# From outside: the mount at DESTINATION in the partition; from a captured mountinfo in OUT: mount_in.
mount_of() { proc_file "$PID" mountinfo | minfo "$1"; }
mount_in() { minfo "$1" <<<"$OUT"; }
# opt OPTIONS WORD: is the word in that comma list?
opt() { [[ ,${1%%|*}, == *",$2,"* ]] || die "no mount option '$2' in $1"; }
noopt() { [[ ,${1%%|*}, != *",$2,"* ]] || die "mount option '$2' in $1"; }
alive() {
	local state
	state=$(sed -n 's/^State:[[:blank:]]*//p' "/proc/$1/status" 2>/dev/null)
	[[ -n $state && $state != [ZX]* ]]
}
dead() { ! alive "$1"; }
# json TEXT FILTER [JQ OPTIONS]: the filter must be true of the text. Not for use in a pipeline, where a case cannot be ended.
json() {
	local text=$1
	shift
	jq -e "$@" <<<"$text" >/dev/null || die "not true of the JSON: $* in: $text"
}
# A hook entry for .hooks: hook KIND SCRIPT [TIMEOUT]; $RF_SH is a shell outside.
hook() {
	edit '.hooks[$k]+=[{path:"/bin/sh",args:["sh","-c",$s]}+(if $t=="" then {} else {timeout:($t|tonumber)} end)]' \
		--arg k "$1" --arg s "$2" --arg t "${3:-}"
}
# A directory outside that nothing may appear in: outside; untouched afterwards.
outside() {
	mkdir "$T/outside"
	echo precious >"$T/outside/file"
	chmod 640 "$T/outside/file"
	chown 3:4 "$T/outside/file"
	BEFORE=$(find "$T/outside" -printf '%P %y %m %U:%G %s %i\n' | sort)
}
untouched() {
	eq "$(find "$T/outside" -printf '%P %y %m %U:%G %s %i\n' | sort)" "$BEFORE" "the directory outside"
	eq "$(<"$T/outside/file")" precious
}
# rft in the background, output in FILE; ends with the case.
bg_rft() {
	local file=$1
	shift
	"$RF_RFT" "$@" >"$file" 2>&1 </dev/null &
	BG=$!
}

# --- the frame of a case ------------------------------------------------------------------------------------------------------

# case_main FUNCTION: returns 0 passed, 77 skipped (reason is the last line), anything else failed.
case_main() {
	local rc
	ROOT=$T/state
	GOPTS=(--root "$ROOT")
	[[ $RF_MANAGER != systemd ]] || GOPTS+=(--systemd-cgroup)
	cd "$T" || exit 1
	slurp MOUNTS_BEFORE /proc/self/mountinfo
	(
		# shellcheck disable=SC2046
		trap 'kill -9 $(jobs -p) 2>/dev/null' EXIT
		# A case may be a function with arguments, quoted as for the shell.
		eval "$1"
	)
	rc=$?
	case_end "$rc" || [[ $rc != 0 && $rc != 77 ]] || rc=1
	return "$rc"
}

# Deletes what the case left running, which must succeed, and then looks for leftovers of any kind.
case_end() {
	local dir id bad=0 file
	for dir in "$T"/state*/"$ID"*; do
		[[ -d $dir ]] || continue
		id=${dir##*/}
		"$RT" --root "${dir%/*}" "${GOPTS[@]:2}" delete --force "$id" >"$T/delete.err" 2>&1 || {
			echo "delete --force of $id failed: $(<"$T/delete.err")"
			bad=1
		}
	done
	for dir in "$T"/state*/"$ID"*; do
		[[ -e $dir || -L $dir ]] || continue
		echo "left behind: state $dir"
		bad=1
	done
	mounts_gone || bad=1
	for file in "$T"/san.*; do
		# Of a process that was killed while it was looked at, by whom it was killed.
		grep -qvsF 'Unable to get registers from thread' "$file" || continue
		head -n 40 "$file"
		bad=1
	done
	return "$bad"
}

# No mount that was not there before; those that the case made itself, below $T but in no rootfs, are taken away first. The others go
# as well, since other cases come after this one.
mounts_gone() {
	local id path now own=() left=()
	slurp now /proc/self/mountinfo
	[[ $now != "$MOUNTS_BEFORE" ]] || return 0
	while read -r id _ _ _ path _; do
		[[ $'\n'$MOUNTS_BEFORE != *$'\n'"$id "* ]] || continue
		case $path in
		"$T"/*/rootfs*) left=("$path" "${left[@]}") ;;
		"$T"/*) own=("$path" "${own[@]}") ;;
		*) left=("$path" "${left[@]}") ;;
		esac
	done <<<"$now"
	[[ ${#own[@]} == 0 ]] || umount -l "${own[@]}"
	[[ ${#left[@]} != 0 ]] || return 0
	echo "left behind: mounts ${left[*]}"
	umount -l "${left[@]}"
	return 1
}

# remove_cgroups DIRECTORY...: what a case left is thawed, killed and removed.
remove_cgroups() {
	local dir pid
	for dir; do
		echo THAWED >"$dir/freezer.state"
		echo 0 >"$dir/cgroup.freeze"
		while read -r pid; do kill -9 "$pid"; done <"$dir/cgroup.procs"
	done 2>/dev/null
	sleep 0.1
	find "$@" -depth -type d -exec rmdir {} + 2>/dev/null
}

# shellcheck source=lib-host.sh
source "${BASH_SOURCE[0]%/*}/lib-host.sh"
