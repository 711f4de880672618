/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/dns.c: which resolver is one of the loopback interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/dns.h"

static void expect(const char *text, const char *address)
{
	char found[VM_DNS_ADDRESS] = "";

	assert_int_equal(vm_dns_find(text, found), address != NULL);
	assert_string_equal(found, address ? address : "");
}

static void test_find(void **state)
{
	(void)state;
	expect("nameserver 127.0.0.11\noptions ndots:0\n", "127.0.0.11");
	expect("search x\nnameserver\t127.0.0.53", "127.0.0.53");
	expect("nameserver 8.8.8.8\nnameserver 127.0.0.2\n", "127.0.0.2");
	/* The guest's own, a host's elsewhere, none at all. */
	expect("nameserver 127.0.0.1\n", NULL);
	expect("nameserver 10.0.2.3\n", NULL);
	expect("nameserver ::1\n", NULL);
	expect("", NULL);
	expect("#nameserver 127.0.0.11\n nameserver 127.0.0.11\n", NULL);
	/* Nonsense. */
	expect("nameserver 127.0.0.11.5\n", NULL);
	expect("nameserver 127.0.0.999\n", NULL);
	expect("nameserver 1270000000000000000000000000011\n", NULL);
	expect("nameserver", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
