/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds of language models share: one session over HTTP, requests and replies in JSON, an
 * answer as it comes, what refusals mean, prices, the steps of a test.
 *
 *   llm.c          parameters, URLs, opening, requests and their replies
 *   llm_body.c     bodies of requests
 *   llm_answer.c   an answer: events of the reply's stream into events of the facet
 *   llm_refusal.c  what the services' errors mean
 *   llm_rows.c     lists of models, vectors of embeddings
 *   llm_price.c    what tokens cost (llm_price.def)
 *   llm_test.c     the test of a connection
 */
#ifndef TN_PROVIDERS_LLM_H
#define TN_PROVIDERS_LLM_H

#include "arrow/build.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/percent.h"
#include "net/event_stream.h"
#include "providers/over_http.h"

enum {
  TN_LLM_MAX_REQUEST = 96 << 20,
  TN_LLM_MAX_EVENT = 8 << 20,
  TN_LLM_MAX_CALLS = 128,            /* of tools, in one answer */
  TN_LLM_MAX_ARGUMENTS = 8 << 20,    /* of all of them together */
  TN_LLM_HEADERS = 8
};

/* ---- Parameters that all of them have: a member of each kind's config ---- */

typedef struct tn_llm_params {
  const char *model, *embedding_model;
  tn_http_params reach;
} tn_llm_params;

#define TN_LLM_MODEL_PARAMS(T, m) \
  {TENON_STRING(T, m.model), .key = "model", .label = "Model", \
   .help = "the model that answers, unless a request names another"}

#define TN_LLM_EMBEDDING_PARAMS(T, m) \
  {TENON_STRING(T, m.embedding_model), .key = "embedding_model", .label = "Embedding model", \
   .help = "the model that makes vectors of texts; `model` where it is not given"}

/* ---- A session ---- */

/* One row of what a service's errors mean; the first that fits. */
typedef struct tn_llm_meaning {
  int32_t status;            /* of HTTP; 0: any, also of an error in mid-stream */
  const char *word;          /* the error's own code or type; NULL: any */
  const char *phrase;        /* in its message, whatever the case; NULL: any */
  tenon_status code;
  tenon_stage stage;
  int32_t vendor_code;       /* TENON_MODELS_…; 0: the status */
  bool retryable;
  const char *remedy;
} tn_llm_meaning;

typedef struct tn_llm tn_llm;
typedef struct tn_llm_answer tn_llm_answer;

typedef struct tn_llm_kind {
  const char *service;                   /* OpenAI */
  size_t params_at, url_at;              /* in the configuration: a tn_llm_params, a const char * */
  /* Who asks: the headers, and whether there is a key at all. */
  tenon_status (*identify)(tn_llm *, const void *config, tenon_error *);
  const char *url_key;                   /* the parameter that says where it is */
  const char *url_remedy;                /* what to do when there is something else at that URL */
  tn_event_framing framing;
  const tn_llm_meaning *meanings;        /* NULL word, phrase and status 0: the end */
  /* An event of an answer's stream: pushes what it means. */
  tenon_status (*take)(tn_llm_answer *, const tn_event *, tenon_error *);
  /* The test's requests: one that shows who is asked as whom, one that shows that the model
   * answers. */
  tenon_status (*greet)(tenon_ctx *, tn_llm *, tenon_test *, tenon_error *);
  tenon_status (*probe)(tenon_ctx *, tn_llm *, tenon_test *, tenon_error *);
} tn_llm_kind;

/* Shared by threads: nothing in it changes after open. */
struct tn_llm {
  const tn_llm_kind *kind;
  const tn_llm_params *params;
  const void *config;                    /* of the kind */
  tenon_http *http;
  tenon_http_header headers[TN_LLM_HEADERS];
  size_t header_count;
  bool is_anonymous;                     /* no key is sent */
  tn_arena arena;                        /* of the headers' values */
  tn_http_base base;
};

/* For URLs of kinds, kind://host:port/path?key=value: what stands before the query is the parameter
 * `key`, with that scheme; nothing there leaves it at its default. */
tenon_status tn_llm_parse_url(const char *url, const char *key, const char *scheme, tn_url_set,
                              void *arg, tenon_error *);

/* A session (*ret is a tn_llm) that can make requests; none is made. */
tenon_status tn_llm_open(tenon_ctx *, const tn_llm_kind *, const void *config, void **ret,
                         tenon_error *);
void tn_llm_close(void *llm);
/* value is copied, behind the prefix; nothing is added where it is NULL or empty. */
tenon_status tn_llm_header(tn_llm *, const char *name, const char *prefix, const char *value,
                           tenon_error *);

/* The model that a request means. CONFIG: none is named. */
tenon_status tn_llm_model(const tn_llm *, const char *asked, bool embeds, const char **ret,
                          tenon_error *);

/* ---- llm_body.c: a request's body in JSON; `{` is written ---- */

typedef struct tn_llm_body {
  tn_str text;
  tn_json_writer json;
} tn_llm_body;

void tn_llm_body_init(tn_llm_body *);
void tn_llm_body_release(tn_llm_body *);
void tn_llm_put(tn_llm_body *, const char *key, const char *text);
void tn_llm_put_raw(tn_llm_body *, const char *key, const char *json);
void tn_llm_put_bool(tn_llm_body *, const char *key, bool);
void tn_llm_put_integer(tn_llm_body *, const char *key, int64_t);
void tn_llm_put_number(tn_llm_body *, const char *key, double);
void tn_llm_put_texts(tn_llm_body *, const char *key, const char *const *texts, size_t count);
/* How many parts of a type a message has. */
size_t tn_llm_parts(const tenon_message *, tenon_part_type);
/* The message's texts as one, at "content". */
tenon_status tn_llm_put_content(tn_llm_body *, const tenon_message *, tenon_error *);
/* A string: the prefix, and the bytes in base64. */
tenon_status tn_llm_put_base64(tn_llm_body *, const char *prefix, const void *data, size_t size,
                               tenon_error *);
/* "tools": [{"type": "function", "function": …}]; nothing where there are none. */
void tn_llm_put_functions(tn_llm_body *, const tenon_chat *);

/* ---- llm.c again: requests ---- */

/* Sends it (body NULL: GET) and parses the reply; the caller frees *ret. Refusals are failures. */
tenon_status tn_llm_ask(tenon_ctx *, tn_llm *, const char *path, tn_llm_body *, int64_t max_reply,
                        tn_json **ret, tenon_error *);
/* The reply as it comes; refusals are failures. The body is closed where it fails. */
tenon_status tn_llm_send(tenon_ctx *, tn_llm *, const char *path, tn_llm_body *, const char *accept,
                         int64_t max_reply, tenon_http_reply *ret, tenon_error *);
/* What is answered does not keep to the service's own protocol. */
tenon_status tn_llm_strange(const tn_llm *, const char *what, tenon_error *);
/* It is the service, and still its reply is wrong. */
tenon_status tn_llm_wrong(const tn_llm *, const char *what, tenon_error *);

/* A member of an object as text or as a count; NULL and -1 where it is not there, or of another
 * type. */
const char *tn_llm_text(const tn_json *, const char *key);
int64_t tn_llm_count(const tn_json *, const char *key);

/* ---- llm_refusal.c ---- */

/* What a reply that is no success means; text is its body. */
tenon_status tn_llm_refused(const tn_llm *, const tenon_http_exchange *, const char *text,
                            size_t size, tenon_error *);
/* An error in mid-stream: the event that has it. */
tenon_status tn_llm_broken(const tn_llm *, tn_json_text event, tenon_error *);
/* The model would not, or a filter would not let it; said may be NULL. */
tenon_status tn_llm_declined(const tn_llm *, int32_t vendor_code, const char *said, tenon_error *);
/* The model's window is full: in mid-answer, too. */
tenon_status tn_llm_overflow(const tn_llm *, tenon_error *);

/* ---- llm_answer.c ---- */

typedef struct tn_llm_call {
  int64_t index;
  char *id, *name;
  tn_str arguments;
} tn_llm_call;

struct tn_llm_answer {
  const tn_llm *llm;
  tenon_http_reply reply;
  tn_event_stream stream;
  tenon_event *queue;                /* what one event of the stream gave */
  size_t queued, given, room;
  tn_json_text event; /* the one that the queue was made of; the stream's until the next one */
  tn_str words;       /* what strings of it say; does not move while it is looked at */
  tn_llm_call calls[TN_LLM_MAX_CALLS];
  size_t call_count, argument_bytes;
  tenon_usage usage;
  tenon_finish finish;
  char reason[64];                   /* the service's own, where finish is OTHER */
  bool is_done;
  bool may_end;                      /* it said why it ends: the body's end is its end, too */
  char model[256];                   /* as the service calls it */
  tn_str refusal;
};

/* Sends the conversation; *ret is its answer's stream. */
tenon_status tn_llm_start(tenon_ctx *, tn_llm *, const char *path, tn_llm_body *, tenon_events *ret,
                          tenon_error *);

/* Checks that the event is a JSON object, and makes it the answer's. */
tenon_status tn_llm_parse(tn_llm_answer *, const tn_event *, tenon_error *);

/* A member of an object of the event; data NULL where it is not there, or null. */
typedef struct tn_llm_member {
  const char *key;
  tn_json_text value;
} tn_llm_member;

/* All that are wanted in one walk. What is no object has none. */
void tn_llm_members(tn_json_text object, tn_llm_member *members, size_t count);
tn_json_text tn_llm_member_of(tn_json_text object, const char *key);
/* What a string of the event says, until the next one; each string once. NULL: it is none. */
tenon_status tn_llm_say(tn_llm_answer *, tn_json_text, const char **ret, tenon_error *);
bool tn_llm_is(tn_json_text string, const char *text);
int64_t tn_llm_number(tn_json_text);          /* a count; -1: it is none */

/* As the service calls it, the first time it says so. */
void tn_llm_set_model(tn_llm_answer *, tn_json_text);
/* Nothing where it is no string, or an empty one. */
tenon_status tn_llm_push_text(tn_llm_answer *, tn_json_text, tenon_error *);
/* The call with that index, made if there is none. */
tenon_status tn_llm_call_at(tn_llm_answer *, int64_t index, tn_llm_call **ret, tenon_error *);
/* Its id and name where they are there, and more of its arguments: JSON, not a string of it. */
tenon_status tn_llm_call_name(tn_llm_answer *, tn_llm_call *, tn_json_text id, tn_json_text name,
                              tenon_error *);
tenon_status tn_llm_call_add(tn_llm_answer *, tn_llm_call *, const char *arguments, size_t size,
                             tenon_error *);
/* All calls, the usage with its cost, and done: the answer is whole. */
tenon_status tn_llm_finish(tn_llm_answer *, tenon_error *);

/* ---- llm_rows.c ---- */

/* A model, to be listed; texts NULL, numbers INT64_MIN where they are unknown. */
typedef struct tn_llm_listed {
  const char *id, *name, *owner;
  int64_t created_us, bytes;
} tn_llm_listed;

typedef struct tn_llm_listing {
  tn_llm_listed *items;
  size_t count, room;
  tn_arena arena;
  const char *only;                  /* this model alone; NULL: all */
} tn_llm_listing;

void tn_llm_listing_init(tn_llm_listing *, const char *only);
void tn_llm_listing_release(tn_llm_listing *);
tenon_status tn_llm_list_add(tn_llm_listing *, const tn_llm_listed *,
                             tenon_error *); /* texts are copied */
/* Sorted by id. */
tenon_status tn_llm_list_rows(tn_llm_listing *, tenon_stream *ret, tenon_error *);
/* "2025-06-01T12:00:00.5Z" and the like in microseconds; INT64_MIN: it is not one. */
int64_t tn_llm_time(const char *);

/* Vectors of a reply. */
typedef struct tn_llm_vectors {
  float *items;
  bool *seen;
  size_t count, wanted;
  int32_t dimension;
} tn_llm_vectors;

/* The vector at `index` of `wanted` ones; each once. */
tenon_status tn_llm_take_vector(const tn_llm *, tn_llm_vectors *, int64_t index,
                                const tn_json *numbers, tenon_error *);
/* All of them are there: they are the reply's from now on. */
tenon_status tn_llm_vectors_give(const tn_llm *, tn_llm_vectors *, tenon_embeddings *ret,
                                 tenon_error *);
void tn_llm_vectors_release(tn_llm_vectors *);

/* ---- llm_price.c ---- */

/* Fills usage->cost_nano in where the service is the vendor's own and has a price for the model. */
void tn_llm_price(const tn_llm *, const char *model, tenon_usage *);

/* ---- llm_test.c ---- */

/* The step probe by asking the models for a few tokens: what is missing of quota and rights shows
 * in no other way. */
tenon_status tn_llm_try(tenon_ctx *, tn_llm *, const tenon_models_ops *, tenon_test *,
                        tenon_error *);
/* dns, tcp, tls, auth, probe. */
tenon_status tn_llm_test(tenon_ctx *, const tn_llm_kind *, const void *config, tenon_test *,
                         tenon_error *);

extern const tenon_host *tn_llm_host;
tenon_status tn_llm_init(const tenon_host *, tenon_error *);

#endif
