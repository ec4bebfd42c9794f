/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "formats/thrift.h"

/* Of what is wanted, an eighth more may come for having fewer ranges. */
enum { FURTHEST = 1 << 20, SHARE = 8, ALWAYS = 16 << 10 };

/* ---- Ranges ---- */

static int compare_ranges(const void *a, const void *b) {
  const tn_parquet_range *x = a, *y = b;
  return (x->begin > y->begin) - (x->begin < y->begin);
}

static int compare_sizes(const void *a, const void *b) {
  const int64_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static void take_chunks(const tn_parquet_footer *f, const bool *wanted, const bool *groups, int64_t from, tn_parquet_ranges *r) {
  int64_t limit = f->file_size - TN_PARQUET_TAIL - (int64_t)f->size;
  if (limit > from) limit = from;
  for (size_t i = 0; i < f->chunk_count; i++) {
    const tn_parquet_chunk *c = &f->chunks[i];
    if (!groups[i / f->leaf_count] || !wanted[c->leaf] || c->begin >= limit || c->size == 0) continue;
    int64_t end = c->size < limit - c->begin ? c->begin + c->size : limit;
    r->items[r->count++] = (tn_parquet_range){c->begin, end};
  }
}

/* Those that lie `gap` apart, or nearer, or overlap, become one. */
static void unite(tn_parquet_ranges *r, int64_t gap) {
  size_t kept = 0;
  for (size_t i = 0; i < r->count; i++) {
    tn_parquet_range *last = kept ? &r->items[kept - 1] : NULL;
    if (!last || r->items[i].begin - last->end > gap) r->items[kept++] = r->items[i];
    else if (r->items[i].end > last->end) last->end = r->items[i].end;
  }
  r->count = kept;
}

/* The widest gap that may be closed: the narrow ones are, up to what may come along with what is wanted. */
static int64_t widest_gap(const tn_parquet_ranges *r, int64_t *gaps) {
  int64_t wanted = 0, widest = 0;
  for (size_t i = 0; i < r->count; i++) {
    wanted += r->items[i].end - r->items[i].begin;
    if (i) gaps[i - 1] = r->items[i].begin - r->items[i - 1].end;
  }
  int64_t left = wanted / SHARE + ALWAYS;
  size_t count = r->count ? r->count - 1 : 0;
  qsort(gaps, count, sizeof *gaps, compare_sizes);
  for (size_t i = 0; i < count && gaps[i] <= FURTHEST && gaps[i] <= left; i++) {
    size_t next = i;
    int64_t sum = 0;
    while (next < count && gaps[next] == gaps[i] && sum <= left) sum += gaps[next++];   /* as wide as each other: all or none */
    if (sum > left) break;
    left -= sum;
    widest = gaps[i];
    i = next - 1;
  }
  return widest;
}

tenon_status tn_parquet_ranges_init(const tn_parquet_footer *f, const bool *wanted, const bool *groups, int64_t from,
                                    tn_parquet_ranges *ret, tenon_error *err) {
  size_t most = f->chunk_count;
  tn_parquet_ranges r = {.items = tn_alloc_array(most + 1, sizeof *r.items)};
  int64_t *gaps = tn_alloc_array(most + 1, sizeof *gaps);
  if (!r.items || !gaps) {
    tn_free(r.items);
    tn_free(gaps);
    return tn_no_memory(err);
  }
  take_chunks(f, wanted, groups, from, &r);
  qsort(r.items, r.count, sizeof *r.items, compare_ranges);
  unite(&r, 0);
  unite(&r, widest_gap(&r, gaps));
  tn_free(gaps);
  *ret = r;
  return TENON_OK;
}

void tn_parquet_ranges_release(tn_parquet_ranges *r) {
  tn_free(r->items);
  *r = (tn_parquet_ranges){0};
}

/* ---- Groups ---- */

void tn_parquet_groups_for(const tn_parquet_footer *f, int64_t rows, bool *groups) {
  int64_t seen = 0;
  for (size_t g = 0; g < f->group_count; g++) {
    if (rows >= 0 && seen >= rows) groups[g] = false;
    if (groups[g]) seen += f->groups[g].rows;
  }
}

static size_t count_groups(const tn_parquet_footer *f, const bool *groups) {
  size_t count = 0;
  for (size_t g = 0; g < f->group_count; g++) count += groups[g];
  return count;
}

static void put_varint(tn_str *to, uint64_t v) {
  for (; v >= 128; v >>= 7) tn_str_putc(to, (char)(v | 128));
  tn_str_putc(to, (char)v);
}

/* A list of structs: its count in the head where that has room for it. */
static void put_groups(const tn_parquet_footer *f, const bool *groups, tn_str *to) {
  size_t count = count_groups(f, groups);
  tn_str_putc(to, (char)(count < 15 ? count << 4 | TN_THRIFT_STRUCT : 15 << 4 | TN_THRIFT_STRUCT));
  if (count >= 15) put_varint(to, count);
  for (size_t g = 0; g < f->group_count; g++) {
    if (!groups[g]) continue;
    size_t begin = f->groups[g].begin, at = to->size;
    if (!tn_str_add(to, (const char *)f->data + begin, f->groups[g].end - begin)) return;
    for (size_t i = f->groups[g].chunk; i < f->groups[g].chunk + f->leaf_count; i++) {
      const tn_parquet_chunk *c = &f->chunks[i];
      if (c->bloom_end == c->bloom_at) continue;
      /* zero, which means that there is none, in as many bytes as were there */
      memset(to->data + at + (c->bloom_at - begin), 0x80, c->bloom_end - c->bloom_at);
      to->data[at + (c->bloom_end - begin) - 1] = 0;
    }
  }
}

static void put_rows(const tn_parquet_footer *f, const bool *groups, tn_str *to) {
  int64_t rows = 0;
  for (size_t g = 0; g < f->group_count; g++) rows += groups[g] ? f->groups[g].rows : 0;   /* their sum did not overflow when it was read */
  put_varint(to, (uint64_t)rows << 1);
}

tenon_status tn_parquet_footer_cut(const tn_parquet_footer *f, const bool *groups, tn_str *ret_footer, tenon_error *err) {
  const char *data = (const char *)f->data;
  bool says_rows = f->rows_end > f->rows_at, rows_first = says_rows && f->rows_at < f->groups_at;
  size_t at = 0;
  for (int i = 0; i < 2; i++) {
    bool is_rows = rows_first == (i == 0);
    if (is_rows && !says_rows) continue;
    tn_str_add(ret_footer, data + at, (is_rows ? f->rows_at : f->groups_at) - at);
    if (is_rows) put_rows(f, groups, ret_footer);
    else put_groups(f, groups, ret_footer);
    at = is_rows ? f->rows_end : f->groups_end;
  }
  tn_str_add(ret_footer, data + at, f->size - at);
  return ret_footer->failed ? tn_no_memory(err) : TENON_OK;
}
