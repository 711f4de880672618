# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154,SC2317
# Detached partitions out of images: renamed, run again, kept by systemd's unit.

# shellcheck source=../lib-launch.sh
source "${BASH_SOURCE[0]%/*}/../lib-launch.sh"

tc lr_rename 'rename: files, ids and the image of a partition go along; it runs again under its new name'
lr_rename() {
	local ids
	images
	lgood launch -d bb "$ID" -- sh -c 'echo run >>/kept; cat /kept; hostname; sleep 1000'
	lbad 'runs' rename "$ID" "$ID-new"
	lgood stop -t 0 "$ID"
	ids=$(of "$ID" .ids)
	lgood rename "$ID" "$ID-new"
	lgood ls -aq
	eq "$OUT" "$ID-new"
	eq "$(of "$ID-new" .ids)" "$ids"
	lgood restart "$ID-new"
	until_ok 10 eval '[[ $(l logs "$ID-new" | grep -c run) -ge 3 ]]'
	# The old name is free, and what gets it does not get the ids.
	lgood launch -d bb "$ID" -- sleep 1000
	[[ $ids == -1 || $ids == null ]] || ne "$(of "$ID" .ids)" "$ids" "ids of another partition"
	lgood stop -t 0 --all
	lgood rm "$ID" "$ID-new"
	over
}

tc lr_detached 'launch -d: logs, wait and the restart policy, with a user namespace and an overlay'
lr_detached() {
	images
	lgood launch -d --restart on-failure:2 bb "$ID" -- sh -c 'echo said; exit 3'
	lgood wait "$ID"
	eq "$OUT" 3
	eq "$(of "$ID" .restarts)" 2
	lgood logs "$ID"
	eq "$OUT" $'said\nsaid\nsaid'
	lgood rm "$ID"
	lgood launch -d --rm bb "$ID" -- sh -c 'sleep 0.5; exit 4'
	lgood wait "$ID"
	eq "$OUT" 4
	until_ok 5 eval '! l inspect "$ID"'
	over
}

tc lr_cut_short 'rename: one that was killed halfway is completed before anything of the partition is used'
lr_cut_short() {
	local dir=$T/data/partitions verb
	images
	for verb in restart cp rm; do
		lgood launch -d bb "$ID" -- sh -c 'echo run >>/kept; sleep 1000'
		lgood stop -t 0 "$ID"
		# What kill -9 leaves that comes right after the directory was renamed.
		mv "$dir/$ID" "$dir/$ID-new"
		lgood launch -d bb "$ID" -- sleep 1000
		lgood stop -t 0 "$ID"
		case $verb in
		restart)
			lgood restart "$ID-new"
			until_ok 10 eval '[[ $(wc -l <"$dir/$ID-new/upper/kept") == 2 ]]'
			;;
		cp)
			lgood cp "$ID-new:/kept" "$T/kept"
			eq "$(<"$T/kept")" run
			;;
		esac
		[[ $verb == rm ]] || eq "$(jq -r .name "$dir/$ID-new/launch.json")" "$ID-new"
		[[ ! -e $dir/$ID/upper/kept ]] || die "another partition's files were written to"
		lgood rm -f "$ID-new" "$ID"
		over
	done
}
