/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's numerics: against arithmetic on their text, for many sizes, scales and signs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/sql/postgresql/decode.h"

__extension__ typedef __int128 i128;

enum { MAX_WIRE = 4096 };

static void put16(uint8_t **to, int v) {
  *(*to)++ = (uint8_t)((unsigned)v >> 8);
  *(*to)++ = (uint8_t)v;
}

/* "-123.4500" as numeric_send would write it: groups without leading and trailing zeros. */
static int32_t encode(const char *text, uint8_t *wire) {
  char whole[600] = "", fraction[600] = "";
  bool negative = *text == '-';
  sscanf(text + negative, "%599[0-9].%599[0-9]", whole, fraction);
  int scale = (int)strlen(fraction);
  char digits[1300];
  int pad = (4 - (int)strlen(whole) % 4) % 4;
  snprintf(digits, sizeof digits, "%.*s%s%s%.*s", pad, "000", whole, fraction, (4 - scale % 4) % 4,
           "000");
  int groups = (int)strlen(digits) / 4, weight = ((int)strlen(whole) + pad) / 4 - 1;
  const char *at = digits;
  while (groups && memcmp(at, "0000", 4) == 0) at += 4, groups--, weight--;
  while (groups && memcmp(at + 4 * (groups - 1), "0000", 4) == 0) groups--;
  uint8_t *to = wire;
  put16(&to, groups);
  put16(&to, groups ? weight : 0);
  put16(&to, negative && groups ? 0x4000 : 0);
  put16(&to, scale);
  for (int i = 0; i < groups; i++)
    put16(&to, (at[4 * i] - '0') * 1000 + (at[4 * i + 1] - '0') * 100 + (at[4 * i + 2] - '0') * 10 +
                   (at[4 * i + 3] - '0'));
  return (int32_t)(to - wire);
}

/* The text's digits behind the point filled up to scale, as an integer. */
static i128 unscaled(const char *text, int scale) {
  i128 v = 0;
  int behind = -1;
  for (const char *c = text; *c; c++) {
    if (*c == '.') behind = 0;
    if (*c < '0' || *c > '9') continue;
    v = v * 10 + (*c - '0');
    if (behind >= 0) behind++;
  }
  for (int i = behind < 0 ? 0 : behind; i < scale; i++) v *= 10;
  return *text == '-' ? -v : v;
}

static void check_text(const char *text) {
  uint8_t wire[MAX_WIRE];
  char back[2000];
  int32_t size = encode(text, wire), used = 0;
  assert_true(tn_pg_decimal_room(wire, size) >= (int32_t)strlen(text));
  assert_int_equal(tn_pg_decimal_text(wire, size, back, &used), TN_PG_FINE);
  back[used] = 0;
  bool zero = strspn(text, "-0.") == strlen(text);
  assert_string_equal(back, text + (zero && *text == '-'));
}

static void check_128(const char *text, int precision, int scale) {
  uint8_t wire[MAX_WIRE];
  i128 got = 1;
  int32_t size = encode(text, wire);
  if (tn_pg_decimal128(wire, size, precision, scale, &got))
    fail_msg("%s as decimal(%d,%d)", text, precision, scale);
  if (got != unscaled(text, scale))
    fail_msg("%s as decimal(%d,%d) is another number", text, precision, scale);
}

static void check_256(const char *text, int precision, int scale) {
  uint8_t wire[MAX_WIRE];
  int64_t limbs[4];
  int32_t size = encode(text, wire);
  if (tn_pg_decimal256(wire, size, precision, scale, limbs))
    fail_msg("%s as decimal(%d,%d)", text, precision, scale);
  i128 v = unscaled(text, scale);
  int64_t sign = v < 0 ? -1 : 0, want[4] = {(int64_t)v, (int64_t)(v >> 64), sign, sign};
  assert_memory_equal(limbs, want, sizeof want);
}

/* ---- Every number of digits before and behind the point ---- */

static uint64_t state = 88172645463325252u;
static int random_below(int n) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (int)(state % (uint64_t)n);
}

static void make_number(char *text, int whole, int fraction) {
  char *to = text;
  if (random_below(2)) *to++ = '-';
  if (whole == 0) *to++ = '0';
  for (int i = 0; i < whole; i++)
    *to++ = (char)('0' + (i == 0 ? 1 + random_below(9) : random_below(3) ? random_below(10) : 0));
  if (fraction) *to++ = '.';
  for (int i = 0; i < fraction; i++) *to++ = (char)('0' + (random_below(3) ? random_below(10) : 0));
  *to = 0;
}

static void test_many(void **unused) {
  (void)unused;
  for (int round = 0; round < 40; round++)
    for (int whole = 0; whole <= 20; whole++)
      for (int fraction = 0; fraction + whole <= 36; fraction += 1 + random_below(3)) {
        char text[80];
        make_number(text, whole, fraction);
        int scale = fraction + random_below(38 - whole - fraction),
            precision = whole + scale ? whole + scale : 1;
        check_text(text);
        check_128(text, precision, scale);
        check_256(text, precision > 38 ? precision : 39, scale);
      }
}

static void test_edges(void **unused) {
  (void)unused;
  static const char *const numbers[] = {"0",
                                        "0.00",
                                        "1",
                                        "-1",
                                        "9999",
                                        "10000",
                                        "0.0001",
                                        "0.9999",
                                        "-0.00001",
                                        "99999999",
                                        "1.10",
                                        "100000000000000000",
                                        "999999999999999999",
                                        "9999999999999999999",
                                        "0.000000000000000001"};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    check_text(numbers[i]);
    check_128(numbers[i], 38, 18);
    check_256(numbers[i], 76, 18);
  }
  check_128("99999999999999999999999999999999999999", 38, 0);
  check_128("-99999999999999999999999999999999999999", 38, 0);
  check_128("0.99999999999999999999999999999999999999", 38, 38);
}

/* The limbs of 10^76 - 1, worked out by another program. */
static void test_longest(void **unused) {
  (void)unused;
  char text[80], back[100];
  uint8_t wire[MAX_WIRE];
  uint64_t limbs[4];
  int32_t used;
  static const uint64_t want[4] = {0xffffffffffffffffu, 0x7775a5f171950fffu, 0x0764b4abe8652979u,
                                   0x161bcca7119915b5u};
  memset(text, '9', 76);
  text[76] = 0;
  int32_t size = encode(text, wire);
  assert_int_equal(tn_pg_decimal256(wire, size, 76, 0, limbs), TN_PG_FINE);
  assert_memory_equal(limbs, want, sizeof want);
  assert_int_equal(tn_pg_decimal256(wire, size, 75, 0, limbs), TN_PG_TOO_PRECISE);
  assert_int_equal(tn_pg_decimal_text(wire, size, back, &used), TN_PG_FINE);
  assert_int_equal(used, 76);
}

/* ---- What does not fit ---- */

static tn_pg_fault fault_of(const char *text, int precision, int scale) {
  uint8_t wire[MAX_WIRE], before[16], ret[16];
  int32_t size = encode(text, wire);
  memset(before, 0x5A, sizeof before);
  memcpy(ret, before, sizeof ret);
  tn_pg_fault fault = tn_pg_decimal128(wire, size, precision, scale, ret);
  if (fault) assert_memory_equal(ret, before, sizeof ret);
  return fault;
}

static void test_too_precise(void **unused) {
  (void)unused;
  assert_int_equal(fault_of("1.25", 10, 1), TN_PG_TOO_PRECISE);
  assert_int_equal(fault_of("1.2", 10, 1), TN_PG_FINE);
  assert_int_equal(fault_of("1.20000", 10, 1), TN_PG_FINE);
  assert_int_equal(fault_of("0.00001", 10, 4), TN_PG_TOO_PRECISE);
  assert_int_equal(fault_of("12345678901", 10, 0), TN_PG_TOO_PRECISE);
  assert_int_equal(fault_of("1234567890.5", 10, 1), TN_PG_TOO_PRECISE);
  assert_int_equal(fault_of("1234567890123456789012345678901234567890", 38, 0), TN_PG_TOO_PRECISE);
  assert_int_equal(fault_of("99999999999999999999", 19, 0), TN_PG_TOO_PRECISE);
}

static void test_malformed(void **unused) {
  (void)unused;
  static const uint8_t short_header[] = {0, 1, 0, 0, 0, 0, 0};
  static const uint8_t missing_digit[] = {0, 2, 0, 0, 0, 0, 0, 0, 0, 1};
  static const uint8_t digit_10000[] = {0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10};
  static const uint8_t odd_sign[] = {0, 1, 0, 0, 0x12, 0x34, 0, 0, 0, 1};
  static const uint8_t nan[] = {0, 0, 0, 0, 0xC0, 0, 0, 0};
  static const uint8_t infinity[] = {0, 0, 0, 0, 0xD0, 0, 0, 0};
  uint64_t ret[4];
  double f;
  assert_int_equal(tn_pg_decimal128(short_header, sizeof short_header, 38, 0, ret), TN_PG_BAD_WIRE);
  assert_int_equal(tn_pg_decimal128(missing_digit, sizeof missing_digit, 38, 0, ret),
                   TN_PG_BAD_WIRE);
  assert_int_equal(tn_pg_decimal128(digit_10000, sizeof digit_10000, 38, 0, ret), TN_PG_BAD_WIRE);
  assert_int_equal(tn_pg_decimal256(digit_10000, sizeof digit_10000, 76, 0, ret), TN_PG_BAD_WIRE);
  assert_int_equal(tn_pg_decimal128(odd_sign, sizeof odd_sign, 38, 0, ret), TN_PG_BAD_WIRE);
  assert_int_equal(tn_pg_decimal_float(odd_sign, sizeof odd_sign, &f), TN_PG_BAD_WIRE);
  assert_int_equal(tn_pg_decimal128(nan, sizeof nan, 38, 0, ret), TN_PG_SPECIAL);
  assert_int_equal(tn_pg_decimal128(infinity, sizeof infinity, 38, 0, ret), TN_PG_SPECIAL);
  assert_int_equal(tn_pg_decimal_float(nan, sizeof nan, &f), TN_PG_FINE);
  assert_true(isnan(f));
  assert_int_equal(tn_pg_decimal_float(infinity, sizeof infinity, &f), TN_PG_FINE);
  assert_true(isinf(f) && f > 0);
}

/* ---- Floats ---- */

static void check_float(const char *text) {
  uint8_t wire[MAX_WIRE];
  double got = 0, want = strtod(text, NULL);
  int32_t size = encode(text, wire);
  assert_int_equal(tn_pg_decimal_float(wire, size, &got), TN_PG_FINE);
  if (memcmp(&got, &want, sizeof got) != 0 && !(got == 0 && want == 0))
    fail_msg("%s is %.17g, not %.17g", text, want, got);
}

static void test_floats(void **unused) {
  (void)unused;
  static const char *const numbers[] = {"0.1",
                                        "0.3",
                                        "123456789.123456789",
                                        "9007199254740993",
                                        "0.000000000000000000000000000001",
                                        "179769313486231570000000000000000000000",
                                        "2.2250738585072011",
                                        "1.7976931348623157"};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) check_float(numbers[i]);
  for (int i = 0; i < 20000; i++) {
    char text[80];
    make_number(text, random_below(25), random_below(25));
    check_float(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many),      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_longest),   cmocka_unit_test(test_too_precise),
      cmocka_unit_test(test_malformed), cmocka_unit_test(test_floats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
