#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# registry.sh - images from registries: Debian's docker-registry, over http, over TLS with an authority of its own and with passwords; and
# badregistry.py, which misbehaves. All in a network namespace of our own, where nothing but loopback is.
#
# Usage: registry.sh [--only REGEX] [--list] [--times]
# Environment: RINGFENCE_IMAGE (the program), RF_TEST_SLOW=1 (be patient). Prints TAP and, last, "N passed, N failed, N skipped".
set -uo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
TOOL=$(readlink -f -- "${RINGFENCE_IMAGE:-./ringfence-image}")
ONLY='' LIST='' TIMES='' ALL=("$@")
while [[ $# -gt 0 ]]; do
	case $1 in
	--only) ONLY=$2 && shift ;;
	--list) LIST=1 ;;
	--times) TIMES=1 ;;
	*) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
	esac
	shift
done
[[ -x $TOOL ]] || { echo "Bail out! $TOOL is not an executable" && exit 2; }

if [[ -z ${RF_INNER:-} && -z $LIST ]]; then
	user=()
	[[ $EUID == 0 ]] || user=(--user --map-root-user)
	if ! why=$(unshare "${user[@]}" --net true 2>&1) || ! command -v python3 ip >/dev/null; then
		echo "1..0 # SKIP needs a network namespace, python3 and ip: $why"
		echo "0 passed, 0 failed, 1 skipped"
		exit 77
	fi
	RF_INNER=1 exec unshare "${user[@]}" --net bash "$HERE/registry.sh" "${ALL[@]}"
fi
unset RF_INNER

export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy no_proxy NO_PROXY REGISTRY_AUTH_FILE DOCKER_CONFIG CONTAINERS_REGISTRIES_CONF \
	XDG_CONFIG_HOME XDG_RUNTIME_DIR XDG_DATA_HOME RINGFENCE_STORE SSL_CERT_FILE SSL_CERT_DIR
SCALE=1
[[ ${RF_TEST_SLOW:-} != 1 ]] || SCALE=8

T='' CHILDREN=()
finish() {
	local pid
	for pid in "${CHILDREN[@]}"; do kill "$pid" 2>/dev/null; done
	wait
	[[ -z $T ]] || { chmod -R u+rwX "$T" && rm -rf "$T"; }
}
if [[ -z $LIST ]]; then
	ip link set lo up || exit 2
	T=$(mktemp -d "${TMPDIR:-/var/tmp}/rfreg.XXXXXX") || exit 2
	trap finish EXIT
	trap 'exit 130' INT TERM HUP
fi
export HOME=$T/home
mkdir -p "$HOME" 2>/dev/null

# --- a case: a function below a line `tc FUNCTION 'what is true'` -------------------------------------------------------------------

CASES=()
tc() { CASES+=("$1"$'\t'"$2"); }
die() {
	echo "FAILED: $*"
	[[ -z ${ERR:-} ]] || echo "stderr of the last command: $ERR"
	exit 1
}
skip() { echo "$*" && exit 77; }
eq() { [[ $1 == "$2" ]] || die "${3:-value}: expected '$2', got '$1'"; }
has() { [[ $1 == *"$2"* ]] || die "no '$2' in: $1"; }
hasnt() { [[ $1 != *"$2"* ]] || die "'$2' in: $1"; }
at_most() { [[ $1 -le $2 ]] || die "${3:-value}: $1 is more than $2"; }
at_least() { [[ $1 -ge $2 ]] || die "${3:-value}: $1 is less than $2"; }

# pull IMAGE [OPTION...]: into $S. OUT, ERR, RC.
pull() {
	local image=$1
	shift
	OUT=$(timeout -k 5 $((60 * SCALE)) "$TOOL" --store "$S" pull "$@" "$image" 2>"$C/err")
	RC=$?
	ERR=$(<"$C/err")
	[[ $RC -lt 124 ]] || die "pull took too long, or crashed ($RC)"
}
# bad REPOSITORY [OPTION...]: from badregistry, without TLS.
bad() {
	local repository=$1
	shift
	pull "127.0.0.1:$PORT/$repository:t" --tls-verify=false "$@"
}
pulls() { pull "$@" && eq "$RC" 0 "exit status" && eq "$OUT" "${WANT:-$DIGEST}" digest && whole; }
bad_pulls() { bad "$@" && eq "$RC" 0 "exit status" && whole; }
# fails TEXT...: the last pull failed with one line that has these; the store is as valid as before, and has no name.
fails() {
	local text
	eq "$RC" 1 "exit status (of what should say '$1')"
	ERR=$(grep -v '^\(layer\|config\) ' <<<"$ERR")
	eq "$(wc -l <<<"$ERR")" 1 "lines of the message"
	for text in "$@"; do has "$ERR" "$text"; done
	hasnt "$ERR" $'\e'
	eq "$(jq '.manifests|length' "$S/index.json")" 0 names
	intact
}
# refused REPOSITORY [OPTION...] -- TEXT...: from badregistry, into an empty store.
refused() {
	local args=()
	while [[ $1 != -- ]]; do args+=("$1") && shift; done
	shift
	rm -rf "$S"
	bad "${args[@]}"
	fails "$@"
}
# All content is what its name says; what is not whole is in tmp/.
intact() {
	local file
	for file in "$S"/blobs/*/*; do
		[[ -e $file ]] || continue
		eq "$("$(basename "$(dirname "$file")")sum" <"$file" | cut -d' ' -f1)" "$(basename "$file")" "digest of $file"
	done
}
# All that the image needs is there, and nothing is left in tmp/.
whole() {
	local d
	intact
	eq "$(find "$S/tmp" -type f | wc -l)" 0 "files in tmp/"
	for d in $(jq -r '.config.digest, .layers[].digest' "${1:-$T/manifest}"); do
		[[ -e $S/blobs/${d/://} ]] || die "$d is missing"
	done
}
# What badregistry has seen in this case: seen FILTER prints what jq makes of its array.
seen() { jq -rs "$1" "$LOG"; }
layers() { jq -r '.layers[].digest' "$T/manifest"; }
last_layer() { layers | tail -n 1; }
partials() { find "$S/tmp" -name 'partial-*' -size +0c | wc -l; }

# --- what they pull -------------------------------------------------------------------------------------------------------------------

# An image of four layers from busybox and noise, made by umoci from nothing; the second layer is the large one.
make_image() {
	local b=$T/bundle i
	umoci init --layout "$T/oci" && umoci new --image "$T/oci:t" || return
	for i in 1 2 3 4; do
		rm -rf "$b"
		umoci unpack --rootless --image "$T/oci:t" "$b" || return
		case $i in
		1) mkdir -p "$b/rootfs/bin" "$b/rootfs/etc" && cp "$BUSYBOX" "$b/rootfs/bin/busybox" && ln -s busybox "$b/rootfs/bin/sh" ;;
		2) head -c 3000000 /dev/urandom >"$b/rootfs/noise" ;;
		3) echo hello >"$b/rootfs/etc/greeting" ;;
		4) rm "$b/rootfs/bin/sh" && head -c 200000 /dev/urandom >"$b/rootfs/etc/more" ;;
		esac
		umoci repack --image "$T/oci:t" "$b" || return
	done
	rm -rf "$b"
	umoci config --image "$T/oci:t" --config.cmd /bin/busybox --config.cmd sh || return
	DIGEST=$(jq -r '.manifests[]|select(.annotations["org.opencontainers.image.ref.name"]=="t").digest' "$T/oci/index.json")
	cp "$T/oci/blobs/${DIGEST/://}" "$T/manifest"
}

# An authority, and a certificate of it for loopback.
make_certificates() {
	local c=$T/certs
	mkdir -p "$c" && {
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=test authority" -keyout "$c/ca.key" -out "$c/ca.crt" &&
			for name in server client; do
				openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$c/$name.key" -out "$c/$name.csr" &&
					openssl x509 -req -in "$c/$name.csr" -CA "$c/ca.crt" -CAkey "$c/ca.key" -CAcreateserial -days 2 -out "$c/$name.crt" \
						-extfile <(echo "subjectAltName=IP:127.0.0.1,IP:127.0.0.2,IP:::1,DNS:localhost") || return
			done
	} >"$T/openssl.log" 2>&1
}

# start_bad [OPTION...]: PORT, OTHER, LOG of a badregistry.
start_bad() {
	LOG=$C/log
	: >"$LOG"
	exec 8>&-
	coproc BAD { exec python3 "$HERE/badregistry.py" "$T/oci" "$LOG" "$@" 2>"$C/bad.err"; }
	read -r -t $((20 * SCALE)) -u "${BAD[0]}" PORT OTHER || die "badregistry does not start: $(<"$C/bad.err")"
}
# start_registry PORT [YAML]: Debian's.
start_registry() {
	local port=$1 i
	shift
	cat >"$C/registry.yml" <<-END
		version: 0.1
		log: {level: warn}
		storage: {filesystem: {rootdirectory: $C/registry}}
		http: {addr: "$ADDRESS:$port"${1:+, $1}}
		${2:-}
	END
	docker-registry serve "$C/registry.yml" >"$C/registry.log" 2>&1 &
	for ((i = 0; i < 200 * SCALE; i++)); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
		sleep 0.05
	done
	die "docker-registry does not start: $(<"$C/registry.log")"
}
push() { skopeo copy --insecure-policy "$@" >"$C/skopeo.log" 2>&1 || die "skopeo copy: $(<"$C/skopeo.log")"; }
needs_registry() { command -v docker-registry skopeo >/dev/null || skip "docker-registry or skopeo is not installed"; }
ADDRESS=127.0.0.1

source "$HERE/registry_cases.sh"

# --- running them ---------------------------------------------------------------------------------------------------------------------

if [[ -n $LIST ]]; then
	printf '%s\n' "${CASES[@]}"
	exit
fi
for c in umoci jq openssl; do
	command -v $c >/dev/null || { echo "1..0 # SKIP needs $c" && echo "0 passed, 0 failed, 1 skipped" && exit 77; }
done
BUSYBOX=$(command -v busybox) || { echo "1..0 # SKIP needs busybox" && echo "0 passed, 0 failed, 1 skipped" && exit 77; }
make_image >"$T/umoci.log" 2>&1 || { echo "Bail out! no image: $(tail -n 3 "$T/umoci.log")" && exit 2; }
make_certificates || { echo "Bail out! no certificates: $(tail -n 3 "$T/openssl.log")" && exit 2; }

number=0 passed=0 failed=0 skipped=0
for entry in "${CASES[@]}"; do
	[[ $entry =~ ${ONLY:-.} ]] || continue
	IFS=$'\t' read -r function what <<<"$entry"
	number=$((number + 1))
	C=$T/case S=$T/case/store
	begin=$SECONDS
	rm -rf "$C" "$HOME" && mkdir -p "$C" "$HOME"
	# A case's servers go with it: they read from us, or are its children.
	(
		trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
		"$function"
	) >"$T/output" 2>&1 </dev/null
	status=$?
	[[ -z $TIMES ]] || echo "# $((SECONDS - begin)) s"
	case $status in
	0) passed=$((passed + 1)) && echo "ok $number - $what" ;;
	77) skipped=$((skipped + 1)) && echo "ok $number - $what # SKIP $(tail -n 1 "$T/output")" ;;
	*)
		failed=$((failed + 1))
		echo "not ok $number - $function: $what"
		sed 's/^/# /' "$T/output"
		;;
	esac
done
echo "1..$number"
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
