/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `objects`. Everything happens below the prefix contract/, which is empty before and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "contract/contract.h"

static tenon_key_bytes key_of(const char *text) { return (tenon_key_bytes){text, strlen(text)}; }

/* ---- Bytes that are put ---- */

typedef struct source {
  size_t at, size;
  size_t fails_at;      /* behind so many bytes; 0: never */
  unsigned char first;  /* byte i is first + i * 7 */
  bool says_length;
  int closed;
} source;

static tenon_status source_read(void *self, void *data, size_t size, size_t *ret_size,
                                tenon_error *err) {
  source *s = self;
  size_t n = 0;
  if (s->fails_at && s->at >= s->fails_at)
    return tenon_fail(err, TENON_IO, TENON_STAGE_WRITE, NULL, "the source broke");
  for (; n < size && s->at < s->size && n < 7919; n++, s->at++)
    ((unsigned char *)data)[n] = (unsigned char)(s->first + s->at * 7);
  *ret_size = n;
  return TENON_OK;
}

static void source_close(void *self) { ((source *)self)->closed++; }

static tenon_status put(tn_session *s, tenon_put request, source *from, tenon_object *ret,
                        tenon_error *err) {
  tenon_bytes body = {.struct_size = sizeof body, .fd = -1,
                      .length = from->says_length ? (int64_t)from->size : -1, .self = from,
                      .read = source_read, .close = source_close};
  request.struct_size = sizeof request;
  request.body = &body;
  tn_error_init(err);
  tenon_status status = tn_objects_put(NULL, s, &request, ret, err);
  assert_int_equal(from->closed, 1);
  return status;
}

static tenon_object place_new(tn_session *s, const char *key, size_t size, unsigned char first) {
  unsigned char *data = malloc(size + 1);
  tenon_object o = {0};
  tenon_error err = TENON_ERROR_INIT;
  const tenon_key_bytes k = key_of(key);
  for (size_t i = 0; i < size; i++) data[i] = (unsigned char)(first + i * 7);
  contract_now->place(key, data, size);
  free(data);
  if (tn_objects_stat(NULL, s, &k, &o, &err)) fail_msg("%s: %s", key, err.message);
  assert_int_equal(o.size, size);
  return o;
}

static tenon_object put_new(tn_session *s, const char *key, size_t size, unsigned char first) {
  source from = {.size = size, .first = first, .says_length = size % 2};
  tenon_object o = {0};
  tenon_error err;
  if (contract_now->place) return place_new(s, key, size, first);
  if (put(s, (tenon_put){.key = key_of(key)}, &from, &o, &err))
    fail_msg("%s: %s", key, err.message);
  assert_int_equal(o.size, size);
  return o;
}

/* Reads a range, in pieces, and checks that it is what was put. */
static void expect_bytes(tn_session *s, const char *key, int64_t offset, int64_t length,
                         size_t size, unsigned char first) {
  const tenon_get request = {.struct_size = sizeof request, .key = key_of(key), .offset = offset,
                             .length = length};
  tenon_got got;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_objects_get(NULL, s, &request, &got, &err)) fail_msg("%s: %s", key, err.message);
  size_t expected = length < 0 || (size_t)length > size - (size_t)offset ? size - (size_t)offset
      : (size_t)length, n = 0, total = 0;
  if (got.body.length >= 0) assert_int_equal(got.body.length, expected);
  assert_int_equal(got.object.size, size);
  unsigned char piece[1013];
  do {
    if (got.body.read(got.body.self, piece, sizeof piece, &n, &err)) fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++, total++)
      if (piece[i] != (unsigned char)(first + ((size_t)offset + total) * 7))
        fail_msg("%s: byte %zu is wrong", key, total);
  } while (n);
  assert_int_equal(total, expected);
  got.body.close(got.body.self);
}

static void drop(tn_session *s, const char *const *keys) {
  tenon_key_bytes all[32];
  size_t n = 0;
  tenon_deleted deleted;
  tenon_error err = TENON_ERROR_INIT;
  for (; keys[n]; n++) {
    all[n] = key_of(keys[n]);
    if (contract_now->place) contract_now->place(keys[n], NULL, 0);
  }
  if (contract_now->place) return;
  if (tn_objects_remove(NULL, s, &(tenon_delete){.struct_size = sizeof(tenon_delete), .keys = all,
                                                 .key_count =
                                                     n}, &deleted, &err)) fail_msg("%s",
                                                                                   err.message);
}

/* ---- Checks ---- */

static void puts_gets_and_stats(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  static const char *const key = "contract/a";
  static const size_t sizes[] = {0, 1, 1000, 100000, 3000001};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    tenon_object made = put_new(s, key, sizes[i], (unsigned char)i), seen;
    tenon_error err = TENON_ERROR_INIT;
    const tenon_key_bytes k = key_of(key);
    if (tn_objects_stat(NULL, s, &k, &seen, &err)) fail_msg("%s", err.message);
    assert_int_equal(seen.size, sizes[i]);
    assert_string_equal(seen.etag, made.etag);
    expect_bytes(s, key, 0, -1, sizes[i], (unsigned char)i);
    if (sizes[i] < 1000) continue;
    expect_bytes(s, key, 0, 1, sizes[i], (unsigned char)i);
    expect_bytes(s, key, 999, 1, sizes[i], (unsigned char)i);
    expect_bytes(s, key, 500, 10, sizes[i], (unsigned char)i);
    expect_bytes(s, key, 990, 5000000, sizes[i], (unsigned char)i);
    expect_bytes(s, key, (int64_t)sizes[i], -1, sizes[i], (unsigned char)i);
  }
  drop(s, (const char *const[]){key, NULL});
  tn_session_release(s);
}

static void ranges_and_versions_are_minded(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  static const char *const key = "contract/v";
  tenon_object first = put_new(s, key, 100, 1);
  tenon_get request = {.struct_size = sizeof request, .key = key_of(key), .offset = 101,
                       .length = -1};
  tenon_got got;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_not_equal(tn_objects_get(NULL, s, &request, &got, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_DATA);
  request.offset = 0;
  request.if_match = first.etag;
  tn_error_init(&err);
  if (first.etag[0]) {
    if (tn_objects_get(NULL, s, &request, &got, &err)) fail_msg("%s", err.message);
    got.body.close(got.body.self);
    tenon_object second = put_new(s, key, 100, 2);
    assert_string_not_equal(first.etag, second.etag);
    assert_int_not_equal(tn_objects_get(NULL, s, &request, &got, &err), TENON_OK);
    expect_error(c->kind, &err, TENON_CONFLICT);
  }
  drop(s, (const char *const[]){key, NULL});
  tn_session_release(s);
}

static void what_is_not_there_is_not_found(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_key_bytes key = key_of("contract/nothing here");
  tenon_object o = {.size = 77};
  tenon_got got;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_not_equal(tn_objects_stat(NULL, s, &key, &o, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  assert_int_equal(o.size, 77);
  tn_error_init(&err);
  assert_int_not_equal(tn_objects_get(NULL, s, &(tenon_get){.struct_size = sizeof(tenon_get),
                                                            .key = key, .length =
                                                                -1}, &got, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  if (contract_has(c->kind, "objects.remove"))
    drop(s, (const char *const[]){"contract/nothing here", NULL});
  tn_session_release(s);
}

static void conditions_hold_for_puts(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  static const char *const key = "contract/c";
  tenon_object first = put_new(s, key, 50, 3), o;
  tenon_error err;
  source from = {.size = 60};
  assert_int_not_equal(put(s, (tenon_put){.key = key_of(key), .if_absent = 1}, &from, &o, &err),
                       TENON_OK);
  expect_error(c->kind, &err, TENON_CONFLICT);
  expect_bytes(s, key, 0, -1, 50, 3);
  from = (source){.size = 60};
  assert_int_not_equal(put(s, (tenon_put){.key = key_of(key), .if_match = "no such etag"}, &from,
                           &o, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_CONFLICT);
  expect_bytes(s, key, 0, -1, 50, 3);
  if (first.etag[0]) {
    from = (source){.size = 60, .first = 9};
    if (put(s, (tenon_put){.key = key_of(key), .if_match = first.etag}, &from, &o, &err))
      fail_msg("%s", err.message);
    expect_bytes(s, key, 0, -1, 60, 9);
  }
  from = (source){.size = 10, .first = 4};
  if (put(s, (tenon_put){.key = key_of("contract/c2"), .if_absent = 1}, &from, &o, &err))
    fail_msg("%s", err.message);
  drop(s, (const char *const[]){key, "contract/c2", NULL});
  tn_session_release(s);
}

static void a_failed_put_leaves_what_was(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  static const char *const key = "contract/f";
  const tenon_key_bytes other = key_of("contract/f2");
  put_new(s, key, 50, 3);
  tenon_object o;
  tenon_error err;
  source from = {.size = 100000, .fails_at = 40000};
  assert_int_not_equal(put(s, (tenon_put){.key = key_of(key)}, &from, &o, &err), TENON_OK);
  assert_non_null(strstr(err.message, "the source broke"));
  expect_bytes(s, key, 0, -1, 50, 3);
  from = (source){.size = 100000, .fails_at = 40000};
  assert_int_not_equal(put(s, (tenon_put){.key = other}, &from, &o, &err), TENON_OK);
  tn_error_init(&err);
  assert_int_equal(tn_objects_stat(NULL, s, &other, &o, &err), TENON_NOT_FOUND);
  drop(s, (const char *const[]){key, NULL});
  tn_session_release(s);
}

/* ---- list ---- */

static int compare_words(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Words between single spaces, sorted; names here have at most one space, which does no harm. */
static void sort_words(char *text) {
  char *words[64], copy[2000], *rest = copy;
  size_t n = 0;
  snprintf(copy, sizeof copy, "%s", text);
  for (char *word; n < 64 && (word = strsep(&rest, " "));) words[n++] = word;
  qsort(words, n, sizeof words[0], compare_words);
  size_t size = 0;
  for (size_t i = 0; i < n; i++) size += (size_t)sprintf(text + size, "%s%s", i ? " " : "", words[i]);
}

static void expect_list(contract_state *c, tn_session *s, const char *prefix, const char *after,
                        char delimiter, const char *expected) {
  const tenon_objects_list request = {.struct_size = sizeof request, .prefix = key_of(prefix),
                                      .start_after = key_of(after), .delimiter = delimiter};
  struct ArrowArrayStream rows;
  kept_rows k;
  tn_arena arena;
  tenon_error err = TENON_ERROR_INIT;
  char text[2000] = "";
  size_t n = 0;
  if (tn_objects_list(NULL, s, &request, &rows, &err) || keep_rows(&rows, &k, &err))
    fail_msg("%s", err.message);
  tn_arena_init(&arena, 1 << 20);
  for (int64_t i = 0; i < k.row_count; i++) {
    cell key = kept_cell(&k, i, 0, &arena), kind = kept_cell(&k, i, 1, &arena), size =
        kept_cell(&k, i, 2, &arena);
    bool is_object = kind.size == 6 && memcmp(kind.data, "object", 6) == 0;
    assert_true(is_object || (kind.size == 6 && memcmp(kind.data, "prefix", 6) == 0));
    if (is_object) assert_true(size.is_null ? c->kind->place != NULL : size.whole >= 0);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s%s", n ? " " : "", (int)(key.size - 9),
                          key.data + 9, is_object ? "" : "*");
  }
  char wanted[2000];
  snprintf(wanted, sizeof wanted, "%s", expected);
  if (c->kind->lists_unsorted) {
    sort_words(text);
    sort_words(wanted);
  }
  if (strcmp(text, wanted) != 0 && !(c->kind->lists_unsorted && *after))
    fail_msg("list %s after %s by '%c': %s instead of %s", prefix, after,
             delimiter ? delimiter : ' ', text, expected);
  tn_arena_release(&arena);
  kept_release(&k);
}

static void lists_in_order(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  static const char *const keys[] = {"contract/B", "contract/a", "contract/a-b", "contract/a/1",
                                     "contract/a/2", "contract/a/x/y", "contract/a0",
                                     "contract/b c", "contract/\xC3\xA9", NULL};
  for (size_t i = 0; keys[i]; i++) {
    /* a file system cannot have both a file a and a folder a */
    if (strcmp(keys[i], "contract/a") != 0) put_new(s, keys[i], i, 1);
  }
  expect_list(c, s, "contract/", "", 0, "B a-b a/1 a/2 a/x/y a0 b c \xC3\xA9");
  expect_list(c, s, "contract/", "", '/', "B a-b a/* a0 b c \xC3\xA9");
  expect_list(c, s, "contract/a", "", 0, "a-b a/1 a/2 a/x/y a0");
  expect_list(c, s, "contract/a/", "", '/', "a/1 a/2 a/x/*");
  expect_list(c, s, "contract/", "contract/a/1", 0, "a/2 a/x/y a0 b c \xC3\xA9");
  expect_list(c, s, "contract/", "contract/a/15", 0, "a/2 a/x/y a0 b c \xC3\xA9");
  expect_list(c, s, "contract/a/2", "", 0, "a/2");
  expect_list(c, s, "contract/zzz", "", 0, "");
  drop(s, keys);
  expect_list(c, s, "contract/", "", 0, "");
  tn_session_release(s);
}

static void copies(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_object o;
  tenon_error err = TENON_ERROR_INIT;
  put_new(s, "contract/from", 5000, 5);
  tenon_objects_copy request = {.struct_size = sizeof request, .from = key_of("contract/from"),
                                .to = key_of("contract/to")};
  if (tn_objects_copy(NULL, s, &request, &o, &err)) fail_msg("%s", err.message);
  expect_bytes(s, "contract/to", 0, -1, 5000, 5);
  request.if_absent = 1;
  assert_int_not_equal(tn_objects_copy(NULL, s, &request, &o, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_CONFLICT);
  request.from = key_of("contract/nothing");
  tn_error_init(&err);
  assert_int_not_equal(tn_objects_copy(NULL, s, &request, &o, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  drop(s, (const char *const[]){"contract/from", "contract/to", NULL});
  tn_session_release(s);
}

static void a_body_may_be_closed_in_the_middle(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  put_new(s, "contract/m", 1000000, 6);
  const tenon_get request = {.struct_size = sizeof request, .key = key_of("contract/m"),
                             .length = -1};
  tenon_got got;
  tenon_error err = TENON_ERROR_INIT;
  for (int i = 0; i < 3; i++) {
    char piece[100];
    size_t n = 0;
    if (tn_objects_get(NULL, s, &request, &got, &err)) fail_msg("%s", err.message);
    if (i) assert_int_equal(got.body.read(got.body.self, piece, sizeof piece, &n, &err), TENON_OK);
    got.body.close(got.body.self);
  }
  /* an object may be replaced and removed while somebody reads it: the bytes are of one version, or the read fails */
  if (tn_objects_get(NULL, s, &request, &got, &err)) fail_msg("%s", err.message);
  tn_session *other = contract_session(c);
  put_new(other, "contract/m", 1000000, 77);
  unsigned char piece[4096];
  size_t n = 0, total = 0;
  tenon_status status;
  while (!(status = got.body.read(got.body.self, piece, sizeof piece, &n, &err)) && n)
    for (size_t i = 0; i < n; i++, total++)
      if (piece[i] != (unsigned char)(6 + total * 7))
        fail_msg("byte %zu is of another version", total);
  if (status) expect_error(c->kind, &err, TENON_CONFLICT);
  else assert_int_equal(total, 1000000);
  got.body.close(got.body.self);
  drop(other, (const char *const[]){"contract/m", NULL});
  tn_session_release(other);
  tn_session_release(s);
}

static void presigns(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_presigned signed_url;
  tenon_error err = TENON_ERROR_INIT;
  const tenon_presign request = {.struct_size = sizeof request, .key = key_of("contract/p"),
                                 .expires_ms = 60000};
  if (tn_objects_presign(NULL, s, &request, &signed_url, &err)) fail_msg("%s", err.message);
  assert_true(strlen(signed_url.url) > 10);
  tn_session_release(s);
}

/* Objects can be made to be there. */
static bool is_fillable(const contract_kind *k) { return k->place || contract_has(k, "objects.put"); }

const contract_check contract_object_checks[] = {
    {"puts, gets and stats", "objects.get", puts_gets_and_stats, is_fillable},
    {"ranges and versions are minded", "objects.get", ranges_and_versions_are_minded, is_fillable},
    {"what is not there is not found", "objects.get", what_is_not_there_is_not_found, NULL},
    {"conditions hold for puts", "objects.put", conditions_hold_for_puts, NULL},
    {"a failed put leaves what was", "objects.put", a_failed_put_leaves_what_was, NULL},
    {"lists in order", "objects.list", lists_in_order, is_fillable},
    {"copies", "objects.copy", copies, NULL},
    {"a body may be closed in the middle", "objects.get", a_body_may_be_closed_in_the_middle,
     is_fillable},
    {"presigns", "objects.presign", presigns, NULL},
    {0}};
