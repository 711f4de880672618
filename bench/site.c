/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a run, and how all of a run goes away (site.h). */
#include "bench/site.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "bench/proc.h"

#define FOLDER "ringfence-bench"
/* The deepest cgroup that somebody gave a name of ours, from the top of its hierarchy. */
#define CGROUP_DEPTH 6

static const char *const bases[] = { "/run", "/dev/shm" };

/* --- making ------------------------------------------------------------------------------------------- */

static const char *default_base(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		struct statvfs v;
		struct statfs fs;

		if (statfs(bases[i], &fs) == 0 && fs.f_type == TMPFS_MAGIC && statvfs(bases[i], &v) == 0 &&
			!(v.f_flag & (ST_NOEXEC | ST_RDONLY)))
			return bases[i];
	}
	return bases[0];
}

/*
 * BASE may be where anybody can make directories, as /dev/shm is, and what a record says is run: so the
 * folder must be ours, and nobody else's to write to. Returns its descriptor.
 */
static int open_folder(const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %s", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_text(e, EPERM,
			"%s belongs to somebody else, or others may write to it; remove it, or name another "
			"directory with --work",
			path);
	return TAKE_FD(fd);
}

static int make_id(struct site *s, struct err *e)
{
	unsigned char bytes[4];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_set(e, errno, "draw a run's name");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(s->id + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int write_record(const struct site *s, const struct site_record *record, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	const char *text;
	size_t len;

	if (!w)
		return err_set(e, ENOMEM, "write a record");
	json_open_object(w, NULL);
	json_put_string(w, "designs", record->designs);
	json_put_string(w, "runtime", record->runtime);
	json_put_string(w, "kernel", record->kernel);
	json_put_string(w, "payload", record->payload);
	json_put_string(w, "floor", record->floor);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "write a record");
	return fd_replace_at(s->dir, "record", 0600, text, len, e);
}

static int lock_it(struct site *s, struct err *e)
{
	char pid[16];
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());

	s->lock = openat(s->dir, "lock", O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, errno, "lock %s/lock", s->path);
	return ftruncate(s->lock, 0) < 0 || fd_write_all(s->lock, pid, (size_t)n) < 0
		       ? err_set(e, errno, "write %s/lock", s->path)
		       : 0;
}

int site_make(struct site *s, const char *base, const struct site_record *record, struct err *e)
{
	_cleanup_free_ char *absolute = path_absolute(base ? base : default_base());
	_cleanup_close_ int folder = -EBADF;
	int r;

	if (!absolute)
		return err_set(e, errno, "find the directory %s", base);
	if (strlen(absolute) > PATH_MAX - 512)
		return err_set(e, ENAMETOOLONG, "make a run's directory in %s", absolute);
	r = make_id(s, e);
	if (r < 0)
		return r;
	snprintf(s->path, sizeof(s->path), "%.*s/" FOLDER, PATH_MAX - 512, absolute);
	r = path_make(s->path, 0711, e);
	if (r == 0)
		r = folder = open_folder(s->path, e);
	if (r < 0)
		return r;
	snprintf(s->path, sizeof(s->path), "%.*s/" FOLDER "/%s", PATH_MAX - 512, absolute, s->id);
	if (mkdirat(folder, s->id, 0711) < 0)
		return err_set(e, errno, "make %s", s->path);
	s->dir = openat(folder, s->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dir < 0)
		return err_set(e, errno, "open %s", s->path);
	r = lock_it(s, e);
	return r < 0 ? r : write_record(s, record, e);
}

char *site_path(const struct site *s, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", s->path, name) < 0 ? NULL : path;
}

int site_make_dir(const struct site *s, const char *name, char **path, struct err *e)
{
	char *p = site_path(s, name);
	int r = p ? path_make(p, 0755, e) : err_set(e, ENOMEM, "make %s", name);

	if (r < 0)
		free(p);
	else
		*path = p;
	return r;
}

/* --- going away --------------------------------------------------------------------------------------- */

static void tell(struct strbuf *left, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct strbuf *left, const char *fmt, ...)
{
	va_list ap;

	if (!left)
		return;
	va_start(ap, fmt);
	strbuf_vprintf(left, fmt, ap);
	va_end(ap);
	strbuf_puts(left, "\n");
}

static bool is_dir(int at, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(at, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool is_dots(const char *name)
{
	return str_eq(name, ".") || str_eq(name, "..");
}

static DIR *open_dir_at(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		fd_close(fd);
	return d;
}

/* conmon makes the directories of hierarchies that are not mounted, too, and files in them. */
static bool is_no_cgroup(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* A cgroup and those below it: right after an end they may still be busy for a moment. */
static bool remove_cgroup(int at, const char *name, int depth)
{
	_cleanup_closedir_ DIR *d = open_dir_at(at, name);
	struct dirent *entry;

	while (d && depth > 0 && (entry = readdir(d)))
		if (!is_dots(entry->d_name) && is_dir(dirfd(d), entry))
			remove_cgroup(dirfd(d), entry->d_name, depth - 1);
		else if (!is_dots(entry->d_name) && is_no_cgroup(dirfd(d)))
			unlinkat(dirfd(d), entry->d_name, 0);
	for (int tries = 0; unlinkat(at, name, AT_REMOVEDIR) < 0; tries++) {
		if (errno != EBUSY || tries == 200)
			return errno == ENOENT;
		usleep(10000);
	}
	return true;
}

static void remove_cgroups(int at, const char *name, const char *id, int depth, struct strbuf *left)
{
	_cleanup_closedir_ DIR *d = open_dir_at(at, name);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (is_dots(entry->d_name) || !is_dir(dirfd(d), entry))
			continue;
		if (!strstr(entry->d_name, id)) {
			if (depth > 0)
				remove_cgroups(dirfd(d), entry->d_name, id, depth - 1, left);
		} else if (!remove_cgroup(dirfd(d), entry->d_name, CGROUP_DEPTH)) {
			tell(left, "the cgroup %s, below /sys/fs/cgroup", entry->d_name);
		}
	}
}

/* Lines of mountinfo have the mount point in the fifth field; blanks in it are \040, of which ours have none.
 */
static bool unmount_one(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL, *last = NULL;
	size_t room = 0;
	bool did;

	while (f && getline(&line, &room, f) > 0) {
		char point[PATH_MAX];

		if (sscanf(line, "%*d %*d %*s %*s %4095s", point) == 1 && path_within(point, path) &&
			!str_eq(point, path)) {
			free(last);
			last = strdup(point);
		}
	}
	/* The last one lies on top of those before it. */
	did = last && umount2(last, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
	return did;
}

/* Never out of the file system that it begins in, and never through a symlink. */
static bool remove_tree(int at, const char *name, dev_t dev)
{
	_cleanup_closedir_ DIR *d = open_dir_at(at, name);
	struct dirent *entry;
	struct stat st;

	if (!d || fstat(dirfd(d), &st) < 0 || st.st_dev != dev)
		return false;
	while ((entry = readdir(d))) {
		if (is_dots(entry->d_name))
			continue;
		if (is_dir(dirfd(d), entry))
			remove_tree(dirfd(d), entry->d_name, dev);
		else
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	return unlinkat(at, name, AT_REMOVEDIR) == 0;
}

static bool remove_site(const struct site *s)
{
	_cleanup_close_ int parent = openat(s->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char folder[PATH_MAX];
	struct stat st;

	if (parent < 0 || fstat(s->dir, &st) < 0 || !remove_tree(parent, s->id, st.st_dev))
		return false;
	/* The folder too, if this was the last one. */
	snprintf(folder, sizeof(folder), "%.*s", (int)(strlen(s->path) - strlen(s->id) - 1), s->path);
	rmdir(folder);
	return true;
}

static int read_record(const struct site *s, struct arena *a, struct site_record *out, struct err *e)
{
	const struct {
		const char *name, **to;
	} members[] = { { "designs", &out->designs }, { "runtime", &out->runtime },
		{ "kernel", &out->kernel }, { "payload", &out->payload }, { "floor", &out->floor } };
	_cleanup_free_ char *text = NULL;
	const struct json *j;
	size_t len;
	int r = fd_read_at(s->dir, "record", 65536, &text, &len);

	if (r < 0)
		return err_set(e, -r, "read %s/record", s->path);
	r = json_parse(a, text, len, "record", &j, e);
	for (size_t i = 0; i < ARRAY_SIZE(members) && r == 0; i++)
		r = json_as_string(json_get(j, members[i].name), members[i].name, members[i].to, e);
	return r;
}

int site_clean(struct site *s, site_ask_designs *ask, struct strbuf *left, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct site_record record = { 0 };
	struct strbuf here = { 0 };
	size_t n;
	int r;

	/* Killed before it was written, a run has started nothing. */
	if (ask && a && read_record(s, a, &record, NULL) == 0)
		ask(s, &record);
	n = proc_kill_marked(s->id, 10000);
	if (n)
		tell(&here, "%zu processes that do not end", n);
	remove_cgroups(AT_FDCWD, "/sys/fs/cgroup", s->id, CGROUP_DEPTH, &here);
	for (int i = 0; i < 100000 && unmount_one(s->path); i++)
		;
	if (!remove_site(s))
		tell(&here, "files in %s", s->path);
	s->dir = fd_close(s->dir);
	s->lock = fd_close(s->lock);
	r = here.len ? err_text(e, EBUSY, "something of run %s is left: %.*s", s->id,
			       (int)strcspn(here.s, "\n"), here.s)
		     : 0;
	if (left && here.s)
		strbuf_puts(left, here.s);
	strbuf_reset(&here);
	return r;
}

/* A run that is over: who can lock it has it. */
static int clean_dead(const char *folder, const char *id, site_ask_designs *ask, size_t *cleaned,
	size_t *living, struct strbuf *left, struct err *e)
{
	struct site s = SITE_INIT;
	int r;

	if (strlen(id) >= sizeof(s.id) || strspn(id, "0123456789abcdef") != strlen(id))
		return 0;
	memcpy(s.id, id, strlen(id) + 1);
	if (snprintf(s.path, sizeof(s.path), "%s/%s", folder, id) >= (int)sizeof(s.path))
		return 0;
	s.dir = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s.dir < 0)
		return 0;
	r = lock_it(&s, NULL);
	if (r < 0) {
		*living += r == -EWOULDBLOCK;
		s.dir = fd_close(s.dir);
		s.lock = fd_close(s.lock);
		return r == -EWOULDBLOCK ? 0 : err_set(e, -r, "lock %s", s.path);
	}
	r = site_clean(&s, ask, left, e);
	*cleaned += r == 0;
	return r;
}

static int clean_base(const char *base, site_ask_designs *ask, size_t *cleaned, size_t *living,
	struct strbuf *left, struct err *e)
{
	_cleanup_closedir_ DIR *d = NULL;
	char folder[PATH_MAX];
	struct dirent *entry;
	int r = 0, one, fd;

	snprintf(folder, sizeof(folder), "%.*s/" FOLDER, PATH_MAX - 64, base);
	if (access(folder, F_OK) < 0 && errno == ENOENT)
		return 0;
	fd = open_folder(folder, e);
	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d)
		return err_set(e, errno, "open %s", folder);
	while ((entry = readdir(d))) {
		one = is_dots(entry->d_name)
			      ? 0
			      : clean_dead(folder, entry->d_name, ask, cleaned, living, left, e);
		r = one < 0 ? one : r;
	}
	return r;
}

int site_clean_dead(const char *base, site_ask_designs *ask, size_t *cleaned, size_t *living,
	struct strbuf *left, struct err *e)
{
	int r = 0, one;

	*cleaned = *living = 0;
	if (base) {
		_cleanup_free_ char *absolute = path_absolute(base);

		return absolute ? clean_base(absolute, ask, cleaned, living, left, e)
				: err_set(e, errno, "find the directory %s", base);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		one = clean_base(bases[i], ask, cleaned, living, left, e);
		r = one < 0 ? one : r;
	}
	return r;
}
