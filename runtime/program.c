/* SPDX-License-Identifier: Apache-2.0 */
/* Where our programs are: our own, for hooks, and those that come with it. */
#include <limits.h>
#include <sys/stat.h>

#include "base/path.h"
#include "runtime/program.h"

#define OWN	  "/proc/self/exe"
#define INSTALLED BINDIR "/ringfence"

static bool is_file(const char *path, struct stat *st)
{
	return stat(path, st) == 0 && S_ISREG(st->st_mode);
}

/* The file at `path` is what runs here. Out of reach of payloads (runtime/seal.h) it is on another mount, but
 * the same inode. */
static bool is_own(const char *path)
{
	struct stat st, own;

	return is_file(path, &st) && stat(OWN, &own) == 0 && st.st_dev == own.st_dev &&
	       st.st_ino == own.st_ino;
}

/* As the shell found it. malloc()ed, absolute, or NULL. */
static char *by_name(void)
{
	const char *name = program_invocation_name, *dirs = getenv("PATH");
	struct stat st;

	if (!name || !*name)
		return NULL;
	if (strchr(name, '/'))
		return path_absolute(name);
	for (const char *d = dirs; d && *d;) {
		int n = (int)strcspn(d, ":");
		char path[PATH_MAX];

		if (*d == '/' && snprintf(path, sizeof(path), "%.*s/%s", n, d, name) < (int)sizeof(path) &&
			is_file(path, &st) && access(path, X_OK) == 0)
			return strdup(path);
		d += n + (d[n] == ':');
	}
	return NULL;
}

int rt_own_program(char *path, size_t size, struct err *e)
{
	_cleanup_free_ char *name = NULL;
	struct stat st;
	ssize_t n;

	if (size > sizeof(INSTALLED) && is_own(INSTALLED)) {
		memcpy(path, INSTALLED, sizeof(INSTALLED));
		return 0;
	}
	n = readlink(OWN, path, size);
	if (n > 0 && (size_t)n < size) {
		path[n] = '\0';
		if (is_own(path))
			return 0;
	}
	name = by_name();
	/* A copy in memory has no path, and whose name is not known. Then it is of a user who is not root,
	 * and what he may run so is his own. */
	if (name && strlen(name) < size &&
		(is_own(name) || (geteuid() != 0 && is_file(name, &st) &&
					 (st.st_uid == geteuid() || st.st_uid == 0)))) {
		memcpy(path, name, strlen(name) + 1);
		return 0;
	}
	return err_text(
		e, ENOENT, "the path of our own program is not known; run ringfence by its absolute path");
}

/*
 * The one beside us, if we are not the installed ringfence: that of the same build. It must be of whoever
 * owns our own file, or root's: a directory that anybody may write to, where somebody has put a link to us,
 * has nothing to say.
 */
static bool find_beside(const char *name, char *path, size_t size)
{
	struct stat own, st;
	size_t len = strlen(name) + 1;
	char *slash;

	if (is_own(INSTALLED) || rt_own_program(path, size, NULL) < 0 || stat(path, &own) < 0)
		return false;
	slash = strrchr(path, '/');
	if (!slash || (size_t)(slash + 1 - path) + len > size)
		return false;
	memcpy(slash + 1, name, len);
	return is_file(path, &st) && (st.st_uid == own.st_uid || st.st_uid == 0);
}

void rt_companion(const char *name, char *path, size_t size)
{
	if (!find_beside(name, path, size))
		snprintf(path, size, "%s/%s", LIBEXECDIR "/ringfence", name);
}
