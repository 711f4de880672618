/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's initramfs, as cpio(1) reads it; and the programs that it is not made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "sandbox/initrd.h"

/* A file of `size` bytes that begins like a static program with one program header of the given type. */
static int program(size_t size, uint32_t type)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p;
	} head = {
		.h = { .e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1 },
		.p = { .p_type = type },
	};
	int fd = memfd_create("program", MFD_CLOEXEC);

	memcpy(head.h.e_ident, ELFMAG, SELFMAG);
	head.h.e_ident[EI_CLASS] = ELFCLASS64;
	assert_true(fd >= 0);
	for (size_t at = 0; at < size; at += 4096) {
		uint8_t page[4096];

		for (size_t i = 0; i < sizeof(page); i++)
			page[i] = (uint8_t)((at >> 12) * 31 + i * 7);
		if (at == 0)
			memcpy(page, &head, sizeof(head));
		assert_int_equal(fd_write_all(fd, page, size - at < 4096 ? size - at : 4096), 0);
	}
	return fd;
}

/* What `cpio ARGUMENTS` prints when it reads the archive; the caller's. */
static char *cpio(int archive, const char *arguments, size_t *len)
{
	char command[256], *text = NULL;
	int out[2], status;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	snprintf(command, sizeof(command), "exec cpio --quiet %s", arguments);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		lseek(archive, 0, SEEK_SET);
		dup2(archive, 0);
		dup2(out[1], 1);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	assert_int_equal(fd_read_all(out[0], 1 << 26, &text, len), 0);
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 127) {
		free(text);
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return text;
}

static void line(const char *listing, const char *mode, const char *rest)
{
	const char *at = strstr(listing, rest);

	assert_non_null(at);
	while (at > listing && at[-1] != '\n')
		at--;
	assert_memory_equal(at, mode, strlen(mode));
}

static void test_contents(void **state)
{
	/* One for each padding. */
	static const size_t sizes[] = { 5000, 5001, 5002, 5003, 200000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct err e = ERR_INIT;
		int fd = program(sizes[i], PT_LOAD), archive;
		char *list, *init, *want;
		size_t len, want_len;

		lseek(fd, 17, SEEK_SET);
		archive = vm_initrd_make(fd, &e);
		assert_true(archive >= 0);
		assert_int_equal(lseek(archive, 0, SEEK_CUR), 0);
		assert_int_equal(lseek(archive, 0, SEEK_END) % 4, 0);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 17);

		list = cpio(archive, "-itv --numeric-uid-gid", &len);
		line(list, "drwxr-xr-x", " dev\n");
		line(list, "drwxr-xr-x", " proc\n");
		line(list, "drwxr-xr-x", " run\n");
		line(list, "drwxr-xr-x", " sys\n");
		line(list, "drwxrwxrwt", " tmp\n");
		line(list, "crw-------", " dev/console\n");
		assert_non_null(strstr(list, "5,   1"));
		line(list, "-rwxr-xr-x   1 0        0 ", " init\n");
		free(list);

		init = cpio(archive, "-i --to-stdout init", &len);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_read_all(fd, 1 << 26, &want, &want_len), 0);
		assert_int_equal(len, want_len);
		assert_memory_equal(init, want, len);
		free(init);
		free(want);
		close(archive);
		close(fd);
	}
}

static void test_nobody_changes_it(void **state)
{
	struct err e = ERR_INIT;
	int fd = program(5000, PT_LOAD), archive = vm_initrd_make(fd, &e);

	assert_true(archive >= 0);
	assert_true(fcntl(archive, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(archive, "x", 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(archive, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, archive, 0) == MAP_FAILED);
	assert_int_equal(fcntl(archive, F_ADD_SEALS, 0), -1);
	close(archive);
	close(fd);
}

static void refused(int fd, int code, const char *text)
{
	struct err e = ERR_INIT;

	assert_int_equal(vm_initrd_make(fd, &e), -code);
	assert_int_equal(e.code, code);
	assert_non_null(strstr(e.text, text));
	close(fd);
}

static void test_refusals(void **state)
{
	Elf64_Ehdr h;
	int fd;

	refused(open("/", O_RDONLY | O_CLOEXEC), EINVAL, "not a file");
	refused(memfd_create("empty", MFD_CLOEXEC), EINVAL, "is empty");
	fd = memfd_create("text", MFD_CLOEXEC);
	assert_int_equal(fd_write_all(fd, "#!/bin/sh\n", 10), 0);
	refused(fd, ENOEXEC, "ends within its headers");
	assert_int_equal(ftruncate(fd = memfd_create("zeros", MFD_CLOEXEC), 4096), 0);
	refused(fd, ENOEXEC, "not one for x86-64");
	assert_int_equal(ftruncate(fd = program(5000, PT_LOAD), VM_INITRD_PROGRAM_MAX + 1), 0);
	refused(fd, EFBIG, "are the most");
	refused(program(5000, PT_INTERP), ENOEXEC, "not a static one");
	refused(program(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) - 1, PT_LOAD), ENOEXEC, "ends within");
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	refused(fd, EINVAL, "not a file");
	refused(-1, EBADF, "fstat");

	/* Headers that point out of the file, and more of them than anybody has. */
	fd = program(5000, PT_LOAD);
	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	h.e_phoff = UINT64_MAX - 8;
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	refused(fd, ENOEXEC, "no proper program headers");
	fd = program(5000, PT_LOAD);
	h.e_phoff = sizeof(h);
	h.e_phnum = 0xffff;
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	refused(fd, ENOEXEC, "no proper program headers");
}

/* Not a test of time, which would fail on a busy machine: a figure for docs/sandbox.md. */
static void test_time(void **state)
{
	int fd = program(2 << 20, PT_LOAD);
	struct timespec a, b;
	double best = 1e9;

	for (int i = 0; i < 20; i++) {
		struct err e = ERR_INIT;
		int archive;
		double ms;

		clock_gettime(CLOCK_MONOTONIC, &a);
		archive = vm_initrd_make(fd, &e);
		clock_gettime(CLOCK_MONOTONIC, &b);
		assert_true(archive >= 0);
		close(archive);
		ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
		best = ms < best ? ms : best;
	}
	print_message("# an archive of 2 MiB: %.2f ms at best\n", best);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_nobody_changes_it),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
