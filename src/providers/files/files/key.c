/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are bytes, with a slash between folder and name. Those that a path could not say, or would
 * say in two ways, are refused: so a key names one file, and a file has one key.
 */
#include "files.h"

static const char *part_fault(const char *part, size_t size) {
  char name[TN_FILES_MAX_NAME + 1];
  if (size == 0) return "has an empty part: it starts or ends with a slash, or has two in a row";
  if (size == 1 && part[0] == '.') return "has the part \".\"";
  if (size == 2 && part[0] == '.' && part[1] == '.')
    return "has the part \"..\", which would lead out of its folder";
  if (size > TN_FILES_MAX_NAME) return "has a part of more than 255 bytes";
  memcpy(name, part, size);
  name[size] = 0;
  if (tn_new_file_is_temporary(name)) return "has a name as files have while they are written";
  return NULL;
}

const char *tn_files_key_fault(const char *data, size_t size) {
  if (size == 0) return "is empty";
  if (size > TN_FILES_MAX_KEY) return "has more than 4095 bytes";
  if (memchr(data, 0, size)) return "contains a NUL byte";
  for (size_t begin = 0; begin <= size;) {
    const char *slash = memchr(data + begin, '/', size - begin);
    size_t end = slash ? (size_t)(slash - data) : size;
    const char *fault = part_fault(data + begin, end - begin);
    if (fault) return fault;
    begin = end + 1;
  }
  return NULL;
}

tenon_status tn_files_key_init(const tenon_key_bytes *key, tn_files_key *ret, tenon_error *err) {
  const char *fault = tn_files_key_fault(key->data, key->size);
  if (fault)
    return tenon_fail(
        err, TENON_CONFIG, TENON_STAGE_CONFIG,
        "keys are paths below the root such as folder/name, without . and .. and doubled slashes",
        "the key %.*s %s", key->size > 200 ? 200 : (int)key->size, key->size ? key->data : "",
        fault);
  memcpy(ret->text, key->data, key->size);
  ret->text[key->size] = 0;
  ret->size = key->size;
  const char *slash = strrchr(ret->text, '/');
  ret->name = slash ? slash + 1 : ret->text;
  ret->folder_size = slash ? (size_t)(slash - ret->text) : 0;
  return TENON_OK;
}
