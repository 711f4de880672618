/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What results mean: whether a second run is better than a first one, and how many instances a host takes.
 * Both know nothing but results, and print Markdown.
 */
#ifndef BENCH_JUDGE_H
#define BENCH_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/result.h"

enum verdict { VERDICT_SAME, VERDICT_BETTER, VERDICT_WORSE };

/*
 * Compares the rows that both have. A row is better or worse if the interval of the ratio of B to A leaves 1
 * out, and the ratio is farther from 1 than `threshold` (0.05: 5 %) and than two halves of the samples of
 * either run are from each other; also worse if it fails where A's did not. `relative`: not the figures but
 * their ratios to the first design, if both runs have the same one: then a machine that is slower today
 * counts for nothing. -EINVAL if there is nothing to compare. The whole is worse if any row is, else better
 * if any is.
 */
int compare_results(const struct result *a, const struct result *b, double threshold, bool relative,
	struct strbuf *out, enum verdict *whole, struct err *e);

struct plan {
	uint64_t instances; /* wanted; 0: none */
	uint64_t memory;    /* bytes of the host; 0: as large as the measured one */
	uint64_t reserve;   /* bytes left free; 0: an eighth */
};

/*
 * From the slopes of `density`: how many instances of each design fit, and what is the first limit. *fits:
 * whether `instances` are reached by at least one design even at the upper end of its cost's interval.
 * -EINVAL if the result has no density.
 */
int plan_result(const struct result *r, const struct plan *p, struct strbuf *out, bool *fits, struct err *e);

#endif
