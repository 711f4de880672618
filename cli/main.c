/* SPDX-License-Identifier: Apache-2.0 */
/* The program: global options, the table of verbs, the one error message, the exit status. */
#include "cli/cli.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/steps.h"
#include "cli/bench_exec.h"
#include "cli/image_exec.h"
#include "launch/supervise.h"
#include "runtime/seal.h"
#include "sandbox/ask.h"
#include "sandbox/engine.h"
#include "spec/features.h"

#ifdef HAVE_SYSTEMD
#define WITH_SYSTEMD true
#else
#define WITH_SYSTEMD false
#endif

static const struct cli_verb *const verbs[] = {
	&verb_launch,
	&verb_ls,
	&verb_rm,
	&verb_inspect,
	&verb_run,
	&verb_create,
	&verb_start,
	&verb_exec,
	&verb_kill,
	&verb_delete,
	&verb_state,
	&verb_list,
	&verb_ps,
	&verb_pause,
	&verb_resume,
	&verb_update,
	&verb_events,
	&verb_spec,
	&verb_features,
	&verb_doctor,
	&verb_cp,
	&verb_port,
	&verb_network_hook,
	&verb_logs,
	&verb_attach,
	&verb_stop,
	&verb_restart,
	&verb_rename,
	&verb_wait,
	&verb_generate,
	&verb_supervise,
	&verb_stats,
	&verb_top,
	&verb_commit,
	&verb_volume,
};

/* --- global options --------------------------------------------------------------------------- */

struct global_options {
	const char *root, *data, *store, *cgroup_manager, *rootless, *criu;
	struct log_options log;
	bool systemd_cgroup, version;
};

#define AT(field) offsetof(struct global_options, field)
static const struct opt global_table[] = {
	{ "root", 0, OPT_STRING, AT(root), "DIR",
		"where state is kept (default /run/ringfence, or $XDG_RUNTIME_DIR/ringfence)" },
	{ "data", 0, OPT_STRING, AT(data), "DIR",
		"where launched partitions and volumes are kept (default $RINGFENCE_DATA, "
		"/var/lib/ringfence, or "
		"~/.local/share/ringfence)" },
	{ "store", 0, OPT_STRING, AT(store), "DIR",
		"where images are kept (default $RINGFENCE_STORE, or \"store\" in the data directory)" },
	LOG_OPTIONS(AT(log)),
	{ "systemd-cgroup", 0, OPT_BOOL, AT(systemd_cgroup), NULL,
		"let systemd manage cgroups (--cgroup-manager systemd)" },
	{ "cgroup-manager", 0, OPT_STRING, AT(cgroup_manager), "NAME",
		"cgroupfs (default), systemd or disabled" },
	{ "rootless", 0, OPT_STRING, AT(rootless), "MODE",
		"auto (default), true or false: run without root's powers" },
	{ "criu", 0, OPT_STRING, AT(criu), "PATH", "accepted and ignored, for engines that still pass it" },
	{ "version", 'v', OPT_BOOL, AT(version), NULL, "print versions and built-in features" },
	{ "version", 'V', OPT_BOOL, AT(version), NULL, NULL },
	{ 0 },
};
#undef AT

static int parse_manager(const struct global_options *o, enum cgrp_manager *out, struct err *e)
{
	static const char *const names[] = {
		[CGRP_CGROUPFS] = "cgroupfs",
		[CGRP_SYSTEMD] = "systemd",
		[CGRP_DISABLED] = "disabled",
	};
	/* The option that can say more wins: podman adds `--cgroup-manager disabled` to what the engine
	 * passes anyway. */
	const char *name = o->cgroup_manager ? o->cgroup_manager : o->systemd_cgroup ? "systemd" : "cgroupfs";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!str_eq(name, names[i]))
			continue;
		if (i == CGRP_SYSTEMD && !WITH_SYSTEMD)
			return err_text(e, EINVAL,
				"systemd cgroup manager: this ringfence was built with --disable-systemd");
		*out = (enum cgrp_manager)i;
		return 0;
	}
	return err_text(
		e, EINVAL, "option --cgroup-manager must be cgroupfs, systemd or disabled, not \"%s\"", name);
}

static int parse_rootless(const char *mode, int *out, struct err *e)
{
	bool on;

	if (!mode || str_eq(mode, "auto")) {
		*out = -1;
		return 0;
	}
	if (options_parse_bool(mode, &on) < 0)
		return err_text(e, EINVAL, "option --rootless must be auto, true or false, not \"%s\"", mode);
	*out = on;
	return 0;
}

/* --- help and version ------------------------------------------------------------------------- */

static void describe_program(struct strbuf *out)
{
	strbuf_puts(out, "Usage: ringfence [OPTIONS] COMMAND [ARGUMENTS]\n\nRun OCI bundles as partitions of "
			 "this host.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!verbs[i]->hidden)
			cli_list_verb(verbs[i]->name, verbs[i]->summary, out);
	image_exec_list(out);
	bench_exec_list(out);
	strbuf_puts(out, "\nOptions:\n");
	options_describe(global_table, out);
	strbuf_puts(out,
		"\n\"ringfence COMMAND --help\" tells about a command, ringfence(8) about all of them.\n");
}

static int print_help(const struct cli_verb *v, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	if (v)
		cli_describe_verb(&v->verb, &out);
	else
		describe_program(&out);
	return out.failed ? err_set(e, ENOMEM, "help") : cli_print(out.s, out.len, e);
}

/* dockerd parses "NAME version VERSION", "commit: …" and "spec: …"; podman and CRI-O show all of it. */
static int print_version(struct err *e)
{
	static const char text[] = PACKAGE_NAME " version " PACKAGE_VERSION "\n"
						"commit: " GIT_COMMIT "\n"
						"spec: " SPEC_VERSION_MAX "\n"
#ifdef HAVE_SYSTEMD
						"+SYSTEMD "
#endif
						"+SELINUX +APPARMOR +CAP +SECCOMP +EBPF +YAJL\n";

	return cli_print(text, strlen(text), e);
}

/* --- running a verb --------------------------------------------------------------------------- */

static const struct cli_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

static int run_verb(const struct cli_verb *v, const struct rt_ctx *ctx, int argc, char **argv, struct err *e)
{
	void *options;
	int first = 0, r = cli_parse_verb(&v->verb, argc, argv, &options, &first, e);

	if (r == OPTIONS_HELP)
		r = print_help(v, e);
	else if (r == 0)
		r = v->run(ctx, options, argv + first, e);
	else if (v->not_understood)
		r = v->not_understood;
	cli_free_options(&v->verb, options);
	return r;
}

/* `pull` and its kin, and `help pull`: another program's. */
static int run_image_verb(const struct global_options *o, char **argv, struct err *e)
{
	char help[] = "--help", *ask[] = { argv[1], help, NULL };

	return image_exec(&o->log, o->data, o->store, str_eq(argv[0], "help") ? ask : argv, e);
}

/* `bench`, and `help bench`: another program's too. It takes none of the global options: it calls us as users
 * do. */
static int run_bench(char **argv, struct err *e)
{
	char help[] = "--help", *ask[] = { argv[1], help, NULL };

	return bench_exec(str_eq(argv[0], "help") ? ask : argv, e);
}

static int run_command(const struct rt_ctx *ctx, int argc, char **argv, char **whole, struct err *e)
{
	const struct cli_verb *v = find_verb(argv[0]);
	int r = v && v->executes ? seal_self(whole, e) : 0;

	if (r < 0)
		return r;
	/* The payload's, unless its config says otherwise (runc and crun agree), and that of what is made for
	 * it. */
	if (v && v->executes)
		umask(022);
	if (v)
		return run_verb(v, ctx, argc, argv, e);
	if (!str_eq(argv[0], "help"))
		return err_text(e, EINVAL, "unknown command \"%s\"; see \"ringfence --help\"", argv[0]);
	v = argc > 1 ? find_verb(argv[1]) : NULL;
	if (argc > 1 && !v)
		return err_text(e, EINVAL, "unknown command \"%s\"; see \"ringfence --help\"", argv[1]);
	return print_help(v, e);
}

/* inspect is a verb of both: ours hands on what is about images. */
static bool is_image_verb(const char *name)
{
	return !find_verb(name) && image_exec_knows(name);
}

static int run(int argc, char **argv, struct err *e)
{
	struct global_options o = { 0 };
	struct rt_ctx ctx = { 0 };
	int first = argc, r;

	r = options_parse(global_table, false, &o, argc, argv, &first, e);
	if (r < 0)
		return err_hint(e, "see \"ringfence --help\"");
	if (r == OPTIONS_HELP)
		return print_help(NULL, e);
	if (o.version)
		return print_version(e);
	r = cli_open_log(&o.log, e);
	if (r < 0)
		return r;
	if (o.criu)
		log_debug("option --criu is ignored: there is no checkpoint command yet");
	if (first >= argc)
		return err_text(e, EINVAL, "no command given; see \"ringfence --help\"");
	if (is_image_verb(argv[first]) ||
		(str_eq(argv[first], "help") && first + 1 < argc && is_image_verb(argv[first + 1])))
		return run_image_verb(&o, argv + first, e);
	if (bench_exec_knows(argv[first]) ||
		(str_eq(argv[first], "help") && first + 1 < argc && bench_exec_knows(argv[first + 1])))
		return run_bench(argv + first, e);
	r = parse_manager(&o, &ctx.manager, e);
	if (r == 0)
		r = parse_rootless(o.rootless, &ctx.rootless, e);
	if (r < 0)
		return r;
	ctx.root = o.root;
	ctx.data = o.data;
	ctx.store = o.store;
	ctx.log = o.log.log;
	ctx.log_format = o.log.log_format;
	ctx.log_level = o.log.log_level;
	ctx.debug = log_enabled(LOG_LEVEL_DEBUG);
	return run_command(&ctx, argc - first, argv + first, argv, e);
}

/*
 * Ignored and blocked signals are inherited: from whoever calls us, and by all that we run. Without SIGCHLD
 * no child of ours is ever seen to end; a shell starts its background jobs with SIGINT ignored, Python
 * everything with SIGPIPE. For ourselves two signals are blocked, which makes errors of what would kill us
 * halfway: a write into a pipe that nobody reads (EPIPE), and one beyond RLIMIT_FSIZE (EFBIG). What we run
 * starts with none blocked.
 */
static void reset_signals(void)
{
	char text[4096], *p = NULL;
	uint64_t ignored = UINT64_MAX; /* all, where procfs does not tell */
	sigset_t ours;

	/* A supervisor that was woken by one, which is still pending: all are as it set them. */
	if (launch_supervise_woken())
		return;
	if (fd_get_at(AT_FDCWD, "/proc/self/status", text, sizeof(text)) > 0)
		p = strstr(text, "\nSigIgn:\t");
	if (p)
		ignored = strtoull(p + strlen("\nSigIgn:\t"), NULL, 16);
	for (int s = 1; ignored; s++, ignored >>= 1)
		if (ignored & 1)
			signal(s, SIG_DFL);
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigaddset(&ours, SIGXFSZ);
	sigprocmask(SIG_SETMASK, &ours, NULL);
}

static bool called_sandbox;

/* "ringfence-sandbox": what a RuntimeClass, containerd's BinaryName or docker's and podman's --runtime point
 * at. */
static void choose_engine(const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	rt_register_engine(&vm_engine);
	rt_register_engine(&vm_member_engine);
	called_sandbox = name && str_eq(slash ? slash + 1 : name, "ringfence-sandbox");
}

const char *cli_isolation(const char *option)
{
	return option || !called_sandbox ? option : "sandbox";
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r;

	/* One brk(2) for all that a command needs: the heap of a process that lives for milliseconds never
	 * shrinks. */
	mallopt(M_TOP_PAD, 512 * 1024);
	cli_fill_stdio();
	reset_signals();
	choose_engine(argv[0]);
	steps_open();
	step_done("program");
	r = run(argc, argv, &e);
	if (e.code)
		log_error("%s", e.text);
	return r < 0 ? CLI_FAILURE : r;
}
