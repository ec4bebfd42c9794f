/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "cli/object.h"
#include "cli/select.h"
#include "cli/text.h"
#include "cli/tree.h"

typedef struct put_arguments {
  tn_cli_common common;
  const char *content_type, *if_match;
  bool if_absent, recursive, resume, dry_run;
  int64_t jobs;
} put_arguments;

static const tn_cli_option options[] = {
    {TN_TEXT(put_arguments, content_type), .name = "content-type", .value = "TYPE", .help = "what it says of itself: text/csv"},
    {TN_FLAG(put_arguments, if_absent), .name = "if-absent", .help = "do not replace an object that is there"},
    {TN_TEXT(put_arguments, if_match), .name = "if-match", .value = "ETAG", .help = "only replace this version of it"},
    {TN_FLAG(put_arguments, recursive), .name = "recursive", .letter = 'r', .help = "all files below the folder FROM as objects below OBJECT"},
    {TN_NUMBER(put_arguments, jobs), .name = "jobs", .value = "N", .help = "recursive: so many files at once; 8 without it"},
    {TN_FLAG(put_arguments, resume), .name = "resume", .help = "recursive: leave out what is there in the same size, and newer than the file"},
    {TN_FLAG(put_arguments, dry_run), .name = "dry-run", .help = "say what would be put, and put nothing"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon put orders.parquet lake:2024/orders.parquet", "a file as an object",
    "tenon put orders.parquet lake:2024/", "under its own name",
    "pg_dump shop | tenon put - s3://backup/shop.sql", "a stream, whatever its length",
    "tenon put orders/ lake:2024/ --recursive", "all files below a folder",
    NULL,
};

enum { JOBS = 8 };

typedef struct source {
  tn_cli *cli;
  tn_cli_version version;
  int fd;
  int64_t began_ms;
  tenon_progress progress;
  tn_cli_progress shown;
} source;

/* ---- One version of a file ---- */

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

tenon_status tn_cli_version_check(const tn_cli_version *v, tenon_error *err) {
  struct stat now;
  if (!S_ISREG(v->as_opened.st_mode)) return TENON_OK;
  if (fstat(v->fd, &now) < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", v->name);
  if (is_same(&now, &v->as_opened)) return TENON_OK;
  tenon_error why = TENON_ERROR_INIT;
  tenon_fail(&why, TENON_CONFLICT, TENON_STAGE_DATA, "put it again when nobody writes to it", "%s changed while it was read", v->name);
  why.retryable = 1;
  return tn_pass_error(&why, err);
}

static tenon_status read_source(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  source *s = self;
  struct pollfd input = {.fd = s->fd, .events = POLLIN};
  tenon_status status;
  ssize_t n;
  do {
    status = s->progress.bytes_estimate ? tn_ctx_check(s->cli->ctx, err) : tn_ctx_wait(s->cli->ctx, &input, 1, -1, err);
    if (status) return status;
    n = read(s->fd, data, size);
  } while (n < 0 && (errno == EINTR || errno == EAGAIN));
  if (n < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "reading what is to be put");
  status = tn_cli_version_check(&s->version, err);
  if (status) return status;
  s->progress.bytes += n;
  s->progress.elapsed_ms = tn_now_ms() - s->began_ms;
  tn_cli_progress_step(&s->shown, &s->progress);
  *ret_size = (size_t)n;
  return TENON_OK;
}

/* The descriptor is closed by who opened it. */
static void close_source(void *self) { (void)self; }

/* A file that says it is empty may have something all the same, below /proc. A pipe that nobody writes to yet is waited for
 * where it is read: there a deadline and a signal end it. */
static tenon_status open_source(const char *from, tn_cli_version *ret, int64_t *ret_size, tenon_error *err) {
  struct stat st = {0};
  bool is_stdin = strcmp(from, "-") == 0;
  int fd = is_stdin ? dup(STDIN_FILENO) : open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "check the path", "%s", from);
  if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
    close(fd);
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "put what is below it with --recursive", "%s is a folder", from);
  }
  off_t at = lseek(fd, 0, SEEK_CUR);
  *ret_size = S_ISREG(st.st_mode) && at >= 0 && at <= st.st_size ? st.st_size - at : -1;
  *ret = (tn_cli_version){.fd = fd, .name = is_stdin ? "stdin" : from, .as_opened = st};
  return TENON_OK;
}

/* A key that ends with a slash, or none at all, takes the file's name. */
static tenon_status full_key(tn_cli *cli, const char *from, tn_cli_object *o, tenon_error *err) {
  if (o->key.size && o->key.data[o->key.size - 1] != '/') return TENON_OK;
  const char *slash = strrchr(from, '/'), *name = slash ? slash + 1 : from;
  if (strcmp(from, "-") == 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name the object: NAME:key", "a stream has no name of its own");
  size_t size = o->key.size + strlen(name);
  char *key = tn_arena_alloc(&cli->arena, size + 1);
  if (!key) return tn_no_memory(err);
  if (o->key.size) memcpy(key, o->key.data, o->key.size);
  memcpy(key + o->key.size, name, strlen(name) + 1);
  o->key = (tenon_key_bytes){key, size};
  return TENON_OK;
}

static tenon_status put(tn_cli *cli, const put_arguments *a, const tn_cli_object *o, const tn_cli_version *file, int64_t size,
                        tenon_error *err) {
  source s = {.cli = cli, .version = *file, .fd = file->fd, .began_ms = tn_now_ms(), .shown = tn_cli_progress_start(cli)};
  s.progress = (tenon_progress){.struct_size = sizeof s.progress, .rows = -1, .rows_estimate = -1,
                                .bytes_estimate = size > 0 ? size : 0};
  tenon_bytes body = {.struct_size = sizeof body, .fd = -1, .length = size, .self = &s, .read = read_source, .close = close_source};
  const tenon_put request = {.struct_size = sizeof request, .key = o->key, .body = &body, .content_type = a->content_type,
                             .if_absent = a->if_absent, .if_match = a->if_match};
  tenon_object made = {.struct_size = sizeof made, .size = -1, .modified_us = INT64_MIN};
  tenon_status status = tenon_put_object(cli->ctx, o->session, &request, &made, err);
  s.progress.elapsed_ms = tn_now_ms() - s.began_ms;
  s.shown.latest = s.progress;
  tn_cli_progress_end(&s.shown, status);
  if (status) return status;
  char bytes[32], time[32];
  tn_cli_show_bytes(bytes, sizeof bytes, s.progress.bytes);
  tn_cli_show_time(time, sizeof time, s.progress.elapsed_ms);
  if (cli->common->json) tn_cli_object_json(tn_cli_result(cli), &o->key, &made);
  else tn_cli_note(cli, "put %s as %.*s in %s", bytes, (int)o->key.size, o->key.data, time);
  return TENON_OK;
}

/* What is there decides whether it would be put at all. */
static tenon_status look(tn_cli *cli, const put_arguments *a, const tn_cli_object *o, int64_t size, tenon_error *err) {
  tenon_object there = {.struct_size = sizeof there, .size = -1, .modified_us = INT64_MIN};
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = a->if_absent ? tenon_stat_object(cli->ctx, o->session, &o->key, &there, &why) : TENON_NOT_FOUND;
  if (status && status != TENON_NOT_FOUND) return tn_pass_error(&why, err);
  if (!status)
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE, "leave --if-absent out, or name another object", "the object is there already");
  tenon_object would = {.struct_size = sizeof would, .size = size, .modified_us = INT64_MIN};
  if (cli->common->json) tn_cli_object_json(tn_cli_result(cli), &o->key, &would);
  else if (size < 0) tn_cli_note(cli, "would put a stream as %.*s", (int)o->key.size, o->key.data);
  else tn_cli_note(cli, "would put %" PRId64 " bytes as %.*s", size, (int)o->key.size, o->key.data);
  return TENON_OK;
}

static tenon_status put_all(tn_cli *cli, const put_arguments *a, tenon_error *err) {
  const tn_cli_tree tree = {.folder = a->common.operands[0], .jobs = a->jobs < 0 ? JOBS : a->jobs, .resume = a->resume,
                            .if_absent = a->if_absent, .dry_run = a->dry_run};
  tn_cli_object o;
  if (a->if_match || a->content_type)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave --if-match and --content-type out", "they are for one object");
  tenon_status status = tn_cli_object_open(cli, a->common.operands[1], &o, err);
  if (status) return status;
  status = tn_cli_put_tree(cli, &tree, &o, err);
  tn_cli_object_close(&o);
  return status;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const put_arguments *a = arguments;
  if (a->recursive) return put_all(cli, a, err);
  const char *from = a->common.operands[0];
  tn_cli_object o;
  tn_cli_version file;
  int64_t size = -1;
  tenon_status status = open_source(from, &file, &size, err);
  if (status) return status;
  status = tn_cli_object_open(cli, a->common.operands[1], &o, err);
  if (!status) {
    status = full_key(cli, from, &o, err);
    if (!status && a->dry_run) status = look(cli, a, &o, size, err);
    else if (!status) status = put(cli, a, &o, &file, size, err);
    tn_cli_object_close(&o);
  }
  close(file.fd);
  return status;
}

const tn_cli_command tn_cli_put = {
    .name = "put",
    .operands = {"FROM", "OBJECT"},
    .operands_required = 2,
    .summary = "put a file or a stream as an object",
    .about =
        "FROM is a file, a named pipe, or - for stdin. OBJECT is NAME:key, where everything behind the colon is the key as it is, or a URL "
        "with the key in its path; a key that ends with a slash takes FROM's name. The object appears whole or not at all.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(put_arguments),
    .verb = "put",
    .run = run,
};
