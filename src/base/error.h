/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, inside. tenon_fail (tenon/provider.h) writes them. */
#ifndef TN_BASE_ERROR_H
#define TN_BASE_ERROR_H

#include "tenon/provider.h"

void tn_error_init(tenon_error *);
tenon_status tn_no_memory(tenon_error *);
/* For errno: code by its meaning, message "WHAT: No such file or directory". */
tenon_status tn_fail_errno(tenon_error *, int errnum, tenon_stage, const char *remedy, const char *what, ...)
    TENON_PRINTF(5, 6);
/* Writes over message and remedy wherever one of the secrets stands in them: as it is, encoded, or cut (redact.c). */
void tn_error_redact(tenon_error *, const char *const *secrets, size_t count);
/* Gives a failure a further fact in front: "orders.csv: line 3: …". */
void tn_error_prefix(tenon_error *, const char *format, ...) TENON_PRINTF(2, 3);
/* Copies a failure to whoever asked, unless they have one. */
tenon_status tn_pass_error(const tenon_error *from, tenon_error *to);

#endif
