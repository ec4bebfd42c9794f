/* SPDX-License-Identifier: Apache-2.0 */
/* What the services' errors mean. Each kind has a table of its own words; what all of them have is
 * here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm.h"

enum { LONGEST_WAIT_S = 3600, SAID = 600 };

/* What a service says about an error, in whichever of the usual shapes; NULL where it does not. */
typedef struct spoken {
  const char *message, *type, *code;
  char held[SAID]; /* where the message is put together */
} spoken;

/* FastAPI's: {"detail": "…"}, or [{"loc": ["body", "model"], "msg": "…"}], of which the first says it. */
static void listen_to_detail(const tn_json *detail, spoken *ret) {
  const tn_json *first = tn_json_at(detail, 0), *loc = tn_json_get(first, "loc");
  const char *message = tn_llm_text(first, "msg");
  ret->message = tn_json_string(detail);
  if (!message) return;
  size_t n = (size_t)snprintf(ret->held, sizeof ret->held, "%.400s", message);
  for (size_t i = 0; i < tn_json_count(loc) && n < sizeof ret->held; i++) {
    const char *name = tn_json_string(tn_json_at(loc, i));
    if (name)
      n += (size_t)snprintf(ret->held + n, sizeof ret->held - n, "%s%.40s", n && i ? "." : ": ",
                            name);
  }
  ret->message = ret->held;
}

/* {"error": {message, type, code}}, {"error": "…"}, {"message", "type"}, {"detail": …}, or the
 * inner one alone */
static void listen(const tn_json *v, spoken *ret) {
  const tn_json *error = tn_json_get(v, "error");
  *ret = (spoken){.message = tn_json_string(v)};
  if (ret->message) return;
  if (tn_json_string(error)) {
    ret->message = tn_json_string(error);
    ret->type = tn_llm_text(v, "type");
    return;
  }
  if (tn_json_type_of(error) == TN_JSON_OBJECT) v = error;
  ret->message = tn_llm_text(v, "message");
  ret->type = tn_llm_text(v, "type");
  ret->code = tn_llm_text(v, "code");
  if (!ret->code) ret->code = tn_llm_text(tn_json_get(v, "details"), "error_code");
  if (!ret->message) listen_to_detail(tn_json_get(v, "detail"), ret);
}

/* Words in no known shape are shown as they are; a page for browsers says nothing here. */
static void listen_to_text(const char *text, spoken *ret) {
  const char *first = text + strspn(text, " \t\r\n");
  if (!ret->message && *first != '<') ret->message = first;
}

/* ---- Tables ---- */

static bool is_word(const char *wanted, const spoken *s) {
  return (s->code && strcmp(s->code, wanted) == 0) || (s->type && strcmp(s->type, wanted) == 0);
}

static const tn_llm_meaning *find(const tn_llm_meaning *m, int32_t status, const spoken *s) {
  for (; m->status || m->word || m->phrase; m++) {
    if (m->status && m->status != status) continue;
    if (m->word && !is_word(m->word, s)) continue;
    if (m->phrase && !(s->message && strcasestr(s->message, m->phrase))) continue;
    return m;
  }
  return NULL;
}

/* One line, and not too much of it; no stop at its end. */
static void tidy(const char *text, char ret[SAID]) {
  tn_http_quote(text ? text : "", text ? strlen(text) : 0, ret, SAID);
  for (size_t n = strlen(ret); n > 0 && ret[n - 1] == '.'; n--) ret[n - 1] = 0;
}

/* Services put a part of the key into what they say about a wrong one. */
static const char *quotable(const tn_llm *l, const tn_llm_meaning *m, const char *said) {
  if (m->code != TENON_UNAUTHENTICATED) return *said ? said : "an error without a word about it";
  return l->is_anonymous ? "it wants a key, and none is given" : "it does not accept the key";
}

static tenon_status fail_as(const tn_llm *l, const tn_llm_meaning *m, int32_t status,
                            const spoken *s, int32_t retry_after_ms, tenon_error *err) {
  char said[SAID];
  bool first = err && !err->code;
  tidy(s->message ? s->message : s->code ? s->code : s->type, said);
  tenon_fail(err, m->code, m->stage, m->remedy, "%s: %s", l->kind->service, quotable(l, m, said));
  if (!first) return m->code;
  err->retryable = m->retryable;
  err->retry_after_ms = retry_after_ms;
  err->vendor_code = m->vendor_code ? m->vendor_code : status;
  return m->code;
}

/* ---- Refused requests ---- */

/* OpenAI's own header counts milliseconds; the standard's is read by the client. */
static int32_t retry_after_ms(const tenon_http_exchange *x, const tenon_error *plain) {
  const char *text = tn_llm_host->http->header(x, "retry-after-ms");
  char *end;
  if (!text || *text < '0' || *text > '9') return plain->retry_after_ms;
  long ms = strtol(text, &end, 10);
  return *end ? plain->retry_after_ms
              : (int32_t)(ms > LONGEST_WAIT_S * 1000L ? LONGEST_WAIT_S * 1000L : ms);
}

/* Something answers there that has not what this API has. */
static bool is_elsewhere(int32_t status) {
  return status == 404 || status == 405 || (status >= 300 && status < 400);
}

tenon_status tn_llm_refused(const tn_llm *l, const tenon_http_exchange *x, const char *text,
                            size_t size, tenon_error *err) {
  int32_t status = tn_llm_host->http->status(x);
  tenon_error plain = TENON_ERROR_INIT;
  tn_json *json = NULL;
  spoken s = {0};
  if (size && !tn_json_parse_reply(text, size, &json, NULL)) listen(json, &s);
  if (size && !s.code && !s.type) listen_to_text(text, &s);
  const tn_llm_meaning *m = find(l->kind->meanings, status, &s);
  char said[SAID];
  tidy(s.message, said);
  tenon_status code = tn_llm_host->http->refused(x, status == 401 ? NULL : said, NULL, &plain);
  if (m) {
    code = fail_as(l, m, status, &s, retry_after_ms(x, &plain), err);
  } else if (is_elsewhere(status)) {
    code = tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, l->kind->url_remedy,
                      status < 400
                          ? "%s sends on to elsewhere: %s's API is not at this URL (status %d%s%s)"
                          : "%s: there is no API of %s at this URL (status %d%s%s)",
                      l->base.url, l->kind->service, (int)status, *said ? ": " : "", said);
    if (err) err->vendor_code = status;
  } else if (err && !err->code) {
    *err = plain;
    err->retry_after_ms = retry_after_ms(x, &plain);
  }
  tn_json_free(json);
  return code;
}

/* ---- In mid-stream ---- */

tenon_status tn_llm_broken(const tn_llm *l, tn_json_text event, tenon_error *err) {
  static const tn_llm_meaning other = {
      .code = TENON_IO,
      .stage = TENON_STAGE_DATA,
      .retryable = true,
      .remedy = "ask again; if it stays, ask who runs the service"};
  tn_json *json;
  tenon_status status = tn_json_parse_reply(event.data, event.size, &json, err);
  if (status) return status;
  spoken s;
  listen(json, &s);
  const tn_llm_meaning *m = find(l->kind->meanings, 0, &s);
  status = fail_as(l, m ? m : &other, 0, &s, -1, err);
  tn_json_free(json);
  return status;
}

tenon_status tn_llm_declined(const tn_llm *l, int32_t vendor_code, const char *said,
                             tenon_error *err) {
  char text[SAID];
  bool filtered = vendor_code == TENON_MODELS_FILTERED, first = err && !err->code;
  tidy(said, text);
  tenon_fail(
      err, TENON_FORBIDDEN, TENON_STAGE_QUERY,
      filtered
          ? "change what is asked, or have the filter's settings changed where the service lets you"
          : "change what is asked: the model will not answer it as it is",
      "%s: %s%s%s", l->kind->service,
      filtered ? "a content filter stopped the answer" : "the model declined to answer",
      *text ? ": " : "", text);
  if (first) err->vendor_code = vendor_code;
  return TENON_FORBIDDEN;
}

tenon_status tn_llm_overflow(const tn_llm *l, tenon_error *err) {
  bool first = err && !err->code;
  tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY,
             "leave out older messages or shorten them, or take a model with a larger window",
             "%s: the conversation and its answer are longer than the model can take",
             l->kind->service);
  if (!first) return TENON_LIMITED;
  err->vendor_code = TENON_MODELS_CONTEXT_OVERFLOW;
  err->retryable = 0;
  return TENON_LIMITED;
}
