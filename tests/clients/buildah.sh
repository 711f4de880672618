# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# buildah with --isolation oci: it writes the bundle itself and calls create, start, state, kill and delete without a monitor.

needs buildah buildah

client_setup() {
	export CONTAINERS_CONF=$W/containers.conf CONTAINERS_STORAGE_CONF=$W/storage.conf CONTAINERS_REGISTRIES_CONF=$W/registries.conf
	: >"$CONTAINERS_CONF"
	: >"$CONTAINERS_REGISTRIES_CONF"
	[[ ! -e /usr/share/containers/seccomp.json ]] ||
		printf '[containers]\nseccomp_profile = "/usr/share/containers/seccomp.json"\n' >"$CONTAINERS_CONF"
	printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "/run/containers"\n' \
		"$(can storage && echo overlay || echo vfs)" "$W/storage" >"$CONTAINERS_STORAGE_CONF"
	BUILDAH=("${LIMIT[@]}" buildah)
	b pull -q "docker-archive:$IMAGE"
	from box
}
client_sweep() {
	local name
	for name in $(b containers --format '{{.ContainerName}}'); do [[ $name == box ]] || b rm "$name"; done
}
b() { "${BUILDAH[@]}" "$@"; }
# Here a cgroup parent is the whole path of the container's cgroup: each container has one of its own.
from() {
	local name=$1
	shift
	b from --pull-never --name "$name" --cgroup-parent="/$CG/$name" "$@" "$BOX" >/dev/null || die "buildah from: exit status $?"
}
run() { b run --isolation oci --runtime "$RT" --network=none "$@"; }
build() { # CONTEXT TAG OPTIONS...
	local context=$1 tag=$2
	shift 2
	b bud --isolation oci --runtime "$RT" --network=none --cgroup-parent="/$CG/bud" --pull-never -q -t "$tag" "$@" "$context"
}
# within IMAGE FILE...: read without running anything.
within() {
	local container dir file image=$1
	shift
	container=$(b from --pull-never "$image") && dir=$(b mount "$container") || die "cannot look into $image"
	for file; do cat "$dir/$file"; done | xargs
	b rm "$container" >/dev/null
}

tc buildah_run 'run: the runtime that is named, streams, codes, stdin, environment, user, terminal'
buildah_run() {
	local n
	: >"$CALLS"
	eq "$(RT=$TRACED run box echo words)" words
	for n in create start state delete; do has "$(<"$CALLS")" "$n " calls; done
	run --env A=1 --workingdir /srv box sh -c 'echo "$A,$FROM_IMAGE,$(pwd)"; echo wrong >&2' >out 2>err || die "exit status $?"
	eq "$(<out)" 1,yes,/srv
	has "$(<err)" wrong
	for n in 0 3 255; do code $n run box sh -c "exit $n"; done
	fails run box /no/such/program
	eq "$(head -c 3000000 /dev/zero | run box wc -c)" 3000000
	eq "$(run box head -c 3000000 /dev/zero | wc -c)" 3000000
	eq "$(run --user 7:8 box sh -c 'echo $(id -u) $(id -g)')" "7 8"
	eq "$(run --hostname zebra box hostname)" zebra
	eq "$(run box strays)" "" "stray descriptors"
	OUT=$(on_tty "${BUILDAH[@]}" run --isolation oci --runtime "$RT" --network=none --tty box sh -c 'test -t 0 && echo terminal; sleep 0.4; exit 4')
	eq $? 4 "exit code on a terminal"
	has "$OUT" terminal
}

tc buildah_options 'run: volumes, tmpfs, capabilities, seccomp, namespaces'
buildah_options() {
	local n
	mkdir b && echo outside >b/f
	eq "$(run -v "$T/b:/b:ro" box cat /b/f)" outside
	fails run -v "$T/b:/b:ro" box touch /b/x
	eq "$(run --mount type=tmpfs,dst=/t box sh -c 'echo x >/t/x; cat /t/x')" x
	fails has_cap "$(run --cap-drop CAP_CHOWN box cat /proc/self/status | mask CapEff)" 0
	has_cap "$(run --cap-add CAP_SYS_ADMIN box cat /proc/self/status | mask CapEff)" 21 || die "CAP_SYS_ADMIN not added"
	[[ ! -e /usr/share/containers/seccomp.json ]] || eq "$(run box sed -n 's/^Seccomp:.//p' /proc/self/status)" 2
	for n in pid ipc uts; do
		eq "$(run --$n=host box readlink /proc/self/ns/$n)" "$(nslink $n)" "$n=host"
		ne "$(run box readlink /proc/self/ns/$n)" "$(nslink $n)" "$n"
	done
}

tc buildah_commit 'what run changes stays, and is committed'
buildah_commit() {
	from changed
	ok run changed sh -c 'echo kept >/kept'
	eq "$(run changed cat /kept)" kept
	ok b commit -q changed localhost/kept
	eq "$(within localhost/kept kept)" kept
	b rm changed >/dev/null
}

tc buildah_userns 'a user namespace with a map'
buildah_userns() {
	need_ns
	from mapped --userns-uid-map 0:100000:5000 --userns-gid-map 0:100000:5000
	match "$(run mapped cat /proc/self/uid_map)" '0 +100000 +5000'
	eq "$(run --user ann mapped id -u)" 1000
	b rm mapped >/dev/null
}

tc buildah_bud 'bud: two stages, ARG, USER, SHELL, exec form, layers'
buildah_bud() {
	mkdir context
	cat >context/Dockerfile <<-'END'
		FROM localhost/box AS one
		ARG WHO=nobody
		RUN echo "built for $WHO" >/made
		FROM localhost/box
		COPY --from=one /made /made
		RUN cat /made >/copied
		SHELL ["/bin/ash", "-c"]
		RUN cat /proc/$$/cmdline | tr '\0' ' ' >/shell; true
		USER ann
		WORKDIR /home/ann
		RUN ["/bin/sh", "-c", "id -u >who; pwd >>who"]
	END
	ok build context localhost/built --layers --format docker --build-arg WHO=me
	eq "$(within localhost/built copied home/ann/who)" "built for me 1000 /home/ann"
	match "$(within localhost/built shell)" '^/bin/ash -c'
	at_least "$(b inspect --type image localhost/built | jq '.OCIv1.rootfs.diff_ids | length')" 4 layers
}

tc buildah_mounts 'bud: RUN --mount bind, secret, tmpfs, cache'
buildah_mounts() {
	mkdir context
	echo 'of the context' >context/f
	echo hush >secret
	cat >context/Dockerfile <<-'END'
		FROM localhost/box
		RUN --mount=type=bind,source=f,target=/m/f cat /m/f >/got
		RUN --mount=type=secret,id=s cat /run/secrets/s >>/got
		RUN --mount=type=tmpfs,target=/t touch /t/x && grep -q ' /t tmpfs' /proc/mounts
		RUN --mount=type=cache,target=/c touch /c/x
	END
	ok build context localhost/mounts --secret "id=s,src=$T/secret"
	eq "$(within localhost/mounts got)" "of the context hush"
}

tc buildah_limits 'bud: limits, an OOM kill, a RUN that fails'
buildah_limits() {
	need_cg memory
	mkdir seen oom failing
	printf 'FROM localhost/box\nRUN cat %s >/seen; ulimit -Sn >>/seen\n' "$(knob memory memory.limit_in_bytes memory.max)" >seen/Dockerfile
	ok build seen localhost/seen --memory 64m --ulimit nofile=321:654 --ulimit nproc=500:600
	eq "$(within localhost/seen seen)" "67108864 321"
	printf 'FROM localhost/box\nRUN exec greedy\n' >oom/Dockerfile
	OUT=$(build oom localhost/never --memory 32m 2>&1) && die "a build that runs out of memory succeeded"
	match "$OUT" '137|killed'
	printf 'FROM localhost/box\nRUN exit 33\n' >failing/Dockerfile
	OUT=$(build failing localhost/never 2>&1) && die "a RUN that fails succeeded"
	has "$OUT" "status 33"
}

tc buildah_many 'six at once, each with its own code'
buildah_many() {
	local i
	for ((i = 1; i <= 6; i++)); do from "many$i"; done
	one() { run "many$1" sh -c "sleep 0.5; echo n$1; exit $1"; }
	at_once 6 one
	for ((i = 1; i <= 6; i++)); do eq "$(<rc.$i) $(<out.$i)" "$i n$i" "$(<err.$i)"; done
}

tc buildah_clean 'nothing is left: no cgroup with processes, no state'
buildah_clean() {
	ok b rm -a
	eq "$(find "$RF_CGROUP" -mindepth 1 -type d -path "*/$CG/*")" "" "cgroups"
}
