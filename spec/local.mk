# spec: config.json as plain C structs
noinst_LIBRARIES += libspec.a
libspec_a_SOURCES = \
	spec/check.c spec/default.c spec/devices.c spec/features.h spec/field.c spec/hooks.c spec/linux.c \
	spec/mounts.c spec/parse.c spec/parse.h spec/process.c spec/resources.c spec/seccomp.c spec/spec.h \
	spec/vm.c spec/words.c
