/* SPDX-License-Identifier: Apache-2.0 */
/* Unit properties: GVariant text, the annotations that are let through, and linux.resources as properties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/str.h"
#include "cgroups/internal.h"

static struct arena *a;

static int setup(void **state)
{
	a = arena_new();
	return a ? 0 : -1;
}

static int teardown(void **state)
{
	arena_free(a);
	return 0;
}

static struct sd_prop parse(const char *text, char type)
{
	struct sd_prop x = { .name = "X" };
	struct err e = ERR_INIT;

	assert_int_equal(sd_parse_variant(a, text, &x, &e), 0);
	assert_int_equal(x.type, type);
	return x;
}

static void test_variant(void **state)
{
	struct sd_prop x;

	assert_int_equal(parse("true", 'b').u, 1);
	assert_int_equal(parse(" false ", 'b').u, 0);
	assert_int_equal(parse("5", 'i').u, 5);
	assert_int_equal((int)parse("-5", 'i').u, -5);
	assert_int_equal(parse("uint64 18446744073709551615", 't').u, UINT64_MAX);
	assert_int_equal((int64_t)parse("int64 -9", 'x').u, -9);
	assert_int_equal(parse("uint32 7", 'u').u, 7);
	assert_true(parse("1.5", 'd').d == 1.5);
	assert_string_equal(parse("'a b'", 's').s, "a b");
	assert_string_equal(parse("\"it's\"", 's').s, "it's");
	assert_string_equal(parse("'it\\'s \\\\'", 's').s, "it's \\");
	x = parse("['a', \"b\"]", 'S');
	assert_int_equal(x.n, 2);
	assert_string_equal(x.strv[1], "b");
	assert_int_equal(parse("@as []", 'S').n, 0);
	x = parse("['1','2','3','4','5','6','7','8','9','10']", 'S');
	assert_int_equal(x.n, 10);
	assert_string_equal(x.strv[9], "10");
}

static void test_variant_bad(void **state)
{
	static const char *const bad[] = { "", "text", "'open", "['a'", "['a',]", "['a' 'b']", "5 6",
		"uint32 4294967296", "uint64 -1", "truely", "'\\u0041'", "99999999999", "[1, 2]", "{}",
		"1e999", "@as" };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sd_prop x = { .name = "X", .type = '?' };

		assert_int_equal(sd_parse_variant(a, bad[i], &x, &e), -EINVAL);
		assert_int_equal(x.type, '?');
	}
}

static const struct sd_prop *find(const struct sd_props *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->list[i].name, name))
			return &p->list[i];
	return NULL;
}

static void number(const struct sd_props *p, const char *name, uint64_t want)
{
	const struct sd_prop *x = find(p, name);

	assert_non_null(x);
	assert_int_equal(x->type, 't');
	assert_int_equal(x->u, want);
}

static void test_annotations(void **state)
{
	struct sd_props p = { .arena = a };
	struct err e = ERR_INIT;

	assert_int_equal(sd_annotation(&p, "TimeoutStopUSec", "uint64 123456789", &e), 0);
	number(&p, "TimeoutStopUSec", 123456789);
	assert_int_equal(sd_annotation(&p, "TimeoutStopSec", "2.5", &e), 0);
	number(&p, "TimeoutStopUSec", 2500000);
	assert_int_equal(p.n, 1);
	assert_int_equal(sd_annotation(&p, "TasksMax", "100", &e), 0); /* takes the property's type */
	number(&p, "TasksMax", 100);
	assert_int_equal(sd_annotation(&p, "CollectMode", "'inactive-or-failed'", &e), 0);
	assert_int_equal(sd_annotation(&p, "After", "['a.service']", &e), 0);
	assert_int_equal(find(&p, "After")->type, 'S');
	assert_int_equal(sd_annotation(&p, "TasksMax", "-1", &e), -EINVAL);
	assert_int_equal(sd_annotation(&p, "TasksMax", "'many'", &e), -EINVAL);
	assert_int_equal(sd_annotation(&p, "TimeoutStopSec", "'5'", &e), -EINVAL);
	assert_int_equal(sd_annotation(&p, "TimeoutStopSec", "-5", &e), -EINVAL);
}

/* What would run, start or stop something outside of the unit (CVE-2024-3154), and what is ours to say. */
static void test_annotations_refused(void **state)
{
	static const char *const bad[] = { "ExecStartPre", "ExecStart", "ExecStop", "Wants", "Requires",
		"BindsTo", "Conflicts", "OnFailure", "SuccessAction", "FailureAction", "Delegate",
		"DevicePolicy", "DeviceAllow", "PIDs", "Slice", "User", "RootDirectory", "BPFProgram",
		"JobTimeoutAction", "", "Sec", "USec", "Nonsense" };
	struct sd_props p = { .arena = a };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(sd_annotation(&p, bad[i], "true", &e), -EPERM);
		assert_non_null(strstr(e.text, bad[i]));
	}
	assert_int_equal(p.n, 0);
}

static void test_mask(void **state)
{
	const uint8_t *bytes;
	struct err e = ERR_INIT;
	size_t n;

	assert_int_equal(sd_cpu_mask(a, "0-3,9", &bytes, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(bytes[0], 0x0f);
	assert_int_equal(bytes[1], 0x02);
	assert_int_equal(sd_cpu_mask(a, "3-1", &bytes, &n, &e), -EINVAL);
	assert_int_equal(sd_cpu_mask(a, "x", &bytes, &n, &e), -EINVAL);
	assert_int_equal(sd_cpu_mask(a, "99999", &bytes, &n, &e), -EINVAL);
	assert_int_equal(sd_cpu_mask(a, "1,,2", &bytes, &n, &e), -EINVAL);
}

static void test_limits_v2(void **state)
{
	struct spec_unified u[] = { { "memory.high", "1000" }, { "cpu.max", "max 1000" },
		{ "memory.min", "1G" }, { "io.max", "x" } };
	struct spec_resources r = {
		.mem_limit = { true, 1000 },
		.mem_reservation = { true, 500 },
		.mem_swap = { true, 3000 },
		.cpu_shares = { true, 1024 },
		.cpu_quota = { true, 15000 },
		.cpu_period = { true, 10000 },
		.pids_limit = { true, 0 },
		.block_weight = { true, 10 },
		.cpus = "0",
		.mems = "1",
	};
	struct sd_props p = { .arena = a };
	struct err e = ERR_INIT;

	assert_int_equal(sd_limits(&p, &r, true, true, &e), 0);
	number(&p, "MemoryMax", 1000);
	number(&p, "MemoryLow", 500);
	number(&p, "MemorySwapMax", 2000);
	number(&p, "CPUWeight", 100);
	number(&p, "CPUQuotaPerSecUSec", 1500000);
	number(&p, "CPUQuotaPeriodUSec", 10000);
	number(&p, "TasksMax", 0);
	number(&p, "IOWeight", 1);
	assert_int_equal(find(&p, "AllowedCPUs")->bytes[0], 1);
	assert_int_equal(find(&p, "AllowedMemoryNodes")->bytes[0], 2);
	r = (struct spec_resources){ .unified = u, .n_unified = 4, .cpu_idle = { true, 1 } };
	p.n = 0;
	assert_int_equal(sd_limits(&p, &r, true, true, &e), 0);
	number(&p, "MemoryHigh", 1000);
	number(&p, "CPUQuotaPerSecUSec", UINT64_MAX);
	number(&p, "CPUWeight", 0);
	assert_null(find(&p, "MemoryMin"));
	assert_int_equal(p.n, 3);
}

static void test_limits_v1(void **state)
{
	struct spec_resources r = {
		.mem_limit = { true, -1 },
		.cpu_shares = { true, 512 },
		.cpu_quota = { true, 33333 },
		.pids_limit = { true, -1 },
		.cpus = "0",
	};
	struct sd_props p = { .arena = a };
	struct err e = ERR_INIT;

	assert_int_equal(sd_limits(&p, &r, false, false, &e), 0);
	number(&p, "MemoryLimit", UINT64_MAX);
	number(&p, "CPUShares", 512);
	number(&p, "CPUQuotaPerSecUSec", 340000); /* whole percents, up */
	number(&p, "TasksMax", UINT64_MAX);
	assert_null(find(&p, "AllowedCPUs"));
}

static void test_unit(void **state)
{
	struct spec_dev_rule deny = { false, 'a', -1, -1, 7 };
	struct spec_resources r = { .devices = &deny, .n_devices = 1 };
	struct spec_annotation notes[] = { { "org.systemd.property.KillMode", "'mixed'" }, { "other", "x" } };
	struct cgrp_params params = { .id = "c1", .resources = &r, .annotations = notes, .n_annotations = 2 };
	struct cgrp c = { .slice = "a.slice", .unit = "x-c1.scope" };
	struct sd_props p = { .arena = a };
	struct err e = ERR_INIT;
	const struct sd_prop *x;
	bool null = false;

	assert_int_equal(sd_unit_props(&p, &c, &params, true, 42, &e), 0);
	assert_string_equal(find(&p, "Slice")->s, "a.slice");
	assert_int_equal(find(&p, "Delegate")->u, 1);
	assert_int_equal(find(&p, "DefaultDependencies")->u, 0);
	assert_int_equal(find(&p, "PIDs")->u32s[0], 42);
	assert_string_equal(find(&p, "KillMode")->s, "mixed");
	assert_string_equal(find(&p, "DevicePolicy")->s, "strict");
	assert_non_null(find(&p, "IOAccounting"));
	x = find(&p, "DeviceAllow");
	for (size_t i = 0; i < x->n; i++)
		null |= str_eq(x->pairs[i].a, "/dev/char/1:3") && str_eq(x->pairs[i].b, "rw");
	assert_true(null);
	/* All allowed: no list. */
	deny.allow = true;
	p.n = 0;
	assert_int_equal(sd_unit_props(&p, &c, &params, false, 42, &e), 0);
	assert_string_equal(find(&p, "DevicePolicy")->s, "auto");
	assert_null(find(&p, "DeviceAllow"));
	assert_non_null(find(&p, "BlockIOAccounting"));
	/* A dangerous annotation stops the whole. */
	notes[1].key = "org.systemd.property.ExecStartPre";
	p.n = 0;
	assert_int_equal(sd_unit_props(&p, &c, &params, true, 42, &e), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variant),
		cmocka_unit_test(test_variant_bad),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_annotations_refused),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_limits_v2),
		cmocka_unit_test(test_limits_v1),
		cmocka_unit_test(test_unit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
