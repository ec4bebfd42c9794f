/* SPDX-License-Identifier: Apache-2.0 */
/* What a system did not do of a read is done here, batch by batch: filters, the key to go on after,
 * limit, columns. */
#ifndef TN_CORE_APPLY_H
#define TN_CORE_APPLY_H

#include "tenon/provider.h"

/* Takes the stream of rows over, also on failure; afterwards it is the stream of all that was asked.
 * An order that was not applied is an error here. */
tenon_status tn_rows_complete(const tenon_read *, tenon_rows *rows, tenon_error *err);
/* Are the columns there that what is left to do needs? */
bool tn_rows_suffice(const tenon_read *, const tenon_rows *rows);

#endif
