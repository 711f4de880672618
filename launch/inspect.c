/* SPDX-License-Identifier: Apache-2.0 */
/* A partition as a JSON document: the names are those of ringfence(8), and stay. */
#include <fcntl.h>

#include "base/fd.h"
#include "launch/network.h"
#include "launch/record_internal.h"

#define CONFIG_MAX (64U << 20)

static void put_labels(struct json_writer *w, char *const *labels)
{
	const char *label;

	json_open_object(w, "labels");
	strv_each (label, labels) {
		const char *value = strchr(label, '=');
		char *key = strndup(label, value ? (size_t)(value - label) : strlen(label));

		if (key)
			json_put_string(w, key, value ? value + 1 : "");
		free(key);
	}
	json_close_object(w);
}

void launch_info_write(const struct launch_info *i, struct json_writer *w)
{
	struct launch_record record = *i->record;
	char *const *labels = record.labels;

	/* Known by the name alone, it has no record to tell. */
	record.labels = NULL;
	if (record.image)
		launch_record_put(w, &record);
	else
		json_put_string(w, "name", record.name);
	put_labels(w, labels);
	json_put_string(w, "status", launch_status_names[i->status]);
	if (i->status == LAUNCH_EXITED)
		json_put_i64(w, "exitCode", i->exit_code);
	json_put_bool(w, "oomKilled", i->oom_killed);
	if (i->started)
		json_put_string(w, "started", i->started);
	if (i->finished)
		json_put_string(w, "finished", i->finished);
	if (i->error)
		json_put_string(w, "error", i->error);
	json_put_i64(w, "pid", i->pid);
	json_put_i64(w, "supervisor", i->supervisor);
	json_put_i64(w, "restarts", i->restarts);
}

/* What is not there, or damaged, is left out: the rest of the document is worth showing. */
static void put_config(struct json_writer *w, const struct launch_dir *d, struct arena *a)
{
	_cleanup_free_ char *text = NULL;
	const struct json *config;
	size_t len;

	if (fd_read_at(d->fd, "config.json", CONFIG_MAX, &text, &len) == 0 &&
		json_parse(a, text, len, "config.json", &config, NULL) == 0)
		json_put_json(w, "config", config);
}

int launch_inspect(
	const struct launch_ctx *ctx, const char *name, struct arena *a, struct json_writer *w, struct err *e)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct launch_info info;
	char **addresses = NULL;
	int r = launch_dir_open(ctx, name, false, a, &d, e);

	if (r == 0)
		r = launch_look(ctx, &d, a, &info, e);
	if (r == 0) {
		(void)launch_network_addresses(ctx, name, a, &addresses, NULL);
		json_open_object(w, NULL);
		launch_info_write(&info, w);
		json_put_strv(w, "addresses", addresses);
		json_put_string(w, "bundle", d.path);
		put_config(w, &d, a);
		json_close_object(w);
	}
	launch_dir_close(&d);
	return r;
}
