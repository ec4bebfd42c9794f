/* SPDX-License-Identifier: Apache-2.0 */
#include "net/token.h"

tenon_status tn_token(tenon_ctx *ctx, const tenon_token_source *source, int64_t valid_ms, tenon_token *ret,
                      tenon_error *err) {
  (void)ctx, (void)source, (void)valid_ms, (void)ret;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_AUTH, NULL, "no token keeper yet");
}

tenon_status tn_token_refused(tenon_ctx *ctx, const tenon_token_source *source, const char *token,
                              tenon_error *err) {
  (void)ctx, (void)source, (void)token, (void)err;
  return TENON_OK;
}
