/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON documents of the control channel (proto.h): made by the monitor, read by the agent.
 *
 * SETUP
 *   {
 *     "time": 1764150000123456789,            ns since 1970, the host's CLOCK_REALTIME
 *     "hostname": "…",                        of the guest outside of the partition; may be missing
 *     "shares": [                             directories (or single files) of the host, by 9p
 *       { "tag": "s0",                        virtio-9p mount tag, or, where "port" is there, only a name
 *         "port": "ringfence.s0",             the name of a virtio-serial port that carries 9p messages as a
 *                                             stream: the agent makes a socket pair, mounts trans=fd on one
 * end and copies between the other end and the port "target": "/run/ringfence-guest/s0", "readonly": true }
 * ], "disks": [                              virtio-blk, in the order of their devices: vda, vdb, … { "fs":
 * "erofs", "target": "/run/ringfence-guest/d0", "readonly": true } ], "network": { … } missing: loopback
 * only; net.h has its layout
 *   }
 *
 * CREATE
 *   {
 *     "id": "name",
 *     "root": "/run/ringfence-guest/s0",      instead of root.path
 *     "sources": [ { "index": 3, "source": "/run/ringfence-guest/s1/hosts" } ],
 *                                             instead of mounts[index].source: bind mounts of what is the
 * host's "stdin": true,                          false: the payload's is /dev/null "overlay": { "lower": [
 * "/run/ringfence-guest/d0" ] }   may be missing: then root is used as it is; else root is an overlay of
 * these, topmost first, with a tmpfs on top
 *   }
 * Everything else is taken from config.json as the caller wrote it, but for what the agent replaces itself:
 * all namespace paths, cgroupsPath, hooks that are the host's (prestart, createRuntime, poststart, poststop),
 * the network namespace (the guest's own is the partition's), netDevices, intelRdt.
 *
 * EXEC
 *   { "process": { … }, "args": [ … ] }       what struct rt_exec_opts has, by the members' names there:
 * "cwd", "env", "tty", "user", "additionalGids", "caps", "noNewPrivileges", "processFile": the text of a
 * process.json as an object under "process"
 */
#ifndef SANDBOX_PLAN_H
#define SANDBOX_PLAN_H

#define PLAN_DIR "/run/ringfence-guest" /* in the guest */

#endif
