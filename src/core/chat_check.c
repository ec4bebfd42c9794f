/* SPDX-License-Identifier: Apache-2.0 */
#include "core/chat_check.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/json_schema.h"

enum { MAX_MESSAGES = 10000, MAX_PARTS = 1000, MAX_TOOLS = 128, MAX_STOP = 16, MAX_TOOL_NAME = 64 };
enum { MAX_BYTES = 64 << 20 };

/* `bytes` is how much there is so far, images with it. */
static tenon_status refuse(tenon_error *err, const char *remedy, const char *what) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s", what);
}

static tenon_status check_text(const char *text, const char *what, size_t *bytes,
                               tenon_error *err) {
  size_t size = text ? strlen(text) : 0;
  *bytes += size;
  if (!text || !tn_utf8_valid(text, size, NULL))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give it, in UTF-8", "%s is %s", what,
                      text ? "not UTF-8" : "not given");
  return TENON_OK;
}

static tenon_status check_object(const char *text, const char *what, size_t *bytes,
                                 tenon_error *err) {
  tn_json *v = NULL;
  tenon_error why = TENON_ERROR_INIT;
  *bytes += strlen(text);
  tenon_status status = tn_json_parse(text, strlen(text), &v, &why);
  if (!status && tn_json_type_of(v) != TN_JSON_OBJECT)
    status = refuse(&why, NULL, "it is JSON, but not an object");
  tn_json_free(v);
  if (!status) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write a JSON object: {…}", "%s: %s",
                    what, why.message);
}

/* ---- Parts ---- */

static tenon_status check_image(const tenon_part *p, size_t *bytes, tenon_error *err) {
  *bytes += p->size;
  if ((p->url != NULL) == (p->data != NULL && p->size > 0))
    return refuse(err, "give one of them", "an image has neither bytes nor a URL, or both");
  if (p->url) return check_text(p->url, "an image's URL", bytes, err);
  if (!p->media_type || strncmp(p->media_type, "image/", 6) != 0 ||
      strpbrk(p->media_type, "\r\n\";, "))
    return refuse(err, "say what it is: image/png, image/jpeg, image/gif or image/webp",
                  "an image's media type is not one of images");
  return TENON_OK;
}

static tenon_status check_call(const tenon_part *p, size_t *bytes, tenon_error *err) {
  if (!p->id || !*p->id || !p->name || !*p->name)
    return refuse(err, "give them as the event said them", "a tool call has no id or no name");
  return p->arguments
             ? check_object(p->arguments, "a tool call's arguments", bytes, err)
             : refuse(err, "give a JSON object, {} for none", "a tool call has no arguments");
}

static bool may_stand(tenon_role role, tenon_part_type type) {
  switch (type) {
    case TENON_PART_TEXT: return role != TENON_TOOL;
    case TENON_PART_IMAGE: return role == TENON_USER;
    case TENON_PART_TOOL_CALL: return role == TENON_ASSISTANT;
    case TENON_PART_TOOL_RESULT: return role == TENON_TOOL;
  }
  return false;
}

static tenon_status check_part(tenon_role role, const tenon_part *p, size_t *bytes,
                               tenon_error *err) {
  if (!may_stand(role, p->type))
    return refuse(err,
                  "images are the user's, tool calls the assistant's, and results stand in "
                  "messages of their own",
                  "a message has a part that its role cannot have");
  switch (p->type) {
    case TENON_PART_TEXT: return check_text(p->text, "a message's text", bytes, err);
    case TENON_PART_IMAGE: return check_image(p, bytes, err);
    case TENON_PART_TOOL_CALL: return check_call(p, bytes, err);
    case TENON_PART_TOOL_RESULT: break;
  }
  if (!p->id || !*p->id) return refuse(err, "give the id of the call", "a tool result has no id");
  return check_text(p->text, "a tool's result", bytes, err);
}

/* ---- Messages ---- */

static tenon_status check_message(const tenon_chat *c, size_t i, size_t *bytes, tenon_error *err) {
  const tenon_message *m = &c->messages[i];
  if ((unsigned)m->role > TENON_TOOL)
    return refuse(err, "take system, user, assistant or tool", "a message's role is none");
  if (m->role == TENON_SYSTEM && i && c->messages[i - 1].role != TENON_SYSTEM)
    return refuse(err, "put instructions first", "a system message stands behind others");
  if (!m->part_count || m->part_count > MAX_PARTS)
    return refuse(err, "give it a text", "a message has no parts, or more than 1000");
  for (size_t k = 0; k < m->part_count; k++) {
    tenon_status status = check_part(m->role, &m->parts[k], bytes, err);
    if (status) return status;
  }
  return TENON_OK;
}

static tenon_status check_messages(const tenon_chat *c, size_t *bytes, tenon_error *err) {
  if (!c->message_count || c->messages[c->message_count - 1].role == TENON_SYSTEM)
    return refuse(err, "give a message of the user", "there is nothing to answer");
  if (c->message_count > MAX_MESSAGES)
    return refuse(err, "leave out what is long past", "more than 10000 messages");
  for (size_t i = 0; i < c->message_count; i++) {
    tenon_status status = check_message(c, i, bytes, err);
    if (status) return status;
  }
  return TENON_OK;
}

/* ---- Tools and settings ---- */

static bool is_tool_name(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  size_t size = name ? strlen(name) : 0;
  return size >= 1 && size <= MAX_TOOL_NAME && strspn(name, letters) == size;
}

static tenon_status check_tool(const tenon_chat *c, size_t i, size_t *bytes, tenon_error *err) {
  const tenon_tool *t = &c->tools[i];
  if (!is_tool_name(t->name))
    return refuse(err, "use 1 to 64 of a-z, A-Z, 0-9, _ and -",
                  "a tool has no name that models could call it by");
  for (size_t k = 0; k < i; k++)
    if (strcmp(c->tools[k].name, t->name) == 0)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give each its own",
                        "two tools are called %s", t->name);
  tenon_status status =
      t->description ? check_text(t->description, "a tool's description", bytes, err) : TENON_OK;
  return status || !t->parameters
             ? status
             : check_object(t->parameters, "the schema of a tool's parameters", bytes, err);
}

static tenon_status check_tools(const tenon_chat *c, size_t *bytes, tenon_error *err) {
  if (c->tool_count > MAX_TOOLS) return refuse(err, "give fewer", "more than 128 tools");
  if ((unsigned)c->tool_choice > TENON_TOOLS_REQUIRED || (c->tool_choice && !c->tool_count))
    return refuse(err, "give tools, or leave the choice at automatic", "a choice among no tools");
  for (size_t i = 0; i < c->tool_count; i++) {
    tenon_status status = check_tool(c, i, bytes, err);
    if (status) return status;
  }
  return TENON_OK;
}

/* Whether the answer keeps to it is seen here too, so what is known of it has to make sense. */
static tenon_status check_answer_schema(const char *text, size_t *bytes, tenon_error *err) {
  tn_json_text schema;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = check_object(text, "the schema of the answer", bytes, err);
  if (status || !tn_json_schema_check_known(text, strlen(text), &schema, &why)) return status;
  return refuse(err, "correct the schema: docs/models.md says what is checked", why.message);
}

static tenon_status check_settings(const tenon_chat *c, size_t *bytes, tenon_error *err) {
  if (c->stop_count > MAX_STOP) return refuse(err, "give fewer", "more than 16 texts to stop at");
  for (size_t i = 0; i < c->stop_count; i++) {
    tenon_status status = check_text(c->stop[i], "a text to stop at", bytes, err);
    if (status) return status;
    if (!*c->stop[i]) return refuse(err, "leave it out", "a text to stop at is empty");
  }
  if (c->max_tokens == 0 || c->max_tokens < -1)
    return refuse(err, "allow at least one token", "max_tokens is less than 1");
  if (c->has_temperature && !(c->temperature >= 0 && c->temperature <= 100))
    return refuse(err, "give 0 or a little more: 0.7",
                  "the temperature is not a number that is 0 or more");
  return c->schema ? check_answer_schema(c->schema, bytes, err) : TENON_OK;
}

tenon_status tn_chat_check(const tenon_chat *c, tenon_error *err) {
  size_t bytes = 0;
  if (c->model && !*c->model)
    return refuse(err, "name it, or leave it to the connector", "the model's name is empty");
  tenon_status status = check_messages(c, &bytes, err);
  if (!status) status = check_tools(c, &bytes, err);
  if (!status) status = check_settings(c, &bytes, err);
  if (!status && bytes > MAX_BYTES)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG,
                      "leave out what is long past, and make images smaller",
                      "the conversation has more than %d bytes", MAX_BYTES);
  return status;
}
