/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary that `features` reports and the parsers accept: one table each, so that the two cannot disagree. */
#ifndef SPEC_FEATURES_H
#define SPEC_FEATURES_H

/* The range of ociVersion that is accepted: 1.0.0 up to the newest 1.3.x, pre-releases of them included. */
#define SPEC_VERSION_MIN "1.0.0"
#define SPEC_VERSION_MAX "1.3.0"

#endif
