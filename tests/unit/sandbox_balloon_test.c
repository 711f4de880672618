/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio balloon: free page reporting, driven from plain memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include <linux/virtio_balloon.h>

#include "sandbox_driver.h"

#define F(bit)	  (1ULL << (bit))
#define PAYLOAD	  (DRV_DATA + 0x10000)
#define REPORTING 2
#define A_PAGE	  4096

static struct drv v;

static int tear_down(void **state)
{
	(void)state;
	drv_close(&v);
	return 0;
}

static int set_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	drv_open(&v);
	assert_int_equal(virtio_balloon_new(&v.mem, &v.loop, &v.d, &e), 0);
	return 0;
}

/* The first of these pages of the guest. */
static uint64_t whole_pages(void)
{
	return (PAYLOAD + A_PAGE - 1) & ~(uint64_t)(A_PAGE - 1);
}

static void free_memory_is_given_back(void **state)
{
	const uint64_t at = whole_pages();
	/* A page and pieces of its neighbours; less than a page; two in one chain. */
	struct drv_buf b[] = { { at + A_PAGE - 100, A_PAGE + 200, true },
		{ at + 3 * A_PAGE + 8, A_PAGE, true }, { at + 5 * A_PAGE, A_PAGE, true } };
	const uint8_t zero[A_PAGE] = { 0 };
	uint8_t full[A_PAGE];

	(void)state;
	memset(full, 0xaa, sizeof(full));
	for (int i = 0; i < 7; i++)
		memset(v.mem.base + at + i * A_PAGE, 0xaa, A_PAGE);
	assert_true(drv_offered(&v) & F(VIRTIO_BALLOON_F_REPORTING));
	drv_start(&v, DRV_ALL);
	/* Nothing is to be inflated. */
	assert_int_equal(drv_read(&v, 0x100), 0);
	drv_put(&v, REPORTING, b, 1);
	drv_put(&v, REPORTING, b + 1, 2);
	drv_go(&v, REPORTING);
	assert_int_equal(drv_used_ring(&v, REPORTING)->idx, 2);
	for (int i = 0; i < 7; i++)
		assert_memory_equal(v.mem.base + at + i * A_PAGE, i == 1 || i == 5 ? zero : full, A_PAGE);
	/* What nobody has asked for is answered, and that is all. */
	b[0].write = false;
	drv_put(&v, 0, b, 1);
	drv_put(&v, 1, b, 1);
	drv_go(&v, 0);
	drv_go(&v, 1);
	assert_int_equal(drv_used_ring(&v, 0)->idx, 1);
	assert_int_equal(drv_used_ring(&v, 1)->idx, 1);
	assert_false(drv_dead(&v));
}

/* As much as Linux tells of at once is more than other devices take in a chain. */
static void a_lot_at_once(void **state)
{
	enum { LARGE = 6 << 20 };
	struct drv_buf b[] = { { whole_pages(), LARGE, true }, { whole_pages(), LARGE, true },
		{ whole_pages(), LARGE, true } };

	(void)state;
	drv_start(&v, DRV_ALL);
	memset(v.mem.base + whole_pages(), 0xaa, LARGE);
	drv_put(&v, REPORTING, b, 3);
	drv_go(&v, REPORTING);
	assert_false(drv_dead(&v));
	assert_int_equal(drv_used_ring(&v, REPORTING)->idx, 1);
	assert_int_equal(v.mem.base[whole_pages()] | v.mem.base[whole_pages() + LARGE - 1], 0);
}

static void hostile_reports(void **state)
{
	struct drv_buf read = { whole_pages(), A_PAGE, false }, outside = { 1ULL << 40, A_PAGE, true };

	(void)state;
	drv_start(&v, DRV_ALL);
	drv_put(&v, REPORTING, &read, 1);
	drv_go(&v, REPORTING);
	assert_true(drv_dead(&v));
	drv_start(&v, DRV_ALL);
	assert_false(drv_dead(&v));
	drv_put(&v, REPORTING, &outside, 1);
	drv_go(&v, REPORTING);
	assert_true(drv_dead(&v));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(free_memory_is_given_back),
		T(a_lot_at_once),
		T(hostile_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
