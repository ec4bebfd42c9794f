/* SPDX-License-Identifier: Apache-2.0 */
/* What failed and may succeed later is tried again: when, how often, and whether there is time for it. For requests that
 * the core does not repeat, since they are parts of something longer. */
#ifndef TN_PROVIDERS_S3_RETRY_H
#define TN_PROVIDERS_S3_RETRY_H

#include "s3.h"


/* Start with zeroes for each request. */
typedef struct tn_s3_retry {
  int tries;                 /* that failed */
  int64_t due_ms;            /* when it is sent again; 0: it is not waiting */
} tn_s3_retry;

/* Sets when; false: no more, and err has why. A wait beyond the deadline is none. */
bool tn_s3_retry_later(tenon_ctx *, tn_s3_retry *, const tenon_error *why, tenon_error *err);
/* Is it time? Then it waits no longer. */
bool tn_s3_retry_is_due(tn_s3_retry *);
/* The sooner of two times; 0 is none. */
int64_t tn_s3_sooner(int64_t a_ms, int64_t b_ms);
/* Drives what is under way, until something happened or until_ms has come (0: that does not end it). */
tenon_status tn_s3_run_until(tenon_ctx *, tenon_http_lane *, size_t active, int64_t until_ms, tenon_error *);
tenon_status tn_s3_wait_for_retry(tenon_ctx *, tn_s3_retry *, tenon_error *);

/* Sends a request that changes nothing when it is sent twice. If it is conditional, it is sent again only where the service
 * said that it did nothing. *ret_unsure (NULL is fine): one that seemed to fail may have been heeded. */
tenon_status tn_s3_send_again(tenon_ctx *, tn_s3 *, const tn_s3_request *, bool is_conditional, tn_s3_reply *ret,
                              bool *ret_unsure, tenon_error *);
/* As tn_s3_send_for_text does. */
tenon_status tn_s3_send_again_for_text(tenon_ctx *, tn_s3 *, const tn_s3_request *, bool is_conditional, size_t max, tn_str *ret,
                                       bool *ret_unsure, tenon_error *);

#endif
