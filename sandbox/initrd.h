/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's first file system: an archive (cpio, "newc": Documentation/driver-api/early-userspace/
 * buffer-format.rst of Linux) that the kernel unpacks into its memory.
 *
 * In it: /init, which is the program given; /dev/console, which the kernel opens for it as descriptors 0 to
 * 2; and empty directories to mount on: /dev /proc /run /sys /tmp. Not compressed, since the guest's kernel
 * has no decompressor.
 *
 * It is made at every start and not with `make`: copying 2 MB within the page cache takes about a
 * millisecond, and so there is one file less to install, to keep next to its program's version and to trust.
 */
#ifndef SANDBOX_INITRD_H
#define SANDBOX_INITRD_H

#include "base/err.h"

#define VM_INITRD_PROGRAM_MAX (32U << 20) /* bytes */

/*
 * `program_fd`: a static program for x86-64, opened for reading; its offset is neither used nor moved.
 * Returns a memfd that nobody can change any more, at offset 0; the caller's. Errors: -EINVAL: no regular
 * file, or empty; -EFBIG; -ENOEXEC: no program for this machine, or one that needs a dynamic linker, which
 * the guest has not; -EIO: it became shorter meanwhile.
 */
int vm_initrd_make(int program_fd, struct err *e);

#endif
