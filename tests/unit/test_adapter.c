/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as tables: names, folders, patterns; equal columns or a refusal; rows of many files as of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/objects_tables.h"
#include "adapters/pattern.h"
#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "core/params.h"
#include "core/registry.h"
#include "core/session.h"
#include "formats/format.h"

extern const tenon_provider tn_provider_files;

/* ---- A folder with files, and a session on it ---- */

static char folder[64];
static tenon_ctx *ctx;
static tn_registry *registry;
static const tenon_provider *kind;
static tn_config *config;
static void *session;
static tenon_error err;

static void put(const char *name, const char *content) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    mkdir(path, 0777);
    *slash = '/';
  }
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(content, f);
  assert_int_equal(fclose(f), 0);
}

/* Parquet with columns a (int64) and b (text): rows of a = first, first + 1, … */
static void put_parquet(const char *name, const char *a_format, int64_t first, int64_t rows) {
  char path[512];
  struct ArrowSchema s;
  tn_builder *b;
  struct ArrowArray batch;
  tn_writer w;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  put(name, "");
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(tn_schema_struct(&s, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "a", a_format, true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[1], "b", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  for (int64_t i = first; i < first + rows; i++) {
    assert_true(tn_append_fixed(tn_builder_column(b, 0), &i));
    assert_true(i % 5 ? tn_append_text(tn_builder_column(b, 1), "some text") : tn_append_null(tn_builder_column(b, 1)));
  }
  assert_int_equal(tn_builder_finish(b, rows, &batch, NULL), TENON_OK);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
  if (tn_format_parquet.writer(ctx, fd, &s, &options, &w, &err)) fail_msg("%s", err.message);
  if (w.write(w.self, &batch, &err)) fail_msg("%s", err.message);
  if (w.finish(w.self, NULL, &err)) fail_msg("%s", err.message);
  w.free(w.self);
  close(fd);
  tn_builder_free(b);
  tn_schema_release(&s);
}

static void open_session(const char *key, const char *value) {
  tn_settings settings;
  tn_settings_init(&settings);
  assert_int_equal(tn_settings_set(&settings, "root", folder, NULL), TENON_OK);
  if (key) assert_int_equal(tn_settings_set(&settings, key, value, NULL), TENON_OK);
  if (tn_config_new(kind, &settings, &config, &err)) fail_msg("%s", err.message);
  tn_settings_release(&settings);
  if (kind->open(ctx, kind, config->data, &session, &err)) fail_msg("%s", err.message);
}

static void close_session(void) {
  if (session) kind->close(session);
  if (config) tn_config_free(config);
  session = NULL;
  config = NULL;
}

static int set_up(void **state) {
  const tenon_provider *adapted;
  (void)state;
  tn_error_init(&err);
  snprintf(folder, sizeof folder, "/tmp/tenon-adapter-XXXXXX");
  assert_non_null(mkdtemp(folder));
  assert_int_equal(tenon_ctx_new(NULL, 30000, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_registry_new(&registry, NULL), TENON_OK);
  assert_int_equal(tn_adapter_tables(&tn_provider_files, &adapted, NULL), TENON_OK);
  if (tn_registry_add(registry, adapted, &err) || tn_registry_find(registry, "files", &kind, &err)) fail_msg("%s", err.message);
  return 0;
}

static int unlink_one(const char *path, const struct stat *info, int type, struct FTW *walk) {
  (void)info, (void)type, (void)walk;
  return remove(path);
}

static int tear_down(void **state) {
  (void)state;
  close_session();
  tn_registry_free(registry);
  tenon_ctx_free(ctx);
  nftw(folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
  return 0;
}

/* ---- Reading ---- */

static tenon_read read_of(const char *table) {
  tenon_read read = TENON_READ_INIT;
  read.name.table = table;
  return read;
}

/* Reads to the end; answers the rows, and the sum of column a where it is int64. */
static tenon_status read_all(const tenon_read *read, int64_t *ret_rows, int64_t *ret_sum) {
  tenon_rows rows = {.struct_size = sizeof rows};
  *ret_rows = *ret_sum = 0;
  tn_error_init(&err);
  tenon_status status = kind->tables->read(ctx, session, read, &rows, &err);
  if (status) return status;
  if ((status = tn_rows_complete(read, &rows, &err))) return status;
  int64_t a = -1;
  for (int64_t i = 0; i < rows.stream.schema.n_children; i++)
    if (strcmp(rows.stream.schema.children[i]->name, "a") == 0 && strcmp(rows.stream.schema.children[i]->format, "l") == 0) a = i;
  for (;;) {
    struct ArrowArray batch = {0};
    if ((status = rows.stream.next(rows.stream.self, &batch, &err)) || !batch.release) break;
    for (int64_t i = 0; a >= 0 && i < batch.length; i++)
      *ret_sum += ((const int64_t *)batch.children[a]->buffers[1])[batch.offset + batch.children[a]->offset + i];
    *ret_rows += batch.length;
    batch.release(&batch);
  }
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  return status;
}

static void assert_rows(const char *table, int64_t rows, int64_t sum) {
  int64_t found, found_sum;
  tenon_read read = read_of(table);
  if (read_all(&read, &found, &found_sum)) fail_msg("%s: %s", table, err.message);
  if (found != rows || found_sum != sum)
    fail_msg("%s: %lld rows with sum %lld, not %lld with %lld", table, (long long)found, (long long)found_sum, (long long)rows, (long long)sum);
}

static void assert_refused(const char *table, tenon_status code, const char *part) {
  int64_t rows, sum;
  tenon_read read = read_of(table);
  assert_int_equal(read_all(&read, &rows, &sum), code);
  assert_int_equal(err.code, code);
  assert_int_equal(rows, 0);
  if (!strstr(err.message, part) && !strstr(err.remedy, part)) fail_msg("%s: \"%s\" (%s) does not say %s", table, err.message, err.remedy, part);
}

/* ---- Tests ---- */

static void matches_patterns(void **state) {
  (void)state;
  static const struct { const char *pattern, *key; bool matches; } cases[] = {
      {"a.csv", "a.csv", true},          {"*.csv", "a.csv", true},          {"*.csv", "a.csvx", false},      {"*.csv", "d/a.csv", false},
      {"?.csv", "a.csv", true},          {"?.csv", "ab.csv", false},        {"[ab].csv", "b.csv", true},     {"[!ab].csv", "b.csv", false},
      {"[a-c]x", "bx", true},            {"[a-c]x", "dx", false},           {"**/x.csv", "x.csv", true},     {"**/x.csv", "a/b/x.csv", true},
      {"**/x.csv", "a/b/y.csv", false},  {"a/**/x", "a/x", true},           {"a/**/x", "a/b/c/x", true},     {"a/**/x", "b/c/x", false},
      {"**", "a/b/c", true},             {"a/**", "a/b/c", true},           {"*", ".hidden", false},         {"_*", "_x", true},
      {"*", "_x", false},                {"**/*.parquet", "_log/x.parquet", false}, {"**/x", ".git/x", false}, {"*a*b*c", "xxaxxbxxc", true},
      {"*a*b*c", "xxaxxcxxb", false},    {"[", "[", true},                  {"a[", "a[", true},              {"[]]", "]", true},
      {"x=*/y", "x=1/y", true},          {"**/b/**/d", "a/b/c/b/e/d", true}, {"**/b/**/d", "a/c/d", false},  
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (tn_pattern_matches(cases[i].pattern, strlen(cases[i].pattern), cases[i].key, strlen(cases[i].key)) != cases[i].matches)
      fail_msg("%s and %s", cases[i].pattern, cases[i].key);
}

static void reads_files_by_every_name(void **state) {
  (void)state;
  put_parquet("a/one.parquet", "l", 0, 10);
  put_parquet("a/two.parquet", "l", 10, 10);
  put_parquet("a/deep/er/three.parquet", "l", 20, 10);
  put_parquet("a/.hidden/four.parquet", "l", 30, 10);
  put_parquet("a/_log/five.parquet", "l", 40, 10);
  put("a/readme", "not a table");
  put("b/x[1].csv", "a,b\n1,x\n2,y\n");
  open_session(NULL, NULL);
  assert_rows("a/one.parquet", 10, 45);
  assert_rows("a/*.parquet", 20, 190);
  assert_rows("a/", 30, 435);
  assert_rows("a", 30, 435);
  assert_rows("**/*.parquet", 30, 435);
  assert_rows("a/{one,two}.parquet", 20, 190);
  assert_rows("a/{one,o*}.parquet", 10, 45);
  assert_rows("*/deep/*/t*.parquet", 10, 245);
  assert_rows("a/_log/*.parquet", 10, 445);
  assert_rows("b/x[1].csv", 2, 3);
}

static void says_what_is_not_there(void **state) {
  (void)state;
  put_parquet("sales.parquet", "l", 0, 1);
  put("notes.txt", "x");
  open_session(NULL, NULL);
  assert_refused("sale.parquet", TENON_NOT_FOUND, "did you mean sales.parquet?");
  assert_refused("*.csv", TENON_NOT_FOUND, "*.csv");
  assert_refused("nothing/", TENON_NOT_FOUND, "nothing/");
  assert_refused("notes.txt", TENON_CONFIG, "format=");
  assert_refused("{a,b.csv", TENON_CONFIG, "brace");
  put("x.jsonl", "{}");
  put("x.csv.gz", "x");
  assert_refused("x.jsonl", TENON_UNSUPPORTED, "are written, not read");
  assert_refused("x.csv.gz", TENON_UNSUPPORTED, "gunzip");
}

static void refuses_what_is_not_one_table(void **state) {
  (void)state;
  put_parquet("x/1.parquet", "l", 0, 10);
  put_parquet("x/2.parquet", "tsu:", 0, 10);
  put_parquet("y/1.parquet", "l", 0, 10);
  put("y/2.csv", "a,b\n1,x\n");
  put("z/1.csv", "a,b\n1,x\n");
  put("z/2.csv", "a,c\n1,x\n");
  open_session(NULL, NULL);
  assert_refused("x/", TENON_DATA, "x/2.parquet: column a");
  assert_refused("y/", TENON_CONFIG, "y/2.csv is csv");
  assert_refused("z/*.csv", TENON_DATA, "z/2.csv: column 2 is called c, where b is expected");
}

static void finds_types_in_all_files(void **state) {
  (void)state;
  int64_t rows, sum;
  put("1.csv", "a,b\n1,x\n");
  put("2.csv", "a,b\n2,y\n3,z\n");
  put("3.csv", "a,b\nfour,y\n");
  put("n/1.csv", "a,b\n");          /* a header alone, then NULLs alone: neither says what the type is */
  put("n/2.csv", "a,b\n,x\n,y\n");
  put("n/3.csv", "a,b\n5,z\n");
  put("w/1.csv", "a,b\n1,x\n");
  put("w/2.csv", "a,b\n1.5,x\n");
  open_session(NULL, NULL);
  assert_rows("[12].csv", 3, 6);
  assert_refused("[123].csv", TENON_DATA, "3.csv: column a");
  assert_refused("[123].csv", TENON_DATA, "types=");
  assert_rows("n/*.csv", 3, 5);
  assert_rows("n/[13].csv", 1, 5);
  tenon_table table = {.struct_size = sizeof table};
  tenon_read read = read_of("w/*.csv");
  if (kind->tables->describe(ctx, session, &read, &table, &err)) fail_msg("%s", err.message);
  assert_string_equal(table.columns[0].type, "float64");
  assert_null(table.schema.children[0]->metadata);
  table.release(&table);
  assert_int_equal(read_all(&read, &rows, &sum), TENON_OK);
  assert_int_equal(rows, 2);
  close_session();
  open_session("types", "a=text");
  assert_rows("[123].csv", 4, 0);
}

static void hands_filters_columns_and_limit_through(void **state) {
  (void)state;
  int64_t rows, sum;
  put_parquet("1.parquet", "l", 0, 1000);
  put_parquet("2.parquet", "l", 1000, 1000);
  open_session(NULL, NULL);
  const char *const columns[] = {"a"};
  tenon_value low = {.type = TENON_VALUE_INT, .i = 990};
  tenon_filter filters[] = {{.column = "a", .op = TENON_GE, .values = &low, .value_count = 1}, {.column = "b", .op = TENON_IS_NULL}};
  tenon_read read = read_of("*.parquet");
  read.columns = columns;
  read.column_count = 1;
  read.filters = filters;
  read.filter_count = 2;
  if (read_all(&read, &rows, &sum)) fail_msg("%s", err.message);
  assert_int_equal(rows, 202);
  read.limit = 5;
  if (read_all(&read, &rows, &sum)) fail_msg("%s", err.message);
  assert_int_equal(rows, 5);
  assert_int_equal(sum, 990 + 995 + 1000 + 1005 + 1010);
  read.filter_count = 0;
  read.limit = 1001;
  if (read_all(&read, &rows, &sum)) fail_msg("%s", err.message);
  assert_int_equal(rows, 1001);
  assert_int_equal(sum, 1000 * 1001 / 2);
  read.limit = 0;
  if (read_all(&read, &rows, &sum)) fail_msg("%s", err.message);
  assert_int_equal(rows, 0);
}

/* The first rows in order are not the first rows: whoever does not order must not cut. */
static void cuts_nothing_before_it_is_in_order(void **state) {
  (void)state;
  put_parquet("1.parquet", "l", 0, 100);
  put_parquet("2.parquet", "l", 100, 100);
  put("1.csv", "a,b\n1,x\n2,y\n");
  open_session(NULL, NULL);
  static const char *const tables[] = {"1.parquet", "*.parquet", "1.csv"};
  static const int64_t rows[] = {100, 200, 2};
  for (size_t i = 0; i < 3; i++) {
    tenon_read read = read_of(tables[i]);
    tenon_order order = {.column = "a", .descending = 1};
    tenon_rows got = {.struct_size = sizeof got};
    read.order = &order;
    read.order_count = 1;
    read.limit = 1;
    if (kind->tables->read(ctx, session, &read, &got, &err)) fail_msg("%s", err.message);
    assert_false(got.applied & (TENON_APPLIED_LIMIT | TENON_APPLIED_ORDER));
    int64_t count = 0;
    for (;;) {
      struct ArrowArray batch = {0};
      if (got.stream.next(got.stream.self, &batch, &err)) fail_msg("%s", err.message);
      if (!batch.release) break;
      count += batch.length;
      batch.release(&batch);
    }
    assert_int_equal(count, rows[i]);
    got.stream.close(got.stream.self);
    tn_schema_release(&got.stream.schema);
  }
}

static void describes_and_lists(void **state) {
  (void)state;
  tenon_table table = {.struct_size = sizeof table};
  put_parquet("1.parquet", "l", 0, 10);
  put("d/2.csv", "x,y\n1,a\n");
  put("other.bin", "x");
  open_session(NULL, NULL);
  tenon_read read = read_of("1.parquet");
  if (kind->tables->describe(ctx, session, &read, &table, &err)) fail_msg("%s", err.message);
  assert_int_equal(table.column_count, 2);
  assert_string_equal(table.columns[0].name, "a");
  assert_string_equal(table.columns[0].type, "int64");
  assert_string_equal(table.columns[1].type, "text");
  assert_string_equal(table.kind, "parquet");
  assert_true(table.bytes_estimate > 0);
  table.release(&table);
  tenon_tables_list all = {.struct_size = sizeof all};
  tenon_stream list;
  if (kind->tables->list(ctx, session, &all, &list, &err)) fail_msg("%s", err.message);
  char names[256] = "";
  for (;;) {
    struct ArrowArray batch = {0};
    if (list.next(list.self, &batch, &err)) fail_msg("%s", err.message);
    if (!batch.release) break;
    const int32_t *ends = batch.children[2]->buffers[1];
    for (int64_t i = 0; i < batch.length; i++) {
      strncat(names, (const char *)batch.children[2]->buffers[2] + ends[i], (size_t)(ends[i + 1] - ends[i]));
      strcat(names, " ");
    }
    batch.release(&batch);
  }
  assert_string_equal(names, "1.parquet d/2.csv ");
  list.close(list.self);
  tn_schema_release(&list.schema);
}

static void takes_options_from_parameters(void **state) {
  (void)state;
  put("t", "a;b\n1;x\n");
  open_session("format", "csv");
  assert_rows("t", 1, 1);
  close_session();
  open_session("delimiter", "x");
  assert_refused("t", TENON_CONFIG, "format=");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(matches_patterns),
      TEST(reads_files_by_every_name),
      TEST(says_what_is_not_there),
      TEST(refuses_what_is_not_one_table),
      TEST(finds_types_in_all_files),
      TEST(hands_filters_columns_and_limit_through),
      TEST(cuts_nothing_before_it_is_in_order),
      TEST(describes_and_lists),
      TEST(takes_options_from_parameters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
