/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facet `actions`: systems that do things when they are asked to, by a name and with JSON.
 *
 * An action says with JSON Schema what it takes and what it answers. The core checks the input before
 * the kind sees it and the output before the caller does, so a kind relies on its own schemas.
 *
 * Of JSON Schema (2020-12) these keywords are checked: type, enum, const, properties, required,
 * additionalProperties, items, anyOf, oneOf, allOf, minLength, maxLength, minItems, maxItems,
 * minProperties, maxProperties, minimum, maximum, exclusiveMinimum, exclusiveMaximum. What only
 * describes is taken and has no effect: title, description, default, examples, format, deprecated,
 * readOnly, writeOnly, $schema, $comment, contentMediaType, and names that begin with x-. A schema with
 * any other keyword is refused, since it would mean more than is checked.
 *
 * JSON texts are UTF-8 of at most 16 MiB, 64 levels deep, without duplicate members.
 */
#ifndef TENON_FACETS_ACTIONS_H
#define TENON_FACETS_ACTIONS_H

#include "../base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  TENON_ACTION_READ_ONLY = 1u << 0,   /* changes nothing in the system */
  TENON_ACTION_IDEMPOTENT = 1u << 1   /* twice is the same as once: the core may call it again after a failure */
};

/* What can be asked for. Texts are NUL-terminated. */
typedef struct tenon_action {
  uint32_t struct_size;
  uint32_t flags;              /* TENON_ACTION_… */
  const char *name;            /* letters, digits, _ and -, at most 64 */
  const char *title;           /* a few words; NULL: none */
  const char *description;     /* for whoever chooses between actions, people and models; NULL: none */
  const char *input_schema;    /* JSON Schema of an object */
  const char *output_schema;   /* NULL: any JSON */
} tenon_action;

/* Which actions; NULL: all. A name that is not there is NOT_FOUND. */
typedef struct tenon_actions_list {
  uint32_t struct_size;
  const char *name;
} tenon_actions_list;

/* Ordered by name; everything lives until release, which the kind sets. */
typedef struct tenon_actions {
  uint32_t struct_size;
  const tenon_action *items;
  size_t count;
  void *self;
  void (*release)(struct tenon_actions *);
} tenon_actions;

typedef struct tenon_action_call {
  uint32_t struct_size;
  const char *action;
  const char *input;           /* a JSON object; NULL: {} */
  size_t input_size;
} tenon_action_call;

/* Lives until release. */
typedef struct tenon_action_result {
  uint32_t struct_size;
  const char *output;          /* any JSON; NUL-terminated too */
  size_t output_size;
  void *self;
  void (*release)(struct tenon_action_result *);
} tenon_action_result;

typedef struct tenon_actions_ops {
  uint32_t struct_size;
  /* Mandatory. */
  tenon_status (*list)(tenon_ctx *, void *session, const tenon_actions_list *, tenon_actions *ret, tenon_error *);
  /*
   * Does it once. What the system refused is an error with what it said and its own number; so is an
   * answer that did not come, and then the message says that it may have been done. Mandatory.
   */
  tenon_status (*call)(tenon_ctx *, void *session, const tenon_action_call *, tenon_action_result *ret, tenon_error *);
} tenon_actions_ops;

#ifdef __cplusplus
}
#endif

#endif
