# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2317
# process.capabilities.

# mask N...: the bits as /proc/PID/status writes them.
mask() {
	local n v=0
	for n; do v=$((v | 1 << n)); done
	printf '%016x\n' $v
}

tc caps_sets 'P9: each set is what its list says, seen from outside'
caps_sets() {
	bundle
	edit '.process.capabilities={bounding:["CAP_CHOWN","CAP_KILL","CAP_SETUID"],permitted:["CAP_CHOWN","CAP_KILL"],
		effective:["CAP_KILL"]}|.process.user={uid:0,gid:0}'
	# For root execve gives what bounding and inheritable allow; so look at a user without that.
	args rft pause
	up
	eq "$(proc CapBnd)" "$(mask 0 5 7)"
	eq "$(proc CapInh)" "$(mask)"
	eq "$(proc CapAmb)" "$(mask)"
}

tc caps_none 'P9: empty lists leave nothing'
caps_none() {
	bundle
	edit '.process.capabilities={bounding:[],permitted:[],effective:[],inheritable:[],ambient:[]}'
	up
	eq "$(proc CapBnd)$(proc CapPrm)$(proc CapEff)$(proc CapInh)$(proc CapAmb)" "$(mask)$(mask)$(mask)$(mask)$(mask)"
	exec_good grep CapEff /proc/self/status
	has "$OUT" "$(mask)"
}

tc caps_effect_with 'P9: with CAP_CHOWN chown works'
caps_effect_with() {
	bundle
	script 'touch /tmp/x && chown 5:5 /tmp/x && stat -c %u /tmp/x'
	runs
	eq "$OUT" 5
}

tc caps_effect_without 'P9: without CAP_CHOWN it does not'
caps_effect_without() {
	bundle
	edit '.process.capabilities|=map_values(map(select(.!="CAP_CHOWN")))'
	script 'touch /tmp/x && chown 5:5 /tmp/x'
	try run --bundle "$B" "$ID"
	eq "$RC" 1
	has "$ERR" 'not permitted'
}

tc caps_ambient_user 'P9: ambient capabilities reach a user who is not root'
caps_ambient_user() {
	bundle
	edit '.process.user={uid:1000,gid:1000}|.process.capabilities=(["bounding","permitted","effective","inheritable","ambient"]
		|map({(.):["CAP_NET_RAW","CAP_KILL"]})|add)'
	up
	eq "$(proc CapAmb)" "$(mask 5 13)"
	eq "$(proc CapEff)" "$(mask 5 13)"
	eq "$(proc CapPrm)" "$(mask 5 13)"
}

tc caps_user_none 'CVE-2016-8867: a user who is not root has no capability unless it is ambient'
caps_user_none() {
	bundle
	edit '.process.user={uid:1000,gid:1000}'
	up
	eq "$(proc CapEff)$(proc CapPrm)$(proc CapAmb)" "$(mask)$(mask)$(mask)"
	ne "$(proc CapBnd)" "$(mask)"
	exec_good rft inspect
	kv_is CapEff "$(mask)"
}

tc caps_inheritable_empty 'CVE-2022-29162: the inheritable set is empty in run, exec and exec --cap'
caps_inheritable_empty() {
	bundle
	up
	eq "$(proc CapInh)" "$(mask)"
	exec_good rft inspect
	kv_is CapInh "$(mask)"
	try exec --cap CAP_NET_ADMIN "$ID" rft inspect
	eq "$RC" 0
	kv_is CapInh "$(mask)"
}

tc caps_inheritable_asked 'P9: the inheritable set is given when it is asked for'
caps_inheritable_asked() {
	bundle
	edit '.process.capabilities.inheritable=["CAP_KILL"]'
	up
	eq "$(proc CapInh)" "$(mask 5)"
}

# crun from 1.29 on refuses the name.
tc caps_unknown 'P9: an unknown capability is a warning, and the others are given'
caps_unknown() {
	bundle
	edit '.process.capabilities={bounding:["CAP_KILL","CAP_UNHEARD_OF"],permitted:["CAP_KILL"],effective:["CAP_KILL"]}'
	up
	eq "$(proc CapBnd)" "$(mask 5)"
}

# crun: "set bounding caps" fails.
tc caps_ungrantable 'P9: a capability that the caller cannot grant is a warning'
caps_ungrantable() {
	bundle
	edit '.process.capabilities=(["bounding","permitted","effective"]|map({(.):["CAP_KILL","CAP_SYS_BOOT"]})|add)'
	inspect
	grab setpriv --bounding-set -sys_boot --inh-caps -sys_boot "$RT" "${GOPTS[@]}" run --bundle "$B" "$ID"
	eq "$RC" 0
	kv_is CapBnd "$(mask 5)"
	kv_is CapEff "$(mask 5)"
}

tc caps_ambient_ungrantable 'P9: an ambient capability that is not permitted as well is not raised, and no error'
caps_ambient_ungrantable() {
	bundle
	edit '.process.user={uid:1000,gid:1000}|.process.capabilities={bounding:["CAP_KILL"],permitted:["CAP_KILL"],
		effective:["CAP_KILL"],ambient:["CAP_KILL"]}'
	up
	eq "$(proc CapAmb)" "$(mask)"
}

tc caps_all 'P9: every capability that the caller has can be passed on'
caps_all() {
	local names
	bundle
	names='"CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_DAC_READ_SEARCH","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID",
		"CAP_SETPCAP","CAP_LINUX_IMMUTABLE","CAP_NET_BIND_SERVICE","CAP_NET_BROADCAST","CAP_NET_ADMIN","CAP_NET_RAW",
		"CAP_IPC_LOCK","CAP_IPC_OWNER","CAP_SYS_MODULE","CAP_SYS_RAWIO","CAP_SYS_CHROOT","CAP_SYS_PTRACE","CAP_SYS_PACCT",
		"CAP_SYS_ADMIN","CAP_SYS_BOOT","CAP_SYS_NICE","CAP_SYS_RESOURCE","CAP_SYS_TIME","CAP_SYS_TTY_CONFIG","CAP_MKNOD",
		"CAP_LEASE","CAP_AUDIT_WRITE","CAP_AUDIT_CONTROL","CAP_SETFCAP","CAP_MAC_OVERRIDE","CAP_MAC_ADMIN","CAP_SYSLOG",
		"CAP_WAKE_ALARM","CAP_BLOCK_SUSPEND","CAP_AUDIT_READ","CAP_PERFMON","CAP_BPF","CAP_CHECKPOINT_RESTORE"'
	# What the caller lacks is left out, since crun makes an error of it.
	local own bit list
	own=$((0x$(sed -n 's/^CapBnd:\t//p' /proc/self/status)))
	list=$(jq -c --argjson n "[$names]" -n '$n')
	for ((bit = 0; bit < 41; bit++)); do
		((own >> bit & 1)) || list=$(jq -c ".[$bit]=null" <<<"$list")
	done
	edit '.process.capabilities=(["bounding","permitted","effective"]|map({(.):($l|map(select(.)))})|add)' --argjson l "$list"
	up
	eq "$(proc CapEff)" "$(printf '%016x' $((own & (1 << 41) - 1)))"
}

tc caps_exec_cap '2.2: exec --cap adds a capability for that process'
caps_exec_cap() {
	bundle
	edit '.process.capabilities=(["bounding","permitted","effective"]|map({(.):["CAP_KILL"]})|add)'
	up
	try exec --cap CAP_CHOWN "$ID" rft inspect
	eq "$RC" 0
	kv_is CapEff "$(mask 0 5)"
	eq "$(proc CapEff)" "$(mask 5)"
}
