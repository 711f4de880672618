# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# For cases about launched partitions that need no image: these are made by hand.

# part: $ID as a launched partition with the bundle in $B, not yet running; its root file system is $ROOTFS, for this case alone.
part() {
	DATA=$T/data
	GOPTS+=(--data "$DATA")
	mkdir -p "$DATA/partitions" "$DATA/volumes"
	chmod 700 "$DATA" "$DATA"/*
	bundle "data/partitions/$ID"
	chmod 700 "$B"
	own_files
	jq -n --arg n "$ID" --arg r "$ROOT" --arg m "$RF_MANAGER" '{name:$n,image:"test",created:"2026-01-01T00:00:00Z",runtimeRoot:$r,
		cgroupManager:$m,command:["x"],restart:"no",stopSignal:"SIGTERM",stopTimeout:1,network:"none",ids:-1,idCount:0}' \
		>"$B/launch.json"
	IN=$ID:
	mkdir "$T/host"
}
