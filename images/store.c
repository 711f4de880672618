/* SPDX-License-Identifier: Apache-2.0 */
/* The store itself: where it is, how it is made, its locks, whole files (see store.h for the theory). */
#include "images/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/roots.h"
#include "images/store_internal.h"

#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define EMPTY_INDEX \
	"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}"

/* Everything that we put at the top. */
static const char *const top_names[] = { "oci-layout", "index.json", "blobs", "layers", "uses", "ready",
	"tmp", "lock", ST_INDEX_LOCK };

/* --- opening ------------------------------------------------------------------------------------ */

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(top_names); i++)
		if (str_eq(name, top_names[i]))
			return true;
	return false;
}

/* Nothing in it, or only what we make before oci-layout. */
static bool may_become_store(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!d) {
		fd_close(fd);
		return false;
	}
	while ((entry = readdir(d)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") && !is_ours(entry->d_name))
			return false;
	return true;
}

/*
 * Whose it is, and who may enter. Another user's store could change under us; one that others may enter hands
 * them the images' set-user-ID programs. Only a store is closed to them: a mistyped --store must not change
 * the mode of /tmp.
 */
static int check_owner(struct img_store *s, struct err *e)
{
	struct stat st;

	if (fstat(s->dir, &st) < 0)
		return err_set(e, errno, "image store %s", s->path);
	if (st.st_uid != geteuid())
		return err_text(e, EPERM,
			"image store %s belongs to user %u, not to you; choose another one with --store",
			s->path, (unsigned int)st.st_uid);
	if ((st.st_mode & 07077) && fchmod(s->dir, 0700) < 0)
		return err_set(e, errno, "close image store %s to others", s->path);
	return 0;
}

static int open_top(struct img_store *s, bool create, struct err *e)
{
	struct stat st;
	int r;

	if (create) {
		r = path_make(s->path, 0700, e);
		if (r < 0)
			return r;
	}
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 && errno == ENOENT)
		return err_text(e, ENOENT, "there is no image store at %s yet", s->path);
	if (s->dir < 0)
		return err_set(e, errno, "open image store %s", s->path);
	if (fstatat(s->dir, "oci-layout", &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_set(e, errno, "%s/oci-layout", s->path);
		if (!may_become_store(s->dir))
			return err_text(e, ENOTEMPTY,
				"%s is no image store (it has no oci-layout), and not empty", s->path);
		if (!create)
			return err_text(e, ENOENT, "there is no image store at %s yet", s->path);
	}
	return check_owner(s, e);
}

static int open_dir(struct img_store *s, const char *name, int *fd, struct err *e)
{
	/* Also in a layout that another tool made, which has only blobs/. */
	if (mkdirat(s->dir, name, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "make %s/%s", s->path, name);
	*fd = openat(s->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? err_set(e, errno, "open %s/%s", s->path, name) : 0;
}

static int open_dirs(struct img_store *s, struct err *e)
{
	int r = open_dir(s, "blobs", &s->blobs, e);

	if (r == 0)
		r = open_dir(s, "layers", &s->layers, e);
	if (r == 0)
		r = open_dir(s, "tmp", &s->tmp, e);
	if (r == 0)
		r = open_dir(s, "uses", &s->uses, e);
	if (r == 0)
		r = open_dir(s, "ready", &s->ready, e);
	if (r == 0 && ((mkdirat(s->blobs, "sha256", 0700) < 0 && errno != EEXIST) ||
			      (mkdirat(s->blobs, "sha512", 0700) < 0 && errno != EEXIST)))
		r = err_set(e, errno, "make %s/blobs/ALGORITHM", s->path);
	return r;
}

/* What makes the directory a store, oci-layout last. Cut short, it is done again by the next one. */
static int make_layout(struct img_store *s, struct err *e)
{
	struct stat st;
	int r;

	if (fstatat(s->dir, "oci-layout", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = st_put(s, s->dir, "index.json", EMPTY_INDEX, strlen(EMPTY_INDEX), true, e);
	if (r == 0)
		r = st_put(s, s->dir, "oci-layout", LAYOUT, strlen(LAYOUT), true, e);
	return r;
}

/* A layout of a version that we do not know may keep things in other ways. */
static int check_layout(struct img_store *s, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_free_ char *text = NULL;
	const struct json *j;
	const char *version = "";
	size_t len;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "image store");
	r = fd_read_at(s->dir, "oci-layout", 65536, &text, &len);
	if (r < 0)
		return err_set(e, r, "read %s/oci-layout", s->path);
	r = json_parse(a, text, len, "oci-layout", &j, e);
	if (r == 0 && json_get(j, "imageLayoutVersion"))
		r = json_as_string(json_get(j, "imageLayoutVersion"), "imageLayoutVersion", &version, e);
	if (r < 0)
		return err_wrap(e, "image store %s", s->path);
	if (!str_starts(version, "1."))
		return err_text(e, ENOTSUP, "image store %s has layout version \"%.40s\"; 1.0.0 is known",
			s->path, version);
	return 0;
}

static struct img_store *new_store(const char *path)
{
	struct img_store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dir = s->lock_fd = s->blobs = s->layers = s->tmp = s->uses = s->ready = -EBADF;
	s->path = path ? path_absolute(path) : img_store_default();
	if (s->path)
		return s;
	free(s);
	return NULL;
}

/* On a read-only file system the store can be read. -1 with errno. */
static int open_lock(struct img_store *s, const char *name)
{
	int fd = openat(s->dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 && errno == EROFS ? openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : fd;
}

int img_store_open(
	const char *path, bool create, enum img_lock lock, int wait, struct img_store **out, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = new_store(path);
	int r;

	if (!s)
		return errno == ENOENT
			       ? err_text(e, ENOENT,
					 "no place for the image store: HOME is not set; say --store DIR")
			       : err_set(e, errno, "image store");
	s->lock = lock;
	r = open_top(s, create, e);
	if (r < 0)
		return r;
	s->lock_fd = open_lock(s, "lock");
	if (s->lock_fd < 0)
		return err_set(e, errno, "open %s/lock", s->path);
	r = st_flock(s->lock_fd, lock == IMG_EXCLUSIVE ? LOCK_EX : LOCK_SH, wait);
	if (r == -EBUSY)
		return err_text(e, EBUSY,
			"image store %s is in use by another process (a pull, a load, a prune); try again "
			"later",
			s->path);
	if (r < 0)
		return err_set(e, r, "lock image store %s", s->path);
	r = open_dirs(s, e);
	if (r == 0)
		r = make_layout(s, e);
	if (r == 0)
		r = check_layout(s, e);
	if (r < 0)
		return r;
	*out = TAKE_PTR(s);
	return 0;
}

void img_store_close(struct img_store *s)
{
	if (!s)
		return;
	fd_close(s->ready);
	fd_close(s->uses);
	fd_close(s->tmp);
	fd_close(s->layers);
	fd_close(s->blobs);
	fd_close(s->lock_fd);
	fd_close(s->dir);
	free(s->path);
	free(s);
}

const char *img_store_path(const struct img_store *s)
{
	return s->path;
}

/* --- locks -------------------------------------------------------------------------------------- */

int st_flock(int fd, int op, int wait)
{
	static const struct timespec pause = { .tv_nsec = 20000000 };
	struct timespec now, end;

	if (wait >= 0) {
		clock_gettime(CLOCK_MONOTONIC, &end);
		end.tv_sec += wait;
	}
	for (;;) {
		if (flock(fd, wait < 0 ? op : op | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (wait < 0)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
}

int st_lock(struct img_store *s, const char *name, int op, struct err *e)
{
	_cleanup_close_ int fd = open_lock(s, name);
	int r;

	if (fd < 0)
		return err_set(e, errno, "open %s/%s", s->path, name);
	r = st_flock(fd, op, -1);
	return r < 0 ? err_set(e, r, "lock %s/%s", s->path, name) : TAKE_FD(fd);
}

/* --- whole files -------------------------------------------------------------------------------- */

void st_tmp_name(struct img_store *s, const char *kind, char buf[ST_TMP_NAME_MAX])
{
	unsigned int n = __atomic_add_fetch(&s->serial, 1, __ATOMIC_RELAXED);
	struct timespec now;

	/* The time keeps us apart from a wreck of an earlier process of our number. */
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(buf, ST_TMP_NAME_MAX, "%s-%d-%u-%llx", kind, (int)getpid(), n,
		(unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec);
}

int st_put(struct img_store *s, int dir, const char *name, const void *text, size_t len, bool keep_old,
	struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	char tmp[ST_TMP_NAME_MAX];
	int r;

	st_tmp_name(s, "file", tmp);
	fd = openat(s->tmp, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, errno, "create %s/tmp/%s", s->path, tmp);
	r = fd_write_all(fd, text, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && keep_old) {
		if (linkat(s->tmp, tmp, dir, name, 0) < 0 && errno != EEXIST)
			r = -errno;
		unlinkat(s->tmp, tmp, 0);
	} else if (r == 0 && renameat(s->tmp, tmp, dir, name) < 0) {
		r = -errno;
	}
	if (r == 0 && fsync(dir) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	unlinkat(s->tmp, tmp, 0);
	r = err_set(e, r, "write %s in image store %s", name, s->path);
	if (r == -ENOSPC || r == -EDQUOT)
		err_hint(e, "even to remove something takes some bytes there: make a little room first");
	return r;
}

void st_blob_path(const struct img_digest *d, char buf[IMG_DIGEST_MAX])
{
	snprintf(buf, IMG_DIGEST_MAX, "%s/%s", img_digest_algorithm(d), img_digest_hex(d));
}
