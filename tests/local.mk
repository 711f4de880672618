# tests: what `make check` runs beside the folders' own unit tests; the larger suites are started by ./bootstrap check
AM_TESTS_ENVIRONMENT = RINGFENCE='$(abs_top_builddir)/ringfence$(EXEEXT)'; export RINGFENCE; SRCDIR='$(abs_top_srcdir)'; export SRCDIR; RINGFENCE_IMAGE='$(abs_top_builddir)/ringfence-image$(EXEEXT)'; export RINGFENCE_IMAGE; UNPACK_LAYER='$(abs_top_builddir)/tests/images/unpack_layer$(EXEEXT)'; export UNPACK_LAYER;

if SANITIZERS
# A sanitizer reserves more address space than the tests of hostile layers allow.
AM_TESTS_ENVIRONMENT += SANITIZED=1; export SANITIZED;
endif

dist_check_SCRIPTS += tests/benchmark tests/cli tests/fewer-cpuid tests/manual tests/style
TESTS += tests/benchmark tests/cli tests/fewer-cpuid tests/manual tests/style
# The scripts run the program, so `make check` builds it first.
check_DATA = ringfence$(EXEEXT)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/base_log_test
TESTS += tests/unit/base_log_test
tests_unit_base_log_test_SOURCES = tests/unit/base_log_test.c
tests_unit_base_log_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_log_test_LDADD = libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
endif
