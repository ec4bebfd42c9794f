/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: any text parses into whole conditions or is refused with a message. */
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "core/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = tn_strndup((const char *)data, size);
  tn_arena arena;
  tenon_filter *filters;
  size_t count;
  tenon_error err = TENON_ERROR_INIT;
  if (!text) return 0;
  tn_arena_init(&arena, 4 << 20);
  if (tn_where_parse(text, &arena, &filters, &count, &err) == TENON_OK) {
    if (count < 1 || count > 64) abort();
    for (size_t i = 0; i < count; i++) {
      bool wants = filters[i].op != TENON_IS_NULL && filters[i].op != TENON_IS_NOT_NULL;
      if (!*filters[i].column || wants != (filters[i].value_count > 0)) abort();
    }
  } else if (err.code == TENON_OK || !*err.message) {
    abort();
  }
  tn_arena_release(&arena);
  tn_free(text);
  return 0;
}
