# namespaces: see HACKING.md
noinst_LIBRARIES += libnamespaces.a
libnamespaces_a_SOURCES = namespaces/namespaces-placeholder.c
