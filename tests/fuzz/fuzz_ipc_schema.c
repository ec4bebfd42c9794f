/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an Arrow schema message: what is read can be copied, named and written again. */
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/ipc.h"
#include "arrow/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds) {
  if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ArrowSchema schema, copy;
  tenon_error err = TENON_ERROR_INIT;
  tenon_status status = tn_ipc_decode_schema(data, size, &schema, &err);
  expect(status == err.code);
  if (status) {
    expect(err.message[0]);
    return 0;
  }
  expect(tn_schema_copy(&schema, &copy, NULL) == TENON_OK);
  tn_str name;
  tn_str_init(&name, 1 << 20);
  tn_type_name(&schema, &name);
  tn_str_release(&name);
  tn_schema_release(&copy);
  tn_schema_release(&schema);
  return 0;
}
