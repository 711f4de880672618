/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: within config.json, and alone as `update --resources` takes them. */
#include "tests/unit/spec_test.h"

#define R(members) ",'linux':{'resources':{" members "}}"
#define IN	   "linux.resources."

static void test_refusals(void **state)
{
	static const struct refusal refused[] = {
		{ ",'linux':{'resources':1}", "linux.resources must be an object, not a number" },
		{ R("'memory':{'limit':'1G'}"), IN "memory.limit must be an integer, not a string" },
		{ R("'memory':{'limit':-2}"), IN "memory.limit must be at least -1, not -2" },
		{ R("'memory':{'limit':9223372036854775808}"),
			IN "memory.limit must be a 64-bit integer, not 9223372036854775808" },
		{ R("'memory':{'swappiness':101}"), IN "memory.swappiness must be from -1 to 100, not 101" },
		{ R("'memory':{'swappiness':-2}"), IN "memory.swappiness must be from -1 to 100, not -2" },
		{ R("'memory':{'disableOOMKiller':0}"),
			IN "memory.disableOOMKiller must be a boolean, not a number" },
		{ R("'memory':{'checkBeforeUpdate':'x'}"),
			IN "memory.checkBeforeUpdate must be a boolean, not a string" },
		{ R("'cpu':{'shares':-1}"), IN "cpu.shares must be an unsigned 64-bit integer, not -1" },
		{ R("'cpu':{'idle':2}"), IN "cpu.idle must be from 0 to 1, not 2" },
		{ R("'cpu':{'cpus':0}"), IN "cpu.cpus must be a string, not a number" },
		{ R("'cpu':{'burst':20,'quota':10}"), IN "cpu.burst (20) must not exceed the quota (10)" },
		{ R("'pids':{'limit':-2}"), IN "pids.limit must be at least -1, not -2" },
		{ R("'pids':{'limit':1.5}"), IN "pids.limit must be a 64-bit integer, not 1.5" },
		/* device rules */
		{ R("'devices':{}"), IN "devices must be an array, not an object" },
		{ R("'devices':[{}]"), IN "devices[0].allow is required" },
		{ R("'devices':[{'allow':true},{'allow':true,'type':'p'}]"),
			IN "devices[1].type must be one of a, b and c, not \"p\"" },
		{ R("'devices':[{'allow':true,'major':-2}]"),
			IN "devices[0].major must be from -1 to 4294967295, not -2" },
		{ R("'devices':[{'allow':true,'access':'rx'}]"),
			IN "devices[0].access must be made of the letters r, w and m, not \"rx\"" },
		{ R("'devices':[{'allow':true,'access':''}]"),
			IN "devices[0].access must be made of the letters r, w and m, not \"\"" },
		/* block I/O */
		{ R("'blockIO':{'weight':9}"), IN "blockIO.weight must be from 10 to 1000, not 9" },
		{ R("'blockIO':{'leafWeight':1001}"),
			IN "blockIO.leafWeight must be from 10 to 1000, not 1001" },
		{ R("'blockIO':{'weightDevice':[{'minor':0,'weight':10}]}"),
			IN "blockIO.weightDevice[0].major is required" },
		{ R("'blockIO':{'weightDevice':[{'major':8,'minor':0}]}"),
			IN "blockIO.weightDevice[0] must have a weight or a leafWeight" },
		{ R("'blockIO':{'throttleWriteIOPSDevice':[{'major':8,'minor':0}]}"),
			IN "blockIO.throttleWriteIOPSDevice[0].rate is required" },
		{ R("'blockIO':{'throttleReadBpsDevice':[{'major':-1,'minor':0,'rate':1}]}"),
			IN "blockIO.throttleReadBpsDevice[0].major must be from 0 to 4294967295, not -1" },
		/* hugepages, network, rdma, unified */
		{ R("'hugepageLimits':[{'limit':1}]"), IN "hugepageLimits[0].pageSize is required" },
		{ R("'hugepageLimits':[{'pageSize':'2MB'}]"), IN "hugepageLimits[0].limit is required" },
		{ R("'hugepageLimits':[{'pageSize':'2M','limit':1}]"),
			IN "hugepageLimits[0].pageSize must be a size such as 64KB, 2MB or 1GB, not \"2M\"" },
		{ R("'hugepageLimits':[{'pageSize':'02MB','limit':1}]"), IN
			"hugepageLimits[0].pageSize must be a size such as 64KB, 2MB or 1GB, not \"02MB\"" },
		{ R("'hugepageLimits':[{'pageSize':'2','limit':1}]"),
			IN "hugepageLimits[0].pageSize must be a size such as 64KB, 2MB or 1GB, not \"2\"" },
		{ R("'hugepageLimits':[{'pageSize':'../2MB','limit':1}]"),
			IN "hugepageLimits[0].pageSize must be a size such as 64KB, 2MB or 1GB, not "
			   "\"../2MB\"" },
		{ R("'hugepageLimits':[{'pageSize':'2TB','limit':1}]"), IN
			"hugepageLimits[0].pageSize must be a size such as 64KB, 2MB or 1GB, not \"2TB\"" },
		{ R("'network':{'classID':4294967296}"),
			IN "network.classID must be at most 4294967295, not 4294967296" },
		{ R("'network':{'priorities':[{'name':'eth0'}]}"),
			IN "network.priorities[0].priority is required" },
		{ R("'network':{'priorities':[{'name':'a b','priority':1}]}"),
			IN "network.priorities[0].name: a name must have neither blanks nor newlines, and "
			   "must not be empty" },
		{ R("'rdma':{'mlx5_1':{}}"), IN "rdma[\"mlx5_1\"] must have hcaHandles or hcaObjects" },
		{ R("'rdma':{'mlx5_1':{'hcaHandles':4294967296}}"),
			IN "rdma[\"mlx5_1\"].hcaHandles must be at most 4294967295, not 4294967296" },
		{ R("'rdma':{'a\\n':{'hcaHandles':1}}"), IN "rdma[\"a\n\"]: a name must have neither blanks "
							    "nor newlines, and must not be empty" },
		{ R("'unified':{'memory.max':1}"),
			IN "unified[\"memory.max\"] must be a string, not a number" },
		{ R("'unified':{'../x':'1'}"), IN "unified[\"../x\"]: the name of a cgroup file has no '/', "
						  "does not begin with '.', and is not empty" },
		{ R("'unified':{'a/b':'1'}"), IN "unified[\"a/b\"]: the name of a cgroup file has no '/', "
						 "does not begin with '.', and is not empty" },
		{ R("'unified':{'':'1'}"), IN "unified[\"\"]: the name of a cgroup file has no '/', does not "
					      "begin with '.', and is not empty" },
	};

	check_refusals(refused, ARRAY_SIZE(refused));
}

static void test_nothing(void **state)
{
	static const char *const empty[] = {
		R(""),
		R("'devices':null,'memory':null,'cpu':null,'pids':null,'blockIO':null,'hugepageLimits':null,"
		  "'network':null,'rdma':null,'unified':null"),
		/* What Docker sends for limits that nobody set. */
		R("'devices':[],'memory':{'limit':0,'reservation':0,'swap':0,'kernel':0,'kernelTCP':0,'"
		  "swappiness':-1},"
		  "'cpu':{'shares':0,'quota':0,'period':0,'realtimeRuntime':0,'realtimePeriod':0,'cpus':'','"
		  "mems':''},"
		  "'pids':{},'blockIO':{'weight':0,'leafWeight':0},'unified':{},'rdma':{}"),
		R("'memory':{'swappiness':18446744073709551615}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		struct spec *s = good(empty[i]);
		struct spec_resources *r = &s->resources;

		assert_true(r->present);
		assert_false(r->mem_limit.has || r->mem_reservation.has || r->mem_swap.has ||
			     r->mem_kernel.has || r->mem_kernel_tcp.has || r->mem_swappiness.has ||
			     r->has_disable_oom_killer || r->has_use_hierarchy);
		assert_false(r->cpu_shares.has || r->cpu_quota.has || r->cpu_period.has || r->cpu_burst.has ||
			     r->cpu_rt_runtime.has || r->cpu_rt_period.has || r->cpu_idle.has);
		assert_null(r->cpus);
		assert_null(r->mems);
		assert_false(r->pids_limit.has || r->block_weight.has || r->block_leaf_weight.has ||
			     r->has_class_id);
		assert_int_equal(r->n_devices + r->n_unified + r->n_rdma, 0);
		spec_free(s);
	}
}

static void test_values(void **state)
{
	struct spec *s = good(R(
		"'memory':{'limit':-1,'reservation':1,'swap':2,'swappiness':0,'disableOOMKiller':false,"
		"'useHierarchy':true,'checkBeforeUpdate':true},"
		"'cpu':{'shares':1024,'quota':-1,'burst':0,'period':100000,'idle':0,'cpus':'0-1','mems':'0'},"
		"'pids':{'limit':0},'blockIO':{'weight':10,'weightDevice':[{'major':8,'minor':0,'leafWeight':"
		"1000}],"
		"'throttleReadBpsDevice':[{'major':8,'minor':16,'rate':0}],"
		"'throttleWriteIOPSDevice':[{'major':8,'minor':16,'rate':3},{'major':9,'minor':0,'rate':4}]},"
		"'hugepageLimits':[{'pageSize':'2MB','limit':0},{'pageSize':'1GB','limit':"
		"18446744073709551615}],"
		"'network':{'classID':0,'priorities':[{'name':'eth0','priority':7}]},"
		"'rdma':{'mlx5_1':{'hcaHandles':0,'hcaObjects':5},'x':{'hcaObjects':6}},"
		"'unified':{'io.max':'259:0 rbps=1\\n253:0 wiops=2','pids.max':'5','pids.max':'6'}"));
	const struct spec_resources *r = &s->resources;

	assert_true(r->mem_limit.has && r->mem_limit.v == -1);
	assert_true(r->mem_swappiness.has && r->mem_swappiness.v == 0);
	assert_true(r->has_disable_oom_killer && !r->disable_oom_killer);
	assert_true(r->use_hierarchy && r->check_before_update);
	assert_true(r->cpu_quota.has && r->cpu_quota.v == -1);
	assert_true(r->cpu_burst.has && r->cpu_burst.v == 0);
	assert_true(r->cpu_idle.has && r->cpu_idle.v == 0);
	assert_string_equal(r->cpus, "0-1");
	assert_true(r->pids_limit.has && r->pids_limit.v == 0);
	assert_int_equal(r->block_weight.v, 10);
	assert_false(r->block_weights[0].weight.has);
	assert_int_equal(r->block_weights[0].leaf_weight.v, 1000);
	assert_int_equal(r->n_block_rates[SPEC_BLOCK_READ_BPS], 1);
	assert_int_equal(r->n_block_rates[SPEC_BLOCK_WRITE_BPS], 0);
	assert_int_equal(r->n_block_rates[SPEC_BLOCK_WRITE_IOPS], 2);
	assert_int_equal(r->block_rates[SPEC_BLOCK_WRITE_IOPS][1].rate, 4);
	assert_string_equal(r->hugepages[1].page_size, "1GB");
	assert_true(r->hugepages[1].limit == UINT64_MAX);
	assert_true(r->has_class_id);
	assert_string_equal(r->priorities[0].name, "eth0");
	assert_true(r->rdma[0].hca_handles.has && r->rdma[0].hca_handles.v == 0);
	assert_false(r->rdma[1].hca_handles.has);
	assert_int_equal(r->n_unified, 2);
	assert_string_equal(r->unified[0].value, "259:0 rbps=1\n253:0 wiops=2");
	assert_string_equal(r->unified[1].value, "6");
	spec_free(s);
}

static void test_device_rules(void **state)
{
	struct spec *s = good(
		R("'devices':[{'allow':false},{'allow':true,'type':'c','major':1,'minor':3,'access':'rm'},"
		  "{'allow':true,'type':'b','major':-1,'minor':-1,'access':'wrw'},"
		  "{'allow':true,'type':'u','major':10,'access':'r'},{'allow':false,'type':''}]"));
	const struct spec_dev_rule *d = s->resources.devices;

	assert_int_equal(s->resources.n_devices, 5);
	assert_false(d[0].allow);
	assert_int_equal(d[0].type, 'a');
	assert_true(d[0].major == -1 && d[0].minor == -1);
	assert_int_equal(d[0].access, SPEC_DEV_READ | SPEC_DEV_WRITE | SPEC_DEV_MKNOD);
	assert_true(d[1].allow);
	assert_true(d[1].major == 1 && d[1].minor == 3);
	assert_int_equal(d[1].access, SPEC_DEV_READ | SPEC_DEV_MKNOD);
	assert_int_equal(d[2].type, 'b');
	assert_int_equal(d[2].access, SPEC_DEV_READ | SPEC_DEV_WRITE);
	assert_int_equal(d[3].type, 'c');
	assert_true(d[3].major == 10 && d[3].minor == -1);
	assert_int_equal(d[4].type, 'a');
	spec_free(s);
}

static void test_alone(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_free_ char *text = quoted("{'memory':{'limit':1048576},'pids':{'limit':-1}}");
	_cleanup_free_ char *bad = quoted("{'memory':{'limit':true}}");
	struct spec_resources r = { .n_rdma = 77 };
	struct err e = ERR_INIT;

	assert_int_equal(spec_parse_resources(a, bad, strlen(bad), &r, &e), -EINVAL);
	assert_string_equal(e.text, "resources.memory.limit must be an integer, not a boolean");
	assert_int_equal(spec_parse_resources(a, "x", 1, &r, &e), -EINVAL);
	assert_true(str_starts(e.text, "parse resources: line 1, column "));
	assert_int_equal(r.n_rdma, 77);
	assert_int_equal(spec_parse_resources(a, text, strlen(text), &r, &e), 0);
	assert_true(r.present && r.mem_limit.has && r.pids_limit.has);
	assert_int_equal(r.mem_limit.v, 1048576);
	assert_int_equal(r.n_rdma, 0);
	assert_int_equal(spec_parse_resources(a, "{}", 2, &r, NULL), 0);
	assert_true(r.present);
	assert_false(r.mem_limit.has);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_device_rules),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
