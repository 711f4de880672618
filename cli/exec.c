/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence exec: one more command in a running partition. */
#include "cli/cli.h"

struct exec_options {
	const char *console_socket, *pidfd_socket, *cwd, *user, *process, *pid_file, *process_label,
		*apparmor;
	char **env, **additional_gids, **caps, **cgroups;
	int tty, no_new_privs, preserve_fds;
	bool detach, ignore_paused;
};

#define AT(field) offsetof(struct exec_options, field)
static const struct opt options[] = {
	{ "process", 'p', OPT_STRING, AT(process), "FILE",
		"all about the command: a process object as in config.json" },
	{ "cwd", 0, OPT_STRING, AT(cwd), "DIR", "its working directory" },
	{ "env", 'e', OPT_LIST, AT(env), "NAME=VALUE", "add to its environment; may be repeated" },
	{ "tty", 't', OPT_TRI, AT(tty), NULL, "give it a terminal" },
	{ "user", 'u', OPT_STRING, AT(user), "UID[:GID]", "run it as this user" },
	{ "additional-gids", 'g', OPT_LIST, AT(additional_gids), "GID", "add a group; may be repeated" },
	{ "cap", 'c', OPT_LIST, AT(caps), "NAME", "add a capability; may be repeated" },
	{ "no-new-privs", 0, OPT_TRI, AT(no_new_privs), NULL,
		"keep it from gaining privileges by execve(2)" },
	{ "process-label", 0, OPT_STRING, AT(process_label), "LABEL", "its SELinux label" },
	{ "apparmor", 0, OPT_STRING, AT(apparmor), "PROFILE", "its AppArmor profile" },
	{ "cgroup", 0, OPT_LIST, AT(cgroups), "[CTRL:]PATH", "run it in this sub-cgroup; may be repeated" },
	{ "detach", 'd', OPT_BOOL, AT(detach), NULL, "return as soon as the command runs" },
	{ "pid-file", 0, OPT_STRING, AT(pid_file), "FILE", "where to write its pid" },
	{ "console-socket", 0, OPT_STRING, AT(console_socket), "PATH",
		"Unix socket that gets the terminal's master" },
	{ "pidfd-socket", 0, OPT_STRING, AT(pidfd_socket), "PATH",
		"Unix socket that gets a pidfd of the command" },
	{ "preserve-fds", 0, OPT_COUNT, AT(preserve_fds), "N", "also hand on descriptors 3 to 3+N-1" },
	{ "ignore-paused", 0, OPT_BOOL, AT(ignore_paused), NULL,
		"in a paused partition: wait until it goes on, instead of failing" },
	{ 0 },
};
#undef AT

static const struct exec_options defaults = { .tty = -1, .no_new_privs = -1 };

/*
 * A process.json says everything itself. conmon passes --tty beside it, which says the same again; whatever
 * else would contradict it is refused rather than dropped.
 */
static int check_process_file(const struct exec_options *o, char *const *command, struct err *e)
{
	const struct {
		bool given;
		const char *name;
	} not_with[] = {
		{ command[0] != NULL, "a command" },
		{ o->cwd != NULL, "--cwd" },
		{ o->env != NULL, "--env" },
		{ o->user != NULL, "--user" },
		{ o->additional_gids != NULL, "--additional-gids" },
		{ o->caps != NULL, "--cap" },
		{ o->no_new_privs != -1, "--no-new-privs" },
		{ o->process_label != NULL, "--process-label" },
		{ o->apparmor != NULL, "--apparmor" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(not_with); i++)
		if (not_with[i].given)
			return err_text(e, EINVAL, "exec: %s cannot be combined with --process; say it in %s",
				not_with[i].name, o->process);
	return 0;
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct exec_options *o = values;
	const struct rt_exec_opts x = {
		.id = args[0],
		.process_file = o->process,
		.args = o->process ? NULL : args + 1,
		.cwd = o->cwd,
		.env = o->env,
		.tty = o->tty,
		.user = o->user,
		.additional_gids = o->additional_gids,
		.caps = o->caps,
		.cgroups = o->cgroups,
		.console_socket = o->console_socket,
		.pidfd_socket = o->pidfd_socket,
		.pid_file = o->pid_file,
		.process_label = o->process_label,
		.apparmor = o->apparmor,
		.no_new_privs = o->no_new_privs == 1,
		.no_new_privs_given = o->no_new_privs != -1,
		.detach = o->detach,
		.ignore_paused = o->ignore_paused,
		.preserve_fds = o->preserve_fds,
	};
	bool exec_failed = false;
	int status = 0, r;

	if (o->process) {
		r = check_process_file(o, args + 1, e);
		if (r < 0)
			return r;
	} else if (!args[1]) {
		return err_text(e, EINVAL, "exec: no command given; see \"ringfence exec --help\"");
	}
	r = rt_exec(ctx, &x, &status, &exec_failed, e);
	if (r < 0)
		return exec_failed ? CLI_EXEC_FAILURE : r;
	return status;
}

const struct cli_verb verb_exec = {
	.executes = true,
	.name = "exec",
	.args = "CONTAINER [COMMAND [ARGUMENTS...]]",
	.min_args = 1,
	.max_args = -1,
	.in_order = true,
	.summary = "Run one more command in a partition, and exit with its status",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct exec_options),
	.run = run,
};
