/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds that the conformance suite is run on, each with its fixture. The memory kind is there
 * three times: as one that leaves all the work of a read to the core, a part of it, and none.
 * PostgreSQL is there where $TENON_PG_URL names a server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "adapters/objects_tables.h"
#include "arrow/build.h"
#include "base/error.h"
#include "contract/contract.h"
#include "contract/memory.h"
#include "contract/memory_store.h"
#include "contract/rest_server.h"
#include "contract/smtp_fixture.h"
#include "core/connectors.h"
#include "core/registry.h"
#include "providers/list.h"

enum { ROWS = 240 };

#define TN_PROVIDER(kind) extern const tenon_provider tn_provider_##kind;
TN_PROVIDERS
#undef TN_PROVIDER

static tn_registry *registry;

static const tenon_provider *registered(const tenon_provider *p) {
  const tenon_provider *found = NULL, *adapted = NULL;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_adapter_tables(p, &adapted, &err) || tn_registry_add(registry, adapted, &err) ||
      tn_registry_find(registry, p->kind, &found, &err)) {
    fprintf(stderr, "%s\n", err.message);
    abort();
  }
  return found;
}

static void set(tn_settings *s, const char *key, const char *value) {
  if (tn_settings_set(s, key, value, NULL)) abort();
}

/* ---- memory: every type that filters and orders know ---- */

static const struct { const char *name, *format; } memory_columns[] = {
    {"id", "l"},      {"i8", "c"},     {"u16", "S"},      {"u64", "L"},     {"f32", "f"},    {"f64",
            "g"},   {"dec", "d:12,3"},
    {"wide", "d:60,2,256"}, {"txt", "u"}, {"bin", "z"},   {"fix", "w:4"},   {"flag", "b"},   {"day",
            "tdD"}, {"clock", "ttm"},
    {"at", "tsu:UTC"}, {"local", "tsn:"}, {"seconds", "tss:"}, {"tags", "+l"}};
enum { MEMORY_COLUMNS = sizeof memory_columns / sizeof memory_columns[0] };

static bool add_value(tn_column *c, int column, int r) {
  static const double odd[] = {-0.0, 0.0, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0};
  int64_t n = (int64_t)r * 7919 % 101 - 50, wide[4] = {n * 31, n < 0 ? -1 : 0, n < 0 ? -1 : 0,
                                                       n < 0 ? -1 : 0};
  double d = r % 9 < 5 ? odd[r % 9] : (double)n / 3;
  float f = (float)d;
  char text[40];
  snprintf(text, sizeof text, "%s%lld", (const char *[]){"", "a", "ab", "\xC3\xA9",
                                                         "Zebra "}[r % 5], (long long)(r % 13));
  switch (column) {
    case 0: n = ROWS - r; return tn_append_i64(c, n);
    case 4: return tn_append_fixed(c, &f);
    case 5: return tn_append_f64(c, d);
    case 8: case 9: return tn_append_text(c, r % 6 ? text : "");
    case 10: return tn_append_fixed(c, text);
    case 11: return tn_append_bool(c, n & 1);
    case 14: n *= INT64_C(86400000123); break;
    case 15: n *= INT64_C(1000000000001); break;
    case 17:
      for (int k = 0; k < r % 3; k++)
        if (!tn_append_i64(&c->children[0], k)) return false;
      return tn_append_list(c);
    default: break;
  }
  if (column == 2 || column == 3)
    n = n < 0 ? (int64_t)((uint64_t)-n * UINT64_C(250000000000000000)) : n;
  if (column == 2) n &= 0xFFFF;
  if (column == 6) wide[0] = n * 125;
  if (column == 6 || column == 7) return tn_append_fixed(c, wide);
  return tn_append_fixed(c, &n);
}

static void fill_memory(const char *name) {
  memory_store *store = memory_store_open(name);
  memory_table *t = memory_table_new("items");
  tn_builder *b;
  struct ArrowArray batch;
  t->key = strdup("id");
  if (tn_schema_struct(&t->rows.schema, MEMORY_COLUMNS, NULL)) abort();
  for (int i = 0; i < MEMORY_COLUMNS; i++)
    if (tn_schema_set(t->rows.schema.children[i], memory_columns[i].name, memory_columns[i].format,
                      i > 0, 0, NULL)) abort();
  if (tn_schema_set(t->rows.schema.children[17]->children[0], "item", "l", true, 0, NULL)) abort();
  if (tn_builder_new(&t->rows.schema, &b, NULL)) abort();
  for (int r = 0; r < ROWS; r++)
    for (int i = 0; i < MEMORY_COLUMNS; i++) {
      bool is_null = i > 0 && (r * 13 + i * 5) % 11 == 0;
      if (!(is_null ? tn_append_null(tn_builder_column(b, i))
            : add_value(tn_builder_column(b, i), i, r))) abort();
    }
  if (tn_builder_finish(b, ROWS, &batch, NULL)) abort();
  tn_builder_free(b);
  t->rows.batches = malloc(sizeof batch);
  t->rows.batches[0] = batch;
  t->rows.batch_count = 1;
  t->rows.rows = calloc(ROWS, sizeof *t->rows.rows);
  for (int64_t i = 0; i < ROWS; i++) t->rows.rows[i].row = i;
  t->rows.row_count = ROWS;
  memory_lock(store);
  memory_table_put(store, t);
  memory_unlock(store);
}

static bool setup_memory(tn_settings *s, const char *pushdown) {
  fill_memory(pushdown);
  set(s, "store", pushdown);
  set(s, "pushdown", pushdown);
  set(s, "password", "canary-memory");
  return true;
}

static bool setup_memory_none(tn_settings *s) { return setup_memory(s, "none"); }
static bool setup_memory_some(tn_settings *s) { return setup_memory(s, "some"); }
static bool setup_memory_all(tn_settings *s) { return setup_memory(s, "all"); }

static const char *const all_operations[] = {
    "tables.list", "tables.describe", "tables.plan", "tables.read", "tables.write", "tables.execute", "objects.list", "objects.stat",
    "objects.get", "objects.put",     "objects.copy", "objects.remove", "objects.presign",
    "actions.list", "actions.call", NULL};

#define MEMORY(how, orders)                                                                                                            \
  {.name = "memory-" #how, .setup = setup_memory_##how, .teardown = memory_drop, .operations = all_operations,                          \
   .broken = (const char *const[]){"password", "wrong-canary", NULL}, .secret = "canary", .broken_code = TENON_UNAUTHENTICATED,         \
   .table = {.table = "items"}, .key_column = "id", .row_count = ROWS, .query = "all of items", .can_order = orders,                    \
   .statement = "drop contract_written", .action = "greet", .action_input = "{\"name\": \"Ada\"}", .action_member = "/greeting",        \
   .action_bad_input = "{\"name\": 7}", .action_bad_place = "/name"}

/* ---- A folder of temporary things ---- */

static char folder[64];

static void make_folder(void) {
  snprintf(folder, sizeof folder, "/tmp/tenon-contract-XXXXXX");
  if (!mkdtemp(folder)) abort();
}

static void drop_folder(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  if (system(command)) abort();
}

static const char *in_folder(const char *name) {
  static char path[200];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

/* ---- sqlite ---- */

static bool setup_sqlite(tn_settings *s) {
  sqlite3 *db;
  make_folder();
  const char *path = in_folder("shop.db");
  if (sqlite3_open(path, &db)) abort();
  static const char *const make =
      "create table items (id integer primary key, n integer, price numeric(12,3), ratio real, name text, day date, at timestamp, "
      "flag boolean, data blob);"
      "with recursive r(i) as (select 1 union all select i + 1 from r where i < 240) insert into items select 241 - i, "
      "case when i % 11 = 0 then null else i * 7919 % 101 - 50 end, case when i % 7 = 0 then null else (i * 7919 % 101 - 50) * 125 / 1000.0 end, "
      "case when i % 5 = 0 then null when i % 9 = 1 then -0.0 else (i * 7919 % 101 - 50) / 3.0 end, "
      "case when i % 6 = 0 then null when i % 6 = 1 then '' else substr('aäZ😀 b', 1 + i % 4) || (i % 13) end, "
      "case when i % 8 = 0 then null else date('2024-01-01', (i * 37 % 500) || ' days') end, "
      "case when i % 9 = 0 then null else strftime('%Y-%m-%d %H:%M:%S', '2024-01-01', (i * 7919 % 5000) || ' minutes') end, "
      "case when i % 10 = 0 then null else i % 2 end, "
      "case when i % 12 = 0 then null else cast(char(i % 90 + 33) || 'x' as blob) end from r;";
  if (sqlite3_exec(db, make, NULL, NULL, NULL)) {
    fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    abort();
  }
  sqlite3_close(db);
  set(s, "path", path);
  return true;
}

static const char *const sqlite_operations[] = {"tables.list", "tables.describe", "tables.read",
                                                NULL};

/* ---- files: objects in a folder, and tables by the adapter ---- */

static bool setup_files(tn_settings *s) {
  make_folder();
  FILE *f = fopen(in_folder("items.csv"), "w");
  if (!f) abort();
  fprintf(f, "id,n,ratio,name,day,flag\n");
  for (int i = 1; i <= ROWS; i++) {
    int n = i * 7919 % 101 - 50;
    fprintf(f, "%d,", ROWS + 1 - i);
    if (i % 11) fprintf(f, "%d", n);
    if (i % 5) fprintf(f, ",%.3f", n / 4.0);
    else fprintf(f, ",");
    fprintf(f, ",\"%s%d\"", (const char *[]){"a", "b,c", "\"\"", "\xC3\xA9"}[i % 4], i % 13);
    if (i % 8) fprintf(f, ",2024-%02d-%02d", i % 12 + 1, i % 28 + 1);
    else fprintf(f, ",");
    fprintf(f, ",%s\n", i % 3 ? "true" : "false");
  }
  fclose(f);
  set(s, "root", folder);
  return true;
}

static const char *const files_operations[] = {"tables.list", "tables.describe", "tables.read",
                                               "objects.list", "objects.stat",
                                               "objects.get", "objects.put", "objects.copy", "objects.remove", NULL};

/* ---- http: the same files behind a web server ---- */

static pid_t web_server;

static int free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&a, sizeof a) || getsockname(fd, (struct sockaddr *)&a, &size)) abort();
  close(fd);
  return ntohs(a.sin_port);
}

static bool answers(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                          .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
  close(fd);
  return ok;
}

static bool setup_http(tn_settings *s) {
  tn_settings unused;
  char port[8], url[64];
  tn_settings_init(&unused);
  bool made = setup_files(&unused);
  tn_settings_release(&unused);
  snprintf(port, sizeof port, "%d", free_port());
  web_server = fork();
  if (web_server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) abort();
    execlp("python3", "python3", "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", folder, NULL);
    _exit(127);
  }
  for (int i = 0; i < 1000 && !answers(atoi(port)); i++) usleep(10000);
  snprintf(url, sizeof url, "http://127.0.0.1:%s/", port);
  set(s, "url", url);
  return made;
}

static void drop_http(void) {
  kill(web_server, SIGKILL);
  waitpid(web_server, NULL, 0);
  drop_folder();
}

/* A new file in place of the old one, as a person would put it there. */
static void place_file(const char *key, const void *data, size_t size) {
  char path[300], temporary[300];
  snprintf(path, sizeof path, "%s", in_folder(key));
  if (!data) {
    unlink(path);
    return;
  }
  for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(path, 0755) && errno != EEXIST) abort();
    *slash = '/';
  }
  snprintf(temporary, sizeof temporary, "%s", in_folder(".new"));
  FILE *f = fopen(temporary, "wb");
  if (!f || fwrite(data, 1, size, f) != size || fclose(f) || rename(temporary, path)) abort();
}

static const char *const http_operations[] = {"tables.list", "tables.describe", "tables.read",
                                              "objects.list", "objects.stat", "objects.get", NULL};

/* ---- faiss: vectors in a folder ---- */

static bool setup_faiss(tn_settings *s) {
  make_folder();
  set(s, "path", folder);
  return true;
}

static const char *const faiss_operations[] = {"vectors.create", "vectors.list", "vectors.drop",
                                               "vectors.upsert", "vectors.get", "vectors.query",
                                               "vectors.remove", "vectors.count", NULL};

/* ---- rest_api: pages and an action of an API on a thread ---- */

static bool setup_rest(tn_settings *s) {
  static char url[64];
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", rest_server_start());
  set(s, "base_url", url);
  set(s, "auth", "bearer");
  set(s, "token", "canary-rest");
  set(s, "endpoints",
      "{\"items\":{\"path\":\"/items\",\"query\":{\"page\":\"{{page}}\"},\"records\":\"items\",\"pagination\":{\"style\":\"page\"},"
      "\"columns\":{\"id\":\"int64\",\"n\":\"int32\",\"ratio\":\"float64\",\"price\":\"decimal(12,3)\",\"name\":\"text\",\"day\":\"date\","
      "\"flag\":\"bool\",\"at\":\"timestamptz\",\"tags\":\"json\"}},"
      "\"greet\":{\"path\":\"/greet\",\"query\":{\"name\":\"{{name}}\"},\"input\":{\"name\":{\"type\":\"string\",\"minLength\":1}}}}");
  return true;
}

static const char *const rest_operations[] = {"tables.list", "tables.describe", "tables.read", "actions.list", "actions.call", NULL};

/* ---- postgresql ---- */

static bool run_psql(const char *url, const char *sql) {
  char command[4000];
  snprintf(command, sizeof command,
           "/usr/lib/postgresql/15/bin/psql -q -X -v ON_ERROR_STOP=1 -d '%s' -c \"%s\"", url, sql);
  return system(command) == 0;
}

static const char *const make_postgresql =
    "drop table if exists contract_items; create table contract_items (id int primary key, small int2, big int8, price numeric(12,3), "
    "wide numeric(50,2), ratio float8, single float4, name text, code char(6), day date, clock time, at timestamptz, local timestamp, "
    "flag boolean, data bytea, uid uuid, tags int[]); insert into contract_items select 241 - i, "
    "case when i % 11 = 0 then null else i * 7919 % 101 - 50 end, (i * 7919 % 101 - 50) * 100000000000::int8, "
    "case when i % 7 = 0 then null else (i * 7919 % 101 - 50) * 0.125 end, (i * 7919 % 101 - 50) * 1e40::numeric, "
    "case when i % 9 = 0 then null when i % 9 = 1 then 'NaN' when i % 9 = 2 then 'Infinity' when i % 9 = 3 then -0.0 else (i * 7919 % 101 - 50) / 3.0 end, "
    "(i * 7919 % 101 - 50) / 3.0, case when i % 6 = 0 then null when i % 6 = 1 then '' else substr(U&'a\\00E4Z b', 1 + i % 4) || (i % 13) end, "
    "'c' || (i % 20), case when i % 8 = 0 then null else date '2024-01-01' + i * 37 % 500 end, time '00:00' + (i * 7919 % 86400) * interval '1 second', "
    "case when i % 9 = 0 then null else timestamptz '2024-01-01 00:00:00Z' + (i * 7919 % 5000) * interval '1.000001 minutes' end, "
    "timestamp '1999-12-31' + i * interval '1 hour', case when i % 10 = 0 then null else i % 2 = 0 end, "
    "case when i % 12 = 0 then null else decode(lpad(to_hex(i), 4, '0'), 'hex') end, md5(i::text)::uuid, array[i, i % 3] from generate_series(1, 240) i; "
    "analyze contract_items;";

static bool setup_postgresql(tn_settings *s) {
  const char *url = getenv("TENON_PG_URL");
  const tenon_provider *p;
  if (!url || !run_psql(url, make_postgresql)) return false;
  tn_settings_release(s);
  return tn_url_settings(registry, url, &p, s, NULL) == TENON_OK;
}

static void drop_postgresql(void) { run_psql(getenv("TENON_PG_URL"), "drop table contract_items"); }

static const char *const postgresql_operations[] = {"tables.list", "tables.describe", "tables.read",
                                                    NULL};

/* ---- s3: objects in a bucket, and tables by the adapter ---- */

static void set_keys(tn_settings *s) {
  set(s, "bucket", getenv("TENON_S3_BUCKET"));
  set(s, "region", "us-east-1");
  set(s, "endpoint", getenv("TENON_S3_ENDPOINT"));
  set(s, "access_key_id", getenv("TENON_S3_ACCESS_KEY_ID"));
  set(s, "secret_access_key", getenv("TENON_S3_SECRET_ACCESS_KEY"));
}

static bool by_curl(const char *arguments) {
  char command[1000];
  snprintf(command, sizeof command,
           "curl -sS -f --aws-sigv4 aws:amz:us-east-1:s3 --user %s:%s -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "
           "%s %s/%s/items.csv",
           getenv("TENON_S3_ACCESS_KEY_ID"), getenv("TENON_S3_SECRET_ACCESS_KEY"), arguments,
           getenv("TENON_S3_ENDPOINT"), getenv("TENON_S3_BUCKET"));
  return system(command) == 0;
}

static bool setup_s3(tn_settings *s) {
  char upload[300];
  tn_settings unused;
  if (!getenv("TENON_S3_ENDPOINT")) return false;
  tn_settings_init(&unused);
  bool made = setup_files(&unused);
  tn_settings_release(&unused);
  snprintf(upload, sizeof upload, "-T %s", in_folder("items.csv"));
  if (!made || !by_curl(upload)) return false;
  set_keys(s);
  return true;
}

static void drop_s3(void) {
  by_curl("-X DELETE");
  drop_folder();
}

static const char *const s3_operations[] = {"tables.list", "tables.describe", "tables.read", "objects.list",
                                            "objects.stat", "objects.get", "objects.put", "objects.copy",
                                            "objects.remove", "objects.presign", NULL};

/* ---- models: on a service that answers as its cases say ---- */

static pid_t models_server;
static char models_url[64];

static void stop_models(void) {
  if (models_server > 0) kill(models_server, SIGTERM), waitpid(models_server, NULL, 0);
  models_server = 0;
}

static bool start_models(void) {
  int ends[2];
  char line[128] = "";
  if (pipe(ends)) abort();
  models_server = fork();
  if (models_server == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execlp("python3", "python3", "tests/servers/llm/server.py", (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  FILE *said = fdopen(ends[0], "r");
  bool ready = said && fgets(line, sizeof line, said) && sscanf(line, "ready %63s", models_url) == 1;
  if (said) fclose(said);
  if (!ready) stop_models();
  return ready;
}

static bool setup_models(tn_settings *s, const char *key, const char *path, const char *model) {
  char url[80];
  if (!start_models()) return false;
  snprintf(url, sizeof url, "%s%s", models_url, path);
  set(s, key, url);
  set(s, "api_key", "sk-good");
  set(s, "model", model);
  return true;
}

static bool setup_ollama(tn_settings *s) { return setup_models(s, "url", "", "ollama-text"); }
static bool setup_openai(tn_settings *s) { return setup_models(s, "base_url", "/v1", "openai-text"); }
static bool setup_anthropic(tn_settings *s) { return setup_models(s, "base_url", "", "anthropic-text"); }

static const char *const models_operations[] = {"models.list", "models.chat", "models.embed", NULL};
static const char *const chat_operations[] = {"models.list", "models.chat", NULL};

#define MODELS(kind, ops)                                                                          \
  {.name = #kind, .provider = &tn_provider_##kind, .setup = setup_##kind, .teardown = stop_models, \
   .operations = ops, .broken = (const char *const[]){"api_key", "canary-wrong", NULL},            \
   .secret = "canary", .broken_code = TENON_UNAUTHENTICATED, .opens_lazily = true,                 \
   .chat_model = #kind "-text", .endless_model = #kind "-hang", .embedding_model = "embedder"}

/* ---- smtp: a mail server in this process ---- */

static bool setup_smtp(tn_settings *s) {
  char port[16];
  snprintf(port, sizeof port, "%d", smtp_fixture_start());
  set(s, "host", "127.0.0.1");
  set(s, "port", port);
  set(s, "username", "mailer");
  set(s, "password", "canary-good");
  return true;
}

static const char *const smtp_operations[] = {"mail.send", NULL};

int main(void) {
  if (tn_registry_new(&registry, NULL)) abort();
  contract_kind kinds[] = {
      MEMORY(none, false),
      MEMORY(some, true),
      MEMORY(all, true),
      {.name = "sqlite", .provider = &tn_provider_sqlite, .setup = setup_sqlite,
       .teardown = drop_folder, .operations = sqlite_operations,
       .broken = (const char *const[]){"path", "/nowhere/at/all.db", NULL}, .broken_code =
           TENON_NOT_FOUND,
       .table = {.table = "items"}, .key_column = "id", .row_count = ROWS, .query =
           "select * from items", .can_order = true},
      {.name = "files", .provider = &tn_provider_files, .setup = setup_files,
       .teardown = drop_folder, .operations = files_operations,
       .broken = (const char *const[]){"root", "/nowhere/at/all", NULL}, .broken_code =
           TENON_NOT_FOUND,
       .table = {.table = "items.csv"}, .key_column = "id", .row_count = ROWS},
      {.name = "s3", .provider = &tn_provider_s3, .setup = setup_s3, .teardown = drop_s3,
       .operations = s3_operations,
       .broken = (const char *const[]){"secret_access_key", "canary-wrong", NULL}, .secret = "canary",
       .broken_code = TENON_UNAUTHENTICATED, .table = {.table = "items.csv"}, .key_column = "id",
       .row_count = ROWS, .opens_lazily = true, .lists_unsorted = getenv("TENON_S3_UNSORTED") != NULL},
      {.name = "http", .provider = &tn_provider_http, .setup = setup_http, .teardown = drop_http,
       .operations = http_operations, .place = place_file,
       .broken = (const char *const[]){"url", "http://127.0.0.1:1/", "auth", "bearer", "token",
                                       "canary-http", NULL}, .secret = "canary",
       .broken_code = TENON_UNREACHABLE, .table = {.table = "items.csv"}, .key_column = "id",
       .row_count = ROWS, .opens_lazily = true},
      {.name = "faiss", .provider = &tn_provider_faiss, .setup = setup_faiss,
       .teardown = drop_folder, .operations = faiss_operations,
       .broken = (const char *const[]){"path", "/nowhere/at/all", NULL}, .broken_code =
           TENON_NOT_FOUND},
      MODELS(ollama, models_operations),
      MODELS(openai, models_operations),
      MODELS(anthropic, chat_operations),
      {.name = "smtp", .provider = &tn_provider_smtp, .setup = setup_smtp, .teardown = smtp_fixture_stop,
       .operations = smtp_operations, .broken = (const char *const[]){"password", "canary-wrong", NULL},
       .secret = "canary", .broken_code = TENON_UNAUTHENTICATED, .mail_accepted = "ada@example.com",
       .mail_refused = "refused@example.com", .mail_deferred = "deferred@example.com"},
      {.name = "rest_api", .provider = &tn_provider_rest_api, .setup = setup_rest, .teardown = rest_server_stop,
       .operations = rest_operations,
       .broken = (const char *const[]){"token", "canary-wrong", NULL}, .secret = "canary",
       .broken_code = TENON_UNAUTHENTICATED, .opens_lazily = true,
       .table = {.table = "items"}, .key_column = "id", .row_count = REST_ROWS,
       .action = "greet", .action_input = "{\"name\": \"Ada\"}", .action_member = "/greeting",
       .action_bad_input = "{\"name\": \"\"}", .action_bad_place = "/name"},
      {.name = "postgresql", .provider = &tn_provider_postgresql, .setup = setup_postgresql,
       .teardown = drop_postgresql,
       .operations = postgresql_operations, .broken = (const char *const[]){"password",
               "canary-wrong", NULL}, .secret = "canary",
       .broken_code = TENON_UNAUTHENTICATED, .table = {.table = "contract_items"}, .key_column =
           "id", .row_count = ROWS,
       .query = "select * from contract_items", .can_order = true},
  };
  const tenon_provider *memory = registered(&memory_kind);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    kinds[i].provider = kinds[i].provider ? registered(kinds[i].provider) : memory;
  const char *only = getenv("CONTRACT_KIND");
  int failed = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (!only || strcmp(only, kinds[i].name) == 0) failed += contract_run(&kinds[i], 1);
  tn_registry_free(registry);
  return failed;
}
