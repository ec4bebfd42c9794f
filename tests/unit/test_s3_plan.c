/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of long listings, tried on keys in memory: whatever the keys are like and in whatever order replies come, every
 * key is listed once and in order, by a bounded number of requests, with a bounded number of pages waiting; and the sets of
 * the benchmark are listed with most connections busy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/storage/s3/plan.h"

/* ---- Keys ---- */

typedef struct keys {
  char **items;
  size_t count, room;
} keys;

static void add_key(keys *k, const char *format, ...) TENON_PRINTF(2, 3);

static void add_key(keys *k, const char *format, ...) {
  char text[256];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (k->count == k->room) {
    k->room = k->room ? 2 * k->room : 1024;
    k->items = tn_resize(k->items, k->room * sizeof *k->items);
    assert_non_null(k->items);
  }
  k->items[k->count++] = tn_strdup(text);
}

static int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sort_keys(keys *k) {
  size_t kept = 0;
  if (k->count) qsort(k->items, k->count, sizeof *k->items, compare_texts);
  for (size_t i = 0; i < k->count; i++) {
    if (kept && strcmp(k->items[kept - 1], k->items[i]) == 0) tn_free(k->items[i]);
    else k->items[kept++] = k->items[i];
  }
  k->count = kept;
}

static void free_keys(keys *k) {
  for (size_t i = 0; i < k->count; i++) tn_free(k->items[i]);
  tn_free(k->items);
  *k = (keys){0};
}

/* The first key behind a text. */
static size_t behind(const keys *k, const char *text) {
  size_t low = 0, high = k->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (strcmp(k->items[middle], text) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* ---- A service of them ---- */

typedef struct service {
  const keys *k;
  size_t page_size;
  char delimiter;            /* the reader's own; 0: none */
  int requests, probes;
} service;

static void add_row(tn_s3_page *p, const char *text, size_t size, bool is_prefix) {
  if (!p->texts.size) assert_true(tn_str_putc(&p->texts, 0));
  p->items[p->count++] = (tn_s3_entry){.at = (uint32_t)p->texts.size, .size = (uint16_t)size, .is_prefix = is_prefix};
  assert_true(tn_str_add(&p->texts, text, size) && tn_str_putc(&p->texts, 0));
}

/* As ListObjectsV2 does: rolled-up prefixes are rows as well, and come even if start-after is within one. */
static tn_s3_page *list(const service *s, const tn_s3_key *prefix, char delimiter, size_t at) {
  tn_s3_page *p = tn_alloc(sizeof *p);
  assert_non_null(p);
  tn_str_init(&p->texts, 8 << 20);
  p->items = tn_alloc_array(s->page_size + 1, sizeof *p->items);
  p->room = s->page_size + 1;
  while (at < s->k->count && strncmp(s->k->items[at], prefix->text, prefix->size) == 0 && p->count < s->page_size) {
    const char *key = s->k->items[at], *end = delimiter ? strchr(key + prefix->size, delimiter) : NULL;
    size_t size = end ? (size_t)(end - key) + 1 : strlen(key);
    add_row(p, key, size, end != NULL);
    for (at++; end && at < s->k->count && strncmp(s->k->items[at], key, size) == 0;) at++;
  }
  p->is_truncated = at < s->k->count && strncmp(s->k->items[at], prefix->text, prefix->size) == 0;
  char token[24];
  snprintf(token, sizeof token, "%zu", at);
  p->token = tn_strdup(p->is_truncated ? token : "");
  return p;
}

static size_t start_of(const service *s, const tn_s3_key *prefix, const char *after) {
  size_t first = behind(s->k, prefix->text);
  if (first > 0 && strcmp(s->k->items[first - 1], prefix->text) == 0) first--;
  size_t at = *after ? behind(s->k, after) : 0;
  return at > first ? at : first;
}

static void answer(service *s, tn_s3_plan *plan, const tn_s3_work *w) {
  s->requests++;
  if (!w->range) {
    s->probes++;
    tn_s3_page *page = list(s, &w->folder, '/', start_of(s, &w->folder, w->after.text));
    tn_s3_plan_take_probe(plan, w, s->requests % 7 ? page : NULL);
    tn_s3_page_free(page);
    return;
  }
  size_t at = w->range->token ? strtoul(w->range->token, NULL, 10) : start_of(s, &plan->prefix, w->range->after.text);
  tn_s3_page *page = list(s, &plan->prefix, s->delimiter, at);
  assert_int_equal(tn_s3_plan_take(plan, w->range, page, NULL), TENON_OK);
  tn_s3_page_free(page);
}

/* ---- The reader ---- */

typedef struct run {
  int ticks, requests, probes, most_held;
} run;

static size_t check_rows(const tn_s3_packed *page, const keys *wanted, size_t at) {
  tn_s3_unpacking u = {.page = page};
  tn_s3_row row;
  for (size_t i = 0; i < page->count; i++, at++) {
    tn_s3_unpack(&u, &row);
    if (at >= wanted->count || u.key.size != strlen(wanted->items[at]) || memcmp(u.key.text, wanted->items[at], u.key.size) != 0)
      fail_msg("row %zu is %.*s, not %s", at, (int)u.key.size, u.key.text, at < wanted->count ? wanted->items[at] : "the end");
  }
  assert_true(u.at == page->size);
  return at;
}

/* In each tick some replies come, any of them (all, unless disorder), and the reader takes some pages. */
static run read_all(service *s, const char *prefix, const keys *wanted, bool disorder, int pages_a_tick) {
  static tn_s3_plan plan;
  static tn_s3_work works[TN_S3_UNDER_WAY];
  tn_s3_key start = {.size = 0}, below = {.size = strlen(prefix)};
  run r = {0};
  int count = 0;
  size_t at = 0;
  snprintf(below.text, sizeof below.text, "%s", prefix);
  assert_int_equal(tn_s3_plan_init(&plan, &below, &start, TN_S3_UNDER_WAY, !s->delimiter, NULL), TENON_OK);
  for (bool ended = false; !ended; r.ticks++) {
    while (tn_s3_plan_next(&plan, &works[count])) count++;
    assert_true(count <= TN_S3_UNDER_WAY);
    for (int left = disorder ? rand() % (count + 1) : count; left > 0; left--) {
      int i = disorder ? rand() % count : 0;
      tn_s3_work one = works[i];
      memmove(&works[i], &works[i + 1], (size_t)(--count - i) * sizeof *works);
      answer(s, &plan, &one);
    }
    if (plan.held > r.most_held) r.most_held = plan.held;
    tn_s3_packed *page = NULL;
    for (int i = 0; i < pages_a_tick && (page = tn_s3_plan_give(&plan, &ended)); i++) {
      at = check_rows(page, wanted, at);
      tn_s3_packed_free(page);
    }
    if (!page) tn_s3_plan_give(&plan, &ended);
    assert_true(r.ticks <= 20000);
  }
  assert_int_equal(at, wanted->count);
  assert_int_equal(plan.held, 0);
  tn_s3_plan_release(&plan);
  r.requests = s->requests;
  r.probes = s->probes;
  return r;
}

/* ---- Sets ---- */

static void flat(keys *k, int n) {
  for (int i = 0; i < n; i++) add_key(k, "%012d-%d", i * 7919, i % 100000);
}

static void nested(keys *k, int n) {
  static const char *const regions[] = {"ap-south", "eu-central", "eu-west", "sa-east", "us-east"};
  for (int folder = 0; folder < 500; folder++) {
    int weight = 1 + 40 * (folder % 25 == 0) + 9 * (folder % 7 == 0);
    for (int i = 0; i < n / 1948 * weight; i++) add_key(k, "%s/%03d/part-%06d-%d", regions[folder / 100], folder % 100, i, i);
  }
}

static void numbers(keys *k, int n) {
  for (int i = 0; i < n; i++) add_key(k, "logs/%d", i);
}

static void dates(keys *k, int n) {
  for (int i = 0; i < n; i++)
    add_key(k, "year=%d/month=%02d/day=%02d/%02d-%c.csv", 2019 + i / 2688 % 8, i / 224 % 12 + 1, i / 8 % 28 + 1, i / 2 % 4 * 6, "ab"[i % 2]);
}

static void hexadecimal(keys *k, int n) {
  for (int i = 0; i < n; i++) add_key(k, "%08x%08x", (unsigned)rand() * 2654435761u, (unsigned)rand());
}

static void words(keys *k, int n) {
  for (int i = 0; i < n; i++) {
    char text[16] = "";
    for (int c = 0, size = 3 + rand() % 9; c < size; c++) text[c] = "etaoin shrdlu"[rand() % 13];
    add_key(k, "%s", text);
  }
}

static void beyond_ascii(keys *k, int n) {
  for (int i = 0; i < n; i++) add_key(k, "größe/%c%c%c/%d", 0xE4 + i % 5, 0x80 + i / 5 % 60, 0x80 + i / 300 % 60, i);
}

static void one_place(keys *k, int n) {
  add_key(k, "a");
  for (int i = 0; i < n; i++) add_key(k, "zzz/zzz/zzz/%05d", i);
  add_key(k, "~");
}

static void deep(keys *k, int n) {
  for (int i = 0; i < n; i++) add_key(k, "%d/%d/%d/%d/%d/x", i % 3, i / 3 % 5, i / 15 % 7, i / 105 % 11, i / 1155);
}

/* Around the separator, and one the beginning of the other. */
static void hostile(keys *k, int n) {
  static const char letters[] = "/.0-a//~ \x7f\xC3";
  for (int i = 0; i < n; i++) {
    char text[48] = "";
    int size = 0;
    for (int c = rand() % 14 + 1; c > 0; c--) {
      int l = rand() % 12;
      if (l == 11) text[size++] = (char)0xC3, text[size++] = (char)(0x80 + rand() % 64);
      else if (l == 10) size += sprintf(text + size, "aaaaaaaaaa");
      else text[size++] = letters[l];
      if (size > 30) break;
    }
    add_key(k, "%s", text);
  }
}

typedef struct set {
  const char *name;
  void (*make)(keys *, int n);
} set;

static const set sets[] = {{"flat", flat}, {"nested", nested}, {"numbers", numbers}, {"dates", dates}, {"hexadecimal", hexadecimal},
                           {"words", words}, {"beyond ASCII", beyond_ascii}, {"one place", one_place}, {"deep", deep},
                           {"hostile", hostile}};
enum { SETS = sizeof sets / sizeof sets[0] };

/* ---- Tests ---- */

static void test_rows_come_out_as_they_went_in(void **state) {
  enum { ROWS = 500 };
  static const int64_t odd[] = {-1, 0, 1, 127, 128, 1 << 20, INT64_MAX};
  static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, 1700000000000000, INT64_MAX};
  tn_s3_page *p = tn_alloc(sizeof *p);
  (void)state;
  srand(14);
  tn_str_init(&p->texts, 8 << 20);
  p->items = tn_alloc_array(ROWS, sizeof *p->items);
  for (int i = 0; i < ROWS; i++) {
    char text[64];
    add_row(p, text, (size_t)snprintf(text, sizeof text, "%.*s%d", rand() % 30, "abcdefghijklmnopqrstuvwxyz0123", rand() % 100), i % 3 == 0);
    p->items[i].bytes = odd[rand() % 7];
    p->items[i].modified_us = times[rand() % 7];
    if (rand() % 2) continue;
    p->items[i].etag_at = (uint32_t)p->texts.size;
    assert_true(tn_str_printf(&p->texts, "\"%0*d\"", rand() % 40, i) && tn_str_putc(&p->texts, 0));
  }
  tn_s3_packed *packed = tn_s3_pack(p);
  tn_s3_unpacking u = {.page = packed};
  for (int i = 0; i < ROWS; i++) {
    const tn_s3_entry *e = &p->items[i];
    const char *etag = e->etag_at ? p->texts.data + e->etag_at : NULL;
    tn_s3_row row;
    tn_s3_unpack(&u, &row);
    assert_int_equal(u.key.size, e->size);
    assert_memory_equal(u.key.text, tn_s3_key_at(p, (size_t)i), e->size);
    assert_true(row.bytes == e->bytes && row.modified_us == e->modified_us && row.is_prefix == e->is_prefix);
    assert_true(etag ? row.etag_size == strlen(etag) && memcmp(row.etag, etag, row.etag_size) == 0 : !row.etag);
  }
  assert_int_equal(u.at, packed->size);
  tn_s3_packed_free(packed);
  tn_s3_page_free(p);
}

static void test_every_key_comes_once_and_in_order(void **state) {
  (void)state;
  srand(11);
  for (int round = 0; round < 6; round++)
    for (size_t i = 0; i < SETS; i++) {
      keys k = {0};
      service s = {.k = &k, .page_size = (size_t)(2 + rand() % 40)};
      sets[i].make(&k, (strcmp(sets[i].name, "nested") == 0 ? 1948 : 1) * (1 + round % 2) * (round % 3 ? 1 : 1 + rand() % 3000));
      if (k.count > 3000) {
        free_keys(&k);
        flat(&k, 2000);
      }
      sort_keys(&k);
      run r = read_all(&s, "", &k, round % 2, 1 + rand() % 20);
      assert_true(r.most_held <= 64 + TN_S3_PAGES_AHEAD + TN_S3_UNDER_WAY);
      free_keys(&k);
    }
}

/* Rolled-up rows, by the reader's own delimiter, are not lost or doubled where ranges meet. */
static void test_so_do_rolled_up_prefixes(void **state) {
  (void)state;
  srand(12);
  for (int round = 0; round < 6; round++)
    for (size_t i = 0; i < SETS; i++) {
      keys k = {0}, rows = {0};
      service s = {.k = &k, .page_size = (size_t)(2 + rand() % 20), .delimiter = round % 2 ? '/' : '0'};
      sets[i].make(&k, strcmp(sets[i].name, "nested") == 0 ? 1948 : 600);
      sort_keys(&k);
      for (size_t n = 0; n < k.count; n++) {
        const char *end = strchr(k.items[n], s.delimiter);
        add_key(&rows, "%.*s", end ? (int)(end - k.items[n]) + 1 : (int)strlen(k.items[n]), k.items[n]);
      }
      sort_keys(&rows);
      read_all(&s, "", &rows, round % 3 > 0, 1 + rand() % 20);
      free_keys(&k);
      free_keys(&rows);
    }
}

static void test_a_prefix_bounds_it(void **state) {
  static const char *const prefixes[] = {"eu-", "eu-west/", "eu-west/025/part-0000", "us-east/099/", "zz", "a"};
  keys k = {0};
  (void)state;
  nested(&k, 1948 * 20);
  sort_keys(&k);
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    keys wanted = {0};
    service s = {.k = &k, .page_size = 100};
    for (size_t n = 0; n < k.count; n++)
      if (strncmp(k.items[n], prefixes[i], strlen(prefixes[i])) == 0) add_key(&wanted, "%s", k.items[n]);
    read_all(&s, prefixes[i], &wanted, true, 8);
    free_keys(&wanted);
  }
  free_keys(&k);
}

/* Pages of a thousand, all replies in each tick: how many are under way on average, and what that costs. */
static void test_most_connections_are_busy(void **state) {
  static const struct { size_t set; int n; double busy; } bars[] = {{0, 200000, 8}, {1, 200000, 6}, {2, 50000, 4}, {3, 21504, 1.5},
                                                                  {4, 50000, 5}, {5, 50000, 4}, {8, 50000, 2}};
  (void)state;
  srand(13);
  for (size_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
    keys k = {0};
    service s = {.k = &k, .page_size = 1000};
    sets[bars[i].set].make(&k, bars[i].n);
    sort_keys(&k);
    run r = read_all(&s, "", &k, false, 1000);
    int pages = (int)(k.count / 1000) + 1;
    print_message("  %-14s %4d pages: %4d requests, %3d of them probes, in %3d ticks; at most %d pages held\n", sets[bars[i].set].name,
                  pages, r.requests, r.probes, r.ticks, r.most_held);
    assert_true(r.requests <= 2 * pages + 60);
    assert_true(pages >= bars[i].busy * r.ticks);
    free_keys(&k);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_come_out_as_they_went_in),
      cmocka_unit_test(test_every_key_comes_once_and_in_order),
      cmocka_unit_test(test_so_do_rolled_up_prefixes),
      cmocka_unit_test(test_a_prefix_bounds_it),
      cmocka_unit_test(test_most_connections_are_busy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
