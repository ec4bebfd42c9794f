/* SPDX-License-Identifier: Apache-2.0 */
/* AWS's profile files: whatever is in them is read or refused, and what is read is whole texts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "providers/storage/s3/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text) {
  if (text && (!*text || strpbrk(text, "\n"))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const profiles[] = {"default", "dev", "my dev"};
  for (int i = 0; i < 6; i++) {
    tn_s3_keys keys = {0};
    bool found = false;
    tenon_error err = TENON_ERROR_INIT;
    tenon_status status = tn_s3_read_profile((const char *)data, size, profiles[i / 2], i % 2, &keys, &found, &err);
    if (status && !*err.message) abort();
    check(keys.access_key_id);
    check(keys.secret_access_key);
    check(keys.session_token);
    check(keys.region);
    tn_s3_keys_release(&keys);
  }
  return 0;
}
