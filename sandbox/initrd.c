/* SPDX-License-Identifier: Apache-2.0 */
/* The archive that the guest's kernel takes /init from. */
#include "sandbox/initrd.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define HEAD_MAX    4096
#define PROGRAM_MAX 128 /* program headers; a static program has about ten */

struct archive {
	char bytes[HEAD_MAX];
	size_t len;
	unsigned inode;
};

/* Names and contents begin at multiples of four bytes of the archive. */
static size_t pad(size_t len)
{
	return -len & 3;
}

/* An entry without contents, or the head of one with `size` bytes of them. Everything fits: names are ours.
 */
static void entry(struct archive *a, const char *name, mode_t mode, dev_t dev, uint32_t size)
{
	size_t name_len = strlen(name) + 1;
	int n = snprintf(a->bytes + a->len, sizeof(a->bytes) - a->len,
		"070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s", ++a->inode, (unsigned)mode,
		0U, 0U,	      /* user, group */
		1U, 0U,	      /* links, time */
		size, 0U, 0U, /* on which device it was */
		major(dev), minor(dev), (unsigned)name_len, 0U, name);

	a->len += (size_t)n + 1;
	while (pad(a->len))
		a->bytes[a->len++] = '\0';
}

static int read_at(int fd, void *to, size_t len, uint64_t at, struct err *e)
{
	ssize_t n = pread(fd, to, len, (off_t)at);

	if (n < 0)
		return err_set(e, errno, "read the guest's program");
	if ((size_t)n != len)
		return err_text(e, ENOEXEC, "the guest's program ends within its headers");
	return 0;
}

/* What the guest's kernel would refuse, and what it would say to its console only. */
static int check_program(int fd, uint64_t size, struct err *e)
{
	Elf64_Ehdr h;
	Elf64_Phdr p[PROGRAM_MAX];
	size_t len;
	int r = read_at(fd, &h, sizeof(h), 0, e);

	if (r < 0)
		return r;
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
		h.e_machine != EM_X86_64 || (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return err_text(e, ENOEXEC, "the guest's program is not one for x86-64");
	len = h.e_phnum * sizeof(p[0]);
	if (h.e_phentsize != sizeof(p[0]) || h.e_phnum == 0 || h.e_phnum > PROGRAM_MAX || h.e_phoff > size)
		return err_text(e, ENOEXEC, "the guest's program has no proper program headers");
	r = read_at(fd, p, len, h.e_phoff, e);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < h.e_phnum; i++)
		if (p[i].p_type == PT_INTERP) {
			err_text(e, ENOEXEC, "the guest's program is not a static one");
			return err_hint(e, "a guest has no dynamic linker: build ringfence without "
					   "--disable-static");
		}
	return 0;
}

static int copy(int to, int from, uint64_t size, struct err *e)
{
	off_t at = 0;

	while ((uint64_t)at < size) {
		ssize_t n = sendfile(to, from, &at, size - (uint64_t)at);

		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "copy the guest's program into its initramfs");
		if (n == 0)
			return err_text(e, EIO,
				"the guest's program became shorter while it was read: %lld of %llu bytes",
				(long long)at, (unsigned long long)size);
	}
	return 0;
}

int vm_initrd_make(int program_fd, struct err *e)
{
	static const char *const dirs[] = { "dev", "proc", "run", "sys", "tmp" };
	_cleanup_close_ int fd = -EBADF;
	struct archive head = { .len = 0 }, tail = { .len = 0 };
	struct stat st;
	int r;

	if (fstat(program_fd, &st) < 0)
		return err_set(e, errno, "fstat the guest's program");
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return err_text(
			e, EINVAL, "the guest's program is %s", S_ISREG(st.st_mode) ? "empty" : "not a file");
	if (st.st_size > VM_INITRD_PROGRAM_MAX)
		return err_text(e, EFBIG, "the guest's program has %lld bytes, %u are the most",
			(long long)st.st_size, VM_INITRD_PROGRAM_MAX);
	r = check_program(program_fd, (uint64_t)st.st_size, e);
	if (r < 0)
		return r;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		entry(&head, dirs[i], S_IFDIR | (strcmp(dirs[i], "tmp") == 0 ? 01777 : 0755), 0, 0);
	entry(&head, "dev/console", S_IFCHR | 0600, makedev(5, 1), 0);
	entry(&head, "init", S_IFREG | 0755, 0, (uint32_t)st.st_size);
	entry(&tail, "TRAILER!!!", 0, 0, 0);

	fd = memfd_create("ringfence-initrd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set(e, errno, "memfd_create for the guest's initramfs");
	r = fd_write_all(fd, head.bytes, head.len);
	if (r < 0)
		return err_set(e, -r, "write the guest's initramfs");
	r = copy(fd, program_fd, (uint64_t)st.st_size, e);
	if (r < 0)
		return r;
	r = fd_write_all(fd, "\0\0\0", pad((size_t)st.st_size));
	if (r == 0)
		r = fd_write_all(fd, tail.bytes, tail.len);
	if (r < 0)
		return err_set(e, -r, "write the guest's initramfs");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_set(e, errno, "seal the guest's initramfs");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "rewind the guest's initramfs");
	return TAKE_FD(fd);
}
