/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes have a descriptor just now.
 *
 * Theory of operation
 *   Linux keeps a fid for every name that it has in its cache (with cache=loose that is every name it has
 * ever looked at, until memory is short), and descriptors are few: 20,000 a process in some places. So a node
 * gives its descriptor up when others have been used more recently, and gets a new one when it is used again:
 * by its name below its parent, as ever one component, not followed, and only if what is found is the same
 * object (device, inode, time of birth); otherwise the answer is ESTALE.
 *   For that its name must be right. Requests of this process that rename or remove are followed: nodes are
 * found by the directory's inode number and the name. What has lost its name keeps its descriptor as long as
 * there is a fid for it. What others on the host rename while it has no descriptor becomes stale.
 *   A descriptor that a request has in its hands must not go. Those just used go last; what one request can
 * use is far less than what there is (a chain of parents that is longer is refused).
 */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/str.h"

#define HELD_MAX    16384U /* nodes with a descriptor: each keeps an inode in the host's memory, too */
#define HELD_MIN    64U
#define DEPTH_MAX   256U
#define FIRST_NAMES 64U

void p9_held_init(struct p9_server *s)
{
	struct rlimit l = { .rlim_cur = 1024, .rlim_max = 1024 };

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &l) < 0)
			getrlimit(RLIMIT_NOFILE, &l);
	}
	/* The other half is for files that are open. */
	s->held_max = l.rlim_cur / 2 < HELD_MAX ? (size_t)l.rlim_cur / 2 : HELD_MAX;
	if (s->held_max < HELD_MIN)
		s->held_max = HELD_MIN;
	s->lru.newer = s->lru.older = &s->lru;
}

/* --- the order of use ---------------------------------------------------------------------------- */

static struct p9_node *node_of(struct p9_lru *l)
{
	return (struct p9_node *)((char *)l - offsetof(struct p9_node, lru));
}

static void lru_out(struct p9_node *n)
{
	if (!n->lru.newer)
		return;
	n->lru.newer->older = n->lru.older;
	n->lru.older->newer = n->lru.newer;
	n->lru = (struct p9_lru){ 0 };
	n->server->held--;
}

static void lru_in(struct p9_node *n)
{
	struct p9_lru *head = &n->server->lru;

	n->lru = (struct p9_lru){ .newer = head, .older = head->older };
	head->older->newer = &n->lru;
	head->older = &n->lru;
	n->server->held++;
}

/* Gives up descriptors until `keep` nodes have one. */
static void evict(struct p9_server *s, size_t keep)
{
	while (s->held > keep) {
		struct p9_node *n = node_of(s->lru.newer);

		lru_out(n);
		n->fd = fd_close(n->fd);
	}
}

bool p9_make_room(struct p9_server *s)
{
	size_t before = s->held, least = HELD_MIN / 2;

	if (before <= least)
		return false;
	evict(s, before > 2 * least ? before - least : least);
	return true;
}

/* --- nodes by name ------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct p9_node *dir, const char *name)
{
	uint32_t h = 2166136261U ^ (uint32_t)dir->ino ^ (uint32_t)dir->dev * 31;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return h ^ h >> 15;
}

static void names_grow(struct p9_server *s)
{
	size_t size = s->names_size ? s->names_size * 2 : FIRST_NAMES;
	struct p9_node **names = calloc(size, sizeof(*names));

	/* Without it is slower, as long as there is one at all. */
	if (!names)
		return;
	for (size_t i = 0; i < s->names_size; i++)
		for (struct p9_node *n = s->names[i], *next; n; n = next) {
			struct p9_node **to = &names[n->hash & (size - 1)];

			next = n->next;
			n->next = *to;
			*to = n;
		}
	free(s->names);
	s->names = names;
	s->names_size = size;
}

static bool names_in(struct p9_node *n)
{
	struct p9_server *s = n->server;
	struct p9_node **to;

	if (s->n_names >= s->names_size)
		names_grow(s);
	if (s->names_size == 0)
		return false;
	n->hash = hash_of(n->parent, n->name);
	to = &s->names[n->hash & (s->names_size - 1)];
	n->next = *to;
	*to = n;
	n->named = true;
	s->n_names++;
	return true;
}

static void names_out(struct p9_node *n)
{
	struct p9_node **at;

	if (!n->named)
		return;
	at = &n->server->names[n->hash & (n->server->names_size - 1)];
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->named = false;
	n->server->n_names--;
}

/* The first one after `n` (NULL: of all) that was found as `name` in that directory. */
static struct p9_node *same_name(struct p9_node *n, const struct p9_node *dir, const char *name)
{
	const struct p9_server *s = dir->server;
	uint32_t h = hash_of(dir, name);

	if (s->names_size == 0)
		return NULL;
	n = n ? n->next : s->names[h & (s->names_size - 1)];
	while (n && !(n->hash == h && n->parent->ino == dir->ino && n->parent->dev == dir->dev &&
			    str_eq(n->name, name)))
		n = n->next;
	return n;
}

/* --- nodes ---------------------------------------------------------------------------------------- */

void p9_held_add(struct p9_node *n)
{
	/* Without a name there is no way back. */
	if (!n->parent || !n->name || !names_in(n))
		return;
	lru_in(n);
	evict(n->server, n->server->held_max);
}

void p9_held_pin(struct p9_node *n)
{
	lru_out(n);
	names_out(n);
}

static int reopen(struct p9_node *n)
{
	struct p9_server *s = n->server;
	int fd, r;

	do
		fd = openat(n->parent->fd, n->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	while (fd < 0 && errno == EMFILE && p9_make_room(s));
	if (fd < 0)
		return errno == EMFILE ? -ENFILE : errno == ENOENT ? -ESTALE : -errno;
	r = p9_node_is(n, fd);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	n->fd = fd;
	lru_in(n);
	evict(s, s->held_max);
	return 0;
}

static void touch(struct p9_node *n)
{
	if (n->lru.newer) {
		lru_out(n);
		lru_in(n);
	}
}

int p9_node_fd(struct p9_node *n)
{
	unsigned depth = 0;

	for (struct p9_node *up = n; up->fd < 0; up = up->parent)
		if (++depth > DEPTH_MAX || depth > n->server->held_max / 4)
			return -ESTALE;
	for (; depth > 0; depth--) {
		struct p9_node *at = n;
		int r;

		for (unsigned i = 1; i < depth; i++)
			at = at->parent;
		touch(at->parent);
		r = reopen(at);
		if (r < 0)
			return r;
	}
	touch(n);
	return n->fd;
}

void p9_names_hold(const struct p9_node *dir, const char *name)
{
	for (struct p9_node *n = same_name(NULL, dir, name); n; n = same_name(n, dir, name))
		p9_node_fd(n);
}

void p9_names_forget(const struct p9_node *dir, const char *name)
{
	struct p9_node *n;

	while ((n = same_name(NULL, dir, name)))
		p9_held_pin(n);
}

/*
 * What is recorded of parents may be old: the new directory may have been moved out of the node and still
 * have it above itself. A node below itself would be kept for ever.
 */
static bool is_above(const struct p9_node *n, const struct p9_node *dir)
{
	while (dir && dir != n)
		dir = dir->parent;
	return dir == n;
}

void p9_names_move(const struct p9_node *from, const char *name, struct p9_node *to, const char *new_name)
{
	struct p9_node *n;

	while ((n = same_name(NULL, from, name))) {
		struct p9_node *old = n->parent;
		char *copy = strdup(new_name);

		names_out(n);
		if (!copy || is_above(n, to)) {
			/* It keeps what it has; if that is no descriptor, it is stale. */
			lru_out(n);
			free(copy);
			continue;
		}
		free(n->name);
		n->name = copy;
		n->parent = p9_node_ref(to);
		p9_node_unref(old);
		if (!names_in(n))
			lru_out(n);
	}
}
