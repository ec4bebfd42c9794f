/* SPDX-License-Identifier: Apache-2.0 */
/* Is a batch what its schema says? For tests of kinds, and for batches that foreign code hands over. */
#ifndef TN_ARROW_CHECK_H
#define TN_ARROW_CHECK_H

#include "tenon/provider.h"

/* Structure, lengths, offsets, null counts, and that text is UTF-8. Cannot see how long foreign
 * buffers really are: bytes of other processes are checked before they become arrays. */
tenon_status tn_arrow_check(const struct ArrowSchema *, const struct ArrowArray *, tenon_error *err);

#endif
