/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts of type cgroup: the hierarchies of the host as the partition may see them.
 *
 * In a cgroup namespace of its own a fresh mount shows the partition's cgroup as the root. Without one, or
 * where the kernel refuses (a user namespace that does not own the cgroup namespace), the partition's own
 * directory is bound instead, so that the rest of the tree stays out of sight. Where not even that is known
 * the host's whole tree is bound, always read-only (CVE-2023-25809).
 */
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

struct target {
	const struct mnt_entry *m;
	int dir;
	const char *name; /* in a directory whose names are ours or the kernel's; "": dir itself */
	unsigned long flags;
	uint64_t attr;
	bool attr_later; /* all at once, at the end */
};

/*
 * Bound by name where the name can be trusted, which takes two calls; else as a tree. A subtree of a
 * hierarchy has no mounts below it.
 */
static int bind_dir(const char *source, const struct target *t, const char *path, uint64_t attr)
{
	_cleanup_close_ int tree = -EBADF;
	int r;

	if (*t->name) {
		if (mount(source, path, NULL, MS_BIND, NULL) < 0)
			return -errno;
		return t->attr_later && attr == t->attr ? 0 : mnt_attr(t->dir, t->name, 0, attr, 0, 0);
	}
	tree = sys_clone_tree(AT_FDCWD, source, 0);
	if (tree < 0)
		return tree;
	r = sys_attach(tree, t->dir, "");
	return r < 0 ? r : mnt_attr(tree, "", 0, attr, 0, 0);
}

static int bind_own(const struct mnt_hierarchy *h, const struct target *t, const char *path, struct err *e)
{
	const char *below = h->path ? h->path : "";
	uint64_t attr = t->attr;
	char source[4096];
	int r;

	below += strspn(below, "/");
	if (!*below)
		attr |= MOUNT_ATTR_RDONLY;
	if (snprintf(source, sizeof(source), "%s%s%s", h->mount_point, *below ? "/" : "", below) >=
		(int)sizeof(source))
		return err_set(e, ENAMETOOLONG, "bind cgroup %s", below);
	r = bind_dir(source, t, path, attr);
	if (r == -ENOENT)
		return err_text(e, ENOENT, "mount source missing: %s (the partition's cgroup)", source);
	return r < 0 ? err_set(e, -r, "bind %s on %s", source, t->m->m->destination) : 0;
}

static int mount_one(struct mnt_ctx *c, const struct mnt_hierarchy *h, const struct target *t, struct err *e)
{
	struct mnt_place p = { .dir = t->dir, .name = t->name, .own = -EBADF };
	char path[MNT_PLACE_PATH];
	const char *at;

	at = mnt_place_here(c, &p, path);
	if (c->new_cgroup_ns) {
		if (mount("cgroup", at, h->v2 ? "cgroup2" : "cgroup", t->flags,
			    h->controllers && *h->controllers ? h->controllers : NULL) == 0)
			return 0;
		/*
		 * EBUSY, EINVAL: a v1 hierarchy whose controllers were mounted together in another way than
		 * its name says.
		 */
		if (errno != EPERM && errno != EBUSY && errno != EINVAL)
			return err_set(e, errno, "mount the cgroup hierarchy %s on %s", h->name,
				t->m->m->destination);
	}
	return bind_own(h, t, at, e);
}

/* "cpu" and "cpuacct" for a hierarchy that is called "cpu,cpuacct". */
static int link_controllers(int dir, const char *name, struct err *e)
{
	if (!strchr(name, ','))
		return 0;
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, ",");
		char one[64];

		if (n > 0 && n < sizeof(one)) {
			memcpy(one, p, n);
			one[n] = '\0';
			if (symlinkat(name, dir, one) < 0 && errno != EEXIST)
				return err_set(e, errno, "link cgroup controller %s to %s", one, name);
		}
		p += n;
		p += *p == ',';
	}
	return 0;
}

/*
 * The tmpfs for them, held. A name in a file system that nobody else can write to is as good as a descriptor,
 * and takes two calls in the place of eight.
 */
static int mount_tmpfs(struct mnt_ctx *c, const struct mnt_place *p, const struct target *t, struct err *e)
{
	/* The hierarchies themselves decide about writing; this is there to be looked at. */
	static const char data[] = "mode=755,size=64k";
	const char *destination = t->m->m->destination;
	char path[MNT_PLACE_PATH];
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (*p->name && p->own < 0) {
		if (mount("tmpfs", mnt_place_here(c, p, path), "tmpfs", t->flags & ~(unsigned long)MS_RDONLY,
			    data) < 0)
			return err_set(e, errno, "mount a tmpfs for cgroup hierarchies on %s", destination);
		fd = openat(p->dir, p->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? err_set(e, errno, "open %s", destination) : TAKE_FD(fd);
	}
	fd = mnt_fs_new("tmpfs", "tmpfs", data, 0, t->attr & ~(uint64_t)MOUNT_ATTR_RDONLY, NULL, e);
	if (fd < 0)
		return err_wrap(e, "mount cgroup on %s", destination);
	r = sys_attach(fd, p->dir, p->name);
	if (r < 0)
		return err_set(e, -r, "mount a tmpfs for cgroup hierarchies on %s", destination);
	return TAKE_FD(fd);
}

/* v1 and mixed: one directory a hierarchy, in a tmpfs. */
static int mount_several(
	struct mnt_ctx *c, size_t i, const struct mnt_place *p, struct target *t, struct err *e)
{
	_cleanup_close_ int fd = mount_tmpfs(c, p, t, e);
	int r = 0;

	if (fd < 0)
		return fd;
	t->dir = fd;
	t->attr_later = !c->new_cgroup_ns && mnt_attr_detached();
	for (size_t n = 0; n < c->n_hierarchies; n++) {
		const struct mnt_hierarchy *h = &c->hierarchies[n];

		t->name = h->name;
		if (!*h->name || strchr(h->name, '/') || strlen(h->name) > 200)
			return err_text(
				e, EINVAL, "cgroup hierarchy \"%s\" has no name for a directory", h->name);
		if (mkdirat(fd, h->name, 0755) < 0)
			return err_set(e, errno, "create %s/%s", t->m->m->destination, h->name);
		/* Without a cgroup of the partition's own there would be everybody else's to see. */
		r = h->path ? mount_one(c, h, t, e) : 0;
		if (r == 0)
			r = link_controllers(fd, h->name, e);
		if (r < 0)
			return r;
	}
	if (t->attr_later || (t->attr & MOUNT_ATTR_RDONLY))
		r = mnt_attr(fd, "", t->attr_later ? AT_RECURSIVE : 0, t->attr, 0, 0);
	if (r < 0)
		return err_set(e, -r, "set the mount flags of %s", t->m->m->destination);
	TAKE_FD(fd); /* goes with the exec */
	return 0;
}

/* Type cgroup2 asks for that one hierarchy, which on a mixed host is one of several. */
static const struct mnt_hierarchy *only_v2(const struct mnt_ctx *c, const struct spec_mount *m)
{
	if (c->n_hierarchies == 1 && c->hierarchies[0].v2)
		return &c->hierarchies[0];
	for (size_t i = 0; str_eq(m->type, "cgroup2") && i < c->n_hierarchies; i++)
		if (c->hierarchies[i].v2)
			return &c->hierarchies[i];
	return NULL;
}

/*
 * What is asked of the whole mount beyond mount(2)'s flags: recursive attributes, propagation. A new mount is
 * private already.
 */
static int finish(struct mnt_ctx *c, const struct mnt_place *p, const struct mnt_options *o,
	const char *destination, struct err *e)
{
	struct mnt_options rest = { .rec_set = o->rec_set, .rec_clear = o->rec_clear };
	_cleanup_close_ int fd = -EBADF;

	for (int i = 0; i < o->n_propagation; i++)
		if (!(o->propagation[i] & (MS_PRIVATE | MS_SLAVE)) || i > 0)
			rest.propagation[rest.n_propagation++] = o->propagation[i];
	if (!rest.n_propagation && !rest.rec_set && !rest.rec_clear)
		return 0;
	/* A place that is a descriptor is what lies beneath the mount: that is found by its path again. */
	fd = *p->name ? openat(p->dir, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
		      : path_open(c->state->root, destination, O_PATH, 0, 0);
	if (fd < 0)
		return err_set(e, *p->name ? errno : -fd, "open %s", destination);
	return mnt_attr_options(fd, &rest, destination, e);
}

int mnt_cgroup(struct mnt_ctx *c, size_t i, struct err *e)
{
	const struct mnt_entry *m = &c->state->entries[i];
	const struct mnt_hierarchy *v2 = only_v2(c, m->m);
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	struct target t = { .m = m };
	uint64_t clr;
	int r;

	if (c->n_hierarchies == 0)
		return err_text(e, ENODEV,
			"mount %s: this host has no cgroup hierarchy mounted, so there is none to show",
			m->m->destination);
	t.flags = m->o.set & ~(unsigned long)MS_REC;
	mnt_flags_to_attr(t.flags, &t.attr, &clr);
	r = mnt_place_find(c, i, MNT_WANT_DIR, &p, e);
	if (r < 0)
		return r;
	if (v2) {
		t.dir = p.dir;
		t.name = p.name;
		r = mount_one(c, v2, &t, e);
	} else {
		r = mount_several(c, i, &p, &t, e);
	}
	return r < 0 ? r : finish(c, &p, &m->o, m->m->destination, e);
}
