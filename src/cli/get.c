/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/object.h"
#include "cli/partial.h"
#include "cli/select.h"
#include "cli/text.h"
#include "cli/tree.h"

enum { AT_A_TIME = 1 << 20, JOBS = 8 };

typedef struct get_arguments {
  tn_cli_common common;
  int64_t offset, length;
  const char *if_match;
  bool if_absent, resume, recursive, dry_run;
  int64_t jobs;
} get_arguments;

static const tn_cli_option options[] = {
    {TN_BYTES(get_arguments, offset), .name = "offset", .value = "BYTES", .help = "begin behind so many bytes"},
    {TN_BYTES(get_arguments, length), .name = "length", .value = "BYTES", .help = "at most so many bytes; all without it"},
    {TN_TEXT(get_arguments, if_match), .name = "if-match", .value = "ETAG", .help = "only this version of the object"},
    {TN_FLAG(get_arguments, if_absent), .name = "if-absent", .help = "do not replace a file that is there"},
    {TN_FLAG(get_arguments, resume), .name = "resume", .help = "go on where an earlier run was interrupted; keep what came if this one is"},
    {TN_FLAG(get_arguments, recursive), .name = "recursive", .letter = 'r', .help = "all objects below OBJECT into the folder TO"},
    {TN_NUMBER(get_arguments, jobs), .name = "jobs", .value = "N", .help = "recursive: so many objects at once; 8 without it"},
    {TN_FLAG(get_arguments, dry_run), .name = "dry-run", .help = "say what would be written, and write nothing"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon get lake:2024/orders.parquet orders.parquet", "one object into a file, which appears whole or not at all",
    "tenon get s3://bucket/log.gz - | zcat | head", "an object as a stream",
    "tenon get lake:big.bin - --offset 1M --length 64K", "a part of it",
    "tenon get lake:big.bin . --resume", "the same command again goes on where the first one was interrupted",
    "tenon get lake:2024/ orders/ --recursive", "all that is below; --resume leaves out what is there whole",
    NULL,
};

static bool is_stdout(const char *to) { return strcmp(to, "-") == 0; }

static tenon_status check_folder(const char *to, tenon_error *err) {
  struct stat st;
  size_t size = strlen(to);
  if (!size || to[size - 1] != '/' || (stat(to, &st) == 0 && S_ISDIR(st.st_mode))) return TENON_OK;
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_WRITE, "make it first, or name a file", "there is no folder %.*s", (int)size - 1, to);
}

/* FROM's own name below a folder. */
static const char *place_for(tn_cli *cli, const char *to, const tenon_key_bytes *key) {
  struct stat st;
  if (is_stdout(to) || stat(to, &st) || !S_ISDIR(st.st_mode)) return to;
  const char *slash = memrchr(key->data, '/', key->size);
  const char *name = slash ? slash + 1 : key->data;
  tn_str path;
  tn_str_init(&path, 16 << 10);
  tn_str_printf(&path, "%s/%.*s", to, (int)(key->size - (size_t)(name - key->data)), name);
  const char *kept = path.failed ? NULL : tn_arena_strdup(&cli->arena, tn_str_text(&path));
  tn_str_release(&path);
  return kept;
}

/* partial NULL: into fd */
static tenon_status pour(tn_cli *cli, tenon_bytes *from, int fd, tn_cli_partial *partial, tenon_progress *p,
                         tn_cli_progress *shown, tenon_error *err) {
  int64_t began = tn_now_ms();
  char *data = tn_resize(NULL, AT_A_TIME);
  tenon_status status = data ? TENON_OK : tn_no_memory(err);
  for (size_t n = 1; !status && n > 0;) {
    status = tn_ctx_check(cli->ctx, err);
    if (!status) status = from->read(from->self, data, AT_A_TIME, &n, err);
    if (!status && n) status = partial ? tn_cli_partial_write(partial, data, n, err) : tn_write_all(fd, data, n, err);
    if (status) break;
    p->bytes += (int64_t)n;
    p->elapsed_ms = tn_now_ms() - began;
    tn_cli_progress_step(shown, p);
  }
  tn_free(data);
  return status;
}

static tenon_status write_to(tn_cli *cli, const get_arguments *a, const char *to, tenon_bytes *from,
                             tenon_progress *p, tenon_error *err) {
  tn_cli_progress shown = tn_cli_progress_start(cli);
  tn_new_file file;
  tenon_status status;
  if (is_stdout(to)) {
    shown.draw &= !cli->terminal.out_is_terminal;
    status = pour(cli, from, STDOUT_FILENO, NULL, p, &shown, err);
  } else {
    status = tn_new_file_init(&file, AT_FDCWD, to, err);
    if (status) return status;
    status = pour(cli, from, file.fd, NULL, p, &shown, err);
    if (!status) status = tn_new_file_commit(&file, a->if_absent, err);
    else tn_new_file_release(&file);
  }
  tn_cli_progress_end(&shown, status);
  return status;
}

static void say(tn_cli *cli, const char *to, const tn_cli_object *o, const tenon_object *found, const tenon_progress *p) {
  char bytes[32], time[32];
  if (cli->common->json) {
    tn_document *j = tn_cli_result(cli);
    tn_cli_object_json(j, &o->key, found);
    tn_document_text(j, "to", to);
    tn_document_integer(j, "bytes", p->bytes);
    tn_document_integer(j, "elapsed_ms", p->elapsed_ms);
    return;
  }
  tn_cli_show_bytes(bytes, sizeof bytes, p->bytes);
  tn_cli_show_time(time, sizeof time, p->elapsed_ms);
  if (!is_stdout(to)) tn_cli_note(cli, "got %s into %s in %s", bytes, to, time);
}

static tenon_status check(const tn_cli *cli, const get_arguments *a, tenon_error *err) {
  if (a->resume && (is_stdout(a->common.operands[1]) || a->offset > 0 || a->length >= 0))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name a file; --offset and --length read parts without it",
                      "--resume is for whole objects into files");
  if (a->recursive && (is_stdout(a->common.operands[1]) || a->offset > 0 || a->length >= 0 || a->if_match))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name a folder, and leave --offset, --length and --if-match out",
                      "--recursive is for whole objects into a folder");
  if (!is_stdout(a->common.operands[1]) || !a->common.json || a->dry_run) return TENON_OK;
  (void)cli;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "get it into a file, or leave --json out",
                    "--json and the bytes would both go to stdout");
}

/* ---- Over several runs ---- */

/* What the note calls the object: nothing that is secret, and nothing that changes with each signature. The etag says whether
 * it is the same one. */
static const char *identity_of(tn_cli *cli, const char *target, const tenon_key_bytes *key) {
  char *shown;
  const char *scheme = strstr(target, "://");
  bool is_url = scheme && scheme == target + strcspn(target, ":/?@");
  if (tenon_target_shown(cli->tenon, target, &shown, NULL)) return NULL;
  const char *place = is_url ? shown + (scheme + 3 - target) : shown, *end = place + strcspn(place, "?#");
  const char *at = is_url ? memrchr(place, '@', strcspn(place, "/?#")) : NULL;
  tn_str name;
  tn_str_init(&name, TN_CLI_MAX_TEXT);
  if (is_url) tn_str_printf(&name, "%.*s", (int)(place - shown), shown);
  if (is_url) tn_str_add(&name, at ? at + 1 : place, (size_t)(end - (at ? at + 1 : place)));
  if (is_url) tn_str_printf(&name, " %.*s", (int)key->size, key->data);
  else tn_str_puts(&name, shown);
  const char *kept = name.failed ? NULL : tn_arena_strdup(&cli->arena, tn_str_text(&name));
  tn_str_release(&name);
  tenon_text_free(shown);
  return kept;
}

/* Behind what is there, of the same version; if that is gone, anew. */
static tenon_status go_on(tn_cli *cli, const get_arguments *a, const tn_cli_object *o, tn_cli_partial *part, tenon_got *ret,
                          tenon_error *err) {
  tenon_get request = TENON_GET_INIT;
  tenon_error why = TENON_ERROR_INIT;
  request.key = o->key;
  request.offset = part->bytes;
  request.if_match = part->bytes ? part->etag : a->if_match;
  bool is_other = part->bytes && a->if_match && strcmp(a->if_match, part->etag) != 0;
  tenon_status status = is_other ? TENON_CONFLICT : tenon_get_object(cli->ctx, o->session, &request, ret, &why);
  if (!status && part->bytes) return TENON_OK;
  bool has_changed = part->bytes && (status == TENON_CONFLICT || status == TENON_DATA);
  if (has_changed) {
    tn_cli_note(cli, "the object was changed since the last run: it is got anew");
    request.offset = 0;
    request.if_match = a->if_match;
    why = (tenon_error)TENON_ERROR_INIT;
    status = tenon_get_object(cli->ctx, o->session, &request, ret, &why);
  }
  if (status) return tn_pass_error(&why, err);
  status = tn_cli_partial_restart(part, ret->object.etag, err);
  if (status) ret->body.close(ret->body.self);
  return status;
}

static tenon_status fill(tn_cli *cli, const get_arguments *a, tn_cli_partial *part, tenon_got *got, tenon_progress *p, tenon_error *err) {
  tn_cli_progress shown = tn_cli_progress_start(cli);
  if (part->bytes) tn_cli_note(cli, "going on behind %" PRId64 " bytes that are there", part->bytes);
  if (!*got->object.etag) tn_cli_note(cli, "the object has no etag: if this run is interrupted, the next one begins anew");
  p->bytes_estimate = got->body.length > 0 ? got->body.length : 0;
  tenon_status status = pour(cli, &got->body, -1, part, p, &shown, err);
  got->body.close(got->body.self);
  bool is_kept = status && tn_cli_partial_leave(part);
  if (!status) status = tn_cli_partial_commit(part, a->if_absent, err);
  tn_cli_progress_end(&shown, status);
  if (is_kept) tn_cli_note(cli, "what came is kept: the same command goes on from there");
  return status;
}

static tenon_status get_over_runs(tn_cli *cli, const get_arguments *a, const tn_cli_object *o, const char *to, tenon_error *err) {
  tenon_got got = {.struct_size = sizeof got};
  tenon_progress p = {.struct_size = sizeof p, .rows = -1, .rows_estimate = -1};
  tn_cli_partial part;
  const char *identity = identity_of(cli, a->common.operands[0], &o->key);
  tenon_status status = identity ? tn_cli_partial_open(identity, to, &part, err) : tn_no_memory(err);
  if (status) return status;
  status = go_on(cli, a, o, &part, &got, err);
  if (!status) status = fill(cli, a, &part, &got, &p, err);
  else if (tn_cli_partial_leave(&part)) tn_cli_note(cli, "what came is kept: the same command goes on from there");
  if (!status) say(cli, to, o, &got.object, &p);
  return status;
}

static tenon_status get(tn_cli *cli, const get_arguments *a, const tn_cli_object *o, tenon_error *err) {
  tenon_get request = TENON_GET_INIT;
  tenon_got got = {.struct_size = sizeof got};
  request.key = o->key;
  request.offset = a->offset > 0 ? a->offset : 0;
  if (a->length >= 0) request.length = a->length;
  request.if_match = a->if_match;
  tenon_progress p = {.struct_size = sizeof p, .rows = -1, .rows_estimate = -1};
  if (check_folder(a->common.operands[1], err)) return TENON_NOT_FOUND;
  const char *to = place_for(cli, a->common.operands[1], &o->key);
  if (!to) return tn_no_memory(err);
  if (a->dry_run) {
    got.object = (tenon_object){.struct_size = sizeof got.object, .size = -1, .modified_us = INT64_MIN};
    tenon_status status = tenon_stat_object(cli->ctx, o->session, &o->key, &got.object, err);
    if (!status && cli->common->json) say(cli, to, o, &got.object, &p);
    else if (!status) tn_cli_note(cli, "would write %" PRId64 " bytes to %s", got.object.size, to);
    return status;
  }
  if (a->resume) return get_over_runs(cli, a, o, to, err);
  tenon_status status = tenon_get_object(cli->ctx, o->session, &request, &got, err);
  if (status) return status;
  p.bytes_estimate = got.body.length > 0 ? got.body.length : 0;
  status = write_to(cli, a, to, &got.body, &p, err);
  got.body.close(got.body.self);
  if (!status) say(cli, to, o, &got.object, &p);
  return status;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const get_arguments *a = arguments;
  tn_cli_object o;
  tenon_status status = check(cli, a, err);
  if (!status && a->recursive) status = tn_cli_object_open(cli, a->common.operands[0], &o, err);
  else if (!status) status = tn_cli_object_open_one(cli, a->common.operands[0], &o, err);
  if (status) return status;
  const tn_cli_tree tree = {.folder = a->common.operands[1], .jobs = a->jobs < 0 ? JOBS : a->jobs, .resume = a->resume,
                            .if_absent = a->if_absent, .dry_run = a->dry_run};
  status = a->recursive ? tn_cli_get_tree(cli, &tree, &o, err) : get(cli, a, &o, err);
  tn_cli_object_close(&o);
  return status;
}

const tn_cli_command tn_cli_get = {
    .name = "get",
    .operands = {"OBJECT", "TO"},
    .operands_required = 2,
    .summary = "get an object's bytes into a file, a folder or stdout",
    .about =
        "OBJECT is NAME:key, where everything behind the colon is the key as it is, or a URL with the key in its path. "
        "TO is a file, which appears whole or not at all, a folder, or - for stdout. All bytes are of one version of the object.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(get_arguments),
    .verb = "get",
    .run = run,
};
