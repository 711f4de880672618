/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as containers-certs.d(5) has them, given to libcurl: authorities and our own. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/http_internal.h"

#define CERT_MAX (1024U * 1024U)

struct certs {
	CURL *curl;
	const char *dir;
	struct strbuf authorities;
	char *client; /* name of the first *.cert */
};

static int read_authority(struct certs *c, int dir, const char *name, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fd < 0 ? -errno : fd_read_regular(fd, CERT_MAX, &text, &len);

	if (r < 0)
		return err_set(e, r, "read %s/%s", c->dir, name);
	strbuf_add(&c->authorities, text, len);
	strbuf_puts(&c->authorities, "\n");
	return c->authorities.failed ? err_set(e, ENOMEM, "read %s/%s", c->dir, name) : 0;
}

static int note_client(struct certs *c, const char *name)
{
	if (c->client && strcmp(c->client, name) <= 0)
		return 0;
	free(c->client);
	c->client = strdup(name);
	return c->client ? 0 : -ENOMEM;
}

static int read_directory(struct certs *c, struct err *e)
{
	_cleanup_closedir_ DIR *d = opendir(c->dir);
	const struct dirent *entry;

	if (!d)
		return err_set(e, errno, "read %s", c->dir);
	while ((entry = readdir(d))) {
		int r = 0;

		if (str_ends(entry->d_name, ".crt"))
			r = read_authority(c, dirfd(d), entry->d_name, e);
		else if (str_ends(entry->d_name, ".cert") && note_client(c, entry->d_name) < 0)
			r = err_set(e, ENOMEM, "read %s", c->dir);
		if (r < 0)
			return r;
	}
	return 0;
}

/* NAME.cert and NAME.key. */
static int set_client(struct certs *c, struct err *e)
{
	_cleanup_strbuf_ struct strbuf cert = { 0 }, key = { 0 };

	strbuf_printf(&cert, "%s/%s", c->dir, c->client);
	strbuf_printf(&key, "%s/%.*s.key", c->dir, (int)(strlen(c->client) - strlen(".cert")), c->client);
	if (cert.failed || key.failed)
		return err_set(e, ENOMEM, "read %s", c->dir);
	if (access(key.s, R_OK) < 0)
		return err_set(e, errno, "read %s, the key of %s", key.s, cert.s);
	if (curl_easy_setopt(c->curl, CURLOPT_SSLCERT, cert.s) != CURLE_OK ||
		curl_easy_setopt(c->curl, CURLOPT_SSLKEY, key.s) != CURLE_OK)
		return err_set(e, ENOMEM, "read %s", cert.s);
	return 0;
}

/*
 * Beside the system's authorities, not instead of them: a blob takes the place of libcurl's file of
 * authorities, not of its directory. Where it was built without the latter, the file is put into the blob.
 */
static int set_authorities(struct certs *c, struct err *e)
{
	const char *path = NULL, *file = getenv("SSL_CERT_FILE");
	struct curl_blob blob;

	curl_easy_getinfo(c->curl, CURLINFO_CAPATH, &path);
	if (!path && (!file || !*file))
		curl_easy_getinfo(c->curl, CURLINFO_CAINFO, &file);
	if (file && *file && access(file, R_OK) == 0) {
		int r = read_authority(c, AT_FDCWD, file, e);

		if (r < 0)
			return r;
	}
	blob = (struct curl_blob){
		.data = c->authorities.s, .len = c->authorities.len, .flags = CURL_BLOB_COPY
	};
	if (curl_easy_setopt(c->curl, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK)
		return err_text(e, EOPNOTSUPP, "%s: this libcurl takes no authorities from memory", c->dir);
	return 0;
}

int img_http_set_certs(CURL *curl, const char *dir, struct err *e)
{
	struct certs c = { .curl = curl, .dir = dir };
	const char *file = getenv("SSL_CERT_FILE"), *path = getenv("SSL_CERT_DIR");
	int r = 0;

	/* What other tools take from there as well; libcurl itself does not look. */
	if (file && *file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, file);
	if (path && *path)
		curl_easy_setopt(curl, CURLOPT_CAPATH, path);
	if (!dir)
		return 0;
	r = read_directory(&c, e);
	if (r == 0 && c.authorities.len)
		r = set_authorities(&c, e);
	if (r == 0 && c.client)
		r = set_client(&c, e);
	strbuf_reset(&c.authorities);
	free(c.client);
	return r;
}
