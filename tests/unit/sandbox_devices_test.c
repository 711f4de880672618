/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio block, network and entropy devices, driven from plain memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_net.h>

#include "base/fd.h"
#include "sandbox_driver.h"

#define SECTORS	 64U
#define F(bit)	 (1ULL << (bit))
#define V1	 F(VIRTIO_F_VERSION_1)
#define HEADER	 sizeof(struct virtio_net_hdr_v1)
#define HEADERS	 DRV_DATA
#define STATUSES (DRV_DATA + 0x1000)
#define PAYLOAD	 (DRV_DATA + 0x10000)

static struct drv v;
static int other = -1; /* the file behind the disk, the other end of the tap */

static int tear_down(void **state)
{
	(void)state;
	drv_close(&v);
	other = fd_close(other);
	return 0;
}

/* --- block ------------------------------------------------------------------------------------------------
 */

static int open_disk(bool readonly)
{
	char path[FD_PATH_MAX];
	struct vm_disk disk = { .readonly = readonly };
	struct err e = ERR_INIT;

	drv_open(&v);
	other = memfd_create("disk", MFD_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(ftruncate(other, (off_t)SECTORS * 512 + 100), 0);
	disk.fd = open(fd_path(path, other), (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	assert_true(disk.fd >= 0);
	assert_int_equal(virtio_blk_new(&v.mem, &v.loop, &disk, &v.d, &e), 0);
	drv_start(&v, DRV_ALL);
	return 0;
}

static int disk_set_up(void **state)
{
	(void)state;
	return open_disk(false);
}

static int readonly_set_up(void **state)
{
	(void)state;
	return open_disk(true);
}

/* A request of the usual three buffers; its status, 0xff: none, 0xfe: the device has died. */
static int ask(uint32_t type, uint64_t sector, uint32_t len, bool to_guest, uint32_t *written)
{
	const struct virtio_blk_outhdr h = { type, 0, sector };
	struct drv_buf b[3] = { { HEADERS, sizeof(h), false }, { PAYLOAD, len, to_guest },
		{ STATUSES, 1, true } };
	uint16_t head, back;
	uint32_t n;

	memcpy(v.mem.base + HEADERS, &h, sizeof(h));
	v.mem.base[STATUSES] = 0xff;
	if (len == 0)
		b[1] = b[2];
	head = drv_put(&v, 0, b, len ? 3 : 2);
	drv_go(&v, 0);
	if (!drv_used(&v, 0, &back, &n))
		return 0xfe;
	assert_int_equal(back, head);
	if (written)
		*written = n;
	return v.mem.base[STATUSES];
}

static void what_is_written_is_read(void **state)
{
	uint8_t text[1024], back[1024];
	uint32_t n;

	(void)state;
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 3);
	memcpy(v.mem.base + PAYLOAD, text, sizeof(text));
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, SECTORS - 2, 1024, false, &n), VIRTIO_BLK_S_OK);
	assert_int_equal(n, 1);
	assert_int_equal(pread(other, back, 1024, (SECTORS - 2) * 512), 1024);
	assert_memory_equal(back, text, 1024);
	memset(v.mem.base + PAYLOAD, 0, 1024);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, SECTORS - 2, 1024, true, &n), VIRTIO_BLK_S_OK);
	assert_int_equal(n, 1025);
	assert_memory_equal(v.mem.base + PAYLOAD, text, 1024);
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, 0, false, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES, true, NULL), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)v.mem.base + PAYLOAD, "ringfence");
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, 19, true, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(99, 0, 512, true, NULL), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask(VIRTIO_BLK_T_SCSI_CMD, 0, 512, true, NULL), VIRTIO_BLK_S_UNSUPP);
}

static void any_layout_will_do(void **state)
{
	/* Header in two, data in three odd pieces, the status at the end of the last of them. */
	const struct virtio_blk_outhdr h = { VIRTIO_BLK_T_IN, 0, 1 };
	struct drv_buf b[5] = { { HEADERS, 7, false }, { HEADERS + 7, 9, false }, { PAYLOAD, 1, true },
		{ PAYLOAD + 1, 510, true }, { PAYLOAD + 511, 2, true } };

	(void)state;
	memcpy(v.mem.base + HEADERS, &h, sizeof(h));
	memset(v.mem.base + PAYLOAD, 0xff, 514);
	assert_int_equal(pwrite(other, "0123456789", 10, 512), 10);
	drv_put(&v, 0, b, 5);
	drv_go(&v, 0);
	assert_true(drv_used(&v, 0, NULL, NULL));
	assert_memory_equal(v.mem.base + PAYLOAD, "0123456789", 10);
	assert_int_equal(v.mem.base[PAYLOAD + 511], 0);
	assert_int_equal(v.mem.base[PAYLOAD + 512], VIRTIO_BLK_S_OK);
	assert_int_equal(v.mem.base[PAYLOAD + 513], 0xff);
}

static void nothing_behind_the_end(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} bad[] = {
		{ SECTORS, 512 },
		{ SECTORS - 1, 1024 },
		{ 0, (SECTORS + 1) * 512 },
		{ UINT64_MAX, 512 },
		{ UINT64_MAX / 512, 512 },
		{ UINT64_MAX - 1, 1024 },
		{ 1ULL << 55, 512 },
		{ 1ULL << 63, 512 },
		{ 0, 511 },
		{ 0, 513 },
		{ 0, 0 },
	};
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			ask(VIRTIO_BLK_T_IN, bad[i].sector, bad[i].len, true, NULL), VIRTIO_BLK_S_IOERR);
		assert_int_equal(
			ask(VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].len, false, NULL), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(fstat(other, &st), 0);
	assert_int_equal(st.st_size, SECTORS * 512 + 100);
	/* A file that somebody has made shorter. */
	assert_int_equal(ftruncate(other, 700), 0);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 1, 512, true, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512, true, NULL), VIRTIO_BLK_S_OK);
}

static int trim(uint32_t type, uint64_t sector, uint32_t n, uint32_t flags)
{
	const struct virtio_blk_discard_write_zeroes r = { sector, n, flags };

	memcpy(v.mem.base + PAYLOAD, &r, sizeof(r));
	return ask(type, 0, sizeof(r), false, NULL);
}

static void ranges_are_given_back(void **state)
{
	uint8_t text[1536], back[1536] = { 0 };

	(void)state;
	for (uint32_t flags = 0; flags < 2; flags++) {
		memset(text, 'x', sizeof(text));
		assert_int_equal(pwrite(other, text, sizeof(text), 0), sizeof(text));
		assert_int_equal(trim(VIRTIO_BLK_T_WRITE_ZEROES, 1, 1, flags), VIRTIO_BLK_S_OK);
		memset(text + 512, 0, 512);
		assert_int_equal(pread(other, back, sizeof(back), 0), sizeof(back));
		assert_memory_equal(back, text, sizeof(text));
	}
	assert_int_equal(trim(VIRTIO_BLK_T_DISCARD, 0, SECTORS, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(trim(VIRTIO_BLK_T_DISCARD, 0, SECTORS, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(trim(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(trim(VIRTIO_BLK_T_DISCARD, 0, SECTORS + 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(trim(VIRTIO_BLK_T_DISCARD, UINT64_MAX, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(trim(VIRTIO_BLK_T_DISCARD, 1ULL << 55, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(trim(VIRTIO_BLK_T_DISCARD, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_DISCARD, 0, 32, false, NULL), VIRTIO_BLK_S_IOERR);
}

static void a_read_only_disk_is_not_written(void **state)
{
	uint8_t back[512];

	(void)state;
	assert_true(drv_offered(&v) & F(VIRTIO_BLK_F_RO));
	assert_false(drv_offered(&v) & F(VIRTIO_BLK_F_DISCARD));
	memset(v.mem.base + PAYLOAD, 'x', 512);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, 512, false, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(trim(VIRTIO_BLK_T_DISCARD, 0, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(trim(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, 0, false, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512, true, NULL), VIRTIO_BLK_S_OK);
	/* Though the driver did not agree to that. */
	drv_start(&v, V1);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, 512, false, NULL), VIRTIO_BLK_S_IOERR);
	assert_int_equal(pread(other, back, 512, 0), 512);
	assert_int_equal(back[0], 0);
}

static void rights_of_the_descriptor(void **state)
{
	char path[FD_PATH_MAX];
	struct virtio_dev *d = NULL;
	struct err e = ERR_INIT;
	int ro = open(fd_path(path, other), O_RDONLY | O_CLOEXEC), dir = open("/", O_RDONLY | O_CLOEXEC);
	struct vm_disk disk = { .fd = other, .readonly = true };

	(void)state;
	assert_int_equal(virtio_blk_new(&v.mem, &v.loop, &disk, &d, &e), -EINVAL);
	disk = (struct vm_disk){ .fd = ro };
	assert_int_equal(virtio_blk_new(&v.mem, &v.loop, &disk, &d, &e), -EINVAL);
	disk = (struct vm_disk){ .fd = dir, .readonly = true };
	assert_int_equal(virtio_blk_new(&v.mem, &v.loop, &disk, &d, &e), -EINVAL);
	assert_int_equal(ftruncate(other, 511), 0);
	disk = (struct vm_disk){ .fd = ro, .readonly = true };
	assert_int_equal(virtio_blk_new(&v.mem, &v.loop, &disk, &d, &e), -EINVAL);
	assert_null(d);
	close(ro);
	close(dir);
}

static void hostile_requests(void **state)
{
	static const struct {
		struct drv_buf b[3];
		unsigned n;
	} bad[] = {
		{ { { HEADERS, 16, false } }, 1 },			     /* no status */
		{ { { HEADERS, 15, false }, { STATUSES, 1, true } }, 2 },    /* half a header */
		{ { { STATUSES, 1, true } }, 1 },			     /* none */
		{ { { STATUSES, 1, true }, { HEADERS, 16, false } }, 2 },    /* the wrong way round */
		{ { { HEADERS, 16, false }, { STATUSES, 0, true } }, 2 },    /* no room */
		{ { { HEADERS, 16, false }, { DRV_RAM, 1, true } }, 2 },     /* outside */
		{ { { HEADERS, 16, false }, { 0, UINT32_MAX, true } }, 2 },  /* more than there is */
		{ { { HEADERS, 16, false }, { UINT64_MAX, 16, true } }, 2 }, /* wraps around */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		drv_start(&v, DRV_ALL);
		drv_put(&v, 0, bad[i].b, bad[i].n);
		drv_go(&v, 0);
		if (!drv_dead(&v))
			fail_msg("case %u: the device lives", i);
		assert_false(drv_used(&v, 0, NULL, NULL));
		/* Dead for good requests, too. */
		assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512, true, NULL), 0xfe);
	}
	drv_start(&v, DRV_ALL);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512, true, NULL), VIRTIO_BLK_S_OK);
}

static void many_requests_at_once(void **state)
{
	const struct virtio_blk_outhdr h = { VIRTIO_BLK_T_IN, 0, 0 };
	struct drv_buf b[3] = { { HEADERS, sizeof(h), false }, { PAYLOAD, 512, true },
		{ STATUSES, 1, true } };
	struct err e = ERR_INIT;
	unsigned n = 0;

	(void)state;
	memcpy(v.mem.base + HEADERS, &h, sizeof(h));
	/* As many as the ring holds. */
	for (unsigned i = 0; i < 42; i++)
		drv_put(&v, 0, b, 3);
	drv_kick(&v, 0);
	assert_true(vm_loop_serve(&v.loop, &e) >= 0);
	/* Not all of them before the others' turn. */
	while (drv_used(&v, 0, NULL, NULL))
		n++;
	assert_true(n > 0 && n < 42);
	assert_true(drv_loop(&v));
	while (drv_used(&v, 0, NULL, NULL))
		n++;
	assert_int_equal(n, 42);
}

/* --- network
 * ------------------------------------------------------------------------------------------------ */

enum { RX, TX };

static int net_set_up(void **state)
{
	struct vm_nic nic = { .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1400 };
	struct err e = ERR_INIT;
	int s[2];

	(void)state;
	drv_open(&v);
	/* Packets, and no offloads that could be told to it. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
	nic.fd = s[0];
	other = s[1];
	assert_int_equal(virtio_net_new(&v.mem, &v.loop, &nic, &v.d, &e), 0);
	return 0;
}

static void fill(unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		struct drv_buf b = { PAYLOAD + (v.q[RX].avail % 128) * 4096, len, true };

		drv_put(&v, RX, &b, 1);
	}
}

static void packet_in(uint8_t first, size_t len, const struct virtio_net_hdr_v1 *h)
{
	uint8_t *p = calloc(1, HEADER + len);

	assert_non_null(p);
	if (h)
		memcpy(p, h, HEADER);
	for (size_t i = 0; i < len; i++)
		p[HEADER + i] = (uint8_t)(first + i);
	assert_int_equal(write(other, p, HEADER + len), HEADER + len);
	free(p);
	assert_true(drv_loop(&v));
}

/* The next packet that the driver finds: its length without header, 0: none. */
static size_t packet_found(uint8_t first)
{
	uint16_t head, buffers = 1;
	size_t total = 0;

	for (unsigned i = 0; i < buffers; i++) {
		const uint8_t *at;
		uint32_t len;

		if (!drv_used(&v, RX, &head, &len))
			return 0;
		at = v.mem.base + drv_desc(&v, RX, head)->addr;
		if (i == 0)
			memcpy(&buffers, at + 10, 2);
		for (uint32_t k = 0; k < len; k++)
			if (total + k >= HEADER && at[k] != (uint8_t)(first + total + k - HEADER))
				fail_msg("byte %zu is wrong", total + k);
		total += len;
	}
	return total - HEADER;
}

static int packet_out(const struct virtio_net_hdr_v1 *h, uint32_t len)
{
	struct drv_buf b[2] = { { HEADERS, HEADER, false }, { PAYLOAD, len, false } };
	static uint8_t got[70000];

	memset(v.mem.base + HEADERS, 0, HEADER);
	if (h)
		memcpy(v.mem.base + HEADERS, h, HEADER);
	for (uint32_t i = 0; i < len; i++)
		v.mem.base[PAYLOAD + i] = (uint8_t)i;
	drv_put(&v, TX, b, 2);
	drv_go(&v, TX);
	assert_true(drv_used(&v, TX, NULL, NULL));
	for (;;) {
		ssize_t n = read(other, got, sizeof(got));

		if (n < 0)
			return -1;
		assert_memory_equal(got + HEADER, v.mem.base + PAYLOAD, len);
		if (h)
			assert_memory_equal(got, h, 10);
		return (int)(n - (ssize_t)HEADER);
	}
}

static void configuration(void **state)
{
	struct virtio_net_config config;

	(void)state;
	for (unsigned i = 0; i < sizeof(config); i++)
		virtio_read(v.d, VIRTIO_MMIO_CONFIG + i, (uint8_t *)&config + i, 1);
	assert_memory_equal(config.mac, "\2\0\0\0\0\1", 6);
	assert_int_equal(config.mtu, 1400);
	assert_false(drv_offered(&v) & F(VIRTIO_NET_F_GUEST_CSUM));
	assert_true(drv_negotiate(&v, V1));
	assert_false(drv_negotiate(&v, V1 | F(VIRTIO_NET_F_HOST_TSO4)));
	assert_true(drv_negotiate(&v, V1 | F(VIRTIO_NET_F_HOST_TSO4) | F(VIRTIO_NET_F_CSUM)));
	assert_false(drv_negotiate(&v, V1 | F(VIRTIO_NET_F_HOST_ECN) | F(VIRTIO_NET_F_CSUM)));
}

static void packets_to_the_guest(void **state)
{
	(void)state;
	drv_start(&v, V1);
	/* Before there is a buffer it waits in the tap. */
	packet_in(1, 100, NULL);
	packet_in(2, 1000, NULL);
	fill(1, 1526);
	drv_go(&v, RX);
	assert_int_equal(packet_found(1), 100);
	assert_int_equal(packet_found(2), 0);
	fill(3, 1526);
	drv_go(&v, RX);
	assert_int_equal(packet_found(2), 1000);
	/* One that is too long for its buffer is lost, and the buffer is not. */
	packet_in(3, 2000, NULL);
	packet_in(4, 1514, NULL);
	assert_int_equal(packet_found(4), 1514);
	/* As is one that is too short to be one, or is unfinished in a way that was not agreed. */
	packet_in(5, 13, NULL);
	packet_in(6, 60, &(struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM });
	packet_in(7, 60, &(struct virtio_net_hdr_v1){ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 });
	packet_in(8, 60, NULL);
	assert_int_equal(packet_found(8), 60);
	assert_false(drv_dead(&v));
}

static void merged_buffers(void **state)
{
	(void)state;
	drv_start(&v, V1 | F(VIRTIO_NET_F_MRG_RXBUF) | F(VIRTIO_RING_F_EVENT_IDX));
	fill(3, 1000);
	drv_go(&v, RX);
	packet_in(1, 1988, NULL);
	assert_int_equal(packet_found(1), 1988);
	/* Not enough: it waits, all of it, and does not cost anything. */
	packet_in(2, 3000, NULL);
	packet_in(3, 50, NULL);
	assert_int_equal(packet_found(2), 0);
	fill(1, 1000);
	drv_go(&v, RX);
	assert_int_equal(packet_found(2), 0);
	fill(2, 1000);
	drv_go(&v, RX);
	assert_int_equal(packet_found(2), 3000);
	assert_int_equal(packet_found(3), 0);
	fill(1, 1000);
	drv_go(&v, RX);
	assert_int_equal(packet_found(3), 50);
	/* All buffers that there can be, and too little. */
	fill(128, 20);
	drv_go(&v, RX);
	packet_in(4, 4000, NULL);
	packet_in(5, 60, NULL);
	assert_int_equal(packet_found(5), 60);
	assert_false(drv_dead(&v));
}

static void a_reset_with_a_packet_that_waits(void **state)
{
	(void)state;
	drv_start(&v, V1 | F(VIRTIO_NET_F_MRG_RXBUF));
	fill(1, 100);
	drv_go(&v, RX);
	packet_in(1, 500, NULL);
	/* A broken device with one must not spin either. */
	drv_avail(&v, TX)->idx = 1000;
	drv_go(&v, TX);
	assert_true(drv_dead(&v));
	drv_start(&v, V1);
	fill(1, 1000);
	drv_go(&v, RX);
	packet_in(2, 60, NULL);
	assert_int_equal(packet_found(2), 60);
}

static void packets_from_the_guest(void **state)
{
	const struct virtio_net_hdr_v1 csum = { .flags = 1, .csum_start = 34, .csum_offset = 16 },
				       far = { .flags = 1, .csum_start = 34, .csum_offset = 65 },
				       wrap = { .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff },
				       tso = { .flags = 1,
					       .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					       .hdr_len = 54,
					       .gso_size = 1000,
					       .csum_start = 34,
					       .csum_offset = 16 };
	struct virtio_net_hdr_v1 bad = tso;
	const uint64_t all = V1 | F(VIRTIO_NET_F_CSUM) | F(VIRTIO_NET_F_HOST_TSO4);

	(void)state;
	drv_start(&v, V1);
	assert_int_equal(packet_out(NULL, 60), 60);
	assert_int_equal(packet_out(NULL, 14), 14);
	assert_int_equal(packet_out(NULL, 13), -1);
	assert_int_equal(packet_out(NULL, 65553), 65553);
	assert_int_equal(packet_out(NULL, 65554), -1);
	assert_int_equal(packet_out(&csum, 100), -1);
	/* Nor when it is asked for later. */
	drv_write(&v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	drv_write(&v, VIRTIO_MMIO_DRIVER_FEATURES, F(VIRTIO_NET_F_CSUM));
	assert_int_equal(packet_out(&csum, 100), -1);
	drv_start(&v, all);
	assert_int_equal(packet_out(&csum, 100), 100);
	assert_int_equal(packet_out(&far, 100), -1);
	assert_int_equal(packet_out(&wrap, 100), -1);
	assert_int_equal(packet_out(&tso, 5000), 5000);
	bad.flags = 0;
	assert_int_equal(packet_out(&bad, 5000), -1);
	bad = tso;
	bad.gso_size = 0;
	assert_int_equal(packet_out(&bad, 5000), -1);
	bad = tso;
	bad.hdr_len = 5001;
	assert_int_equal(packet_out(&bad, 5000), -1);
	bad = tso;
	bad.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_int_equal(packet_out(&bad, 5000), -1);
	bad.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	assert_int_equal(packet_out(&bad, 5000), -1);
	bad.gso_type = 77;
	assert_int_equal(packet_out(&bad, 5000), -1);
	bad.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	assert_int_equal(packet_out(&bad, 5000), -1);
	assert_false(drv_dead(&v));
}

static void a_tap_that_is_full(void **state)
{
	struct drv_buf b = { PAYLOAD, HEADER + 1500, false };
	uint8_t got[2000];
	unsigned n = 0;

	(void)state;
	drv_start(&v, V1);
	memset(v.mem.base + PAYLOAD, 0, HEADER);
	for (unsigned i = 0; i < 120; i++) {
		v.mem.base[PAYLOAD + HEADER] = 1;
		drv_put(&v, TX, &b, 1);
		drv_go(&v, TX);
	}
	for (int i = 0; i < 2000 && n < 120; i++) {
		if (read(other, got, sizeof(got)) == (ssize_t)b.len)
			n++;
		assert_true(drv_loop(&v));
	}
	assert_int_equal(n, 120);
	assert_int_equal(drv_used_ring(&v, TX)->idx, 120);
	/* A tap that goes away ends nothing but the traffic. */
	other = fd_close(other);
	fill(4, 1526);
	drv_go(&v, RX);
	drv_put(&v, TX, &b, 1);
	drv_go(&v, TX);
	assert_int_equal(drv_used_ring(&v, TX)->idx, 121);
	assert_false(drv_dead(&v));
}

static void hostile_packets(void **state)
{
	static const struct {
		unsigned q;
		struct drv_buf b[2];
		unsigned n;
	} bad[] = {
		{ TX, { { HEADERS, 11, false } }, 1 },
		{ TX, { { HEADERS, 80, true } }, 1 },
		{ TX, { { HEADERS, 80, false }, { HEADERS, 80, true } }, 2 },
		{ TX, { { DRV_RAM - 79, 80, false } }, 1 },
		{ TX, { { HEADERS, 0, false } }, 1 },
		{ RX, { { HEADERS, 11, true } }, 1 },
		{ RX, { { HEADERS, 80, false } }, 1 },
		{ RX, { { HEADERS, 12, true }, { DRV_RAM - 10, 100, true } }, 2 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		drv_start(&v, V1);
		packet_in(1, 60, NULL);
		drv_put(&v, bad[i].q, bad[i].b, bad[i].n);
		drv_go(&v, bad[i].q);
		if (!drv_dead(&v))
			fail_msg("case %u: the device lives", i);
		assert_int_equal(drv_used_ring(&v, bad[i].q)->idx, 0);
	}
}

/* A tap of the kernel, in a network namespace of its own; -1: there can be none. */
static int open_tap(int *packets)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5) };
	int header = HEADER, fd, s;

	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -1;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "tap0");
	s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(0x88b5));
	if (ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || s < 0) {
		close(fd);
		return -1;
	}
	a.sll_ifindex = (int)if_nametoindex("tap0");
	r.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
	assert_int_equal(bind(s, (void *)&a, sizeof(a)), 0);
	*packets = s;
	return fd;
}

static void with_a_real_tap(void **state)
{
	struct vm_nic nic = { .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1500 };
	uint8_t frame[60] = "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\2\x88\xb5";
	struct drv_buf b = { HEADERS, HEADER + sizeof(frame), false };
	struct err e = ERR_INIT;
	uint8_t got[100];
	bool found = false;
	uint16_t head;

	(void)state;
	nic.fd = open_tap(&other);
	if (nic.fd < 0)
		skip();
	drv_open(&v);
	assert_int_equal(virtio_net_new(&v.mem, &v.loop, &nic, &v.d, &e), 0);
	assert_true(drv_offered(&v) & F(VIRTIO_NET_F_GUEST_TSO4));
	drv_start(&v, DRV_ALL);
	frame[20] = 17;
	memset(v.mem.base + HEADERS, 0, HEADER);
	memcpy(v.mem.base + HEADERS + HEADER, frame, sizeof(frame));
	drv_put(&v, TX, &b, 1);
	drv_go(&v, TX);
	assert_int_equal(recv(other, got, sizeof(got), 0), sizeof(frame));
	assert_memory_equal(got, frame, sizeof(frame));
	/* And back; the host has things of its own to say on a new interface. */
	fill(64, 1526);
	drv_go(&v, RX);
	frame[20] = 18;
	assert_int_equal(send(other, frame, sizeof(frame), 0), sizeof(frame));
	assert_true(drv_loop(&v));
	while (!found && drv_used(&v, RX, &head, NULL))
		found = memcmp(v.mem.base + drv_desc(&v, RX, head)->addr + HEADER, frame, sizeof(frame)) == 0;
	assert_true(found);
	/* One that the kernel refuses. */
	memset(v.mem.base + HEADERS, 0, HEADER);
	*(struct virtio_net_hdr_v1 *)(void *)(v.mem.base + HEADERS) = (struct virtio_net_hdr_v1){
		.flags = 1, .gso_type = 1, .hdr_len = 14, .gso_size = 1, .csum_start = 14, .csum_offset = 2
	};
	drv_put(&v, TX, &b, 1);
	drv_go(&v, TX);
	assert_int_equal(drv_used_ring(&v, TX)->idx, 2);
	assert_false(drv_dead(&v));
	tear_down(NULL);
}

/* --- entropy
 * ------------------------------------------------------------------------------------------------ */

static int rng_set_up(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	drv_open(&v);
	assert_int_equal(virtio_rng_new(&v.mem, &v.loop, &v.d, &e), 0);
	return 0;
}

static void random_bytes(void **state)
{
	struct drv_buf b[2] = { { PAYLOAD, 10, true }, { PAYLOAD + 100, 100000, true } };
	uint8_t zero[64] = { 0 };
	uint32_t len;

	(void)state;
	drv_start(&v, DRV_ALL);
	drv_put(&v, 0, b, 2);
	drv_put(&v, 0, b + 1, 1);
	drv_put(&v, 0, b, 1);
	drv_go(&v, 0);
	assert_true(drv_used(&v, 0, NULL, &len));
	assert_int_equal(len, 256);
	assert_true(drv_used(&v, 0, NULL, &len));
	assert_int_equal(len, 256);
	assert_true(drv_used(&v, 0, NULL, &len));
	assert_int_equal(len, 10);
	assert_memory_not_equal(v.mem.base + PAYLOAD + 200, zero, sizeof(zero));
	assert_memory_equal(v.mem.base + PAYLOAD + 356, zero, sizeof(zero));
	b[0].write = false;
	drv_put(&v, 0, b, 1);
	drv_go(&v, 0);
	assert_true(drv_dead(&v));
}

#define T(f, s) cmocka_unit_test_setup_teardown(f, s, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_written_is_read, disk_set_up),
		T(any_layout_will_do, disk_set_up),
		T(nothing_behind_the_end, disk_set_up),
		T(ranges_are_given_back, disk_set_up),
		T(a_read_only_disk_is_not_written, readonly_set_up),
		T(rights_of_the_descriptor, disk_set_up),
		T(hostile_requests, disk_set_up),
		T(many_requests_at_once, disk_set_up),
		T(configuration, net_set_up),
		T(packets_to_the_guest, net_set_up),
		T(merged_buffers, net_set_up),
		T(a_reset_with_a_packet_that_waits, net_set_up),
		T(packets_from_the_guest, net_set_up),
		T(a_tap_that_is_full, net_set_up),
		T(hostile_packets, net_set_up),
		T(random_bytes, rng_set_up),
		cmocka_unit_test(with_a_real_tap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
