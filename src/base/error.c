/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

const char *tenon_status_name(tenon_status s) {
  static const char *const names[] = {
      "OK",      "CONFIG",    "NOT_FOUND", "UNAUTHENTICATED", "FORBIDDEN", "UNREACHABLE", "TLS",  "TIMEOUT",
      "CANCELLED", "LIMITED", "CONFLICT",  "GONE",            "UNSUPPORTED", "DATA",      "IO",   "INTERNAL"};
  return (unsigned)s < sizeof names / sizeof names[0] ? names[s] : "INTERNAL";
}

const char *tenon_stage_name(tenon_stage s) {
  static const char *const names[] = {"",           "config", "dns",  "tcp",   "tls",   "auth",
                                      "permission", "query",  "data", "write", "commit"};
  return (unsigned)s < sizeof names / sizeof names[0] ? names[s] : "";
}

void tn_error_init(tenon_error *err) { *err = (tenon_error)TENON_ERROR_INIT; }

/* Messages quote bytes from outside; a cut in the middle of a UTF-8 sequence is mended, control
 * characters become spaces: an error is one line of text wherever it is shown. */
static void tidy(char *text) {
  size_t n = strlen(text);
  while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80) n--;
  if (n > 0 && (unsigned char)text[n - 1] >= 0xC0) {
    unsigned char lead = (unsigned char)text[n - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (strlen(text + n - 1) < need) text[n - 1] = 0;
  }
  for (char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
  for (n = strlen(text); n > 0 && text[n - 1] == ' '; n--) text[n - 1] = 0;
}

/* What is too big by its own nature (stages config and data) stays so. */
static int is_retryable(tenon_status code, tenon_stage stage) {
  return code == TENON_UNREACHABLE || (code == TENON_LIMITED && stage != TENON_STAGE_DATA && stage != TENON_STAGE_CONFIG);
}

static void set(tenon_error *err, tenon_status code, tenon_stage stage, const char *remedy, const char *message,
                va_list args) {
  uint32_t size = err->struct_size;
  tn_error_init(err);
  if (size) err->struct_size = size;
  err->code = code;
  err->stage = stage;
  err->retryable = (uint8_t)is_retryable(code, stage);
  vsnprintf(err->message, sizeof err->message, message, args);
  tidy(err->message);
  if (remedy) {
    snprintf(err->remedy, sizeof err->remedy, "%s", remedy);
    tidy(err->remedy);
  }
}

tenon_status tenon_fail(tenon_error *err, tenon_status code, tenon_stage stage, const char *remedy,
                        const char *message, ...) {
  if (!err || err->code != TENON_OK) return code;
  va_list args;
  va_start(args, message);
  set(err, code, stage, remedy, message, args);
  va_end(args);
  return code;
}

tenon_status tn_no_memory(tenon_error *err) {
  bool is_first = err && err->code == TENON_OK;
  tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory, or ask for smaller batches", "out of memory");
  if (is_first) err->retryable = 0;
  return TENON_LIMITED;
}

static tenon_status code_of_errno(int errnum) {
  switch (errnum) {
    case ENOENT: case ENOTDIR: return TENON_NOT_FOUND;
    case EACCES: case EPERM: case EROFS: return TENON_FORBIDDEN;
    case EEXIST: return TENON_CONFLICT;
    case ENOMEM: case EMFILE: case ENFILE: case EAGAIN: case ENOSPC: case EDQUOT: case EFBIG: return TENON_LIMITED;
    case ECONNREFUSED: case EHOSTUNREACH: case ENETUNREACH: case ECONNRESET: case EHOSTDOWN: case ENETDOWN:
    case EADDRNOTAVAIL: case EPIPE: return TENON_UNREACHABLE;
    case ETIMEDOUT: return TENON_TIMEOUT;
    case ENAMETOOLONG: case EISDIR: case ELOOP: case EINVAL: return TENON_CONFIG;
    case EOPNOTSUPP: case ENOSYS: return TENON_UNSUPPORTED;
    default: return TENON_IO;
  }
}

tenon_status tn_fail_errno(tenon_error *err, int errnum, tenon_stage stage, const char *remedy, const char *what, ...) {
  tenon_status code = code_of_errno(errnum);
  if (!err || err->code != TENON_OK) return code;
  char text[512], reason[128];
  va_list args;
  va_start(args, what);
  vsnprintf(text, sizeof text, what, args);
  va_end(args);
  const char *why = strerror_r(errnum, reason, sizeof reason);
  return tenon_fail(err, code, stage, remedy, "%s: %s", text, why);
}

void tn_error_prefix(tenon_error *err, const char *format, ...) {
  if (!err || err->code == TENON_OK) return;
  char old[sizeof err->message];
  memcpy(old, err->message, sizeof old);
  va_list args;
  va_start(args, format);
  int n = vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  if (n >= 0 && (size_t)n < sizeof err->message)
    snprintf(err->message + n, sizeof err->message - (size_t)n, "%s", old);
  tidy(err->message);
}

tenon_status tn_pass_error(const tenon_error *from, tenon_error *to) {
  if (!to || to->code) return from->code;
  uint32_t size = to->struct_size;
  *to = *from;
  if (size) to->struct_size = size;
  return from->code;
}
