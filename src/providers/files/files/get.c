/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading objects. The length is fixed when the object is opened. A file that others write into
 * while it is read, or cut short, is a CONFLICT: what was handed out is of one version.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

typedef struct body {
  tenon_ctx *ctx;
  int fd;
  int64_t at, end;
  struct stat as_opened;
  char *key;
} body;

/* Not ctime: it also changes when another file takes this one's name, which leaves the bytes. */
static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static tenon_status check_version(const body *b, tenon_error *err) {
  struct stat now;
  if (fstat(b->fd, &now) < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", b->key);
  if (is_same(&now, &b->as_opened)) return TENON_OK;
  tenon_status status =
      tenon_fail(err, TENON_CONFLICT, TENON_STAGE_DATA, "read it again when nobody writes to it",
                 "%s changed while it was read", b->key);
  if (err && err->code == TENON_CONFLICT) err->retryable = 1;
  return status;
}

static tenon_status read_body(void *self, void *data, size_t size, size_t *ret_size,
                              tenon_error *err) {
  body *b = self;
  tenon_status status = tn_files_host->check(b->ctx, err);
  if (status) return status;
  if ((int64_t)size < 0 || (int64_t)size > b->end - b->at) size = (size_t)(b->end - b->at);
  if (size == 0) {
    *ret_size = 0;
    return TENON_OK;
  }
  ssize_t n;
  do n = pread(b->fd, data, size, b->at);
  while (n < 0 && errno == EINTR);
  if (n < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, "look at the disk", "%s", b->key);
  status = check_version(b, err);
  if (!status && n == 0)
    status = tenon_fail(err, TENON_IO, TENON_STAGE_DATA, "look at the disk",
                        "%s ended before its size", b->key);
  if (status) return status;
  b->at += n;
  *ret_size = (size_t)n;
  return TENON_OK;
}

static void close_body(void *self) {
  body *b = self;
  close(b->fd);
  tn_free(b->key);
  tn_free(b);
}

static tenon_status check_request(const tenon_get *req, const struct stat *st, const char *key,
                                  tenon_error *err) {
  tenon_object now;
  tn_files_fill_object(st, &now);
  if (req->if_match && strcmp(req->if_match, now.etag) != 0)
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "look again: stat it, then get it",
                      "%s is another version by now", key);
  if (req->offset < 0 || req->length < -1)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give an offset from 0 on",
                      "%s: no such range", key);
  if (req->offset > st->st_size)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "ask for a range within its size",
                      "%s has %lld bytes, the range starts at %lld", key, (long long)st->st_size,
                      (long long)req->offset);
  return TENON_OK;
}

static tenon_status make_body(tenon_ctx *ctx, const tenon_get *req, const tn_files_key *key, int fd,
                              const struct stat *st, tenon_got *ret, tenon_error *err) {
  body *b = tn_alloc(sizeof *b);
  char *text = tn_strdup(key->text);
  if (!b || !text) {
    tn_free(b);
    tn_free(text);
    return tn_no_memory(err);
  }
  int64_t left = st->st_size - req->offset,
          length = req->length < 0 || req->length > left ? left : req->length;
  *b = (body){.ctx = ctx,
              .fd = fd,
              .at = req->offset,
              .end = req->offset + length,
              .as_opened = *st,
              .key = text};
  tn_files_fill_object(st, &ret->object);
  ret->struct_size = sizeof *ret;
  ret->body = (tenon_bytes){.struct_size = sizeof ret->body,
                            .fd = length == st->st_size ? fd : -1,
                            .length = length,
                            .self = b,
                            .read = read_body,
                            .close = close_body};
  return TENON_OK;
}

tenon_status tn_files_get(tenon_ctx *ctx, void *session, const tenon_get *req, tenon_got *ret,
                          tenon_error *err) {
  tn_files_key key;
  struct stat st;
  int fd;
  tenon_status status = tn_files_host->check(ctx, err);
  if (!status) status = tn_files_key_init(&req->key, &key, err);
  if (!status) status = tn_files_open_object(session, &key, O_RDONLY, &fd, &st, err);
  if (status) return status;
  status = check_request(req, &st, key.text, err);
  if (!status) status = make_body(ctx, req, &key, fd, &st, ret, err);
  if (status) close(fd);
  return status;
}

tenon_status tn_files_stat(tenon_ctx *ctx, void *session, const tenon_key_bytes *bytes,
                           tenon_object *ret, tenon_error *err) {
  tn_files_key key;
  struct stat st;
  int fd;
  tenon_status status = tn_files_host->check(ctx, err);
  if (!status) status = tn_files_key_init(bytes, &key, err);
  if (!status) status = tn_files_open_object(session, &key, O_PATH, &fd, &st, err);
  if (status) return status;
  close(fd);
  tn_files_fill_object(&st, ret);
  return TENON_OK;
}
