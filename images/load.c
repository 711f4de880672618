/* SPDX-License-Identifier: Apache-2.0 */
/*
 * img_load(): images from archives and directories (see transfer.h).
 *
 * Everything is looked at first: documents, sizes, digests, and what the layers uncompress to, which is the
 * only check of a gzip stream that has none of its own (libarchive does not compare its CRC). Only then do
 * blobs get their names in the store, and images theirs at the very end. So what fails leaves nothing behind,
 * but for a full disk in that last moment: blobs that no name leads to, as any killed process may leave them.
 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/load_internal.h"
#include "images/ref.h"
#include "images/unpack.h"

/* --- blobs -------------------------------------------------------------------------------------- */

static int find_blob(const struct load *l, const struct img_digest *d)
{
	for (size_t i = 0; i < l->n_blobs; i++)
		if (img_digest_eq(&l->blobs[i].digest, d))
			return (int)i;
	return -1;
}

static int add_blob(struct load *l, const struct load_blob *b, struct err *e)
{
	struct load_blob *more = l->blobs;
	int i = find_blob(l, &b->digest);

	if (i >= 0)
		return i;
	if (l->n_blobs == l->blobs_room) {
		l->blobs_room = l->blobs_room ? 2 * l->blobs_room : 64;
		more = realloc(l->blobs, l->blobs_room * sizeof(*more));
		if (!more)
			return err_set(e, ENOMEM, "load image");
		l->blobs = more;
	}
	l->blobs[l->n_blobs] = *b;
	return (int)l->n_blobs++;
}

/* Where archives have a blob: as a layout, or (skopeo's "dir:") by its digits alone. */
static int find_file(
	struct load *l, const struct img_digest *d, const struct img_source_file **out, struct err *e)
{
	char name[IMG_DIGEST_MAX + 16];
	int r;

	snprintf(name, sizeof(name), "blobs/%s/%s", img_digest_algorithm(d), img_digest_hex(d));
	r = img_source_find(l->ar, name, out, e);
	return r == -ENOENT ? img_source_find(l->ar, img_digest_hex(d), out, e) : r;
}

static int check_text(struct load *l, size_t len, struct err *e)
{
	l->text_bytes += len;
	return l->text_bytes > LOAD_TEXT_MAX
		       ? err_text(e, E2BIG, "archive has more than %u MiB of documents", LOAD_TEXT_MAX >> 20)
		       : 0;
}

int load_need(struct load *l, const struct img_descriptor *d, const char *what, struct err *e)
{
	struct load_blob b = { .digest = d->digest };
	int r;

	if (!d->digest.text[0])
		return err_text(e, EOPNOTSUPP, "%s has a digest that cannot be verified", what);
	r = find_blob(l, &d->digest);
	if (r >= 0)
		return r;
	if (img_blob_has(l->s, &d->digest, d->size))
		return add_blob(l, &b, e);
	r = find_file(l, &d->digest, &b.file, e);
	if (r == -ENOENT && d->data) {
		r = img_descriptor_data(l->a, d, what, &b.text, &b.len, e);
		if (r == 0)
			r = check_text(l, b.len, e);
		return r < 0 ? r : add_blob(l, &b, e);
	}
	if (r == -ENOENT)
		return err_text(e, ENOENT, "%s (%s) is not in the archive%s", what, d->digest.text,
			d->urls ? "; it is a layer that is only to be had from its maker" : "");
	if (r < 0)
		return r;
	if (b.file->size != d->size)
		return err_text(e, EBADMSG, "%s (%s) has %lld bytes, and should have %lld", what,
			d->digest.text, (long long)b.file->size, (long long)d->size);
	if (!img_digest_eq(&b.file->digest, &d->digest))
		return err_text(e, EBADMSG, "%s should be %s, and is %s: the archive is damaged, or forged",
			what, d->digest.text, b.file->digest.text);
	return add_blob(l, &b, e);
}

int load_document(struct load *l, struct arena *a, const struct img_descriptor *d, const char *what,
	const char **text, size_t *len, struct err *e)
{
	const struct load_blob *b;
	int i, r = 0;

	if (d->size > IMG_DOCUMENT_MAX)
		return err_text(
			e, E2BIG, "%s: %lld bytes is too large for a document", what, (long long)d->size);
	i = load_need(l, d, what, e);
	if (i < 0)
		return i;
	b = &l->blobs[i];
	if (b->file) {
		r = img_source_read(l->ar, b->file, what, a, text, len, e);
	} else if (b->text) {
		*text = b->text;
		*len = b->len;
	} else {
		r = img_blob_read(l->s, d, what, a, text, len, e);
	}
	return r < 0 ? r : i;
}

int load_add_file(struct load *l, const struct img_source_file *f, struct err *e)
{
	return add_blob(l, &(struct load_blob){ .digest = f->digest, .file = f }, e);
}

int load_add_text(struct load *l, const char *text, size_t len, struct img_digest *digest, struct err *e)
{
	struct load_blob b = { .text = text, .len = len };

	img_digest_of(text, len, &b.digest);
	if (!b.digest.text[0])
		return err_text(e, EIO, "content could not be hashed");
	if (check_text(l, len, e) < 0)
		return -E2BIG;
	*digest = b.digest;
	return add_blob(l, &b, e);
}

/* --- layers ------------------------------------------------------------------------------------- */

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(*(int *)arg, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

struct tick {
	struct img_progress *p;
	int item;
};

static bool tell_progress(void *arg, int64_t packed)
{
	const struct tick *t = arg;

	t->p->at(t->p, t->item, packed);
	return false;
}

static int uncompress(struct load *l, int fd, int item, const struct img_digest *diff_id, struct err *e)
{
	struct tick tick = { .p = l->progress, .item = item };
	struct img_unpack u = {
		.read = read_fd,
		.arg = &fd,
		.diff_id = *diff_id,
		.tick = l->progress ? tell_progress : NULL,
		.tick_arg = &tick,
	};

	return img_unpack_bytes(&u, NULL, NULL, NULL, NULL, e);
}

int load_verify_layer(struct load *l, int blob, size_t n, const struct img_digest *diff_id, struct err *e)
{
	struct load_blob *b = &l->blobs[blob];
	_cleanup_close_ int fd = -EBADF;
	char start[16];
	ssize_t got;
	int r = 0, item = l->item;

	if (img_digest_eq(&b->diff_id, diff_id))
		return 0;
	fd = b->file ? img_source_fd(l->ar, b->file, e) : img_blob_open(l->s, &b->digest, e);
	if (fd < 0)
		return fd;
	got = pread(fd, start, sizeof(start), 0);
	if (got < 0)
		return err_set(e, errno, "read layer %zu", n);
	/* One that is not compressed was hashed when it came by. */
	if (img_compression_of(start, (size_t)got) != IMG_NONE || !img_digest_eq(&b->digest, diff_id)) {
		l->item++;
		if (l->progress)
			l->progress->begin(l->progress, item, b->digest.text, b->file ? b->file->size : -1);
		r = uncompress(l, fd, item, diff_id, e);
		if (l->progress)
			l->progress->end(l->progress, item, r < 0 ? "failed" : "done");
	}
	if (r < 0)
		return err_wrap(e, "layer %zu (%s)", n, b->digest.text);
	b->diff_id = *diff_id;
	return 0;
}

/* --- images ------------------------------------------------------------------------------------- */

int load_image(struct load *l, const struct img_descriptor *target, const char *name, struct err *e)
{
	struct img_name *more = l->images;
	bool known = false;

	for (size_t i = 0; i < l->n_images; i++) {
		if (!img_digest_eq(&l->images[i].target.digest, &target->digest)) {
			if (name && l->images[i].name && str_eq(name, l->images[i].name))
				return err_text(e, EINVAL, "two images in it have the name %s", name);
			continue;
		}
		known = true;
		if (name && l->images[i].name && str_eq(name, l->images[i].name))
			return 0;
	}
	if (!known)
		l->n_targets++;
	else if (!name)
		return 0;
	if (l->n_targets > LOAD_IMAGES_MAX || l->n_images == LOAD_NAMES_MAX)
		return err_text(e, E2BIG, "archive has too many images or names");
	if (l->n_images == l->images_room) {
		l->images_room = l->images_room ? 2 * l->images_room : 16;
		more = realloc(l->images, l->images_room * sizeof(*more));
		if (!more)
			return err_set(e, ENOMEM, "load image");
		l->images = more;
	}
	l->images[l->n_images++] = (struct img_name){ .name = name, .target = *target };
	return 0;
}

/* The one name that was asked for, in the place of those in the archive. */
static int rename_image(struct load *l, struct err *e)
{
	struct img_ref ref;
	int r;

	if (!l->name)
		return 0;
	if (l->n_targets != 1)
		return err_text(e, EINVAL,
			"there are %zu images in it, and only one can be named %s; "
			"without a name, they keep theirs",
			l->n_targets, l->name);
	r = img_ref_parse(l->a, l->name, &ref, e);
	if (r == 0)
		r = img_ref_qualify(l->a, &ref, "localhost", &ref, e);
	if (r < 0)
		return r;
	l->n_images = 1;
	l->images[0].name = img_ref_text(l->a, &ref);
	return l->images[0].name ? 0 : err_set(e, ENOMEM, "load image");
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int put_text(struct load *l, const struct load_blob *b, struct err *e)
{
	struct img_writer *w;
	int64_t have;
	int r = img_writer_open(l->s, &b->digest, (int64_t)b->len, &w, &have, e);

	if (r < 0)
		return r;
	r = img_writer_restart(w, e);
	if (r == 0)
		r = img_writer_add(w, b->text, b->len, e);
	if (r == 0)
		return img_writer_commit(w, NULL, NULL, e);
	img_writer_abort(w, false);
	return r;
}

/* What was noted first is needed by what was noted later. */
static int put_blobs(struct load *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->n_blobs && r == 0; i++) {
		const struct load_blob *b = &l->blobs[i];

		if (b->file)
			r = img_source_adopt(l->ar, b->file, e);
		else if (b->text && !img_blob_has(l->s, &b->digest, (int64_t)b->len))
			r = put_text(l, b, e);
	}
	return r;
}

static int give_names(struct load *l, struct img_name **out, size_t *n, struct err *e)
{
	struct img_name *copy = arena_calloc(l->a, l->n_images + 1, sizeof(*copy));
	int r = 0;

	if (!copy)
		return err_set(e, ENOMEM, "load image");
	for (size_t i = 0; i < l->n_images && r == 0; i++) {
		copy[i] = l->images[i];
		r = img_name_set(l->s, copy[i].name, &copy[i].target, e);
	}
	if (r < 0)
		return r;
	*out = copy;
	*n = l->n_images;
	return 0;
}

static bool has(struct load *l, const char *name)
{
	const struct img_source_file *f;

	return img_source_find(l->ar, name, &f, NULL) == 0;
}

/* Docker since 25 writes both: the layout then keeps the digests under which the image is known elsewhere. */
static int look(struct load *l, struct err *e)
{
	if (has(l, "oci-layout") && has(l, "index.json"))
		return load_oci(l, e);
	if (has(l, "manifest.json"))
		return load_docker(l, e);
	if (has(l, "repositories"))
		return err_text(e, EINVAL,
			"it is an archive of a docker before 1.10, which nobody can read any more; "
			"save it again with a newer one");
	return err_text(e, EINVAL,
		"it is no image: it has neither oci-layout and index.json nor manifest.json; "
		"\"ringfence import\" makes an image of a root file system");
}

int img_load(struct img_store *s, const char *path, const char *name, struct img_progress *p, struct arena *a,
	struct img_name **out, size_t *n, struct err *e)
{
	_cleanup_(img_source_closep) struct img_source *ar = NULL;
	struct load l = { .s = s, .a = a, .progress = p, .path = path, .name = name, .item = 1 };
	struct err own = ERR_INIT;
	int r;

	e = e ? e : &own;
	r = img_source_open(s, path, p, &ar, e);
	l.ar = ar;
	if (r == 0)
		r = look(&l, e);
	if (r == 0)
		r = rename_image(&l, e);
	if (r == 0)
		r = put_blobs(&l, e);
	if (r == 0)
		r = give_names(&l, out, n, e);
	free(l.blobs);
	free(l.images);
	return r < 0 ? err_wrap(e, "load %s", str_eq(path, "-") ? "standard input" : path) : 0;
}
