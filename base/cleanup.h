/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-bound cleanup: _cleanup_close_, _cleanup_free_, and the TAKE_ macros that hand ownership on. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

/* Closes *fd if it is one, and keeps errno: a cleanup must not eat the reason of a failure. */
static inline void cleanup_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_free_	   _cleanup_(cleanup_freep)
#define _cleanup_close_	   _cleanup_(cleanup_closep)
#define _cleanup_fclose_   _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

#define TAKE_GENERIC(var, nullvalue)                \
	({                                          \
		__typeof__(var) *take_p_ = &(var);  \
		__typeof__(var) take_v_ = *take_p_; \
		*take_p_ = (nullvalue);             \
		take_v_;                            \
	})
#define TAKE_PTR(p) TAKE_GENERIC(p, NULL)
#define TAKE_FD(fd) TAKE_GENERIC(fd, -EBADF)

/* Defines `static inline void FUNCp(TYPE *p)`, for _cleanup_(FUNCp), out of `void FUNC(TYPE)`. */
#define DEFINE_CLEANUP(type, func)          \
	static inline void func##p(type *p) \
	{                                   \
		if (*p)                     \
			func(*p);           \
	}                                   \
	struct useless_struct_to_allow_trailing_semicolon_

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
