/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole root file system of an image as one EROFS image, beside its topmost layer: layers/HEX/root.erofs.
 *
 * It is made of an overlay of the layers, as a partition would have it, which a child mounts where nobody
 * else sees it. HEX is the layers' ChainID, so that images of the same layers have one, and it goes with the
 * layer.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/roots.h"
#include "images/store_internal.h"

#define OPTIONS_MAX 4095 /* mount(2) takes one page, and cuts off the rest without a word */

struct whole {
	struct img_store *s;
	const struct img_image *image;
	struct img_digest chain; /* the topmost layer's */
	char name[ST_TMP_NAME_MAX];
	char *image_path, *mount_path;
	struct strbuf options;
};

/* Relative to layers/, the uppermost first; and below them an empty one, for there must be two. */
static int put_layers(struct whole *w, struct err *e)
{
	const struct img_config *c = &w->image->config;
	struct img_digest *chains = calloc(c->n_diff_ids + 1, sizeof(*chains));

	if (!chains)
		return err_set(e, ENOMEM, "make an EROFS image");
	for (size_t i = 0; i < c->n_diff_ids; i++) {
		chains[i] = i ? chains[i - 1] : c->diff_ids[0];
		if (i)
			img_chain_next(&chains[i], &c->diff_ids[i]);
	}
	w->chain = chains[c->n_diff_ids - 1];
	strbuf_puts(&w->options, "redirect_dir=off,metacopy=off,lowerdir=");
	for (size_t i = c->n_diff_ids; i-- > 0;)
		strbuf_printf(&w->options, "%s/diff:", img_digest_hex(&chains[i]));
	free(chains);
	return 0;
}

/* Every layer is there, and unpacked by root. */
static int check_layers(struct whole *w, struct err *e)
{
	struct img_digest chain = { "" };

	if (geteuid() != 0)
		return err_text(e, EPERM, "an EROFS image of a root file system takes root's powers");
	if (!w->image->config.n_diff_ids)
		return err_text(e, EINVAL, "an image without layers has no root file system");
	for (size_t i = 0; i < w->image->config.n_diff_ids; i++) {
		struct img_layer layer;
		int fd;

		chain = i ? chain : w->image->config.diff_ids[0];
		if (i)
			img_chain_next(&chain, &w->image->config.diff_ids[i]);
		fd = img_layer_open(w->s, &chain, &layer, e);
		if (fd < 0)
			return fd;
		fd_close(fd);
		if (layer.rootless)
			return err_text(e, EPERM,
				"layer %s was unpacked without root's powers, and without them no EROFS "
				"image "
				"can be mounted",
				chain.text);
	}
	return 0;
}

/* In the child. */
static int mount_and_make(struct whole *w, struct err *e)
{
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(e, errno, "make a mount namespace");
	/* By name: what a descriptor leads to is in the mount namespace that we have left. */
	if (chdir(w->s->path) < 0 || chdir("layers") < 0)
		return err_set(e, errno, "enter the layers of image store %s", w->s->path);
	if (mount("overlay", w->mount_path, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, w->options.s) < 0)
		return err_set(e, errno, "mount the %zu layers of the image", w->image->config.n_diff_ids);
	/* Root's, and not where another program would look. */
	umask(077);
	r = st_erofs_run(w->image_path, w->mount_path, e);
	(void)chdir("/");
	return r;
}

static int in_a_child(struct whole *w, struct err *e)
{
	struct err why = ERR_INIT;
	int tell[2], status = 0;
	ssize_t n = 0;
	pid_t pid;

	if (pipe2(tell, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe");
	pid = fork();
	if (pid == 0) {
		if (mount_and_make(w, &why) < 0)
			(void)!write(tell[1], &why, sizeof(why));
		_exit(why.code != 0);
	}
	close(tell[1]);
	if (pid > 0) {
		n = read(tell[0], &why, sizeof(why));
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
	}
	close(tell[0]);
	if (pid < 0)
		return err_set(e, errno, "make a process for mkfs.erofs");
	if (n == (ssize_t)sizeof(why))
		return err_text(e, why.code, "%s", why.text);
	return status ? err_text(e, EIO, "what makes the EROFS image was killed") : 0;
}

static int make_image(struct whole *w, int dir, struct err *e)
{
	char place[ST_TMP_NAME_MAX], none[ST_TMP_NAME_MAX];
	int r = 0;

	st_tmp_name(w->s, "erofs", w->name);
	st_tmp_name(w->s, "mount", place);
	st_tmp_name(w->s, "none", none);
	strbuf_printf(&w->options, "../tmp/%s", none);
	if (asprintf(&w->image_path, "%s/tmp/%s", w->s->path, w->name) < 0)
		w->image_path = NULL;
	if (asprintf(&w->mount_path, "%s/tmp/%s", w->s->path, place) < 0)
		w->mount_path = NULL;
	if (!w->image_path || !w->mount_path || w->options.failed)
		return err_set(e, ENOMEM, "make an EROFS image");
	if (w->options.len > OPTIONS_MAX)
		return err_text(
			e, E2BIG, "%zu layers are more than one mount(2) takes", w->image->config.n_diff_ids);
	if (mkdirat(w->s->tmp, place, 0700) < 0 || mkdirat(w->s->tmp, none, 0755) < 0)
		r = err_set(e, errno, "make a directory in image store %s", w->s->path);
	if (r == 0)
		r = in_a_child(w, e);
	if (r == 0)
		r = st_erofs_name(w->s, w->name, img_digest_hex(&w->chain), dir, IMG_ROOT_EROFS, e);
	if (r < 0)
		unlinkat(w->s->tmp, w->name, 0);
	unlinkat(w->s->tmp, place, AT_REMOVEDIR);
	unlinkat(w->s->tmp, none, AT_REMOVEDIR);
	return r;
}

int img_root_erofs(struct img_store *s, const struct img_image *image, struct err *e)
{
	struct whole w = { .s = s, .image = image };
	_cleanup_close_ int dir = -EBADF;
	struct stat st;
	int r = check_layers(&w, e);

	if (r == 0)
		r = put_layers(&w, e);
	if (r == 0) {
		dir = openat(
			s->layers, img_digest_hex(&w.chain), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = dir < 0 ? err_set(e, errno, "open layer %s", w.chain.text) : 0;
	}
	/* One makes it; the others wait, and find it. */
	if (r == 0) {
		r = st_flock(dir, LOCK_EX, -1);
		if (r < 0)
			err_set(e, r, "lock layer %s", w.chain.text);
	}
	if (r == 0 && (fstatat(dir, IMG_ROOT_EROFS, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)))
		r = make_image(&w, dir, e);
	free(w.image_path);
	free(w.mount_path);
	strbuf_reset(&w.options);
	return r;
}
