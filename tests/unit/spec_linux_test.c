/* SPDX-License-Identifier: Apache-2.0 */
/* The linux section without its resources: namespaces, maps, clocks, devices, seccomp, and smaller things. */
#include "tests/unit/spec_test.h"

#include <sys/personality.h>
#include <sys/stat.h>

#define L(members)   ",'linux':{" members "}"
#define MAP(c, h, n) "{'containerID':" #c ",'hostID':" #h ",'size':" #n "}"
#define USER	     "'namespaces':[{'type':'user'}]"
#define GIDS	     ",'gidMappings':[" MAP(0, 1, 1) "]"

static void test_namespaces(void **state)
{
	static const struct refusal refused[] = {
		{ L("'namespaces':{}"), "linux.namespaces must be an array, not an object" },
		{ L("'namespaces':['pid']"), "linux.namespaces[0] must be an object, not a string" },
		{ L("'namespaces':[{}]"), "linux.namespaces[0].type is required" },
		{ L("'namespaces':[{'type':'net'}]"), "linux.namespaces[0].type: unknown namespace net; "
						      "known are pid, network, mount, ipc, uts, "
						      "user, cgroup, time" },
		{ L("'namespaces':[{'type':'pid'},{'type':'uts'},{'type':'pid','path':'/x'}]"),
			"linux.namespaces[2].type: the pid namespace is listed twice" },
		{ L("'namespaces':[{'type':'pid','path':'ns/pid'}]"),
			"linux.namespaces[0].path must be an absolute path, not \"ns/pid\"" },
		{ L("'namespaces':[{'type':'pid','path':1}]"),
			"linux.namespaces[0].path must be a string, not a number" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(L("'namespaces':[{'type':'mount'},{'type':'network','path':'/run/netns/"
		   "x'},{'type':'ipc','path':''}]"));
	assert_true(s->ns[SPEC_NS_MOUNT].present);
	assert_null(s->ns[SPEC_NS_MOUNT].path);
	assert_string_equal(s->ns[SPEC_NS_NETWORK].path, "/run/netns/x");
	assert_true(s->ns[SPEC_NS_IPC].present);
	assert_null(s->ns[SPEC_NS_IPC].path);
	assert_false(s->ns[SPEC_NS_PID].present);
	spec_free(s);
}

static void test_id_maps(void **state)
{
	static const struct refusal refused[] = {
		{ L(USER ",'uidMappings':[" MAP(0, 1, 1) "]"),
			"linux.gidMappings must have an entry: linux.namespaces has a new user namespace" },
		{ L(USER ",'uidMappings':[]" GIDS),
			"linux.uidMappings must have an entry: linux.namespaces has a new user namespace" },
		{ L("'uidMappings':[" MAP(0, 1, 1) "]" GIDS),
			"linux.uidMappings needs a user namespace in linux.namespaces" },
		{ L("'namespaces':[]" GIDS), "linux.gidMappings needs a user namespace in linux.namespaces" },
		{ L(USER ",'uidMappings':[{'containerID':0,'hostID':1}]" GIDS),
			"linux.uidMappings[0].size is required" },
		{ L(USER ",'uidMappings':[" MAP(0, 1, 0) "]" GIDS),
			"linux.uidMappings[0].size must be more than 0" },
		{ L(USER ",'uidMappings':[" MAP(-1, 1, 1) "]" GIDS),
			"linux.uidMappings[0].containerID must be an unsigned 64-bit integer, not -1" },
		{ L(USER ",'uidMappings':[" MAP(4294967296, 1, 1) "]" GIDS),
			"linux.uidMappings[0].containerID must be at most 4294967295, not 4294967296" },
		{ L(USER ",'uidMappings':[" MAP(1, 0, 4294967295) "]" GIDS),
			"linux.uidMappings[0]: the range goes beyond the last id, 4294967294" },
		{ L(USER ",'uidMappings':[" MAP(0, 4294967290, 10) "]" GIDS),
			"linux.uidMappings[0]: the range goes beyond the last id, 4294967294" },
		{ L(USER ",'uidMappings':[" MAP(0, 1000, 10) "," MAP(9, 5000, 10) "]" GIDS),
			"linux.uidMappings[1]: its container ids overlap those of entry 0" },
		{ L(USER ",'uidMappings':[" MAP(0, 1000, 10) "," MAP(10, 2000, 10) "," MAP(
			  20, 2009, 1) "]" GIDS),
			"linux.uidMappings[2]: its host ids overlap those of entry 1" },
	};
	static const char *const taken[] = {
		L(USER ",'uidMappings':[" MAP(0, 0, 4294967295) "]" GIDS),
		L("'namespaces':[{'type':'user','path':'/proc/9/ns/user'}]"),
		/* Decided where the namespace, or the caller, can be looked at. */
		L("'namespaces':[{'type':'user','path':'/proc/9/ns/user'}],'uidMappings':[" MAP(
			0, 1, 1) "]" GIDS),
		L("'namespaces':[{'type':'user','path':'/proc/9/ns/user'}]" GIDS),
		L(USER),
		L("'uidMappings':[],'gidMappings':[]"),
	};
	struct strbuf b = { 0 };
	struct err e = ERR_INIT;
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	check_goods(taken, ARRAY_SIZE(taken));
	s = good(L(USER ",'uidMappings':[" MAP(0, 1000, 10) "," MAP(10, 2000, 10) "]" GIDS));
	assert_int_equal(s->n_uid_map, 2);
	assert_int_equal(s->uid_map[1].host_id, 2000);
	assert_int_equal(s->n_gid_map, 1);
	spec_free(s);

	strbuf_puts(&b, ",'linux':{" USER GIDS ",'uidMappings':[" MAP(0, 0, 1));
	for (int i = 1; i < 341; i++)
		strbuf_printf(&b, ",{'containerID':%d,'hostID':%d,'size':1}", i, i);
	strbuf_puts(&b, "]}");
	assert_int_equal(parse_body(b.s, &s, &e), -EINVAL);
	assert_string_equal(e.text, "linux.uidMappings has 341 entries; the kernel takes at most 340");
	strbuf_reset(&b);
}

static void test_time_offsets(void **state)
{
	static const struct refusal refused[] = {
		{ L("'timeOffsets':{'monotonic':{'secs':1}}"),
			"linux.timeOffsets needs a time namespace in linux.namespaces" },
		{ L("'namespaces':[{'type':'time','path':'/t'}],'timeOffsets':{'boottime':{}}"),
			"linux.timeOffsets cannot be given for the time namespace /t: its clocks run "
			"already" },
		{ L("'namespaces':[{'type':'time'}],'timeOffsets':{'realtime':{}}"),
			"linux.timeOffsets[\"realtime\"]: unknown clock; known are monotonic and boottime" },
		{ L("'timeOffsets':{'monotonic':1}"),
			"linux.timeOffsets.monotonic must be an object, not a number" },
		{ L("'timeOffsets':{'monotonic':{'secs':'1'}}"),
			"linux.timeOffsets.monotonic.secs must be an integer, not a string" },
		{ L("'timeOffsets':{'boottime':{'nanosecs':1000000000}}"),
			"linux.timeOffsets.boottime.nanosecs must be at most 999999999, not 1000000000" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(L("'timeOffsets':{}"));
	spec_free(s);
	s = good(L("'namespaces':[{'type':'time'}],'timeOffsets':{'monotonic':{'secs':-5,'nanosecs':7}}"));
	assert_true(s->time_monotonic.present);
	assert_int_equal(s->time_monotonic.secs, -5);
	assert_int_equal(s->time_monotonic.nanosecs, 7);
	assert_false(s->time_boottime.present);
	spec_free(s);
}

static void test_devices(void **state)
{
	static const struct refusal refused[] = {
		{ L("'devices':[{'type':'c'}]"), "linux.devices[0].path is required" },
		{ L("'devices':[{'path':'/dev/x'}]"), "linux.devices[0].type is required" },
		{ L("'devices':[{'path':'dev/x','type':'c','major':1,'minor':1}]"),
			"linux.devices[0].path must be an absolute path, not \"dev/x\"" },
		{ L("'devices':[{'path':'/dev/..','type':'c','major':1,'minor':1}]"),
			"linux.devices[0].path must name a device, not the root directory" },
		{ L("'devices':[{'path':'/dev/x','type':'a','major':1,'minor':1}]"),
			"linux.devices[0].type must be one of c, b, u and p, not \"a\"" },
		{ L("'devices':[{'path':'/dev/x','type':'cb','major':1,'minor':1}]"),
			"linux.devices[0].type must be one of c, b, u and p, not \"cb\"" },
		{ L("'devices':[{'path':'/dev/x','type':'','major':1,'minor':1}]"),
			"linux.devices[0].type must be one of c, b, u and p, not \"\"" },
		{ L("'devices':[{'path':'/dev/x','type':'c','minor':1}]"),
			"linux.devices[0].major is required for a device of type c" },
		{ L("'devices':[{'path':'/dev/x','type':'b','major':1}]"),
			"linux.devices[0].minor is required for a device of type b" },
		{ L("'devices':[{'path':'/dev/x','type':'u','major':4096,'minor':0}]"),
			"linux.devices[0].major must be from 0 to 4095, not 4096" },
		{ L("'devices':[{'path':'/dev/x','type':'c','major':1,'minor':1048576}]"),
			"linux.devices[0].minor must be from 0 to 1048575, not 1048576" },
		{ L("'devices':[{'path':'/dev/x','type':'c','major':-1,'minor':1}]"),
			"linux.devices[0].major must be from 0 to 4095, not -1" },
		{ L("'devices':[{'path':'/dev/x','type':'c','major':1,'minor':1,'fileMode':65536}]"),
			"linux.devices[0].fileMode must be from 0 to 65535, not 65536" },
		{ L("'devices':[{'path':'/dev/x','type':'c','major':1,'minor':1,'fileMode':25008}]"),
			"linux.devices[0].fileMode: 25008 (octal 60660) has the file type bits of something "
			"else" },
		{ L("'devices':[{'path':'/dev/x','type':'p','uid':4294967295}]"),
			"linux.devices[0].uid must be at most 4294967294, not 4294967295" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(L("'devices':[{'path':'/dev/"
		   "fuse','type':'c','major':10,'minor':229,'fileMode':438,'uid':1,'gid':2},"
		   "{'path':'//dev/./x','type':'u','major':4095,'minor':1048575,'fileMode':8630},"
		   "{'path':'/run/fifo','type':'p'}]"));
	assert_int_equal(s->n_devices, 3);
	assert_true(s->devices[0].has_mode && s->devices[0].has_uid && s->devices[0].has_gid);
	assert_int_equal(s->devices[0].mode, 0666);
	assert_int_equal(s->devices[0].gid, 2);
	assert_string_equal(s->devices[1].path, "/dev/x");
	assert_int_equal(s->devices[1].type, 'c');
	assert_int_equal(s->devices[1].mode, 0666);
	assert_int_equal(s->devices[1].minor, 1048575);
	assert_int_equal(s->devices[2].type, 'p');
	assert_false(s->devices[2].has_mode || s->devices[2].has_uid);
	spec_free(s);
}

static void test_net_devices(void **state)
{
#define NET "'namespaces':[{'type':'network'}],"
	static const struct refusal refused[] = {
		{ L("'netDevices':{'eth0':{}}"),
			"linux.netDevices needs a network namespace in linux.namespaces" },
		{ L(NET "'netDevices':[]"), "linux.netDevices must be an object, not an array" },
		{ L(NET "'netDevices':{'eth0':'x'}"),
			"linux.netDevices[\"eth0\"] must be an object, not a string" },
		{ L(NET "'netDevices':{'eth0':{'name':'a/b'}}"),
			"linux.netDevices[\"eth0\"].name: \"a/b\" cannot be the name of a network "
			"interface" },
		{ L(NET "'netDevices':{'eth0':{'name':'0123456789012345'}}"),
			"linux.netDevices[\"eth0\"].name: \"0123456789012345\" cannot be the name of a "
			"network interface" },
		{ L(NET "'netDevices':{'..':{}}"),
			"linux.netDevices[\"..\"]: \"..\" cannot be the name of a network interface" },
		{ L(NET "'netDevices':{'a b':{}}"),
			"linux.netDevices[\"a b\"]: \"a b\" cannot be the name of a network interface" },
		{ L(NET "'netDevices':{'':{}}"),
			"linux.netDevices[\"\"]: \"\" cannot be the name of a network interface" },
		{ L(NET "'netDevices':{'a':{'name':'b'},'b':{}}"), NULL },
	};
	struct err e = ERR_INIT;
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused) - 1);
	assert_int_equal(parse_body(refused[ARRAY_SIZE(refused) - 1].body, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, " gets the name b, which "));
	s = good(L(NET "'netDevices':{'eth0':{'name':'net0'},'ens4':null,'x':{'name':''},'y':{'name':'d%d'},'"
		       "z':{'name':'d%d'}}"));
	assert_int_equal(s->n_net_devices, 4);
	assert_string_equal(s->net_devices[0].name, "net0");
	assert_string_equal(s->net_devices[1].host_name, "x");
	assert_null(s->net_devices[1].name);
	spec_free(s);
	s = good(L("'namespaces':[{'type':'network','path':'/"
		   "n'}],'netDevices':{'a':{'name':'b'},'b':{'name':'a'}}"));
	spec_free(s);
}

static void test_strings(void **state)
{
	static const struct refusal refused[] = {
		{ L("'cgroupsPath':1"), "linux.cgroupsPath must be a string, not a number" },
		{ L("'mountLabel':[]"), "linux.mountLabel must be a string, not an array" },
		{ L("'rootfsPropagation':'rsh'"), "linux.rootfsPropagation: unknown propagation rsh; known "
						  "are shared, slave, private, unbindable, "
						  "rshared, rslave, rprivate, runbindable" },
		{ L("'rootfsPropagation':true"), "linux.rootfsPropagation must be a string, not a boolean" },
		{ L("'sysctl':['a']"), "linux.sysctl must be an object, not an array" },
		{ L("'sysctl':{'net.ipv4.ip_forward':1}"),
			"linux.sysctl[\"net.ipv4.ip_forward\"] must be a string, not a number" },
		{ L("'sysctl':{'':'1'}"), "linux.sysctl[\"\"]: the name of a sysctl must not be empty" },
		{ L("'maskedPaths':['/a','b']"), "linux.maskedPaths[1] must be an absolute path, not \"b\"" },
		{ L("'maskedPaths':[0]"), "linux.maskedPaths[0] must be a string, not a number" },
		{ L("'readonlyPaths':['']"), "linux.readonlyPaths[0] must be an absolute path, not \"\"" },
	};
	static const struct {
		const char *word;
		enum spec_propagation value;
		bool recursive;
	} words[] = {
		{ "", SPEC_PROPAGATION_UNSET, false },
		{ "shared", SPEC_PROPAGATION_SHARED, false },
		{ "slave", SPEC_PROPAGATION_SLAVE, false },
		{ "private", SPEC_PROPAGATION_PRIVATE, false },
		{ "unbindable", SPEC_PROPAGATION_UNBINDABLE, false },
		{ "rshared", SPEC_PROPAGATION_SHARED, true },
		{ "rslave", SPEC_PROPAGATION_SLAVE, true },
		{ "rprivate", SPEC_PROPAGATION_PRIVATE, true },
		{ "runbindable", SPEC_PROPAGATION_UNBINDABLE, true },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char body[100];

		snprintf(body, sizeof(body), L("'rootfsPropagation':'%s'"), words[i].word);
		s = good(body);
		assert_int_equal(s->rootfs_propagation, words[i].value);
		assert_int_equal(s->rootfs_propagation_recursive, words[i].recursive);
		spec_free(s);
	}
	s = good(L("'cgroupsPath':'','mountLabel':'','maskedPaths':[],'readonlyPaths':['/proc/sys'],"
		   "'sysctl':{'b':'2','a':'1','b':'3'}"));
	assert_null(s->cgroups_path);
	assert_null(s->mount_label);
	assert_null(s->masked_paths);
	assert_string_equal(s->readonly_paths[0], "/proc/sys");
	assert_int_equal(s->n_sysctl, 2);
	assert_string_equal(s->sysctl[0].key, "a");
	assert_string_equal(s->sysctl[1].value, "3");
	spec_free(s);
}

static void test_memory_policy(void **state)
{
	static const struct refusal refused[] = {
		{ L("'memoryPolicy':{}"), "linux.memoryPolicy.mode is required" },
		{ L("'memoryPolicy':{'mode':'BIND'}"),
			"linux.memoryPolicy.mode: unknown mode BIND; known are MPOL_DEFAULT, MPOL_PREFERRED, "
			"MPOL_BIND, "
			"MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY, MPOL_WEIGHTED_INTERLEAVE" },
		{ L("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0-x'}"),
			"linux.memoryPolicy.nodes must be a list of nodes such as \"0-1,3\", not \"0-x\"" },
		{ L("'memoryPolicy':{'mode':'MPOL_LOCAL','nodes':'0'}"),
			"linux.memoryPolicy.nodes must be empty with MPOL_DEFAULT and MPOL_LOCAL" },
		{ L("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_MOVE']}"),
			"linux.memoryPolicy.flags[0]: unknown flag MPOL_F_MOVE; known are "
			"MPOL_F_NUMA_BALANCING, "
			"MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES" },
		{ L("'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_STATIC_NODES','MPOL_F_"
		    "RELATIVE_NODES']}"),
			"linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude "
			"each other" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(L("'memoryPolicy':{'mode':'MPOL_WEIGHTED_INTERLEAVE','nodes':'0-1','flags':['MPOL_F_STATIC_"
		   "NODES']}"));
	assert_true(s->memory_policy.present);
	assert_int_equal(s->memory_policy.mode, 6);
	assert_int_equal(s->memory_policy.flags, 1 << 15);
	assert_string_equal(s->memory_policy.nodes, "0-1");
	spec_free(s);
	s = good(L("'memoryPolicy':{'mode':'MPOL_DEFAULT'}"));
	assert_string_equal(s->memory_policy.nodes, "");
	spec_free(s);
}

static void test_personality_and_rdt(void **state)
{
	static const struct refusal refused[] = {
		{ L("'personality':{}"), "linux.personality.domain is required" },
		{ L("'personality':{'domain':'BSD'}"),
			"linux.personality.domain: unknown domain BSD; known are LINUX, LINUX32" },
		{ L("'personality':{'domain':'LINUX','flags':['X']}"),
			"linux.personality.flags must be empty: the runtime-spec defines no flag" },
		{ L("'intelRdt':{'closID':'a/b'}"),
			"linux.intelRdt.closID must be the name of one directory, or \"/\", not \"a/b\"" },
		{ L("'intelRdt':{'closID':'..'}"),
			"linux.intelRdt.closID must be the name of one directory, or \"/\", not \"..\"" },
		{ L("'intelRdt':{'memBwSchema':'L3:0=f'}"),
			"linux.intelRdt.memBwSchema must be one line that begins with \"MB:\"" },
		{ L("'intelRdt':{'memBwSchema':'MB:0=20\\nL3:0=f'}"),
			"linux.intelRdt.memBwSchema must be one line that begins with \"MB:\"" },
		{ L("'intelRdt':{'schemata':'L3:0=f'}"),
			"linux.intelRdt.schemata must be an array, not a string" },
		{ L("'intelRdt':{'schemata':['L3:0=f\\n']}"),
			"linux.intelRdt.schemata[0] must be one line, and not empty" },
		{ L("'intelRdt':{'enableMonitoring':1}"),
			"linux.intelRdt.enableMonitoring must be a boolean, not a number" },
	};
	struct spec *s;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(L(
		"'personality':{'domain':'LINUX32'},'intelRdt':{'closID':'/','schemata':['L3:0=f','MB:0=2'],"
		"'enableMonitoring':true}"));
	assert_true(s->has_personality);
	assert_int_equal(s->personality, PER_LINUX32);
	assert_true(s->intel_rdt.present && s->intel_rdt.enable_monitoring);
	assert_string_equal(s->intel_rdt.schemata[1], "MB:0=2");
	spec_free(s);
	s = good(L("'intelRdt':{}"));
	assert_true(s->intel_rdt.present);
	assert_null(s->intel_rdt.clos_id);
	spec_free(s);
}

#define S(members)    L("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'" members "}")
#define RULE(members) S(",'syscalls':[{'names':['x'],'action':'SCMP_ACT_LOG'" members "}]")

static void test_seccomp(void **state)
{
	static const struct refusal refused[] = {
		{ L("'seccomp':{}"), "linux.seccomp.defaultAction is required" },
		{ L("'seccomp':{'defaultAction':''}"), "linux.seccomp.defaultAction must not be empty" },
		{ S(",'defaultErrnoRet':-1"),
			"linux.seccomp.defaultErrnoRet must be an unsigned 64-bit integer, not -1" },
		{ S(",'architectures':'SCMP_ARCH_X86'"),
			"linux.seccomp.architectures must be an array, not a string" },
		{ S(",'listenerPath':'a'"),
			"linux.seccomp.listenerPath must be an absolute path, not \"a\"" },
		{ S(",'listenerMetadata':'m'"),
			"linux.seccomp.listenerMetadata is set without listenerPath" },
		{ S(",'syscalls':[{'action':'SCMP_ACT_LOG'}]"),
			"linux.seccomp.syscalls[0].names is required" },
		{ S(",'syscalls':[{'names':[],'action':'SCMP_ACT_LOG'}]"),
			"linux.seccomp.syscalls[0].names must have at least one element" },
		{ S(",'syscalls':[{'names':['a']}]"), "linux.seccomp.syscalls[0].action is required" },
		{ RULE(",'errnoRet':4294967296"),
			"linux.seccomp.syscalls[0].errnoRet must be at most 4294967295, not 4294967296" },
		{ RULE(",'args':[{'value':0,'op':'SCMP_CMP_EQ'}]"),
			"linux.seccomp.syscalls[0].args[0].index is required" },
		{ RULE(",'args':[{'index':0,'op':'SCMP_CMP_EQ'}]"),
			"linux.seccomp.syscalls[0].args[0].value is required" },
		{ RULE(",'args':[{'index':0,'value':1}]"),
			"linux.seccomp.syscalls[0].args[0].op is required" },
	};
	struct spec *s, *again;

	check_refusals(refused, ARRAY_SIZE(refused));
	s = good(
		L("'x':1,'seccomp': "
		  "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':0,'architectures':['A'],'flags':[],"
		  "'syscalls':[{'names':['a','b'],'action':'SCMP_ACT_ERRNO','errnoRet':38,'args':[{'index':5,"
		  "'value':18446744073709551615,'valueTwo':3,'op':'SCMP_CMP_MASKED_EQ'}]}, {'names':['c'],"
		  "'action':'X','args':null}]} ,'y':{}"));
	assert_true(s->seccomp.present && s->seccomp.has_default_errno_ret);
	assert_non_null(s->seccomp.flags);
	assert_null(s->seccomp.flags[0]);
	assert_int_equal(s->seccomp.n_rules, 2);
	assert_string_equal(s->seccomp.rules[0].names[1], "b");
	assert_true(s->seccomp.rules[0].has_errno_ret);
	assert_int_equal(s->seccomp.rules[0].errno_ret, 38);
	assert_int_equal(s->seccomp.rules[0].args[0].index, 5);
	assert_true(s->seccomp.rules[0].args[0].value == UINT64_MAX);
	assert_false(s->seccomp.rules[1].has_errno_ret);
	/* The section's own text, from bracket to bracket. */
	assert_int_equal(s->seccomp.text_len, strlen(s->seccomp.text));
	assert_true(str_starts(s->seccomp.text, "{\"defaultAction\":\"SCMP_ACT_ERRNO\","));
	assert_true(str_ends(s->seccomp.text, "\"action\":\"X\",\"args\":null}]}"));
	again = good(S(""));
	assert_null(again->seccomp.flags);
	assert_string_equal(again->seccomp.text, "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	spec_free(again);
	spec_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_id_maps),
		cmocka_unit_test(test_time_offsets),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_net_devices),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_memory_policy),
		cmocka_unit_test(test_personality_and_rdt),
		cmocka_unit_test(test_seccomp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
