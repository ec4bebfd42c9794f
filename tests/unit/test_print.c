/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text and as JSON, floats both ways, names of types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/build.h"
#include "arrow/names.h"
#include "arrow/print.h"
#include "base/float.h"

/* ---- Scalars ---- */

typedef struct scalar_case {
  const char *format;
  int64_t low, high;   /* the value's bytes */
  const char *text;
} scalar_case;

static int64_t float_bits(float v) {
  int32_t bits;
  memcpy(&bits, &v, sizeof v);
  return bits;
}

/* One value in one column, offset by one, so that offsets are seen. */
static void print_one(const char *format, const void *value, char *text, char *json, size_t room) {
  struct ArrowSchema s;
  struct ArrowArray a;
  tn_builder *b;
  tn_printer *p;
  tn_str out;
  assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "c", format, true, 0, NULL), TENON_OK);
  assert_int_equal(tn_printer_new(s.children[0], &p, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  tn_column *c = tn_builder_column(b, 0);
  assert_true(tn_append_null(c) && tn_append_fixed(c, value));
  assert_int_equal(tn_builder_finish(b, 2, &a, NULL), TENON_OK);
  a.children[0]->offset = 1;
  a.children[0]->length = 1;
  tn_str_init(&out, 1 << 20);
  assert_int_equal(tn_print_text(p, a.children[0], 0, &out, NULL), TENON_OK);
  snprintf(text, room, "%s", tn_str_text(&out));
  tn_str_clear(&out);
  assert_int_equal(tn_print_json(p, a.children[0], 0, &out, NULL), TENON_OK);
  snprintf(json, room, "%s", tn_str_text(&out));
  assert_true(tn_is_null(a.children[0], -1) && !tn_is_null(a.children[0], 0));
  tn_str_release(&out);
  a.release(&a);
  tn_builder_free(b);
  tn_printer_free(p);
  tn_schema_release(&s);
}

static void prints_scalars(void **state) {
  (void)state;
  const scalar_case cases[] = {
      {"c", -128, 0, "-128"},
      {"C", 255, 0, "255"},
      {"s", -32768, 0, "-32768"},
      {"S", 65535, 0, "65535"},
      {"i", INT32_MIN, 0, "-2147483648"},
      {"I", UINT32_MAX, 0, "4294967295"},
      {"l", INT64_MIN, 0, "-9223372036854775808"},
      {"l", 0, 0, "0"},
      {"l", 10, 0, "10"},
      {"l", 100, 0, "100"},
      {"L", -1, 0, "18446744073709551615"},
      {"d:15,2", 1250, 0, "12.50"},
      {"d:15,2", -5, -1, "-0.05"},
      {"d:15,2", 0, 0, "0.00"},
      {"d:10,0", 42, 0, "42"},
      {"d:3,3", 7, 0, "0.007"},
      {"d:5,-2", 7, 0, "700"},
      {"d:5,-2", 0, 0, "0"},
      {"d:9,2,32", -1234, 0, "-12.34"},
      {"d:18,2,64", -1234, 0, "-12.34"},
      {"d:38,0", -1, INT64_MAX, "170141183460469231731687303715884105727"},
      {"d:38,0", 0, INT64_MIN, "-170141183460469231731687303715884105728"},
      {"d:38,10", 1, 54210108624275221, "99999999999999998708040515.2889307137"},
      {"f", float_bits(0.1f), 0, "0.1"},
      {"f", float_bits(16777216.0f), 0, "16777216.0"},
      {"e", 0x2E66, 0, "0.1"},
      {"e", 0x7BFF, 0, "65500.0"},
      {"e", 0xFC00, 0, "-Infinity"},
      {"tdD", 0, 0, "1970-01-01"},
      {"tdD", -1, 0, "1969-12-31"},
      {"tdD", 11016, 0, "2000-02-29"},
      {"tdD", 19782, 0, "2024-02-29"},
      {"tdD", 2932896, 0, "9999-12-31"},
      {"tdD", 2932897, 0, "+10000-01-01"},
      {"tdD", -719528, 0, "0000-01-01"},
      {"tdD", -719529, 0, "-00001-12-31"},
      {"g", 0x7FF8000000000000, 0, "NaN"},
      {"tdD", INT32_MAX, 0, "+5881580-07-11"},
      {"tdD", INT32_MIN, 0, "-5877641-06-23"},
      {"tdm", 86400000, 0, "1970-01-02"},
      {"tdm", 86400001, 0, "1970-01-02T00:00:00.001"},
      {"tts", 86399, 0, "23:59:59"},
      {"ttm", 1500, 0, "00:00:01.5"},
      {"ttu", 1, 0, "00:00:00.000001"},
      {"ttn", 86399999999999, 0, "23:59:59.999999999"},
      {"tss:", 0, 0, "1970-01-01T00:00:00"},
      {"tsm:", -1, 0, "1969-12-31T23:59:59.999"},
      {"tsu:", 1709208000250000, 0, "2024-02-29T12:00:00.25"},
      {"tsn:", -1, 0, "1969-12-31T23:59:59.999999999"},
      {"tsu:", INT64_MAX, 0, "+294247-01-10T04:00:54.775807"},
      {"tsu:", INT64_MIN, 0, "-290308-12-21T19:59:05.224192"},
      {"tsu:UTC", 1709208000000000, 0, "2024-02-29T12:00:00Z"},
      {"tsu:Europe/Berlin", 1709208000000000, 0, "2024-02-29T12:00:00Z"},
      {"tsu:+02:00", 1709208000000000, 0, "2024-02-29T14:00:00+02:00"},
      {"tsu:-05:30", 1709208000000000, 0, "2024-02-29T06:30:00-05:30"},
      {"tss:+14", 1709208000, 0, "2024-03-01T02:00:00+14:00"},
      {"tDs", 90, 0, "PT90S"},
      {"tDu", -1500000, 0, "PT-1.5S"},
      {"tDn", INT64_MIN, 0, "PT-9223372036.854775808S"},
      {"tiM", 14, 0, "P14M"},
      {"tiM", 0, 0, "PT0S"},
      {"tiD", (int64_t)(500ull << 32 | 3), 0, "P3DT0.5S"},
      {"tin", (int64_t)(3ull << 32 | 14), 4500000000, "P14M3DT4.5S"},
      {"tin", (int64_t)(0xFFFFFFFFull << 32 | 0xFFFFFFFF), -1, "P-1M-1DT-0.000000001S"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const scalar_case *c = &cases[i];
    int64_t value[2] = {c->low, c->high};
    char text[200], json[200], quoted[200];
    print_one(c->format, value, text, json, sizeof text);
    assert_string_equal(text, c->text);
    bool number =
        strchr("cCsSiIlLdfeg", c->format[0]) && !strchr(c->text, 'y') && !strchr(c->text, 'N');
    snprintf(quoted, sizeof quoted, number ? "%s" : "\"%s\"", c->text);
    assert_string_equal(json, quoted);
  }
}

static void prints_decimal256(void **state) {
  (void)state;
  char text[200], json[200];
  uint64_t greatest[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, INT64_MAX},
           minus_one[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
  print_one("d:76,10,256", greatest, text, json, sizeof text);
  assert_string_equal(
      text, "5789604461865809771178549250434395392663499233282028201972879200395.6564819967");
  assert_string_equal(json, text);
  print_one("d:76,76,256", minus_one, text, json, sizeof text);
  assert_string_equal(
      text, "-0.0000000000000000000000000000000000000000000000000000000000000000000000000001");
}

/* ---- Floats ---- */

static void prints_floats_as_python_does(void **state) {
  (void)state;
  const struct {
    double value;
    const char *text;
  } cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1.0, "1.0"},
      {0.1, "0.1"},
      {1.0 / 3, "0.3333333333333333"},
      {100.0, "100.0"},
      {1e15, "1000000000000000.0"},
      {1e16, "1e+16"},
      {123456789012345680.0, "1.2345678901234568e+17"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {5e-324, "5e-324"},
      {DBL_MAX, "1.7976931348623157e+308"},
      {DBL_MIN, "2.2250738585072014e-308"},
      {9007199254740993.0, "9007199254740992.0"},
      {2e100, "2e+100"},
      {-1.5, "-1.5"},
      {1e23, "1e+23"},
      {4.35, "4.35"},
  };
  char text[TN_FLOAT_ROOM + 1];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    text[tn_print_f64(cases[i].value, text)] = 0;
    assert_string_equal(text, cases[i].text);
  }
}

static uint64_t random_bits(void) {
  static uint64_t s = 88172645463325252u;
  s ^= s << 13;
  s ^= s >> 7;
  return s ^= s << 17;
}

/* The C library reads and prints rightly: it is the oracle. */
static void agrees_with_the_c_library(void **state) {
  (void)state;
  for (int i = 0; i < 40000; i++) {
    uint64_t bits = random_bits();
    if (i % 3 == 0)
      bits &= ~((UINT64_C(1) << (random_bits() % 52)) - 1); /* few digits, powers of two */
    if (i % 7 == 0) bits &= UINT64_C(0x800FFFFFFFFFFFFF);                    /* subnormal */
    double v, again;
    char text[100], digits[64];
    memcpy(&v, &bits, sizeof v);
    if (v - v != 0) continue;
    size_t n = tn_print_f64(v, text);
    text[n] = 0;
    assert_true(tn_parse_f64(text, n, &again) && memcmp(&v, &again, sizeof v) == 0);
    assert_true(strtod(text, NULL) == v);
    /* one digit less does not read back */
    int shortest = 1;
    while (snprintf(digits, sizeof digits, "%.*e", shortest - 1, v), strtod(digits, NULL) != v)
      shortest++;
    int count = 0;
    for (const char *p = text; *p && *p != 'e'; p++)
      count += *p >= '0' && *p <= '9' && (count || *p != '0');
    while (count > shortest && text[n - 1] == '0' && !strchr(text, 'e')) {
      n -= 1 + (text[n - 2] == '.');   /* zeros that are no digits of the shortest form */
      count--;
    }
    assert_true(count <= shortest);
    snprintf(digits, sizeof digits, "%.*e", (int)(random_bits() % 40), v);
    bool fits = tn_parse_f64(digits, strlen(digits), &again);
    assert_true(fits ? again == strtod(digits, NULL) : fabs(strtod(digits, NULL)) > DBL_MAX);
  }
}

static void rounds_any_decimal(void **state) {
  (void)state;
  for (int i = 0; i < 60000; i++) {
    char text[64];
    size_t n = 1 + random_bits() % 30;
    for (size_t k = 0; k < n; k++) text[k] = (char)('0' + random_bits() % 10);
    int exponent = i % 2 ? (int)(random_bits() % 60) - 40 : (int)(random_bits() % 690) - 350;
    n += (size_t)snprintf(text + n, 20, "e%d", exponent);
    double v = 0, expected = strtod(text, NULL);
    assert_int_equal(tn_parse_f64(text, n, &v), expected - expected == 0);
    assert_true(expected - expected != 0 || memcmp(&v, &expected, sizeof v) == 0);
    float f = 0, expected_f = strtof(text, NULL);
    assert_int_equal(tn_parse_f32(text, n, &f), expected_f - expected_f == 0);
    assert_true(expected_f - expected_f != 0 || memcmp(&f, &expected_f, sizeof f) == 0);
  }
}

static void reads_hard_floats(void **state) {
  (void)state;
  const struct {
    const char *text;
    double value;
  } good[] = {
      {"9007199254740993", 9007199254740992.0},
      {"9007199254740993.0000000000000000000000000001", 9007199254740994.0},
      {"2.4703282292062327208e-324", 0.0},
      {"2.4703282292062328e-324", 5e-324},
      {"1e-400", 0.0},
      {"-1e-400", -0.0},
      {"0e999999999999", 0.0},
      {"+1.5", 1.5},
      {".5", 0.5},
      {"5.", 5.0},
      {"1E+2", 100.0},
      {"000000000000000000000000000001", 1.0},
      {"0.000000000000000000000000000000000000001", 1e-39},
      {"8.5e22", 8.5e22},
      {"1.7976931348623158e308", DBL_MAX},
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    double v;
    assert_true(tn_parse_f64(good[i].text, strlen(good[i].text), &v));
    assert_memory_equal(&v, &good[i].value, sizeof v);
  }
  const char *bad[] = {"",   ".",  "-",   "+",     "e5",     "1e",   "1e+", "1.2.3",  "0x10",
                       " 1", "1 ", "1,5", "1e400", "-1e309", "nano", "in",  "infinit"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    double v;
    assert_false(tn_parse_f64(bad[i], strlen(bad[i]), &v));
  }
  double nan, inf;
  assert_true(tn_parse_f64("NaN", 3, &nan) && nan != nan);
  assert_true(tn_parse_f64("-Infinity", 9, &inf) && inf < -DBL_MAX);
}

/* ---- Text, JSON, nested ---- */

static void print_first(const struct ArrowSchema *s, struct ArrowArray *a, char *text, char *json,
                        size_t room) {
  tn_printer *p;
  tn_str out;
  assert_int_equal(tn_printer_new(s->children[0], &p, NULL), TENON_OK);
  tn_str_init(&out, 1 << 20);
  assert_int_equal(tn_print_text(p, a->children[0], 0, &out, NULL), TENON_OK);
  snprintf(text, room, "%s", tn_str_text(&out));
  tn_str_clear(&out);
  assert_int_equal(tn_print_json(p, a->children[0], 0, &out, NULL), TENON_OK);
  snprintf(json, room, "%s", tn_str_text(&out));
  tn_str_release(&out);
  tn_printer_free(p);
}

static void prints_bytes(void **state) {
  (void)state;
  const struct {
    const char *format, *data;
    int64_t size;
    const char *text, *json;
  } cases[] = {
      {"u", "", 0, "", "\"\""},
      {"u", "a\"b\\c\n\t\x01\x0b", 9, "a\"b\\c\n\t\x01\x0b", "\"a\\\"b\\\\c\\n\\t\\u0001\\u000b\""},
      {"U", "Grüße 🎉", 12, "Grüße 🎉", "\"Grüße 🎉\""},
      {"z", "hi\n", 3, "\\x68690a", "\"\\\\x68690a\""},
      {"Z", "\xff", 1, "\\xff", "\"\\\\xff\""},
      {"z", "", 0, "\\x", "\"\\\\x\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ArrowSchema s;
    struct ArrowArray a;
    tn_builder *b;
    char text[100], json[100];
    assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
    assert_int_equal(tn_schema_set(s.children[0], "c", cases[i].format, true, 0, NULL), TENON_OK);
    assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
    assert_true(tn_append_bytes(tn_builder_column(b, 0), cases[i].data, cases[i].size));
    assert_int_equal(tn_builder_finish(b, 1, &a, NULL), TENON_OK);
    print_first(&s, &a, text, json, sizeof text);
    assert_string_equal(text, cases[i].text);
    assert_string_equal(json, cases[i].json);
    a.release(&a);
    tn_builder_free(b);
    tn_schema_release(&s);
  }
}

static void refuses_invalid_utf8(void **state) {
  (void)state;
  tn_str out;
  tenon_error err = TENON_ERROR_INIT;
  tn_str_init(&out, 100);
  assert_int_equal(tn_print_json_string("a\xff", 2, &out, &err), TENON_DATA);
  tn_str_release(&out);
}

/* struct(n int32, "a\"b" list(text)) of {7, ["x", NULL]} */
static void prints_nested_as_json(void **state) {
  (void)state;
  struct ArrowSchema s;
  struct ArrowArray a;
  tn_builder *b;
  char text[100], json[100];
  assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "c", "+s", true, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0]->children[0], "n", "i", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0]->children[1], "a\"b", "+l", true, 0, NULL),
                   TENON_OK);
  assert_int_equal(
      tn_schema_set(s.children[0]->children[1]->children[0], "item", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  tn_column *c = tn_builder_column(b, 0), *list = &c->children[1];
  assert_true(tn_append_i32(&c->children[0], 7) && tn_append_text(&list->children[0], "x") &&
              tn_append_null(&list->children[0]));
  assert_true(tn_append_list(list) && tn_append_struct(c));
  assert_int_equal(tn_builder_finish(b, 1, &a, NULL), TENON_OK);
  print_first(&s, &a, text, json, sizeof text);
  assert_string_equal(json, "{\"n\":7,\"a\\\"b\":[\"x\",null]}");
  assert_string_equal(text, json);
  a.release(&a);
  tn_builder_free(b);
  tn_schema_release(&s);
}

static void print_map(const char *key_format, char *json, size_t room) {
  struct ArrowSchema s;
  struct ArrowArray a;
  tn_builder *b;
  char text[100];
  assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "c", "+m", true, 0, NULL), TENON_OK);
  struct ArrowSchema *entries = s.children[0]->children[0];
  assert_int_equal(tn_schema_set(entries->children[0], "key", key_format, false, 0, NULL),
                   TENON_OK);
  assert_int_equal(tn_schema_set(entries->children[1], "value", "g", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  tn_column *c = tn_builder_column(b, 0), *entry = &c->children[0];
  for (int32_t i = 0; i < 2; i++) {
    assert_true(key_format[0] == 'u' ? tn_append_text(&entry->children[0], i ? "b" : "a")
                                     : tn_append_i32(&entry->children[0], i));
    assert_true(tn_append_f64(&entry->children[1], i ? (double)INFINITY : (double)NAN) &&
                tn_append_struct(entry));
  }
  assert_true(tn_append_list(c));
  assert_int_equal(tn_builder_finish(b, 1, &a, NULL), TENON_OK);
  print_first(&s, &a, text, json, room);
  a.release(&a);
  tn_builder_free(b);
  tn_schema_release(&s);
}

static void prints_maps(void **state) {
  (void)state;
  char json[100];
  print_map("u", json, sizeof json);
  assert_string_equal(json, "{\"a\":\"NaN\",\"b\":\"Infinity\"}");
  print_map("i", json, sizeof json);
  assert_string_equal(json, "[[0,\"NaN\"],[1,\"Infinity\"]]");
}

static void prints_dictionaries(void **state) {
  (void)state;
  const int8_t indices[] = {1, 0};
  const int32_t ends[] = {0, 1, 3};
  const void *index_buffers[] = {NULL, indices}, *text_buffers[] = {NULL, ends, "abc"};
  struct ArrowArray texts = {.length = 2, .n_buffers = 3, .buffers = text_buffers};
  struct ArrowArray a = {
      .length = 2, .n_buffers = 2, .buffers = index_buffers, .dictionary = &texts};
  struct ArrowSchema text_type = {.format = "u"},
                     type = {.format = "c", .name = "d", .dictionary = &text_type};
  tn_printer *p;
  tn_str out;
  assert_int_equal(tn_printer_new(&type, &p, NULL), TENON_OK);
  tn_str_init(&out, 100);
  assert_int_equal(tn_print_text(p, &a, 0, &out, NULL), TENON_OK);
  assert_int_equal(tn_print_json(p, &a, 1, &out, NULL), TENON_OK);
  assert_string_equal(tn_str_text(&out), "bc\"a\"");
  assert_false(tn_printer_is_number(p));
  tn_str_release(&out);
  tn_printer_free(p);
}

static void refuses_what_has_no_text(void **state) {
  (void)state;
  const char *formats[] = {"+ud:0,1", "+us:0", "+r", "vu", "vz",  "+vl",
                           "x",       "",      "d:", "ts", "w:-1"};
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    struct ArrowSchema type = {.format = formats[i], .name = "odd"};
    tenon_error err = TENON_ERROR_INIT;
    tn_printer *p;
    assert_int_equal(tn_printer_new(&type, &p, &err), TENON_UNSUPPORTED);
    assert_non_null(strstr(err.message, "column odd"));
  }
}

static void says_when_it_is_full(void **state) {
  (void)state;
  tn_str out;
  tenon_error err = TENON_ERROR_INIT;
  tn_str_init(&out, 10);
  assert_int_equal(tn_print_json_string("0123456789", 10, &out, &err), TENON_LIMITED);
  tn_str_release(&out);
}

/* ---- Names ---- */

static void knows_types_by_name(void **state) {
  (void)state;
  const struct {
    const char *name, *format, *again;
  } cases[] = {
      {"bool", "b", "bool"},
      {"BOOLEAN", "b", "bool"},
      {"int64", "l", "int64"},
      {"bigint", "l", "int64"},
      {"int", "i", "int32"},
      {"uint8", "C", "uint8"},
      {"double", "g", "float64"},
      {"float32", "f", "float32"},
      {"decimal(15,2)", "d:15,2", "decimal(15,2)"},
      {"numeric( 38 , 0 )", "d:38,0", "decimal(38,0)"},
      {"decimal(5)", "d:5,0", "decimal(5,0)"},
      {"decimal(39,1)", "d:39,1,256", "decimal(39,1)"},
      {" text ", "u", "text"},
      {"string", "u", "text"},
      {"bytea", "z", "binary"},
      {"date", "tdD", "date"},
      {"time", "ttu", "time"},
      {"timestamp", "tsu:", "timestamp"},
      {"timestamptz", "tsu:UTC", "timestamptz"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char format[TN_FORMAT_ROOM];
    tn_str out;
    tn_str_init(&out, 100);
    assert_true(tn_format_of_name(cases[i].name, strlen(cases[i].name), format));
    assert_string_equal(format, cases[i].format);
    struct ArrowSchema type = {.format = format};
    assert_true(tn_type_name(&type, &out));
    assert_string_equal(tn_str_text(&out), cases[i].again);
    tn_str_release(&out);
  }
  const char *unknown[] = {"",
                           "int65",
                           "decimal",
                           "decimal()",
                           "decimal(0,0)",
                           "decimal(77,0)",
                           "decimal(5,6)",
                           "decimal(5,2",
                           "decimal(5,2)x",
                           "datee"};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
    char format[TN_FORMAT_ROOM];
    assert_false(tn_format_of_name(unknown[i], strlen(unknown[i]), format));
  }
}

static void names_other_types(void **state) {
  (void)state;
  struct ArrowSchema item = {.format = "i", .name = "item"}, text = {.format = "u", .name = "b"},
                     number = {.format = "i", .name = "a"};
  struct ArrowSchema *one[] = {&item}, *two[] = {&number, &text};
  struct ArrowSchema entries = {.format = "+s",
                                .name = "entries",
                                .n_children = 2,
                                .children = two},
                     *map[] = {&entries};
  const struct {
    struct ArrowSchema type;
    const char *name;
  } cases[] = {
      {{.format = "tsm:"}, "timestamp(ms)"},
      {{.format = "tsu:Europe/Berlin"}, "timestamptz(us, Europe/Berlin)"},
      {{.format = "ttn"}, "time(ns)"},
      {{.format = "tDs"}, "duration(s)"},
      {{.format = "w:16"}, "binary(16)"},
      {{.format = "+l", .n_children = 1, .children = one}, "list(int32)"},
      {{.format = "+s", .n_children = 2, .children = two}, "struct(a int32, b text)"},
      {{.format = "+m", .n_children = 1, .children = map}, "map(int32, text)"},
      {{.format = "tin"}, "interval"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tn_str out;
    tn_str_init(&out, 100);
    assert_true(tn_type_name(&cases[i].type, &out));
    assert_string_equal(tn_str_text(&out), cases[i].name);
    tn_str_release(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(prints_scalars),
      cmocka_unit_test(prints_decimal256),
      cmocka_unit_test(prints_floats_as_python_does),
      cmocka_unit_test(agrees_with_the_c_library),
      cmocka_unit_test(rounds_any_decimal),
      cmocka_unit_test(reads_hard_floats),
      cmocka_unit_test(prints_bytes),
      cmocka_unit_test(refuses_invalid_utf8),
      cmocka_unit_test(prints_nested_as_json),
      cmocka_unit_test(prints_maps),
      cmocka_unit_test(prints_dictionaries),
      cmocka_unit_test(refuses_what_has_no_text),
      cmocka_unit_test(says_when_it_is_full),
      cmocka_unit_test(knows_types_by_name),
      cmocka_unit_test(names_other_types),
  };
  return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}
