# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# For cases about launched partitions: an image, and `launch` and its kin with a data directory below $T. Sourced by case files.

# tree_of_image DIR: a small root file system, busybox and rft in it.
tree_of_image() {
	mkdir -p "$1"/{etc,tmp,data,home/app,vol}
	cp -a "$RF_TEMPLATE/bundle/rootfs/bin" "$1/bin"
	printf 'root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\nextra:x:2000:app\n' >"$1/etc/group"
	echo from-the-image >"$1/data/file"
	chmod 1777 "$1/tmp"
}
# sha FILE: its digest.
sha() {
	local text
	text=$(sha256sum "$1")
	echo "${text%% *}"
}
# put_blob LAYOUT FILE: moves it into the layout. HEX, SIZE.
put_blob() {
	HEX=$(sha "$2")
	SIZE=$(stat -c %s "$2")
	mv "$2" "$1/blobs/sha256/$HEX"
}
# layout DIR TREE [JQ-FILTER]: an OCI layout with one image, named "bb", out of a tree; the filter edits the image's config.
layout() {
	local dir=$1 tree=$2 diff layer config
	mkdir -p "$dir/blobs/sha256"
	tar -C "$tree" --numeric-owner --owner=0 --group=0 --sort=name -cf "$dir/layer" . || die "tar"
	put_blob "$dir" "$dir/layer"
	diff=sha256:$HEX
	layer=$(jq -nc --arg d "$diff" --argjson s "$SIZE" '{mediaType:"application/vnd.oci.image.layer.v1.tar",digest:$d,size:$s}')
	jq -nc --arg d "$diff" --arg a "$(arch)" '{architecture:$a,os:"linux",config:{Env:["PATH=/bin"],Cmd:["sh","-c","echo default"]},
		rootfs:{type:"layers",diff_ids:[$d]}}' | jq -c "${3:-.}" >"$dir/config"
	put_blob "$dir" "$dir/config"
	config=$(jq -nc --arg d "sha256:$HEX" --argjson s "$SIZE" '{mediaType:"application/vnd.oci.image.config.v1+json",digest:$d,size:$s}')
	jq -nc --argjson c "$config" --argjson l "$layer" \
		'{schemaVersion:2,mediaType:"application/vnd.oci.image.manifest.v1+json",config:$c,layers:[$l]}' >"$dir/manifest"
	put_blob "$dir" "$dir/manifest"
	jq -nc --arg d "sha256:$HEX" --argjson s "$SIZE" '{schemaVersion:2,manifests:[{mediaType:"application/vnd.oci.image.manifest.v1+json",
		digest:$d,size:$s,annotations:{"org.opencontainers.image.ref.name":"localhost/bb:latest"}}]}' >"$dir/index.json"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
}
arch() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}
# images [JQ-FILTER]: the store has the image "bb". Names of partitions begin with $ID, so that `run` finds what is left of them.
images() {
	[[ -x ${RT%/*}/ringfence-image ]] || skip "no ringfence-image beside $RT"
	tree_of_image "$T/tree"
	layout "$T/layout" "$T/tree" "${1:-.}"
	lgood load -q -i "$T/layout"
}
# l VERB...: with the data directory; lgood, lbad as good and bad, but for any exit status.
l() { rt --data "$T/data" "$@"; }
lgood() {
	grab l "$@"
	[[ $RC == 0 ]] || die "exit status $RC: $*"
}
lbad() {
	local pattern=$1
	shift
	grab l "$@"
	ne "$RC" 0 "exit status of $*"
	imatch "$ERR" "$pattern" message
}
# bg FILE VERB...: in the background, output in FILE; $! is ringfence itself.
bg() {
	local file=$1
	shift
	(exec "$RT" "${GOPTS[@]}" --data "$T/data" "$@" >"$file" 2>&1 </dev/null) &
}
# is_now NAME STATUS, for until_ok.
is_now() { [[ $(l ls --format json | jq -r --arg n "$1" '.[]|select(.name==$n).status') == "$2" ]]; }
# of NAME FILTER: from its inspect.
of() { l inspect "$1" | jq -r ".[0]|$2"; }
# The end of a case: everything can be removed, and nothing is left.
over() {
	lgood rm -fv --all
	eq "$(l ls -q)" "" "partitions at the end"
	eq "$(find "$T/data/partitions" -mindepth 1 ! -name .gone)" "" "left below partitions"
	[[ ! -d $T/data/ids ]] || eq "$(find "$T/data/ids" -type l ! -name grid)" "" "ids at the end"
	[[ ! -d $T/data/store/uses ]] || eq "$(ls "$T/data/store/uses")" "" "uses of images at the end"
	until_ok 10 nobody_left
	eq "$(rt list -q)" "" "the runtime's partitions at the end"
}
# By a pattern that is no argument, or grep might find itself.
nobody_left() { ! grep -lsF -f - /proc/[0-9]*/cmdline <<<"$T/data" | grep -qv "/proc/$$/"; }
