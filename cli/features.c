/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence features: what this binary understands (runtime-spec, features.md), from the tables that the
 * parsers use. */
#include "cli/cli.h"

#include "base/str.h"
#include "namespaces/mount_options.h"
#include "security/seccomp.h"
#include "spec/features.h"

#ifdef HAVE_SYSTEMD
#define WITH_SYSTEMD true
#else
#define WITH_SYSTEMD false
#endif

static const struct opt options[] = { { 0 } };

/*
 * Annotations that make the runtime, or one that it stands in for, do something: whoever runs configs of
 * others keeps these out. A final '.' stands for a prefix.
 */
static const char *const unsafe_annotations[] = { "org.criu.config", "org.systemd.property.", "run.oci.",
	NULL };

static void put_list(struct json_writer *w, const char *name, const char *const *list)
{
	json_put_strv(w, name, (char *const *)list);
}

static void put_array(struct json_writer *w, const char *name, const char *const *list, size_t n)
{
	json_open_array(w, name);
	for (size_t i = 0; i < n; i++)
		json_put_string(w, NULL, list[i]);
	json_close_array(w);
}

static void put_words(struct json_writer *w, const char *name, const struct spec_word *words)
{
	json_open_array(w, name);
	for (; words->name; words++)
		json_put_string(w, NULL, words->name);
	json_close_array(w);
}

static void put_enabled(struct json_writer *w, const char *name, bool enabled)
{
	json_open_object(w, name);
	json_put_bool(w, "enabled", enabled);
	json_close_object(w);
}

static void put_capabilities(struct json_writer *w)
{
	json_open_array(w, "capabilities");
	for (int cap = 0; cap <= SPEC_CAP_LAST; cap++)
		json_put_string(w, NULL, spec_cap_name(cap));
	json_close_array(w);
}

static void put_cgroup(struct json_writer *w)
{
	json_open_object(w, "cgroup");
	json_put_bool(w, "v1", true);
	json_put_bool(w, "v2", true);
	json_put_bool(w, "systemd", WITH_SYSTEMD);
	json_put_bool(w, "systemdUser", WITH_SYSTEMD);
	json_put_bool(w, "rdma", true);
	json_close_object(w);
}

static void put_seccomp(struct json_writer *w)
{
	const char *supported[8];
	int n = seccomp_supported_flags(supported);

	json_open_object(w, "seccomp");
	json_put_bool(w, "enabled", true);
	put_list(w, "actions", seccomp_actions);
	put_list(w, "operators", seccomp_operators);
	put_list(w, "archs", seccomp_archs);
	put_list(w, "knownFlags", seccomp_known_flags);
	put_array(w, "supportedFlags", supported, n > 0 ? (size_t)n : 0);
	json_close_object(w);
}

static void put_linux(struct json_writer *w)
{
	json_open_object(w, "linux");
	put_array(w, "namespaces", spec_ns_names, SPEC_NS_KINDS);
	put_capabilities(w);
	put_cgroup(w);
	put_seccomp(w);
	put_enabled(w, "apparmor", true);
	put_enabled(w, "selinux", true);

	json_open_object(w, "intelRdt");
	json_put_bool(w, "enabled", true);
	json_put_bool(w, "schemata", true);
	json_put_bool(w, "monitoring", true);
	json_close_object(w);

	json_open_object(w, "memoryPolicy");
	put_words(w, "modes", spec_memory_mode_words);
	put_words(w, "flags", spec_memory_flag_words);
	json_close_object(w);

	json_open_object(w, "mountExtensions");
	put_enabled(w, "idmap", true);
	json_close_object(w);
	put_enabled(w, "netDevices", true);
	json_close_object(w);
}

static int features(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "features");
	json_open_object(w, NULL);
	json_put_string(w, "ociVersionMin", SPEC_VERSION_MIN);
	json_put_string(w, "ociVersionMax", SPEC_VERSION_MAX);
	put_array(w, "hooks", spec_hook_names, SPEC_HOOK_KINDS);
	put_list(w, "mountOptions", mnt_option_names);
	put_linux(w);
	json_open_object(w, "annotations");
	json_put_string(w, "io.github.seccomp.libseccomp.version", seccomp_library_version());
	json_put_string(w, "org.opencontainers.runc.checkpoint.enabled", "false");
	json_put_string(w, "ringfence.version", PACKAGE_VERSION);
	json_put_string(w, "ringfence.commit", GIT_COMMIT);
	json_close_object(w);
	put_list(w, "potentiallyUnsafeConfigAnnotations", unsafe_annotations);
	json_close_object(w);
	return cli_print_json(w, e);
}

const struct cli_verb verb_features = {
	.name = "features",
	.summary = "Print what this runtime supports as JSON",
	.options = options,
	.run = features,
};
