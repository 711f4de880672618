/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parsers of config.json's sections share, and those of the documents of images/ (prefix sp_).
 *
 * A section is a table of struct sp_field: the property's name, a reader for its value, and where in the
 * section's struct the value goes. sp_object() walks it: unknown members are skipped, `null` is as good as
 * absent, and of equal names the last one counts. Readers refuse a bad value by sp_refuse(), which puts the
 * property's full path before the text. The path is a list of frames on the C stack, so it costs nothing
 * until something is refused.
 */
#ifndef SPEC_PARSE_H
#define SPEC_PARSE_H

#include "spec/features.h"
#include "spec/spec.h"

struct sp_note {
	struct sp_note *next;
	const char *text;
};

struct sp {
	struct arena *arena;
	struct err *err;
	const char *what; /* names the document in errors about the whole of it */
	const char *text; /* the document itself */
	struct sp_note *notes, **notes_end;
	size_t n_notes;
};

struct sp_at {
	const struct sp_at *up; /* NULL: the document */
	const char *name;	/* a property's; NULL: element `index` of an array */
	bool is_key;		/* `name` is the document's own word, shown as up["name"] */
	size_t index;
};

typedef int sp_reader(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg);

struct sp_field {
	const char *name; /* NULL ends the table */
	sp_reader *read;
	size_t offset; /* into the section's struct: what the reader gets as `out` */
	const void *arg;
	bool required;
};
#define SP_FIELDS_MAX 32

/* Entries of such a table: optional and required properties, the end. */
#define SP_MAY(name_, read_, offset_, arg_)                                  \
	{                                                                    \
		.name = name_, .read = read_, .offset = offset_, .arg = arg_ \
	}
#define SP_MUST(name_, read_, offset_, arg_)                                                   \
	{                                                                                      \
		.name = name_, .read = read_, .offset = offset_, .arg = arg_, .required = true \
	}
#define SP_END               \
	{                    \
		.name = NULL \
	}

int sp_object(
	struct sp *p, const struct sp_at *at, const struct json *j, const struct sp_field *fields, void *out);

/* --- errors and notes ----------------------------------------------------------------------------------- */

/* "path" followed by the text, which begins with its own " " or ": ". Returns -EINVAL. */
int sp_refuse(struct sp *p, const struct sp_at *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int sp_no_memory(struct sp *p);

/* Adds to spec.notes; the same conventions. Beyond SP_NOTES_MAX they are dropped: a hostile document must not
 * flood a log. */
#define SP_NOTES_MAX 32
int sp_note(struct sp *p, const struct sp_at *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- values --------------------------------------------------------------------------------------------- */

/* Refuses a node of another type. */
int sp_want(struct sp *p, const struct sp_at *at, const struct json *j, enum json_type type);

int sp_get_string(struct sp *p, const struct sp_at *at, const struct json *j, const char **out);
int sp_get_i64(
	struct sp *p, const struct sp_at *at, const struct json *j, int64_t min, int64_t max, int64_t *out);
int sp_get_u64(struct sp *p, const struct sp_at *at, const struct json *j, uint64_t max, uint64_t *out);
/* A word of a vocabulary; `kind` says what it is in the error: "unknown limit RLIMIT_FOO". */
int sp_get_word(struct sp *p, const struct sp_at *at, const struct json *j, const struct spec_word *words,
	const char *kind, uint64_t *out);
/* Words of a vocabulary, or-ed together. */
int sp_get_flags(struct sp *p, const struct sp_at *at, const struct json *j, const struct spec_word *words,
	const char *kind, uint64_t *out);

/* An absolute path that fits PATH_MAX. */
int sp_check_path(struct sp *p, const struct sp_at *at, const char *path);

/*
 * The members of a map whose keys are data: without nulls, of equal keys the last one only, in document
 * order. Linear but for sorting, so that a hostile map costs no quadratic time.
 */
int sp_members(
	struct sp *p, const struct sp_at *at, const struct json *j, const struct json ***out, size_t *n);

/* --- readers for tables; `out` is what the comment says ------------------------------------------------- */

sp_reader sp_string;	    /* const char *: as it is */
sp_reader sp_text;	    /* const char *: "" is the same as absent (Go's zero value) */
sp_reader sp_nonempty;	    /* const char *: "" is refused */
sp_reader sp_path;	    /* const char *: absolute */
sp_reader sp_path_or_empty; /* const char *: absolute, or "" for absent */
sp_reader sp_bool;	    /* bool */
sp_reader sp_u64;	    /* uint64_t */
sp_reader sp_u32;	    /* uint32_t */
sp_reader sp_id;   /* uint32_t: a uid or gid; 4294967295 means "no change" to the kernel and is refused */
sp_reader sp_strv; /* char **: [] is an empty vector */
sp_reader sp_strv_or_null;  /* char **: [] is NULL */
sp_reader sp_opt_u64;	    /* struct spec_u64 */
sp_reader sp_opt_u64_not_0; /* struct spec_u64: 0 is the same as absent (see resources.c) */
sp_reader sp_opt_i64;	    /* struct spec_i64; arg: const struct sp_range *, NULL for any */
sp_reader sp_opt_i64_not_0; /* struct spec_i64, the same with 0 as absent */
sp_reader sp_section;	    /* an object by the table that arg is; `out` is its struct */
sp_reader sp_list;	 /* arg: const struct sp_list *; `out` is the struct that holds pointer and count */
sp_reader sp_string_map; /* arg: const struct sp_map *; the same */

struct sp_range {
	int64_t min, max;
};

/* An array of structs or numbers: where pointer and count go, the element's size and reader. */
struct sp_list {
	size_t list, count, size;
	sp_reader *read;
	const void *arg;
};
#define SP_LIST(list_, count_, size_, read_, arg_)                                        \
	&(const struct sp_list)                                                           \
	{                                                                                 \
		.list = list_, .count = count_, .size = size_, .read = read_, .arg = arg_ \
	}

/*
 * A map of strings. An element of the list is a struct of exactly two const char *: key and value. `check`
 * (may be NULL) looks at a key; its `at` is the member's.
 */
struct sp_map {
	size_t list, count;
	int (*check)(struct sp *p, const struct sp_at *at, const char *key);
};
#define SP_MAP(list_, count_, check_)                           \
	&(const struct sp_map)                                  \
	{                                                       \
		.list = list_, .count = count_, .check = check_ \
	}

/* --- sections ------------------------------------------------------------------------------------------- */

sp_reader sp_process;	  /* struct spec_process */
sp_reader sp_mount;	  /* struct spec_mount */
sp_reader sp_hooks;	  /* struct spec_hooks */
sp_reader sp_linux;	  /* struct spec */
sp_reader sp_devices;	  /* struct spec */
sp_reader sp_net_devices; /* struct spec */
sp_reader sp_resources;	  /* struct spec_resources */
sp_reader sp_seccomp;	  /* struct spec_seccomp */
sp_reader sp_vm;	  /* struct spec_vm */

/* One of a pair of id maps: elements, ranges, overlaps. */
int sp_id_map(
	struct sp *p, const struct sp_at *at, const struct json *j, struct spec_id_map **out, size_t *n);

/* What takes more than one property to see; after everything is read. */
int sp_check(struct sp *p, const struct spec *s);

#endif
