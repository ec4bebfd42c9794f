/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: any text parses or is refused, and what is printed of it stays within bounds. */
#include <stdlib.h>

#include "base/error.h"
#include "core/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = tn_strndup((const char *)data, size);
  tn_target t;
  tenon_error err = TENON_ERROR_INIT;
  if (!text) return 0;
  if (tn_target_parse(text, &t, &err) == TENON_OK) {
    if (!t.base || !*t.base || (t.table && !*t.table) || (t.schema && !t.table)) abort();
    tn_target_release(&t);
  } else if (err.code == TENON_OK || !*err.message) {
    abort();
  }
  char *shown = tn_target_redacted(text, NULL);
  tn_free(shown);
  tn_free(text);
  return 0;
}
