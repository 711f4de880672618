/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of ringfence-image, for both programs: it has them, and `ringfence` hands them to it. The name,
 * for which cli/image/ has a struct image_verb verb_NAME, and its line in the help text.
 */
#ifndef CLI_IMAGE_VERBS_H
#define CLI_IMAGE_VERBS_H

#define IMAGE_VERBS(X)                                                      \
	X(pull, "Fetch an image from a registry")                           \
	X(load, "Put the images of an archive or directory into the store") \
	X(save, "Write images to an archive or directory")                  \
	X(import, "Make an image of a root file system")                    \
	X(images, "List images")                                            \
	X(inspect, "Print all about images as JSON")                        \
	X(history, "Show how an image came to be")                          \
	X(tag, "Give an image more names")                                  \
	X(untag, "Take names away from an image")                           \
	X(rmi, "Remove images")                                             \
	X(prune, "Remove what is not needed")                               \
	X(du, "Show what images take, and what could be had back")          \
	X(store, "Check the image store for damage")                        \
	X(login, "Log in to a registry")                                    \
	X(logout, "Log out of a registry")                                  \
	X(prepare, "Make an image ready to be started from")

#endif
