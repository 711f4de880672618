/* SPDX-License-Identifier: Apache-2.0 */
/* What http*.c share; private to them. */
#ifndef IMAGES_HTTP_INTERNAL_H
#define IMAGES_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "base/err.h"

/* Authorities and our own certificate; `dir` NULL: only what the environment says. */
int img_http_set_certs(CURL *curl, const char *dir, struct err *e);

#endif
