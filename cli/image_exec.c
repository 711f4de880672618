/* SPDX-License-Identifier: Apache-2.0 */
/* Handing a verb to ringfence-image (see image_exec.h). */
#include "cli/image_exec.h"

#include <limits.h>
#include <signal.h>

#include "cli/image/verbs.h"
#include "runtime/program.h"

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
	char path[PATH_MAX];

	/* Built without it, but put there by somebody else? */
	rt_companion(PROGRAM, path, sizeof(path));
	if (!WITH_IMAGES && access(path, X_OK) < 0)
		return;
	strbuf_puts(out, "\nCommands for images (see ringfence-image(8)):\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		/* It is among ringfence's own, which knows partitions too. */
		if (!str_eq(verbs[i].name, "inspect"))
			cli_list_verb(verbs[i].name, verbs[i].summary, out);
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

/* What follows from --data ringfence-image knows nothing about. */
static int hand_on_data(const char *data, struct err *e)
{
	const char *store = getenv("RINGFENCE_STORE");
	_cleanup_free_ char *path = NULL;

	data = data ? data : getenv("RINGFENCE_DATA");
	if (data && *data && !(store && *store) &&
		(asprintf(&path, "%s/store", data) < 0 || setenv("RINGFENCE_STORE", path, 1) < 0))
		return err_set(e, ENOMEM, "%s", PROGRAM);
	return 0;
}

int image_exec(
	const struct log_options *log, const char *data, const char *store, char *const *args, struct err *e)
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

	if (!argv || hand_on_data(data, e) < 0)
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
	rt_companion(PROGRAM, path, sizeof(path));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	return missing(args[0], path, errno, e);
}
