/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/pod.c: who is a pod's, by what engines write into configs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/pod.h"

static struct spec *parse(const char *annotations)
{
	struct err e = ERR_INIT;
	struct spec *s = NULL;
	char text[1024];

	snprintf(text, sizeof(text),
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"annotations\":{%s}}", annotations);
	if (spec_parse(text, strlen(text), &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static void expect(const char *annotations, enum vm_role role, const char *pod)
{
	_cleanup_(spec_freep) struct spec *s = parse(annotations);
	const char *id = NULL;

	assert_int_equal(vm_role(s, &id), role);
	if (pod)
		assert_string_equal(id, pod);
	else
		assert_null(id);
}

static void test_roles(void **state)
{
	(void)state;
	expect("", VM_ALONE, NULL);
	expect("\"io.kubernetes.cri.container-type\":\"sandbox\",\"io.kubernetes.cri.sandbox-id\":\"p\"",
		VM_POD, NULL);
	expect("\"io.kubernetes.cri.container-type\":\"container\",\"io.kubernetes.cri.sandbox-id\":\"p\"",
		VM_MEMBER, "p");
	expect("\"io.kubernetes.cri-o.ContainerType\":\"container\",\"io.kubernetes.cri-o.SandboxID\":\"q\"",
		VM_MEMBER, "q");
	expect("\"io.kubernetes.cri-o.ContainerType\":\"sandbox\"", VM_POD, NULL);
	expect("\"io.container.manager\":\"libpod\"", VM_POD, NULL);
	expect("\"io.container.manager\":\"libpod\",\"io.kubernetes.cri-o.ContainerType\":\"container\","
	       "\"io.kubernetes.cri-o.SandboxID\":\"q\"",
		VM_MEMBER, "q");
	/* Of no pod. */
	expect("\"io.kubernetes.cri.container-type\":\"container\"", VM_ALONE, NULL);
	expect("\"io.kubernetes.cri.container-type\":\"container\",\"io.kubernetes.cri.sandbox-id\":\"\"",
		VM_ALONE, NULL);
	expect("\"io.kubernetes.cri.container-type\":\"something\",\"io.kubernetes.cri.sandbox-id\":\"p\"",
		VM_ALONE, NULL);
	expect("\"io.kubernetes.cri.sandbox-id\":\"p\"", VM_ALONE, NULL);
}

static void test_sizes(void **state)
{
	_cleanup_(spec_freep) struct spec *said =
		parse("\"io.kubernetes.cri.sandbox-memory\":\"134217728\","
		      "\"io.kubernetes.cri.sandbox-cpu-quota\":\"150000\","
		      "\"io.kubernetes.cri.sandbox-cpu-period\":\"100000\"");
	_cleanup_(spec_freep) struct spec *none =
		parse("\"io.kubernetes.cri.sandbox-memory\":\"-1\","
		      "\"io.kubernetes.cri.sandbox-cpu-quota\":\"-1\","
		      "\"io.kubernetes.cri.sandbox-cpu-period\":\"100000\"");
	uint64_t quota, period;

	(void)state;
	assert_true(vm_pod_memory(said) == 134217728);
	assert_true(vm_pod_cpu(said, &quota, &period));
	assert_true(quota == 150000 && period == 100000);
	assert_true(vm_pod_memory(none) == 0);
	assert_false(vm_pod_cpu(none, &quota, &period));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
