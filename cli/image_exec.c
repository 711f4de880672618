/* SPDX-License-Identifier: Apache-2.0 */
/* Handing a verb to ringfence-image (see image_exec.h). */
#include "cli/image_exec.h"

#include <limits.h>
#include <signal.h>
#include <sys/stat.h>

#include "cli/image/verbs.h"

#define PROGRAM "ringfence-image"
#ifdef HAVE_IMAGES
#define WITH_IMAGES true
#else
#define WITH_IMAGES false
#endif

static const struct {
	const char *name, *summary;
} verbs[] = {
#define X(name, summary) { #name, summary },
	IMAGE_VERBS(X)
#undef X
};

bool image_exec_knows(const char *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq(verbs[i].name, verb))
			return true;
	return false;
}

void image_exec_list(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		cli_list_verb(verbs[i].name, verbs[i].summary, out);
}

/*
 * The one beside us, if we are not the installed ringfence: that of the same build. It must be of whoever
 * owns our own file, or root's: a directory that anybody may write to, where somebody has put a link to us,
 * has nothing to say.
 */
static bool find_beside(const struct stat *self, char *path, size_t size)
{
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", path, size);
	char *slash;

	if (n <= 0 || (size_t)n >= size)
		return false;
	path[n] = '\0';
	slash = path[0] == '/' ? strrchr(path, '/') : NULL;
	if (!slash || (size_t)(slash + 1 - path) + sizeof(PROGRAM) > size)
		return false;
	memcpy(slash + 1, PROGRAM, sizeof(PROGRAM));
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == self->st_uid || st.st_uid == 0);
}

static void find_program(char *path, size_t size)
{
	struct stat self, installed;

	if (stat("/proc/self/exe", &self) == 0 &&
		(stat(BINDIR "/ringfence", &installed) < 0 || self.st_dev != installed.st_dev ||
			self.st_ino != installed.st_ino) &&
		find_beside(&self, path, size))
		return;
	snprintf(path, size, "%s", LIBEXECDIR "/ringfence/" PROGRAM);
}

static int missing(const char *verb, const char *path, int why, struct err *e)
{
	if (!WITH_IMAGES)
		return err_text(e, ENOSYS,
			"%s: this ringfence was built with --disable-images, without " PROGRAM
			"; build it with libcurl, libarchive and libcrypto",
			verb);
	err_set(e, why, "%s: run %s", verb, path);
	if (why == ENOENT)
		err_hint(e, "\"make install\" puts it there, and \"./bootstrap build\" makes one that runs "
			    "from where it was built");
	return -e->code;
}

int image_exec(const struct log_options *log, const char *store, char *const *args, struct err *e)
{
	char path[PATH_MAX], program[] = PROGRAM;
	_cleanup_free_ char **argv = calloc(strv_len(args) + 12, sizeof(*argv));
	const struct {
		const char *option, *value;
	} handed[] = {
		{ "--log", log->log },
		{ "--log-format", log->log_format },
		{ "--log-level", log->log_level },
		{ "--store", store },
	};
	char debug[] = "--debug";
	sigset_t none;
	size_t n = 0;

	if (!argv)
		return err_set(e, ENOMEM, "%s", args[0]);
	argv[n++] = program;
	for (size_t i = 0; i < ARRAY_SIZE(handed); i++) {
		if (!handed[i].value)
			continue;
		argv[n++] = (char *)handed[i].option;
		argv[n++] = (char *)handed[i].value;
	}
	if (log->debug)
		argv[n++] = debug;
	for (size_t i = 0; args[i]; i++)
		argv[n++] = args[i];
	find_program(path, sizeof(path));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	return missing(args[0], path, errno, e);
}
