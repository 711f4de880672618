/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup v2's tree: controllers handed down to the partition's cgroup, and the cgroup handed over to the
 * partition. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* Enabled where available though no limit asks for them: engines read the statistics of the first four. */
static const char *const usual[] = { "cpu", "memory", "pids", "io", "cpuset", "hugetlb" };
enum { USUAL_STATS = 4 };

struct chain {
	const struct cg_node *n;
	const char *needed;
	bool with_usual; /* a pure v2 host; on a mixed one the others are v1's */
	bool rootless;
};

static int get_at(const struct chain *ch, size_t len, const char *file, char *buf, size_t size, struct err *e)
{
	char path[CG_FILE_MAX + 32];
	ssize_t r;

	snprintf(path, sizeof(path), "%s%.*s/%s", ch->n->mount, (int)len, ch->n->path, file);
	r = fd_get_at(AT_FDCWD, path, buf, size);
	return r < 0 ? err_set(e, (int)-r, "read %s", path) : 0;
}

static bool has_all(const char *have, const char *words, const char *const *more, size_t n_more)
{
	char word[64];

	for (size_t i = 0; i < n_more; i++)
		if (!cg_list_has(have, more[i]))
			return false;
	for (const char *p = words; *p;) {
		size_t len = strcspn(p, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, p);
		if (len > 0 && !cg_list_has(have, word))
			return false;
		p += len;
		p += strspn(p, " ");
	}
	return true;
}

static int refused(const struct chain *ch, size_t len, const char *word, int reason, struct err *e)
{
	int where = len > 0 ? (int)len : 1;
	const char *path = len > 0 ? ch->n->path : "/";

	switch (reason) {
	case EACCES:
	case EPERM:
	case EROFS:
		if (ch->rootless)
			return err_text(e, reason,
				"the %s controller, which linux.resources needs, is not delegated to this "
				"user in cgroup %.*s; as root: "
				"systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids, "
				"then log in again",
				word, where, path);
		return err_set(e, reason, "enable the %s controller in cgroup %.*s", word, where, path);
	case EBUSY:
		return err_text(e, EBUSY,
			"the %s controller, which linux.resources needs, cannot be enabled below cgroup "
			"%.*s: it holds processes itself "
			"(no-internal-process rule of cgroup v2); move them into a sub-cgroup or choose "
			"another linux.cgroupsPath",
			word, where, path);
	case EOPNOTSUPP:
		return err_text(e, EOPNOTSUPP,
			"the %s controller, which linux.resources needs, cannot be enabled below the "
			"threaded cgroup %.*s",
			word, where, path);
	case ENOENT:
		if (ch->rootless && len > 0)
			return refused(ch, len, word, EACCES, e);
		return err_text(e, ENOENT,
			"the %s controller, which linux.resources needs, is not available in cgroup v2 on "
			"this host",
			word);
	default:
		return err_set(e, reason, "enable the %s controller in cgroup %.*s", word, where, path);
	}
}

static bool is_needed(const struct chain *ch, const char *word)
{
	return cg_list_has(ch->needed, word);
}

/* Writes "+a +b" to one directory's cgroup.subtree_control; if that fails, each for itself, where the usual
 * ones may fail. */
static int enable_at(const struct chain *ch, size_t len, const char *words, struct err *e)
{
	char path[CG_FILE_MAX + 32], text[256] = "", word[64];
	size_t used = 0;

	snprintf(path, sizeof(path), "%s%.*s/cgroup.subtree_control", ch->n->mount, (int)len, ch->n->path);
	for (const char *p = words; *p; p += strcspn(p, " "), p += strspn(p, " "))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s+%.*s", used ? " " : "",
			(int)strcspn(p, " "), p);
	if (used == 0 || fd_put_at(AT_FDCWD, path, text) == 0)
		return 0;
	for (const char *p = words; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		int r;

		snprintf(word, sizeof(word), "+%.*s", (int)strcspn(p, " "), p);
		r = fd_put_at(AT_FDCWD, path, word);
		if (r < 0 && is_needed(ch, word + 1))
			return refused(ch, len, word + 1, -r, e);
		if (r < 0)
			log_debug("cgroup %.*s: controller %s stays off: %s", (int)len, ch->n->path, word + 1,
				strerror(-r));
	}
	return 0;
}

static void append(char *buf, size_t size, const char *word, size_t len)
{
	size_t used = strlen(buf);

	if (used + len + 2 < size)
		snprintf(buf + used, size - used, "%s%.*s", used ? " " : "", (int)len, word);
}

/* The words of `needed` and the usual ones, without those in `have`; the usual ones only as far as `offered`.
 */
static int missing(const struct chain *ch, size_t len, const char *offered, const char *have, char *out,
	size_t size, struct err *e)
{
	char word[64];

	*out = '\0';
	for (const char *p = ch->needed; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		snprintf(word, sizeof(word), "%.*s", (int)n, p);
		if (cg_list_has(have, word))
			continue;
		if (!cg_list_has(offered, word))
			return refused(ch, len, word, ENOENT, e);
		append(out, size, word, n);
	}
	for (size_t i = 0; ch->with_usual && i < ARRAY_SIZE(usual); i++)
		if (cg_list_has(offered, usual[i]) && !cg_list_has(have, usual[i]) &&
			!cg_list_has(out, usual[i]))
			append(out, size, usual[i], strlen(usual[i]));
	return 0;
}

int cg_v2_enable(const struct cgrp *c, const struct cg_node *n, const char *needed, struct err *e)
{
	struct chain ch = { .n = n, .needed = needed, .with_usual = c->n == 1, .rootless = c->rootless };
	size_t n_stats = ch.with_usual ? USUAL_STATS : 0, len = strlen(n->path);
	char have[256], offered[256], words[256];
	int r;

	if (!ch.with_usual && !*needed)
		return 0;
	r = get_at(&ch, len, "cgroup.controllers", have, sizeof(have), e);
	if (r < 0 || has_all(have, needed, usual, n_stats))
		return r;
	/* Up to the nearest ancestor that has them all, or the root; from there down again. */
	do {
		while (len > 0 && n->path[--len] != '/')
			;
		r = get_at(&ch, len, "cgroup.controllers", offered, sizeof(offered), e);
		if (r < 0)
			return r;
	} while (len > 0 && !has_all(offered, needed, usual, n_stats));
	for (;;) {
		size_t next = len + 1 + strcspn(n->path + len + 1, "/");

		/* What a directory offers to its children is what it was given itself. */
		r = get_at(&ch, next, "cgroup.controllers", have, sizeof(have), e);
		if (r == 0)
			r = missing(&ch, len, offered, have, words, sizeof(words), e);
		if (r == 0)
			r = enable_at(&ch, len, words, e);
		if (r < 0 || !n->path[next])
			return r;
		len = next;
		r = get_at(&ch, len, "cgroup.controllers", offered, sizeof(offered), e);
		if (r < 0)
			return r;
	}
}

int cg_v2_delegate(const struct cg_node *n, uid_t uid, gid_t gid, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int dir = -EBADF;
	char path[CG_FILE_MAX];

	snprintf(path, sizeof(path), "%s%s", n->mount, n->join);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fchown(dir, uid, gid) < 0)
		return err_set(e, errno, "give cgroup %s to user %u", n->join, (unsigned int)uid);
	/* The kernel's own list of what a delegatee may write; the rest are the limits set from outside. */
	if (fd_read_at(AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, &text, NULL) < 0)
		text = strdup("cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n");
	if (!text)
		return err_set(e, ENOMEM, "give cgroup %s to user %u", n->join, (unsigned int)uid);
	for (char *line = text; *line;) {
		char *end = strchrnul(line, '\n');
		bool more = *end != '\0';

		*end = '\0';
		if (*line && !strchr(line, '/') && fchownat(dir, line, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 &&
			errno != ENOENT)
			return err_set(e, errno, "give %s/%s to user %u", n->join, line, (unsigned int)uid);
		line = end + more;
	}
	return 0;
}
