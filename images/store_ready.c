/* SPDX-License-Identifier: Apache-2.0 */
/* Ready records: written, swept, checked (see roots.h, which reads them). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "images/roots.h"
#include "images/store_internal.h"
#include "images/unpack.h"

/* --- writing ------------------------------------------------------------------------------------ */

static void put_text(struct json_writer *w, const char *name, const char *text)
{
	if (text)
		json_put_string(w, name, text);
}

static void put_list(struct json_writer *w, const char *name, char *const *list)
{
	if (list)
		json_put_strv(w, name, list);
}

static void put_config(struct json_writer *w, const struct img_config *c)
{
	json_open_object(w, "image");
	put_text(w, "created", c->created);
	put_text(w, "author", c->author);
	put_text(w, "User", c->user);
	put_list(w, "Env", c->env);
	put_list(w, "Entrypoint", c->entrypoint);
	put_list(w, "Cmd", c->cmd);
	put_text(w, "WorkingDir", c->working_dir);
	put_text(w, "StopSignal", c->stop_signal);
	put_list(w, "ExposedPorts", c->exposed_ports);
	put_list(w, "Volumes", c->volumes);
	put_list(w, "Labels", c->labels);
	json_close_object(w);
}

static void put_platform(struct json_writer *w, const struct img_platform *p)
{
	json_open_object(w, "platform");
	json_put_string(w, "os", p->os ? p->os : "linux");
	json_put_string(w, "architecture", p->architecture ? p->architecture : "");
	put_text(w, "variant", p->variant);
	json_close_object(w);
}

/*
 * The layers' ChainIDs, base first. What hides what is told by trusted.* attributes in some layers and by
 * user.* ones in others if a user namespace's root took over a store of root's: overlayfs reads one kind.
 */
static int put_layers(
	struct img_store *s, struct json_writer *w, const struct img_image *image, struct err *e)
{
	bool rootless = false, no_owners = false;
	struct img_digest chain = { "" };

	json_open_array(w, "layers");
	for (size_t i = 0; i < image->config.n_diff_ids; i++) {
		struct img_layer layer;
		int fd;

		if (i == 0)
			chain = image->config.diff_ids[0];
		else
			img_chain_next(&chain, &image->config.diff_ids[i]);
		fd = img_layer_open(s, &chain, &layer, e);
		if (fd < 0)
			return fd;
		fd_close(fd);
		if (i > 0 && layer.rootless != rootless)
			return err_text(e, EBADMSG,
				"layer %s was unpacked %s root's powers, and those below it %s; remove the "
				"image and prune the store, then fetch it again",
				chain.text, layer.rootless ? "without" : "with",
				rootless ? "without" : "with");
		rootless = layer.rootless;
		no_owners = no_owners || layer.no_owners;
		json_put_string(w, NULL, chain.text);
	}
	json_close_array(w);
	json_put_bool(w, "rootless", rootless);
	json_put_bool(w, "noOwners", no_owners);
	return 0;
}

int img_ready_set(struct img_store *s, const struct img_image *image, const struct img_platform *p,
	bool erofs, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	const struct img_digest *target = &image->target.digest;
	char name[IMG_READY_NAME_MAX];
	const char *text;
	size_t len;
	int r;

	if (!w)
		return err_set(e, ENOMEM, "write a ready record");
	json_open_object(w, NULL);
	json_put_i64(w, "version", IMG_READY_VERSION);
	put_text(w, "name", image->name);
	json_put_string(w, "target", target->text);
	json_put_string(w, "manifest", image->manifest_desc.digest.text);
	json_put_string(w, "config", image->id.text);
	put_platform(w, &image->config.platform);
	r = put_layers(s, w, image, e);
	if (r < 0)
		return r;
	json_put_bool(w, "erofs", erofs);
	put_config(w, &image->config);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return err_set(e, ENOMEM, "write a ready record");
	/* The pin first: a record promises that it is there. */
	img_ready_pin_name(target, name);
	r = st_put(s, s->ready, name, target->text, strlen(target->text), false, e);
	if (r < 0)
		return r;
	img_ready_name(target, p, name);
	return st_put(s, s->ready, name, text, len, false, e);
}

/* --- upkeep ------------------------------------------------------------------------------------- */

struct ready_sweep {
	struct img_store *s;
	void *const *blobs;
	bool dry;
};

static int sweep_one(const char *name, void *arg, struct err *e)
{
	const struct ready_sweep *w = arg;
	struct img_digest target;

	if (img_ready_target(name, &target) && st_is_marked(w->blobs, target.text))
		return 0;
	return w->dry ? 0 : img_tree_remove(w->s->ready, name, e);
}

int st_ready_sweep(struct img_store *s, void *const *blobs, bool dry, struct err *e)
{
	struct ready_sweep w = { .s = s, .blobs = blobs, .dry = dry };

	return st_each_name(s->ready, sweep_one, &w, e);
}

struct ready_check {
	struct img_store *s;
	bool remove;
	void (*found)(const char *text, void *arg);
	void *arg;
	int faults;
};

static bool is_right(struct img_store *s, const char *name)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_free_ char *text = NULL;
	struct img_root root = { 0 };
	struct img_digest target;
	size_t len;

	if (!a)
		return true;
	if (!img_ready_target(name, &target) ||
		fd_read_at(s->ready, name, 2 * IMG_DOCUMENT_MAX, &text, &len) < 0)
		return false;
	if (str_ends(name, ".pin"))
		return str_eq(text, target.text);
	return img_ready_parse(a, text, len, &root, NULL) == 0 && str_eq(root.target, target.text);
}

static int check_one(const char *name, void *arg, struct err *e)
{
	struct ready_check *c = arg;
	char text[NAME_MAX + 64];

	if (is_right(c->s, name))
		return 0;
	snprintf(text, sizeof(text), "ready/%s cannot be read", name);
	c->faults++;
	if (c->found)
		c->found(text, c->arg);
	return c->remove ? img_tree_remove(c->s->ready, name, e) : 0;
}

int st_ready_check(struct img_store *s, bool remove, void (*found)(const char *text, void *arg), void *arg,
	struct err *e)
{
	struct ready_check c = { .s = s, .remove = remove, .found = found, .arg = arg };
	int r = st_each_name(s->ready, check_one, &c, e);

	return r < 0 ? r : c.faults;
}
