/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries of others, opened when they are first needed: none is linked, so a program starts fast,
 * and runs without those that it does not use. */
#ifndef TN_BASE_LIBRARY_H
#define TN_BASE_LIBRARY_H

#include "tenon/provider.h"

/* The first of names (NULL-terminated) that opens, and count symbols of it into slots; it is never
 * closed. UNSUPPORTED with the remedy, which says what to install. */
tenon_status tn_library_open(const char *const *names, const char *const *symbols, void **slots,
                             size_t count, const char *remedy, tenon_error *err);

#endif
