# security: see HACKING.md
noinst_LIBRARIES += libsecurity.a
libsecurity_a_SOURCES = security/security-placeholder.c
