/* SPDX-License-Identifier: Apache-2.0 */
/* The fids of a connection, by number, and the nodes that they stand for (see p9_internal.h). */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

#define FIRST_TABLE 64U

struct p9_node *p9_node_ref(struct p9_node *n)
{
	if (n)
		n->refs++;
	return n;
}

void p9_node_unref(struct p9_node *n)
{
	/* A chain of parents may be as deep as the guest has made directories: no recursion. */
	while (n && --n->refs == 0) {
		struct p9_node *parent = n->parent;

		p9_held_pin(n);
		n->server->n_nodes--;
		fd_close(n->fd);
		free(n->name);
		free(n);
		n = parent;
	}
}

static struct p9_fid **slot(struct p9_fid *const *table, size_t size, uint32_t id)
{
	/* Linux counts fids upwards; a guest that makes collisions makes itself slow, within P9_NODE_MAX. */
	return (struct p9_fid **)&table[(id * 2654435769U >> 8) & (size - 1)];
}

struct p9_fid *p9_fid_find(const struct p9_conn *c, uint32_t id)
{
	struct p9_fid *f;

	if (c->table_size == 0)
		return NULL;
	for (f = *slot(c->table, c->table_size, id); f; f = f->next)
		if (f->id == id)
			return f;
	return NULL;
}

static int grow(struct p9_conn *c)
{
	size_t size = c->table_size ? c->table_size * 2 : FIRST_TABLE;
	struct p9_fid **table = calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < c->table_size; i++)
		for (struct p9_fid *f = c->table[i], *next; f; f = next) {
			struct p9_fid **to = slot(table, size, f->id);

			next = f->next;
			f->next = *to;
			*to = f;
		}
	free(c->table);
	c->table = table;
	c->table_size = size;
	return 0;
}

struct p9_fid *p9_fid_add(struct p9_conn *c, uint32_t id, uint32_t uid, struct p9_node *node, int *r)
{
	_cleanup_node_ struct p9_node *held = node;
	struct p9_fid **to, *f;

	if (id == P9_NOFID || p9_fid_find(c, id)) {
		*r = -EBADF;
		return NULL;
	}
	if (c->server->n_fids >= P9_NODE_MAX) {
		*r = -ENFILE;
		return NULL;
	}
	if (c->n_fids >= c->table_size * 2) {
		*r = grow(c);
		if (*r < 0)
			return NULL;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		*r = -ENOMEM;
		return NULL;
	}
	*f = (struct p9_fid){ .id = id, .uid = uid, .node = TAKE_PTR(held), .fd = -1, .at = -1 };
	to = slot(c->table, c->table_size, id);
	f->next = *to;
	*to = f;
	c->n_fids++;
	c->server->n_fids++;
	return f;
}

static void fid_free(struct p9_conn *c, struct p9_fid *f)
{
	p9_xattr_free(c->server, f->xattr);
	fd_close(f->fd);
	p9_node_unref(f->node);
	free(f);
	c->n_fids--;
	c->server->n_fids--;
}

void p9_fid_remove(struct p9_conn *c, struct p9_fid *f)
{
	struct p9_fid **at = slot(c->table, c->table_size, f->id);

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	fid_free(c, f);
}

void p9_fid_remove_all(struct p9_conn *c)
{
	for (size_t i = 0; i < c->table_size; i++)
		for (struct p9_fid *f = c->table[i], *next; f; f = next) {
			next = f->next;
			fid_free(c, f);
		}
	free(c->table);
	c->table = NULL;
	c->table_size = 0;
}

void p9_fid_renode(struct p9_fid *f, struct p9_node *node)
{
	p9_node_unref(f->node);
	f->node = node;
}
