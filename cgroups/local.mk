# cgroups: see HACKING.md
noinst_LIBRARIES += libcgroups.a
libcgroups_a_SOURCES = cgroups/cgroups-placeholder.c
