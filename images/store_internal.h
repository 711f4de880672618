/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the store share; private to store*.c. */
#ifndef IMAGES_STORE_INTERNAL_H
#define IMAGES_STORE_INTERNAL_H

#include <limits.h>

#include "base/json.h"
#include "images/store.h"

struct img_store {
	char *path;
	enum img_lock lock;
	unsigned int serial;				   /* of names in tmp/; atomic */
	int dir, lock_fd, blobs, layers, tmp, uses, ready; /* directories O_RDONLY */
};

/* "partial-ALG-HEX" in tmp/: what there is of a blob. */
#define ST_PARTIAL "partial-"

/* A name in tmp/ that is nobody else's: "KIND-PID-SERIAL". */
#define ST_TMP_NAME_MAX 64
void st_tmp_name(struct img_store *s, const char *kind, char buf[ST_TMP_NAME_MAX]);

/* Opens (makes) s->dir/name as a lock file and takes flock(2) `op`. Waits. The fd. */
int st_lock(struct img_store *s, const char *name, int op, struct err *e);

/* Waits at most `wait` seconds (-1: for ever) for flock(2) `op`. 0, -EBUSY, -errno. */
int st_flock(int fd, int op, int wait);

/* A whole file, durable before its name is. Over an existing one unless `keep_old`, which is then no error.
 */
int st_put(struct img_store *s, int dir, const char *name, const void *text, size_t len, bool keep_old,
	struct err *e);

/* Lets a file of tmp/ (`dir`/`name`), whose content has been hashed, be the blob `d`: durable, then its name.
 */
int st_blob_adopt(struct img_store *s, int dir, const char *name, const struct img_digest *d, struct err *e);

/* "ALG/HEX" below blobs/. */
void st_blob_path(const struct img_digest *d, char buf[IMG_DIGEST_MAX]);

/* --- index.json */

/* Its text, and as parsed. -ENOENT, -EBADMSG (with a hint on `store check --repair`). */
int st_index_read(
	struct img_store *s, struct arena *a, const struct json **json, struct img_index *out, struct err *e);
const char *st_entry_name(const struct img_descriptor *d);
/* Writes index.json anew, with the entries for which keep() says so. The caller holds index.lock. */
int st_index_filter(struct img_store *s, bool (*keep)(const struct img_descriptor *d, void *arg), void *arg,
	struct err *e);
/* Puts an index in the place of one that cannot be read. */
int st_index_replace(struct img_store *s, const struct img_descriptor *entries, size_t n, struct err *e);
#define ST_INDEX_LOCK "index.lock"

/* --- layers */

#define ST_LAYER_JSON "layer.json"
int st_layer_read(int dir, const char *what, struct img_layer *out, struct err *e);
int st_layer_remove(struct img_store *s, const char *name, struct err *e);
/* Of a layer's directory: its EROFS image of that name, if it has one, is what was made. -EBADMSG. */
int st_erofs_check(int dir, const char *file, struct err *e);
/* mkfs.erofs, by absolute paths. */
int st_erofs_run(const char *to, const char *from, struct err *e);
/* tmp/NAME becomes layers/HEX/FILE, once it is durable, and its digest is there; `dir` is that directory. */
int st_erofs_name(
	struct img_store *s, const char *name, const char *hex, int dir, const char *file, struct err *e);
/* What a file's content hashes to, from where it is read. 0, -errno; no text. */
int st_hash_file(int fd, const struct img_digest *like, struct img_digest *out);

/* --- ready records (roots.h) */

/* Sweeps those whose target is not in `blobs` (a set of st_mark()). */
int st_ready_sweep(struct img_store *s, void *const *blobs, bool dry, struct err *e);
/* Calls `found` for each that cannot be read; with `remove` it goes. Their number, or -errno. */
int st_ready_check(struct img_store *s, bool remove, void (*found)(const char *text, void *arg), void *arg,
	struct err *e);

/* --- upkeep */

/* tsearch(3) sets of strings: digests of blobs, those whose documents were looked into, and layers' names. */
struct st_marks {
	void *blobs, *documents, *layers;
	bool failed; /* no memory */
};
void st_marks_free(struct st_marks *m);
/* True: it was there already, or there is no memory. */
bool st_mark(struct st_marks *m, void **set, const char *text);
bool st_is_marked(void *const *set, const char *text);

/* Each name in a directory but "." and "..". Ends at the first error. */
int st_each_name(int dir, int (*each)(const char *name, void *arg, struct err *e), void *arg, struct err *e);

#endif
