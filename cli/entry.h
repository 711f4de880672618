/* SPDX-License-Identifier: Apache-2.0 */
/* The ELF entry point of the static build (entry.c): rf_start, given to the linker with -e. */
#ifndef CLI_ENTRY_H
#define CLI_ENTRY_H

/* NULL where the program has none. For the linker only, not to be called. */
extern void rf_start(void) __attribute__((weak));

/* Called by rf_start with the initial stack; not for others. */
void rf_early(long *stack);

#endif
