# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2034,SC2154,SC2317
# launch: what options and images make of a partition, looked at from inside.

# shellcheck source=../lib-launch.sh
source "${BASH_SOURCE[0]%/*}/../lib-launch.sh"

# inside OPTIONS... -- COMMAND: its output, of a partition that goes at once.
inside() { lgood launch --rm --name "$ID" "${@:1:$#-1}" bb -- sh -c "${*: -1}"; }

tc lo_protected 'launch: few capabilities, no new privileges, a filter, masked paths, a limit on processes, nothing of the host'
lo_protected() {
	images
	inside 'grep -E "^(Cap(Eff|Bnd|Amb|Inh)|NoNewPrivs|Seccomp):" /proc/self/status; cat /proc/keys; echo x >/proc/sys/kernel/core_pattern || echo refused'
	has "$OUT" "CapEff:	00000000800405fb"
	has "$OUT" "CapBnd:	00000000800405fb"
	has "$OUT" "CapAmb:	0000000000000000"
	has "$OUT" "CapInh:	0000000000000000"
	has "$OUT" "NoNewPrivs:	1"
	has "$OUT" "Seccomp:	2"
	has "$OUT" refused
	inside --cap-drop ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false 'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status'
	has "$OUT" "CapEff:	0000000000000000"
	has "$OUT" "NoNewPrivs:	0"
	has "$OUT" "Seccomp:	0"
	over
}

tc lo_user_ns 'launch: root inside is nobody outside, has a range of ids of its own, and owns what it mounts'
lo_user_ns() {
	images
	mkdir "$T/bind"
	echo host >"$T/bind/file"
	chown 1000:1000 "$T/bind/file"
	lgood launch -d --name "$ID" bb -- sleep 100
	[[ $(of "$ID" .config.linux.uidMappings[0].size) == 65536 ]] || skip "no idmapped mounts here"
	lgood launch -d --name "$ID-2" bb -- sleep 100
	ne "$(of "$ID" .config.linux.uidMappings[0].hostID)" "$(of "$ID-2" .config.linux.uidMappings[0].hostID)" "ranges of two"
	eq "$(find "$T/data/ids" -type l ! -name grid | wc -l)" 2
	lgood rm -f "$ID" "$ID-2"
	inside -v "$T/bind:/b" 'stat -c %u:%g /b/file; echo new >/b/new; cat /proc/self/uid_map'
	match "$OUT" '^1000:1000'
	match "$OUT" ' 0 +[1-9][0-9]{4,} +65536'
	eq "$(stat -c %u:%g "$T/bind/new")" 0:0
	inside --userns host 'cat /proc/self/uid_map'
	match "$OUT" ' 0 +0 +4294967295'
	lbad 'cannot be mounted with its ids mapped.*noidmap' launch --rm --name "$ID" -v /proc/sys:/b bb -- true
	over
}

tc lo_volumes 'launch: volumes are filled from the image once, kept by name, and anonymous ones go with their partition'
lo_volumes() {
	images '.config.Volumes={"/data":{}}'
	inside -v keep:/data 'cat /data/file; echo mine >/data/file'
	eq "$OUT" from-the-image
	inside -v keep:/data 'cat /data/file'
	eq "$OUT" mine
	inside -v empty:/data:nocopy 'ls /data'
	eq "$OUT" ""
	eq "$(ls "$T/data/volumes")" $'empty\nkeep'
	inside 'cat /data/file; ls /data'
	eq "$OUT" $'from-the-image\nfile'
	eq "$(ls "$T/data/volumes")" $'empty\nkeep'
	lbad 'mount source missing: /nonexistent' launch --rm --name "$ID" -v /nonexistent:/x bb -- true
	lbad 'something else is to be mounted on /x' launch --rm --name "$ID" -v /etc:/x --tmpfs /x bb -- true
	over
}

tc lo_hostile_image 'launch: an image cannot mount on /proc, run as root by a number that is none, or say what only the caller may'
lo_hostile_image() {
	images '.config.Volumes={"/proc/sys":{}}'
	lbad 'nothing of an image may be mounted in /proc' launch --rm --name "$ID" bb -- true
	rm -r "$T/layout" "$T/tree"
	images '.config.User="4294967296"'
	lbad 'must be a decimal number from 0 to 2147483647' launch --rm --name "$ID" bb -- true
	rm -r "$T/layout" "$T/tree"
	images '.config.Labels={"run.oci.hooks.stdout":"/tmp/x","org.systemd.property.ExecStartPre":"x","good":"1"}'
	lgood launch --name "$ID" bb -- true
	eq "$(of "$ID" '.config.annotations.good')" 1
	eq "$(of "$ID" '.config.annotations|keys|map(select(startswith("run.oci") or startswith("org.systemd")))|length')" 0
	over
}

tc lo_limits 'launch: memory, processors, processes, rlimits and sysctls are those that were asked for'
lo_limits() {
	images
	lgood launch --name "$ID" -m 64m --cpus 1.5 --pids-limit 50 --ulimit nofile=100:200 --sysctl kernel.shmmax=4096 bb -- \
		sh -c 'ulimit -n; cat /proc/sys/kernel/shmmax'
	eq "$OUT" $'100\n4096'
	eq "$(of "$ID" .config.linux.resources.memory.limit)" 67108864
	eq "$(of "$ID" .config.linux.resources.cpu.quota)" 150000
	eq "$(of "$ID" .config.linux.resources.pids.limit)" 50
	lbad '--sysctl vm.swappiness=1: .*namespaced' launch --rm --name "$ID-x" --sysctl vm.swappiness=1 bb -- true
	lbad 'privileged is not supported' launch --rm --name "$ID-x" --privileged bb -- true
	lbad 'isolation vm: must be' launch --rm --name "$ID-x" --isolation vm bb -- true
	over
}

tc lo_files 'launch: hosts, hostname, tmpfs, a read-only root, a shell of the user that was named'
lo_files() {
	images
	inside --hostname box --add-host db:10.0.0.9 --dns 192.0.2.7 --tmpfs /scratch:size=1m --read-only \
		'hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf; touch /x || echo read-only; touch /scratch/x && echo scratch'
	match "$OUT" $'^box\nbox\n'
	has "$OUT" "10.0.0.9	db"
	has "$OUT" "nameserver 192.0.2.7"
	has "$OUT" $'read-only\nscratch'
	inside -u app -w /home/app 'id -u; id -g; id -G; pwd; echo $HOME'
	eq "$OUT" $'1000\n1000\n1000 2000\n/home/app\n/home/app'
	over
}

tc lo_zone 'launch host: the host'"'"'s programs and nothing else of it'
lo_zone() {
	[[ -L /bin ]] || skip "/usr is not merged"
	grab l launch --rm --name "$ID" host -- /bin/sh -c 'cat /etc/hostname; ls /root; ls /home; touch /usr/x || echo read-only; touch /root/x && echo own; test -e /etc/shadow || echo none'
	eq "$RC" 0
	eq "$OUT" "$ID"$'\nread-only\nown\nnone'
	over
}

# own CONTROLLER: does the payload of ID have a cgroup of its own there?
own() { [[ $(sed -n "s/^[0-9]*:[^:]*\b$1\b[^:]*://p" "/proc/$PID/cgroup") == */ringfence-$ID* ]]; }

tc lo_lean 'launch: on v1 only the cgroups that serve: update makes what it needs, stats tell all the same, delete finds what a killed one left'
lo_lean() {
	local controller dir
	on_v1 memory && on_v1 pids || skip "no v1 memory and pids controllers"
	[[ ${RF_MANAGER:-cgroupfs} == cgroupfs ]] || skip "systemd makes a scope in all of them"
	images
	lgood launch -d bb "$ID" -- sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; exec sleep 1000'
	PID=$(of "$ID" .pid)
	ok own pids
	for controller in memory blkio cpuset; do ! own $controller || die "a cgroup for $controller"; done
	eq "$(ls "/proc/$PID/root/sys/fs/cgroup")" "" "cgroups inside"
	until_ok 10 eval '[[ $(stat -c %s "/proc/$PID/root/dev/shm/x" 2>/dev/null) == 8388608 ]]'
	lgood stats --no-stream --json "$ID"
	json "$OUT" '.[0].memory.usage > 4096 and .[0].memory.usage < 33554432 and .[0].pids.current == 1'
	good update --memory 64m "$ID"
	ok own memory
	! own blkio || die "a cgroup for blkio"
	lgood stats --no-stream --json "$ID"
	json "$OUT" '.[0].memory.limit == 67108864'
	lgood exec "$ID" cat /proc/self/cgroup
	match "$OUT" ":memory:/ringfence-$ID"
	if on_v1 blkio; then
		# As an update leaves it that is killed before it has written down what it made.
		dir=$(v1_root blkio)$(sed -n 's/^[0-9]*:\([^:]*,\)*pids\(,[^:]*\)*://p' "/proc/$PID/cgroup")
		mkdir "$dir"
		lgood rm -f "$ID"
		[[ ! -e $dir ]] || die "$dir is still there"
	else
		lgood rm -f "$ID"
	fi
	# With a limit it has that one's cgroup from the beginning, and sees it.
	lgood launch -d -m 64m bb "$ID" -- sleep 1000
	PID=$(of "$ID" .pid)
	ok own memory
	eq "$(<"/proc/$PID/root/sys/fs/cgroup/memory/memory.limit_in_bytes")" 67108864
	lgood rm -f "$ID"
	lgood launch -d --annotation io.ringfence.cgroups=all bb "$ID" -- sleep 1000
	PID=$(of "$ID" .pid)
	ok own memory
	lbad 'io.ringfence.cgroups.*lean or all' launch --annotation io.ringfence.cgroups=few bb "$ID-b" -- true
	over
}
