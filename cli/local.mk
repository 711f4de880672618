# cli: the program, its manual, completions, and what makes engines find it
bin_PROGRAMS += ringfence
ringfence_SOURCES = \
	cli/image/text.c cli/image/text.h cli/inspect.c cli/launch.c cli/ls.c cli/rm.c \
	cli/cli.h cli/common.c cli/create.c cli/create_options.h cli/delete.c cli/doctor.c cli/doctor.h cli/doctor_host.c cli/doctor_sandbox.c cli/events.c cli/exec.c cli/features.c cli/kill.c \
	cli/list.c cli/main.c cli/network_hook.c cli/options.c cli/options.h cli/pause.c cli/port.c cli/print.c cli/print.h cli/ps.c cli/resume.c cli/run.c \
	cli/spec.c cli/start.c cli/state.c cli/update.c cli/verb.c cli/verb.h \
	cli/bench_exec.c cli/bench_exec.h cli/image_exec.c cli/image_exec.h cli/image/verbs.h \
	cli/commit.c cli/cp.c cli/stats.c cli/top.c cli/volume.c \
	cli/attach.c cli/generate.c cli/launched.c cli/launched.h cli/logs.c cli/rename.c cli/restart.c cli/stop.c cli/supervise.c cli/wait.c
# libcgroups.a a second time: it has what a static libdbus wants of libsystemd.
ringfence_LDADD = libsandbox.a liblaunch.a libruntime.a libcgroups.a libnamespaces.a libsecurity.a libroots.a libspec.a libbase.a \
	-lseccomp -lcap -lcgroup $(DBUS_LIBS) libcgroups.a $(YAJL_LIBS) -lpthread -lm
ringfence_LDFLAGS = $(AM_LDFLAGS)
# Set or empty: automake knows no LINK under a condition.
ringfence_LINK = $(LINK_STEP) $(CCLD) $(AM_CFLAGS) $(CFLAGS) $(ringfence_LDFLAGS) $(LDFLAGS) -o $@
if STATIC_LINK
ringfence_LDFLAGS += -static
if STATIC_ENTRY
# Runs before libc: without anything that needs thread-local storage, and without calls that the compiler would put in.
noinst_LIBRARIES += libentry.a
libentry_a_SOURCES = cli/entry.c cli/entry.h
libentry_a_CPPFLAGS = $(AM_CPPFLAGS) -DRF_STATIC_ENTRY
libentry_a_CFLAGS = $(AM_CFLAGS) -fno-stack-protector -fno-builtin -fcf-protection=none
ringfence_LDADD += libentry.a
ringfence_LDFLAGS += -Wl,-e,rf_start -Wl,-u,rf_start
if !CROSS
# A program for the machine that builds, which changes the one that was linked.
noinst_PROGRAMS += cli/fewer-cpuid
cli_fewer_cpuid_SOURCES = cli/fewer_cpuid.c
LINK_STEP = $(srcdir)/cli/link-static cli/fewer-cpuid
EXTRA_ringfence_DEPENDENCIES = cli/fewer-cpuid cli/link-static
endif
endif
endif
EXTRA_DIST += cli/entry.c cli/entry.h cli/link-static cli/fewer_cpuid.c

dist_man_MANS += docs/ringfence.8 docs/ringfence-bench.8 docs/ringfence-image.8

zshcompdir = $(datadir)/zsh/site-functions
dist_zshcomp_DATA = cli/completions/_ringfence
fishcompdir = $(datadir)/fish/vendor_completions.d
dist_fishcomp_DATA = cli/completions/ringfence.fish
# bash-completion looks for a file of the command's own name.
bashcompdir = $(datadir)/bash-completion/completions
EXTRA_DIST += cli/completions/ringfence.bash

# Snippets for engines' configurations, with the path of the installed program. podman's drop-in acts as it stands.
ENGINE_SNIPPETS = cli/engines/50-ringfence.conf cli/engines/containerd.toml cli/engines/crio.conf cli/engines/docker-daemon.json
enginesdir = $(datadir)/ringfence/engines
engines_DATA = $(ENGINE_SNIPPETS)
containersconf_DATA = cli/engines/50-ringfence.conf
EXTRA_DIST += $(ENGINE_SNIPPETS:=.in)
CLEANFILES += $(ENGINE_SNIPPETS)

$(ENGINE_SNIPPETS): Makefile
	$(AM_V_GEN)$(MKDIR_P) cli/engines && sed 's|@bindir[@]|$(bindir)|g' "$(srcdir)/$@.in" >"$@.tmp" && mv "$@.tmp" "$@"
cli/engines/50-ringfence.conf: cli/engines/50-ringfence.conf.in
cli/engines/containerd.toml: cli/engines/containerd.toml.in
cli/engines/crio.conf: cli/engines/crio.conf.in
cli/engines/docker-daemon.json: cli/engines/docker-daemon.json.in

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(bashcompdir)"
	$(INSTALL_DATA) "$(srcdir)/cli/completions/ringfence.bash" "$(DESTDIR)$(bashcompdir)/ringfence"

uninstall-local:
	rm -f "$(DESTDIR)$(bashcompdir)/ringfence"

# The name that asks for a sandbox (main.c): what engines are pointed at.
install-exec-hook:
	cd "$(DESTDIR)$(bindir)" && rm -f ringfence-sandbox && ln -s ringfence ringfence-sandbox

uninstall-hook:
	rm -f "$(DESTDIR)$(bindir)/ringfence-sandbox"

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/cli_options_test
TESTS += tests/unit/cli_options_test
tests_unit_cli_options_test_SOURCES = tests/unit/cli_options_test.c cli/options.c
tests_unit_cli_options_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cli_options_test_LDADD = libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
endif
