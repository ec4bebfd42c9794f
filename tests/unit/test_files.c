/* SPDX-License-Identifier: Apache-2.0 */
/* The kind files: keys, whole objects, one version, links, races, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "core/params.h"
#include "core/registry.h"
#include "core/test_steps.h"
#include "unit/show_rows.h"

extern const tenon_provider tn_provider_files;
static const tenon_provider *const kind = &tn_provider_files;

static char folder[64]; /* of the test at hand; its root is FOLDER/root */
static tenon_ctx *ctx;
static tn_config *config;
static void *session;
static tenon_error err;

static const char *at(const char *name) {
  static char path[8][512];
  static int turn;
  turn = (turn + 1) % 8;
  snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
  return path[turn];
}

static tn_config *config_of(const char *root) {
  tn_settings settings;
  tn_config *c;
  tn_settings_init(&settings);
  assert_int_equal(tn_settings_set(&settings, "root", root, NULL), TENON_OK);
  if (tn_config_new(kind, &settings, &c, &err)) fail_msg("%s", err.message);
  tn_settings_release(&settings);
  return c;
}

static void open_root(const char *root) {
  tn_error_init(&err);
  config = config_of(root);
  assert_int_equal(tenon_ctx_new(NULL, 60000, &ctx, NULL), TENON_OK);
  if (kind->open(ctx, kind, config->data, &session, &err)) fail_msg("%s", err.message);
}

static void close_root(void) {
  kind->close(session);
  tn_config_free(config);
  tenon_ctx_free(ctx);
}

static int begin(void **state) {
  (void)state;
  /* in memory where that is possible: each put waits for the disk otherwise */
  snprintf(folder, sizeof folder, "%s/tenon-files-XXXXXX",
           access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  if (!mkdtemp(folder)) return -1;
  chmod(folder, 0755);
  mkdir(at("root"), 0777);
  open_root(at("root"));
  return 0;
}

static int end(void **state) {
  (void)state;
  char command[128];
  close_root();
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

static tenon_key_bytes key_of(const char *text) { return (tenon_key_bytes){text, strlen(text)}; }

/* ---- Bodies from memory ---- */

typedef struct source {
  const char *data;
  size_t size, at, step;
  size_t fail_at;     /* the read behind so many bytes fails; SIZE_MAX: none does */
  bool cancel;        /* cancels the context instead of failing */
  int closed;
} source;

static tenon_status read_source(void *self, void *data, size_t size, size_t *ret_size,
                                tenon_error *e) {
  source *s = self;
  size_t n = s->size - s->at;
  if (s->at >= s->fail_at) {
    if (!s->cancel) return tenon_fail(e, TENON_IO, TENON_STAGE_DATA, NULL, "the source broke");
    tenon_ctx_cancel(ctx);
  }
  if (n > s->step) n = s->step;
  if (n > size) n = size;
  memcpy(data, s->data + s->at, n);
  s->at += n;
  *ret_size = n;
  return TENON_OK;
}

static void close_source(void *self) { ((source *)self)->closed++; }

static source source_of(const char *data, size_t size) {
  return (source){.data = data, .size = size, .step = 1000, .fail_at = SIZE_MAX};
}

static tenon_bytes body_of(source *s, int64_t length) {
  return (tenon_bytes){.struct_size = sizeof(tenon_bytes),
                       .fd = -1,
                       .length = length,
                       .self = s,
                       .read = read_source,
                       .close = close_source};
}

/* ---- Short forms of the operations ---- */

static tenon_status put_when(const char *key, const char *text, bool if_absent,
                             const char *if_match, tenon_object *ret) {
  source s = source_of(text, strlen(text));
  tenon_bytes body = body_of(&s, -1);
  tenon_object o;
  tenon_put req = {.struct_size = sizeof req,
                   .key = key_of(key),
                   .body = &body,
                   .if_absent = if_absent,
                   .if_match = if_match};
  tn_error_init(&err);
  tenon_status status = kind->objects->put(ctx, session, &req, ret ? ret : &o, &err);
  assert_int_equal(s.closed, 1);
  assert_int_equal(err.code, status);
  return status;
}

static void put(const char *key, const char *text) {
  if (put_when(key, text, false, NULL, NULL)) fail_msg("%s: %s", key, err.message);
}

static tenon_status get_part(const char *key, int64_t offset, int64_t length, const char *if_match,
                             char *to, size_t room) {
  tenon_get req = {.struct_size = sizeof req,
                   .key = key_of(key),
                   .offset = offset,
                   .length = length,
                   .if_match = if_match};
  tenon_got got;
  tn_error_init(&err);
  to[0] = 0;
  tenon_status status = kind->objects->get(ctx, session, &req, &got, &err);
  if (status) return status;
  size_t size = 0, n = 1;
  while (n && !(status = got.body.read(got.body.self, to + size,
                                       size + 7 < room ? 7 : room - size - 1, &n, &err)))
    size += n;
  to[size] = 0;
  if (!status) assert_int_equal(size, got.body.length);
  got.body.close(got.body.self);
  return status;
}

static void has(const char *key, const char *text) {
  static char got[1 << 16];
  if (get_part(key, 0, -1, NULL, got, sizeof got)) fail_msg("%s: %s", key, err.message);
  assert_string_equal(got, text);
}

static tenon_status stat_of(const char *key, tenon_object *ret) {
  tenon_key_bytes k = key_of(key);
  tn_error_init(&err);
  return kind->objects->stat(ctx, session, &k, ret, &err);
}

/* The listing as lines "key kind"; sizes are compared apart. */
static char listing[4 << 20];

static tenon_status list_keys(const char *prefix, const char *start_after, char delimiter) {
  tenon_objects_list req = {.struct_size = sizeof req,
                            .prefix = key_of(prefix),
                            .start_after = key_of(start_after),
                            .delimiter = delimiter};
  tenon_stream stream;
  struct ArrowArray a;
  size_t size = 0;
  tn_error_init(&err);
  listing[0] = 0;
  tenon_status status = kind->objects->list(ctx, session, &req, &stream, &err);
  if (status) return status;
  while (!(status = stream.next(stream.self, &a, &err)) && a.release) {
    const int32_t *ends = a.children[0]->buffers[1];
    const char *keys = a.children[0]->buffers[2];
    const int32_t *kind_ends = a.children[1]->buffers[1];
    const char *kinds = a.children[1]->buffers[2];
    for (int64_t i = 0; i < a.length; i++)
      size +=
          (size_t)snprintf(listing + size, sizeof listing - size, "%.*s%s\n", ends[i + 1] - ends[i],
                           keys + ends[i], kinds[kind_ends[i]] == 'o' ? "" : " >");
    a.release(&a);
  }
  stream.schema.release(&stream.schema);
  stream.close(stream.self);
  return status;
}

static void lists(const char *prefix, const char *start_after, char delimiter,
                  const char *expected) {
  if (list_keys(prefix, start_after, delimiter)) fail_msg("%s", err.message);
  assert_string_equal(listing, expected);
}

static size_t remove_keys(size_t n, const char *const *keys) {
  tenon_key_bytes bytes[16];
  for (size_t i = 0; i < n; i++) bytes[i] = key_of(keys[i]);
  tenon_delete req = {.struct_size = sizeof req, .keys = bytes, .key_count = n};
  tenon_deleted ret = {.count = 99};
  tn_error_init(&err);
  return kind->objects->remove(ctx, session, &req, &ret, &err) ? SIZE_MAX : ret.count;
}

static tenon_status copy(const char *from, const char *to, bool if_absent) {
  tenon_objects_copy req = {.struct_size = sizeof req,
                            .from = key_of(from),
                            .to = key_of(to),
                            .if_absent = if_absent};
  tenon_object o;
  tn_error_init(&err);
  return kind->objects->copy(ctx, session, &req, &o, &err);
}

static int names_in(const char *path) {
  int n = 0;
  DIR *d = opendir(path);
  for (struct dirent *e; (e = readdir(d));)
    n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  closedir(d);
  return n;
}

static void write_file(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

/* ---- Keys ---- */

static void keys_that_are_none(void **state) {
  (void)state;
  static char long_name[258], long_key[4200];
  memset(long_name, 'x', 256);
  memset(long_key, 'x', sizeof long_key - 1);
  for (size_t i = 100; i < sizeof long_key - 1; i += 100) long_key[i] = '/';
  const struct { const char *key, *why;
  } cases[] = {{"", "is empty"},
               {"/", "empty part"},
               {"/a", "empty part"},
               {"a/", "empty part"},
               {"a//b", "empty part"},
               {".", "\".\""},
               {"..", "\"..\""},
               {"../a", "\"..\""},
               {"a/../b", "\"..\""},
               {"a/..", "\"..\""},
               {"./a", "\".\""},
               {"a/./b", "\".\""},
               {long_name, "255 bytes"},
               {long_key, "4095 bytes"},
               {".tenon-1-0.part", "while they are written"}};
  tenon_object o;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(put_when(cases[i].key, "x", false, NULL, NULL), TENON_CONFIG);
    if (!strstr(err.message, cases[i].why)) fail_msg("%s: %s", cases[i].key, err.message);
    assert_true(err.remedy[0]);
    assert_int_equal(stat_of(cases[i].key, &o), TENON_CONFIG);
    assert_int_equal(remove_keys(1, &cases[i].key), SIZE_MAX);
  }
  tenon_key_bytes nul = {"a\0b", 3};
  tn_error_init(&err);
  assert_int_equal(kind->objects->stat(ctx, session, &nul, &o, &err), TENON_CONFIG);
  assert_non_null(strstr(err.message, "NUL"));
}

static void keys_are_bytes(void **state) {
  (void)state;
  static char name[256];
  memset(name, 'y', 255);
  const char *keys[] = {"a",      "a b",     "a\nb", "\xff\xfe",           "h\xc3\xa9",
                        "...",    "-",       "*",    "deep/er/and/deeper", name,
                        "?x=%41", ".hidden", "~"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) put(keys[i], keys[i]);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) has(keys[i], keys[i]);
  assert_int_equal(remove_keys(13, keys), 13);
  lists("", "", 0, "");
}

/* ---- Whole objects ---- */

static void puts_and_gets(void **state) {
  (void)state;
  tenon_object a, b;
  char got[64];
  assert_int_equal(put_when("x/y", "0123456789", false, NULL, &a), TENON_OK);
  assert_int_equal(a.size, 10);
  assert_int_equal(stat_of("x/y", &b), TENON_OK);
  assert_string_equal(a.etag, b.etag);
  assert_true(b.modified_us > INT64_C(1600000000000000));
  assert_int_equal(get_part("x/y", 3, 4, NULL, got, sizeof got), TENON_OK);
  assert_string_equal(got, "3456");
  assert_int_equal(get_part("x/y", 3, 100, a.etag, got, sizeof got), TENON_OK);
  assert_string_equal(got, "3456789");
  assert_int_equal(get_part("x/y", 10, -1, NULL, got, sizeof got), TENON_OK);
  assert_string_equal(got, "");
  assert_int_equal(get_part("x/y", 11, -1, NULL, got, sizeof got), TENON_DATA);
  assert_int_equal(get_part("x/y", -1, -1, NULL, got, sizeof got), TENON_CONFIG);
  assert_int_equal(put_when("x/y", "0123456789", false, NULL, &b), TENON_OK);
  assert_string_not_equal(a.etag, b.etag);
  assert_int_equal(get_part("x/y", 0, -1, a.etag, got, sizeof got), TENON_CONFLICT);
  assert_int_equal(stat_of("x", &b), TENON_NOT_FOUND);
  assert_int_equal(stat_of("x/z", &b), TENON_NOT_FOUND);
  assert_int_equal(stat_of("x/y/z", &b), TENON_NOT_FOUND);
  assert_int_equal(put_when("x/y/z", "", false, NULL, NULL), TENON_CONFLICT);
  assert_int_equal(put_when("x", "", false, NULL, NULL), TENON_CONFIG);
  assert_non_null(strstr(err.message, "folder"));
}

static void a_whole_file_has_a_descriptor(void **state) {
  (void)state;
  put("a", "hello");
  tenon_get req = TENON_GET_INIT;
  tenon_got got;
  char data[8] = "";
  req.key = key_of("a");
  assert_int_equal(kind->objects->get(ctx, session, &req, &got, &err), TENON_OK);
  assert_true(got.body.fd >= 0);
  assert_int_equal(pread(got.body.fd, data, 5, 0), 5);
  assert_string_equal(data, "hello");
  got.body.close(got.body.self);
  req.offset = 1;
  assert_int_equal(kind->objects->get(ctx, session, &req, &got, &err), TENON_OK);
  assert_int_equal(got.body.fd, -1);
  got.body.close(got.body.self);
}

static void conditions(void **state) {
  (void)state;
  tenon_object first, second;
  assert_int_equal(put_when("k", "1", true, NULL, &first), TENON_OK);
  assert_int_equal(put_when("k", "2", true, NULL, NULL), TENON_CONFLICT);
  has("k", "1");
  assert_int_equal(put_when("k", "2", false, first.etag, &second), TENON_OK);
  assert_int_equal(put_when("k", "3", false, first.etag, NULL), TENON_CONFLICT);
  has("k", "2");
  assert_int_equal(put_when("new", "3", false, first.etag, NULL), TENON_CONFLICT);
  assert_int_equal(stat_of("new", &first), TENON_NOT_FOUND);
}

/* Whatever goes wrong with a put, the old object is there whole, and nothing else. */
static void failed_puts_leave_what_was_there(void **state) {
  (void)state;
  static char big[100000];
  memset(big, 'b', sizeof big);
  put("k", "old");
  tenon_object o;
  source s = source_of(big, sizeof big);
  tenon_bytes body = body_of(&s, -1);
  tenon_put req = {.struct_size = sizeof req, .key = key_of("k"), .body = &body};
  s.fail_at = 50000;
  assert_int_equal(kind->objects->put(ctx, session, &req, &o, &err), TENON_IO);
  assert_string_equal(err.message, "the source broke");
  s = source_of(big, sizeof big);
  body = body_of(&s, sizeof big + 1);
  tn_error_init(&err);
  assert_int_equal(kind->objects->put(ctx, session, &req, &o, &err), TENON_IO);
  assert_non_null(strstr(err.message, "100001 bytes were announced, 100000 came"));
  struct rlimit before, small = {.rlim_cur = 30000};
  getrlimit(RLIMIT_FSIZE, &before);
  small.rlim_max = before.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  s = source_of(big, sizeof big);
  body = body_of(&s, -1);
  tn_error_init(&err);
  tenon_status status = kind->objects->put(ctx, session, &req, &o, &err);
  setrlimit(RLIMIT_FSIZE, &before);
  assert_int_equal(status, TENON_LIMITED);
  assert_non_null(strstr(err.remedy, "ulimit"));
  s = source_of(big, sizeof big);
  s.fail_at = 50000;
  s.cancel = true;
  body = body_of(&s, -1);
  tn_error_init(&err);
  assert_int_equal(kind->objects->put(ctx, session, &req, &o, &err), TENON_CANCELLED);
  assert_int_equal(names_in(at("root")), 1);
  close_root();
  open_root(at("root"));
  has("k", "old");
}

static void a_full_disk(void **state) {
  (void)state;
  static char big[200000];
  if (geteuid() != 0 || mount("tmpfs", at("root"), "tmpfs", 0, "size=128k") != 0) skip();
  close_root();
  open_root(at("root"));
  memset(big, 'b', sizeof big - 1);
  put("k", "old");
  tenon_status status = put_when("k", big, false, NULL, NULL);
  char message[1600];
  snprintf(message, sizeof message, "%s / %s", err.message, err.remedy);
  put("k2", "there is room again");
  has("k", "old");
  int names = names_in(at("root"));
  close_root();
  umount(at("root"));
  open_root(at("root"));
  assert_int_equal(status, TENON_LIMITED);
  assert_non_null(strstr(message, "make room"));
  assert_int_equal(names, 2);
}

/* ---- One version ---- */

static tenon_got got_of(const char *key) {
  tenon_get req = TENON_GET_INIT;
  tenon_got got;
  req.key = key_of(key);
  tn_error_init(&err);
  if (kind->objects->get(ctx, session, &req, &got, &err)) fail_msg("%s", err.message);
  return got;
}

static tenon_status drain(tenon_got *got, size_t *ret_size) {
  char data[4096];
  size_t n = 1;
  tenon_status status = TENON_OK;
  *ret_size = 0;
  while (n && !(status = got->body.read(got->body.self, data, sizeof data, &n, &err)))
    *ret_size += n;
  got->body.close(got->body.self);
  return status;
}

static void a_file_that_changes(void **state) {
  (void)state;
  static char text[20001];
  size_t n, size;
  char data[100];
  memset(text, 'x', 20000);
  for (int change = 0; change < 4; change++) {
    put("k", text);
    tenon_got got = got_of("k");
    assert_int_equal(got.body.read(got.body.self, data, sizeof data, &n, &err), TENON_OK);
    FILE *f;
    switch (change) {
      case 0: assert_int_equal(truncate(at("root/k"), 150), 0); break;
      case 1: f = fopen(at("root/k"), "a"); fputs("more", f); fclose(f); break;
      case 2: f = fopen(at("root/k"), "r+"); fputs("other", f); fclose(f); break;
      default: put("k", "another object"); break;
    }
    tenon_status status = drain(&got, &size);
    if (change < 3) {
      assert_int_equal(status, TENON_CONFLICT);
      assert_int_equal(err.retryable, 1);
    } else { /* what was opened is still there whole */
      assert_int_equal(status, TENON_OK);
      assert_int_equal(size + n, 20000);
      has("k", "another object");
    }
  }
}

/* ---- Links and other things ---- */

static void links(void **state) {
  (void)state;
  tenon_object o;
  put("real/file", "inside");
  write_file(at("outside"), "secret");
  mkdir(at("elsewhere"), 0777);
  write_file(at("elsewhere/file"), "secret");
  assert_int_equal(symlink("real/file", at("root/link")), 0);
  assert_int_equal(symlink("../file", at("root/real/self")), 0); /* dangling */
  assert_int_equal(symlink("../link", at("root/real/up")), 0);
  assert_int_equal(symlink("../outside", at("root/escape")), 0);
  assert_int_equal(symlink(at("outside"), at("root/absolute")), 0);
  assert_int_equal(symlink("../elsewhere", at("root/away")), 0);
  assert_int_equal(symlink("real", at("root/inner")), 0);
  assert_int_equal(symlink("loop", at("root/loop")), 0);
  has("link", "inside");
  has("real/up", "inside");
  assert_int_equal(stat_of("escape", &o), TENON_FORBIDDEN);
  assert_non_null(strstr(err.message, "leads out of the root"));
  assert_int_equal(stat_of("absolute", &o), TENON_FORBIDDEN);
  assert_int_equal(stat_of("away/file", &o), TENON_NOT_FOUND);
  assert_int_equal(stat_of("inner/file", &o), TENON_NOT_FOUND);
  assert_int_equal(stat_of("loop", &o), TENON_NOT_FOUND);
  assert_int_equal(put_when("away/new", "x", false, NULL, NULL), TENON_NOT_FOUND);
  assert_int_equal(put_when("away/new/er", "x", false, NULL, NULL), TENON_NOT_FOUND);
  assert_int_equal(names_in(at("elsewhere")), 1);
  assert_int_equal(copy("escape", "stolen", false), TENON_FORBIDDEN);
  assert_int_equal(copy("real/file", "away/x", false), TENON_NOT_FOUND);
  assert_int_equal(remove_keys(1, (const char *const[]){"away/file"}), 0);
  lists("", "", 0, "link\nreal/file\nreal/up\n");
  lists("away/", "", 0, "");
  lists("inner/", "", 0, "");
  put("escape", "own"); /* takes the link's place, not what it leads to */
  has("escape", "own");
  assert_int_equal(remove_keys(2, (const char *const[]){"link", "away"}), 2);
  has("real/file", "inside");
  assert_int_equal(access(at("outside"), F_OK), 0);
  assert_int_equal(access(at("elsewhere/file"), F_OK), 0);
}

/* While a folder turns into a link to the outside and back, nothing from outside is ever seen. */
static atomic_bool swapping;

static void *swap(void *unused) {
  (void)unused;
  while (atomic_load(&swapping))
    syscall(SYS_renameat2, AT_FDCWD, at("root/d"), AT_FDCWD, at("root/e"), 2 /* exchange */);
  return NULL;
}

static void no_race_leads_outside(void **state) {
  (void)state;
  pthread_t thread;
  char got[64];
  tenon_object o;
  mkdir(at("other"), 0777);
  write_file(at("other/f"), "outside");
  put("d/f", "inside");
  assert_int_equal(symlink("../other", at("root/e")), 0);
  atomic_store(&swapping, true);
  pthread_create(&thread, NULL, swap, NULL);
  int seen = 0;
  for (int i = 0; i < 3000; i++) {
    if (get_part("d/f", 0, -1, NULL, got, sizeof got) == TENON_OK) {
      assert_string_equal(got, "inside");
      seen++;
    }
    if (i % 10 == 0) put_when("d/new", "x", false, NULL, &o);
    if (i % 100 == 0) assert_int_equal(list_keys("", "", 0), TENON_OK);
    assert_null(strstr(listing, "other"));
  }
  atomic_store(&swapping, false);
  pthread_join(thread, NULL);
  assert_true(seen > 0);
  assert_int_equal(names_in(at("other")), 1);
}

static void special_files(void **state) {
  (void)state;
  tenon_object o;
  char got[8];
  assert_int_equal(mkfifo(at("root/pipe"), 0666), 0);
  assert_int_equal(stat_of("pipe", &o), TENON_UNSUPPORTED);
  assert_int_equal(get_part("pipe", 0, -1, NULL, got, sizeof got), TENON_UNSUPPORTED);
  assert_int_equal(put_when("pipe", "x", false, NULL, NULL), TENON_CONFIG);
  assert_int_equal(remove_keys(1, (const char *const[]){"pipe"}), SIZE_MAX);
  assert_int_equal(err.code, TENON_UNSUPPORTED);
  if (mknod(at("root/null"), S_IFCHR | 0666, 0x103) == 0)
    assert_int_equal(stat_of("null", &o), TENON_UNSUPPORTED);
  lists("", "", 0, "");
}

static void permissions(void **state) {
  (void)state;
  tenon_object o;
  if (geteuid() != 0) skip();
  put("locked/a", "x");
  put("shut", "x");
  chmod(at("root/locked"), 0700);
  chmod(at("root/shut"), 0600);
  assert_int_equal(seteuid(65534), 0);
  char got[8];
  tenon_status in_locked = stat_of("locked/a", &o), listed = list_keys("", "", 0);
  tenon_status read = get_part("shut", 0, -1, NULL, got, sizeof got),
               written = put_when("new", "x", false, NULL, NULL);
  assert_true(err.remedy[0]);
  assert_int_equal(seteuid(0), 0);
  assert_int_equal(in_locked, TENON_FORBIDDEN);
  assert_int_equal(listed, TENON_FORBIDDEN); /* never a part as if it were all */
  assert_int_equal(read, TENON_FORBIDDEN);
  assert_int_equal(written, TENON_FORBIDDEN);
}

/* ---- Copy and remove ---- */

static void copies(void **state) {
  (void)state;
  static char big[300001];
  tenon_object a, b;
  memset(big, 'c', 300000);
  put("a", big);
  assert_int_equal(copy("a", "deep/b", true), TENON_OK);
  assert_int_equal(stat_of("a", &a), TENON_OK);
  assert_int_equal(stat_of("deep/b", &b), TENON_OK);
  assert_int_equal(b.size, 300000);
  assert_string_not_equal(a.etag, b.etag);
  assert_int_equal(copy("a", "deep/b", true), TENON_CONFLICT);
  put("small", "s");
  assert_int_equal(copy("small", "deep/b", false), TENON_OK);
  has("deep/b", "s");
  assert_int_equal(copy("small", "small", false), TENON_OK);
  has("small", "s");
  assert_int_equal(copy("none", "x", false), TENON_NOT_FOUND);
  assert_int_equal(copy("small", "../x", false), TENON_CONFIG);
}

static void removes(void **state) {
  (void)state;
  put("a", "1");
  put("d/b", "2");
  assert_int_equal(remove_keys(5, (const char *const[]){"a", "a", "d", "no/such", "d/b"}), 2);
  lists("", "", 0, "");
  lists("", "", '/', "");
  put("d/b", "again");
  lists("", "", '/', "d/ >\n");
}

/* ---- Listing ---- */

enum { TREE_KEYS = 600 };

static char *tree[TREE_KEYS + 4];
static int tree_count;

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names that sort differently as names and as paths: a, a-, a.b, a0 beside the folder a. */
static void plant_tree(void) {
  static const char *const parts[] = {"a",        "a-", "a.b", "a0",  "b", "aa",
                                      "\xc3\xa9", "Z",  "~",   "a b", "!", "0"};
  srandom(7);
  tree_count = 0;
  for (int i = 0; i < TREE_KEYS; i++) {
    char key[256];
    int depth = 1 + (int)(random() % 4), n = 0;
    for (int d = 0; d < depth; d++)
      n += snprintf(key + n, sizeof key - (size_t)n, "%s%s", d ? "/" : "", parts[random() % 12]);
    if (put_when(key, "x", true, NULL, NULL) == TENON_OK) tree[tree_count++] = strdup(key);
  }
  qsort(tree, (size_t)tree_count, sizeof *tree, compare_keys);
  mkdir(at("root/empty"), 0777);
  mkdir(at("root/a!empty"), 0777);
  mkdir(at("root/a!empty/er"), 0777);
}

/* The same rule in its simplest form: over all keys in order. */
static void expect_listing(const char *prefix, const char *start_after, char delimiter) {
  static char expected[1 << 20];
  char rolled[512] = "";
  size_t size = 0;
  expected[0] = 0;
  for (int i = 0; i < tree_count; i++) {
    const char *key = tree[i];
    if (strncmp(key, prefix, strlen(prefix)) != 0) continue;
    const char *cut = delimiter ? strchr(key + strlen(prefix), delimiter) : NULL;
    if (!cut) {
      if (strcmp(key, start_after) > 0)
        size += (size_t)snprintf(expected + size, sizeof expected - size, "%s\n", key);
      continue;
    }
    char row[512];
    snprintf(row, sizeof row, "%.*s", (int)(cut - key) + 1, key);
    if (strcmp(row, rolled) == 0 || strcmp(row, start_after) <= 0) continue;
    snprintf(rolled, sizeof rolled, "%s", row);
    size += (size_t)snprintf(expected + size, sizeof expected - size, "%s >\n", row);
  }
  if (list_keys(prefix, start_after, delimiter)) fail_msg("%s", err.message);
  if (strcmp(listing, expected) != 0)
    fail_msg("prefix '%s' after '%s' by '%c': got\n%s\nexpected\n%s", prefix, start_after,
             delimiter, listing, expected);
}

static void lists_in_order(void **state) {
  (void)state;
  plant_tree();
  assert_true(tree_count > 200);
  static const char *const prefixes[] = {"",     "a",       "a/",        "a-",      "a/a",
                                         "a/a/", "a.b/b/0", "\xc3\xa9/", "nothing", "../",
                                         "a//",  "/",       "a/../a"};
  static const char delimiters[] = {0, '/', '-', 'a', '.'};
  for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++)
    for (size_t d = 0; d < sizeof delimiters; d++) {
      expect_listing(prefixes[p], "", delimiters[d]);
      for (int i = 0; i < 12; i++)
        expect_listing(prefixes[p], tree[random() % tree_count], delimiters[d]);
      expect_listing(prefixes[p], "a/", delimiters[d]);
      expect_listing(prefixes[p], "a/a/", delimiters[d]);
      expect_listing(prefixes[p], "zzz", delimiters[d]);
    }
  for (int i = 0; i < tree_count; i++) free(tree[i]);
}

/* More names than a page holds, deep down where pages are small. */
static void lists_a_folder_of_many(void **state) {
  (void)state;
  enum { MANY = 3000 };
  char key[128], last[128] = "";
  put("1/2/3/4/5/6/7/8/9/x", "x");
  for (int i = 0; i < MANY; i++) {
    snprintf(key, sizeof key, "%s/1/2/3/4/5/6/7/8/9/%d", at("root"), i * 7919 % MANY);
    write_file(key, "");
  }
  assert_int_equal(list_keys("", "", 0), TENON_OK);
  int count = 0;
  for (char *line = strtok(listing, "\n"); line; line = strtok(NULL, "\n"), count++) {
    assert_true(strcmp(line, last) > 0);
    snprintf(last, sizeof last, "%s", line);
  }
  assert_int_equal(count, MANY + 1);
}

/* ---- Races of writers ---- */

enum { WRITERS = 4, ROUNDS = 500 };

static pthread_barrier_t start;
static atomic_int winners[ROUNDS];
static char match_etag[ROUNDS][128];

static void *race_absent(void *arg) {
  char key[32], text[32];
  for (int i = 0; i < ROUNDS; i++) {
    tenon_object o;
    snprintf(key, sizeof key, "round%d/k", i);
    int size = snprintf(text, sizeof text, "writer %d", (int)(intptr_t)arg);
    source s = source_of(text, (size_t)size);
    tenon_bytes body = body_of(&s, size);
    tenon_put req = {.struct_size = sizeof req,
                     .key = key_of(key),
                     .body = &body,
                     .if_absent = !match_etag[i][0],
                     .if_match = match_etag[i][0] ? match_etag[i] : NULL};
    pthread_barrier_wait(&start);
    tenon_status status = kind->objects->put(ctx, session, &req, &o, NULL);
    if (status == TENON_OK) atomic_fetch_add(&winners[i], 1);
    else if (status != TENON_CONFLICT) atomic_fetch_add(&winners[i], 1000);
  }
  return NULL;
}

static void race(void) {
  pthread_t threads[WRITERS];
  for (int i = 0; i < ROUNDS; i++) atomic_store(&winners[i], 0);
  pthread_barrier_init(&start, NULL, WRITERS);
  for (intptr_t i = 0; i < WRITERS; i++) pthread_create(&threads[i], NULL, race_absent, (void *)i);
  for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&start);
  for (int i = 0; i < ROUNDS; i++) assert_int_equal(atomic_load(&winners[i]), 1);
}

static void one_writer_wins(void **state) {
  (void)state;
  memset(match_etag, 0, sizeof match_etag);
  race(); /* each key is made once */
  for (int i = 0; i < ROUNDS; i++) {
    tenon_object o;
    char key[32];
    snprintf(key, sizeof key, "round%d/k", i);
    assert_int_equal(stat_of(key, &o), TENON_OK);
    memcpy(match_etag[i], o.etag, sizeof o.etag);
  }
  race(); /* and replaced once, by those that saw the same version */
}

/* ---- Older kernels ---- */

static int deny(unsigned number, unsigned mask_arg, unsigned mask) {
  struct sock_filter plain[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, mask ? 3 : 1),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * mask_arg),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (mask ? EOPNOTSUPP : ENOSYS)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  if (!mask) { /* without an argument to look at */
    plain[2] = plain[4];
    plain[3] = plain[5];
  }
  struct sock_fprog program = {.len = 6, .filter = plain};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void in_child(int (*work)(void)) {
  pid_t child = fork();
  if (child == 0) _exit(work());
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

#define CHECK(x)                                                      \
  if (!(x)) {                                                         \
    fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #x, err.message); \
    return 1;                                                         \
  }

static int work_without_openat2(void) {
  char got[64];
  tenon_object o;
  void *old;
  if (deny(SYS_openat2, 0, 0)) return 2;
  CHECK(kind->open(ctx, kind, config->data, &old, &err) == TENON_OK);
  session = old;
  CHECK(put_when("x/y/z", "deep", false, NULL, NULL) == TENON_OK);
  CHECK(get_part("x/y/z", 0, -1, NULL, got, sizeof got) == TENON_OK && strcmp(got, "deep") == 0);
  CHECK(get_part("d/f", 0, -1, NULL, got, sizeof got) == TENON_OK && strcmp(got, "inside") == 0);
  CHECK(stat_of("away/f", &o) == TENON_NOT_FOUND);
  CHECK(stat_of("link", &o) == TENON_NOT_FOUND);
  CHECK(put_when("away/g", "x", false, NULL, NULL) != TENON_OK);
  CHECK(list_keys("", "", 0) == TENON_OK && strcmp(listing, "d/f\nx/y/z\n") == 0);
  return 0;
}

static void without_openat2(void **state) {
  (void)state;
  mkdir(at("other"), 0777);
  write_file(at("other/f"), "outside");
  put("d/f", "inside");
  assert_int_equal(symlink("../other", at("root/away")), 0);
  assert_int_equal(symlink("d/f", at("root/link")), 0);
  in_child(work_without_openat2);
  assert_int_equal(names_in(at("other")), 1);
}

/* A file system that has no nameless files. */
static int work_without_tmpfile(void) {
  if (deny(SYS_openat, 2, 020000000)) return 2;
  CHECK(put_when("a", "one", true, NULL, NULL) == TENON_OK);
  CHECK(put_when("a", "two", true, NULL, NULL) == TENON_CONFLICT);
  CHECK(put_when("a", "two", false, NULL, NULL) == TENON_OK);
  CHECK(list_keys("", "", 0) == TENON_OK && strcmp(listing, "a\n") == 0);
  source s = source_of("0123456789", 10);
  s.step = 1;
  s.fail_at = 5;
  tenon_bytes body = body_of(&s, -1);
  tenon_object o;
  tenon_put req = {.struct_size = sizeof req, .key = key_of("b"), .body = &body};
  CHECK(kind->objects->put(ctx, session, &req, &o, NULL) == TENON_IO);
  write_file(at("root/.tenon-1-0.part"), "left by a crash");
  CHECK(list_keys("", "", 0) == TENON_OK && strcmp(listing, "a\n") == 0);
  return names_in(at("root")) == 2 ? 0 : 3;
}

static void without_nameless_files(void **state) {
  (void)state;
  in_child(work_without_tmpfile);
  has("a", "two");
}

/* ---- The rest ---- */

static void cancelled_work(void **state) {
  (void)state;
  tenon_object o;
  char got[8];
  put("a", "x");
  tenon_got open_one = got_of("a");
  tenon_ctx_cancel(ctx);
  size_t n;
  assert_int_equal(open_one.body.read(open_one.body.self, got, 1, &n, &err), TENON_CANCELLED);
  open_one.body.close(open_one.body.self);
  assert_int_equal(stat_of("a", &o), TENON_CANCELLED);
  assert_int_equal(list_keys("", "", 0), TENON_CANCELLED);
  assert_int_equal(put_when("b", "x", false, NULL, NULL), TENON_CANCELLED);
}

/* As the core calls it. */
static tenon_status test_of(tn_config *c, tenon_test *ret) {
  err = (tenon_error)TENON_ERROR_INIT;
  tenon_status status = kind->test(ctx, kind, c->data, ret, &err);
  tn_test_settle(ret, status, &err);
  return status;
}

static void tests_a_folder(void **state) {
  (void)state;
  tenon_test t = {.struct_size = sizeof t};
  put("a/b", "x");
  assert_int_equal(test_of(config, &t), TENON_OK);
  assert_int_equal(t.step_count, 3);
  assert_string_equal(t.steps[2].name, "probe");
  assert_non_null(strstr(t.steps[2].evidence, "1 objects"));
  tn_config *c = config_of(at("none"));
  t = (tenon_test){.struct_size = sizeof t};
  assert_int_equal(test_of(c, &t), TENON_NOT_FOUND);
  assert_int_equal(t.steps[0].outcome, TENON_FAILED);
  assert_true(t.steps[0].remedy[0]);
  tn_config_free(c);
  c = config_of(at("root/a/b"));
  t = (tenon_test){.struct_size = sizeof t};
  tn_error_init(&err);
  assert_int_equal(test_of(c, &t), TENON_CONFIG);
  tn_config_free(c);
}

static char set_as[512];

static tenon_status collect(void *arg, const char *key, const char *value, tenon_error *e) {
  (void)arg, (void)e;
  size_t n = strlen(set_as);
  snprintf(set_as + n, sizeof set_as - n, "%s=%s;", key, value);
  return TENON_OK;
}

static void urls(void **state) {
  (void)state;
  static const struct { const char *url, *set;
  } cases[] = {{"file:///data", "root=/data;"},
               {"file:data/x", "root=data/x;"},
               {"files://rel", "root=rel;"},
               {"file://localhost/a%20b", "root=/a b;"},
               {"file:///d?format=csv&delimiter=%3B", "root=/d;format=csv;delimiter=;;"},
               {"file:///d?all_text", "root=/d;all_text=;"},
               {"file://", ""},
               {"file:///a%2", NULL},
               {"file:///a%00b", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    set_as[0] = 0;
    tenon_status status = kind->parse_url(cases[i].url, collect, NULL, NULL);
    assert_int_equal(status, cases[i].set ? TENON_OK : TENON_CONFIG);
    if (cases[i].set) assert_string_equal(set_as, cases[i].set);
  }
}

/* Every allocation fails once, in every operation; nothing leaks, and what fails says so. */
static tenon_status all_operations(void) {
  tenon_object o;
  char got[64];
  tenon_status status = put_when("m/x", "text", false, NULL, &o);
  if (!status) status = get_part("m/x", 0, -1, NULL, got, sizeof got);
  if (!status) status = copy("m/x", "m/y", false);
  if (!status) status = list_keys("", "", '/');
  if (!status) status = stat_of("m/y", &o);
  if (!status && remove_keys(1, (const char *const[]){"m/y"}) == SIZE_MAX) status = err.code;
  return status;
}

static void memory_fails(void **state) {
  (void)state;
  for (int64_t n = 1;; n++) {
    assert_true(n < 500);
    tn_mem_fail_at(n, 0);
    tenon_status status = all_operations();
    int64_t count = tn_mem_count();
    tn_mem_fail_at(0, 0);
    if (count < n) {
      assert_int_equal(status, TENON_OK);
      break;
    }
    if (status != TENON_OK && status != TENON_LIMITED) fail_msg("%d: %s", (int)n, err.message);
  }
}

int main(void) {
  if (kind->init(tn_host(), NULL) != TENON_OK) return 1;
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
  const struct CMUnitTest tests[] = {
      TEST(keys_that_are_none),
      TEST(keys_are_bytes),
      TEST(puts_and_gets),
      TEST(a_whole_file_has_a_descriptor),
      TEST(conditions),
      TEST(failed_puts_leave_what_was_there),
      TEST(a_full_disk),
      TEST(a_file_that_changes),
      TEST(links),
      TEST(no_race_leads_outside),
      TEST(special_files),
      TEST(permissions),
      TEST(copies),
      TEST(removes),
      TEST(lists_in_order),
      TEST(lists_a_folder_of_many),
      TEST(one_writer_wins),
      TEST(without_openat2),
      TEST(without_nameless_files),
      TEST(cancelled_work),
      TEST(tests_a_folder),
      TEST(urls),
      TEST(memory_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
