/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacked layers as EROFS images, beside them: layers/HEX/layer.erofs. mkfs.erofs keeps owners, times and
 * attributes, and so overlayfs' marks; what is in an image cannot be changed by whoever gets to it.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "images/roots.h"
#include "images/store_internal.h"
#include "images/transfer.h"

#define PROGRAM "mkfs.erofs"

extern char **environ;

/* What it says goes to our stderr; our stdout is for the digest. */
static int start(char *const *argv, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int r;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGXFSZ);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawnp(pid, PROGRAM, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int st_erofs_run(const char *to, const char *from, struct err *e)
{
	char *argv[] = { PROGRAM, "--quiet", (char *)to, (char *)from, NULL };
	int status = 0, r;
	pid_t pid;

	r = start(argv, &pid);
	if (r == -ENOENT)
		return err_text(e, ENOENT, PROGRAM " is not installed: the package is called erofs-utils");
	if (r < 0)
		return err_set(e, r, "run " PROGRAM);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "wait for " PROGRAM);
	if (WIFSIGNALED(status))
		return err_text(e, EIO, PROGRAM " was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		return err_text(e, EIO, PROGRAM " failed on %s", from);
	return 0;
}

/* "layer.erofs.digest" */
static const char *digest_file(const char *file, char buf[64])
{
	snprintf(buf, 64, "%s.digest", file);
	return buf;
}

int st_erofs_name(
	struct img_store *s, const char *name, const char *hex, int dir, const char *file, struct err *e)
{
	char digest[64];
	_cleanup_close_ int fd = openat(s->tmp, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct img_digest d;
	int r;

	if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0)
		return err_set(e, errno, "name the EROFS image of layer %s", hex);
	r = st_hash_file(fd, NULL, &d);
	if (r < 0)
		return err_set(e, r, "read the EROFS image of layer %s", hex);
	r = st_put(s, dir, digest_file(file, digest), d.text, strlen(d.text), false, e);
	if (r < 0)
		return r;
	if (renameat(s->tmp, name, dir, file) < 0 || fsync(dir) < 0)
		return err_set(e, errno, "name the EROFS image of layer %s", hex);
	return 0;
}

int st_erofs_check(int dir, const char *file, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, file, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct img_digest want, got;
	struct stat st;
	char digest[64];
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_text(e, EBADMSG, "it is no regular file");
	if (fd_read_at(dir, digest_file(file, digest), IMG_DIGEST_MAX, &text, NULL) < 0 ||
		img_digest_parse(text, &want, NULL) < 0)
		return err_text(e, EBADMSG, "its digest is missing");
	r = st_hash_file(fd, &want, &got);
	if (r < 0)
		return err_text(e, EBADMSG, "it cannot be read: %s", strerror(-r));
	return img_digest_eq(&want, &got)
		       ? 0
		       : err_text(e, EBADMSG, "its content is %s, and was %s", got.text, want.text);
}

static int make_image(struct img_store *s, const char *hex, int dir, struct err *e)
{
	_cleanup_free_ char *to = NULL, *from = NULL;
	char name[ST_TMP_NAME_MAX];
	int r;

	st_tmp_name(s, "erofs", name);
	if (asprintf(&to, "%s/tmp/%s", s->path, name) < 0)
		to = NULL;
	if (asprintf(&from, "%s/layers/%s/diff", s->path, hex) < 0)
		from = NULL;
	if (!to || !from)
		return err_set(e, ENOMEM, "make an EROFS image");
	r = st_erofs_run(to, from, e);
	if (r == 0)
		r = st_erofs_name(s, name, hex, dir, IMG_LAYER_EROFS, e);
	if (r < 0)
		unlinkat(s->tmp, name, 0);
	return r;
}

static int one_layer(struct img_store *s, const struct img_digest *chain, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	struct img_layer layer;
	struct stat st;
	int r, fd = img_layer_open(s, chain, &layer, e);

	if (fd < 0)
		return fd;
	fd_close(fd);
	if (layer.rootless)
		return err_text(e, EPERM,
			"layer %s was unpacked without root's powers, and without them no EROFS image can be "
			"mounted: leave --format erofs out",
			chain->text);
	dir = openat(s->layers, img_digest_hex(chain), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "open layer %s", chain->text);
	/* One process a layer; the others wait, and find it done: of two images only one has the digest. */
	r = st_flock(dir, LOCK_EX, -1);
	if (r < 0)
		return err_set(e, r, "lock layer %s", chain->text);
	if (fstatat(dir, IMG_LAYER_EROFS, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		return 0;
	return make_image(s, img_digest_hex(chain), dir, e);
}

int img_layers_erofs(
	struct img_store *s, const struct img_image *image, struct img_progress *progress, struct err *e)
{
	struct img_digest chain;
	int r = 0;

	for (size_t i = 0; i < image->config.n_diff_ids && r == 0; i++) {
		if (i == 0)
			chain = image->config.diff_ids[0];
		else
			img_chain_next(&chain, &image->config.diff_ids[i]);
		if (progress)
			progress->begin(progress, (int)i, chain.text, 0);
		r = one_layer(s, &chain, e);
		if (progress)
			progress->end(progress, (int)i, r < 0 ? "failed" : "EROFS");
	}
	return r;
}
