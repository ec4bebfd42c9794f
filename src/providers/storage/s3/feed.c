/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "crc32c.h"

enum {
  GROW_AFTER = 1000,         /* parts of an unknown length */
  AT_A_TIME = 1 << 20,       /* read, then summed while it is near */
  MAX_BUFFERS = TN_S3_MAX_UNDER_WAY + TN_S3_FEED_AHEAD
};

static const uint64_t max_part = UINT64_C(512) << 20;

struct tn_s3_feed {
  tenon_bytes *from;
  tn_s3_sizes sizes;
  void (*ready)(void *);
  void *arg;
  pthread_t thread;
  int next_number;           /* the thread's */

  pthread_mutex_t lock;      /* of all below, but for what is in a part that is neither free nor filled */
  pthread_cond_t changed;
  tn_s3_part parts[MAX_BUFFERS];
  int buffers;
  tn_s3_part *unused[MAX_BUFFERS], *filled[MAX_BUFFERS];   /* a stack, a queue */
  int unused_count, first, filled_count;
  bool is_stopped, has_ended;
  tenon_error error;         /* why it has ended */
};

/* ---- Parts ---- */

size_t tn_s3_size_of_part(const tn_s3_sizes *s, int number) {
  if (s->is_length_known || number <= GROW_AFTER) return s->size;
  uint64_t size = (uint64_t)s->size << ((number - 1) / GROW_AFTER);
  return (size_t)(size < max_part ? size : max_part);
}

static tenon_status spell_checksum(tn_s3_part *p, uint32_t sum, tenon_error *err) {
  const unsigned char bytes[4] = {(unsigned char)(sum >> 24), (unsigned char)(sum >> 16), (unsigned char)(sum >> 8),
                                  (unsigned char)sum};
  tn_str text;
  tn_str_init(&text, 64);
  bool ok = tn_base64_encode(&text, bytes, sizeof bytes);
  if (ok) snprintf(p->checksum, sizeof p->checksum, "%s", tn_str_text(&text));
  tn_str_release(&text);
  return ok ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_s3_part_fill(tn_s3_part *p, tenon_bytes *from, size_t size, bool (*is_stopped)(void *), void *arg,
                             tenon_error *err) {
  if (p->capacity < size) {
    char *data = tn_resize(p->data, size);
    if (!data) return tn_no_memory(err);
    p->data = data;
    p->capacity = size;
  }
  uint32_t sum = 0;
  p->size = 0;
  for (size_t n = 1; n > 0 && p->size < size;) {
    size_t room = size - p->size < AT_A_TIME ? size - p->size : AT_A_TIME;
    if (is_stopped && is_stopped(arg)) return tenon_fail(err, TENON_CANCELLED, TENON_STAGE_WRITE, NULL, "the upload has ended");
    tenon_status status = from->read(from->self, p->data + p->size, room, &n, err);
    if (status) return status;
    sum = tn_crc32c(sum, p->data + p->size, n);
    p->size += n;
  }
  return spell_checksum(p, sum, err);
}

void tn_s3_part_release(tn_s3_part *p) {
  tn_free(p->data);
  *p = (tn_s3_part){0};
}

/* ---- The thread ---- */

static bool stopped(void *self) {
  tn_s3_feed *f = self;
  pthread_mutex_lock(&f->lock);
  bool is_stopped = f->is_stopped;
  pthread_mutex_unlock(&f->lock);
  return is_stopped;
}

static tn_s3_part *await_unused(tn_s3_feed *f) {
  pthread_mutex_lock(&f->lock);
  while (!f->unused_count && !f->is_stopped) pthread_cond_wait(&f->changed, &f->lock);
  tn_s3_part *p = f->is_stopped ? NULL : f->unused[--f->unused_count];
  pthread_mutex_unlock(&f->lock);
  return p;
}

/* An empty part is only that the stream ended between two. */
static void hand_over(tn_s3_feed *f, tn_s3_part *p, bool is_last, const tenon_error *err) {
  pthread_mutex_lock(&f->lock);
  if (!err->code && p->size) f->filled[(f->first + f->filled_count++) % MAX_BUFFERS] = p;
  else f->unused[f->unused_count++] = p;
  f->has_ended = is_last || err->code;
  f->error = *err;
  pthread_cond_signal(&f->changed);
  pthread_mutex_unlock(&f->lock);
  f->ready(f->arg);
}

static void *read_ahead(void *self) {
  tn_s3_feed *f = self;
  tenon_error err = TENON_ERROR_INIT;
  for (bool is_last = false; !is_last && !err.code;) {
    tn_s3_part *p = await_unused(f);
    if (!p) break;
    size_t size = tn_s3_size_of_part(&f->sizes, f->next_number++);
    tn_s3_part_fill(p, f->from, size, stopped, f, &err);
    is_last = p->size < size;
    hand_over(f, p, is_last, &err);
  }
  return NULL;
}

/* ---- Who takes the parts ---- */

tenon_status tn_s3_feed_take(tn_s3_feed *f, bool wait, tn_s3_part **ret, bool *ret_ended, tenon_error *err) {
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&f->lock);
  while (wait && !f->filled_count && !f->has_ended) pthread_cond_wait(&f->changed, &f->lock);
  *ret = NULL;
  if (f->filled_count) {
    *ret = f->filled[f->first];
    f->first = (f->first + 1) % MAX_BUFFERS;
    f->filled_count--;
  } else if (f->error.code) {
    status = tn_pass_error(&f->error, err);
  }
  *ret_ended = f->has_ended && !f->filled_count && !f->error.code;
  pthread_mutex_unlock(&f->lock);
  return status;
}

void tn_s3_feed_give_back(tn_s3_feed *f, tn_s3_part *p) {
  pthread_mutex_lock(&f->lock);
  f->unused[f->unused_count++] = p;
  pthread_cond_signal(&f->changed);
  pthread_mutex_unlock(&f->lock);
}

/* ---- Its life ---- */

static void release(tn_s3_feed *f) {
  pthread_cond_destroy(&f->changed);
  pthread_mutex_destroy(&f->lock);
  for (int i = 0; i < f->buffers; i++) tn_s3_part_release(&f->parts[i]);
  tn_free(f);
}

tenon_status tn_s3_feed_new(tenon_bytes *from, tn_s3_sizes sizes, int under_way, tn_s3_part *first, void (*ready)(void *),
                            void *arg, tn_s3_feed **ret, tenon_error *err) {
  tn_s3_feed *f = tn_alloc(sizeof *f);
  if (!f) return tn_no_memory(err);
  f->from = from;
  f->sizes = sizes;
  f->ready = ready;
  f->arg = arg;
  f->next_number = 2;
  f->buffers = under_way + TN_S3_FEED_AHEAD;
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->changed, NULL);
  for (int i = 1; i < f->buffers; i++) f->unused[f->unused_count++] = &f->parts[i];
  f->parts[0] = *first;
  f->filled[0] = &f->parts[0];
  f->filled_count = 1;
  if (pthread_create(&f->thread, NULL, read_ahead, f)) {
    f->buffers = 0;
    release(f);
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "raise the limit on threads (ulimit -u)",
                      "cannot start the thread that reads what is put");
  }
  *first = (tn_s3_part){0};
  *ret = f;
  return TENON_OK;
}

void tn_s3_feed_free(tn_s3_feed *f) {
  if (!f) return;
  pthread_mutex_lock(&f->lock);
  f->is_stopped = true;
  pthread_cond_signal(&f->changed);
  pthread_mutex_unlock(&f->lock);
  pthread_join(f->thread, NULL);
  release(f);
}
