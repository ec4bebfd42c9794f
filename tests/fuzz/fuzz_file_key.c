/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a key of the kind files: what is taken is one path below the root, said in one way. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "providers/files/files/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds) {
  if (!holds) abort();
}

/* Walks the path as a kernel does: never above where it began, one step down for each part. */
static void check_path(const char *path) {
  size_t parts = 0;
  for (const char *part = path;; part++) {
    size_t size = strcspn(part, "/");
    expect(size > 0 && size <= 255);
    expect(!(size == 1 && part[0] == '.') && !(size == 2 && part[0] == '.' && part[1] == '.'));
    parts++;
    part += size;
    if (!*part) break;
  }
  expect(parts > 0 && strlen(path) <= 4095);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static tn_files_key key;
  tenon_error err = TENON_ERROR_INIT;
  tenon_key_bytes bytes = {(const char *)data, size};
  tenon_status status = tn_files_key_init(&bytes, &key, &err);
  expect((status == TENON_OK) == (tn_files_key_fault((const char *)data, size) == NULL));
  if (status) {
    expect(status == TENON_CONFIG && err.message[0] && err.remedy[0]);
    return 0;
  }
  expect(key.size == size && strlen(key.text) == size && memcmp(key.text, data, size) == 0);
  check_path(key.text);
  expect(strchr(key.name, '/') == NULL && strcmp(key.text + size - strlen(key.name), key.name) == 0);
  expect(key.folder_size == 0 || key.text[key.folder_size] == '/');
  return 0;
}
