/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and AWS signatures, against published examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cases.h"
#include "net/sigv4.h"

/* ---- Digests ---- */

static void digest_is(const unsigned char *digest, const char *expected) {
  char hex[TN_SHA256_HEX + 1];
  tn_hex(digest, TN_SHA256_SIZE, hex);
  assert_string_equal(hex, expected);
}

/* FIPS 180-2, appendix B. */
static void digests(void **state) {
  (void)state;
  tn_sha256 sha;
  unsigned char digest[TN_SHA256_SIZE];
  assert_int_equal(tn_sha256_init(&sha, NULL), TENON_OK);
  assert_int_equal(tn_sha256_of(&sha, "abc", 3, digest, NULL), TENON_OK);
  digest_is(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_int_equal(tn_sha256_of(&sha, "", 0, digest, NULL), TENON_OK);
  digest_is(digest, TN_SIGV4_EMPTY);
  char thousand[1000];
  memset(thousand, 'a', sizeof thousand);
  for (int i = 0; i < 1000; i++) tn_sha256_add(&sha, thousand, sizeof thousand);
  assert_int_equal(tn_sha256_end(&sha, digest, NULL), TENON_OK);
  digest_is(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  tn_sha256_release(&sha);
  tn_sha256_release(&sha);
}

/* RFC 4231, test cases 1, 2 and 6. */
static void keyed_digests(void **state) {
  (void)state;
  tn_sha256 sha;
  unsigned char digest[TN_SHA256_SIZE], key[131];
  assert_int_equal(tn_sha256_init(&sha, NULL), TENON_OK);
  memset(key, 0x0b, 20);
  assert_int_equal(tn_hmac_sha256(&sha, key, 20, "Hi There", 8, digest, NULL), TENON_OK);
  digest_is(digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  assert_int_equal(tn_hmac_sha256(&sha, "Jefe", 4, "what do ya want for nothing?", 28, digest, NULL),
                   TENON_OK);
  digest_is(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, sizeof key);
  static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
  assert_int_equal(tn_hmac_sha256(&sha, key, sizeof key, text, sizeof text - 1, digest, NULL), TENON_OK);
  digest_is(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  tn_sha256_release(&sha);
}

/* ---- Requests ---- */

enum { SUITE_TIME = 1440938160, S3_TIME = 1369353600 };

static const tn_sigv4_credentials suite_keys = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                                NULL};
static const tn_sigv4_credentials s3_keys = {"AKIAIOSFODNN7EXAMPLE",
                                             "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL};

/* A case, taken apart: the texts are its own line's. */
typedef struct request_case {
  tn_sigv4_credentials keys;
  tn_sigv4_pair query[16], headers[16];
  tn_sigv4_request request;
  tn_str path;
  uint32_t flags;
  int64_t expires_s;
  bool is_s3, presigned;
} request_case;

static void read_escapes(char *text) {
  for (char *at = text; (at = strchr(at, '\\')); at++)
    if (at[1] == 'r' || at[1] == 'n') {
      *at = at[1] == 'r' ? '\r' : '\n';
      memmove(at + 1, at + 2, strlen(at + 2) + 1);
    }
}

static void read_query(request_case *c, char *text) {
  for (char *save, *pair = strtok_r(text, "&", &save); pair; pair = strtok_r(NULL, "&", &save)) {
    char *equals = strchr(pair, '=');
    *equals = 0;
    c->query[c->request.query_count++] = (tn_sigv4_pair){pair, equals + 1};
  }
}

static void read_field(request_case *c, char *field) {
  char *value = strchr(field, ' ');
  if (value) *value++ = 0;
  if (strcmp(field, "h") == 0) {
    char *colon = strchr(value, ':');
    *colon = 0;
    c->headers[c->request.header_count++] = (tn_sigv4_pair){value, colon + 1};
  } else if (strcmp(field, "q") == 0) read_query(c, value);
  else if (strcmp(field, "host") == 0) c->request.host = value;
  else if (strcmp(field, "token") == 0) c->keys.session_token = value;
  else if (strcmp(field, "hash") == 0) c->request.payload_hash = value;
  else if (strcmp(field, "expires") == 0) c->expires_s = atoll(value);
  else if (strcmp(field, "hashed") == 0) c->flags |= TN_SIGV4_HASH_HEADER;
  else if (strcmp(field, "raw") == 0) c->flags |= TN_SIGV4_PATH_AS_IS;
  else fail_msg("unknown field %s", field);
}

static void read_case(request_case *c, char *line) {
  char whose[16], how[16], method[16], path[512];
  read_escapes(line);
  char *bar = strstr(line, " | ");
  if (bar) *bar = 0;
  assert_int_equal(sscanf(line, "%15s %15s %15s %511[^|]", whose, how, method, path), 4);
  c->is_s3 = strcmp(whose, "s3") == 0;
  c->presigned = strcmp(how, "query") == 0;
  c->keys = c->is_s3 ? s3_keys : suite_keys;
  c->flags = c->is_s3 ? TN_SIGV4_S3 : 0;
  c->request = (tn_sigv4_request){.method = strcmp(method, "GET") == 0   ? "GET"
                                            : strcmp(method, "PUT") == 0 ? "PUT"
                                                                         : "POST",
                                  .host = "example.amazonaws.com", .query = c->query,
                                  .headers = c->headers};
  while (bar) {
    char *field = bar + 3;
    if ((bar = strstr(field, " | "))) *bar = 0;
    read_field(c, field);
  }
  tn_str_init(&c->path, 4096);
  if (c->flags & TN_SIGV4_PATH_AS_IS) tn_sigv4_encode(&c->path, path, strlen(path), true);
  else tn_str_puts(&c->path, path);
  c->request.path = c->path.data;
}

static void sign_case(const char *input, char *text, size_t room) {
  request_case c = {0};
  char line[4096];
  tenon_error err = TENON_ERROR_INIT;
  snprintf(line, sizeof line, "%s", input);
  read_case(&c, line);
  tn_sigv4 v = {0};
  tn_sigv4_signed done;
  tn_str query;
  tn_str_init(&query, 65536);
  int64_t at = c.is_s3 ? S3_TIME : SUITE_TIME;
  tenon_status status = tn_sigv4_init(&v, &c.keys, "us-east-1", c.is_s3 ? "s3" : "service", c.flags, &err);
  if (!status && c.presigned) status = tn_sigv4_presign(&v, at, c.expires_s, &c.request, &query, &err);
  else if (!status) status = tn_sigv4_sign(&v, at, &c.request, &done, &err);
  if (status) {
    assert_true(err.remedy[0]);
    assert_null(strchr(err.message, '\n'));
    snprintf(text, room, "error: %s", err.message);
  } else if (c.presigned) {
    snprintf(text, room, "%s", strstr(query.data, "&X-Amz-Signature=") + strlen("&X-Amz-Signature="));
  } else {
    snprintf(text, room, "%s", done.signature);
  }
  tn_sigv4_release(&v);
  tn_str_release(&query);
  tn_str_release(&c.path);
}

static void published(void **state) {
  (void)state;
  tn_run_cases("sigv4", 88, sign_case);
}

/* The whole of what is sent, for one example of each sort. */
static void whole_headers(void **state) {
  (void)state;
  tn_sigv4 v;
  tn_sigv4_signed done;
  assert_int_equal(tn_sigv4_init(&v, &s3_keys, "us-east-1", "s3", TN_SIGV4_S3, NULL), TENON_OK);
  const tn_sigv4_pair range = {"Range", "bytes=0-9"};
  const tn_sigv4_request get = {.method = "GET", .host = "examplebucket.s3.amazonaws.com",
                                .path = "/test.txt", .headers = &range, .header_count = 1};
  for (int i = 0; i < 3; i++) { /* with the key of the day, too */
    assert_int_equal(tn_sigv4_sign(&v, S3_TIME, &get, &done, NULL), TENON_OK);
    assert_string_equal(done.date, "20130524T000000Z");
    assert_string_equal(done.authorization,
                        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                        "aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    if (i == 1) {
      tn_sigv4_signed next; /* another day, another key */
      assert_int_equal(tn_sigv4_sign(&v, S3_TIME + 86400, &get, &next, NULL), TENON_OK);
      assert_string_equal(next.date, "20130525T000000Z");
      assert_string_not_equal(next.signature, done.signature);
    }
  }
  tn_sigv4_release(&v);
  tn_sigv4_release(&v);
}

static void whole_query(void **state) {
  (void)state;
  tn_sigv4 v;
  tn_str query;
  tn_str_init(&query, 4096);
  assert_int_equal(tn_sigv4_init(&v, &s3_keys, "us-east-1", "s3", TN_SIGV4_S3, NULL), TENON_OK);
  const tn_sigv4_request get = {.method = "GET", .host = "examplebucket.s3.amazonaws.com",
                                .path = "/test.txt", .payload_hash = TN_SIGV4_UNSIGNED};
  assert_int_equal(tn_sigv4_presign(&v, S3_TIME, 86400, &get, &query, NULL), TENON_OK);
  assert_string_equal(query.data,
                      "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
                      "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
                      "&X-Amz-SignedHeaders=host&X-Amz-Signature="
                      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  tn_str_release(&query);
  tn_sigv4_release(&v);
}

/* ---- Chunks: the upload of 66,560 bytes 'a' in the S3 reference ---- */

static void send_chunks(tn_sigv4_chunks *c, const char *const expected[3]) {
  static const size_t sizes[] = {65536, 1024, 0};
  char *data = tn_alloc(65536), head[TN_SIGV4_CHUNK_ROOM], want[TN_SIGV4_CHUNK_ROOM];
  memset(data, 'a', 65536);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(tn_sigv4_chunk(c, data, sizes[i], head, NULL), TENON_OK);
    snprintf(want, sizeof want, "%zx;chunk-signature=%s\r\n", sizes[i], expected[i]);
    assert_string_equal(head, want);
  }
  tn_free(data);
}

static void begin_chunks(tn_sigv4 *v, const tn_sigv4_pair *headers, size_t count, const char *hash,
                         tn_sigv4_chunks *ret) {
  tn_sigv4_signed head;
  assert_int_equal(tn_sigv4_init(v, &s3_keys, "us-east-1", "s3", TN_SIGV4_S3, NULL), TENON_OK);
  const tn_sigv4_request put = {.method = "PUT", .host = "s3.amazonaws.com",
                                .path = "/examplebucket/chunkObject.txt", .headers = headers,
                                .header_count = count, .payload_hash = hash};
  assert_int_equal(tn_sigv4_sign(v, S3_TIME, &put, &head, NULL), TENON_OK);
  assert_int_equal(tn_sigv4_chunks_init(ret, v, S3_TIME, &head, NULL), TENON_OK);
}

static void chunks(void **state) {
  (void)state;
  static const char *const expected[] = {
      "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"};
  static const tn_sigv4_pair headers[] = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                          {"Content-Encoding", "aws-chunked"},
                                          {"x-amz-decoded-content-length", "66560"},
                                          {"Content-Length", "66824"}};
  tn_sigv4 v;
  tn_sigv4_chunks c;
  begin_chunks(&v, headers, 4, TN_SIGV4_CHUNKED, &c);
  send_chunks(&c, expected);
  assert_int_equal(tn_sigv4_chunked_size(66560, 65536, false), 66824);
  tn_sigv4_release(&v);
}

static void chunks_with_trailer(void **state) {
  (void)state;
  static const char *const expected[] = {
      "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
      "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
      "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"};
  static const tn_sigv4_pair headers[] = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                          {"Content-Encoding", "aws-chunked"},
                                          {"x-amz-decoded-content-length", "66560"},
                                          {"x-amz-trailer", "x-amz-checksum-crc32c"}};
  const tn_sigv4_pair checksum = {"x-amz-checksum-crc32c", "sOO8/Q=="};
  tn_sigv4 v;
  tn_sigv4_chunks c;
  tn_str tail;
  tn_str_init(&tail, 4096);
  begin_chunks(&v, headers, 4, TN_SIGV4_CHUNKED_TRAILER, &c);
  send_chunks(&c, expected);
  assert_int_equal(tn_sigv4_trailer(&c, &checksum, 1, &tail, NULL), TENON_OK);
  assert_string_equal(tail.data, "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
                                 "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
  const tn_sigv4_pair evil = {"x-amz-checksum-crc32c", "a\r\nb: c"};
  assert_int_equal(tn_sigv4_trailer(&c, &evil, 1, &tail, NULL), TENON_CONFIG);
  tn_str_release(&tail);
  tn_sigv4_release(&v);
}

/* ---- What cannot be right ---- */

static void bad_signers(void **state) {
  (void)state;
  static const tn_sigv4_credentials bad[] = {
      {"", "x", NULL}, {NULL, "x", NULL}, {"a b", "x", NULL}, {"a/b", "x", NULL}, {"a,b", "x", NULL},
      {"a\n", "x", NULL}, {"a", "", NULL}, {"a", NULL, NULL}, {"a", "x\n", NULL}, {"a", "x", "t\r\nX-Evil: 1"}};
  tn_sigv4 v = {0};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_sigv4_init(&v, &bad[i], "r", "s", 0, &err), TENON_CONFIG);
    assert_null(strstr(err.message, "Evil"));
    assert_null(v.region);
  }
  static const char *const regions[] = {"", "a b", "us/east", "us-east-1\n", "é"};
  for (size_t i = 0; i < 5; i++)
    assert_int_equal(tn_sigv4_init(&v, &s3_keys, regions[i], "s", 0, NULL), TENON_CONFIG);
  char longest[300];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  const tn_sigv4_credentials long_id = {longest, "x", NULL}, long_secret = {"a", longest, NULL};
  assert_int_equal(tn_sigv4_init(&v, &long_id, "r", "s", 0, NULL), TENON_CONFIG);
  assert_int_equal(tn_sigv4_init(&v, &long_secret, "r", "s", 0, NULL), TENON_CONFIG);
  assert_int_equal(tn_sigv4_init(&v, &s3_keys, longest, "s", 0, NULL), TENON_CONFIG);
}

static void too_much(void **state) {
  (void)state;
  tn_sigv4 v;
  tn_sigv4_signed done;
  tn_sigv4_pair many[TN_SIGV4_MAX_PAIRS + 1];
  char names[TN_SIGV4_MAX_PAIRS + 1][64];
  for (int i = 0; i <= TN_SIGV4_MAX_PAIRS; i++) {
    snprintf(names[i], sizeof names[i], "x-amz-meta-a-rather-long-name-of-a-header-%02d", i);
    many[i] = (tn_sigv4_pair){names[i], "v"};
  }
  assert_int_equal(tn_sigv4_init(&v, &s3_keys, "us-east-1", "s3", TN_SIGV4_S3, NULL), TENON_OK);
  tn_sigv4_request put = {.method = "PUT", .host = "h", .path = "/x", .headers = many,
                          .header_count = TN_SIGV4_MAX_PAIRS + 1};
  tn_str query;
  tn_str_init(&query, 1 << 20);
  assert_int_equal(tn_sigv4_sign(&v, S3_TIME, &put, &done, NULL), TENON_LIMITED);
  put.header_count = TN_SIGV4_MAX_PAIRS; /* the names are too long together */
  assert_int_equal(tn_sigv4_sign(&v, S3_TIME, &put, &done, NULL), TENON_LIMITED);
  put.header_count = 20;
  assert_int_equal(tn_sigv4_sign(&v, S3_TIME, &put, &done, NULL), TENON_OK);
  put.query = many;
  put.query_count = TN_SIGV4_MAX_PAIRS + 1;
  assert_int_equal(tn_sigv4_presign(&v, S3_TIME, 60, &put, &query, NULL), TENON_LIMITED);
  assert_false(tn_sigv4_encode_query(&query, many, TN_SIGV4_MAX_PAIRS + 1));
  put.query_count = TN_SIGV4_MAX_PAIRS;
  assert_int_equal(tn_sigv4_presign(&v, S3_TIME, 60, &put, &query, NULL), TENON_OK);
  assert_int_equal(tn_sigv4_sign(&v, -1, &put, &done, NULL), TENON_CONFIG);
  assert_int_equal(tn_sigv4_sign(&v, INT64_MAX, &put, &done, NULL), TENON_CONFIG);
  tn_str_release(&query);
  tn_sigv4_release(&v);
}

static void queries_in_order(void **state) {
  (void)state;
  static const tn_sigv4_pair pairs[] = {{"prefix", "a b/ü"}, {"a-b", "1"}, {"a", "2"}, {"a", "1"},
                                        {"a/b", ""},         {"A", "+"},   {"list-type", "2"}};
  tn_str text;
  tn_str_init(&text, 4096);
  assert_true(tn_sigv4_encode_query(&text, pairs, 7));
  assert_string_equal(text.data, "A=%2B&a=1&a=2&a%2Fb=&a-b=1&list-type=2&prefix=a%20b%2F%C3%BC");
  tn_str_release(&text);
}

static void failing_allocations(void **state) {
  (void)state;
  static const tn_sigv4_pair query[] = {{"prefix", "a b"}, {"list-type", "2"}};
  const tn_sigv4_request get = {.method = "GET", .host = "h", .path = "/x", .query = query,
                                .query_count = 2};
  tn_sigv4 v;
  assert_int_equal(tn_sigv4_init(&v, &s3_keys, "us-east-1", "s3", TN_SIGV4_S3, NULL), TENON_OK);
  for (int64_t n = 1, count = 1; n <= count; n++) {
    tenon_error err = TENON_ERROR_INIT;
    tn_sigv4_signed done;
    tn_str text;
    tn_str_init(&text, 4096);
    tn_mem_fail_at(n, 0);
    tenon_status status = tn_sigv4_sign(&v, S3_TIME, &get, &done, &err);
    if (!status) status = tn_sigv4_presign(&v, S3_TIME, 60, &get, &text, &err);
    count = tn_mem_count();
    tn_mem_fail_at(0, 0);
    if (n <= count) assert_int_not_equal(status, TENON_OK);
    else assert_int_equal(status, TENON_OK);
    tn_str_release(&text);
  }
  tn_sigv4_release(&v);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(digests),       cmocka_unit_test(keyed_digests),
      cmocka_unit_test(published),     cmocka_unit_test(whole_headers),
      cmocka_unit_test(whole_query),   cmocka_unit_test(chunks),
      cmocka_unit_test(chunks_with_trailer),
      cmocka_unit_test(bad_signers),   cmocka_unit_test(too_much),
      cmocka_unit_test(queries_in_order), cmocka_unit_test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
