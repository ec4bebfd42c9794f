/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of one version of an object, by ranges (providers/storage/storage.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "providers/storage/storage.h"
#include "s3.h"

typedef struct getting {
  tn_s3 *s;
  char key_text[TN_S3_MAX_KEY];
  tenon_key_bytes key;
  const char *if_match;      /* of the first range, NULL behind it: then it is the object's own etag */
} getting;

static tenon_status prepare(tenon_ctx *ctx, void *self, const char *range, const tenon_object *known, void *ret_prepared,
                            tenon_http_request *ret, tenon_error *err) {
  getting *g = self;
  tn_s3_prepared *p = ret_prepared;
  tn_s3_request r = {.method = "GET", .key = &g->key, .max_reply = -1};
  bool is_strong = *known->etag && strncmp(known->etag, "W/", 2) != 0;   /* no weak one ever matches */
  const char *etag = known->size < 0 ? g->if_match : is_strong ? known->etag : NULL;
  tn_s3_header(&r, "range", range);
  if (etag) tn_s3_header(&r, "if-match", etag);
  tenon_status status = tn_s3_prepare(ctx, g->s, &r, p, err);
  if (!status) *ret = p->http;
  return status;
}

static void release(void *prepared) { tn_s3_prepared_release(prepared); }

static const char again[] = "get it again";
static const char other_wish[] = "look at what is there; then ask for its etag, or for none";

static tenon_status other_than_wanted(const char *etag, tenon_error *err) {
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, other_wish, "the object is another version: %s%s",
                    *etag ? "its etag is " : "it has no etag", etag);
}

static tenon_status changed(const tenon_object *known, const tenon_object *now, tenon_error *err) {
  char what[400] = "it was written anew";
  if (now->size >= 0 && known->size != now->size)
    snprintf(what, sizeof what, "it has %" PRId64 " bytes, and had %" PRId64, now->size, known->size);
  else if (*now->etag && *known->etag && !tn_s3_same_etag(known->etag, now->etag))
    snprintf(what, sizeof what, "its etag is %s, and was %s", now->etag, known->etag);
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, again, "the object was changed while it was read: %s", what);
}

/* Where a reply leaves the etag out, or it is weak, the time has to be the same as well. */
static bool is_same(const tenon_object *a, const tenon_object *b) {
  bool has_both = *a->etag && *b->etag, is_weak = strncmp(a->etag, "W/", 2) == 0 || strncmp(b->etag, "W/", 2) == 0;
  if (b->size >= 0 && a->size != b->size) return false;
  if (has_both && !tn_s3_same_etag(a->etag, b->etag)) return false;
  if (has_both && !is_weak) return true;
  return a->modified_us == INT64_MIN || b->modified_us == INT64_MIN || a->modified_us == b->modified_us;
}

/* Not every service minds If-Match: what came says of which version it is. */
static tenon_status look(void *self, const tenon_http_exchange *x, const tenon_object *known, tenon_object *ret, tenon_error *err) {
  getting *g = self;
  tn_s3_describe(x, ret);
  if (known->size >= 0) return is_same(known, ret) ? TENON_OK : changed(known, ret, err);
  bool is_wanted = !g->if_match || tn_s3_same_etag(g->if_match, ret->etag);
  g->if_match = NULL;
  return is_wanted ? TENON_OK : other_than_wanted(ret->etag, err);
}

static tenon_status refused(void *self, const tenon_http_exchange *x, const char *text, size_t size, tenon_error *err) {
  const getting *g = self;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_s3_refused(g->s, x, text, size, &why);
  if (status == TENON_CONFLICT) {
    why.stage = TENON_STAGE_QUERY;   /* nothing was written */
    snprintf(why.remedy, sizeof why.remedy, "%s", g->if_match ? other_wish : again);
  }
  tn_pass_error(&why, err);
  return status;
}

static void free_getting(void *self) { tn_free(self); }

/* ---- What has no range ---- */

static tenon_status nothing_read(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  (void)self, (void)data, (void)size, (void)err;
  *ret_size = 0;
  return TENON_OK;
}

static void nothing_close(void *self) { (void)self; }

/* An empty object has no range at all. */
static tenon_status try_empty(tenon_ctx *ctx, tn_s3 *s, const tenon_get *request, tenon_got *ret, tenon_error *err) {
  tenon_object object = {.struct_size = sizeof object, .size = -1};
  tenon_status status = tn_s3_stat(ctx, s, &request->key, &object, err);
  if (status) return status;
  if (request->offset > object.size)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "ask for a range within its size",
                      "the range begins at %" PRId64 ", and the object has %" PRId64 " bytes", request->offset, object.size);
  if (request->if_match && !tn_s3_same_etag(request->if_match, object.etag)) return other_than_wanted(object.etag, err);
  ret->object = object;
  ret->body = (tenon_bytes){.struct_size = sizeof ret->body, .fd = -1, .read = nothing_read, .close = nothing_close};
  return TENON_OK;
}

static tenon_status make_getting(tn_s3 *s, const tenon_get *request, getting **ret, tenon_error *err) {
  tenon_status status = tn_s3_check_key(&request->key, err);
  if (status) return status;
  getting *g = tn_alloc(sizeof *g);
  if (!g) return tn_no_memory(err);
  g->s = s;
  memcpy(g->key_text, request->key.data, request->key.size);
  g->key = (tenon_key_bytes){g->key_text, request->key.size};
  g->if_match = request->if_match;   /* borrowed for the first reply, which is here when the body is */
  *ret = g;
  return TENON_OK;
}

tenon_status tn_s3_get(tenon_ctx *ctx, void *session, const tenon_get *request, tenon_got *ret, tenon_error *err) {
  tn_s3 *s = session;
  getting *g = NULL;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = make_getting(s, request, &g, err);
  if (status) return status;
  const tn_range_source source = {.host = tn_s3_host, .http = s->http, .name = s->config->bucket, .self = g, .free = free_getting,
                                  .prepared_size = sizeof(tn_s3_prepared), .prepare = prepare, .release = release, .look = look,
                                  .refused = refused};
  if (request->length == 0) {
    free_getting(g);
    return try_empty(ctx, s, request, ret, err);
  }
  int64_t end = request->length < 0 ? -1 : request->offset + request->length;
  status = tn_range_open(ctx, &source, request->offset, end, NULL, (int)s->config->connections, &ret->object, &ret->body, &why);
  if (status == TENON_DATA && why.vendor_code == 416) return try_empty(ctx, s, request, ret, err);
  return status ? tn_pass_error(&why, err) : TENON_OK;
}
