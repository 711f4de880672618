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

tc features_lists '1.8: features: hooks, mountOptions, namespaces, capabilities'
features_lists() {
	grab "$RT" features
	json "$OUT" '.hooks|contains(["prestart","createRuntime","createContainer","startContainer","poststart","poststop"])'
	json "$OUT" '.linux.namespaces|contains(["cgroup","ipc","mount","network","pid","time","user","uts"])'
	json "$OUT" '.linux.capabilities|contains(["CAP_CHOWN","CAP_SYS_ADMIN","CAP_NET_RAW"])'
	json "$OUT" '.mountOptions|contains(["ro","rw","bind","rbind","rro","nosuid","rprivate","rslave","rshared","runbindable","tmpcopyup"])'
}

tc features_linux '1.8: features: cgroup, seccomp, LSMs, idmap'
features_linux() {
	grab "$RT" features
	json "$OUT" '.linux.cgroup|.v1==true and .v2==true and has("systemd")'
	json "$OUT" '.linux.seccomp|.enabled==true and (.actions|index("SCMP_ACT_ERRNO")) and (.operators|index("SCMP_CMP_EQ")) and
		(.archs|index("SCMP_ARCH_X86_64")) and (.knownFlags|index("SECCOMP_FILTER_FLAG_LOG")) and has("supportedFlags")'
	json "$OUT" '.linux|has("apparmor") and has("selinux")'
	json "$OUT" '.linux.mountExtensions.idmap.enabled==true'
}

tc features_new '1.8: features of 1.3: memoryPolicy, netDevices'
features_new() {
	grab "$RT" features
	json "$OUT" '.linux.memoryPolicy.modes|index("MPOL_BIND")'
	json "$OUT" '.linux.netDevices.enabled==true'
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

tc config_vm 'vm: a section for machines is checked and does no harm where namespaces are used'
config_vm() {
	bundle
	args true
	edit '.vm={kernel:{path:"/vmlinuz"},hypervisor:{path:"/usr/bin/hv"}}'
	try run --bundle "$B" "$ID"
	[[ $RC == 0 ]] || imatch "$ERR" 'vm|hypervisor|kernel'
}
