# bench: the density benchmark, which `ringfence bench` runs in its place; and the scripts of older ones
# Statistics and results need no host: what the unit tests link.
noinst_LIBRARIES += libbench.a
libbench_a_SOURCES = bench/compare.c bench/judge.h bench/plan.c bench/result.c bench/result.h bench/result_json.c bench/result_text.c bench/stats.c bench/stats.h

# Installed as LIBEXECDIR/ringfence/ringfence-bench, where `ringfence` looks for it (cli/bench_exec.c).
pkglibexec_PROGRAMS += ringfence-bench ringfence-bench-floor
ringfence_bench_SOURCES = \
	bench/bench.h bench/bench_density.c bench/bench_overhead.c bench/bench_start.c bench/bench_steps.c bench/bundle.c bench/design.c bench/design.h bench/design_fake.c bench/design_floor.c bench/design_host.c bench/design_launch.c \
	bench/design_oci.c bench/design_podman.c bench/design_qemu.c bench/design_vmm.c bench/life.c bench/life.h bench/machine.c bench/main.c bench/marked.c bench/measure.c bench/measure.h bench/proc.c bench/proc.h \
	bench/plot.c bench/progress.c bench/report.c bench/report.h bench/site.c bench/site.h
ringfence_bench_LDADD = libbench.a libbase.a $(YAJL_LIBS) -lm

# The speed limit must not pay for a dynamic linker, nor for checks.
ringfence_bench_floor_SOURCES = bench/floor.c
ringfence_bench_floor_CFLAGS = -std=gnu11 -O2 $(WARN_CFLAGS)
ringfence_bench_floor_LDFLAGS = $(CODE_LDFLAGS)
if STATIC_LINK
ringfence_bench_floor_LDFLAGS += -static
endif

# Runs before and without a C library (bench/payload.c): nothing that the compiler would call into one for.
if BENCH_PAYLOAD
pkglibexec_PROGRAMS += ringfence-bench-payload
ringfence_bench_payload_SOURCES = bench/payload.c
ringfence_bench_payload_CFLAGS = -std=gnu11 -O2 $(WARN_CFLAGS) -ffreestanding -fno-builtin -fno-stack-protector -fcf-protection=none -fno-pie
ringfence_bench_payload_LDFLAGS = -static -nostdlib -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--gc-sections
else
EXTRA_DIST += bench/payload.c
endif

if HAVE_CMOCKA
BENCH_TESTS = tests/unit/bench_judge_test tests/unit/bench_result_test tests/unit/bench_stats_test
BENCH_TEST_LIBS = libbench.a libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
check_PROGRAMS += $(BENCH_TESTS)
TESTS += $(BENCH_TESTS)

tests_unit_bench_judge_test_SOURCES = tests/unit/bench_judge_test.c
tests_unit_bench_judge_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_bench_judge_test_LDADD = $(BENCH_TEST_LIBS)

tests_unit_bench_result_test_SOURCES = tests/unit/bench_result_test.c
tests_unit_bench_result_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_bench_result_test_LDADD = $(BENCH_TEST_LIBS)

tests_unit_bench_stats_test_SOURCES = tests/unit/bench_stats_test.c
tests_unit_bench_stats_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_bench_stats_test_LDADD = $(BENCH_TEST_LIBS)
endif
