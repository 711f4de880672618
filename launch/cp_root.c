/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside, for whoever copies. Of a running partition: /proc/PID/root, a descriptor through which its
 * mounts are seen without being in its mount namespace. Of another: its root file system and what is bound
 * into it, mounted by the runtime's own code in a mount namespace of this process, so that the kernel takes
 * it all away with us; meanwhile the partition's lock keeps it from being started on the same upper
 * directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <linux/securebits.h>

#include "base/fd.h"
#include "launch/cp_internal.h"
#include "namespaces/ns.h"
#include "namespaces/rootfs.h"
#include "runtime/partition.h"

#define CONFIG_MAX SPEC_FILE_MAX
#define MAP_MAX	   65536

/* --- ids -------------------------------------------------------------------------------------- */

int64_t cp_id_inside(const struct spec_id_map *map, size_t n, uint32_t host)
{
	for (size_t i = 0; i < n; i++)
		if (host >= map[i].host_id && host - map[i].host_id < map[i].size)
			return (int64_t)map[i].container_id + (host - map[i].host_id);
	return n ? -1 : (int64_t)host;
}

int64_t cp_id_host(const struct spec_id_map *map, size_t n, uint32_t inside)
{
	return ns_map_to_host(map, n, inside);
}

/* Lines of three numbers: inside, outside, how many. */
static int read_map(pid_t pid, const char *file, struct arena *a, const struct spec_id_map **out, size_t *n,
	struct err *e)
{
	_cleanup_free_ char *text = NULL;
	struct spec_id_map *map;
	char path[64];
	size_t lines = 0, i = 0;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = fd_read_at(AT_FDCWD, path, MAP_MAX, &text, NULL);
	if (r < 0)
		return err_set(e, -r, "read %s", path);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	map = arena_calloc(a, lines + 1, sizeof(*map));
	if (!map)
		return err_set(e, ENOMEM, "read %s", path);
	for (char *save = text, *line; (line = strsep(&save, "\n")) && *line && i < lines; i++)
		if (sscanf(line, "%u %u %u", &map[i].container_id, &map[i].host_id, &map[i].size) != 3)
			return err_text(e, EINVAL, "%s has a line of unknown form", path);
	*out = map;
	*n = i;
	return 0;
}

int cp_become_owner(uint32_t uid, uint32_t gid, struct err *e)
{
	if (geteuid() != 0)
		return 0;
	/* Changing the ids of file access would drop what root may do with files, but for this bit. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return err_set(e, errno, "keep capabilities while files are made for user id %u", uid);
	setfsgid(gid);
	setfsuid(uid);
	if ((uint32_t)setfsuid((uid_t)-1) != uid || (uint32_t)setfsgid((gid_t)-1) != gid)
		return err_set(e, EPERM, "make files as user id %u and group id %u", uid, gid);
	return 0;
}

/* --- file systems ----------------------------------------------------------------------------- */

bool cp_is_kernel_fs(int fd, const char **name)
{
	static const struct {
		unsigned int magic;
		const char *name;
	} list[] = {
		{ PROC_SUPER_MAGIC, "proc" },
		{ SYSFS_MAGIC, "sysfs" },
		{ CGROUP_SUPER_MAGIC, "cgroup" },
		{ CGROUP2_SUPER_MAGIC, "cgroup2" },
		{ DEBUGFS_MAGIC, "debugfs" },
		{ TRACEFS_MAGIC, "tracefs" },
		{ SECURITYFS_MAGIC, "securityfs" },
		{ SELINUX_MAGIC, "selinuxfs" },
		{ BPF_FS_MAGIC, "bpf" },
		{ DEVPTS_SUPER_MAGIC, "devpts" },
		{ EFIVARFS_MAGIC, "efivarfs" },
		{ PSTOREFS_MAGIC, "pstore" },
		{ BINFMTFS_MAGIC, "binfmt_misc" },
		{ NSFS_MAGIC, "nsfs" },
		{ 0x7655821 /* RDTGROUP_SUPER_MAGIC */, "resctrl" },
		{ 0x62656570 /* CONFIGFS_MAGIC */, "configfs" },
		{ 0x19800202 /* MQUEUE_MAGIC */, "mqueue" },
		{ 0x65735543 /* FUSE_CTL_SUPER_MAGIC */, "fusectl" },
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if ((unsigned int)fs.f_type == list[i].magic) {
			*name = list[i].name;
			return true;
		}
	return false;
}

/* --- one that runs ---------------------------------------------------------------------------- */

/* A partition without a root of its own would give us the host's. */
static int check_root(int fd, const char *name, struct err *e)
{
	struct statx ours, its;
	const unsigned int mask = STATX_INO | STATX_MNT_ID;

	if (statx(AT_FDCWD, "/", 0, mask, &ours) < 0 || statx(fd, "", AT_EMPTY_PATH, mask, &its) < 0)
		return err_set(e, errno, "look at the root of \"%s\"", name);
	if (ours.stx_ino == its.stx_ino && ours.stx_dev_major == its.stx_dev_major &&
		ours.stx_dev_minor == its.stx_dev_minor && ours.stx_mnt_id == its.stx_mnt_id)
		return err_text(e, EINVAL, "\"%s\" has no root file system of its own", name);
	return 0;
}

/* Without root's powers its user namespace is where we are allowed to. */
static int join_user_ns(pid_t pid, const char *name, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWUSER) < 0)
		return err_set(e, errno, "join the user namespace of \"%s\"", name);
	/* Its other processes are in another pid namespace; this is for those who share ours. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(e, errno, "become root in the user namespace of \"%s\"", name);
	return 0;
}

/*
 * The pid is believed for the moment of the look only: a process that ends in between may leave it to
 * another. Asked again when we hold the root, the runtime, which compares start times, would say so.
 */
static int open_running(const struct rt_ctx *rt, const char *name, pid_t pid, struct arena *a,
	struct cp_root *out, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	struct rt_info again;
	char path[64];
	int r;

	if (geteuid() != 0) {
		r = join_user_ns(pid, name, e);
		if (r < 0)
			return r;
	} else {
		r = read_map(pid, "uid_map", a, &out->uid_map, &out->n_uid, e);
		if (r == 0)
			r = read_map(pid, "gid_map", a, &out->gid_map, &out->n_gid, e);
		if (r < 0)
			return r;
	}
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "open the root of \"%s\"", name);
	r = rt_info(rt, name, &again, e);
	if (r < 0)
		return r;
	r = again.pid == pid ? 0 : err_text(e, ESRCH, "\"%s\" has ended just now; try again", name);
	rt_info_free(&again);
	if (r == 0)
		r = check_root(fd, name, e);
	if (r < 0)
		return r;
	out->pid = pid;
	out->fd = TAKE_FD(fd);
	return 0;
}

/* --- one that does not ------------------------------------------------------------------------ */

static bool is_bind(const struct spec_mount *m)
{
	return strv_has(m->options, "bind") || strv_has(m->options, "rbind") ||
	       (m->type && str_eq(m->type, "bind"));
}

static bool below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || !path[len]);
}

/* The root and what is bound into it: tmpfs and the kernel's file systems are there while it runs only. */
static bool is_kept(const struct spec_mount *m)
{
	if (str_eq(m->destination, "/"))
		return true;
	if (!is_bind(m) || !m->source || below(m->destination, "/proc") || below(m->destination, "/sys") ||
		below(m->destination, "/dev"))
		return false;
	/* One whose source is gone would keep it from starting, and is not looked at here. */
	return faccessat(AT_FDCWD, m->source, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int read_config(const struct launch_dir *d, struct spec **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len, n = 0;
	int r = fd_read_at(d->fd, "config.json", CONFIG_MAX, &text, &len);

	if (r < 0)
		return err_set(e, -r, "read %s/config.json", d->path);
	r = spec_parse(text, len, out, e);
	if (r < 0)
		return err_wrap(e, "%s/config.json", d->path);
	for (size_t i = 0; i < (*out)->n_mounts; i++)
		if (is_kept(&(*out)->mounts[i]))
			(*out)->mounts[n++] = (*out)->mounts[i];
	(*out)->n_mounts = n;
	return 0;
}

/* A process that is nothing but the owner of a user namespace with these maps. */
static int make_user_ns(const struct spec *s, int *fd, struct err *e)
{
	char path[64];
	pid_t pid;
	int r;

	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0L);
	if (pid < 0)
		return err_set(e, errno, "make a user namespace");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	r = ns_write_maps(pid, s->uid_map, s->n_uid_map, s->gid_map, s->n_gid_map, false, e);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		*fd = open(path, O_RDONLY | O_CLOEXEC);
		if (*fd < 0)
			r = err_set(e, errno, "open %s", path);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

static int mount_all(struct mnt_ctx *m, const struct spec *s, struct err *e)
{
	_cleanup_close_ int user = -EBADF;
	int r = mnt_init(m, e);

	if (r == 0)
		r = mnt_open_sources(m, -1, e);
	if (r == 0 && mnt_needs_userns(m)) {
		r = make_user_ns(s, &user, e);
		if (r == 0)
			r = mnt_idmap_sources(m, user, e);
	}
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNS) < 0)
		return err_set(e, errno, "make a mount namespace");
	r = mnt_enter(m, e);
	return r < 0 ? r : mnt_mounts(m, e);
}

static int open_stopped(const struct launch_dir *d, struct arena *a, struct cp_root *out, struct err *e)
{
	struct mnt_ctx m = { .bundle = d->path };
	struct spec *s = NULL;
	mode_t mask;
	int r;

	if (geteuid() != 0)
		return err_text(e, EOPNOTSUPP,
			"partition \"%s\" does not run, and without root its file system can only be seen "
			"while "
			"it does: start it with `ringfence restart %s`",
			d->record.name, d->record.name);
	r = read_config(d, &s, e);
	if (r < 0)
		return r;
	m.spec = s;
	m.rootfs = arena_printf(a, "%s/%s", d->path, s->root_path ? s->root_path : "root");
	if (s->root_path && s->root_path[0] == '/')
		m.rootfs = s->root_path;
	m.user_ns = ns_has_user(s);
	mask = umask(022);
	r = m.rootfs ? mount_all(&m, s, e) : err_set(e, ENOMEM, "cp");
	umask(mask);
	if (r == 0) {
		out->fd = fcntl(mnt_root_fd(&m), F_DUPFD_CLOEXEC, 3);
		r = out->fd < 0 ? err_set(e, errno, "hold the root") : 0;
	}
	if (r == 0 && s->n_uid_map) {
		struct spec_id_map *u = arena_calloc(a, s->n_uid_map, sizeof(*u)),
				   *g = arena_calloc(a, s->n_gid_map, sizeof(*g));

		if (!u || !g) {
			r = err_set(e, ENOMEM, "cp");
		} else {
			memcpy(u, s->uid_map, s->n_uid_map * sizeof(*u));
			memcpy(g, s->gid_map, s->n_gid_map * sizeof(*g));
			out->uid_map = u;
			out->gid_map = g;
			out->n_uid = s->n_uid_map;
			out->n_gid = s->n_gid_map;
		}
	}
	mnt_free(&m);
	spec_free(s);
	return r < 0 ? err_wrap(e, "mount the file systems of \"%s\"", d->record.name) : 0;
}

/* --- both ------------------------------------------------------------------------------------- */

static int running_pid(const struct rt_ctx *rt, const char *name, pid_t *pid, struct err *e)
{
	struct rt_info info;
	int r = rt_info(rt, name, &info, e);

	*pid = 0;
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	if (info.status == RT_CREATING)
		r = err_text(e, EBUSY, "partition \"%s\" is just being made; try again", name);
	else if (info.status != RT_STOPPED && info.apart)
		r = err_text(e, EOPNOTSUPP,
			"partition \"%s\" runs in a sandbox, whose mounts are seen by its own kernel alone: "
			"stop it "
			"first, or send a tar stream through `ringfence exec %s tar`",
			name, name);
	else if (info.status != RT_STOPPED)
		*pid = info.pid;
	rt_info_free(&info);
	return r;
}

int cp_root_open(
	const struct launch_ctx *ctx, const char *name, struct arena *a, struct cp_root *out, struct err *e)
{
	struct launch_state state;
	struct rt_ctx rt;
	pid_t pid;
	int r;

	*out = (struct cp_root){ .fd = -EBADF, .dir = LAUNCH_DIR_INIT };
	r = launch_check_name("partition", name, e);
	if (r == 0)
		r = launch_dir_open(ctx, name, true, a, &out->dir, e);
	if (r < 0)
		return r;
	out->have_dir = true;
	if (out->dir.damaged)
		return err_text(e, EINVAL,
			"partition \"%s\" is damaged; `ringfence rm --force %s` removes it", name, name);
	r = launch_rename_finish(ctx, &out->dir, a, e);
	if (r < 0)
		return r;
	rt = launch_rt(ctx, &out->dir.record);
	r = running_pid(&rt, name, &pid, e);
	if (r < 0)
		return r;
	if (pid) {
		/* Whoever stops it need not wait for us. */
		out->have_dir = false;
		launch_dir_close(&out->dir);
		return open_running(&rt, name, pid, a, out, e);
	}
	r = launch_state_read(&out->dir, a, &state, e);
	if (r < 0)
		return r;
	/* Its supervisor takes no lock, and would mount the same upper directory. */
	if (state.phase != LAUNCH_PHASE_ENDED && launch_supervised(&state))
		return err_text(e, EBUSY,
			"partition \"%s\" is between two runs; stop it with `ringfence stop %s`, or try "
			"again",
			name, name);
	r = launch_dir_check_written(&out->dir, e);
	return r < 0 ? r : open_stopped(&out->dir, a, out, e);
}

void cp_root_close(struct cp_root *r)
{
	r->fd = fd_close(r->fd);
	if (r->have_dir)
		launch_dir_close(&r->dir);
	r->have_dir = false;
}
