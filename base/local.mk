# base: errors, cleanup macros, descriptors, safe paths, strings, JSON, logging
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	base/arena.c base/arena.h base/cleanup.h base/err.c base/err.h base/fd.c base/fd.h \
	base/json.c base/json.h base/log.c base/log.h base/path.c base/path.h base/str.c base/str.h
