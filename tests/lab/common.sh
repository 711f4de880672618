# SPDX-License-Identifier: Apache-2.0
# What the lab's host scripts share: messages, exit statuses, checks for host packages, paths. Sourced, not run.
# shellcheck shell=bash disable=SC2034

# Exit statuses of the lab itself; any other status is that of the script in the guest.
LAB_EX_USAGE=2
LAB_EX_MISSING=69 # the host lacks something; 77 under --skip-missing, which automake reads as "skipped"
LAB_EX_GUEST=70   # the guest panicked, hung, ran out of time or went without a word
LAB_EX_IMAGE=71   # the root image cannot be built

LAB_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
LAB_CACHE=${RINGFENCE_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ringfence/lab}
LAB_SKIP_MISSING=${LAB_SKIP_MISSING:-}

lab_say() {
	printf 'lab: %s\n' "$*" >&2
}

# lab_die STATUS MESSAGE...
lab_die() {
	local status=$1
	shift
	lab_say "$*"
	exit "$status"
}

lab_missing() {
	[[ -z $LAB_SKIP_MISSING ]] || lab_die 77 "skipped: $*"
	lab_die "$LAB_EX_MISSING" "$*"
}

# lab_need COMMAND=PACKAGE...: a COMMAND with a slash is a file that must be readable.
lab_need() {
	local pair packages=()
	for pair; do
		case ${pair%%=*} in
		/*) [[ -r ${pair%%=*} ]] || packages+=("${pair#*=}") ;;
		*) PATH=$PATH:/usr/sbin:/sbin command -v -- "${pair%%=*}" >/dev/null || packages+=("${pair#*=}") ;;
		esac
	done
	[[ ${#packages[@]} -eq 0 ]] ||
		lab_missing "this host lacks: ${packages[*]} (on Debian: apt-get install ${packages[*]})"
}
