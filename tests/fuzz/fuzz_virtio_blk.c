/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the virtio block device; one that is read-only stays as it is, and none becomes longer. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz_virtio.h"

#define DISK (64 * 512 + 7)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t zero[DISK];
	_cleanup_close_ int file = memfd_create("disk", MFD_CLOEXEC);
	struct vm_disk disk = { .readonly = size && data[0] & 1 };
	static uint8_t now[DISK];
	char path[FD_PATH_MAX];
	struct err e = ERR_INIT;
	struct stat st;
	struct fuzz f;

	MUST(file >= 0 && ftruncate(file, DISK) == 0);
	disk.fd = open(fd_path(path, file), (disk.readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	fuzz_open(&f, data, size);
	fuzz_get(&f, 1);
	MUST(virtio_blk_new(&f.mem, &f.loop, &disk, &f.d, &e) == 0);
	fuzz_run(&f);
	MUST(fstat(file, &st) == 0 && st.st_size == DISK && pread(file, now, DISK, 0) == DISK);
	MUST(memcmp(now + 64 * 512, zero, 7) == 0);
	MUST(!disk.readonly || memcmp(now, zero, DISK) == 0);
	return 0;
}
