/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an image and options to a partition that runs.
 *
 * The steps, and what undoes each when a later one fails. launch_remove() does all of it, in the order of
 * record.h; what was killed in the middle is a wreck, of which `rm --force` and the next launch under the
 * name do the same.
 *
 *   directory     mkdir(2) decides who owns the name; locked until the payload runs     removed last
 *   image         pinned under the name, so that no prune takes it                      unpinned
 *   host          of the zone "host": a symlink to the lower directory that it uses     with the directory
 *   ids           a range for its user namespace                                        given back
 *   network       ports are chosen and written down, nothing is set up yet: the hook
 *                 does that when the runtime has made the namespace                     launch_network_down()
 *   launch.json   from here on whoever finds the directory knows what belongs to it
 *   volumes       those that are not there                                              anonymous ones go
 *   directories   root, upper (as the image's own root), work; etc                      with the directory
 *   config.json
 *   payload       in the foreground rt_run() here, which undoes its own; detached a
 *                 supervisor, which does the same                                       rt_delete(force)
 *
 * Signals that ask us to end are held back from the first step on, for they would leave a wreck: they end a
 * fetch, are looked at between steps, and go to the payload once there is one.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "launch/host.h"
#include "launch/ids.h"
#include "launch/image.h"
#include "launch/network.h"
#include "launch/record_internal.h"
#include "launch/supervise.h"
#include "runtime/attach.h"
#include "runtime/files.h"
#include "runtime/partition.h"
#include "runtime/program.h"

struct launching {
	const struct launch_ctx *ctx;
	const struct launch_opts *o;
	struct arena *a;
	struct launch_dir d;
	struct launch_places at;
	struct img_root root;
	struct launch_image image;
	struct launch_network_plan net;
	int stop_fd;
	bool cidfile; /* it is ours, and goes if we fail */
	bool has_run; /* what the payload has written is not ours to take away because of a failure after it
		       */
};

/* --- what is asked for -------------------------------------------------------------------------- */

static int check_options(const struct launch_opts *o, struct err *e)
{
	enum launch_restart restart;
	int max, r = launch_restart_parse(o->restart, &restart, &max, e);

	if (r < 0)
		return r;
	if (!o->image || !*o->image)
		return err_text(e, EINVAL, "which image?");
	if (restart != LAUNCH_RESTART_NO && !o->detach)
		return err_text(e, EINVAL,
			"--restart %s needs a supervisor, which only a detached partition has: add --detach",
			o->restart);
	if (o->tty && !o->detach && o->interactive && !isatty(STDIN_FILENO))
		return err_text(e, EINVAL,
			"--tty with --interactive: standard input is no terminal; leave out --tty");
	return 0;
}

static int find_places(struct launching *l, struct err *e)
{
	char self[PATH_MAX];
	const char *root = l->ctx->rt->root;
	_cleanup_close_ int volumes = -EBADF;
	_cleanup_free_ char *absolute = root ? path_absolute(root) : NULL;
	char *end;
	int r = rt_own_program(self, sizeof(self), e);

	if (r < 0)
		return r;
	volumes = launch_data_open(l->ctx, "volumes", true, l->a, &l->at.volumes, e);
	if (volumes < 0)
		return volumes;
	l->at.bundle = l->d.path;
	l->at.self = arena_strdup(l->a, self);
	l->at.data = arena_strdup(l->a, l->at.volumes);
	l->at.rt_root = absolute ? arena_strdup(l->a, absolute) : NULL;
	l->at.rootless = l->ctx->rt->rootless >= 0 ? l->ctx->rt->rootless : rt_caller() != 0;
	end = l->at.data ? strrchr(l->at.data, '/') : NULL;
	if (!end || !l->at.self || (root && !l->at.rt_root))
		return err_set(e, root && !absolute ? errno : ENOMEM, "launch");
	*end = '\0';
	return 0;
}

static const char *now(struct arena *a)
{
	char text[LOG_TIME_MAX];
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	log_time(&t, text);
	return arena_strdup(a, text);
}

static int begin_record(struct launching *l, struct err *e)
{
	const struct launch_opts *o = l->o;
	struct launch_record *r = &l->d.record;
	const char *own_name = l->image.host ? NULL : l->image.name;

	*r = (struct launch_record){
		.name = r->name,
		.image = o->image,
		.image_name = own_name,
		.target = l->image.target,
		.image_id = l->image.id,
		.created = now(l->a),
		.rt_root = l->at.rt_root,
		.manager = l->ctx->rt->manager,
		.detach = o->detach,
		.interactive = o->interactive,
		.tty = o->tty,
		.rm = o->rm,
		.boot = o->boot,
		.stop_timeout = 10,
		.ids = -1,
	};
	return r->created ? 0 : err_set(e, ENOMEM, "launch");
}

/* What launch_config() left open, so that every record can be read again. */
static void complete_record(struct launch_record *r)
{
	if (!r->stop_signal)
		r->stop_signal = "SIGTERM";
	if (!r->network)
		r->network = "none";
	if (r->stop_timeout < 0)
		r->stop_timeout = 10;
}

/* --- on disk ------------------------------------------------------------------------------------ */

static int make_dir(int dir, const char *name, mode_t mode, struct err *e)
{
	/* chmod: whatever the umask is. */
	if (mkdirat(dir, name, 0700) < 0 || fchmodat(dir, name, mode, 0) < 0)
		return err_set(e, errno, "make directory %s of the partition", name);
	return 0;
}

/* The root of an overlay has the attributes of its upper directory: those of the image's, then. */
static int make_upper(const struct launching *l, struct err *e)
{
	struct stat st = { .st_mode = 0755 };
	int r = make_dir(l->d.fd, "upper", 0755, e);

	if (r < 0 || l->image.host || !l->root.n_layers)
		return r;
	if (fstat(l->root.layers[l->root.n_layers - 1].fd, &st) < 0)
		return err_set(e, errno, "root directory of image \"%s\"", l->o->image);
	if (((st.st_uid != geteuid() || st.st_gid != getegid()) &&
		    fchownat(l->d.fd, "upper", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		    geteuid() == 0) ||
		((st.st_mode & 07777) != 0755 && fchmodat(l->d.fd, "upper", st.st_mode & 07777, 0) < 0))
		return err_set(e, errno, "root directory of the partition");
	return 0;
}

static int make_dirs(const struct launching *l, struct err *e)
{
	/* Every user of the partition must be able to pass through what it is mounted on. */
	int r = make_dir(l->d.fd, "root", 0755, e);

	if (r == 0)
		r = make_upper(l, e);
	if (r == 0)
		r = make_dir(l->d.fd, "work", 0700, e);
	if (r == 0)
		r = launch_etc_write(l->d.fd, l->o, &l->d.record, NULL, e);
	return r;
}

static int write_config(const struct launching *l, const char *text, size_t len, struct err *e)
{
	return fd_replace_at(l->d.fd, "config.json", 0600, text, len, e);
}

/* Where config.json has a volume; NULL: nowhere. */
static const char *destination_of(const struct launching *l, const struct json *config, const char *volume)
{
	const char *source = arena_printf(l->a, "%s/%s/_data", l->at.volumes, volume), *text;
	const struct json *mount;

	json_each (mount, json_get(config, "mounts"))
		if (source && json_as_string(json_get(mount, "source"), "source", &text, NULL) == 0 &&
			str_eq(text, source) &&
			json_as_string(json_get(mount, "destination"), "destination", &text, NULL) == 0)
			return text;
	return NULL;
}

/* A new volume's directory is as the image has it there: the program's user may be the one who is to write to
 * it. launch_volumes_fill() copies what is in it, where that are directories. */
static int dress_volume(
	const struct launching *l, int volumes, const char *name, const struct json *config, struct err *e)
{
	const char *at = l->image.host ? NULL : destination_of(l, config, name);
	const char *data = arena_printf(l->a, "%s/_data", name);
	struct stat st;

	if (!data)
		return err_set(e, ENOMEM, "volume \"%s\"", name);
	if (!at || img_root_stat_dir(&l->root, at, &st, NULL) < 0)
		return 0;
	if ((geteuid() == 0 && fchownat(volumes, data, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0) ||
		fchmodat(volumes, data, st.st_mode & 07777, 0) < 0)
		return err_set(e, errno, "volume \"%s\"", name);
	return 0;
}

static int make_volumes(const struct launching *l, const char *text, size_t len, struct err *e)
{
	_cleanup_close_ int volumes = -EBADF;
	const struct json *config = NULL;
	const char *name, **fresh;
	size_t n = 0;
	int r;

	if (!l->d.record.volumes || !l->d.record.volumes[0])
		return 0;
	volumes = launch_data_open(l->ctx, "volumes", true, l->a, NULL, e);
	if (volumes < 0)
		return volumes;
	fresh = arena_calloc(l->a, strv_len(l->d.record.volumes) + 1, sizeof(*fresh));
	if (!fresh)
		return err_set(e, ENOMEM, "volumes");
	strv_each (name, l->d.record.volumes)
		if (faccessat(volumes, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			fresh[n++] = name;
	r = launch_volumes_make(volumes, &l->d.record, e);
	if (r == 0 && n)
		r = json_parse(l->a, text, len, "config.json", &config, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = dress_volume(l, volumes, fresh[i], config, e);
	return r < 0 ? r : launch_volumes_fill(&l->at, &l->image, text, len, e);
}

/* Docker's file with the container's id; a name is what we have. It must not be there: somebody else's
 * partition may be known by it. */
static int write_cidfile(struct launching *l, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!l->o->cidfile)
		return 0;
	fd = open(l->o->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return err_text(e, EEXIST,
			"--cidfile %s is there already; remove it if the partition that it names is gone",
			l->o->cidfile);
	if (fd < 0)
		return err_set(e, errno, "--cidfile %s", l->o->cidfile);
	l->cidfile = true;
	r = fd_write_all(fd, l->d.record.name, strlen(l->d.record.name));
	return r < 0 ? err_set(e, r, "--cidfile %s", l->o->cidfile) : 0;
}

static int interrupted(const struct launching *l, struct err *e)
{
	struct pollfd p = { .fd = l->stop_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 ? err_text(e, EINTR, "interrupted by a signal") : 0;
}

/* In a sandbox there is a kernel of its own between the partition's root and the host. */
static const char *userns_of(const struct launch_opts *o)
{
	return !o->userns && o->isolation && str_eq(o->isolation, "sandbox") ? "host" : o->userns;
}

/*
 * A sandbox's root file system may be a disk. That is quicker, but what is written to it ends with the
 * sandbox (docs/sandbox.md): for one that is removed then, or writes nothing, and for who asks for it.
 */
static bool wants_root_image(const struct launch_opts *o)
{
	static const char key[] = "io.ringfence.sandbox.root=", own[] = "io.ringfence.sandbox.root-image=";
	const char *s, *how = "auto";

	if (!o->isolation || !str_eq(o->isolation, "sandbox"))
		return false;
	strv_each (s, o->annotations) {
		if (str_starts(s, own))
			return false;
		if (str_starts(s, key))
			how = s + strlen(key);
	}
	return str_eq(how, "disk") || (str_eq(how, "auto") && (o->rm || o->read_only));
}

/* All but the payload. */
static int make(struct launching *l, struct err *e)
{
	struct launch_record *r = &l->d.record;
	const char *text = NULL;
	size_t len = 0;
	int s = find_places(l, e);

	if (s == 0)
		s = launch_image_find(
			l->ctx, l->o->image, l->o->pull, r->name, l->stop_fd, l->a, &l->root, &l->image, e);
	if (s == 0 && wants_root_image(l->o))
		launch_image_add_root(l->ctx, l->o->image, l->stop_fd, l->a, &l->root, &l->image);
	if (s == 0 && l->image.host)
		s = launch_host_take(l->ctx, &l->d, l->a, &l->at.host, e);
	if (s == 0)
		s = begin_record(l, e);
	if (s == 0)
		s = launch_ids_choose(l->ctx, userns_of(l->o), r->name, &r->ids, &r->n_ids, e);
	if (s == 0)
		s = launch_network_parse(l->ctx, l->o, l->at.rootless, r, l->a, e);
	if (s == 0)
		s = launch_network_plan(l->ctx, r, l->a, &l->net, e);
	if (s == 0)
		s = launch_config(l->o, &l->image, &l->at, &l->net, r, l->a, &text, &len, e);
	if (s < 0)
		return s;
	complete_record(r);
	s = launch_record_write(&l->d, r, e);
	if (s == 0)
		s = make_volumes(l, text, len, e);
	if (s == 0)
		s = make_dirs(l, e);
	if (s == 0)
		s = write_config(l, text, len, e);
	if (s == 0)
		s = write_cidfile(l, e);
	return s == 0 ? interrupted(l, e) : s;
}

/* --- the payload -------------------------------------------------------------------------------- */

static int state_now(const struct launching *l, struct launch_state *s, struct err *e)
{
	char letter;

	*s = (struct launch_state){
		.phase = LAUNCH_PHASE_UP,
		.boot_id = launch_boot_id(),
		.supervisor = getpid(),
		.started = now(l->a),
	};
	if (!s->started || rt_proc_stat(s->supervisor, &s->supervisor_start, &letter) < 0)
		return err_set(e, s->started ? ESRCH : ENOMEM, "launch");
	return launch_state_write(&l->d, s, e);
}

/* docker's meaning of not saying --interactive: there is nothing to read. */
static int close_stdin(const struct launch_opts *o, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;

	if (o->interactive)
		return 0;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		return err_set(e, errno, "open /dev/null as standard input");
	return 0;
}

/* Its end, for `ls`; nothing of it must have been removed meanwhile. */
static void write_end(struct launching *l, struct launch_state *s, int status, const struct err *why)
{
	struct launch_state latest;

	if (!launch_dir_there(&l->d))
		return;
	if (launch_state_read_at(l->d.fd, l->a, &latest, NULL) == 0)
		s->stopped_by_user = latest.stopped_by_user;
	s->phase = LAUNCH_PHASE_ENDED;
	s->finished = now(l->a);
	s->exit_code = status;
	s->error = why->code ? why->text : NULL;
	(void)launch_state_write(&l->d, s, NULL);
}

/* --rm. By the directory that we made and still hold: there may be another one of the name by now. */
static void remove_ours(struct launching *l)
{
	struct err e = ERR_INIT;
	int r = launch_lock(l->d.fd, RT_LOCK_SECONDS * 1000);

	if (r < 0)
		err_set(&e, r, "lock it");
	else if (launch_dir_there(&l->d))
		r = launch_remove(l->ctx, &l->d, true, true, l->a, &e);
	if (r < 0)
		log_warn("partition \"%s\" stays behind: %s", l->d.record.name, e.text);
}

static int run_here(struct launching *l, int *status, struct err *e)
{
	struct rt_oom oom = RT_OOM_INIT;
	const struct rt_create_opts o = {
		.id = l->d.record.name,
		.bundle = l->d.path,
		.pid_file = l->o->pid_file,
		/* Without a limit it is not worth the system calls. */
		.oom = l->o->memory.has && l->o->memory.v > 0 && !l->o->rm ? &oom : NULL,
	};
	_cleanup_(rt_partition_freep) struct rt_partition *left = NULL;
	struct launch_state s;
	int r = close_stdin(l->o, e);

	if (r == 0)
		r = launch_network_join(l->ctx, &l->d.record, e);
	if (r == 0)
		r = state_now(l, &s, e);
	if (r < 0)
		return r;
	/* Other verbs must get at it while it runs. Our own name for it stays open. */
	launch_dir_unlock(&l->d);
	r = rt_run(l->ctx->rt, &o, status, e);
	launch_network_explain(e);
	s.oom_killed = oom.killed;
	/* A start that failed leaves nothing in the runtime; what is there has run. */
	if (r < 0 && !l->has_run && rt_partition_open(l->ctx->rt, o.id, RT_UNLOCKED, &left, NULL) < 0)
		return r;
	l->has_run = true;
	/* Also of one that goes now: who waits for us with the lock in his hand, as `rm --force` does, reads
	 * it. */
	write_end(l, &s, *status, e ? e : &(struct err)ERR_INIT);
	if (l->o->rm)
		remove_ours(l);
	return r;
}

static int run_detached(struct launching *l, struct err *e)
{
	struct launch_info info;
	int r = launch_supervisor_start(l->ctx, &l->d, e);

	if (r < 0 || !l->o->pid_file)
		return r;
	r = launch_look(l->ctx, &l->d, l->a, &info, e);
	return r < 0 ? r : files_write_pid(l->o->pid_file, info.pid, e);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int own_name(struct launching *l, struct err *e)
{
	int r = -EEXIST;

	if (l->o->name)
		return launch_dir_new(l->ctx, l->o->name, l->a, &l->d, e);
	for (int attempt = 0; r == -EEXIST && attempt < 16; attempt++) {
		const char *name = launch_make_name(l->a, attempt);

		err_clear(e);
		r = name ? launch_dir_new(l->ctx, name, l->a, &l->d, e) : err_set(e, ENOMEM, "launch");
	}
	return r;
}

static void undo(struct launching *l)
{
	struct err e = ERR_INIT;
	bool locked = l->d.fd >= 0 && launch_lock(l->d.fd, RT_LOCK_SECONDS * 1000) == 0;

	if (l->cidfile)
		unlink(l->o->cidfile);
	if (!locked || !launch_dir_there(&l->d))
		return;
	/* Before there was a record, the pin is known by the name alone. */
	if (!l->d.record.image)
		l->d.damaged = true;
	if (launch_remove(l->ctx, &l->d, true, true, l->a, &e) < 0)
		log_warn("partition \"%s\" stays behind: %s", l->d.record.name, e.text);
}

int launch_run(const struct launch_ctx *ctx, const struct launch_opts *o, struct arena *a, const char **name,
	int *status, struct err *e)
{
	struct launching l = { .ctx = ctx, .o = o, .a = a, .d = LAUNCH_DIR_INIT, .stop_fd = -EBADF };
	sigset_t before;
	int r = check_options(o, e);

	*status = 0;
	if (r < 0)
		return r;
	sigprocmask(SIG_SETMASK, NULL, &before);
	attach_begin();
	l.stop_fd = attach_stop_fd(e);
	r = l.stop_fd < 0 ? l.stop_fd : own_name(&l, e);
	if (r == 0)
		r = make(&l, e);
	if (r == 0 && o->detach) {
		/* The supervisor gets our mask, and what has come until now ends us: it lives on. */
		sigprocmask(SIG_SETMASK, &before, NULL);
		r = run_detached(&l, e);
	} else if (r == 0) {
		r = run_here(&l, status, e);
	}
	if (r < 0 && l.d.fd >= 0 && !l.has_run)
		undo(&l);
	img_root_close(&l.root);
	*name = l.d.record.name;
	launch_dir_close(&l.d);
	fd_close(l.stop_fd);
	/* What asked us to end is done now. */
	if (r < 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
