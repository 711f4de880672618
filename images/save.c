/* SPDX-License-Identifier: Apache-2.0 */
/*
 * img_save(): images of the store to archives and directories (see transfer.h; save_oci.c and save_docker.c
 * have the formats).
 *
 * The same images in the same order are the same bytes: no times, no owners, one order. A file gets its name
 * when it is whole.
 */
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/ref.h"
#include "images/save_internal.h"
#include "images/unpack.h"

#define BUFFER (256 * 1024)

/* --- for both formats --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool save_has_written(const struct save *v, const char *name)
{
	return tfind(name, &v->written, compare) != NULL;
}

bool save_was_written(struct save *v, const char *name, int *r, struct err *e)
{
	const char *copy;

	*r = 0;
	if (save_has_written(v, name))
		return true;
	copy = arena_strdup(v->a, name);
	if (copy && tsearch(copy, &v->written, compare))
		return false;
	*r = err_set(e, ENOMEM, "save");
	return true;
}

int save_begin(struct save *v, const char *what, int64_t total)
{
	int item = v->item++;

	if (v->progress)
		v->progress->begin(v->progress, item, what, total);
	return item;
}

void save_end(struct save *v, int item, int r)
{
	if (v->progress && item >= 0)
		v->progress->end(v->progress, item, r < 0 ? "failed" : "done");
}

static int copy_blob(struct save *v, const struct img_descriptor *d, int fd, int item, struct err *e)
{
	_cleanup_(img_hash_freep) struct img_hash *h = img_hash_new(&d->digest);
	_cleanup_free_ char *buf = malloc(BUFFER);
	struct img_digest got;
	int64_t done = 0;
	int r = h && buf ? 0 : err_set(e, ENOMEM, "save");

	while (r == 0) {
		ssize_t n = read(fd, buf, BUFFER);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "read");
		if (n == 0)
			break;
		img_hash_add(h, buf, (size_t)n);
		done += n;
		if (v->progress && item >= 0)
			v->progress->at(v->progress, item, done);
		r = save_data(v->sink, buf, (size_t)n, e);
	}
	if (r == 0)
		r = save_file_end(v->sink, e);
	if (r < 0)
		return r;
	img_hash_end(h, &got);
	if (img_digest_eq(&got, &d->digest))
		return 0;
	err_text(e, EBADMSG, "content is %s", got.text);
	return err_hint(e, "see \"ringfence store check\"");
}

int save_blob(struct save *v, const struct img_descriptor *d, const char *name, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r, item;

	if (save_was_written(v, name, &r, e))
		return r;
	fd = img_blob_open(v->s, &d->digest, e);
	if (fd < 0)
		return fd;
	item = d->media == IMG_MEDIA_LAYER ? save_begin(v, d->digest.text, d->size) : -1;
	r = save_file(v->sink, name, d->size, e);
	if (r == 0)
		r = copy_blob(v, d, fd, item, e);
	save_end(v, item, r);
	return r < 0 ? err_wrap(e, "%s", d->digest.text) : 0;
}

/* --- which images ------------------------------------------------------------------------------- */

static bool begins(const struct img_digest *d, const char *what)
{
	return str_starts(d->text, what) || str_starts(img_digest_hex(d), what);
}

/* Asked for by a digest, it goes without a name, as docker has it. */
static bool is_by_digest(const struct img_image *image, const char *what)
{
	return begins(&image->target.digest, what) || begins(&image->id, what) ||
	       begins(&image->manifest_desc.digest, what);
}

static int find_images(struct save *v, char *const *names, struct err *e)
{
	size_t n = strv_len(names);
	int r = 0;

	v->images = arena_calloc(v->a, n + 1, sizeof(*v->images));
	if (!v->images)
		return err_set(e, ENOMEM, "save");
	for (size_t i = 0; i < n && r == 0; i++) {
		struct save_image *at = &v->images[v->n_images];
		bool again = false;

		r = img_image_find(v->s, v->a, names[i], NULL, &at->image, e);
		if (r < 0)
			return r;
		at->name = is_by_digest(&at->image, names[i]) ? NULL : at->image.name;
		for (size_t k = 0; k < v->n_images; k++)
			again = again ||
				(img_digest_eq(&v->images[k].image.target.digest, &at->image.target.digest) &&
					(at->name && v->images[k].name ? str_eq(at->name, v->images[k].name)
								       : at->name == v->images[k].name));
		v->n_images += !again;
	}
	return r;
}

/* --- where to ----------------------------------------------------------------------------------- */

static int write_all(struct save *v, enum img_archive format, int fd, int dir, struct err *e)
{
	int r = save_sink_open(fd, dir, &v->sink, e);

	if (r == 0)
		r = format == IMG_DOCKER_ARCHIVE ? save_docker(v, e) : save_oci(v, e);
	return r == 0 ? save_finish(v->sink, e) : r;
}

/* Under another name until it is whole. */
static int write_file(struct save *v, enum img_archive format, const char *path, struct err *e)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A pipe or a device; a directory is an error. */
		fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		return fd < 0 ? err_set(e, errno, "write %s", path) : write_all(v, format, fd, -EBADF, e);
	}
	if (asprintf(&tmp, "%s.%d.part", path, (int)getpid()) < 0) {
		tmp = NULL;
		return err_set(e, ENOMEM, "write %s", path);
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_set(e, errno, "create %s", tmp);
	r = write_all(v, format, fd, -EBADF, e);
	if (r == 0 && fsync(fd) < 0)
		r = err_set(e, errno, "write");
	if (r == 0 && rename(tmp, path) < 0)
		r = err_set(e, errno, "rename %s", tmp);
	if (r < 0)
		unlink(tmp);
	return r < 0 ? err_wrap(e, "write %s", path) : 0;
}

static bool is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!d) {
		fd_close(fd);
		return false;
	}
	while ((entry = readdir(d)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			return false;
	return true;
}

static int write_dir(struct save *v, const char *path, struct err *e)
{
	static const char *const ours[] = { "oci-layout", "index.json", "blobs" };
	_cleanup_close_ int dir = -EBADF;
	bool made = mkdir(path, 0755) == 0;
	int r;

	if (!made && errno != EEXIST)
		return err_set(e, errno, "make directory %s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "open directory %s", path);
	if (!is_empty(dir))
		return err_text(
			e, ENOTEMPTY, "write %s: the directory is not empty; choose another one", path);
	r = write_all(v, IMG_OCI_DIR, -EBADF, dir, e);
	if (r == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		(void)img_tree_remove(dir, ours[i], NULL);
	if (made)
		rmdir(path);
	return err_wrap(e, "write %s", path);
}

static void keep(void *name)
{
}

int img_save(struct img_store *s, char *const *names, enum img_archive format, const char *path,
	struct img_progress *p, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct save v = { .s = s, .a = a, .progress = p };
	struct err own = ERR_INIT;
	bool out = !path || str_eq(path, "-");
	int r;

	e = e ? e : &own;
	if (!a)
		return err_set(e, ENOMEM, "save");
	if (format == IMG_OCI_DIR && out)
		return err_text(e, EINVAL, "a directory needs a name");
	r = find_images(&v, names, e);
	if (r == 0 && format == IMG_OCI_DIR)
		r = write_dir(&v, path, e);
	else if (r == 0 && out)
		r = write_all(&v, format, STDOUT_FILENO, -EBADF, e);
	else if (r == 0)
		r = write_file(&v, format, path, e);
	save_sink_close(v.sink);
	tdestroy(v.written, keep);
	return r;
}
