# runtime: see HACKING.md
noinst_LIBRARIES += libruntime.a
libruntime_a_SOURCES = runtime/runtime-placeholder.c
