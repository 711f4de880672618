/* SPDX-License-Identifier: Apache-2.0 */
/* Names of partitions and volumes: what they may be, and made up ones. */
#include <sys/random.h>

#include "base/str.h"
#include "launch/record.h"

static const char *const adjectives[] = { "amber", "ample", "blue", "brave", "brisk", "calm", "clear",
	"clever", "cosy", "crisp", "deep", "dry", "eager", "early", "fair", "fast", "fine", "firm", "fresh",
	"gentle", "glad", "golden", "grand", "green", "happy", "hardy", "high", "honest", "jolly", "keen",
	"kind", "late", "light", "lively", "lucky", "mellow", "merry", "mild", "neat", "noble", "old",
	"patient", "plain", "polite", "proud", "quick", "quiet", "rapid", "red", "round", "sharp", "shy",
	"silver", "sleek", "smart", "steady", "still", "sunny", "swift", "tidy", "warm", "wide", "wild",
	"wise" };
static const char *const nouns[] = { "acorn", "anchor", "apple", "badger", "barn", "beacon", "birch", "boat",
	"bridge", "brook", "cabin", "candle", "cedar", "cliff", "clover", "comet", "coral", "creek", "dune",
	"eagle", "elm", "falcon", "fern", "field", "finch", "forest", "fox", "garden", "gate", "glacier",
	"grove", "harbour", "hare", "hazel", "heron", "hill", "island", "kettle", "lake", "lantern", "lark",
	"maple", "meadow", "mill", "moss", "oak", "orchard", "otter", "owl", "pebble", "pine", "planet",
	"pond", "raven", "reed", "river", "robin", "sail", "spruce", "stone", "thistle", "tower", "willow",
	"wren" };

int launch_check_name(const char *kind, const char *name, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	/* Within rt_check_id(), and without its '+', which is none of a use of an image. A leading '-' would
	 * be an option wherever a name is said. */
	if (!*name || strlen(name) > RT_ID_MAX || strspn(name, allowed) != strlen(name) || *name == '.' ||
		*name == '-')
		return err_text(e, EINVAL,
			"invalid %s name \"%.64s\": use up to %d letters, digits, '_', '-' and '.', "
			"beginning with a letter, a digit or '_'",
			kind, name, RT_ID_MAX);
	return 0;
}

const char *launch_make_name(struct arena *a, int attempt)
{
	uint32_t n = 0;
	const char *x, *y;

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = (uint32_t)getpid() * 2654435761U + (uint32_t)attempt;
	x = adjectives[n % ARRAY_SIZE(adjectives)];
	y = nouns[(n >> 8) % ARRAY_SIZE(nouns)];
	/* There are 4,096 of them: where one was taken, so may be many. */
	return attempt ? arena_printf(a, "%s_%s_%04x", x, y, n >> 16) : arena_printf(a, "%s_%s", x, y);
}
