/* SPDX-License-Identifier: Apache-2.0 */
/* unpack_image STORE IMAGE: for tests that are no C. Unpacks all its layers and prints their directories, the
 * topmost first. */
#include <fcntl.h>
#include <stdio.h>

#include "base/str.h"
#include "images/store.h"

static int print_layers(struct img_store *s, const struct img_image *image, struct err *e)
{
	for (size_t i = image->config.n_diff_ids; i-- > 0;) {
		struct img_layer layer;
		struct img_digest chain;
		int fd;

		img_chain_id(image->config.diff_ids, i, &chain);
		fd = img_layer_open(s, &chain, &layer, e);
		if (fd < 0)
			return fd;
		close(fd);
		printf("%s/layers/%s/diff\n", img_store_path(s), img_digest_hex(&chain));
	}
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct img_image image;
	struct err e = ERR_INIT;
	int r;

	if (argc != 3 || !a)
		return 2;
	r = img_store_open(argv[1], true, IMG_SHARED, 0, &s, &e);
	if (r == 0)
		r = img_image_find(s, a, argv[2], NULL, &image, &e);
	if (r == 0)
		r = img_layers_unpack(s, &image, NULL, &e);
	if (r == 0)
		r = print_layers(s, &image, &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.text);
	return r < 0 ? 1 : 0;
}
