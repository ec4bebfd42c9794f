/* SPDX-License-Identifier: Apache-2.0 */
/* Where a range of keys may be cut in two, without knowing what is in it. */
#ifndef TN_PROVIDERS_S3_SPLIT_H
#define TN_PROVIDERS_S3_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

/* A key behind low and before high (NULL: there is no end), about in the middle, as keys are usually written: digits go
 * on with digits, letters with letters. Cuts at byte `from` of low at the earliest. ret has room for low's size + 2. False:
 * there is none that is worth it. */
bool tn_s3_split(const char *low, size_t low_size, const char *high, size_t high_size, size_t from, char *ret,
                 size_t *ret_size);

#endif
