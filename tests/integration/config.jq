# SPDX-License-Identifier: Apache-2.0
# The config.json that each bundle starts from: what `spec` of any runtime writes, with a payload that waits.
def caps: ["CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"];
def m($d; $t; $s; $o): {destination: $d, type: $t, source: $s, options: $o};
{
	ociVersion: "1.0.2",
	process: {
		terminal: false,
		user: {uid: 0, gid: 0},
		args: ["rft", "pause"],
		env: ["PATH=/usr/bin:/bin", "TERM=dumb"],
		cwd: "/",
		capabilities: {bounding: caps, effective: caps, permitted: caps},
		rlimits: [{type: "RLIMIT_NOFILE", hard: 1024, soft: 1024}],
		noNewPrivileges: true
	},
	root: {path: "rootfs", readonly: false},
	hostname: "inside",
	mounts: [
		m("/proc"; "proc"; "proc"; null),
		m("/dev"; "tmpfs"; "tmpfs"; ["nosuid", "strictatime", "mode=755", "size=65536k"]),
		m("/dev/pts"; "devpts"; "devpts"; ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
		m("/dev/shm"; "tmpfs"; "shm"; ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
		m("/sys"; "sysfs"; "sysfs"; ["nosuid", "noexec", "nodev", "ro"])
	],
	linux: {
		namespaces: [{type: "pid"}, {type: "network"}, {type: "ipc"}, {type: "uts"}, {type: "mount"}, {type: "cgroup"}],
		resources: {devices: [{allow: false, access: "rwm"}]},
		maskedPaths: ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"],
		readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
	}
}
