/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put. What fits into one part is sent at once; more goes in parts, several under way, and becomes an
 * object when the last one is there. An upload that fails is aborted, so that nothing of it stays.
 * Every part carries its CRC-32C, which the service checks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "feed.h"
#include "providers/storage/storage.h"
#include "retry.h"

enum {
  MAX_SLOTS = TN_S3_MAX_UNDER_WAY,
  MAX_PARTS = 10000,
  MAX_COMPLETE = 4 << 20,
  ABORT_MS = 10000
};

typedef struct putting putting;

/* What completing an upload has to say of each part. */
typedef struct sent_part {
  char etag[72], checksum[12];
} sent_part;

typedef struct slot {
  putting *p;
  tn_s3_part *part;          /* the feed's; NULL: the slot is free */
  int number;
  tn_s3_retry retry;
  char number_text[12];
  tn_s3_prepared prepared;
  tenon_http_exchange *exchange;
  bool has_ended;
  tenon_status status;
  tenon_error error;
  tn_str refusal;
} slot;

struct putting {
  tenon_ctx *ctx;
  tn_s3 *s;
  const tenon_put *request;
  tenon_http_lane *lane;
  tn_s3_feed *feed;
  bool has_ended;            /* all parts were taken */
  slot slots[MAX_SLOTS];
  int window, next_number;
  int64_t sent;
  char upload_id[1024];
  sent_part *parts;          /* by number - 1 */
  int part_room;
};

static void add_conditions(const tenon_put *request, tn_s3_request *r) {
  if (request->if_absent) tn_s3_header(r, "if-none-match", "*");
  if (request->if_match) tn_s3_header(r, "if-match", request->if_match);
}

/* ---- At once ---- */

static tenon_status put_at_once(putting *p, const tn_s3_part *all, tenon_object *ret, tenon_error *err) {
  tn_s3_request r = {.method = "PUT", .key = &p->request->key, .data = all->size ? all->data : "", .data_size = all->size};
  tn_s3_reply reply;
  if (p->request->content_type) tn_s3_header(&r, "content-type", p->request->content_type);
  tn_s3_header(&r, "x-amz-checksum-crc32c", all->checksum);
  add_conditions(p->request, &r);
  bool is_conditional = p->request->if_absent || p->request->if_match;
  tenon_status status = tn_s3_send_again(p->ctx, p->s, &r, is_conditional, &reply, NULL, err);
  if (status) return status;
  tn_s3_describe(reply.http.exchange, ret);
  ret->size = (int64_t)all->size;
  tn_s3_reply_release(&reply);
  return TENON_OK;
}

/* ---- In parts ---- */

static tenon_status begin_upload(putting *p, tenon_error *err) {
  tn_s3_request r = {.method = "POST", .key = &p->request->key};
  tn_str text;
  tn_s3_query(&r, "uploads", "");
  if (p->request->content_type) tn_s3_header(&r, "content-type", p->request->content_type);
  tn_s3_header(&r, "x-amz-checksum-algorithm", "CRC32C");
  tn_str_init(&text, 2 * TN_S3_MAX_ERROR);
  tenon_status status = tn_s3_send_again_for_text(p->ctx, p->s, &r, false, TN_S3_MAX_ERROR, &text, NULL, err);
  if (!status && !tn_s3_element(tn_str_text(&text), text.size, "UploadId", p->upload_id, sizeof p->upload_id))
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "ask who runs the service",
                        "%s: the service began an upload without a name", p->s->config->bucket);
  tn_str_release(&text);
  return status;
}

/* Also when the work was cancelled. What stays behind costs whoever pays for the bucket: it is said. */
static void abort_upload(putting *p) {
  tn_s3_request r = {.method = "DELETE", .key = &p->request->key};
  tn_s3_reply reply;
  tenon_ctx *ctx;
  tenon_error why = TENON_ERROR_INIT;
  if (!*p->upload_id || tenon_ctx_new(NULL, ABORT_MS, &ctx, NULL)) return;
  tn_s3_query(&r, "uploadId", p->upload_id);
  tenon_status status = tn_s3_send_again(ctx, p->s, &r, false, &reply, NULL, &why);
  if (!status) tn_s3_reply_release(&reply);
  if (status && status != TENON_GONE && status != TENON_NOT_FOUND)
    tn_s3_host->log(p->ctx, TENON_LOG_WARN,
                    "%s: the upload could not be aborted, and its parts stay until it is (have a lifecycle rule do it): %s",
                    p->s->config->bucket, why.message);
  tenon_ctx_free(ctx);
}

static tenon_status keep_part(putting *p, int number, const char *etag, const char *checksum, tenon_error *err) {
  if (!etag || strlen(etag) >= sizeof p->parts->etag || strpbrk(etag, "<>&"))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "ask who runs the service",
                      "%s: the service gave part %d no etag", p->s->config->bucket, number);
  if (number > p->part_room) {
    int room = number < 64 ? 64 : 2 * number;
    sent_part *more = tn_resize(p->parts, (size_t)room * sizeof *more);
    if (!more) return tn_no_memory(err);
    p->parts = more;
    p->part_room = room;
  }
  sent_part *part = &p->parts[number - 1];
  snprintf(part->etag, sizeof part->etag, "%s", etag);
  snprintf(part->checksum, sizeof part->checksum, "%s", checksum);
  return TENON_OK;
}

static tenon_status on_body(void *arg, const void *data, size_t size, tenon_error *err) {
  slot *s = arg;
  return tn_refusal_add(&s->refusal, data, size, err);
}

static void on_end(void *arg, tenon_http_exchange *x, tenon_status status, const tenon_error *err) {
  slot *s = arg;
  s->has_ended = true;
  s->error = *err;
  s->status = status;
  if (status && !tn_refusal_is_cut(&s->refusal)) return;
  s->error = (tenon_error)TENON_ERROR_INIT;
  if (tn_s3_host->http->status(x) >= 300)
    s->status = tn_s3_refused(s->p->s, x, tn_str_text(&s->refusal), s->refusal.size, &s->error);
  else
    s->status = keep_part(s->p, s->number, tn_s3_host->http->header(x, "etag"), s->part->checksum, &s->error);
}

static tenon_status send_part(slot *s, tenon_error *err) {
  const tenon_http_events events = {.arg = s, .body = on_body, .end = on_end};
  putting *p = s->p;
  tn_s3_request r = {.method = "PUT", .key = &p->request->key, .data = s->part->data, .data_size = s->part->size};
  snprintf(s->number_text, sizeof s->number_text, "%d", s->number);
  tn_s3_query(&r, "partNumber", s->number_text);
  tn_s3_query(&r, "uploadId", p->upload_id);
  tn_s3_header(&r, "x-amz-checksum-crc32c", s->part->checksum);
  s->has_ended = false;
  tn_str_clear(&s->refusal);
  tenon_status status = tn_s3_prepare(p->ctx, p->s, &r, &s->prepared, err);
  if (status) return status;
  status = tn_s3_host->http->begin(p->lane, &s->prepared.http, &events, &s->exchange, err);
  if (status) tn_s3_prepared_release(&s->prepared);
  return status;
}

static void forget_exchange(slot *s) {
  if (!s->exchange) return;
  tn_s3_host->http->end(s->exchange);
  s->exchange = NULL;
  tn_s3_prepared_release(&s->prepared);
}

/* A part that is there frees its slot; one that may be tried again waits in it. */
static tenon_status settle(slot *s, tenon_error *err) {
  putting *p = s->p;
  forget_exchange(s);
  s->has_ended = false;
  if (s->status) return tn_s3_retry_later(p->ctx, &s->retry, &s->error, err) ? TENON_OK : s->status;
  tn_s3_feed_give_back(p->feed, s->part);
  s->part = NULL;
  return TENON_OK;
}

/* What there is to do among the slots. */
typedef struct slots_state {
  slot *unused;              /* NULL: all have a part */
  size_t busy, active;       /* with a part; of them on their way */
  int64_t due_ms;            /* when the next one is to be sent again; 0: none is */
} slots_state;

static tenon_status settle_slots(putting *p, slots_state *ret, tenon_error *err) {
  tenon_status status = TENON_OK;
  *ret = (slots_state){0};
  for (int i = 0; !status && i < p->window; i++) {
    slot *s = &p->slots[i];
    if (s->part && s->has_ended) status = settle(s, err);
    if (!status && s->part && tn_s3_retry_is_due(&s->retry)) status = send_part(s, err);
    ret->busy += s->part != NULL;
    ret->active += s->exchange != NULL;
    ret->due_ms = tn_s3_sooner(ret->due_ms, s->retry.due_ms);
    if (!s->part && !ret->unused) ret->unused = s;
  }
  return status;
}

static tenon_status start_part(putting *p, slot *s, tn_s3_part *part, tenon_error *err) {
  if (p->next_number > MAX_PARTS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "write several objects",
                      "the object has more than %d parts", MAX_PARTS);
  s->part = part;
  s->number = p->next_number++;
  s->retry = (tn_s3_retry){0};
  p->sent += (int64_t)part->size;
  return send_part(s, err);
}

/* Parts go into free slots as they were read. Waits for them only where nothing else is to be done. */
static tenon_status fill_slots(putting *p, slot *free, size_t busy, tenon_error *err) {
  tn_s3_part *part = NULL;
  tenon_status status = tn_s3_feed_take(p->feed, busy == 0, &part, &p->has_ended, err);
  return status || !part ? status : start_part(p, free, part, err);
}

static void on_part_read(void *lane) { tn_s3_host->http->wake(lane); }

static tenon_status send_parts(putting *p, tenon_error *err) {
  for (;;) {
    slots_state now;
    int before = p->next_number;
    tenon_status status = settle_slots(p, &now, err);
    if (!status && p->has_ended && !now.busy) return TENON_OK;
    if (!status && now.unused && !p->has_ended) status = fill_slots(p, now.unused, now.busy, err);
    if (!status && p->next_number > before) status = tn_s3_host->http->run(p->lane, 0, NULL, err);
    else if (!status) status = tn_s3_run_until(p->ctx, p->lane, now.active, now.due_ms, err);
    if (status) return status;
  }
}

/* A completion that was not answered has ended the upload all the same: then the object is there, in so many parts. */
static tenon_status find_completed(putting *p, const tenon_error *why, tenon_object *ret, tenon_error *err) {
  char parts[24];
  tenon_object found = {.struct_size = sizeof found, .size = -1};
  snprintf(parts, sizeof parts, "-%d\"", p->next_number - 1);
  if (tn_s3_stat(p->ctx, p->s, &p->request->key, &found, NULL) || found.size != p->sent || !strstr(found.etag, parts))
    return tn_pass_error(why, err);
  *ret = found;
  *p->upload_id = 0;
  return TENON_OK;
}

static tenon_status complete(putting *p, tenon_object *ret, tenon_error *err) {
  tn_str xml, text;
  tn_str_init(&xml, MAX_COMPLETE);
  tn_str_init(&text, 2 * TN_S3_MAX_ERROR);
  tn_str_puts(&xml, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
  for (int i = 0; i + 1 < p->next_number; i++)
    tn_str_printf(&xml, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><ChecksumCRC32C>%s</ChecksumCRC32C></Part>", i + 1,
                  p->parts[i].etag, p->parts[i].checksum);
  tn_str_puts(&xml, "</CompleteMultipartUpload>");
  tn_s3_request r = {.method = "POST", .key = &p->request->key, .data = xml.data, .data_size = xml.size};
  tn_s3_query(&r, "uploadId", p->upload_id);
  tn_s3_header(&r, "content-type", "application/xml");
  add_conditions(p->request, &r);
  bool is_conditional = p->request->if_absent || p->request->if_match, is_unsure = false;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = xml.failed ? tn_no_memory(&why)
                                   : tn_s3_send_again_for_text(p->ctx, p->s, &r, is_conditional, TN_S3_MAX_ERROR, &text, &is_unsure, &why);
  if (status) {
    status = is_unsure && status == TENON_GONE ? find_completed(p, &why, ret, err) : tn_pass_error(&why, err);
  } else {
    ret->size = p->sent;
    if (!tn_s3_element(tn_str_text(&text), text.size, "ETag", ret->etag, sizeof ret->etag))
      status = tenon_fail(err, TENON_DATA, TENON_STAGE_COMMIT, "look whether the object is there; if not, put it again",
                          "%s: the service does not say that the upload is complete", p->s->config->bucket);
  }
  tn_str_release(&xml);
  tn_str_release(&text);
  return status;
}

static tenon_status put_in_parts(putting *p, tn_s3_sizes sizes, tn_s3_part *first, tenon_object *ret, tenon_error *err) {
  tenon_status status = begin_upload(p, err);
  if (!status) status = tn_s3_host->http->new_lane(p->ctx, p->s->http, &p->lane, err);
  if (!status) status = tn_s3_feed_new(p->request->body, sizes, p->window, first, on_part_read, p->lane, &p->feed, err);
  if (!status) status = send_parts(p, err);
  for (int i = 0; i < MAX_SLOTS; i++) forget_exchange(&p->slots[i]);
  tn_s3_feed_free(p->feed);
  if (!status) status = complete(p, ret, err);
  if (p->lane) tn_s3_host->http->free_lane(p->lane);
  if (status) abort_upload(p);
  return status;
}

/* ---- All ---- */

/* At most 10,000 parts, all of one size: some services want that. */
static tn_s3_sizes choose_sizes(int64_t length) {
  int64_t size = TN_S3_PART, least = length / MAX_PARTS + 1;
  while (size < least) size *= 2;
  return (tn_s3_sizes){.size = (size_t)size, .is_length_known = length >= 0};
}

static tenon_status put_body(putting *p, tenon_object *ret, tenon_error *err) {
  tn_s3_part first = {0};
  const tn_s3_sizes sizes = choose_sizes(p->request->body->length);
  tenon_status status = tn_s3_part_fill(&first, p->request->body, sizes.size, NULL, NULL, err);
  if (!status)
    status = first.size < sizes.size ? put_at_once(p, &first, ret, err) : put_in_parts(p, sizes, &first, ret, err);
  tn_s3_part_release(&first);
  return status;
}

static putting *new_putting(tenon_ctx *ctx, tn_s3 *s, const tenon_put *request) {
  putting *p = tn_alloc(sizeof *p);
  if (!p) return NULL;
  p->ctx = ctx;
  p->s = s;
  p->request = request;
  p->next_number = 1;
  p->window = s->config->connections > MAX_SLOTS ? MAX_SLOTS : (int)s->config->connections;
  for (int i = 0; i < MAX_SLOTS; i++) {
    p->slots[i].p = p;
    tn_refusal_init(&p->slots[i].refusal);
  }
  return p;
}

static void free_putting(putting *p) {
  for (int i = 0; i < MAX_SLOTS; i++) tn_str_release(&p->slots[i].refusal);
  tn_free(p->parts);
  tn_free(p);
}

tenon_status tn_s3_put(tenon_ctx *ctx, void *session, const tenon_put *request, tenon_object *ret, tenon_error *err) {
  tn_s3 *s = session;
  tenon_status status = tn_s3_check_key(&request->key, err);
  if (!status) status = tn_s3_need_conditions(ctx, s, request, err);
  putting *p = status ? NULL : new_putting(ctx, s, request);
  if (!status) status = p ? put_body(p, ret, err) : tn_no_memory(err);
  if (p) free_putting(p);
  request->body->close(request->body->self);
  return status;
}
