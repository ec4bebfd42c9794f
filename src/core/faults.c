/* SPDX-License-Identifier: Apache-2.0 */
#include "core/faults.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MAX_FAULTS = 16 };

static struct {
  pthread_mutex_t lock;
  tn_fault items[MAX_FAULTS];
  int64_t calls[MAX_FAULTS];
  size_t count;
} faults = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_bool armed;

void tn_faults_set(const tn_fault *items, size_t count) {
  pthread_mutex_lock(&faults.lock);
  faults.count = count < MAX_FAULTS ? count : MAX_FAULTS;
  if (faults.count) memcpy(faults.items, items, faults.count * sizeof *items);
  memset(faults.calls, 0, sizeof faults.calls);
  atomic_store(&armed, faults.count > 0);
  pthread_mutex_unlock(&faults.lock);
}

static tenon_status strike(const tn_fault *f, tenon_error *err) {
  tenon_fail(err, f->code, TENON_STAGE_QUERY, "turn the injected fault off", "injected fault in %s",
             f->operation);
  if (err && f->retryable) err->retryable = 1;
  if (err && f->retry_after_ms) err->retry_after_ms = f->retry_after_ms;
  return f->code;
}

tenon_status tn_fault_check(const char *operation, tenon_error *err) {
  if (!atomic_load_explicit(&armed, memory_order_relaxed)) return TENON_OK;
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&faults.lock);
  for (size_t i = 0; i < faults.count; i++) {
    const tn_fault *f = &faults.items[i];
    if (strcmp(f->operation, operation) != 0) continue;
    int64_t call = ++faults.calls[i];
    if (!status && call >= f->at && call < f->at + f->times) status = strike(f, err);
  }
  pthread_mutex_unlock(&faults.lock);
  return status;
}
