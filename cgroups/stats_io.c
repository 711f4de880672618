/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of block devices and huge pages (see stats.c). */
#include "cgroups/stats.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"

/* --- block I/O ------------------------------------------------------------------------------- */

static void put_io(struct json_writer *w, const char *device, const char *op, uint64_t value)
{
	char major[24];
	const char *colon = strchr(device, ':');
	uint64_t a, b;

	if (!colon || colon - device >= (ptrdiff_t)sizeof(major))
		return;
	snprintf(major, sizeof(major), "%.*s", (int)(colon - device), device);
	if (str_to_u64(major, &a) < 0 || str_to_u64(colon + 1, &b) < 0)
		return;
	json_open_object(w, NULL);
	json_put_u64(w, "major", a);
	json_put_u64(w, "minor", b);
	json_put_string(w, "op", op);
	json_put_u64(w, "value", value);
	json_close_object(w);
}

/* "8:0 Read 4096", or "8:0 4096"; the "Total" line at the end has no device. */
static void blkio_line(char *line, void *arg)
{
	char *save = line, *device = strsep(&save, " "), *op = strsep(&save, " "),
	     *value = strsep(&save, " ");
	uint64_t v;

	if (op && str_to_u64(value ? value : op, &v) == 0)
		put_io(arg, device, value ? op : "", v);
}

static void count_line(char *line, void *arg)
{
	size_t *n = arg;

	*n += strchr(line, ':') != NULL;
}

static void blkio_v1(struct json_writer *w, const struct cg_node *n)
{
	static const struct {
		const char *name, *file;
		bool throttle;
	} members[] = {
		{ "ioServiceBytesRecursive", "io_service_bytes_recursive", true },
		{ "ioServicedRecursive", "io_serviced_recursive", true },
		{ "ioQueueRecursive", "io_queued_recursive", false },
		{ "ioServiceTimeRecursive", "io_service_time_recursive", false },
		{ "ioWaitTimeRecursive", "io_wait_time_recursive", false },
		{ "ioMergedRecursive", "io_merged_recursive", false },
		{ "ioTimeRecursive", "time_recursive", false },
		{ "sectorsRecursive", "sectors_recursive", false },
	};
	static const char *const prefixes[] = { "blkio.bfq.", "blkio.", "blkio.throttle." };
	char file[64];

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++) {
			size_t entries = 0;

			if (k == 2 && !members[i].throttle)
				continue;
			snprintf(file, sizeof(file), "%s%s", prefixes[k], members[i].file);
			/* bfq's files are there, and empty, while another scheduler runs. */
			cg_lines(n, file, count_line, &entries);
			if (entries == 0)
				continue;
			json_open_array(w, members[i].name);
			cg_lines(n, file, blkio_line, w);
			json_close_array(w);
			break;
		}
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" */
struct io_filter {
	struct json_writer *w;
	const char *suffix; /* "bytes" or "ios" */
};

static void io_line(char *line, void *arg)
{
	const struct io_filter *f = arg;
	char *save = line, *device = strsep(&save, " "), *word;
	uint64_t v;

	while ((word = strsep(&save, " "))) {
		char *eq = strchr(word, '=');
		const char *op;

		if (!eq)
			continue;
		*eq++ = '\0';
		op = *word == 'r' ? "Read" : *word == 'w' ? "Write" : *word == 'd' ? "Discard" : NULL;
		if (op && str_eq(word + 1, f->suffix) && str_to_u64(eq, &v) == 0)
			put_io(f->w, device, op, v);
	}
}

void cg_stat_blkio(struct json_writer *w, const struct cg_node *n, const struct cg_node *v2)
{
	if (!n)
		return;
	if (n->v2) {
		json_open_array(w, "ioServiceBytesRecursive");
		cg_lines(n, "io.stat", io_line, &(struct io_filter){ w, "bytes" });
		json_close_array(w);
		json_open_array(w, "ioServicedRecursive");
		cg_lines(n, "io.stat", io_line, &(struct io_filter){ w, "ios" });
		json_close_array(w);
	} else {
		blkio_v1(w, n);
	}
	cg_stat_put_pressure(w, v2, "io.pressure");
}

/* --- huge pages ------------------------------------------------------------------------------ */

static void hugetlb_size(struct json_writer *w, const struct cg_node *n, const char *size)
{
	struct cg_pick events[] = { { .key = "max" }, { 0 } };
	char file[96];

	json_open_object(w, size);
	snprintf(file, sizeof(file), "hugetlb.%s.%s", size, n->v2 ? "current" : "usage_in_bytes");
	cg_stat_put_number(w, n, file, "usage");
	if (n->v2) {
		snprintf(file, sizeof(file), "hugetlb.%s.events", size);
		cg_lines(n, file, cg_stat_pick, events);
		cg_stat_put_picked(w, &events[0], "failcnt", 1);
	} else {
		snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", size);
		cg_stat_put_number(w, n, file, "max");
		snprintf(file, sizeof(file), "hugetlb.%s.failcnt", size);
		cg_stat_put_number(w, n, file, "failcnt");
	}
	json_close_object(w);
}

void cg_stat_hugetlb(struct json_writer *w, const struct cg_node *n)
{
	_cleanup_closedir_ DIR *d = n ? opendir("/sys/kernel/mm/hugepages") : NULL;
	const struct dirent *f;

	if (!d)
		return;
	while ((f = readdir(d))) {
		static const char units[] = "KMG";
		char number_text[32], size[32];
		uint64_t kb;
		int unit = 0;

		if (!str_starts(f->d_name, "hugepages-") || !str_ends(f->d_name, "kB"))
			continue;
		snprintf(number_text, sizeof(number_text), "%.*s", (int)strcspn(f->d_name + 10, "k"),
			f->d_name + 10);
		if (str_to_u64(number_text, &kb) < 0)
			continue;
		for (; kb >= 1024 && unit < 2; unit++)
			kb /= 1024;
		snprintf(size, sizeof(size), "%" PRIu64 "%cB", kb, units[unit]);
		hugetlb_size(w, n, size);
	}
}
