/* SPDX-License-Identifier: Apache-2.0 */
/* launch/figures.c: figures, their order, the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "launch/stats.h"

static void test_bytes(void **state)
{
	static const struct {
		uint64_t v;
		const char *binary, *decimal;
	} t[] = {
		{ 0, "0B", "0B" },
		{ 999, "999B", "999B" },
		{ 1000, "1000B", "1.00kB" },
		{ 1023, "1023B", "1.02kB" },
		{ 1024, "1.00KiB", "1.02kB" },
		{ 1536, "1.50KiB", "1.54kB" },
		{ 10 * 1024, "10.0KiB", "10.2kB" },
		{ 1023 * 1024, "1.00MiB", "1.05MB" },
		{ 12345678, "11.8MiB", "12.3MB" },
		{ 999949, "976.5KiB", "999.9kB" },
		{ 999950, "976.5KiB", "1.00MB" },
		{ (uint64_t)1 << 40, "1.00TiB", "1.10TB" },
		{ UINT64_MAX - 1, "16.0EiB", "18.4EB" },
		{ LAUNCH_UNKNOWN, "--", "--" },
	};
	char buf[FIGURE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		assert_string_equal(figure_bytes(t[i].v, false, buf), t[i].binary);
		assert_string_equal(figure_bytes(t[i].v, true, buf), t[i].decimal);
	}
}

static void test_parts(void **state)
{
	char buf[FIGURE_MAX];

	(void)state;
	assert_string_equal(figure_percent(-1, buf), "--");
	assert_string_equal(figure_percent(12.345, buf), "12.35%");
	assert_string_equal(figure_percent(figure_part(1, 4), buf), "25.00%");
	assert_true(figure_part(LAUNCH_UNKNOWN, 4) < 0);
	assert_true(figure_part(4, LAUNCH_UNKNOWN) < 0);
	assert_true(figure_part(4, 0) < 0);
	assert_int_equal(figure_limit(LAUNCH_UNKNOWN, 100), 100);
	assert_int_equal(figure_limit(7, 100), 7);
	assert_string_equal(figure_count(LAUNCH_UNKNOWN, buf), "--");
	assert_string_equal(figure_count(12, buf), "12");
}

static const struct launch_sample samples[] = {
	{ .name = "a",
		.running = true,
		.cpu = 1,
		.memory = 100,
		.memory_limit = LAUNCH_UNKNOWN,
		.io_rate = 3,
		.pids_limit = LAUNCH_UNKNOWN,
		.pressure_cpu = 150,
		.pressure_memory = -1,
		.pressure_io = 0 },
	{ .name = "b",
		.running = true,
		.cpu = 3,
		.memory = LAUNCH_UNKNOWN,
		.memory_limit = 50,
		.io_rate = 1,
		.net_rx = LAUNCH_UNKNOWN,
		.net_tx = LAUNCH_UNKNOWN,
		.pressure_cpu = -1,
		.pressure_memory = -1,
		.pressure_io = -1 },
	{ .name = "c", .running = true, .cpu = -1, .memory = 200, .memory_limit = 400, .io_rate = 3 },
};

static void check_order(enum figure_sort by, const char *want)
{
	const struct launch_sample **v = figure_sorted(samples, 3, by);

	assert_non_null(v);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(v[i]->name[0], want[i]);
	free(v);
}

static void test_order(void **state)
{
	const struct launch_sample **none = figure_sorted(samples, 0, FIGURE_CPU);

	(void)state;
	assert_non_null(none);
	free(none);
	check_order(FIGURE_CPU, "bac");
	check_order(FIGURE_MEMORY, "cab");
	check_order(FIGURE_IO, "acb");
}

static void test_table(void **state)
{
	const struct launch_sample *rows[] = { &samples[0], &samples[1] };
	struct strbuf b = { 0 };

	(void)state;
	figure_table(&b, rows, 2, 1000, false);
	assert_string_equal(b.s,
		"NAME   CPU %   MEM USAGE / LIMIT   MEM %    NET I/O   BLOCK I/O   PIDS   PRESSURE C M I\n"
		"a      1.00%   100B / 1000B        10.00%   0B / 0B   0B / 0B     0      1.50 -- 0.00\n"
		"b      3.00%   -- / 50B            --       -- / --   0B / 0B     0      --\n");
	strbuf_reset(&b);
}

static void test_json(void **state)
{
	struct json_writer *w = json_writer_new(false);

	(void)state;
	figure_json(w, samples, 1, 1000);
	assert_string_equal(json_writer_text(w, NULL),
		"[{\"name\":\"a\",\"running\":true,\"cpu\":{\"percent\":1,\"usageNs\":0},\"memory\":{"
		"\"usage\":100,"
		"\"percent\":10},\"network\":{\"received\":0,\"sent\":0},\"block\":{\"read\":0,\"written\":"
		"0},"
		"\"pids\":{\"current\":0},\"pressure\":{\"cpu\":1.5,\"io\":0}}]");
	json_writer_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
