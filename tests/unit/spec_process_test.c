/* SPDX-License-Identifier: Apache-2.0 */
/* The process object: within config.json, and alone as `exec --process` takes it. */
#include "tests/unit/spec_test.h"

#include <linux/sched.h>
#include <sys/resource.h>

#define P(members) ",'process':{'cwd':'/'" members "}"

#define LIMITS                                                                                      \
	"; known are RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, " \
	"RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, "   \
	"RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK"

static void test_refusals(void **state)
{
	static const struct refusal refused[] = {
		{ ",'process':[]", "process must be an object, not an array" },
		{ ",'process':{}", "process.cwd is required" },
		{ ",'process':{'cwd':''}", "process.cwd must be an absolute path, not \"\"" },
		{ ",'process':{'cwd':'srv'}", "process.cwd must be an absolute path, not \"srv\"" },
		{ P(",'terminal':1"), "process.terminal must be a boolean, not a number" },
		{ P(",'consoleSize':{'height':1}"), "process.consoleSize.width is required" },
		{ P(",'consoleSize':{'height':65536,'width':1}"),
			"process.consoleSize.height must be from 0 to 65535, not 65536" },
		{ P(",'args':[]"), "process.args must have at least one element: the program to run" },
		{ P(",'args':'sh'"), "process.args must be an array, not a string" },
		{ P(",'args':['sh',null]"), "process.args[1] must be a string, not null" },
		{ P(",'env':{'A':'b'}"), "process.env must be an array, not an object" },
		{ P(",'env':['A=b',1]"), "process.env[1] must be a string, not a number" },
		{ P(",'noNewPrivileges':'yes'"), "process.noNewPrivileges must be a boolean, not a string" },
		{ P(",'apparmorProfile':{}"), "process.apparmorProfile must be a string, not an object" },
		{ P(",'selinuxLabel':1"), "process.selinuxLabel must be a string, not a number" },
		{ P(",'oomScoreAdj':1001"), "process.oomScoreAdj must be from -1000 to 1000, not 1001" },
		{ P(",'oomScoreAdj':'0'"), "process.oomScoreAdj must be an integer, not a string" },
		/* user */
		{ P(",'user':'root'"), "process.user must be an object, not a string" },
		{ P(",'user':{'uid':-1}"), "process.user.uid must be an unsigned 64-bit integer, not -1" },
		{ P(",'user':{'uid':4294967295}"),
			"process.user.uid must be at most 4294967294, not 4294967295" },
		{ P(",'user':{'uid':4294967296}"),
			"process.user.uid must be at most 4294967294, not 4294967296" },
		{ P(",'user':{'uid':'0'}"), "process.user.uid must be an integer, not a string" },
		{ P(",'user':{'gid':1.5}"), "process.user.gid must be an unsigned 64-bit integer, not 1.5" },
		{ P(",'user':{'umask':512}"), "process.user.umask must be from 0 to 511, not 512" },
		{ P(",'user':{'additionalGids':[5,4294967295]}"),
			"process.user.additionalGids[1] must be at most 4294967294, not 4294967295" },
		/* capabilities */
		{ P(",'capabilities':['CAP_KILL']"), "process.capabilities must be an object, not an array" },
		{ P(",'capabilities':{'bounding':'CAP_KILL'}"),
			"process.capabilities.bounding must be an array, not a string" },
		{ P(",'capabilities':{'ambient':['CAP_KILL',7]}"),
			"process.capabilities.ambient[1] must be a string, not a number" },
		/* rlimits */
		{ P(",'rlimits':[{'soft':1,'hard':1}]"), "process.rlimits[0].type is required" },
		{ P(",'rlimits':[{'type':'RLIMIT_CPU','soft':1}]"), "process.rlimits[0].hard is required" },
		{ P(",'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':1},{'type':'RLIMIT_AS','soft':1,'hard':"
		    "1},"
		    "{'type':'RLIMIT_FOO','soft':1,'hard':1}]"),
			"process.rlimits[2].type: unknown limit RLIMIT_FOO" LIMITS },
		{ P(",'rlimits':[{'type':'nofile','soft':1,'hard':1}]"),
			"process.rlimits[0].type: unknown limit nofile" LIMITS },
		{ P(",'rlimits':[{'type':'RLIMIT_CPU','soft':1,'hard':1},{'type':'RLIMIT_CPU','soft':1,'hard'"
		    ":1}]"),
			"process.rlimits[1].type: the same limit is listed twice" },
		{ P(",'rlimits':[{'type':'RLIMIT_CPU','soft':3,'hard':2}]"),
			"process.rlimits[0].soft (3) must not exceed the hard limit (2)" },
		{ P(",'rlimits':[{'type':'RLIMIT_CPU','soft':-1,'hard':2}]"),
			"process.rlimits[0].soft must be an unsigned 64-bit integer, not -1" },
		/* scheduler */
		{ P(",'scheduler':{}"), "process.scheduler.policy is required" },
		{ P(",'scheduler':{'policy':'SCHED_FAST'}"),
			"process.scheduler.policy: unknown policy SCHED_FAST; known are SCHED_OTHER, "
			"SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE" },
		{ P(",'scheduler':{'policy':'SCHED_OTHER','nice':20}"),
			"process.scheduler.nice must be from -20 to 19, not 20" },
		{ P(",'scheduler':{'policy':'SCHED_OTHER','priority':1}"),
			"process.scheduler.priority is for SCHED_FIFO and SCHED_RR only" },
		{ P(",'scheduler':{'policy':'SCHED_FIFO'}"),
			"process.scheduler.priority must be from 1 to 99 with SCHED_FIFO and SCHED_RR" },
		{ P(",'scheduler':{'policy':'SCHED_RR','priority':100}"),
			"process.scheduler.priority must be from 0 to 99, not 100" },
		{ P(",'scheduler':{'policy':'SCHED_BATCH','deadline':5}"),
			"process.scheduler: runtime, deadline and period are for SCHED_DEADLINE only" },
		{ P(",'scheduler':{'policy':'SCHED_DEADLINE'}"),
			"process.scheduler.runtime must be more than 0 and at most the deadline with "
			"SCHED_DEADLINE" },
		{ P(",'scheduler':{'policy':'SCHED_DEADLINE','runtime':6,'deadline':5,'period':9}"),
			"process.scheduler.runtime must be more than 0 and at most the deadline with "
			"SCHED_DEADLINE" },
		{ P(",'scheduler':{'policy':'SCHED_DEADLINE','runtime':4,'deadline':5,'period':4}"),
			"process.scheduler: the deadline must not exceed the period" },
		{ P(",'scheduler':{'policy':'SCHED_OTHER','flags':['SCHED_FLAG_RECLAIM','X']}"),
			"process.scheduler.flags[1]: unknown flag X; known are SCHED_FLAG_RESET_ON_FORK, "
			"SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_POLICY, "
			"SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX" },
		/* the rest */
		{ P(",'ioPriority':{'priority':1}"), "process.ioPriority.class is required" },
		{ P(",'ioPriority':{'class':'IOPRIO_CLASS_NONE'}"),
			"process.ioPriority.class: unknown class IOPRIO_CLASS_NONE; known are "
			"IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE" },
		{ P(",'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':8}"),
			"process.ioPriority.priority must be from 0 to 7, not 8" },
		{ P(",'execCPUAffinity':{'initial':'0-3;7'}"),
			"process.execCPUAffinity.initial must be a list of CPUs such as \"0-3,7\", not "
			"\"0-3;7\"" },
		{ P(",'execCPUAffinity':{'final':3}"),
			"process.execCPUAffinity.final must be a string, not a number" },
	};

	check_refusals(refused, ARRAY_SIZE(refused));
}

static void test_absent(void **state)
{
	struct spec *s = good(
		P(",'capabilities':null,'rlimits':null,'scheduler':null,'user':null,'env':null,'args':null,"
		  "'apparmorProfile':'','selinuxLabel':'','execCPUAffinity':{'initial':''}"));
	const struct spec_process *p = &s->process;

	assert_true(s->has_process);
	assert_string_equal(p->cwd, "/");
	assert_false(p->terminal || p->has_console_size || p->no_new_privileges || p->has_oom_score_adj);
	assert_false(p->caps.present || p->scheduler.present || p->io_priority.present || p->user.has_umask);
	assert_null(p->args);
	assert_null(p->env);
	assert_null(p->apparmor_profile);
	assert_null(p->selinux_label);
	assert_null(p->cpu_affinity_initial);
	assert_int_equal(p->user.uid, 0);
	spec_free(s);
}

static void test_values(void **state)
{
	struct spec *s = good(P(",'terminal':true,'consoleSize':{'height':25,'width':80},'args':['a',''],'"
				"env':['A=b','NOVALUE','=x'],"
				"'user':{'uid':4294967294,'gid':1e3,'umask':63,'additionalGids':[1,0]},'"
				"noNewPrivileges':true,"
				"'rlimits':[{'type':'RLIMIT_CORE','soft':0,'hard':18446744073709551615},"
				"{'type':'RLIMIT_RTTIME','soft':1,'hard':1}],'oomScoreAdj':-999,"
				"'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':7},'execCPUAffinity':{'"
				"initial':'0-3, 7','final':'1'}"));
	const struct spec_process *p = &s->process;

	assert_true(p->terminal && p->has_console_size && p->no_new_privileges);
	assert_int_equal(p->console_height, 25);
	assert_int_equal(p->console_width, 80);
	assert_string_equal(p->args[1], "");
	assert_int_equal(strv_len(p->env), 3);
	assert_int_equal(p->user.uid, UINT32_MAX - 1);
	assert_int_equal(p->user.gid, 1000);
	assert_int_equal(p->user.umask, 077);
	assert_int_equal(p->user.n_additional_gids, 2);
	assert_int_equal(p->user.additional_gids[0], 1);
	assert_int_equal(p->n_rlimits, 2);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_CORE);
	assert_true(p->rlimits[0].hard == RLIM_INFINITY);
	assert_int_equal(p->rlimits[1].resource, RLIMIT_RTTIME);
	assert_int_equal(p->oom_score_adj, -999);
	assert_int_equal(p->io_priority.class, 1);
	assert_int_equal(p->io_priority.priority, 7);
	assert_string_equal(p->cpu_affinity_initial, "0-3, 7");
	assert_int_equal(strv_len(s->notes), 1);
	assert_string_equal(s->notes[0], "process.env[1]: \"NOVALUE\" is no NAME=value");
	spec_free(s);
	/* The zeros that Docker writes where it has no size. */
	s = good(P(",'consoleSize':{'height':0,'width':0}"));
	assert_false(s->process.has_console_size);
	spec_free(s);
}

static void test_capabilities(void **state)
{
	struct spec *s =
		good(P(",'capabilities':{'bounding':['CAP_CHOWN','CAP_CHECKPOINT_RESTORE','CAP_FOO'],"
		       "'effective':['CAP_FOO','CAP_SYS_ADMIN','CAP_SYS_ADMIN'],'inheritable':[],"
		       "'permitted':['cap_kill','CAP_BAR',''],'ambient':null}"));
	const struct spec_caps *c = &s->process.caps;

	assert_true(c->present);
	assert_true(c->bounding == (UINT64_C(1) | UINT64_C(1) << 40));
	assert_true(c->effective == UINT64_C(1) << 21);
	assert_int_equal(c->inheritable, 0);
	assert_true(c->permitted == UINT64_C(1) << 5);
	assert_int_equal(c->ambient, 0);
	assert_int_equal(strv_len(c->unknown), 3);
	assert_string_equal(c->unknown[0], "CAP_FOO");
	assert_string_equal(c->unknown[1], "CAP_BAR");
	assert_int_equal(strv_len(s->notes), 3);
	assert_string_equal(
		s->notes[0], "process.capabilities.bounding[2]: unknown capability CAP_FOO is left out");
	spec_free(s);
}

static void test_scheduler(void **state)
{
	struct spec *s =
		good(P(",'scheduler':{'policy':'SCHED_DEADLINE','nice':19,'priority':0,'runtime':42000,"
		       "'deadline':1000000,'period':1000000,"
		       "'flags':['SCHED_FLAG_RESET_ON_FORK','SCHED_FLAG_UTIL_CLAMP_MAX']}"));
	const struct spec_scheduler *d = &s->process.scheduler;

	assert_true(d->present && d->has_nice);
	assert_int_equal(d->policy, SCHED_DEADLINE);
	assert_int_equal(d->nice, 19);
	assert_int_equal(d->runtime, 42000);
	assert_int_equal(d->period, 1000000);
	assert_int_equal(d->flags, SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_UTIL_CLAMP_MAX);
	spec_free(s);
	s = good(P(",'scheduler':{'policy':'SCHED_RR','priority':99,'runtime':0,'flags':[]}"));
	assert_int_equal(s->process.scheduler.policy, SCHED_RR);
	assert_int_equal(s->process.scheduler.priority, 99);
	assert_false(s->process.scheduler.has_nice);
	spec_free(s);
	s = good(P(",'scheduler':{'policy':'SCHED_OTHER','nice':-20,'priority':0,'deadline':0}"));
	assert_int_equal(s->process.scheduler.nice, -20);
	spec_free(s);
}

static void test_alone(void **state)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_free_ char *text = quoted("{'cwd':'/x','args':['id'],'user':{'uid':3,'gid':4}}");
	struct spec_process p = { .cwd = "untouched" };
	struct err e = ERR_INIT;

	assert_int_equal(spec_parse_process(a, "{}", 2, &p, &e), -EINVAL);
	assert_string_equal(e.text, "process.cwd is required");
	assert_int_equal(spec_parse_process(a, "[1]", 3, &p, &e), -EINVAL);
	assert_string_equal(e.text, "process must be an object, not an array");
	assert_int_equal(spec_parse_process(a, "{", 1, &p, &e), -EINVAL);
	assert_true(str_starts(e.text, "parse process: line 1, column 2: "));
	assert_string_equal(p.cwd, "untouched");
	assert_int_equal(spec_parse_process(a, text, strlen(text), &p, &e), 0);
	assert_string_equal(p.cwd, "/x");
	assert_int_equal(p.user.gid, 4);
	assert_false(p.caps.present);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_scheduler),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
