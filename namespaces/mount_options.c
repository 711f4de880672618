/* SPDX-License-Identifier: Apache-2.0 */
/* The words of mounts[].options as flags (see mount_options.h). */
#include "namespaces/mount_options.h"

#include <errno.h>
#include <sys/mount.h>

#include "base/str.h"

/* One list serves the look-up and mnt_option_names[], so that `features` cannot fall behind. */
#define FLAG_WORDS(X)                         \
	X("acl", 0, MS_POSIXACL)              \
	X("async", 1, MS_SYNCHRONOUS)         \
	X("atime", 1, MS_NOATIME)             \
	X("defaults", 0, 0)                   \
	X("dev", 1, MS_NODEV)                 \
	X("diratime", 1, MS_NODIRATIME)       \
	X("dirsync", 0, MS_DIRSYNC)           \
	X("exec", 1, MS_NOEXEC)               \
	X("iversion", 0, MS_I_VERSION)        \
	X("lazytime", 0, MS_LAZYTIME)         \
	X("loud", 1, MS_SILENT)               \
	X("mand", 0, MS_MANDLOCK)             \
	X("noacl", 1, MS_POSIXACL)            \
	X("noatime", 0, MS_NOATIME)           \
	X("nodev", 0, MS_NODEV)               \
	X("nodiratime", 0, MS_NODIRATIME)     \
	X("noexec", 0, MS_NOEXEC)             \
	X("noiversion", 1, MS_I_VERSION)      \
	X("nolazytime", 1, MS_LAZYTIME)       \
	X("nomand", 1, MS_MANDLOCK)           \
	X("norelatime", 1, MS_RELATIME)       \
	X("nostrictatime", 1, MS_STRICTATIME) \
	X("nosuid", 0, MS_NOSUID)             \
	X("nosymfollow", 0, MS_NOSYMFOLLOW)   \
	X("relatime", 0, MS_RELATIME)         \
	X("ro", 0, MS_RDONLY)                 \
	X("rw", 1, MS_RDONLY)                 \
	X("silent", 0, MS_SILENT)             \
	X("strictatime", 0, MS_STRICTATIME)   \
	X("suid", 1, MS_NOSUID)               \
	X("symfollow", 1, MS_NOSYMFOLLOW)     \
	X("sync", 0, MS_SYNCHRONOUS)

#define PROPAGATION_WORDS(X)                        \
	X("private", 0, MS_PRIVATE)                 \
	X("rprivate", 0, MS_PRIVATE | MS_REC)       \
	X("rshared", 0, MS_SHARED | MS_REC)         \
	X("rslave", 0, MS_SLAVE | MS_REC)           \
	X("runbindable", 0, MS_UNBINDABLE | MS_REC) \
	X("shared", 0, MS_SHARED)                   \
	X("slave", 0, MS_SLAVE)                     \
	X("unbindable", 0, MS_UNBINDABLE)

/*
 * Atime is a field of three values, not a bit: every word about it clears the field first. The default,
 * relatime, is 0, and what "ratime", "rnorelatime" and "rnostrictatime" fall back to.
 */
#define RECURSIVE_WORDS(X)                           \
	X("ratime", 1, MOUNT_ATTR__ATIME)            \
	X("rdev", 1, MOUNT_ATTR_NODEV)               \
	X("rdiratime", 1, MOUNT_ATTR_NODIRATIME)     \
	X("rexec", 1, MOUNT_ATTR_NOEXEC)             \
	X("rnoatime", 0, MOUNT_ATTR_NOATIME)         \
	X("rnodev", 0, MOUNT_ATTR_NODEV)             \
	X("rnodiratime", 0, MOUNT_ATTR_NODIRATIME)   \
	X("rnoexec", 0, MOUNT_ATTR_NOEXEC)           \
	X("rnorelatime", 1, MOUNT_ATTR__ATIME)       \
	X("rnostrictatime", 1, MOUNT_ATTR__ATIME)    \
	X("rnosuid", 0, MOUNT_ATTR_NOSUID)           \
	X("rnosymfollow", 0, MOUNT_ATTR_NOSYMFOLLOW) \
	X("rrelatime", 1, MOUNT_ATTR__ATIME)         \
	X("rro", 0, MOUNT_ATTR_RDONLY)               \
	X("rrw", 1, MOUNT_ATTR_RDONLY)               \
	X("rstrictatime", 0, MOUNT_ATTR_STRICTATIME) \
	X("rsuid", 1, MOUNT_ATTR_NOSUID)             \
	X("rsymfollow", 1, MOUNT_ATTR_NOSYMFOLLOW)

#define OTHER_WORDS(X)           \
	X("bind", 0, 0)          \
	X("copy-symlink", 0, 0)  \
	X("dest-nofollow", 0, 0) \
	X("idmap", 0, 0)         \
	X("rbind", 0, 0)         \
	X("remount", 0, 0)       \
	X("ridmap", 0, 0)        \
	X("src-nofollow", 0, 0)  \
	X("tmpcopyup", 0, 0)

struct word {
	const char *name;
	bool clear;
	uint64_t bits;
};

#define WORD(n, c, b) { n, c, b },
#define NAME(n, c, b) n,
static const struct word flag_words[] = { FLAG_WORDS(WORD) };
static const struct word propagation_words[] = { PROPAGATION_WORDS(WORD) };
static const struct word recursive_words[] = { RECURSIVE_WORDS(WORD) };

const char *const mnt_option_names[] = { FLAG_WORDS(NAME) PROPAGATION_WORDS(NAME) RECURSIVE_WORDS(NAME)
		OTHER_WORDS(NAME) NULL };

/* What an engine may leave in although it has already acted on it, or that never meant anything on Linux. */
static const char *const idle_words[] = { "cached", "consistent", "copy", "delegated", "nocopy",
	"notmpcopyup", NULL };

#define MS_ATIME (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

static const struct word *find(const struct word *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, name))
			return &list[i];
	return NULL;
}

void mnt_flags_to_attr(unsigned long flags, uint64_t *set, uint64_t *clr)
{
	static const struct {
		unsigned long ms;
		uint64_t attr;
	} table[] = {
		{ MS_RDONLY, MOUNT_ATTR_RDONLY },
		{ MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },
		{ MS_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MS_NOATIME, MOUNT_ATTR_NOATIME },
		{ MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
		{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
		{ MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
	};

	*set = *clr = 0;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (flags & table[i].ms)
			*set |= table[i].attr;
	if (flags & MS_ATIME)
		*clr = MOUNT_ATTR__ATIME;
	/* mount(2) lets strictatime win over noatime; the field has room for one. */
	if ((*set & MOUNT_ATTR_NOATIME) && (*set & MOUNT_ATTR_STRICTATIME))
		*set &= ~(uint64_t)MOUNT_ATTR_NOATIME;
}

/* One "FROM-TO-SIZE" of crun's idmap option; *p is moved behind it. */
static int parse_range(const char **p, struct spec_id_map *out)
{
	uint32_t *parts[] = { &out->container_id, &out->host_id, &out->size };

	for (int i = 0; i < 3; i++) {
		size_t n = strspn(*p, "0123456789");
		char number[16];

		if (n == 0 || n >= sizeof(number))
			return -EINVAL;
		memcpy(number, *p, n);
		number[n] = '\0';
		if (str_to_u32(number, parts[i]) < 0)
			return -EINVAL;
		*p += n;
		if (i < 2 && *(*p)++ != '-')
			return -EINVAL;
	}
	return out->size ? 0 : -EINVAL;
}

/* "0-1-10#10-11-10", each range or none with a leading "@". Stops at ';' or the end. */
static int parse_ranges(
	struct arena *a, const char **p, const struct spec_id_map **out, size_t *n_out, bool *relative)
{
	struct spec_id_map *list;
	size_t n = 1, i = 0;

	for (const char *q = *p; *q && *q != ';'; q++)
		n += *q == '#';
	list = arena_calloc(a, n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	*relative = **p == '@';
	for (;;) {
		if ((**p == '@') != *relative)
			return -EINVAL;
		*p += **p == '@';
		if (parse_range(p, &list[i++]) < 0)
			return -EINVAL;
		if (**p != '#')
			break;
		(*p)++;
	}
	if (**p && **p != ';')
		return -EINVAL;
	*out = list;
	*n_out = i;
	return 0;
}

static int parse_idmap(struct arena *a, const char *text, struct mnt_options *o)
{
	const char *p = text;

	while (*p) {
		int r;

		if (str_starts(p, "uids=")) {
			p += strlen("uids=");
			r = parse_ranges(a, &p, &o->uid_map, &o->n_uid_map, &o->uid_map_relative);
		} else if (str_starts(p, "gids=")) {
			p += strlen("gids=");
			r = parse_ranges(a, &p, &o->gid_map, &o->n_gid_map, &o->gid_map_relative);
		} else {
			r = -EINVAL;
		}
		if (r < 0)
			return r;
		p += *p == ';';
	}
	return o->uid_map && o->gid_map ? 0 : -EINVAL;
}

static void take_flag(struct mnt_options *o, const struct word *w)
{
	/* MS_BITS all lie in 32 bits. */
	unsigned long bits = (unsigned long)w->bits;

	if (bits == MS_NOSYMFOLLOW) {
		o->nosymfollow = !w->clear;
		o->symfollow = w->clear;
	}
	if (w->clear) {
		o->set &= ~bits;
		o->clear |= bits;
		return;
	}
	/* Of the three atime words only the last one can hold. */
	if (bits & MS_ATIME)
		o->set &= ~(unsigned long)MS_ATIME;
	o->set |= bits;
	o->clear &= ~bits;
}

static void take_recursive(struct mnt_options *o, const struct word *w)
{
	uint64_t field = (w->bits & MOUNT_ATTR__ATIME) ? MOUNT_ATTR__ATIME : w->bits;

	o->rec_set &= ~field;
	o->rec_clear &= ~field;
	if (!w->clear)
		o->rec_set |= w->bits;
	if (w->clear || field == MOUNT_ATTR__ATIME)
		o->rec_clear |= field;
}

static bool take_other(struct mnt_options *o, const char *word)
{
	if (str_eq(word, "bind"))
		o->bind = true;
	else if (str_eq(word, "rbind"))
		o->bind = o->recursive_bind = true;
	else if (str_eq(word, "remount"))
		o->remount = true;
	else if (str_eq(word, "idmap"))
		o->idmap = SPEC_IDMAP;
	else if (str_eq(word, "ridmap"))
		o->idmap = SPEC_RIDMAP;
	else if (str_eq(word, "tmpcopyup"))
		o->tmpcopyup = true;
	else if (str_eq(word, "copy-symlink"))
		o->copy_symlink = true;
	else if (str_eq(word, "src-nofollow"))
		o->src_nofollow = true;
	else if (str_eq(word, "dest-nofollow"))
		o->dest_nofollow = true;
	else
		return strv_has((char *const *)idle_words, word);
	return true;
}

/* A word that no table knows: crun's idmap=…, or data for the file system. */
static int take_data(
	struct arena *a, const struct spec_mount *m, struct mnt_options *o, const char *word, struct err *e)
{
	const char *map = NULL;
	int r;

	if (str_starts(word, "idmap=")) {
		o->idmap = SPEC_IDMAP;
		map = word + strlen("idmap=");
	} else if (str_starts(word, "ridmap=")) {
		o->idmap = SPEC_RIDMAP;
		map = word + strlen("ridmap=");
	}
	if (map) {
		r = parse_idmap(a, map, o);
		if (r == -EINVAL)
			return err_text(e, EINVAL,
				"mount option \"%s\" of %s: expected "
				"idmap=uids=FROM-TO-SIZE[#…];gids=FROM-TO-SIZE[#…]; "
				"\"@\" goes before all ranges or none",
				word, m->destination);
		return r < 0 ? err_set(e, -r, "mount options of %s", m->destination) : 0;
	}
	if (!*word)
		return 0;
	o->data = o->data ? arena_printf(a, "%s,%s", o->data, word) : arena_strdup(a, word);
	return o->data ? 0 : err_set(e, ENOMEM, "mount options of %s", m->destination);
}

static int check(const struct spec_mount *m, const struct mnt_options *o, struct err *e)
{
	if ((o->bind || o->copy_symlink) && o->data && !o->remount) {
		int first = (int)strcspn(o->data, ",");

		if (str_eq(o->data, "z") || str_eq(o->data, "Z") || str_eq(o->data, "U"))
			return err_text(e, EINVAL,
				"mount option \"%s\" of bind mount %s: relabelling and chown are the "
				"engine's work, not the runtime's",
				o->data, m->destination);
		return err_text(e, EINVAL,
			"mount option \"%.*s\" of %s: unknown for a bind mount, which has no file system "
			"data",
			first, o->data, m->destination);
	}
	if (o->idmap != SPEC_IDMAP_NONE && !o->bind)
		return err_text(e, EINVAL, "mount %s: idmap is for bind mounts only", m->destination);
	if (o->idmap != SPEC_IDMAP_NONE && !o->uid_map != !o->gid_map)
		return err_text(e, EINVAL,
			"mount %s: uidMappings and gidMappings come together or not at all", m->destination);
	if (o->tmpcopyup && (o->bind || !m->type || !str_eq(m->type, "tmpfs")))
		return err_text(e, EINVAL, "mount option \"tmpcopyup\" of %s: only a tmpfs can have it",
			m->destination);
	if ((o->copy_symlink || o->src_nofollow) && !o->bind)
		return err_text(e, EINVAL, "mount option \"%s\" of %s: only a bind mount can have it",
			o->copy_symlink ? "copy-symlink" : "src-nofollow", m->destination);
	return 0;
}

int mnt_options_parse(struct arena *a, const struct spec_mount *m, struct mnt_options *out, struct err *e)
{
	struct mnt_options o = { 0 };
	const char *word;
	int r;

	strv_each (word, m->options) {
		const struct word *w;

		if ((w = find(flag_words, ARRAY_SIZE(flag_words), word))) {
			take_flag(&o, w);
		} else if ((w = find(propagation_words, ARRAY_SIZE(propagation_words), word))) {
			if (o.n_propagation == (int)ARRAY_SIZE(o.propagation))
				return err_text(e, EINVAL,
					"mount option \"%s\" of %s: too many propagation words", word,
					m->destination);
			o.propagation[o.n_propagation++] = (unsigned long)w->bits;
		} else if ((w = find(recursive_words, ARRAY_SIZE(recursive_words), word))) {
			take_recursive(&o, w);
		} else if (!take_other(&o, word)) {
			r = take_data(a, m, &o, word, e);
			if (r < 0)
				return r;
		}
	}
	if (m->type && (str_eq(m->type, "bind") || str_eq(m->type, "rbind"))) {
		o.bind = true;
		o.recursive_bind |= m->type[0] == 'r';
	}
	if (!o.uid_map && !o.gid_map && (m->n_uid_map || m->n_gid_map)) {
		if (o.idmap == SPEC_IDMAP_NONE)
			o.idmap = SPEC_IDMAP;
		o.uid_map = m->n_uid_map ? m->uid_map : NULL;
		o.gid_map = m->n_gid_map ? m->gid_map : NULL;
		o.n_uid_map = m->n_uid_map;
		o.n_gid_map = m->n_gid_map;
	}
	r = check(m, &o, e);
	if (r == 0)
		*out = o;
	return r;
}
