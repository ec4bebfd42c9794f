/* SPDX-License-Identifier: Apache-2.0 */
/* What the service's errors mean. Source: S3 API reference, "Error responses". */
#include <stdio.h>
#include <string.h>

#include "s3.h"

typedef struct meaning {
  const char *code;
  tenon_status status;
  tenon_stage stage;
  bool retryable;
  const char *remedy;
} meaning;

static const meaning meanings[] = {
    {"SignatureDoesNotMatch", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "check secret_access_key: it is not the one of this access_key_id"},
    {"InvalidAccessKeyId", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "check access_key_id: the service does not know it"},
    {"XAdminUserNotFound", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "check access_key_id: the service does not know it"},
    {"InvalidToken", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "check session_token: it does not belong to this access_key_id"},
    {"ExpiredToken", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "get a new session token: this one has expired"},
    {"TokenRefreshRequired", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "get a new session token"},
    {"RequestTimeTooSkewed", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "set this machine's clock: it differs from the service's by more than 15 minutes"},
    {"RequestExpired", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "set this machine's clock"},
    {"AccessDenied", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false, "have the bucket's policy or the user's allow it; without keys only public buckets can be read"},
    {"AllAccessDisabled", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false, "ask the bucket's owner"},
    {"AccountProblem", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false, "ask the service about the account"},
    {"NoSuchBucket", TENON_NOT_FOUND, TENON_STAGE_QUERY, false, "check the bucket's name, and that it is at this endpoint"},
    {"NoSuchKey", TENON_NOT_FOUND, TENON_STAGE_QUERY, false, "check the key; `tenon ls` lists what is there"},
    {"NoSuchUpload", TENON_GONE, TENON_STAGE_WRITE, false, "begin the upload anew: it was aborted"},
    {"InvalidBucketName", TENON_CONFIG, TENON_STAGE_CONFIG, false, "check the bucket's name"},
    {"AuthorizationHeaderMalformed", TENON_CONFIG, TENON_STAGE_AUTH, false, "check region"},
    {"PermanentRedirect", TENON_CONFIG, TENON_STAGE_QUERY, false, "set region to the bucket's"},
    {"TemporaryRedirect", TENON_CONFIG, TENON_STAGE_QUERY, true, "set region to the bucket's, or wait until its name is known everywhere"},
    {"IllegalLocationConstraintException", TENON_CONFIG, TENON_STAGE_QUERY, false, "set region to the bucket's"},
    {"PreconditionFailed", TENON_CONFLICT, TENON_STAGE_WRITE, false, "look at what is there, then decide"},
    {"ConditionalRequestConflict", TENON_CONFLICT, TENON_STAGE_WRITE, true, "try again: it was being written by somebody else"},
    {"OperationAborted", TENON_CONFLICT, TENON_STAGE_WRITE, true, "try again"},
    {"InvalidObjectState", TENON_UNSUPPORTED, TENON_STAGE_QUERY, false, "restore the object from its archive first"},
    {"InvalidRange", TENON_DATA, TENON_STAGE_QUERY, false, "ask for a range within its size"},
    {"EntityTooLarge", TENON_LIMITED, TENON_STAGE_WRITE, false, "write a smaller object"},
    {"QuotaExceeded", TENON_LIMITED, TENON_STAGE_WRITE, false, "have the quota raised, or delete what is not needed"},
    {"SlowDown", TENON_LIMITED, TENON_STAGE_QUERY, true, "ask less often, or wait"},
    {"RequestTimeout", TENON_UNREACHABLE, TENON_STAGE_QUERY, true, "try again"},
    {"ServiceUnavailable", TENON_UNREACHABLE, TENON_STAGE_QUERY, true, "try again later"},
    {"InternalError", TENON_IO, TENON_STAGE_QUERY, true, "try again; if it stays, ask who runs the service"},
    {"BadDigest", TENON_DATA, TENON_STAGE_WRITE, true, "try again: the bytes changed on their way"},
    {"XAmzContentChecksumMismatch", TENON_DATA, TENON_STAGE_WRITE, true, "try again: the bytes changed on their way"},
    {"NotImplemented", TENON_UNSUPPORTED, TENON_STAGE_QUERY, false, "the service cannot do that"},
};

static const meaning *find_meaning(const char *code) {
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
    if (strcmp(meanings[i].code, code) == 0) return &meanings[i];
  return NULL;
}

/* Where the bucket is, if the service says so and it is elsewhere. */
static bool other_region(const tn_s3 *s, const tenon_http_exchange *x, const char *text, size_t size, char *ret,
                         size_t room) {
  const char *region = tn_s3_host->http->header(x, "x-amz-bucket-region");
  if (region) snprintf(ret, room, "%s", region);
  bool found = region || tn_s3_element(text, size, "Region", ret, room);
  return found && *ret && strcmp(ret, s->region) != 0;
}

#define WITHOUT_KEYS \
  "the request had no keys: give access_key_id and secret_access_key, or credentials=environment to take them from AWS_ACCESS_KEY_ID " \
  "and its like"

static bool is_without_keys(const tn_s3 *s, tenon_status status) {
  return !s->identity && !s->is_renewable && (status == TENON_FORBIDDEN || status == TENON_UNAUTHENTICATED);
}

static void set_remedy(const tn_s3 *s, const tenon_http_exchange *x, const char *text, size_t size,
                       const char *code, tenon_error *err) {
  char region[64], endpoint[200];
  if (other_region(s, x, text, size, region, sizeof region))
    snprintf(err->remedy, sizeof err->remedy, "set region to %s: the bucket %s is there, not in %s", region,
             s->config->bucket, s->region);
  else if (is_without_keys(s, err->code))
    snprintf(err->remedy, sizeof err->remedy, "%s", WITHOUT_KEYS);
  else if (strcmp(code, "PermanentRedirect") == 0 && tn_s3_element(text, size, "Endpoint", endpoint, sizeof endpoint))
    snprintf(err->remedy, sizeof err->remedy, "set endpoint to %s: the bucket is there", endpoint);
}

/* HEAD has no body to say it. What 403, 404 and 503 are of, nobody can tell then: the key, the bucket, a proxy. */
static const char *implied_code(const tn_s3 *s, const tenon_http_exchange *x) {
  char region[64];
  switch (tn_s3_host->http->status(x)) {
    case 301: return "PermanentRedirect";
    case 400: return other_region(s, x, "", 0, region, sizeof region) ? "AuthorizationHeaderMalformed" : "";
    case 412: return "PreconditionFailed";
    case 416: return "InvalidRange";
    default: return "";
  }
}

/* Some services repeat the header that they refuse. */
static void hide_signatures(char *text) {
  for (char *at = text; (at = strstr(at, "Signature="));) {
    at += strlen("Signature=");
    size_t size = strspn(at, "0123456789abcdefABCDEF");
    memset(at, '*', size);
  }
}

static tenon_status fail_without_code(const tn_s3 *s, const tenon_http_exchange *x, const char *text, size_t size, tenon_error *err) {
  char plain[300], said[340];
  int32_t status = tn_s3_host->http->status(x);
  const char *remedy = status == 403 && is_without_keys(s, TENON_FORBIDDEN) ? "check the endpoint; " WITHOUT_KEYS
                       : status == 404 ? "check the key, the bucket's name and the endpoint; `tenon ls` lists what is there"
                       : status == 403 ? "check the endpoint, the keys, and what they may do: a proxy before the service may have said this"
                                       : NULL;
  tn_s3_plain_text(text, size, plain, sizeof plain);
  hide_signatures(plain);
  snprintf(said, sizeof said, "%s%s%s", remedy ? "no S3 error says why" : "", remedy && *plain ? ": " : "", plain);
  return tn_s3_host->http->refused(x, said, remedy, err);
}

static tenon_status fail(const tn_s3 *s, const tenon_http_exchange *x, const char *text, size_t size,
                         const char *code, tenon_error *err) {
  char said[300] = "";
  tn_s3_element(text, size, "Message", said, sizeof said);
  hide_signatures(said);
  for (size_t n = strlen(said); n && said[n - 1] == '.';) said[--n] = 0;
  const meaning *m = find_meaning(code);
  if (!m && !*said && !*code) return fail_without_code(s, x, text, size, err);
  if (!m) return tn_s3_host->http->refused(x, *said ? said : code, NULL, err);
  tenon_error plain = TENON_ERROR_INIT;
  bool first = err && !err->code;
  tn_s3_host->http->refused(x, NULL, NULL, &plain);
  tenon_fail(err, m->status, m->stage, m->remedy, "%s: %s%s%s", s->config->bucket, code, *said ? ": " : "", said);
  if (first) {
    err->retryable = m->retryable;
    err->retry_after_ms = plain.retry_after_ms;
    err->vendor_code = tn_s3_host->http->status(x);
    set_remedy(s, x, text, size, code, err);
  }
  return m->status;
}

tenon_status tn_s3_refused(const tn_s3 *s, const tenon_http_exchange *x, const char *text, size_t size,
                           tenon_error *err) {
  char code[80] = "";
  if (!tn_s3_element(text, size, "Code", code, sizeof code)) snprintf(code, sizeof code, "%s", implied_code(s, x));
  return fail(s, x, text, size, code, err);
}

tenon_status tn_s3_error_within(const tn_s3 *s, const tenon_http_exchange *x, const char *text, size_t size,
                                tenon_error *err) {
  char code[80] = "";
  if (!tn_s3_element(text, size, "Error/Code", code, sizeof code)) return TENON_OK;
  return fail(s, x, text, size, code, err);
}
