/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twilio: text messages and WhatsApp, free text or from a content template, and what became of them. Sources: Twilio's
 * OpenAPI document of api.twilio.com/2010-04-01 (Messages, Accounts) and its dictionary of error codes.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"
#include "providers/actions_kit.h"
#include "providers/over_http.h"

enum { MAX_REPLY = 1 << 20, MAX_FORM = 256 << 10, SID = 34 };

typedef struct config {
  uint64_t set;
  const char *account_sid, *auth, *auth_token, *api_key_sid, *api_key_secret;
  const char *from, *whatsapp_from, *messaging_service_sid, *status_callback, *base_url;
  tn_http_params reach;
} config;

typedef struct session {
  const config *config;
  tn_http_base url;
  tenon_http *http;
  tn_str authorization;
} session;

static const tenon_host *the_host;

static const char *const auths[] = {"auth_token", "api_key", NULL};

static const tenon_param params[] = {
    {TENON_STRING(config, account_sid), .key = "account_sid", .label = "Account SID", .flags = TENON_REQUIRED,
     .env = "TWILIO_ACCOUNT_SID", .help = "AC and 32 characters, from the console's first page"},
    {TENON_ENUM(config, auth), .key = "auth", .label = "Authentication", .default_value = "auth_token", .choices = auths,
     .help = "by the account's own token, or by an API key that can be revoked alone"},
    {TENON_STRING(config, auth_token), .key = "auth_token", .label = "Auth token", .when = "auth=auth_token",
     .flags = TENON_REQUIRED | TENON_SECRET, .env = "TWILIO_AUTH_TOKEN", .help = "from the console's first page"},
    {TENON_STRING(config, api_key_sid), .key = "api_key_sid", .label = "API key SID", .when = "auth=api_key", .flags = TENON_REQUIRED,
     .env = "TWILIO_API_KEY", .help = "SK and 32 characters"},
    {TENON_STRING(config, api_key_secret), .key = "api_key_secret", .label = "API key secret", .when = "auth=api_key",
     .flags = TENON_REQUIRED | TENON_SECRET, .env = "TWILIO_API_SECRET", .help = "shown once, when the key was made"},
    {TENON_STRING(config, from), .key = "from", .label = "SMS sender", .aliases = "from_number",
     .help = "a number of yours (+15017122661), a short code or a sender ID; where a message names no other"},
    {TENON_STRING(config, whatsapp_from), .key = "whatsapp_from", .label = "WhatsApp sender",
     .help = "the number that is registered with WhatsApp: +14155238886"},
    {TENON_STRING(config, messaging_service_sid), .key = "messaging_service_sid", .label = "Messaging service",
     .help = "MG and 32 characters; it chooses the sender where none is named"},
    {TENON_STRING(config, status_callback), .key = "status_callback", .label = "Status callback", .flags = TENON_ADVANCED,
     .help = "the URL that Twilio tells what becomes of messages"},
    {TENON_STRING(config, base_url), .key = "base_url", .label = "Base URL", .flags = TENON_ADVANCED,
     .default_value = "https://api.twilio.com", .help = "of another region: https://api.dublin.ie1.twilio.com"},
    TN_HTTP_PARAMS(config, reach),
};

/* ---- Names ---- */

static bool is_sid(const char *text, const char *prefix) {
  return strlen(text) == SID && strncmp(text, prefix, 2) == 0 && strspn(text + 2, "0123456789abcdefABCDEF") == SID - 2;
}

/* E.164: a plus sign and 2 to 15 digits, the first of them not 0. */
static bool is_number(const char *text) {
  size_t digits = *text == '+' ? strlen(text + 1) : 0;
  return digits >= 2 && digits <= 15 && text[1] != '0' && strspn(text + 1, "0123456789") == digits;
}

static tenon_status refuse(tenon_error *err, const char *remedy, const char *what, const char *why) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s %s", what, why);
}

static tenon_status check_config(const config *c, tenon_error *err) {
  static const char from_console[] = "copy it from Twilio's console";
  if (!is_sid(c->account_sid, "AC")) return refuse(err, from_console, "account_sid", "is not AC and 32 hexadecimal digits");
  if (strcmp(c->auth, "api_key") == 0 && !is_sid(c->api_key_sid, "SK"))
    return refuse(err, from_console, "api_key_sid", "is not SK and 32 hexadecimal digits");
  if (c->messaging_service_sid && !is_sid(c->messaging_service_sid, "MG"))
    return refuse(err, from_console, "messaging_service_sid", "is not MG and 32 hexadecimal digits");
  if (c->whatsapp_from && !is_number(c->whatsapp_from))
    return refuse(err, "write it with its country: +14155238886", "whatsapp_from", "is not a telephone number");
  return TENON_OK;
}

/* ---- Sessions ---- */

static void close_session(void *self) {
  session *s = self;
  the_host->http->free_client(s->http);
  if (s->authorization.data) tn_wipe(s->authorization.data, s->authorization.size);
  tn_str_release(&s->authorization);
  tn_free(s);
}

static bool take_credentials(session *s) {
  const config *c = s->config;
  bool is_key = strcmp(c->auth, "api_key") == 0;
  return tn_http_basic(&s->authorization, is_key ? c->api_key_sid : c->account_sid, is_key ? c->api_key_secret : c->auth_token);
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *given, void **ret, tenon_error *err) {
  (void)provider;
  session *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->config = given;
  tn_str_init(&s->authorization, 16 << 10);
  tenon_status status = check_config(s->config, err);
  if (!status) status = tn_http_base_parse("base_url", s->config->base_url, &s->url, err);
  if (!status && !take_credentials(s)) status = tn_no_memory(err);
  if (!status) status = tn_http_client(ctx, the_host, &s->config->reach, &s->http, err);
  if (status) {
    close_session(s);
    return status;
  }
  *ret = s;
  return TENON_OK;
}

/* ---- Twilio's codes ---- */

typedef struct meaning {
  int32_t code;
  tenon_status status;
  tenon_stage stage;
  const char *remedy;
} meaning;

/* Of refused requests, and from 30000 on of messages that were taken over and not delivered. */
static const meaning meanings[] = {
    {20003, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, "compare account_sid and auth_token, or the API key, with the console; they belong together, and to this region"},
    {20005, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, "the account is not active: see the console"},
    {20403, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, "the key may not do this: use one that may, or the account's token"},
    {20404, TENON_NOT_FOUND, TENON_STAGE_QUERY, "check the SID, and that it belongs to this account"},
    {20429, TENON_LIMITED, TENON_STAGE_QUERY, "send more slowly: too many requests at once"},
    {21211, TENON_DATA, TENON_STAGE_DATA, "check the recipient's number: +, country, number"},
    {21212, TENON_CONFIG, TENON_STAGE_DATA, "check the sender: a number of yours with SMS, a short code or a sender ID"},
    {21265, TENON_DATA, TENON_STAGE_DATA, "the recipient cannot be a short code"},
    {21266, TENON_DATA, TENON_STAGE_DATA, "sender and recipient are the same number"},
    {21408, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, "allow the recipient's country under Messaging, Geo permissions in the console"},
    {21601, TENON_CONFIG, TENON_STAGE_DATA, "the sender cannot send text messages: take another number"},
    {21602, TENON_DATA, TENON_STAGE_DATA, "give the message a body, media or a template"},
    {21603, TENON_CONFIG, TENON_STAGE_DATA, "name a sender: from, whatsapp_from or messaging_service_sid"},
    {21604, TENON_DATA, TENON_STAGE_DATA, "name a recipient"},
    {21606, TENON_CONFIG, TENON_STAGE_DATA, "the sender is not a number of this account that can reach the recipient"},
    {21608, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, "a trial account sends to verified numbers alone: verify this one in the console, or upgrade"},
    {21610, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, "the recipient has opted out with STOP, and must send START to get messages again"},
    {21611, TENON_LIMITED, TENON_STAGE_QUERY, "the sender's queue is full: send more slowly, or by a messaging service with more senders"},
    {21612, TENON_DATA, TENON_STAGE_DATA, "this sender cannot reach this recipient: take another sender"},
    {21614, TENON_DATA, TENON_STAGE_DATA, "the recipient's number is not a mobile one"},
    {21617, TENON_DATA, TENON_STAGE_DATA, "shorten the body to 1600 characters"},
    {21620, TENON_DATA, TENON_STAGE_DATA, "check media_urls: public URLs of http or https"},
    {21623, TENON_DATA, TENON_STAGE_DATA, "fewer media_urls: ten at most"},
    {21654, TENON_DATA, TENON_STAGE_DATA, "send a content template by a messaging service, or name a sender"},
    {21655, TENON_DATA, TENON_STAGE_DATA, "check content_sid: there is no such template in this account"},
    {21656, TENON_DATA, TENON_STAGE_DATA, "check content_variables: the names are those of the template, the values text"},
    {21703, TENON_CONFIG, TENON_STAGE_DATA, "add senders to the messaging service"},
    {21705, TENON_CONFIG, TENON_STAGE_DATA, "check messaging_service_sid: there is no such service in this account"},
    {30001, TENON_LIMITED, TENON_STAGE_DATA, "the queue overflowed: send again, more slowly"},
    {30002, TENON_FORBIDDEN, TENON_STAGE_DATA, "the account was suspended: see the console"},
    {30003, TENON_UNREACHABLE, TENON_STAGE_DATA, "the telephone is off or out of reach: send again later"},
    {30004, TENON_FORBIDDEN, TENON_STAGE_DATA, "the recipient blocks messages"},
    {30005, TENON_NOT_FOUND, TENON_STAGE_DATA, "the number is not in use: check it"},
    {30006, TENON_UNSUPPORTED, TENON_STAGE_DATA, "the number is a landline or cannot be reached by text messages"},
    {30007, TENON_FORBIDDEN, TENON_STAGE_DATA, "the carrier filtered the message: see Twilio's messaging policy, and register the sender"},
    {30008, TENON_IO, TENON_STAGE_DATA, "the carrier did not say why: send again, and ask Twilio if it stays"},
    {30034, TENON_FORBIDDEN, TENON_STAGE_DATA, "register the sender for A2P 10DLC"},
    {63003, TENON_NOT_FOUND, TENON_STAGE_DATA, "the recipient has no WhatsApp at this number"},
    {63007, TENON_CONFIG, TENON_STAGE_DATA, "check whatsapp_from: it is not a WhatsApp sender of this account"},
    {63016, TENON_FORBIDDEN, TENON_STAGE_DATA, "24 hours after the recipient's last message only approved templates are delivered: use content_sid"},
    {63018, TENON_LIMITED, TENON_STAGE_DATA, "WhatsApp's limit for this sender is reached: send more slowly"},
    {63024, TENON_NOT_FOUND, TENON_STAGE_DATA, "the recipient has no WhatsApp at this number"},
    {63032, TENON_FORBIDDEN, TENON_STAGE_DATA, "WhatsApp does not deliver this to this recipient: they may have opted out of it"},
};

static const meaning *find_meaning(int64_t code) {
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
    if (meanings[i].code == code) return &meanings[i];
  return NULL;
}

/* {"code":21211,"message":"…","more_info":"…","status":400} */
static tenon_status refused(const tenon_http_exchange *x, const tn_str *body, tenon_error *err) {
  tn_json_text root, member;
  tn_str message;
  int64_t code = 0;
  char said[300] = "";
  bool first = err && !err->code;
  tn_str_init(&message, MAX_REPLY);
  if (!tn_json_text_check(tn_str_text(body), body->size, &root, NULL)) {
    if (tn_json_text_get(root, "code", 4, &member)) tn_json_text_integer(member, &code);
    if (tn_action_text(root, "message", &message)) tn_http_quote(tn_str_text(&message), message.size, said, sizeof said);
  }
  tn_str_release(&message);
  const meaning *m = find_meaning(code);
  if (!m) the_host->http->refused(x, said, NULL, err);
  else if (code == 20429) the_host->http->refused(x, said, m->remedy, err);
  else tenon_fail(err, m->status, m->stage, m->remedy, "Twilio %d: %s", (int)code, said);
  if (first && code) err->vendor_code = (int32_t)code;
  return err ? err->code : TENON_DATA;
}

/* ---- Requests ---- */

typedef struct asking {
  tn_str url, body;      /* body: of the reply */
} asking;

static bool begin(asking *a, const session *s) {
  tn_str_init(&a->url, TN_ORIGIN_URL + 512);
  tn_str_init(&a->body, MAX_REPLY);
  return tn_str_printf(&a->url, "%s/2010-04-01/Accounts/%s", s->url.url, s->config->account_sid);
}

static void release(asking *a) {
  tn_str_release(&a->url);
  tn_str_release(&a->body);
}

/* form NULL: GET. A refused request is an error of Twilio's, any other reply a JSON object. */
static tenon_status send(tenon_ctx *ctx, const session *s, asking *a, const tn_str *form, tn_json_text *ret, tenon_error *err) {
  tenon_http_reply reply;
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  const tenon_http_header headers[] = {{"Authorization", tn_str_text(&s->authorization)},
                                       {"Accept", "application/json"},
                                       {"Content-Type", "application/x-www-form-urlencoded"}};
  r.method = form ? "POST" : "GET";
  r.url = tn_str_text(&a->url);
  r.headers = headers;
  r.header_count = form ? 3 : 2;
  r.max_reply = MAX_REPLY;
  r.decompress = true;
  r.once = form != NULL;
  if (form) r.data = form->data, r.data_size = form->size;
  tenon_status status = the_host->http->send(ctx, s->http, &r, &reply, err);
  if (status) return status;
  status = tn_http_text(&reply, MAX_REPLY, &a->body, err);
  if (!status && (reply.status < 200 || reply.status > 299)) status = refused(reply.exchange, &a->body, err);
  else if (!status) status = tn_json_text_check(tn_str_text(&a->body), a->body.size, ret, err);
  reply.body.close(reply.body.self);
  return status;
}

/* ---- Sending ---- */

typedef struct message {
  const session *session;
  tn_json_text input;
  bool is_whatsapp;
  tn_str form, text;      /* text: one value, unquoted */
} message;

static bool add_bytes(message *m, const char *key, const char *prefix, const char *value, size_t size) {
  return (!m->form.size || tn_str_putc(&m->form, '&')) && tn_str_printf(&m->form, "%s=", key) &&
         tn_percent_encode(&m->form, prefix, strlen(prefix), false) && tn_percent_encode(&m->form, value, size, false);
}

static bool take_text(message *m, const char *key) {
  tn_str_clear(&m->text);
  return tn_action_text(m->input, key, &m->text);
}

static tenon_status add_member(message *m, const char *key, const char *parameter, tenon_error *err) {
  if (!take_text(m, key)) return tn_no_memory(err);
  if (!m->text.size) return TENON_OK;
  return add_bytes(m, parameter, "", m->text.data, m->text.size) ? TENON_OK : tn_no_memory(err);
}

static tenon_status add_number(message *m, const char *parameter, const char *what, const char *number, tenon_error *err) {
  const char *plain = m->is_whatsapp && strncmp(number, "whatsapp:", 9) == 0 ? number + 9 : number;
  if (!is_number(plain))
    return refuse(err, "write it with its country and nothing else: +15558675310", what, "is not a telephone number");
  bool ok = add_bytes(m, parameter, m->is_whatsapp ? "whatsapp:" : "", plain, strlen(plain));
  return ok ? TENON_OK : tn_no_memory(err);
}

static tenon_status add_sid(message *m, const char *key, const char *parameter, const char *prefix, tenon_error *err) {
  if (!take_text(m, key)) return tn_no_memory(err);
  if (!m->text.size) return TENON_OK;
  if (!is_sid(tn_str_text(&m->text), prefix)) return refuse(err, "copy it from Twilio's console", key, "is not a SID of its sort");
  return add_bytes(m, parameter, "", m->text.data, m->text.size) ? TENON_OK : tn_no_memory(err);
}

/* The message's own sender, else the connector's; else its messaging service. */
static tenon_status add_sender(message *m, tenon_error *err) {
  const config *c = m->session->config;
  const char *usual = m->is_whatsapp ? c->whatsapp_from : c->from, *service = c->messaging_service_sid;
  bool names_service = tn_action_member(m->input, "messaging_service_sid").data != NULL;
  if (!take_text(m, "from")) return tn_no_memory(err);
  const char *from = m->text.size ? tn_str_text(&m->text) : names_service ? NULL : usual;
  tenon_status status = TENON_OK;
  if (from && m->is_whatsapp) status = add_number(m, "From", "from", from, err);
  else if (from && !add_bytes(m, "From", "", from, strlen(from))) status = tn_no_memory(err);
  if (!status && names_service) return add_sid(m, "messaging_service_sid", "MessagingServiceSid", "MG", err);
  if (status || from) return status;
  if (service) return add_bytes(m, "MessagingServiceSid", "", service, strlen(service)) ? TENON_OK : tn_no_memory(err);
  return refuse(err, m->is_whatsapp ? "set whatsapp_from or messaging_service_sid of the connector, or from in the input"
                                    : "set from or messaging_service_sid of the connector, or from in the input",
                "the message", "has no sender");
}

static tenon_status add_media(message *m, tenon_error *err) {
  tn_json_text urls = tn_action_member(m->input, "media_urls"), url;
  const char *cursor = NULL;
  while (urls.data && tn_json_text_next(urls, &cursor, NULL, &url)) {
    tn_str_clear(&m->text);
    if (!tn_json_text_unquote(url, &m->text) || !add_bytes(m, "MediaUrl", "", tn_str_text(&m->text), m->text.size))
      return tn_no_memory(err);
  }
  return TENON_OK;
}

static tenon_status check_content(const message *m, tenon_error *err) {
  bool is_template = tn_action_member(m->input, "content_sid").data != NULL;
  bool is_free = tn_action_member(m->input, "body").data || tn_action_member(m->input, "media_urls").data;
  if (!is_template && !is_free) return refuse(err, "give body, media_urls or content_sid", "the message", "says nothing");
  if (is_template && is_free)
    return refuse(err, "leave out body and media_urls: the template has them", "the message", "has a template and a text of its own");
  if (!is_template && tn_action_member(m->input, "content_variables").data)
    return refuse(err, "give content_sid, too", "content_variables", "are of a template, and none is named");
  return TENON_OK;
}

static tenon_status add_content(message *m, tenon_error *err) {
  tn_json_text variables = tn_action_member(m->input, "content_variables");
  tenon_status status = check_content(m, err);
  if (!status) status = add_member(m, "body", "Body", err);
  if (!status) status = add_media(m, err);
  if (!status) status = add_sid(m, "content_sid", "ContentSid", "HX", err);
  if (!status && variables.data && !add_bytes(m, "ContentVariables", "", variables.data, variables.size)) status = tn_no_memory(err);
  return status;
}

static tenon_status add_callback(message *m, tenon_error *err) {
  const char *usual = m->session->config->status_callback;
  if (tn_action_member(m->input, "status_callback").data || !usual || !*usual)
    return add_member(m, "status_callback", "StatusCallback", err);
  return add_bytes(m, "StatusCallback", "", usual, strlen(usual)) ? TENON_OK : tn_no_memory(err);
}

static tenon_status fill(message *m, tenon_error *err) {
  if (!take_text(m, "to")) return tn_no_memory(err);
  tenon_status status = add_number(m, "To", "to", tn_str_text(&m->text), err);
  if (!status) status = add_sender(m, err);
  if (!status) status = add_content(m, err);
  if (!status) status = add_callback(m, err);
  if (!status && tn_action_member(m->input, "send_at").data) {
    status = add_member(m, "send_at", "SendAt", err);
    if (!status && !add_bytes(m, "ScheduleType", "", "fixed", 5)) status = tn_no_memory(err);
  }
  return status;
}

/* ---- What is told of a message ---- */

static void put_member(tn_str *out, const char *key, tn_json_text value) {
  tn_str_printf(out, "%s\"%s\":", out->size > 1 ? "," : "", key);
  if (value.data) tn_str_add(out, value.data, value.size);
  else tn_str_puts(out, "null");
}

/* Twilio's names, as they are, and what to do about an error. */
static tenon_status tell(tn_json_text told, tenon_action_result *ret, tenon_error *err) {
  static const char *const members[] = {"sid", "status", "to", "from", "messaging_service_sid", "num_segments", "num_media", "price",
                                        "price_unit", "date_created", "date_sent", "date_updated", "error_code", "error_message"};
  tn_json_text code = tn_action_member(told, "error_code");
  int64_t number = 0;
  tn_str out;
  tn_str_init(&out, MAX_REPLY);
  if (!tn_action_member(told, "sid").data || !tn_action_member(told, "status").data)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check base_url", "the reply is not one of Twilio's: it has no sid and no status");
  tn_str_putc(&out, '{');
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) put_member(&out, members[i], tn_action_member(told, members[i]));
  if (code.data) tn_json_text_integer(code, &number);
  const meaning *m = find_meaning(number);
  if (m) {
    tn_str_puts(&out, ",\"remedy\":");
    tn_json_quote(&out, m->remedy, strlen(m->remedy));
  }
  tn_str_putc(&out, '}');
  return tn_action_reply(&out, ret, err);
}

static tenon_status send_message(tenon_ctx *ctx, const session *s, tn_json_text input, bool is_whatsapp, tenon_action_result *ret,
                                 tenon_error *err) {
  message m = {.session = s, .input = input, .is_whatsapp = is_whatsapp};
  asking a;
  tn_json_text told;
  tenon_error why = TENON_ERROR_INIT;
  tn_str_init(&m.form, MAX_FORM);
  tn_str_init(&m.text, MAX_FORM);
  tenon_status status = fill(&m, err);
  bool begun = !status;
  if (begun && !(begin(&a, s) && tn_str_puts(&a.url, "/Messages.json"))) status = tn_no_memory(err);
  if (!status) {
    status = send(ctx, s, &a, &m.form, &told, &why);
    if (!status) status = tell(told, ret, &why);
    bool was_refused = status && why.vendor_code != 0 && (why.vendor_code < 500 || why.vendor_code > 599);
    if (was_refused) tn_pass_error(&why, err);
    else if (status)
      tn_action_failed(&why, "the message may have been sent all the same", "look at the message log in Twilio's console before you send again", err);
  }
  if (begun) release(&a);
  tn_str_release(&m.form);
  tn_str_release(&m.text);
  return status;
}

static tenon_status message_status(tenon_ctx *ctx, const session *s, tn_json_text input, tenon_action_result *ret, tenon_error *err) {
  asking a;
  tn_json_text told;
  tn_str sid;
  tn_str_init(&sid, 256);
  bool ok = begin(&a, s) && tn_action_text(input, "sid", &sid);
  tenon_status status = ok ? TENON_OK : tn_no_memory(err);
  if (!status && !is_sid(tn_str_text(&sid), "SM") && !is_sid(tn_str_text(&sid), "MM"))
    status = refuse(err, "take it from the answer to send_sms or send_whatsapp", "sid", "is not SM or MM and 32 hexadecimal digits");
  if (!status && !tn_str_printf(&a.url, "/Messages/%s.json", tn_str_text(&sid))) status = tn_no_memory(err);
  if (!status) status = send(ctx, s, &a, NULL, &told, err);
  if (!status) status = tell(told, ret, err);
  tn_str_release(&sid);
  release(&a);
  return status;
}

/* ---- The facet ---- */

#define NUMBER_TO "\"to\":{\"type\":\"string\",\"description\":\"the recipient: +15558675310\"}"
#define MESSAGE_INPUT(from_help) \
  "{\"type\":\"object\",\"required\":[\"to\"],\"additionalProperties\":false," \
  "\"properties\":{" NUMBER_TO "," \
  "\"body\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":1600,\"description\":\"the text\"}," \
  "\"content_sid\":{\"type\":\"string\",\"description\":\"a content template, HX…, in place of body and media_urls\"}," \
  "\"content_variables\":{\"type\":\"object\",\"maxProperties\":100,\"additionalProperties\":{\"type\":\"string\"}," \
  "\"description\":\"the template's variables: {\\\"1\\\": \\\"Ada\\\"}\"}," \
  "\"media_urls\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":10,\"items\":{\"type\":\"string\",\"minLength\":1},\"description\":\"public URLs of pictures and files\"}," \
  "\"from\":{\"type\":\"string\",\"minLength\":1,\"description\":\"" from_help "\"}," \
  "\"messaging_service_sid\":{\"type\":\"string\",\"description\":\"the service that chooses the sender, MG…\"}," \
  "\"status_callback\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the URL that is told what becomes of it\"}," \
  "\"send_at\":{\"type\":\"string\",\"minLength\":1,\"description\":\"later, by a messaging service: 2026-12-24T18:00:00Z\"}}}"

static const char status_input[] =
    "{\"type\":\"object\",\"required\":[\"sid\"],\"additionalProperties\":false,\"properties\":{\"sid\":{\"type\":\"string\","
    "\"description\":\"of the message: SM…, MM…\"}}}";

static const char message_output[] =
    "{\"type\":\"object\",\"required\":[\"sid\",\"status\"],\"properties\":{\"sid\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"string\",\"description\":\"accepted, scheduled, queued, sending, sent, delivered, undelivered, failed, read, canceled\"},"
    "\"error_code\":{\"type\":[\"integer\",\"null\"],\"description\":\"why it was not delivered\"},"
    "\"error_message\":{\"type\":[\"string\",\"null\"]},\"remedy\":{\"type\":\"string\",\"description\":\"what to do about it\"}}}";

enum { STATUS, SMS, WHATSAPP, ACTIONS };

static const tenon_action actions[ACTIONS] = {
    [STATUS] = {.struct_size = sizeof(tenon_action), .name = "message_status", .title = "Message status",
                .description = "What became of a message: whether it was delivered, or why not.", .flags = TENON_ACTION_READ_ONLY,
                .input_schema = status_input, .output_schema = message_output},
    [SMS] = {.struct_size = sizeof(tenon_action), .name = "send_sms", .title = "Send a text message",
             .description = "Sends a text message (SMS, or MMS with media) to a telephone number.",
             .input_schema = MESSAGE_INPUT("the sender: a number of yours, a short code or a sender ID"), .output_schema = message_output},
    [WHATSAPP] = {.struct_size = sizeof(tenon_action), .name = "send_whatsapp", .title = "Send a WhatsApp message",
                  .description = "Sends a WhatsApp message. 24 hours after the recipient's last message only templates (content_sid) are delivered.",
                  .input_schema = MESSAGE_INPUT("the sender: a number that is registered with WhatsApp"), .output_schema = message_output},
};

static tenon_status list(tenon_ctx *ctx, void *self, const tenon_actions_list *request, tenon_actions *ret, tenon_error *err) {
  (void)ctx, (void)self;
  return tn_actions_tell(actions, ACTIONS, request, ret, err);
}

static tenon_status call(tenon_ctx *ctx, void *self, const tenon_action_call *request, tenon_action_result *ret, tenon_error *err) {
  tenon_actions one;
  tn_json_text input;
  const tenon_actions_list named = {.struct_size = sizeof named, .name = request->action};
  tenon_status status = tn_actions_tell(actions, ACTIONS, &named, &one, err);
  if (!status) status = tn_json_text_check(request->input, request->input_size, &input, err);
  if (status) return status;
  if (one.items == &actions[STATUS]) return message_status(ctx, self, input, ret, err);
  return send_message(ctx, self, input, one.items == &actions[WHATSAPP], ret, err);
}

/* ---- Test ---- */

typedef struct question {
  session *session;
  asking asking;
  tn_json_text told;
} question;

/* An API key may read messages, not the account. */
static tenon_status ask(tenon_ctx *ctx, void *arg, tenon_error *err) {
  question *q = arg;
  bool is_key = strcmp(q->session->config->auth, "api_key") == 0;
  bool ok = begin(&q->asking, q->session) && tn_str_puts(&q->asking.url, is_key ? "/Messages.json?PageSize=1" : ".json");
  return ok ? send(ctx, q->session, &q->asking, NULL, &q->told, err) : tn_no_memory(err);
}

static void text_of(tn_json_text object, const char *key, char *ret, size_t room) {
  tn_str text;
  tn_str_init(&text, MAX_REPLY);
  *ret = 0;
  if (tn_action_text(object, key, &text)) tn_http_quote(tn_str_text(&text), text.size, ret, room);
  tn_str_release(&text);
}

static tenon_status judge(const question *q, tenon_test *t, tenon_error *err) {
  char name[80], type[16], status[16];
  if (strcmp(q->session->config->auth, "api_key") == 0) {
    if (!tn_action_member(q->told, "messages").data)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check base_url", "the reply is not one of Twilio's: it has no messages");
    the_host->step_end(t, TENON_PASSED, NULL, "the account's messages can be read");
    return TENON_OK;
  }
  text_of(q->told, "friendly_name", name, sizeof name);
  text_of(q->told, "type", type, sizeof type);
  text_of(q->told, "status", status, sizeof status);
  if (!*status) return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check base_url", "the reply is not one of Twilio's: it has no status");
  if (strcmp(status, "active") != 0)
    return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, "see the console: there may be no credit left", "the account is %s", status);
  bool is_trial = strcmp(type, "Trial") == 0;
  the_host->step_end(t, is_trial ? TENON_WARNED : TENON_PASSED, is_trial ? "verify each recipient's number in the console, or upgrade" : NULL,
                     "the account is active%s", is_trial ? ", a trial: it sends to verified numbers alone" : "");
  the_host->fact(t, "identity", "%s", name);
  return TENON_OK;
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *given, tenon_test *ret, tenon_error *err) {
  void *self;
  tenon_status status = open_session(ctx, provider, given, &self, err);
  if (status) return status;
  question q = {.session = self};
  const config *c = q.session->config;
  status = tn_http_test_reach(ctx, the_host, &c->reach, &q.session->url, ret, err);
  if (!status) {
    status = tn_http_test_ask(ctx, the_host, &c->reach, &q.session->url, ret,
                              strcmp(c->auth, "api_key") == 0 ? "the API key is good" : "the account's token is good", ask, &q, err);
    if (!status) status = judge(&q, ret, err);
    release(&q.asking);
  }
  close_session(self);
  return status;
}

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  the_host = host;
  return TENON_OK;
}

static const tenon_actions_ops actions_ops = {.struct_size = sizeof actions_ops, .list = list, .call = call};

const tenon_provider tn_provider_twilio_messaging = {
    .struct_size = sizeof tn_provider_twilio_messaging,
    .abi = TENON_ABI,
    .kind = "twilio_messaging",
    .category = "messaging",
    .label = "Twilio",
    .summary = "Text messages and WhatsApp by Twilio, and whether they were delivered.",
    .aliases = (const char *const[]){"twilio", NULL},
    .params = TENON_PARAMS(params),
    .config_size = sizeof(config),
    .traits = TENON_SHARED,
    .init = init,
    .test = test,
    .open = open_session,
    .close = close_session,
    .actions = &actions_ops,
};
