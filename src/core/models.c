/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling functions of the facet `models`. What can be wrong with a conversation by itself is
 * refused in core/chat_check.c, and what can be wrong with an answer here, once for all kinds.
 */
#include <math.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_schema.h"
#include "core/chat_check.h"
#include "core/faults.h"
#include "core/held.h"

tenon_status tn_models_list(tenon_ctx *ctx, tn_session *s, const tenon_models_list *request,
                            struct ArrowArrayStream *ret, tenon_error *err) {
  static const tenon_models_list all = {.struct_size = sizeof all};
  tenon_stream reply = {.struct_size = sizeof reply}, rows;
  tenon_ctx *own;
  tenon_status status = tn_held_open(ctx, s, TN_OP_models_list, request ? request : &all, &reply,
                                     &reply, &rows, &own, err);
  if (status) return status;
  status = tn_stream_export(own, &rows, NULL, NULL, ret, err);
  tenon_ctx_free(own);
  return status;
}

/* ---- chat: its events hold the session as rows do ---- */

/* What belongs to one attempt: the reply gives its first event, or is closed. */
typedef struct first_event {
  tenon_events *in;
  tenon_event event;
} first_event;

typedef struct answer {
  tenon_events in;
  tn_session *session;
  tenon_ctx *ctx;
  tenon_event kept;         /* came already and is to be given next; END: none */
  bool has_kept, has_usage, is_done;
  char *schema;             /* that the text has to keep to; NULL: none */
  tn_str text;              /* so far, where there is one */
  tenon_error error;        /* of the call that failed: no further one is made then */
} answer;

static tenon_status pull(tenon_events *in, tenon_event *ret, tenon_error *err) {
  tenon_status status;
  do {
    *ret = (tenon_event){.struct_size = sizeof *ret, .usage = TENON_USAGE_INIT};
    status = tn_fault_check("next", err);
    if (!status) status = in->next(in->self, ret, err);
  } while (!status && ret->type == TENON_EVENT_TEXT && ret->size == 0);
  return status;
}

static tenon_status pull_first(void *arg, tenon_ctx *ctx, tenon_error *err) {
  first_event *first = arg;
  (void)ctx;
  tenon_status status = pull(first->in, &first->event, err);
  if (status) first->in->close(first->in->self);
  return status;
}

static tenon_status check_call(const tenon_event *e, tenon_error *err) {
  tn_json *arguments = NULL;
  bool sound = e->id && *e->id && e->name && *e->name && e->arguments &&
               !tn_json_parse(e->arguments, strlen(e->arguments), &arguments, NULL) &&
               tn_json_type_of(arguments) == TN_JSON_OBJECT;
  tn_json_free(arguments);
  if (sound) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "ask again, or describe the tool's parameters more exactly",
                    "the model called the tool %.64s with arguments that are not a JSON object",
                    e->name && *e->name ? e->name : "(without a name)");
}

static tenon_status broke_off(const answer *a, tenon_error *err) {
  tenon_fail(err, TENON_IO, TENON_STAGE_DATA,
             "ask again; if it stays, look at the service's log and at proxies on the way",
             "%s: the answer broke off: the stream ended without saying that it is the end",
             a->session->connector->name);
  err->retryable = 1;
  err->vendor_code = TENON_MODELS_TRUNCATED;
  return TENON_IO;
}

/* ---- An answer by a schema ---- */

static tenon_status off_schema(tenon_error *err, const char *remedy, const char *why) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
                    "the answer does not keep to its schema: %s", why);
}

/* The schema was looked at before anything was sent; what is not known of it is the system's alone to keep. */
static tenon_status check_schema(const answer *a, const tenon_event *done, tenon_error *err) {
  static const char *const again = "ask again, or make the schema plainer";
  tn_json_text schema, text;
  tenon_error why = TENON_ERROR_INIT;
  if (!a->schema || done->finish == TENON_FINISH_TOOL_CALLS) return TENON_OK;
  if (done->finish == TENON_FINISH_LENGTH)
    return off_schema(err, "allow more tokens, or ask for less", "it was cut");
  if (tn_json_text_check(tn_str_text(&a->text), a->text.size, &text, &why))
    return off_schema(err, again, why.message);
  if (tn_json_schema_check_known(a->schema, strlen(a->schema), &schema, &why))
    return off_schema(err, again, why.message);
  if (!tn_json_schema_validate(schema, text, TENON_DATA, "", &why)) return TENON_OK;
  return off_schema(err, again, why.message);
}

static tenon_status gather_text(answer *a, const tenon_event *e, tenon_error *err) {
  if (!a->schema || tn_str_add(&a->text, e->text, e->size)) return TENON_OK;
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask for less",
                    "an answer by a schema has more than %d bytes", TN_JSON_MAX_SIZE);
}

/* An answer's end is `done`, with one `usage` before it, whatever the kind gave. */
static tenon_status settle(answer *a, tenon_event *e, tenon_error *err) {
  switch (e->type) {
    case TENON_EVENT_TEXT: return gather_text(a, e, err);
    case TENON_EVENT_TOOL_CALL: return check_call(e, err);
    case TENON_EVENT_USAGE: a->has_usage = true; return TENON_OK;
    case TENON_EVENT_DONE:
      if (a->has_usage) {
        a->is_done = true;
        return check_schema(a, e, err);
      }
      a->kept = *e;
      a->has_kept = a->has_usage = true;
      *e = (tenon_event){
          .struct_size = sizeof *e, .type = TENON_EVENT_USAGE, .usage = TENON_USAGE_INIT};
      return TENON_OK;
    default: return broke_off(a, err);
  }
}

static tenon_status pull_in_time(answer *a, tenon_event *ret, tenon_error *err) {
  bool stalls = !tn_ctx_has_deadline(a->ctx);
  if (stalls) tn_ctx_stall_begin(a->ctx, tn_op_stall_ms(tn_op_at(TN_OP_models_chat)));
  tenon_status status = pull(&a->in, ret, err);
  if (stalls) tn_ctx_stall_end(a->ctx);
  return status;
}

static tenon_status answer_next(void *self, tenon_event *ret, tenon_error *err) {
  answer *a = self;
  tenon_event e = {.struct_size = sizeof e};
  if (a->error.code) return tn_pass_error(&a->error, err);
  if (a->is_done) {
    *ret = e;
    return TENON_OK;
  }
  tenon_status status = TENON_OK;
  if (a->has_kept) e = a->kept;
  else status = pull_in_time(a, &e, &a->error);
  a->has_kept = false;
  if (!status) status = settle(a, &e, &a->error);
  if (status) {
    tenon_fail(&a->error, status, TENON_STAGE_DATA, NULL,
               "%s: the answer ended and nothing more was said", a->session->connector->name);
    tn_session_failed(a->session, &a->error);
    return tn_pass_error(&a->error, err);
  }
  *ret = e;
  return TENON_OK;
}

static void answer_close(void *self) {
  answer *a = self;
  a->in.close(a->in.self);
  tn_session_unhold(a->session);
  tenon_ctx_free(a->ctx);
  tn_str_release(&a->text);
  tn_free(a->schema);
  tn_free(a);
}

tenon_status tn_models_chat(tenon_ctx *ctx, tn_session *s, const tenon_chat *request,
                            tenon_events *ret, tenon_error *err) {
  tenon_events reply = {.struct_size = sizeof reply};
  first_event first = {.in = &reply};
  const tn_call c = {.op = TN_OP_models_chat, .request = request, .reply = &reply,
                     .first = pull_first, .arg = &first};
  tenon_status status = tn_chat_check(request, err);
  if (status) return status;
  answer *a = tn_alloc(sizeof *a);
  if (!a) return tn_no_memory(err);
  tn_str_init(&a->text, TN_JSON_MAX_SIZE);
  if (request->schema && !(a->schema = tn_strdup(request->schema))) status = tn_no_memory(err);
  if (!status) status = tn_call_run(ctx, s, &c, &a->ctx, err);
  if (status) {
    tn_free(a->schema);
    tn_free(a);
    return status;
  }
  a->in = reply;
  a->session = s;
  a->kept = first.event;
  a->has_kept = true;
  tn_error_init(&a->error);
  tn_session_hold(s);
  *ret = (tenon_events){
      .struct_size = sizeof *ret, .self = a, .next = answer_next, .close = answer_close};
  return TENON_OK;
}

/* ---- embed ---- */

static tenon_status check_texts(const tenon_embed *r, tenon_error *err) {
  if (!r->count || r->count > TENON_MAX_EMBEDDED)
    return tenon_fail(
        err, TENON_CONFIG, TENON_STAGE_CONFIG, "give at least one text, and many in several calls",
        "1 to %d texts can be embedded at once, not %zu", TENON_MAX_EMBEDDED, r->count);
  for (size_t i = 0; i < r->count; i++)
    if (!r->texts[i] || !*r->texts[i] || !tn_utf8_valid(r->texts[i], strlen(r->texts[i]), NULL))
      return tenon_fail(err, TENON_DATA, TENON_STAGE_CONFIG, "leave it out, or correct it",
                        "text %zu to be embedded is empty or not UTF-8", i + 1);
  if (r->dimension < 0 || r->dimension > TENON_MAX_DIMENSION)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave it out for the model's own",
                      "a vector's dimension is 1 to %d, not %d", TENON_MAX_DIMENSION,
                      (int)r->dimension);
  return TENON_OK;
}

/* How many texts from `at` on go into one request. */
static size_t texts_in_one(const tenon_models_ops *ops, const tenon_embed *r, size_t at) {
  size_t n = 0, bytes = 0, most = ops->max_texts > 0 ? (size_t)ops->max_texts : 1;
  while (at + n < r->count && n < most) {
    bytes += strlen(r->texts[at + n]);
    if (n && ops->max_bytes > 0 && bytes > (size_t)ops->max_bytes) break;
    n++;
  }
  return n;
}

static tenon_status check_vectors(const tenon_embeddings *all, const tenon_embeddings *part,
                                  size_t wanted, int32_t dimension, tenon_error *err) {
  static const char *const remedy =
      "ask who runs the service: it does not keep to its own protocol";
  if (part->count != wanted || !part->vectors)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "%zu vectors came for %zu texts",
                      part->count, wanted);
  if (part->dimension < 1 || part->dimension > TENON_MAX_DIMENSION ||
      (all->vectors && part->dimension != all->dimension))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
                      "vectors of different dimensions came");
  if (dimension && part->dimension != dimension)
    return tenon_fail(
        err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "leave the dimension out, or take another model",
        "the model gives vectors of %d numbers, not %d", (int)part->dimension, (int)dimension);
  for (size_t i = 0; i < part->count * (size_t)part->dimension; i++)
    if (!isfinite(part->vectors[i]))
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
                        "a number of a vector is not finite");
  return TENON_OK;
}

static int64_t add_known(int64_t a, int64_t b) { return a < 0 || b < 0 ? -1 : a + b; }

static void add_usage(tenon_usage *all, const tenon_usage *part) {
  all->input = add_known(all->input, part->input);
  all->cached = add_known(all->cached, part->cached);
  all->cache_written = add_known(all->cache_written, part->cache_written);
  all->output = add_known(all->output, part->output);
  all->cost_nano = add_known(all->cost_nano, part->cost_nano);
}

/* Appends to a matrix that has room for all of the texts from its first part on. */
static tenon_status add_part(tenon_embeddings *all, const tenon_embeddings *part, size_t count,
                             tenon_error *err) {
  size_t row = (size_t)part->dimension * sizeof(float);
  if (!all->vectors) {
    all->vectors = tn_alloc_array(count, row);
    if (!all->vectors) return tn_no_memory(err);
    all->dimension = part->dimension;
  }
  memcpy(all->vectors + all->count * (size_t)all->dimension, part->vectors, part->count * row);
  all->count += part->count;
  add_usage(&all->usage, &part->usage);
  return TENON_OK;
}

static tenon_status embed_part(tenon_ctx *ctx, tn_session *s, const tenon_embed *request, size_t at,
                               tenon_embeddings *all, tenon_error *err) {
  tenon_embed own = *request;
  tenon_embeddings part = {.struct_size = sizeof part, .usage = TENON_USAGE_INIT};
  const tn_call c = {.op = TN_OP_models_embed, .request = &own, .reply = &part};
  own.texts += at;
  own.count = texts_in_one(s->connector->provider->models, request, at);
  tenon_status status = tn_call_run(ctx, s, &c, NULL, err);
  if (!status) status = check_vectors(all, &part, own.count, request->dimension, err);
  if (!status) status = add_part(all, &part, request->count, err);
  tn_free(part.vectors);
  return status;
}

tenon_status tn_models_embed(tenon_ctx *ctx, tn_session *s, const tenon_embed *request,
                             tenon_embeddings *ret, tenon_error *err) {
  tenon_embeddings all = {.struct_size = sizeof all};
  tenon_status status = check_texts(request, err);
  while (!status && all.count < request->count)
    status = embed_part(ctx, s, request, all.count, &all, err);
  if (status) {
    tn_free(all.vectors);
    return status;
  }
  *ret = all;
  return TENON_OK;
}
