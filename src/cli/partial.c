/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/json.h"

enum { MAX_NOTE = 64 << 10, KEEP_EVERY_MS = 2000, NOTE_MODE = 0600 };

static const int64_t keep_every = INT64_C(64) << 20;

static char *hidden_name(const char *what, const char *to) {
  const char *slash = strrchr(to, '/');
  tn_str name;
  tn_str_init(&name, 4096);
  tn_str_printf(&name, ".tenon-%s-%s.part", what, slash ? slash + 1 : to);
  char *moved = tn_str_move(&name);
  tn_str_release(&name);
  return moved;
}

/* ---- The note beside it ---- */

static tenon_status write_note(const tn_cli_partial *p, tenon_error *err) {
  tn_str text;
  tn_json_writer w;
  tn_new_file file;
  tn_str_init(&text, MAX_NOTE);
  tn_json_writer_init(&w, &text);
  tn_json_open(&w, '{');
  tn_json_key(&w, "object");
  tn_json_put_string(&w, p->object);
  tn_json_key(&w, "etag");
  tn_json_put_string(&w, p->etag);
  tn_json_key(&w, "bytes");
  tn_json_put_integer(&w, p->kept);
  tn_json_close(&w);
  tenon_status status = text.failed ? tn_no_memory(err) : tn_new_file_init(&file, p->file.dir_fd, p->note_name, err);
  if (!status) {
    if (fchmod(file.fd, NOTE_MODE) < 0) status = tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "%s", p->note_name);
    if (!status) status = tn_write_all(file.fd, text.data, text.size, err);
    if (!status) status = tn_new_file_commit(&file, false, err);
    else tn_new_file_release(&file);
  }
  tn_str_release(&text);
  return status;
}

static bool take_note(tn_cli_partial *p, const tn_json *note) {
  const char *object = tn_json_string(tn_json_get(note, "object")), *etag = tn_json_string(tn_json_get(note, "etag"));
  const tn_json *bytes = tn_json_get(note, "bytes");
  struct stat st;
  if (!object || !etag || !*etag || strlen(etag) >= sizeof p->etag || tn_json_type_of(bytes) != TN_JSON_INTEGER) return false;
  int64_t kept = tn_json_integer(bytes);
  if (strcmp(object, p->object) != 0 || kept <= 0 || fstat(p->file.fd, &st) < 0 || st.st_size < kept) return false;
  snprintf(p->etag, sizeof p->etag, "%s", etag);
  p->bytes = p->kept = kept;
  return true;
}

/* Whatever is wrong with it, there is only nothing to go on from. */
static void read_note(tn_cli_partial *p) {
  char text[MAX_NOTE];
  tn_json *note = NULL;
  int fd = openat(p->file.dir_fd, p->note_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  ssize_t size = fd >= 0 && fchmod(fd, NOTE_MODE) == 0 ? read(fd, text, sizeof text) : -1;   /* the next one gets its mode */
  if (fd >= 0) close(fd);
  if (size <= 0 || (size_t)size == sizeof text || tn_json_parse(text, (size_t)size, &note, NULL)) return;
  take_note(p, note);
  tn_json_free(note);
}

/* ---- Its life ---- */

static tenon_status cut(tn_cli_partial *p, tenon_error *err) {
  if (ftruncate(p->file.fd, p->bytes) == 0 && lseek(p->file.fd, p->bytes, SEEK_SET) >= 0) return TENON_OK;
  return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "%s", p->to);
}

static void release(tn_cli_partial *p) {
  tn_new_file_keep(&p->file);
  tn_free(p->note_name);
  p->note_name = NULL;
}

tenon_status tn_cli_partial_open(const char *object, const char *to, tn_cli_partial *ret, tenon_error *err) {
  tn_cli_partial p = {.file = {.fd = -1, .dir_fd = -1}, .object = object, .to = to, .kept_ms = tn_now_ms()};
  char *kept_as = hidden_name("get", to);
  p.note_name = hidden_name("etag", to);
  tenon_status status = kept_as && p.note_name ? tn_new_file_reopen(&p.file, AT_FDCWD, to, kept_as, err) : tn_no_memory(err);
  tn_free(kept_as);
  if (!status) read_note(&p);
  if (!status) status = cut(&p, err);
  if (status) release(&p);
  else *ret = p;
  return status;
}

tenon_status tn_cli_partial_restart(tn_cli_partial *p, const char *etag, tenon_error *err) {
  unlinkat(p->file.dir_fd, p->note_name, 0);
  p->bytes = p->kept = 0;
  snprintf(p->etag, sizeof p->etag, "%s", etag);
  return cut(p, err);
}

/* First the bytes, then what says that they are there. */
static tenon_status keep(tn_cli_partial *p, tenon_error *err) {
  p->kept_ms = tn_now_ms();
  if (!*p->etag || p->kept == p->bytes) return TENON_OK;
  if (fdatasync(p->file.fd) < 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "%s", p->to);
  p->kept = p->bytes;
  return write_note(p, err);
}

tenon_status tn_cli_partial_write(tn_cli_partial *p, const void *data, size_t size, tenon_error *err) {
  tenon_status status = tn_write_all(p->file.fd, data, size, err);
  if (status) return status;
  p->bytes += (int64_t)size;
  bool is_due = p->bytes - p->kept >= keep_every || tn_now_ms() - p->kept_ms >= KEEP_EVERY_MS;
  return is_due ? keep(p, err) : TENON_OK;
}

tenon_status tn_cli_partial_commit(tn_cli_partial *p, bool if_absent, tenon_error *err) {
  int dir_fd = dup(p->file.dir_fd);
  tenon_status status = tn_new_file_commit(&p->file, if_absent, err);
  if (dir_fd >= 0) {
    unlinkat(dir_fd, p->note_name, 0);
    close(dir_fd);
  }
  release(p);
  return status;
}

bool tn_cli_partial_leave(tn_cli_partial *p) {
  bool is_kept = keep(p, NULL) == TENON_OK && p->kept > 0;
  if (!is_kept) {
    unlinkat(p->file.dir_fd, p->note_name, 0);
    tn_new_file_release(&p->file);
  }
  release(p);
  return is_kept;
}
