/* SPDX-License-Identifier: Apache-2.0 */
/* An answer as it comes. One event of the reply's stream is taken at a time, and becomes none or
 * more of the facet's. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "llm.h"

enum { MAX_REFUSAL = 64 << 10 };
static const int64_t MAX_STREAM = INT64_C(1) << 30;

/* ---- What is to be given ---- */

static tenon_status push(tn_llm_answer *a, const tenon_event *e, tenon_error *err) {
  if (a->queued == a->room) {
    size_t room =
        a->room ? 2 * a->room : 8; /* an event gives its text, all calls, usage and done at most */
    tenon_event *more = tn_resize(a->queue, room * sizeof *more);
    if (!more) return tn_no_memory(err);
    a->queue = more;
    a->room = room;
  }
  a->queue[a->queued++] = *e;
  return TENON_OK;
}

/* ---- An event ---- */

tenon_status tn_llm_parse(tn_llm_answer *a, const tn_event *event, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_json_text_check(event->data, event->size, &a->event, &why);
  if (status || tn_json_text_type(a->event) != TN_JSON_OBJECT)
    return tenon_fail(err, status ? status : TENON_DATA, TENON_STAGE_DATA,
                      "ask again; if it stays, ask who runs the service",
                      "%s: an event of the answer is no JSON object%s%s", a->llm->kind->service,
                      status ? ": " : "", why.message);
  tn_str_clear(&a->words);
  a->words.max =
      event->size; /* what strings say is never longer than they are, so this does not move */
  return tn_str_reserve(&a->words, event->size) ? TENON_OK : tn_no_memory(err);
}

static bool is_null(tn_json_text t) { return tn_json_text_type(t) == TN_JSON_NULL; }

void tn_llm_members(tn_json_text object, tn_llm_member *members, size_t count) {
  tn_json_text key, value;
  for (size_t i = 0; i < count; i++) members[i].value = (tn_json_text){NULL, 0};
  if (tn_json_text_type(object) != TN_JSON_OBJECT) return;
  for (const char *cursor = NULL; tn_json_text_next(object, &cursor, &key, &value);)
    for (size_t i = 0; i < count; i++)
      if (tn_llm_is(key, members[i].key))
        members[i].value = is_null(value) ? (tn_json_text){NULL, 0} : value;
}

tn_json_text tn_llm_member_of(tn_json_text object, const char *key) {
  tn_llm_member one = {.key = key};
  tn_llm_members(object, &one, 1);
  return one.value;
}

bool tn_llm_is(tn_json_text string, const char *text) {
  return tn_json_text_is(string, text, strlen(text));
}

int64_t tn_llm_number(tn_json_text t) {
  int64_t n;
  return t.data && tn_json_text_integer(t, &n) && n >= 0 ? n : -1;
}

tenon_status tn_llm_say(tn_llm_answer *a, tn_json_text string, const char **ret, tenon_error *err) {
  size_t from = a->words.size;
  *ret = NULL;
  if (tn_json_text_type(string) != TN_JSON_STRING) return TENON_OK;
  if (!tn_json_text_unquote(string, &a->words) || !tn_str_add(&a->words, "", 1))
    return tn_no_memory(err);
  *ret = a->words.data + from;
  if (from + strlen(*ret) + 1 == a->words.size) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask again, or for something else",
                    "%s: a text of the answer has a NUL in it", a->llm->kind->service);
}

void tn_llm_set_model(tn_llm_answer *a, tn_json_text name) {
  const char *text;
  if (*a->model || tn_llm_say(a, name, &text, NULL) || !text || strlen(text) >= sizeof a->model)
    return;
  memcpy(a->model, text, strlen(text) + 1);
}

tenon_status tn_llm_push_text(tn_llm_answer *a, tn_json_text string, tenon_error *err) {
  tenon_event e = {.struct_size = sizeof e, .type = TENON_EVENT_TEXT};
  if (!string.data || string.size <= 2) return TENON_OK;
  tenon_status status = tn_llm_say(a, string, &e.text, err);
  if (status || !e.text) return status;
  e.size = strlen(e.text);
  return push(a, &e, err);
}

/* ---- Tool calls, which come in pieces ---- */

static void release_call(tn_llm_call *c) {
  tn_free(c->id);
  tn_free(c->name);
  tn_str_release(&c->arguments);
}

tenon_status tn_llm_call_at(tn_llm_answer *a, int64_t index, tn_llm_call **ret, tenon_error *err) {
  for (size_t i = 0; i < a->call_count; i++)
    if (a->calls[i].index == index) {
      *ret = &a->calls[i];
      return TENON_OK;
    }
  if (a->call_count == TN_LLM_MAX_CALLS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask for less at once",
                      "more than %d tool calls in one answer", TN_LLM_MAX_CALLS);
  tn_llm_call *c = &a->calls[a->call_count++];
  *c = (tn_llm_call){.index = index};
  tn_str_init(&c->arguments, TN_LLM_MAX_ARGUMENTS);
  *ret = c;
  return TENON_OK;
}

static tenon_status keep(char **to, const char *text, tenon_error *err) {
  if (!text || !*text || *to) return TENON_OK;
  *to = tn_strdup(text);
  return *to ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_llm_call_name(tn_llm_answer *a, tn_llm_call *c, tn_json_text id, tn_json_text name,
                              tenon_error *err) {
  const char *text;
  tenon_status status = tn_llm_say(a, id, &text, err);
  if (!status) status = keep(&c->id, text, err);
  if (!status) status = tn_llm_say(a, name, &text, err);
  return status ? status : keep(&c->name, text, err);
}

tenon_status tn_llm_call_add(tn_llm_answer *a, tn_llm_call *c, const char *arguments, size_t size,
                             tenon_error *err) {
  a->argument_bytes += size;
  if (a->argument_bytes > TN_LLM_MAX_ARGUMENTS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask for less at once",
                      "the arguments of the answer's tool calls have more than %d bytes",
                      TN_LLM_MAX_ARGUMENTS);
  return tn_str_add(&c->arguments, arguments, size) ? TENON_OK : tn_no_memory(err);
}

static tenon_status push_call(tn_llm_answer *a, tn_llm_call *c, size_t i, tenon_error *err) {
  char id[32];
  snprintf(id, sizeof id, "call_%zu", i + 1);   /* where the service names none */
  tenon_status status = keep(&c->id, id, err);
  if (!status && !c->arguments.size && !tn_str_puts(&c->arguments, "{}"))
    status = tn_no_memory(err);
  const tenon_event e = {.struct_size = sizeof e, .type = TENON_EVENT_TOOL_CALL, .id = c->id,
                         .name = c->name ? c->name : "", .arguments = tn_str_text(&c->arguments)};
  return status ? status : push(a, &e, err);
}

/* ---- The end ---- */

tenon_status tn_llm_finish(tn_llm_answer *a, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < a->call_count && !status; i++) status = push_call(a, &a->calls[i], i, err);
  tn_llm_price(a->llm, a->model, &a->usage);
  const tenon_event usage = {
      .struct_size = sizeof usage, .type = TENON_EVENT_USAGE, .usage = a->usage};
  const tenon_event done = {.struct_size = sizeof done,
                            .type = TENON_EVENT_DONE,
                            .usage = TENON_USAGE_INIT,
                            .finish = a->call_count ? TENON_FINISH_TOOL_CALLS : a->finish,
                            .model = *a->model ? a->model : NULL,
                            .reason = !a->call_count && a->finish == TENON_FINISH_OTHER ? a->reason
                                                                                  : NULL};
  if (!status) status = push(a, &usage, err);
  if (!status) status = push(a, &done, err);
  a->is_done = true;
  return status;
}

/* ---- The stream ---- */

static void forget_event(tn_llm_answer *a) {
  a->event = (tn_json_text){NULL, 0};
  a->queued = a->given = 0;
}

/* *ret_there is false at the end of the body. */
static tenon_status next_event(tn_llm_answer *a, tn_event *ret, bool *ret_there, tenon_error *err) {
  for (;;) {
    char *to;
    size_t room, n = 0;
    tenon_status status = tn_event_stream_next(&a->stream, ret, err);
    *ret_there = !status && ret->data;
    if (status || ret->data || a->stream.ended) return status;
    status = tn_event_stream_room(&a->stream, &to, &room, err);
    if (!status) status = a->reply.body.read(a->reply.body.self, to, room, &n, err);
    if (status) return status;
    if (n) tn_event_stream_add(&a->stream, n);
    else tn_event_stream_end(&a->stream);
  }
}

static tenon_status answer_next(void *self, tenon_event *ret, tenon_error *err) {
  tn_llm_answer *a = self;
  while (a->given == a->queued && !a->is_done) {
    tn_event event;
    bool there;
    forget_event(a);
    tenon_status status = next_event(a, &event, &there, err);
    if (status) return status;
    if (!there && !a->may_end) break;
    status = there ? a->llm->kind->take(a, &event, err) : tn_llm_finish(a, err);
    if (status) return status;
  }
  *ret = a->given < a->queued ? a->queue[a->given++] : (tenon_event){.struct_size = sizeof *ret};
  return TENON_OK;
}

static void answer_close(void *self) {
  tn_llm_answer *a = self;
  forget_event(a);
  for (size_t i = 0; i < a->call_count; i++) release_call(&a->calls[i]);
  if (a->reply.body.close) a->reply.body.close(a->reply.body.self);
  tn_event_stream_release(&a->stream);
  tn_str_release(&a->words);
  tn_str_release(&a->refusal);
  tn_free(a->queue);
  tn_free(a);
}

/* Some services say in a reply of status 200 what went wrong. */
static tenon_status no_stream(tn_llm_answer *a, tenon_error *err) {
  tn_str text;
  tn_json_text reply;
  tn_str_init(&text, 2 * MAX_REFUSAL);
  tenon_status status = tn_http_text(&a->reply, MAX_REFUSAL, &text, NULL);
  bool is_error = !status && !tn_json_text_check(tn_str_text(&text), text.size, &reply, NULL) &&
                  (tn_llm_member_of(reply, "error").data ||
                   tn_llm_is(tn_llm_member_of(reply, "object"), "error"));
  status = is_error ? tn_llm_broken(a->llm, reply, err)
                    : tn_llm_strange(a->llm, "it is not a stream of events", err);
  tn_str_release(&text);
  return status;
}

static tenon_status check_type(tn_llm_answer *a, tenon_error *err) {
  const char *type = tn_llm_host->http->header(a->reply.exchange, "content-type");
  if (a->llm->kind->framing != TN_EVENT_STREAM || !type ||
      strncasecmp(type, "text/event-stream", 17) == 0)
    return TENON_OK;
  return no_stream(a, err);
}

tenon_status tn_llm_start(tenon_ctx *ctx, tn_llm *l, const char *path, tn_llm_body *body,
                          tenon_events *ret, tenon_error *err) {
  bool lines = l->kind->framing == TN_JSON_LINES;
  tn_llm_answer *a = tn_alloc(sizeof *a);
  if (!a) return tn_no_memory(err);
  a->llm = l;
  a->usage = (tenon_usage)TENON_USAGE_INIT;
  tn_str_init(&a->refusal, 64 << 10);
  tn_event_stream_init(&a->stream, l->kind->framing, TN_LLM_MAX_EVENT);
  tenon_http_reply reply;
  tenon_status status =
      tn_llm_send(ctx, l, path, body, lines ? "application/x-ndjson" : "text/event-stream",
                  MAX_STREAM, &reply, err);
  if (!status) {
    a->reply = reply;
    status = check_type(a, err);
  }
  if (status) {
    answer_close(a);
    return status;
  }
  *ret = (tenon_events){
      .struct_size = sizeof *ret, .self = a, .next = answer_next, .close = answer_close};
  return TENON_OK;
}
