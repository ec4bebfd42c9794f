/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facet `models`: systems that answer conversations, and turn texts into vectors.
 *
 * A chat's answer is a stream of events, pulled one after the other as they come: `text` in pieces,
 * whole `tool_call`s, then one `usage` and `done`. An answer that ends in any other way is a
 * failure, also when some of it has come already.
 *
 * Failures that programs want to tell apart have a vendor_code of the facet's own, below; all
 * others have the status of HTTP, or what else the system gave. All texts are UTF-8. What stands in
 * a request is borrowed for the call; arrays in it have elements of a fixed shape.
 */
#ifndef TENON_FACETS_MODELS_H
#define TENON_FACETS_MODELS_H

#include "../stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tenon_error.vendor_code of what models fail with, whatever each system calls it. */
enum {
  TENON_MODELS_RATE_LIMITED = 9001,     /* LIMITED, retryable: too much in a minute */
  TENON_MODELS_OVERLOADED = 9002,       /* LIMITED, retryable: the system is busy with others */
  TENON_MODELS_NO_QUOTA = 9003,         /* LIMITED: no credit is left, or a cap was reached */
  TENON_MODELS_CONTEXT_OVERFLOW = 9004, /* LIMITED: more than the model can take */
  TENON_MODELS_REFUSED = 9005,          /* FORBIDDEN: the model declined to answer */
  TENON_MODELS_FILTERED = 9006,         /* FORBIDDEN: a content filter stopped it */
  TENON_MODELS_NO_MODEL = 9007,         /* NOT_FOUND: no such model, or not for this account */
  TENON_MODELS_TRUNCATED = 9008         /* IO, retryable: the stream ended before its end */
};

/* ---- Conversations ---- */

typedef enum tenon_role {
  TENON_SYSTEM = 0,         /* instructions; the first messages only */
  TENON_USER,
  TENON_ASSISTANT,          /* what the model said before: texts and tool calls */
  TENON_TOOL                /* tool results, behind the message with their calls */
} tenon_role;

typedef enum tenon_part_type {
  TENON_PART_TEXT = 0, TENON_PART_IMAGE, TENON_PART_TOOL_CALL, TENON_PART_TOOL_RESULT
} tenon_part_type;

typedef struct tenon_part {
  tenon_part_type type;
  const char *text;         /* text; tool result: what the tool answered */
  const void *data;         /* image: its bytes, size of them, and what they are: image/png */
  size_t size;
  const char *media_type;
  const char *url;          /* image: instead of data; UNSUPPORTED where none are fetched */
  const char *id;           /* tool call and result: which call, as its event said */
  const char *name;         /* tool call: which tool */
  const char *arguments;    /* tool call: a JSON object */
  uint8_t is_error;         /* tool result: the tool failed, and text says why */
} tenon_part;

typedef struct tenon_message {
  tenon_role role;
  const tenon_part *parts;
  size_t part_count;
} tenon_message;

/* What the model may ask its caller to do. */
typedef struct tenon_tool {
  const char *name;         /* 1 to 64 of a-z, A-Z, 0-9, _ and - */
  const char *description;
  const char *parameters;   /* JSON Schema of an object; NULL: no arguments */
} tenon_tool;

typedef enum tenon_tool_choice {
  TENON_TOOLS_AUTO = 0, TENON_TOOLS_NONE, TENON_TOOLS_REQUIRED
} tenon_tool_choice;

/* A setting that a system does not have is UNSUPPORTED, never left out in silence. */
typedef struct tenon_chat {
  uint32_t struct_size;
  const char *model;        /* NULL: the connector's */
  const tenon_message *messages;
  size_t message_count;
  const tenon_tool *tools;
  size_t tool_count;
  tenon_tool_choice tool_choice;
  const char *schema;       /* JSON Schema that the answer's text has to keep to; NULL: free text */
  const char *const *stop;  /* the answer ends before any of these */
  size_t stop_count;
  int64_t max_tokens;       /* of the answer; -1: the system's own limit */
  int64_t seed;             /* where has_seed: the same answer again, as far as the system can */
  double temperature;       /* where has_temperature: 0 and more */
  uint8_t has_seed, has_temperature;
} tenon_chat;

#define TENON_CHAT_INIT \
  { sizeof(tenon_chat), NULL, NULL, 0, NULL, 0, TENON_TOOLS_AUTO, NULL, NULL, 0, -1, 0, 0, 0, 0 }

/* ---- Answers ---- */

/* Tokens; -1: the system did not say. */
typedef struct tenon_usage {
  int64_t input;            /* all that was read, with the two below */
  int64_t cached;           /* of them: came from the system's cache */
  int64_t cache_written;    /* of them: put into it */
  int64_t output;
  int64_t cost_nano;        /* billionths of a US dollar, by the price table; -1: unknown */
} tenon_usage;

#define TENON_USAGE_INIT { -1, -1, -1, -1, -1 }

typedef enum tenon_finish {
  TENON_FINISH_STOP = 0,    /* it said all, or met one of the stop texts */
  TENON_FINISH_LENGTH,      /* max_tokens, or the model's own limit */
  TENON_FINISH_TOOL_CALLS,  /* it waits for the results of its calls */
  TENON_FINISH_OTHER        /* a reason of the system's own */
} tenon_finish;

typedef enum tenon_event_type {
  TENON_EVENT_END = 0, TENON_EVENT_TEXT, TENON_EVENT_TOOL_CALL, TENON_EVENT_USAGE, TENON_EVENT_DONE
} tenon_event_type;

/* Texts are valid until the stream is asked again or closed. */
typedef struct tenon_event {
  uint32_t struct_size;
  tenon_event_type type;
  const char *text;         /* text: the next piece, size bytes, with a NUL behind them */
  size_t size;
  const char *id, *name, *arguments;   /* tool_call: arguments is a JSON object */
  tenon_usage usage;
  tenon_finish finish;      /* done */
  const char *model;        /* done: what answered, as the system calls it; may be NULL */
  const char *reason;       /* done with OTHER: the system's word for it */
} tenon_event;

/*
 * The answer as it comes. The context that the operation got stays valid until close. `next` gives
 * END behind the last; a kind that gives it before `done` has a stream that broke off, which the
 * core makes TRUNCATED. Closing in the middle drops the connection: the system stops working.
 */
typedef struct tenon_events {
  uint32_t struct_size;
  void *self;
  tenon_status (*next)(void *self, tenon_event *ret, tenon_error *);
  void (*close)(void *self);
} tenon_events;

/* ---- Models and embeddings ---- */

/* Which models; NULL: all. */
typedef struct tenon_models_list {
  uint32_t struct_size;
  const char *model;
} tenon_models_list;

typedef struct tenon_embed {
  uint32_t struct_size;
  const char *model;        /* NULL: the connector's */
  const char *const *texts; /* none of them empty */
  size_t count;             /* a kind gets no more than its max_texts and max_bytes at once */
  int32_t dimension;        /* 0: the model's own */
} tenon_embed;

enum { TENON_MAX_EMBEDDED = 65536 };   /* texts in one call */

/* count × dimension numbers, row by row in the order of the texts; of host->resize, the taker's.
 * The core checks that there is one row for each text, and that all are finite. */
typedef struct tenon_embeddings {
  uint32_t struct_size;
  int32_t dimension;
  size_t count;
  float *vectors;
  tenon_usage usage;        /* of all of them */
} tenon_embeddings;

typedef struct tenon_models_ops {
  uint32_t struct_size;
  int32_t max_texts, max_bytes;   /* of one embed; a single text may be longer */
  /* Rows (id utf8, name utf8, owner utf8, created timestamp[us, UTC], bytes int64), all but id
   * nullable, by id. Mandatory. */
  tenon_status (*list)(tenon_ctx *, void *session, const tenon_models_list *, tenon_stream *ret,
                      tenon_error *);
  /* Mandatory. */
  tenon_status (*chat)(tenon_ctx *, void *session, const tenon_chat *, tenon_events *ret,
                      tenon_error *);
  tenon_status (*embed)(tenon_ctx *, void *session, const tenon_embed *, tenon_embeddings *ret,
                       tenon_error *);
} tenon_models_ops;

#ifdef __cplusplus
}
#endif

#endif
