/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary that `features` reports and the parsers accept: one table each, so that the two cannot
 * disagree. */
#ifndef SPEC_FEATURES_H
#define SPEC_FEATURES_H

#include <stdint.h>

/* The range of ociVersion that is accepted: 1.0.0 up to the newest 1.3.x, pre-releases of them included. */
#define SPEC_VERSION_MIN "1.0.0"
#define SPEC_VERSION_MAX "1.3.0"

/* A word of the document and what it stands for. Tables end with a NULL name. */
struct spec_word {
	const char *name;
	uint64_t value;
};

extern const struct spec_word spec_rlimit_words[];	 /* "RLIMIT_AS", …: RLIMIT_* */
extern const struct spec_word spec_sched_policy_words[]; /* "SCHED_OTHER", …: SCHED_* */
extern const struct spec_word spec_sched_flag_words[];	 /* "SCHED_FLAG_RESET_ON_FORK", …: SCHED_FLAG_* */
extern const struct spec_word spec_io_class_words[];	 /* "IOPRIO_CLASS_RT", …: 1 to 3 */
extern const struct spec_word spec_memory_mode_words[];	 /* "MPOL_DEFAULT", …: MPOL_* */
extern const struct spec_word spec_memory_flag_words[];	 /* "MPOL_F_STATIC_NODES", …: MPOL_F_* mode flags */
extern const struct spec_word
	spec_propagation_words[]; /* "shared", "rshared", …: SPEC_PROPAGATION_* | _RECURSIVE */
extern const struct spec_word spec_personality_words[]; /* "LINUX", "LINUX32": PER_* */
#define SPEC_PROPAGATION_RECURSIVE 0x100U

/*
 * Further vocabularies are plain arrays, indexed by what they name: spec_ns_names[SPEC_NS_KINDS] and
 * spec_hook_names[SPEC_HOOK_KINDS] in spec.h; capabilities by spec_cap_name(0) …
 * spec_cap_name(SPEC_CAP_LAST).
 */
#define SPEC_CAP_LAST 40

/* The entry of that name, matched exactly; NULL if there is none. */
const struct spec_word *spec_word_find(const struct spec_word *words, const char *name);

#endif
