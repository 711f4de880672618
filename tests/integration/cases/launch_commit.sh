# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# commit, volume, and cp of what was launched: with an image.
# shellcheck source=../lib-launch.sh
source "${BASH_SOURCE[0]%/*}/../lib-launch.sh"

tc commit_changes 'commit: changes, removals and modes are in the new image, volumes are not; a launch of it sees the same'
commit_changes() {
	images
	lgood launch -d -v vol:/vol bb "$ID" -- sh -c 'echo new >/new; rm /data/file; mkdir -m 1777 /d; chown 1000:2000 /d
		ln /new /d/hard; ln -s /new /link; echo v >/vol/v; touch /ready; sleep 1000'
	until_ok 10 l exec "$ID" test -e /ready
	lgood commit -m 'a message' -a 'An Author' -c 'CMD ["cat","/new"]' -c 'ENV X=y' "$ID" localhost/other:1
	match "$OUT" '^sha256:[0-9a-f]{64}$'
	has "$ERR" localhost/other:1
	is_now "$ID" running || die "not running after commit"
	lgood launch --rm localhost/other:1 "$ID-c"
	eq "$OUT" new
	lgood launch --rm localhost/other:1 "$ID-c" -- sh -c 'stat -c "%n %a %u:%g %h %F" /new /d /d/hard /link; ls /data /vol; echo $X'
	eq "$OUT" $'/new 644 0:0 2 regular file\n/d 1777 1000:2000 2 directory\n/d/hard 644 0:0 2 regular file\n/link 777 0:0 1 symbolic link\n/data:\n\n/vol:\ny'
	lgood commit -q "$ID"
	eq "$ERR" ''
	lgood launch --rm "localhost/${ID,,}:latest" "$ID-c" -- cat /new
	eq "$OUT" new
	over
}

tc commit_states 'commit: paused meanwhile, one that is paused stays so, one that ended, and what cannot be'
commit_states() {
	images
	lgood launch bb "$ID" -- sh -c 'echo x >/x'
	lgood commit -q "$ID" localhost/ended
	lgood launch --rm localhost/ended "$ID-b" -- cat /x
	eq "$OUT" x
	lgood launch -d bb "$ID-p" -- sleep 1000
	lgood pause "$ID-p"
	lgood commit -q "$ID-p" localhost/p
	is_now "$ID-p" paused || die "resumed what somebody else had paused"
	lgood resume "$ID-p"
	lgood commit -q --pause=false "$ID-p" localhost/p
	lbad 'squash' commit --squash "$ID-p" localhost/p
	lbad 'no launched partition' commit "nobody-$ID" localhost/p
	lbad . commit -c 'NONSENSE x' "$ID-p" localhost/p
	is_now "$ID-p" running || die "left paused after a failure"
	lbad . commit "$ID-p" 'Not A Name'
	is_now "$ID-p" running || die "left paused after a failure"
	over
}

tc commit_killed 'commit: killed at any moment, the partition goes on'
commit_killed() {
	images
	lgood launch -d bb "$ID" -- sh -c 'dd if=/dev/urandom of=/big bs=1M count=30 2>/dev/null; touch /ready; sleep 1000'
	until_ok 20 l exec "$ID" test -e /ready
	local t paused=0
	for t in 0.01 0.05 0.1 0.2 0.3 0.5; do
		bg "$T/log" commit -q "$ID" localhost/k
		sleep $t
		! is_now "$ID" paused || ((++paused))
		kill -9 $! 2>/dev/null
		wait $! 2>/dev/null
		until_ok 10 is_now "$ID" running
	done
	at_least "$paused" 1 "times that it was seen paused"
	lgood commit -q "$ID" localhost/k
	over
}

tc volume_verbs 'volume: create, ls, inspect, rm, prune'
volume_verbs() {
	images
	lgood volume ls
	eq "$OUT" "VOLUME NAME   CREATED                USED BY"
	lgood volume create --label a=b --label c v1
	eq "$OUT" v1
	lgood volume create v1
	lgood volume create
	match "$OUT" '^[0-9a-f]{64}$'
	local anonymous=$OUT
	lgood launch -d -v v2:/vol bb "$ID" -- sleep 1000
	lgood volume ls -q
	eq "$OUT" "$(printf '%s\n' "$anonymous" v1 v2 | sort)"
	lgood volume ls
	match "$OUT" "v2 +20[0-9T:-]+Z +$ID"
	lgood volume ls --format json
	json "$OUT" 'map(select(.Name=="v1"))[0].Labels=={a:"b",c:""}'
	json "$OUT" 'map(select(.Name=="v2"))[0].UsedBy==[$n]' --arg n "$ID"
	lgood volume inspect v2
	json "$OUT" '.[0].Mountpoint==$p' --arg p "$T/data/volumes/v2/_data"
	eq "$(stat -c %a "$T/data/volumes/v1" "$T/data/volumes/v1/_data" | tr '\n' ' ')" '700 755 '
	lbad "in use by partition \"$ID\"" volume rm v2
	lbad 'no volume' volume rm none
	lgood volume rm -f none
	lbad 'no option' volume rm --label x=y v1
	lbad 'knows ls' volume mount
	lbad '--force' volume prune
	lgood volume prune -f
	eq "$OUT" "$anonymous"
	lgood volume prune -fa
	eq "$OUT" v1
	lgood rm -f "$ID"
	mkdir -p "$T/data/volumes/v2/_data/$(printf 'd/%.0s' {1..500})"
	lgood volume rm v2
	eq "$OUT" v2
	eq "$(find "$T/data/volumes" -mindepth 1 ! -name .gone)" '' "left of volumes"
	lbad . volume rm ../partitions
	lbad . volume create ..
	over
}

tc cp_launched 'cp: into and out of launched ones with a user namespace, running and stopped; owners are the image'\''s on disk'
cp_launched() {
	images
	lgood launch -d -v vol:/vol bb "$ID" -- sh -c 'touch /ready; sleep 1000'
	until_ok 10 l exec "$ID" test -e /ready
	mkdir "$T/host"
	echo one >"$T/host/one"
	chown 7:8 "$T/host/one"
	lgood cp "$T/host/one" "$ID:/one"
	lgood cp -a "$T/host/one" "$ID:/kept"
	lgood cp "$T/host/one" "$ID:/vol/one"
	lgood exec "$ID" stat -c '%n %u:%g' /one /kept /vol/one
	eq "$OUT" $'/one 0:0\n/kept 7:8\n/vol/one 0:0' "owners as the running one sees them"
	lgood cp "$ID:/data/file" "$T/host/file"
	eq "$(<"$T/host/file")" from-the-image
	lgood stop -t 0 "$ID"
	lgood cp "$T/host/one" "$ID:/two"
	lgood cp -a "$T/host/one" "$ID:/kept2"
	lgood cp "$T/host/one" "$ID:/vol/two"
	lgood cp -a "$ID:/kept" "$T/host/out"
	eq "$(stat -c %u:%g "$T/host/out")" 7:8
	lgood cp "$ID:/vol/one" "$T/host/vol"
	l cp "$ID:/data" - | tar -tf - >"$T/list" || die "tar"
	has "$(<"$T/list")" data/file
	hasnt "$(</proc/self/mountinfo)" "$T/data" mounts
	eq "$(stat -c '%n %u:%g' "$T/data/partitions/$ID/upper/"{one,two,kept,kept2} "$T/data/volumes/vol/_data/"{one,two} | sed 's,.*/,,')" \
		$'one 0:0\ntwo 0:0\nkept 7:8\nkept2 7:8\none 0:0\ntwo 0:0' "owners on disk"
	lgood restart "$ID"
	until_ok 10 is_now "$ID" running
	lgood exec "$ID" stat -c '%n %u:%g' /two /kept2 /vol/two
	eq "$OUT" $'/two 0:0\n/kept2 7:8\n/vol/two 0:0' "owners after the restart"
	over
}

tc stats_launched 'stats and top: what was launched'
stats_launched() {
	images
	lgood launch -d --memory 64m bb "$ID" -- sleep 1000
	lgood stats --no-stream
	match "$OUT" "$ID +[0-9.]+% +[0-9.]+[KM]iB / 64.0MiB "
	lgood top "$ID"
	has "$OUT" 'sleep 1000'
	over
}
