/* SPDX-License-Identifier: Apache-2.0 */
/* Virtqueues: chains as they should be, and as only an attacker makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/vq.h"

#define RAM    (64U << 10)
#define SIZE   8
#define DESC   0x1000
#define AVAIL  0x2000
#define USED   0x3000
#define BIT(n) (1ULL << (n))
#define ALL    (BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX))
#define NEXT   VRING_DESC_F_NEXT
#define WRITE  VRING_DESC_F_WRITE
#define INDIR  VRING_DESC_F_INDIRECT

static struct vm_mem mem;
static struct vq q;
static struct vq_chain c;

static int set_up(void **state)
{
	(void)state;
	mem = (struct vm_mem){ .base = aligned_alloc(4096, RAM), .low = RAM };
	memset(mem.base, 0, RAM);
	q = (struct vq){ .max = 16, .size = SIZE, .desc_at = DESC, .avail_at = AVAIL, .used_at = USED };
	assert_int_equal(vq_start(&q, &mem, ALL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(mem.base);
	return 0;
}

static struct vring_avail *avail(void)
{
	return (void *)(mem.base + AVAIL);
}

static struct vring_used *used(void)
{
	return (void *)(mem.base + USED);
}

static void desc_at(uint64_t table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	const struct vring_desc d = { addr, len, flags, next };

	memcpy(mem.base + table + i * sizeof(d), &d, sizeof(d));
}

static void desc(unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	desc_at(DESC, i, addr, len, flags, next);
}

static void offer(uint16_t head)
{
	avail()->ring[avail()->idx % SIZE] = head;
	avail()->idx++;
}

static void a_chain_comes_and_goes(void **state)
{
	(void)state;
	assert_int_equal(vq_pop(&q, &c), 0);
	desc(3, 0x4000, 100, NEXT, 5);
	desc(5, 0x5000, 10, NEXT, 0);
	desc(0, RAM - 7, 7, WRITE, 0);
	offer(3);
	assert_int_equal(vq_pop(&q, &c), 1);
	assert_int_equal(c.head, 3);
	assert_int_equal(c.n_out, 2);
	assert_int_equal(c.n_in, 1);
	assert_int_equal(c.out_len, 110);
	assert_int_equal(c.in_len, 7);
	assert_ptr_equal(c.iov[1].iov_base, mem.base + 0x5000);
	assert_ptr_equal(c.iov[2].iov_base, mem.base + RAM - 7);
	assert_int_equal(vq_pop(&q, &c), 0);
	vq_unpop(&q, 1);
	assert_int_equal(vq_pop(&q, &c), 1);
	vq_push(&q, c.head, 5);
	assert_int_equal(used()->idx, 1);
	assert_int_equal(used()->ring[0].id, 3);
	assert_int_equal(used()->ring[0].len, 5);
}

static void indices_wrap(void **state)
{
	(void)state;
	desc(1, 0x4000, 4, 0, 0);
	for (unsigned i = 0; i < 70000; i++) {
		offer(1);
		assert_int_equal(vq_pop(&q, &c), 1);
		vq_push(&q, 1, 0);
	}
	assert_int_equal(used()->idx, (uint16_t)70000);
	assert_int_equal(vq_pop(&q, &c), 0);
}

static void indirect_tables(void **state)
{
	(void)state;
	/* On an odd address, behind one that is not indirect. */
	desc(0, 0x4000, 4, NEXT, 1);
	desc(1, 0x6001, 3 * 16, INDIR | WRITE, 0);
	desc_at(0x6001, 0, 0x4004, 4, NEXT, 2);
	desc_at(0x6001, 2, 0x5000, 9, WRITE, 0);
	offer(0);
	assert_int_equal(vq_pop(&q, &c), 1);
	assert_int_equal(c.n_out, 2);
	assert_int_equal(c.n_in, 1);
	assert_int_equal(c.in_len, 9);
	/* A full one. */
	desc(0, 0x6001, SIZE * 16, INDIR, 0);
	for (unsigned i = 0; i < SIZE; i++)
		desc_at(0x6001, i, 0x4000, 1, i + 1 < SIZE ? NEXT : 0, (uint16_t)(i + 1));
	offer(0);
	assert_int_equal(vq_pop(&q, &c), 1);
	assert_int_equal(c.n_out, SIZE);
	/* And one more before it. */
	desc(0, 0x4000, 1, NEXT, 1);
	desc(1, 0x6001, SIZE * 16, INDIR, 0);
	offer(0);
	assert_int_equal(vq_pop(&q, &c), -EPROTO);
}

struct bad {
	const char *what;
	uint64_t table;
	struct vring_desc d[3];
};

static void hostile_chains(void **state)
{
	static const struct bad bad[] = {
		{ "behind RAM", DESC, { { RAM, 1, 0, 0 } } },
		{ "across the end of RAM", DESC, { { RAM - 4, 5, 0, 0 } } },
		{ "wraps around", DESC, { { UINT64_MAX - 4, 100, 0, 0 } } },
		{ "longer than all memory", DESC, { { 0, UINT32_MAX, 0, 0 } } },
		{ "in the hole", DESC, { { VM_HOLE_START, 4, 0, 0 } } },
		{ "above 4 GiB", DESC, { { VM_HOLE_END, 4, 0, 0 } } },
		{ "empty", DESC, { { 0x4000, 0, 0, 0 } } },
		{ "empty, second", DESC, { { 0x4000, 1, NEXT, 1 }, { 0x4000, 0, WRITE, 0 } } },
		{ "loop of one", DESC, { { 0x4000, 1, NEXT, 0 } } },
		{ "loop of two", DESC, { { 0x4000, 1, NEXT, 1 }, { 0x4000, 1, NEXT, 0 } } },
		{ "next is outside", DESC, { { 0x4000, 1, NEXT, SIZE } } },
		{ "next is far outside", DESC, { { 0x4000, 1, NEXT, 0xffff } } },
		{ "read behind write", DESC, { { 0x4000, 1, NEXT | WRITE, 1 }, { 0x4000, 1, 0, 0 } } },
		{ "indirect with next", DESC, { { 0x6000, 16, INDIR | NEXT, 1 }, { 0x4000, 1, 0, 0 } } },
		{ "indirect, odd length", DESC, { { 0x6000, 17, INDIR, 0 } } },
		{ "indirect, empty", DESC, { { 0x6000, 0, INDIR, 0 } } },
		{ "indirect, too long", DESC, { { 0x6000, (SIZE + 1) * 16, INDIR, 0 } } },
		{ "indirect, huge", DESC, { { 0x6000, 0xfffffff0, INDIR, 0 } } },
		{ "indirect, outside", DESC, { { RAM - 15, 16, INDIR, 0 } } },
		{ "indirect within indirect", 0x6000, { { 0x6000, 16, INDIR, 0 } } },
		{ "indirect loop", 0x6000, { { 0x4000, 1, NEXT, 0 } } },
		{ "indirect, next outside of it", 0x6000, { { 0x4000, 1, NEXT, 3 } } },
		{ "indirect, buffer outside", 0x6000, { { RAM, 1, 0, 0 } } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(mem.base, 0, RAM);
		assert_int_equal(vq_start(&q, &mem, ALL), 0);
		memcpy(mem.base + bad[i].table, bad[i].d, sizeof(bad[i].d));
		if (bad[i].table != DESC)
			desc(0, bad[i].table, sizeof(bad[i].d), INDIR, 0);
		offer(0);
		if (vq_pop(&q, &c) != -EPROTO)
			fail_msg("%s: taken", bad[i].what);
		assert_non_null(q.why);
	}
}

static void a_chain_has_a_longest_length(void **state)
{
	struct vm_mem big = { .base = calloc(1, VQ_CHAIN_BYTES), .low = VQ_CHAIN_BYTES };
	struct vm_mem small = mem;

	(void)state;
	assert_non_null(big.base);
	mem = big;
	assert_int_equal(vq_start(&q, &mem, ALL), 0);
	desc(0, 0, VQ_CHAIN_BYTES, 0, 0);
	offer(0);
	assert_int_equal(vq_pop(&q, &c), 1);
	desc(0, 0, VQ_CHAIN_BYTES, NEXT, 1);
	desc(1, 0, 1, WRITE, 0);
	offer(0);
	assert_int_equal(vq_pop(&q, &c), -EPROTO);
	free(big.base);
	mem = small;
}

static void indirect_only_if_agreed(void **state)
{
	(void)state;
	assert_int_equal(vq_start(&q, &mem, 0), 0);
	desc(0, 0x6000, 16, INDIR, 0);
	desc_at(0x6000, 0, 0x4000, 1, 0, 0);
	offer(0);
	assert_int_equal(vq_pop(&q, &c), -EPROTO);
}

static void hostile_rings(void **state)
{
	(void)state;
	desc(0, 0x4000, 1, 0, 0);
	for (unsigned i = 0; i < SIZE; i++)
		offer(0);
	assert_int_equal(vq_pop(&q, &c), 1);
	vq_unpop(&q, 1);
	offer(0); /* one more than there is room for */
	assert_int_equal(vq_pop(&q, &c), -EPROTO);
	/* Backwards is far ahead. */
	avail()->idx = 0xffff;
	assert_int_equal(vq_pop(&q, &c), -EPROTO);
	/* A head that is no descriptor. */
	avail()->idx = 1;
	avail()->ring[0] = SIZE;
	assert_int_equal(vq_pop(&q, &c), -EPROTO);
	avail()->ring[0] = 0xffff;
	assert_int_equal(vq_pop(&q, &c), -EPROTO);
	/* One that comes twice is two. */
	avail()->idx = 2;
	avail()->ring[0] = avail()->ring[1] = 0;
	assert_int_equal(vq_pop(&q, &c), 1);
	assert_int_equal(vq_pop(&q, &c), 1);
}

static int start(uint32_t size, uint64_t d, uint64_t a, uint64_t u)
{
	q = (struct vq){ .max = 16, .size = size, .desc_at = d, .avail_at = a, .used_at = u };
	return vq_start(&q, &mem, ALL);
}

static void hostile_queues(void **state)
{
	(void)state;
	assert_int_equal(start(0, DESC, AVAIL, USED), -EPROTO);
	assert_int_equal(start(3, DESC, AVAIL, USED), -EPROTO);
	assert_int_equal(start(32, DESC, AVAIL, USED), -EPROTO);
	assert_int_equal(start(0x10008, DESC, AVAIL, USED), -EPROTO);
	assert_int_equal(start(0x80000000, DESC, AVAIL, USED), -EPROTO);
	assert_false(q.ready);
	assert_int_equal(start(8, DESC + 8, AVAIL, USED), -EPROTO);
	assert_int_equal(start(8, DESC, AVAIL + 1, USED), -EPROTO);
	assert_int_equal(start(8, DESC, AVAIL, USED + 2), -EPROTO);
	/* To the last byte, and one behind it. */
	assert_int_equal(start(8, RAM - 128, RAM - 22, RAM - 72), 0);
	assert_int_equal(start(8, RAM - 112, AVAIL, USED), -EPROTO);
	assert_int_equal(start(8, DESC, RAM - 20, USED), -EPROTO);
	assert_int_equal(start(8, DESC, AVAIL, RAM - 68), -EPROTO);
	assert_int_equal(start(8, UINT64_MAX - 15, AVAIL, USED), -EPROTO);
	assert_int_equal(start(8, DESC, UINT64_MAX - 1, USED), -EPROTO);
	assert_int_equal(start(8, DESC, AVAIL, UINT64_MAX - 3), -EPROTO);
	assert_int_equal(start(1, DESC, AVAIL, USED), 0);
	/* One that is not ready has nothing, and asks for nothing. */
	vq_reset(&q);
	assert_int_equal(q.max, 16);
	assert_int_equal(vq_pop(&q, &c), 0);
	assert_true(vq_wait(&q));
}

static void who_is_told_by_flags(void **state)
{
	(void)state;
	assert_int_equal(vq_start(&q, &mem, 0), 0);
	assert_false(vq_notify(&q));
	vq_push(&q, 0, 0);
	assert_true(vq_notify(&q));
	assert_false(vq_notify(&q));
	avail()->flags = VRING_AVAIL_F_NO_INTERRUPT;
	vq_push(&q, 0, 0);
	assert_false(vq_notify(&q));
	assert_true(vq_wait(&q));
	avail()->idx = 1;
	assert_false(vq_wait(&q));
}

static void who_is_told_by_indices(void **state)
{
	(void)state;
	/* The driver wants to know of the third. */
	avail()->ring[SIZE] = 2;
	vq_push(&q, 0, 0);
	vq_push(&q, 0, 0);
	assert_false(vq_notify(&q));
	vq_push(&q, 0, 0);
	assert_true(vq_notify(&q));
	vq_push(&q, 0, 0);
	assert_false(vq_notify(&q));
	/* The device is asked to be kicked for what comes next. */
	desc(0, 0x4000, 1, 0, 0);
	offer(0);
	assert_false(vq_wait(&q));
	assert_int_equal(vq_pop(&q, &c), 1);
	assert_true(vq_wait(&q));
	assert_int_equal(mem.base[USED + 4 + 8 * SIZE], 1);
}

static void buffers_are_copied_and_cut(void **state)
{
	char a[4] = "abcd", b[3] = "efg", to[8] = "";
	struct iovec iov[2] = { { a, 4 }, { b, 3 } }, *at = iov;

	(void)state;
	assert_int_equal(vq_get(iov, 2, 0, to, 8), 7);
	assert_memory_equal(to, "abcdefg", 7);
	assert_int_equal(vq_get(iov, 2, 3, to, 2), 2);
	assert_memory_equal(to, "de", 2);
	assert_int_equal(vq_get(iov, 2, 7, to, 2), 0);
	assert_int_equal(vq_put(iov, 2, 2, "WXYZ", 4), 4);
	assert_memory_equal(a, "abWX", 4);
	assert_memory_equal(b, "YZg", 3);
	assert_int_equal(vq_put(iov, 2, 6, "12", 2), 1);
	assert_int_equal(vq_cut(&at, 2, 5, 1), 1);
	assert_ptr_equal(at->iov_base, b + 1);
	assert_int_equal(at->iov_len, 1);
	at = iov;
	iov[1] = (struct iovec){ b, 3 };
	assert_int_equal(vq_cut(&at, 2, 1, 4), 2);
	assert_ptr_equal(iov[0].iov_base, a + 1);
	assert_int_equal(iov[0].iov_len + iov[1].iov_len, 4);
	at = iov;
	assert_int_equal(vq_cut(&at, 2, 4, 10), 0);
	at = iov;
	assert_int_equal(vq_cut(&at, 2, 0, 0), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_chain_comes_and_goes),
		T(indices_wrap),
		T(indirect_tables),
		T(hostile_chains),
		T(a_chain_has_a_longest_length),
		T(indirect_only_if_agreed),
		T(hostile_rings),
		T(hostile_queues),
		T(who_is_told_by_flags),
		T(who_is_told_by_indices),
		T(buffers_are_copied_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
