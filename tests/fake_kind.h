/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind without a system behind it, whose every step can be watched and made to fail. One table of
 * int64 `n` and text `t`, `rows` long, in batches of `batch`; it applies nothing by itself.
 */
#ifndef TESTS_FAKE_KIND_H
#define TESTS_FAKE_KIND_H

#include <stdatomic.h>

#include "core/registry.h"
#include "core/session.h"

typedef struct fake_watch {
  atomic_int open, opens, closes, checks, resets, tests, reads, streams;
  atomic_int fail_opens;      /* so many of the next fail, UNREACHABLE */
  atomic_int fail_checks, fail_resets;
  atomic_int fail_batches;    /* so many of the next batches fail, UNREACHABLE */
  atomic_int fail_at_batch;   /* this batch of each stream fails with DATA, 0: none */
  atomic_int slow_ms;         /* each open and each batch takes so long, unless it is cancelled */
  atomic_int rows, batch;
  const char *host;           /* where each open and each batch would connect to; NULL: nowhere */
} fake_watch;

extern fake_watch fake;
extern const tenon_provider fake_pooled, fake_plain, fake_shared, fake_opaque;

/* All watches at their beginning: 10 rows, batches of 4. */
void fake_reset(void);
/* A connector of one of them; settings are key, value, …, NULL. */
tn_connector *fake_connector(const tenon_provider *, const char *const *settings);
tn_config *fake_config_of(const tenon_provider *, const char *const *settings);
tn_session *fake_session(tn_connector *);
/* Reads all of a stream, checks the batches, releases it; answers the rows, or -1 with *err. */
int64_t fake_drain(struct ArrowArrayStream *, tenon_error *err);
tenon_read fake_read(void);

#endif
