/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "core/registry.h"
#include "core/target.h"
#include "formats/format_options.h"
#include "lib/handle.h"

enum { MAX_REMEDY = 400 };

/* ---- Format and options ---- */

static bool can_write(const tn_format *f) { return f->writer != NULL; }

static void list_formats(tn_str *out, bool extensions) {
  size_t count, listed = 0;
  const tn_format *const *formats = tn_formats(&count);
  for (size_t i = 0; i < count; i++)
    if (can_write(formats[i]))
      tn_str_printf(out, "%s%s", listed++ ? ", " : "",
                    extensions ? formats[i]->extensions[0] : formats[i]->name);
}

static tenon_status no_format(const char *name, const char *path, tenon_error *err) {
  tn_str remedy;
  tn_str_init(&remedy, MAX_REMEDY);
  tn_str_puts(&remedy, path ? "give it one of the extensions " : "there are ");
  list_formats(&remedy, path != NULL);
  if (path) {
    tn_str_puts(&remedy, ", or name the format: ");
    list_formats(&remedy, false);
  }
  tenon_status status =
      path ? tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, tn_str_text(&remedy),
                        "the name %.200s does not say in which format to write", path)
           : tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, tn_str_text(&remedy),
                        "there is no format %.60s", name);
  tn_str_release(&remedy);
  return status;
}

static tenon_status find_format(const char *name, const char *path, const tn_format **ret,
                                tenon_error *err) {
  const tn_format *f = name   ? tn_format_by_name(name)
                       : path ? tn_format_by_path(path, strlen(path))
                              : NULL;
  if (!f) return no_format(name ? name : "(none)", name ? NULL : path, err);
  if (!can_write(f))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "choose another format",
                      "%s is read, but not written", f->name);
  *ret = f;
  return TENON_OK;
}

/* Tables as targets come with a later version: said plainly rather than making a file of that name. */
static tenon_status find_path(const char *to, tn_target *ret, tenon_error *err) {
  tn_target target;
  tenon_status status = tn_target_parse(to, &target, err);
  if (status) return status;
  if (target.form == TN_TARGET_PATH && target.table)
    status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "put a path that has a colon in double quotes: '\"a:b.csv\"'",
                        "a file has no table %s in it", target.table);
  else if (target.form == TN_TARGET_URL || target.table)
    status = tenon_fail(
        err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG,
        "copy to a file, such as rows.parquet; writing into tables comes with a later version",
        "only files are written, and this is the name of something else");
  if (status) tn_target_release(&target);
  else *ret = target;
  return status;
}

/* Opened at once: what is wrong with it is said before anything is read. */
static tenon_status find_object(tn_destination *d, tenon_ctx *ctx, tenon *t, const char *to, tenon_error *err) {
  const tenon_provider *kind;
  tenon_status status = tn_lib_kind_of_object(t, to, &kind, err);
  if (status) return status;
  if (tn_provider_has(kind, "objects.get") && !tn_provider_has(kind, "objects.put"))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "copy to a file or to a storage that can be written",
                      "the kind %s only reads", kind->kind);
  if (!tn_provider_has(kind, "objects.put"))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG,
                      "copy to a file or object, such as rows.parquet; writing into tables comes with a later version",
                      "only files and objects are written, and this is the name of something else");
  status = tenon_open_object(ctx, t, to, NULL, 0, &d->session, &d->key, err);
  if (status || d->key.size) return status;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write NAME:key, or a URL with the key in its path",
                    "the target names no object");
}

static tenon_status set_options(tn_destination *d, const tenon_copy_options *options,
                                tenon_error *err) {
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < options->to_count && !status; i++) {
    const tenon_setting *s = &options->to_settings[i];
    status = tn_option_check(s->key, d->format->name, err);
    if (!status) status = tn_option_set(&d->options, TN_OPTION_WRITES, s->key, s->value, err);
  }
  return status;
}

tenon_status tn_destination_init(tn_destination *ret, tenon_ctx *ctx, tenon *t, const char *to,
                                 const tenon_copy_options *options, tenon_error *err) {
  static const tenon_copy_options none = {.struct_size = sizeof none};
  if (!options) options = &none;
  tn_destination made = {
      .options = TN_FORMAT_OPTIONS_INIT, .fd = -1, .if_absent = options->if_absent};
  tenon_status status = TENON_OK;
  if (options->fd > 0) {
    made.fd = options->fd;
  } else if (tn_lib_names_object(to)) {
    status = find_object(&made, ctx, t, to, err);
  } else {
    status = find_path(to, &made.target, err);
    if (!status) made.path = made.target.base;
  }
  if (!status)
    status = find_format(options->format, made.session ? made.key.data : made.path, &made.format, err);
  if (!status) status = set_options(&made, options, err);
  /* the other half is for what reads */
  if (t->memory > 0) made.options.memory = t->memory / 2;
  if (status) tn_destination_release(&made);
  else *ret = made;
  return status;
}

/* ---- Opening ---- */

/* Devices and pipes cannot appear whole. */
static tenon_status check_place(const char *path, tenon_error *err) {
  struct stat st;
  if (stat(path, &st) || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE,
                    "copy to - (stdout), and redirect it there",
                    "%s is a device or pipe, not a file", path);
}

static tenon_status open_spool(tn_destination *s, tenon_error *err) {
  s->fd = tn_spool_open();
  s->is_open = s->fd >= 0;
  if (s->is_open) return TENON_OK;
  return tn_fail_errno(err, errno, TENON_STAGE_WRITE, "set TMPDIR to a folder that can be written", "a temporary file");
}

/* ---- What was spooled, as bytes ---- */

static tenon_status read_spool(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  const tn_destination *s = self;
  ssize_t n = read(s->fd, data, size);
  if (n < 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "reading back the temporary file");
  *ret_size = (size_t)n;
  return TENON_OK;
}

/* The descriptor is the destination's. */
static void leave_spool(void *self) { (void)self; }

static tenon_status put_object(tn_destination *s, tenon_ctx *ctx, tenon_error *err) {
  struct stat st;
  tenon_object made = {.struct_size = sizeof made, .size = -1};
  if (fstat(s->fd, &st) || lseek(s->fd, 0, SEEK_SET))
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "the temporary file");
  tenon_bytes body = {.struct_size = sizeof body, .fd = s->fd, .length = st.st_size, .self = s,
                      .read = read_spool, .close = leave_spool};
  const tenon_put request = {.struct_size = sizeof request, .key = s->key, .body = &body, .if_absent = s->if_absent};
  return tenon_put_object(ctx, s->session, &request, &made, err);
}

/* A link stays: the file that it leads to is replaced. */
tenon_status tn_destination_open(tn_destination *s, tenon_error *err) {
  char behind[PATH_MAX];
  if (s->session) return open_spool(s, err);
  if (!s->path) return TENON_OK;
  tenon_status status = check_place(s->path, err);
  if (!status)
    status =
        tn_new_file_init(&s->file, AT_FDCWD, realpath(s->path, behind) ? behind : s->path, err);
  if (status) return status;
  s->is_open = true;
  s->fd = s->file.fd;
  return TENON_OK;
}

tenon_status tn_destination_commit(tn_destination *s, tenon_ctx *ctx, tenon_error *err) {
  if (!s->is_open) return TENON_OK;
  if (s->session) return put_object(s, ctx, err);
  s->is_open = false;
  return tn_new_file_commit(&s->file, s->if_absent, err);
}

void tn_destination_release(tn_destination *s) {
  if (s->is_open && s->session) close(s->fd);
  else if (s->is_open) tn_new_file_release(&s->file);
  tenon_close(s->session);
  s->session = NULL;
  if (s->path) tn_target_release(&s->target);
  s->is_open = false;
  s->path = NULL;
}

/* ---- How types land ---- */

static const struct {
  const char *format, *parquet, *json;
} types[] = {
    {"n", "null", "null"},
    {"b", "BOOLEAN", "true or false"},
    {"c", "INT32 (8 bits)", "number"},
    {"C", "INT32 (8 bits, unsigned)", "number"},
    {"s", "INT32 (16 bits)", "number"},
    {"S", "INT32 (16 bits, unsigned)", "number"},
    {"i", "INT32", "number"},
    {"I", "INT32 (unsigned)", "number"},
    {"l", "INT64", "number"},
    {"L", "INT64 (unsigned)", "number"},
    {"e", "FLOAT, wider", "number"},
    {"f", "FLOAT", "number"},
    {"g", "DOUBLE", "number"},
    {"d:", "DECIMAL", "number"},
    {"u", "STRING", "string"},
    {"U", "STRING", "string"},
    {"vu", "STRING", "string"},
    {"z", "BYTE_ARRAY", "string"},
    {"Z", "BYTE_ARRAY", "string"},
    {"vz", "BYTE_ARRAY", "string"},
    {"w:", "BYTE_ARRAY, of any size", "string"},
    {"td", "DATE", "string"},
    {"tt", "TIME", "string"},
    {"ts", "TIMESTAMP", "string"},
    {"+l", "LIST", "array"},
    {"+L", "LIST", "array"},
    {"+w", "LIST", "array"},
    {"+s", "STRUCT", "object"},
    {"+m", "MAP", "object"},
};

/* Formats of one or two letters are whole words; "d:", "w:", "td", "tt", "ts" have more behind them. */
static bool is_type(const char *format, const char *prefix) {
  size_t size = strlen(prefix);
  bool open = strchr(prefix, ':') || prefix[0] == 't' || prefix[0] == '+';
  return open ? strncmp(format, prefix, size) == 0 : strcmp(format, prefix) == 0;
}

tenon_landing tn_destination_landing(const tn_format *f, const struct ArrowSchema *column,
                                     char *to_type, size_t room) {
  const char *json = "string", *parquet = "BYTE_ARRAY";
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (is_type(column->format, types[i].format)) {
      json = types[i].json;
      parquet = types[i].parquet;
      break;
    }
  bool is_json = f == &tn_format_jsonl, is_parquet = f == &tn_format_parquet,
       is_arrow = f == &tn_format_arrow;
  snprintf(to_type, room, "%s",
           is_json      ? json
           : is_parquet ? parquet
           : is_arrow   ? "the same"
                        : "text");
  return is_parquet || is_arrow ? TENON_LANDS_EXACT : TENON_LANDS_AS_TEXT;
}

/* A writer is made, and abandoned before its first row: what refuses is what would refuse. */
tenon_status tn_destination_accepts(tenon_ctx *ctx, const tn_destination *s,
                                    const struct ArrowSchema *schema, tenon_error *err) {
  int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return TENON_OK;
  tn_writer writer;
  tenon_status status = s->format->writer(ctx, fd, schema, &s->options, &writer, err);
  if (!status) writer.free(writer.self);
  close(fd);
  return status;
}
