/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of the control channel (proto.h): made by the monitor, read by the agent.
 *
 * SETUP
 *   {
 *     "time": 1764150000123456789,   ns since 1970, the host's CLOCK_REALTIME
 *     "hostname": "...",             of the guest outside of the partition; may be missing
 *     "resolver": "127.0.0.11",      where the agent answers DNS (dns.h); may be missing
 *     "shares": [                    directories (or single files) of the host, by 9p
 *       { "tag": "s0",               virtio-9p mount tag, or, where "port" is there, only a name
 *         "port": "ringfence.s0",    the name of a virtio-serial port that carries 9p messages as a
 *                                    stream: the agent makes a socket pair, mounts trans=fd on one
 *                                    end and copies between the other end and the port
 *         "target": "/run/ringfence-guest/s0",
 *         "exclusive": true,         nobody else changes it: the guest may cache it; missing: false
 *         "readonly": true } ],      missing: false
 *     "disks": [                     virtio-blk, the first ones by their serial numbers: d0, d1, ...
 *       { "fs": "erofs",
 *         "target": "/run/ringfence-guest/d0",
 *         "readonly": true } ],
 *     "network": { ... }             missing: loopback only; net.h has its layout
 *   }
 *
 * CONFIG, then CREATE; after SETUP has been answered. What fails may be tried again, CONFIG included.
 *   {
 *     "id": "name",
 *     "root": "/run/ringfence-guest/s0",
 *                                    instead of root.path; may be missing where "overlay" is there
 *     "sources": [                   instead of mounts[index].source: binds of what is the host's
 *       { "index": 3, "source": "/run/ringfence-guest/s1/hosts" },
 *       { "index": 4, "tmpfs": 65536000 } ],
 *                                    or a tmpfs of so many bytes; 0: half of the memory
 *                                    or "cgroup": true: left out; the partition's cgroups, which it would
 *                                    have been below, are writable instead
 *                                    or "shm": 65536000: the tmpfs that the partitions of a pod share, which
 *                                    the first of them makes, of so many bytes
 *     "disks": [                     what the disk with serial "d1" stands for; may be missing
 *       { "disk": 1, "mount": 4, "volume": true },
 *                                    the file system on it is mounts[4]
 *       { "disk": 2, "mount": 5 },     mounts[5], a bind, is of its device's node
 *       { "disk": 3, "device": 0,      linux.devices[0] has its numbers instead of the host's, 7:1, which
 *         "major": 7, "minor": 1 } ],  rules for devices may name; a mount's source may have some, too
 *     "stdin": true,                 (the default) false: the payload's is /dev/null
 *     "overlay": { "lower": [ "/run/ringfence-guest/d0" ],
 *                  "upper": "/run/ringfence-guest/d1",
 *                                    what is written goes there instead of a tmpfs; may be missing
 *                  "readonly": true }
 *                                    as root.readonly; missing: false
 *                                    may be missing: then root is used as it is; else the root file
 *                                    system is an overlay of these, topmost first, with a tmpfs on top
 *   }
 * With a number other than 0 (proto.h) also:
 *     "config": { ... }              config.json: there is no CONFIG
 *     "join": [ "ipc", "uts" ]       namespaces to share with partition 0: ipc, pid, uts
 * and no "overlay".
 * A mount of type overlay on "/", as the first of config.json's, is left out: the host has made it, or
 * "overlay" stands for it. Everything else is taken from config.json as the caller wrote it, but for what the
 * agent replaces or drops itself (guest/adapt.c):
 *   - namespaces: all paths (a new one of that kind instead), the network (the guest's own is the
 *     partition's, and its sysctls are written there), a mount namespace is there in any case
 *   - cgroupsPath; of resources all but memory.limit and reservation, cpu shares, quota, period, burst and
 *     idle, pids, and device rules
 *   - hooks that are the host's: all but startContainer
 *   - netDevices, intelRdt, memoryPolicy, vm, mountLabel, process.apparmorProfile, selinuxLabel and
 *     execCPUAffinity; annotations that name sockets, files or scopes of the host
 *   - seccomp.listenerPath is refused
 * A first process that dies between CREATE and START has its EXIT all the same.
 *
 * EXEC
 *   what struct rt_exec_opts has, by these names, all of which may be missing:
 *   { "partition": 7,                the number of the partition; missing: 0
 *     "args": [ ... ], "cwd": "...", "env": [ "A=b" ], "tty": true, "user": "UID:GID",
 *     "additionalGids": [ "5", 6 ], "caps": [ ... ], "noNewPrivileges": true,
 *     "process": { ... },            instead of all these but "tty": an object as in a process.json
 *     "stdin": true }                as in CREATE
 *
 * UPDATE: linux.resources; what CREATE leaves out of them is left out here, too, and device rules.
 */
#ifndef SANDBOX_PLAN_H
#define SANDBOX_PLAN_H

#define PLAN_DIR "/run/ringfence-guest" /* in the guest */

#endif
