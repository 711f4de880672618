/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin answers (CNI specification 1.0.0, section 5, "ADD Success"), as far as we believe it. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "launch/cni.h"

#define ADDRESSES_MAX 64

int cni_address_parse(const char *text, int *family, unsigned char *binary, int *prefix)
{
	const char *slash = strchr(text, '/');
	char ip[INET6_ADDRSTRLEN];
	uint32_t bits;
	int f;

	if (!slash || (size_t)(slash - text) >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = '\0';
	f = strchr(ip, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(f, ip, binary) != 1 || str_to_u32(slash + 1, &bits) < 0 ||
		bits > (f == AF_INET ? 32U : 128U))
		return -EINVAL;
	*family = f;
	*prefix = (int)bits;
	return 0;
}

int cni_result_addresses(const struct json *result, struct arena *a, char ***out, struct err *e)
{
	const struct json *version = json_get(result, "cniVersion"), *ips = json_get(result, "ips"), *ip;
	unsigned char binary[16];
	int family, prefix;
	size_t n = 0;
	char **list;

	if (!result || result->type != JSON_OBJECT)
		return err_text(e, EINVAL, "the result is no object");
	if (!version || version->type != JSON_STRING)
		return err_text(e, EINVAL, "the result has no cniVersion");
	if (ips && (ips->type != JSON_ARRAY || ips->count > ADDRESSES_MAX))
		return err_text(
			e, EINVAL, "ips of the result is no list of at most %d addresses", ADDRESSES_MAX);
	list = arena_calloc(a, (ips ? ips->count : 0) + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "read a result");
	json_each (ip, ips) {
		const struct json *address = json_get(ip, "address");

		if (!address || address->type != JSON_STRING ||
			cni_address_parse(address->text, &family, binary, &prefix) < 0)
			return err_text(
				e, EINVAL, "an address of the result is not of the form ADDRESS/PREFIX");
		list[n] = arena_strdup(a, address->text);
		if (!list[n++])
			return err_set(e, ENOMEM, "read a result");
	}
	*out = list;
	return 0;
}

/* --- leases ----------------------------------------------------------------------------------- */

static const char *string_of(const struct json *j, const char *member)
{
	const struct json *m = json_get(j, member);

	return m && m->type == JSON_STRING ? m->text : NULL;
}

/* host-local keeps a file for each address in use: its name is the address, its first line the container. */
static const char *find_lease(const char *path, const char *container, struct arena *a)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	size_t len = strlen(container);
	unsigned char binary[16];
	struct dirent *entry;
	char text[512];

	while (d && (entry = readdir(d))) {
		bool v6 = strchr(entry->d_name, ':');

		if (inet_pton(v6 ? AF_INET6 : AF_INET, entry->d_name, binary) != 1)
			continue;
		if (fd_get_at(dirfd(d), entry->d_name, text, sizeof(text)) < 0)
			continue;
		if (strncmp(text, container, len) == 0 && strchr("\r\n", text[len]))
			return arena_printf(a, "%s/%d", entry->d_name, v6 ? 128 : 32);
	}
	return NULL;
}

const char *cni_leased(const struct json *list, const char *container, struct arena *a)
{
	const struct json *plugins = json_get(list, "plugins"), *p;
	const char *network = string_of(list, "name"), *found = NULL;

	json_each (p, plugins) {
		const struct json *ipam = json_get(p, "ipam");
		const char *type = string_of(ipam, "type"), *dir = string_of(ipam, "dataDir"), *path;

		if (found || !network || !type || !str_eq(type, "host-local"))
			continue;
		path = arena_printf(a, "%s/%s", dir && *dir ? dir : "/var/lib/cni/networks", network);
		if (path)
			found = find_lease(path, container, a);
	}
	return found;
}
