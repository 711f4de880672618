# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# config.json as a whole: versions, null, unknown properties; spec; features.

version_taken() { # VERSION
	bundle
	edit '.ociVersion=$v' --arg v "$1"
	args true
	runs
}
for v in 1.0.0 1.0.2 1.0.2-dev 1.1.0 1.1.0+dev 1.2.1 1.3.0; do tc "version_taken $v" "R1: ociVersion $v"; done

version_refused() { # JSON
	bundle
	edit ".ociVersion=$1"
	refused 'version'
}
# crun and runc take more of them.
tc "version_refused '\"2.0.0\"'" 'R1: ociVersion 2.0.0: refused'
tc "version_refused '\"0.9.0\"'" 'R1: ociVersion 0.9.0: refused'
tc "version_refused '\"one\"'" 'R1: ociVersion one: refused'
tc "version_refused null" 'R1: no ociVersion: refused'

tc config_null 'null is the same as absent, everywhere'
config_null() {
	bundle
	inspect
	edit '.domainname=null|.hooks=null|.annotations=null|.vm=null|.process.user+={umask:null,additionalGids:null}
		|.process+={consoleSize:null,apparmorProfile:null,selinuxLabel:null,oomScoreAdj:null,scheduler:null,ioPriority:null,execCPUAffinity:null}
		|.process.capabilities+={inheritable:null,ambient:null}
		|.linux+={uidMappings:null,gidMappings:null,devices:null,sysctl:null,seccomp:null,intelRdt:null,personality:null,
			timeOffsets:null,netDevices:null,memoryPolicy:null,cgroupsPath:null,rootfsPropagation:null,mountLabel:null}
		|.linux.resources+={memory:null,cpu:null,pids:null,blockIO:null,hugepageLimits:null,network:null,rdma:null,unified:null}
		|.mounts[0]+={options:null,uidMappings:null,gidMappings:null}|.root.readonly=null'
	runs
	kv_is hostname inside
}

tc config_unknown 'unknown properties are ignored'
config_unknown() {
	bundle
	args true
	edit '.futureThing={a:1}|.process.futureThing=[1]|.linux.futureThing="x"|.linux.resources.futureThing=5
		|.mounts[0].futureThing=true|.root.futureThing=null|.windows={}|.solaris={}'
	runs
}

tc config_annotations 'R5: unknown annotations are ignored and passed on'
config_annotations() {
	bundle
	edit '.annotations={"whoever.example/x":"1","":"empty key"}|del(.annotations[""])'
	up
	good state "$ID"
	json "$OUT" '.annotations["whoever.example/x"]=="1"'
}

tc config_large 'a config of a megabyte'
config_large() {
	bundle
	args true
	edit '.annotations=([range(10000)|{("key.number.\(.)"):("v"*80)}]|add)'
	runs
}

tc config_fifo 'config.json that is a fifo: refused, no hang'
config_fifo() {
	bundle
	rm "$B/config.json"
	mkfifo "$B/config.json"
	grab timeout -s KILL 10 "$RT" "${GOPTS[@]}" create --bundle "$B" "$ID"
	eq "$RC" 1
}

wrong_type() { # FILTER
	bundle
	edit "$1"
	bad . create --bundle "$B" "$ID"
	gone
}
# crun lets many of these pass.
tc "wrong_type '.process.args=\"sh\"'" 'a wrong type: process.args a string: refused'
tc "wrong_type '.mounts={}'" 'a wrong type: mounts an object: refused'
tc "wrong_type '.linux.namespaces=[\"pid\"]'" 'a wrong type: a namespace a string: refused'
tc "wrong_type '.root=\"rootfs\"'" 'a wrong type: root a string: refused'
tc "wrong_type '.process.env=[5]'" 'a wrong type: env with a number: refused'
tc "wrong_type '.linux.resources.pids={limit:1.5}'" 'a wrong type: a fraction as limit: refused'
tc "wrong_type '.annotations={\"a\":5}'" 'a wrong type: an annotation that is a number: refused'

# --- spec ---------------------------------------------------------------------------------------------------------------------------

tc spec_runs 'spec: writes a config.json that runs'
spec_runs() {
	bundle
	rm "$B/config.json"
	cd "$B" || die cd
	good spec
	json "$(<"$B/config.json")" '.ociVersion and .process.args and .root.path=="rootfs"'
	edit '.process.terminal=false|.process.args=["cat","/etc/file"]'
	runs
	eq "$OUT" inside
}

tc spec_bundle '2.2: spec --bundle'
spec_bundle() {
	bundle
	rm "$B/config.json"
	good spec --bundle "$B"
	ok test -s "$B/config.json"
}

tc spec_exists 'spec does not overwrite a config.json'
# crun does.
spec_exists() {
	bundle
	cp "$B/config.json" "$T/before"
	bad 'exist' spec --bundle "$B"
	ok cmp "$B/config.json" "$T/before"
}

# runc has no -f.
tc spec_file '2.2: spec --file NAME'
spec_file() {
	bundle
	cd "$B" || die cd
	good spec --file other.json
	json "$(<"$B/other.json")" '.ociVersion'
}

tc spec_rootless '2.2: spec --rootless: a user namespace with maps, no limits'
spec_rootless() {
	bundle
	rm "$B/config.json"
	good spec --bundle "$B" --rootless
	json "$(<"$B/config.json")" 'any(.linux.namespaces[];.type=="user") and (.linux.uidMappings|length>=1)'
	json "$(<"$B/config.json")" 'all(.linux.namespaces[];.type!="network")'
}

# --- features: crun since 1.9, runc since 1.1 ------------------------------------------------------------------------------------

tc features_versions '1.8: features: ociVersionMin and ociVersionMax'
features_versions() {
	grab "$RT" features
	eq "$RC" 0
	json "$OUT" '(.ociVersionMin|test("^1[.]0[.]0")) and (.ociVersionMax|test("^1[.][0-9]+[.][0-9]+"))'
}

# lists PATH WORD...: the list has exactly these.
lists() {
	local path=$1
	shift
	eq "$(jq -r "$path|sort|join(\" \")" <<<"$OUT")" "$(printf '%s\n' "$@" | sort | paste -sd' ')" "$path"
}

tc features_lists '1.8: features: hooks, namespaces, capabilities'
features_lists() {
	grab "$RT" features
	lists .hooks prestart createRuntime createContainer startContainer poststart poststop
	lists .linux.namespaces cgroup ipc mount network pid time user uts
	lists .linux.capabilities CAP_{CHOWN,DAC_OVERRIDE,DAC_READ_SEARCH,FOWNER,FSETID,KILL,SETGID,SETUID,SETPCAP,LINUX_IMMUTABLE} \
		CAP_{NET_BIND_SERVICE,NET_BROADCAST,NET_ADMIN,NET_RAW,IPC_LOCK,IPC_OWNER,SYS_MODULE,SYS_RAWIO,SYS_CHROOT,SYS_PTRACE} \
		CAP_{SYS_PACCT,SYS_ADMIN,SYS_BOOT,SYS_NICE,SYS_RESOURCE,SYS_TIME,SYS_TTY_CONFIG,MKNOD,LEASE,AUDIT_WRITE,AUDIT_CONTROL} \
		CAP_{SETFCAP,MAC_OVERRIDE,MAC_ADMIN,SYSLOG,WAKE_ALARM,BLOCK_SUSPEND,AUDIT_READ,PERFMON,BPF,CHECKPOINT_RESTORE}
}

tc features_options '1.8: features: every mount option of the specification, and those that are crun'\''s'
features_options() {
	grab "$RT" features
	json "$OUT" '.mountOptions|contains(["async","atime","bind","defaults","dev","diratime","dirsync","exec","iversion",
		"lazytime","loud","noatime","nodev","nodiratime","noexec","noiversion","nolazytime","norelatime","nostrictatime","nosuid",
		"private","rbind","relatime","remount","ro","rprivate","rshared","rslave","runbindable","rw","shared","silent","slave",
		"strictatime","suid","sync","unbindable"])'
	json "$OUT" '.mountOptions|contains(["nosymfollow","symfollow","ratime","rdev","rdiratime","rexec","rnoatime","rnodev",
		"rnodiratime","rnoexec","rnorelatime","rnostrictatime","rnosuid","rnosymfollow","rrelatime","rro","rrw","rstrictatime",
		"rsuid","rsymfollow","idmap","ridmap","mand","nomand","tmpcopyup"])'
	json "$OUT" '.mountOptions|contains(["copy-symlink","src-nofollow","dest-nofollow"])'
	json "$OUT" '.mountOptions|length==(unique|length)'
}

tc features_linux '1.8: features: cgroup, seccomp, LSMs, intelRdt, idmap'
features_linux() {
	grab "$RT" features
	json "$OUT" '.linux.cgroup|.v1==true and .v2==true and .rdma==true and (.systemd|type)=="boolean" and .systemdUser==.systemd'
	json "$OUT" '.linux.seccomp.enabled==true'
	lists .linux.seccomp.actions SCMP_ACT_{KILL,KILL_PROCESS,KILL_THREAD,TRAP,ERRNO,TRACE,ALLOW,LOG,NOTIFY}
	lists .linux.seccomp.operators SCMP_CMP_{NE,LT,LE,EQ,GE,GT,MASKED_EQ}
	lists .linux.seccomp.archs SCMP_ARCH_{X86,X86_64,X32,ARM,AARCH64,MIPS,MIPS64,MIPS64N32,MIPSEL,MIPSEL64,MIPSEL64N32,PPC,PPC64} \
		SCMP_ARCH_{PPC64LE,S390,S390X,PARISC,PARISC64,RISCV64,LOONGARCH64,M68K,SH,SHEB}
	lists .linux.seccomp.knownFlags SECCOMP_FILTER_FLAG_{TSYNC,LOG,SPEC_ALLOW,WAIT_KILLABLE_RECV}
	json "$OUT" '.linux.seccomp|.supportedFlags-.knownFlags==[]'
	json "$OUT" '.linux|.apparmor.enabled==true and .selinux.enabled==true'
	json "$OUT" '.linux.intelRdt=={enabled:true,schemata:true,monitoring:true}'
	json "$OUT" '.linux.mountExtensions.idmap.enabled==true'
}

tc features_flags '1.8: features: supportedFlags are those that this kernel has, and they work'
features_flags() {
	local pair
	grab "$RT" features
	for pair in TSYNC:1 LOG:2 SPEC_ALLOW:4; do
		if can seccomp_flag "${pair#*:}"; then
			json "$OUT" '.linux.seccomp.supportedFlags|index($f)' --arg f "SECCOMP_FILTER_FLAG_${pair%:*}"
		else
			json "$OUT" '.linux.seccomp.supportedFlags|index($f)|not' --arg f "SECCOMP_FILTER_FLAG_${pair%:*}"
		fi
	done
	bundle
	edit '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",flags:$f,syscalls:[]}' \
		--argjson f "$(jq -c .linux.seccomp.supportedFlags <<<"$OUT")"
	args true
	runs
}

tc features_new '1.8: features of 1.3: memoryPolicy, netDevices'
features_new() {
	grab "$RT" features
	lists .linux.memoryPolicy.modes MPOL_{DEFAULT,BIND,INTERLEAVE,WEIGHTED_INTERLEAVE,PREFERRED,PREFERRED_MANY,LOCAL}
	lists .linux.memoryPolicy.flags MPOL_F_{NUMA_BALANCING,RELATIVE_NODES,STATIC_NODES}
	json "$OUT" '.linux.netDevices.enabled==true'
}

tc features_annotations '1.8: features: versions, no checkpoints promised that are not there, annotations that are not for strangers'
features_annotations() {
	grab "$RT" features
	json "$OUT" '.annotations|map_values(type)|all(.=="string")'
	json "$OUT" '.annotations["io.github.seccomp.libseccomp.version"]|test("^[0-9]+[.][0-9]+[.][0-9]+$")'
	json "$OUT" '.potentiallyUnsafeConfigAnnotations|contains(["run.oci.","org.systemd.property.","org.criu.config"])'
	if [[ $(jq -r '.annotations["org.opencontainers.runc.checkpoint.enabled"]' <<<"$OUT") == true ]]; then
		grab "$RT" checkpoint --help
		eq "$RC" 0
	fi
}

tc features_true '1.8: every mount option that features lists is understood'
features_true() {
	local o skip='^(bind|rbind|remount|idmap|ridmap|copy-symlink|src-nofollow|dest-nofollow|defaults|mand|iversion|r?(no)?symfollow|r.*)$'
	grab "$RT" features
	json "$OUT" '.mountOptions|length>20'
	bundle
	for o in $(jq -r '.mountOptions[]' <<<"$OUT"); do
		[[ $o =~ $skip ]] || mount_entry "/opt/$o" tmpfs tmpfs "$o"
	done
	args true
	runs
}

# runc takes no notice of it.
tc config_vm 'vm: a section for machines is checked, and refused by name where a partition is made of namespaces'
config_vm() {
	bundle
	args true
	edit '.vm={kernel:{path:"/vmlinuz",parameters:["a"],initrd:"/initrd"},hypervisor:{path:"/usr/bin/hv",parameters:["-x"]},
		image:{path:"/image",format:"raw"},hwConfig:{vcpus:1,memory:1048576,irqs:[1]}}'
	refused '^ringfence: vm asks for a machine'
	edit '.vm={hypervisor:{path:"/usr/bin/hv"}}'
	refused 'vm.kernel is required'
	edit '.vm={kernel:{path:"relative"}}'
	refused 'vm.kernel.path'
	edit '.vm={kernel:{path:"/k"},image:{path:"/i",format:"iso"}}'
	refused 'vm.image.format'
	edit '.vm=null'
	runs
}

tc config_directory 'config.json that is a directory, or larger than anybody means: refused'
config_directory() {
	bundle
	rm "$B/config.json"
	mkdir "$B/config.json"
	refused 'config.json'
	rmdir "$B/config.json"
	truncate -s 20M "$B/config.json"
	refused 'config.json'
}
