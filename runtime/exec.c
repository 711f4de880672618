/* SPDX-License-Identifier: Apache-2.0 */
/* exec: what process to add to a living partition, out of its config and the command line. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/engine.h"

/* "UID[:GID]", decimal and nothing else: "1x" or ":1" must never become 0:0 (CVE-2026-30892). */
static int parse_user(const char *text, struct spec_user *u, struct err *e)
{
	char uid[16];
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	uint32_t id, gid = 0;

	if (n >= sizeof(uid))
		goto bad;
	memcpy(uid, text, n);
	uid[n] = '\0';
	if (str_to_u32(uid, &id) < 0 || (colon && str_to_u32(colon + 1, &gid) < 0) || id == UINT32_MAX ||
		gid == UINT32_MAX)
		goto bad;
	u->uid = id;
	/* Without a group the config's stays. */
	if (colon)
		u->gid = gid;
	return 0;
bad:
	return err_text(e, EINVAL,
		"--user \"%s\" must be UID or UID:GID, decimal numbers from 0 to 4294967294", text);
}

static int add_groups(struct arena *a, struct spec_user *u, char *const *groups, struct err *e)
{
	size_t n = strv_len(groups);
	uint32_t *list;
	const char *s;

	if (n == 0)
		return 0;
	list = arena_calloc(a, u->n_additional_gids + n, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "--additional-gids");
	if (u->n_additional_gids)
		memcpy(list, u->additional_gids, u->n_additional_gids * sizeof(*list));
	strv_each (s, groups)
		if (str_to_u32(s, &list[u->n_additional_gids++]) < 0)
			return err_text(e, EINVAL,
				"--additional-gids \"%s\" must be a group id, a decimal number", s);
	u->additional_gids = list;
	return 0;
}

/* In every set but inheritable and ambient: a capability that leaks through an exec of a file is nobody's
 * wish (CVE-2022-29162). */
static int add_caps(struct spec_caps *c, char *const *names, struct err *e)
{
	const char *s;

	strv_each (s, names) {
		int cap = spec_cap_from_name(s);

		if (cap < 0)
			return err_text(e, EINVAL,
				"--cap \"%s\" is no capability; they are called CAP_NET_ADMIN, CAP_KILL and "
				"so "
				"on, see capabilities(7)",
				s);
		c->present = true;
		c->bounding |= 1ULL << cap;
		c->effective |= 1ULL << cap;
		c->permitted |= 1ULL << cap;
	}
	return 0;
}

static int add_env(struct arena *a, struct spec_process *proc, char *const *more, struct err *e)
{
	size_t have = strv_len(proc->env), n = strv_len(more);
	char **env;

	if (n == 0)
		return 0;
	env = arena_calloc(a, have + n + 1, sizeof(char *));
	if (!env)
		return err_set(e, ENOMEM, "--env");
	if (have)
		memcpy(env, proc->env, have * sizeof(char *));
	memcpy(env + have, more, n * sizeof(char *));
	proc->env = env;
	return 0;
}

static int from_options(
	struct arena *a, struct spec_process *proc, const struct rt_exec_opts *o, struct err *e)
{
	int r = 0;

	if (!o->args || !o->args[0])
		return err_text(
			e, EINVAL, "exec: no command: give one after the container id, or --process FILE");
	proc->args = (char **)o->args;
	if (o->cwd) {
		if (o->cwd[0] != '/')
			return err_text(e, EINVAL, "--cwd \"%s\" must be an absolute path", o->cwd);
		proc->cwd = o->cwd;
	}
	proc->terminal = o->tty > 0;
	proc->has_console_size = false;
	if (o->user)
		r = parse_user(o->user, &proc->user, e);
	if (r == 0)
		r = add_groups(a, &proc->user, o->additional_gids, e);
	if (r == 0)
		r = add_caps(&proc->caps, o->caps, e);
	if (r == 0)
		r = add_env(a, proc, o->env, e);
	if (o->process_label)
		proc->selinux_label = o->process_label;
	if (o->apparmor)
		proc->apparmor_profile = o->apparmor;
	if (o->no_new_privs_given)
		proc->no_new_privileges = o->no_new_privs;
	return r;
}

static int from_file(struct arena *a, struct spec_process *proc, const struct rt_exec_opts *o, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = open(o->process_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len;
	int r;

	if (fd < 0)
		return err_set(e, errno, "open process file %s", o->process_file);
	r = fd_read_all(fd, SPEC_FILE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, "read process file %s", o->process_file);
	r = spec_parse_process(a, text, len, proc, e);
	if (r < 0)
		return err_wrap(e, "process file %s", o->process_file);
	if (!proc->args || !proc->args[0])
		return err_text(e, EINVAL, "process file %s: args is missing", o->process_file);
	if (o->tty > 0)
		proc->terminal = true;
	return 0;
}

int rt_exec(
	const struct rt_ctx *ctx, const struct rt_exec_opts *o, int *status, bool *exec_failed, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	struct spec_process proc;
	enum rt_status now;
	int r;

	*status = 0;
	*exec_failed = false;
	/* Not locked: any number of execs at once, and none of them in the way of a kill. */
	r = rt_partition_open(ctx, o->id, RT_UNLOCKED, &p, e);
	if (r == 0)
		r = rt_partition_status(p, &now, e);
	if (r < 0)
		return r;
	if (now == RT_STOPPED || now == RT_CREATING)
		return err_text(e, ESRCH, "cannot exec in a stopped container: \"%s\" is %s", o->id,
			rt_status_names[now]);
	if (now == RT_PAUSED && !o->ignore_paused)
		return err_text(e, EBUSY,
			"cannot exec in a paused container: resume \"%s\" first, or use --ignore-paused",
			o->id);
	r = rt_partition_spec(p, e);
	if (r < 0)
		return r;
	if (o->process_file) {
		r = from_file(p->arena, &proc, o, e);
	} else {
		if (!p->spec->has_process)
			return err_text(e, EINVAL,
				"config.json of container \"%s\" has no process to start from: use --process "
				"FILE",
				o->id);
		proc = p->spec->process;
		r = from_options(p->arena, &proc, o, e);
	}
	if (r < 0)
		return r;
	return p->engine->exec(p, o, &proc, status, exec_failed, e);
}
