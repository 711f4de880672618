/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of ringfence-image, for both programs: it has them, and `ringfence` hands them to it. The name,
 * for which cli/image/ has a struct image_verb verb_NAME, and its line in the help text.
 */
#ifndef CLI_IMAGE_VERBS_H
#define CLI_IMAGE_VERBS_H

#define IMAGE_VERBS(X)                                                      \
	X(import, "Make an image of a root file system")                    \
	X(load, "Put the images of an archive or directory into the store") \
	X(prepare, "Make an image ready to be started from")                \
	X(pull, "Fetch an image from a registry")                           \
	X(save, "Write images to an archive or directory")

#endif
