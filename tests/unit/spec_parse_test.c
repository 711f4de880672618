/* SPDX-License-Identifier: Apache-2.0 */
/* The top level of config.json, mounts, hooks, vm; documents of engines. */
#include "tests/unit/spec_test.h"

#include <fcntl.h>

static int parse(const char *text, struct err *e)
{
	_cleanup_free_ char *doc = quoted(text);
	struct spec *s = NULL;
	int r = spec_parse(doc, strlen(doc), &s, e);

	if (r == 0)
		spec_free(s);
	return r;
}

static void test_versions(void **state)
{
	static const char *const taken[] = { "1.0.0", "1.0.2", "1.0.2-dev", "1.0.0-rc5", "1.0.0-rc5-dev",
		"1.1.0+dev", "1.1.0-rc.1", "1.2.1", "1.3.0", "1.3.0-rc.2+dev", "1.3.99" };
	static const char *const malformed[] = { "", "1", "1.0", "1.0.", "1.0.0-", "1.0.0+", "v1.0.0",
		"1.0.0 ", "1.0.0.0", "01.0.0", "1.00.0", "1.0.0-a_b", "1.99999999999999999999.0", "-1.0.0",
		"1.0.0\\n" };
	char text[200], error[200];

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		struct err e = ERR_INIT;

		snprintf(text, sizeof(text), "{'ociVersion':'%s'}", taken[i]);
		if (parse(text, &e) < 0)
			fail_msg("%s: %s", taken[i], e.text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct err e = ERR_INIT;

		snprintf(text, sizeof(text), "{'ociVersion':'%s'}", malformed[i]);
		assert_int_equal(parse(text, &e), -EINVAL);
		if (!strstr(e.text, "ociVersion must be a version such as 1.3.0, not \""))
			fail_msg("%s: %s", malformed[i], e.text);
	}
	static const char *const others[] = { "0.5.0-dev", "1.4.0", "2.0.0", "1.10.0" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct err e = ERR_INIT;

		snprintf(text, sizeof(text), "{'ociVersion':'%s'}", others[i]);
		snprintf(error, sizeof(error), "ociVersion %s is not supported; supported are 1.0.0 to 1.3.x",
			others[i]);
		assert_int_equal(parse(text, &e), -EINVAL);
		assert_string_equal(e.text, error);
	}
}

static void test_whole_document(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "[]", "config.json must be an object, not an array" },
		{ "null", "config.json must be an object, not null" },
		{ "", "parse config.json: it is empty" },
		{ "{}", "ociVersion is required" },
		{ "{'ociVersion':null}", "ociVersion is required" },
		{ "{'ociVersion':1}", "ociVersion must be a string, not a number" },
		{ "{'ociVersion':'1.0.0'} x", NULL },
		{ "{'ociVersion':'1.0.0',}", NULL },
		{ "{'ociVersion':'1.0.0\\u0000'}", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = ERR_INIT;

		assert_int_equal(parse(cases[i].text, &e), -EINVAL);
		if (cases[i].error)
			assert_string_equal(e.text, cases[i].error);
		else
			assert_non_null(strstr(e.text, "parse config.json: line 1, column "));
	}
}

static void test_minimal(void **state)
{
	struct spec *s = good("");

	assert_string_equal(s->oci_version, "1.2.0");
	assert_false(s->has_root);
	assert_false(s->has_process);
	assert_false(s->resources.present);
	assert_false(s->seccomp.present);
	assert_false(s->vm.present);
	assert_null(s->notes);
	assert_int_equal(s->n_mounts, 0);
	spec_free(s);
	spec_free(NULL);
}

static void test_null_is_absent(void **state)
{
	struct spec *s = good(
		",'root':null,'mounts':null,'process':null,'hostname':null,'domainname':null,'hooks':null,"
		"'annotations':null,'linux':null,'vm':null,'solaris':{},'windows':null");

	assert_false(s->has_root);
	assert_false(s->has_process);
	spec_free(s);
	s = good(",'linux':{'namespaces':null,'uidMappings':null,'gidMappings':null,'timeOffsets':null,'"
		 "devices':null,"
		 "'netDevices':null,'cgroupsPath':null,'resources':null,'rootfsPropagation':null,'seccomp':"
		 "null,"
		 "'sysctl':null,'maskedPaths':null,'readonlyPaths':null,'mountLabel':null,'intelRdt':null,"
		 "'memoryPolicy':null,'personality':null},'hooks':{'prestart':null},'annotations':{'a':null,'"
		 "b':'c'}");
	assert_false(s->resources.present);
	assert_false(s->intel_rdt.present);
	assert_int_equal(s->n_annotations, 1);
	spec_free(s);
}

static void test_unknown_properties_are_ignored(void **state)
{
	struct spec *s = good(
		",'x':1,'org.example':{'y':[1,{}]},'root':{'path':'r','colour':'blue'},'linux':{'new':[]}");

	assert_string_equal(s->root_path, "r");
	spec_free(s);
}

static void test_last_of_equal_names_counts(void **state)
{
	struct spec *s =
		good(",'hostname':'a','root':{'path':'a'},'root':{'path':'b'},"
		     "'annotations':{'k':'1','l':'2','k':'3','k':'4','m':'5','m':null},"
		     "'linux':{'namespaces':[{'type':'pid'},{'type':'pid'}],'namespaces':[{'type':'uts'}]}");

	assert_string_equal(s->root_path, "b");
	assert_int_equal(s->n_annotations, 2);
	assert_string_equal(s->annotations[0].key, "l");
	assert_string_equal(spec_annotation(s, "k"), "4");
	assert_null(spec_annotation(s, "m"));
	assert_null(spec_annotation(s, "none"));
	assert_true(s->ns[SPEC_NS_UTS].present);
	assert_false(s->ns[SPEC_NS_PID].present);
	spec_free(s);
}

static void test_top_level(void **state)
{
	static const struct refusal refused[] = {
		{ ",'root':'rootfs'", "root must be an object, not a string" },
		{ ",'root':{}", "root.path is required" },
		{ ",'root':{'path':''}", "root.path must not be empty" },
		{ ",'root':{'path':['a']}", "root.path must be a string, not an array" },
		{ ",'root':{'path':'r','readonly':'true'}", "root.readonly must be a boolean, not a string" },
		{ ",'hostname':1", "hostname must be a string, not a number" },
		{ ",'hostname':'h'", "hostname needs a uts namespace in linux.namespaces" },
		{ ",'domainname':'h','linux':{'namespaces':[{'type':'pid'}]}",
			"domainname needs a uts namespace in linux.namespaces" },
		{ ",'hostname':'0123456789012345678901234567890123456789012345678901234567890123456789'",
			"hostname must have at most 64 bytes, not 70" },
		{ ",'annotations':[]", "annotations must be an object, not an array" },
		{ ",'annotations':{'a':1}", "annotations[\"a\"] must be a string, not a number" },
		{ ",'annotations':{'':'x'}",
			"annotations[\"\"]: the key of an annotation must not be empty" },
		{ ",'mounts':{}", "mounts must be an array, not an object" },
		{ ",'linux':[]", "linux must be an object, not an array" },
		{ ",'linux':{'namespaces':[{'type':'uts'}],'sysctl':{'kernel.hostname':'b'}},'hostname':'a'",
			"linux.sysctl[\"kernel.hostname\"] is set by the property hostname already" },
		{ ",'linux':{'namespaces':[{'type':'uts'}],'sysctl':{'kernel/"
		  "domainname':'b'}},'domainname':'a'",
			"linux.sysctl[\"kernel/domainname\"] is set by the property domainname already" },
	};
	static const char *const taken[] = {
		",'hostname':''",
		",'hostname':'h','domainname':'d','linux':{'namespaces':[{'type':'uts'}]}",
		",'hostname':'h','linux':{'namespaces':[{'type':'uts','path':'/proc/1/ns/uts'}]}",
		",'linux':{'namespaces':[{'type':'uts'}],'sysctl':{'kernel.hostname':'b'}}",
	};

	check_refusals(refused, ARRAY_SIZE(refused));
	check_goods(taken, ARRAY_SIZE(taken));
}

static void test_mounts(void **state)
{
	static const struct refusal refused[] = {
		{ ",'mounts':[1]", "mounts[0] must be an object, not a number" },
		{ ",'mounts':[{'destination':'/a'},null]", "mounts[1] must be an object, not null" },
		{ ",'mounts':[{}]", "mounts[0].destination is required" },
		{ ",'mounts':[{'destination':'/'},{'destination':'/'},{'destination':'/"
		  "'},{'destination':''}]",
			"mounts[3].destination must not be empty" },
		{ ",'mounts':[{'destination':'/a','type':1}]",
			"mounts[0].type must be a string, not a number" },
		{ ",'mounts':[{'destination':'/a','options':'ro'}]",
			"mounts[0].options must be an array, not a string" },
		{ ",'mounts':[{'destination':'/a','options':['ro',false]}]",
			"mounts[0].options[1] must be a string, not a boolean" },
		{ ",'mounts':[{'destination':'/a','uidMappings':[{'containerID':0,'hostID':1,'size':2}]}]",
			"mounts[0] has uidMappings without gidMappings" },
		{ ",'mounts':[{'destination':'/a','gidMappings':[{'containerID':0,'hostID':1,'size':2}]}]",
			"mounts[0] has gidMappings without uidMappings" },
		{ ",'mounts':[{'destination':'/a','gidMappings':[{'containerID':0,'hostID':1,'size':0}]}]",
			"mounts[0].gidMappings[0].size must be more than 0" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(",'mounts':[{'destination':'/proc','type':'proc','source':'proc'},"
		 "{'destination':'//a/./b/../c//','type':'','source':'','options':[]},"
		 "{'destination':'rel/../../etc','source':'/x','options':['rbind','ro'],"
		 "'uidMappings':[{'containerID':0,'hostID':1000,'size':2}],"
		 "'gidMappings':[{'containerID':0,'hostID':1001,'size':3}]}]");
	assert_int_equal(s->n_mounts, 3);
	assert_string_equal(s->mounts[0].destination, "/proc");
	assert_string_equal(s->mounts[0].type, "proc");
	assert_null(s->mounts[0].options);
	assert_string_equal(s->mounts[1].destination, "/a/c");
	assert_null(s->mounts[1].type);
	assert_null(s->mounts[1].source);
	assert_null(s->mounts[1].options);
	assert_string_equal(s->mounts[2].destination, "/etc");
	assert_string_equal(s->mounts[2].options[1], "ro");
	assert_null(s->mounts[2].options[2]);
	assert_int_equal(s->mounts[2].uid_map[0].host_id, 1000);
	assert_int_equal(s->mounts[2].gid_map[0].size, 3);
	assert_int_equal(strv_len(s->notes), 1);
	assert_string_equal(
		s->notes[0], "mounts[2].destination: the relative path \"rel/../../etc\" is taken as /etc");
	spec_free(s);
}

static void test_long_paths(void **state)
{
	struct strbuf b = { 0 };
	struct err e = ERR_INIT;
	struct spec *s;

	strbuf_puts(&b, ",'mounts':[{'destination':'");
	for (int i = 0; i < 3000; i++)
		strbuf_puts(&b, "/a");
	strbuf_puts(&b, "'}]");
	assert_int_equal(parse_body(b.s, &s, &e), -EINVAL);
	assert_string_equal(e.text, "mounts[0].destination is longer than a path can be (4095 bytes)");
	strbuf_reset(&b);
}

static void test_hooks(void **state)
{
	static const struct refusal refused[] = {
		{ ",'hooks':[]", "hooks must be an object, not an array" },
		{ ",'hooks':{'prestart':{}}", "hooks.prestart must be an array, not an object" },
		{ ",'hooks':{'createRuntime':[{}]}", "hooks.createRuntime[0].path is required" },
		{ ",'hooks':{'createContainer':[{'path':'bin/x'}]}",
			"hooks.createContainer[0].path must be an absolute path, not \"bin/x\"" },
		{ ",'hooks':{'startContainer':[{'path':'/x'},{'path':'/x','timeout':0}]}",
			"hooks.startContainer[1].timeout must be from 1 to 2147483647, not 0" },
		{ ",'hooks':{'poststart':[{'path':'/x','timeout':-5}]}",
			"hooks.poststart[0].timeout must be from 1 to 2147483647, not -5" },
		{ ",'hooks':{'poststop':[{'path':'/x','timeout':1.5}]}",
			"hooks.poststop[0].timeout must be a 64-bit integer, not 1.5" },
		{ ",'hooks':{'poststop':[{'path':'/x','env':{}}]}",
			"hooks.poststop[0].env must be an array, not an object" },
		{ ",'hooks':{'poststop':[{'path':'/x','args':['a',2]}]}",
			"hooks.poststop[0].args[1] must be a string, not a number" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(",'hooks':{'prestart':[{'path':'/a','args':['a','b'],'env':['K=v'],'timeout':5},{'path':'/"
		 "b'}],"
		 "'poststop':[{'path':'/c','args':[],'env':null}],'later':[{}]}");
	assert_int_equal(s->hooks.n[SPEC_HOOK_PRESTART], 2);
	assert_string_equal(s->hooks.list[SPEC_HOOK_PRESTART][0].args[1], "b");
	assert_string_equal(s->hooks.list[SPEC_HOOK_PRESTART][0].env[0], "K=v");
	assert_int_equal(s->hooks.list[SPEC_HOOK_PRESTART][0].timeout, 5);
	assert_null(s->hooks.list[SPEC_HOOK_PRESTART][1].args);
	assert_int_equal(s->hooks.list[SPEC_HOOK_PRESTART][1].timeout, 0);
	assert_int_equal(s->hooks.n[SPEC_HOOK_CREATE_RUNTIME], 0);
	assert_null(s->hooks.list[SPEC_HOOK_POSTSTOP][0].args);
	assert_string_equal(s->hooks.list[SPEC_HOOK_POSTSTOP][0].path, "/c");
	spec_free(s);
}

static void test_vm(void **state)
{
	static const struct refusal refused[] = {
		{ ",'vm':{}", "vm.kernel is required" },
		{ ",'vm':{'kernel':{}}", "vm.kernel.path is required" },
		{ ",'vm':{'kernel':{'path':'vmlinuz'}}",
			"vm.kernel.path must be an absolute path, not \"vmlinuz\"" },
		{ ",'vm':{'kernel':{'path':'/k','parameters':'quiet'}}",
			"vm.kernel.parameters must be an array, not a string" },
		{ ",'vm':{'kernel':{'path':'/k'},'hypervisor':{'parameters':['-x']}}",
			"vm.hypervisor.path is required" },
		{ ",'vm':{'kernel':{'path':'/k'},'image':{'path':'/i'}}", "vm.image.format is required" },
		{ ",'vm':{'kernel':{'path':'/k'},'image':{'format':'raw'}}", "vm.image.path is required" },
		{ ",'vm':{'kernel':{'path':'/k'},'image':{'path':'/i','format':'iso'}}",
			"vm.image.format: unknown format iso; known are raw, qcow2, vdi, vmdk, vhd" },
		{ ",'vm':{'kernel':{'path':'/k'},'hwConfig':{'vcpus':-1}}",
			"vm.hwConfig.vcpus must be an unsigned 64-bit integer, not -1" },
		{ ",'vm':{'kernel':{'path':'/k'},'hwconfig':{'iomems':[{'firstGFN':'x'}]}}",
			"vm.hwconfig.iomems[0].firstGFN must be an integer, not a string" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(",'vm':{'hypervisor':{'path':'/h','parameters':['-a']},'kernel':{'path':'/"
		 "k','parameters':['quiet'],"
		 "'initrd':'/i'},'image':{'path':'/"
		 "img','format':'raw'},'hwConfig':{'vcpus':2,'memory':67108864,"
		 "'dtdevs':['/a'],'iomems':[{'firstGFN':1,'firstMFN':2,'nrMFNs':3}],'irqs':[11]}}");
	assert_true(s->vm.present);
	assert_string_equal(s->vm.hypervisor_parameters[0], "-a");
	assert_string_equal(s->vm.kernel_initrd, "/i");
	assert_string_equal(s->vm.image_format, "raw");
	assert_string_equal(json_get(s->vm.hw_config, "vcpus")->text, "2");
	spec_free(s);
	s = good(",'vm':{'hypervisor':{'path':''},'kernel':{'path':'/"
		 "k'},'image':{'path':'','format':''},'hwconfig':{}}");
	assert_null(s->vm.hypervisor_path);
	assert_null(s->vm.image_path);
	assert_non_null(s->vm.hw_config);
	spec_free(s);
}

static void test_notes_are_limited(void **state)
{
	struct strbuf b = { 0 };
	struct spec *s;

	strbuf_puts(&b, ",'process':{'cwd':'/','env':['A=1'");
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&b, ",'x%d'", i);
	strbuf_puts(&b, "]}");
	s = good(b.s);
	assert_int_equal(strv_len(s->notes), 32);
	assert_string_equal(s->notes[0], "process.env[1]: \"x0\" is no NAME=value");
	assert_int_equal(strv_len(s->process.env), 1001);
	spec_free(s);
	strbuf_reset(&b);
}

/* A path that does not fit the error's buffer is cut, not overrun. */
static void test_long_keys_in_errors(void **state)
{
	struct strbuf b = { 0 };
	struct err e = ERR_INIT;
	struct spec *s;

	strbuf_puts(&b, ",'annotations':{'");
	for (int i = 0; i < 5000; i++)
		strbuf_puts(&b, "k");
	strbuf_puts(&b, "':1}");
	assert_int_equal(parse_body(b.s, &s, &e), -EINVAL);
	assert_true(str_starts(e.text, "annotations[\"kkkk"));
	assert_true(str_ends(e.text, "\"] must be a string, not a number"));
	strbuf_reset(&b);
}

/* --- documents as engines write them -------------------------------------------------------------------- */

static struct spec *load_data(const char *name)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	const char *src = getenv("SRCDIR");
	size_t len = 0;
	struct err e = ERR_INIT;
	struct spec *s = NULL;

	assert_true(asprintf(&path, "%s/tests/unit/data/%s", src ? src : ".", name) > 0);
	if (fd_read_at(AT_FDCWD, path, SPEC_FILE_MAX, &text, &len) < 0)
		fail_msg("cannot read %s", path);
	if (spec_parse(text, len, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static void test_podman(void **state)
{
	struct spec *s = load_data("podman.json");

	assert_string_equal(s->process.args[0], "/bin/sh");
	assert_true(s->process.user.has_umask);
	assert_int_equal(s->process.user.umask, 022);
	assert_int_equal(s->n_mounts, 8);
	assert_true(s->ns[SPEC_NS_NETWORK].present);
	assert_string_equal(s->ns[SPEC_NS_NETWORK].path, "/run/netns/netns-6d9bbb6e");
	assert_string_equal(spec_annotation(s, "io.podman.annotations.init"), "FALSE");
	assert_int_equal(s->n_sysctl, 2);
	assert_true(s->resources.pids_limit.has);
	assert_int_equal(s->resources.pids_limit.v, 2048);
	assert_int_equal(s->seccomp.n_rules, 3);
	assert_true(s->seccomp.has_default_errno_ret);
	assert_int_equal(s->hooks.n[SPEC_HOOK_POSTSTOP], 0);
	assert_null(s->notes);
	spec_free(s);
}

static void test_docker(void **state)
{
	struct spec *s = load_data("docker.json");

	assert_true(s->process.caps.present);
	assert_int_equal(s->process.caps.inheritable, 0);
	assert_true(s->process.caps.bounding & (UINT64_C(1) << 27));
	assert_int_equal(s->process.oom_score_adj, 0);
	assert_true(s->process.has_oom_score_adj);
	assert_string_equal(s->process.apparmor_profile, "docker-default");
	assert_false(s->process.has_console_size);
	assert_string_equal(s->hooks.list[SPEC_HOOK_PRESTART][0].args[0], "libnetwork-setkey");
	assert_int_equal(s->resources.n_devices, 4);
	assert_int_equal(s->resources.devices[0].type, 'a');
	assert_false(s->resources.mem_limit.has);
	assert_false(s->resources.cpu_shares.has);
	assert_false(s->resources.block_weight.has);
	assert_true(s->resources.has_disable_oom_killer);
	assert_int_equal(s->n_sysctl, 2);
	assert_string_equal(s->cgroups_path, "/docker/0f3a");
	spec_free(s);
}

static void test_containerd(void **state)
{
	struct spec *s = load_data("containerd-cri.json");

	assert_string_equal(s->ns[SPEC_NS_PID].path ? s->ns[SPEC_NS_PID].path : "new", "new");
	assert_string_equal(s->ns[SPEC_NS_UTS].path, "/proc/4021/ns/uts");
	assert_string_equal(s->process.selinux_label ? "set" : "absent", "absent");
	assert_int_equal(s->resources.cpu_shares.v, 102);
	assert_int_equal(s->resources.cpu_quota.v, 50000);
	assert_int_equal(s->resources.mem_limit.v, 134217728);
	assert_string_equal(s->resources.unified[0].file, "memory.oom.group");
	assert_int_equal(s->rootfs_propagation, SPEC_PROPAGATION_SLAVE);
	assert_true(s->rootfs_propagation_recursive);
	assert_string_equal(spec_annotation(s, "io.kubernetes.cri.container-type"), "container");
	spec_free(s);
}

static void test_everything(void **state)
{
	struct spec *s = load_data("everything.json");

	for (int i = 0; i < SPEC_NS_KINDS; i++)
		assert_true(s->ns[i].present);
	for (int i = 0; i < SPEC_HOOK_KINDS; i++)
		assert_int_equal(s->hooks.n[i], 1);
	for (int i = 0; i < SPEC_BLOCK_THROTTLES; i++)
		assert_int_equal(s->resources.n_block_rates[i], 1);
	assert_int_equal(s->resources.block_rates[SPEC_BLOCK_WRITE_IOPS][0].rate, 304);
	assert_true(s->vm.present && s->intel_rdt.present && s->memory_policy.present && s->seccomp.present);
	assert_true(s->process.scheduler.present && s->process.io_priority.present && s->has_personality);
	assert_int_equal(s->n_net_devices, 2);
	spec_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_whole_document),
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_null_is_absent),
		cmocka_unit_test(test_unknown_properties_are_ignored),
		cmocka_unit_test(test_last_of_equal_names_counts),
		cmocka_unit_test(test_top_level),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_vm),
		cmocka_unit_test(test_notes_are_limited),
		cmocka_unit_test(test_long_keys_in_errors),
		cmocka_unit_test(test_podman),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_containerd),
		cmocka_unit_test(test_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
