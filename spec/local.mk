# spec: see HACKING.md
noinst_LIBRARIES += libspec.a
libspec_a_SOURCES = spec/spec-placeholder.c
