/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the payload's program, and saying what is wrong with it (see lookup.h). */
#include "runtime/lookup.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* 0: can be executed as far as one can see. -ENOENT, -EACCES, … */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* For root any execute bit will do (path_resolution(7)); for others it is their ids that count. */
	if (geteuid() == 0)
		return st.st_mode & 0111 ? 0 : -EACCES;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return -errno;
	return 0;
}

int lookup_program(struct arena *a, const char *name, char *const *env, const char **path, struct err *e)
{
	const char *dirs = strv_env(env, "PATH");
	bool denied = false;

	if (!*name)
		return err_text(e, ENOENT,
			"exec: \"\": executable file not found in $PATH: process.args[0] is empty");
	if (strchr(name, '/')) {
		int r = executable(name);

		*path = name;
		if (r == 0)
			return 0;
		if (r == -EACCES || r == -EISDIR)
			return err_text(e, EACCES, "exec: \"%s\": permission denied: it is %s", name,
				r == -EISDIR ? "a directory" : "not executable for this user");
		if (r == -ENOENT)
			return err_text(
				e, ENOENT, "exec: \"%s\": stat %s: no such file or directory", name, name);
		return err_set(e, -r, "exec: \"%s\": stat %s", name, name);
	}
	if (!dirs)
		dirs = DEFAULT_PATH;
	for (const char *p = dirs;; p++) {
		size_t n = strcspn(p, ":");
		/* An empty entry is the working directory (environ(7)). */
		char *try = arena_printf(a, "%.*s%s%s", n ? (int)n : 1, n ? p : ".", "/", name);
		int r;

		if (!try)
			return err_set(e, ENOMEM, "look for %s", name);
		r = executable(try);
		if (r == 0) {
			*path = try;
			return 0;
		}
		denied = denied || r == -EACCES;
		p += n;
		if (!*p)
			break;
	}
	if (denied)
		return err_text(e, EACCES,
			"exec: \"%s\": permission denied: it is in $PATH, but not executable for this user",
			name);
	err_text(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
	if (strchr(name, ' '))
		return err_hint(e,
			"is it several words? each word is a string of its own in process.args, which "
			"no shell takes apart");
	if (!strv_env(env, "PATH"))
		return err_hint(e, "process.env does not set it, so it is %s", dirs);
	return err_hint(e, "it is \"%.300s\"", dirs);
}

/* The first line of a script, after "#!", into buf. False if it is none. */
static bool script_interpreter(const char *head, ssize_t n, char *buf, size_t size)
{
	size_t start = 2, len;

	if (n < 3 || head[0] != '#' || head[1] != '!')
		return false;
	while (start < (size_t)n && (head[start] == ' ' || head[start] == '\t'))
		start++;
	for (len = 0; start + len < (size_t)n && !memchr(" \t\n", head[start + len], 3); len++)
		;
	if (len == 0 || len >= size)
		return false;
	memcpy(buf, head + start, len);
	buf[len] = '\0';
	return true;
}

/* The PT_INTERP of a 64-bit ELF file of our byte order, into buf. False if there is none to be found. */
static bool elf_interpreter(int fd, const char *head, ssize_t n, char *buf, size_t size)
{
	Elf64_Ehdr eh;

	if (n < (ssize_t)sizeof(eh))
		return false;
	memcpy(&eh, head, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
		eh.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (unsigned int i = 0; i < eh.e_phnum && i < 64; i++) {
		Elf64_Phdr ph;

		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))) != sizeof(ph))
			return false;
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz < 2 || ph.p_filesz > size ||
			pread(fd, buf, ph.p_filesz, (off_t)ph.p_offset) != (ssize_t)ph.p_filesz)
			return false;
		buf[ph.p_filesz - 1] = '\0';
		return true;
	}
	return false;
}

static bool foreign_elf(const char *head, ssize_t n)
{
	Elf64_Ehdr eh, own;
	_cleanup_close_ int fd = -EBADF;

	if (n < (ssize_t)sizeof(eh) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return false;
	memcpy(&eh, head, sizeof(eh));
	/* By now that is whatever the partition has there. */
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || pread(fd, &own, sizeof(own), 0) != (ssize_t)sizeof(own))
		return false;
	return eh.e_machine != own.e_machine;
}

int lookup_explain(const char *name, const char *path, int code, struct err *e)
{
	/* O_NONBLOCK: whatever stands there by now, do not wait for it. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[256] = "", interp[256];
	struct utsname u;
	struct statvfs vfs;
	ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof(head), 0);

	if (code == ENOENT && n > 0) {
		if (script_interpreter(head, n, interp, sizeof(interp))) {
			size_t len = strlen(interp);

			if (interp[len - 1] == '\r') {
				interp[len - 1] = '\0';
				return err_text(e, code,
					"exec: \"%s\": its first line ends with a carriage return, so the "
					"interpreter \"%s\\r\" is "
					"looked for: no such file or directory; convert the script to Unix "
					"line ends",
					name, interp);
			}
			return err_text(e, code,
				"exec: \"%s\": its interpreter %s, named in the first line: no such file or "
				"directory; add it to "
				"the root file system",
				name, interp);
		}
		if (elf_interpreter(fd, head, n, interp, sizeof(interp)))
			return err_text(e, code,
				"exec: \"%s\": its dynamic linker %s: no such file or directory; the program "
				"was built for another C "
				"library or architecture, or the root file system is incomplete",
				name, interp);
	}
	if (code == ENOEXEC) {
		if (foreign_elf(head, n) && uname(&u) == 0)
			return err_text(e, code,
				"exec: \"%s\": exec format error: the program was built for another "
				"architecture than %s",
				name, u.machine);
		if (n >= 2 && head[0] == '#' && head[1] == '!')
			return err_text(e, code,
				"exec: \"%s\": exec format error: the first line names no interpreter", name);
		return err_text(e, code,
			"exec: \"%s\": exec format error: neither a program for this machine nor a script "
			"with #!",
			name);
	}
	if (code == EACCES && statvfs(path, &vfs) == 0 && (vfs.f_flag & ST_NOEXEC))
		return err_text(
			e, code, "exec: \"%s\": permission denied: its file system is mounted noexec", name);
	if (code == EACCES && script_interpreter(head, n, interp, sizeof(interp)) && executable(interp) < 0)
		return err_text(e, code,
			"exec: \"%s\": permission denied: its interpreter %s, named in the first line, is %s",
			name, interp,
			executable(interp) == -EISDIR ? "a directory" : "not executable for this user");
	if (code == EACCES)
		return err_text(e, code, "exec: \"%s\": permission denied", name);
	if (code == ENOENT)
		return err_text(e, code, "exec: \"%s\": no such file or directory", name);
	return err_set(e, code, "exec: \"%s\"", name);
}

/* A passwd(5) line: is its third field `uid`, and what is its sixth? Numeric names are just names
 * (CVE-2016-3697). */
static bool passwd_home(char *line, unsigned int uid, const char **home)
{
	char *field[7], *p = line;
	uint32_t id;

	for (int i = 0; i < 7; i++) {
		field[i] = p;
		p = strchr(p, ':');
		if (!p && i < 5)
			return false;
		if (p)
			*p++ = '\0';
		else
			p = line + strlen(line);
	}
	if (str_to_u32(field[2], &id) < 0 || id != uid)
		return false;
	*home = field[5];
	return **home != '\0';
}

const char *lookup_home(struct arena *a, int rootfd, unsigned int uid)
{
	_cleanup_close_ int fd = path_open(rootfd, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, 0);
	_cleanup_free_ char *text = NULL;
	const char *home;
	struct stat st;
	size_t len;

	/* Hostile: a FIFO, a device, or gigabytes of it (CVE-2024-9676). */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > 1 << 20 ||
		fd_read_all(fd, 1 << 20, &text, &len) < 0)
		return "/";
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (passwd_home(line, uid, &home)) {
			home = arena_strdup(a, home);
			return home ? home : "/";
		}
	}
	return "/";
}

/* Not getpwuid(3): a static program has no NSS. */
char *lookup_user(struct arena *a, uid_t uid)
{
	_cleanup_free_ char *text = NULL;
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "%u", (unsigned int)uid);
	if (fd_read_at(AT_FDCWD, "/etc/passwd", 4U << 20, &text, NULL) < 0)
		return arena_strdup(a, wanted);
	for (char *line = text, *next; line; line = next) {
		char *name, *id;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		name = strsep(&line, ":");
		if (!line || !strsep(&line, ":") || !line)
			continue;
		id = strsep(&line, ":");
		if (id && str_eq(id, wanted))
			return arena_strdup(a, name);
	}
	return arena_strdup(a, wanted);
}
