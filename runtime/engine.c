/* SPDX-License-Identifier: Apache-2.0 */
/* The engines there are (see engine.h). */
#include "runtime/engine.h"

#include "base/str.h"

#define ENGINES_MAX 4

static const struct rt_engine *engines[ENGINES_MAX] = { &rt_engine_ns };
static size_t n_engines = 1;

void rt_register_engine(const struct rt_engine *engine)
{
	if (n_engines == ENGINES_MAX)
		return;
	for (size_t i = n_engines++; i > 0; i--)
		engines[i] = engines[i - 1];
	engines[0] = engine;
}

const struct rt_engine *rt_engine_for(const struct spec *s)
{
	for (size_t i = 0; i < n_engines; i++)
		if (!engines[i]->wants || engines[i]->wants(s))
			return engines[i];
	return &rt_engine_ns;
}

const struct rt_engine *rt_engine_by_name(const char *name)
{
	for (size_t i = 0; name && i < n_engines; i++)
		if (str_eq(engines[i]->name, name))
			return engines[i];
	return NULL;
}
