/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks in the guest: which device is the monitor's n-th disk, and what of config.json stands for it.
 *
 * A device has the name and numbers that the guest's kernel gave it, in an order that is the machine's. So it
 * is known by its serial number, "dN".
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/path.h"
#include "namespaces/mount_options.h"
#include "sandbox/guest/guest.h"

const char *guest_disks_sys = "/sys/block";

int guest_disk_find(unsigned n, char path[GUEST_DISK_PATH], dev_t *rdev, struct err *e)
{
	_cleanup_closedir_ DIR *d = opendir(guest_disks_sys);
	char want[16], file[300], text[64];
	struct dirent *de;
	unsigned a, b;

	snprintf(want, sizeof(want), "d%u", n);
	while (d && (de = readdir(d))) {
		if (!str_starts(de->d_name, "vd") || strlen(de->d_name) > GUEST_DISK_PATH - sizeof("/dev/"))
			continue;
		snprintf(file, sizeof(file), "%s/serial", de->d_name);
		if (fd_get_at(dirfd(d), file, text, sizeof(text)) < 0 || !str_eq(text, want))
			continue;
		snprintf(file, sizeof(file), "%s/dev", de->d_name);
		if (fd_get_at(dirfd(d), file, text, sizeof(text)) < 0 || sscanf(text, "%u:%u", &a, &b) != 2)
			continue;
		snprintf(path, GUEST_DISK_PATH, "/dev/%.20s", de->d_name);
		*rdev = makedev(a, b);
		return 0;
	}
	return err_text(e, ENODEV,
		"the guest's machine has no disk number %u: has its kernel CONFIG_VIRTIO_BLK, and "
		"CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES?",
		n);
}

/* --- config.json ------------------------------------------------------------------------------------------
 */

/* A device by its numbers on the host and here. */
struct pair {
	dev_t host, ours; /* host 0: config.json does not name it by numbers */
};

/*
 * Rules that name the host's device name ours instead, at the same place among them, since the last one
 * counts; one for all of a kind stays, and is followed by one for each of ours.
 */
static int follow_rules(struct spec *s, const struct pair *pairs, size_t n_pairs, struct err *e)
{
	struct spec_resources *r = &s->resources;
	struct spec_dev_rule *all = arena_calloc(s->arena, r->n_devices, (n_pairs + 1) * sizeof(*all));
	size_t n = 0;

	if (!all)
		return err_set(e, ENOMEM, "linux.resources.devices");
	for (size_t i = 0; i < r->n_devices; i++) {
		struct spec_dev_rule rule = r->devices[i];
		bool named = false;
		size_t at = n++;

		for (size_t k = 0; k < n_pairs && rule.type == 'b'; k++) {
			if (!pairs[k].host || rule.major != major(pairs[k].host) ||
				(rule.minor >= 0 && rule.minor != minor(pairs[k].host)))
				continue;
			all[n] = rule;
			all[n].major = major(pairs[k].ours);
			all[n++].minor = minor(pairs[k].ours);
			named = rule.minor >= 0;
		}
		if (named)
			memmove(all + at, all + at + 1, (--n - at) * sizeof(*all));
		else
			all[at] = rule;
	}
	r->devices = all;
	r->n_devices = n;
	return 0;
}

/* Where mknod(2) is refused, in a user namespace, the runtime binds a node that is found by its numbers. */
static void make_node(dev_t rdev)
{
	char path[64];

	if (path_make("/dev/block", 0755, NULL) < 0)
		return;
	snprintf(path, sizeof(path), "/dev/block/%u:%u", major(rdev), minor(rdev));
	(void)mknod(path, S_IFBLK | 0600, rdev);
}

static int get_number(const struct json *j, const char *name, uint64_t none, uint64_t *out, struct err *e)
{
	const struct json *v = json_get(j, name);

	*out = none;
	return v ? json_as_u64(v, name, out, e) : 0;
}

/*
 * A mount of a file system on the disk: made out here, for inside the rules for devices hold, which need not
 * name it, and bound there. Words that are flags of mounts are the bind's, too.
 */
static int mount_volume(
	struct spec *s, struct spec_mount *m, unsigned disk, const char *device, bool creating, struct err *e)
{
	char *at = arena_printf(s->arena, PLAN_DIR "/v%u", disk);
	size_t given = strv_len(m->options), n = 0;
	char **options = arena_calloc(s->arena, given + 2, sizeof(*options));
	struct mnt_options o;
	int r;

	if (!at || !options)
		return err_set(e, ENOMEM, "disks");
	r = mnt_options_parse(s->arena, m, &o, e);
	if (r == 0 && creating)
		r = path_make(at, 0700, e);
	if (r < 0)
		return r;
	if (creating && mount(device, at, m->type, o.set, o.data) < 0) {
		if (errno == ENODEV)
			return err_text(e, ENODEV,
				"mount %s: the guest's kernel has no file system type \"%s\"", m->destination,
				m->type);
		r = err_set(e, errno, "mount %s on %s%s%s", m->type, m->destination, o.data ? " with " : "",
			o.data ? o.data : "");
		return err_hint(e,
			"%s must have a file system of that type, whole, and one that the guest's kernel "
			"(docs/sandbox.md) knows all features%s of",
			m->source, o.data ? " and options" : "");
	}
	for (size_t i = 0; i < given; i++)
		if (strv_has((char *const *)mnt_option_names, m->options[i]))
			options[n++] = m->options[i];
	options[n] = (char *)"bind";
	m->options = options;
	m->type = "bind";
	m->source = at;
	return 0;
}

static int one_disk(struct spec *s, const struct json *j, bool creating, struct pair *out, struct err *e)
{
	uint64_t disk, mount, device, from_major, from_minor;
	char path[GUEST_DISK_PATH];
	struct spec_mount *m;
	int r = get_number(j, "disk", UINT64_MAX, &disk, e);

	if (r == 0)
		r = get_number(j, "mount", UINT64_MAX, &mount, e);
	if (r == 0)
		r = get_number(j, "device", UINT64_MAX, &device, e);
	if (r == 0)
		r = get_number(j, "major", 0, &from_major, e);
	if (r == 0)
		r = get_number(j, "minor", 0, &from_minor, e);
	if (r < 0)
		return r;
	if (disk > 255 || (mount != UINT64_MAX && mount >= s->n_mounts) ||
		(device != UINT64_MAX && device >= s->n_devices))
		return err_text(e, EINVAL, "CREATE: disks: config.json has no such mount or device");
	r = guest_disk_find((unsigned)disk, path, &out->ours, e);
	if (r < 0)
		return r;
	out->host = makedev((unsigned)from_major, (unsigned)from_minor);
	if (device != UINT64_MAX) {
		s->devices[device].major = major(out->ours);
		s->devices[device].minor = minor(out->ours);
		if (creating)
			make_node(out->ours);
	}
	if (mount == UINT64_MAX)
		return 0;
	m = &s->mounts[mount];
	if (json_get(j, "volume"))
		return mount_volume(s, m, (unsigned)disk, path, creating, e);
	m->source = arena_strdup(s->arena, path);
	return m->source ? 0 : err_set(e, ENOMEM, "disks");
}

int guest_adapt_disks(struct spec *s, const struct guest_plan *plan, struct err *e)
{
	const struct json *list = json_get(plan->json, "disks"), *j;
	struct pair *pairs;
	size_t n = 0;

	if (!list || !list->count)
		return 0;
	pairs = arena_calloc(s->arena, list->count, sizeof(*pairs));
	if (!pairs)
		return err_set(e, ENOMEM, "disks");
	json_each (j, list) {
		int r = one_disk(s, j, plan->creating, &pairs[n++], e);

		if (r < 0)
			return r;
	}
	return follow_rules(s, pairs, n, e);
}
