/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <nanoarrow/nanoarrow.h>

#include "arrow/build.h"
#include "base/error.h"

static tenon_status answer(ArrowErrorCode code, const char *what, tenon_error *err) {
  if (code == NANOARROW_OK) return TENON_OK;
  if (code == ENOMEM) return tn_no_memory(err);
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_DATA, NULL, "Arrow schema: %s (%d)", what, code);
}

tenon_status tn_schema_struct(struct ArrowSchema *ret, int64_t n, tenon_error *err) {
  struct ArrowSchema s;
  ArrowSchemaInit(&s);
  ArrowErrorCode code = ArrowSchemaSetFormat(&s, "+s");
  if (!code) code = ArrowSchemaSetName(&s, "");
  if (!code) code = ArrowSchemaAllocateChildren(&s, n);
  for (int64_t i = 0; !code && i < n; i++) ArrowSchemaInit(s.children[i]);
  if (code) {
    tn_schema_release(&s);
    return answer(code, "struct", err);
  }
  s.flags = 0;
  *ret = s;
  return TENON_OK;
}

/* A map's entries are a struct of two, a list has one item; both may be given types in place. */
static ArrowErrorCode make_children(struct ArrowSchema *s, const char *format, int64_t children) {
  if (strcmp(format, "+l") == 0 || strncmp(format, "+w:", 3) == 0 || strcmp(format, "+m") == 0) children = 1;
  if (children == 0) return NANOARROW_OK;
  ArrowErrorCode code = ArrowSchemaAllocateChildren(s, children);
  for (int64_t i = 0; !code && i < children; i++) ArrowSchemaInit(s->children[i]);
  if (code || strcmp(format, "+m") != 0) return code;
  struct ArrowSchema *entries = s->children[0];
  if (!code) code = ArrowSchemaSetFormat(entries, "+s");
  if (!code) code = ArrowSchemaSetName(entries, "entries");
  if (!code) code = ArrowSchemaAllocateChildren(entries, 2);
  entries->flags = 0;
  for (int64_t i = 0; !code && i < 2; i++) ArrowSchemaInit(entries->children[i]);
  return code;
}

tenon_status tn_schema_set(struct ArrowSchema *s, const char *name, const char *format, bool nullable, int64_t children,
                           tenon_error *err) {
  ArrowErrorCode code = ArrowSchemaSetFormat(s, format);
  if (!code) code = ArrowSchemaSetName(s, name);
  if (!code) code = make_children(s, format, children);
  s->flags = nullable ? ARROW_FLAG_NULLABLE : 0;
  return answer(code, name, err);
}

tenon_status tn_schema_annotate(struct ArrowSchema *s, const char *key, const char *value, tenon_error *err) {
  struct ArrowBuffer b;
  ArrowErrorCode code = ArrowMetadataBuilderInit(&b, s->metadata);
  if (!code) code = ArrowMetadataBuilderSet(&b, ArrowCharView(key), ArrowCharView(value));
  if (!code) code = ArrowSchemaSetMetadata(s, (const char *)b.data);
  ArrowBufferReset(&b);
  return answer(code, "metadata", err);
}

bool tn_schema_annotation(const struct ArrowSchema *s, const char *key, char *text, size_t room) {
  struct ArrowStringView v = {NULL, 0};
  if (!s->metadata || ArrowMetadataGetValue(s->metadata, ArrowCharView(key), &v) != NANOARROW_OK || !v.data) return false;
  size_t n = (size_t)v.size_bytes < room - 1 ? (size_t)v.size_bytes : room - 1;
  memcpy(text, v.data, n);
  text[n] = 0;
  return true;
}

tenon_status tn_schema_copy_metadata(const struct ArrowSchema *from, struct ArrowSchema *to, tenon_error *err) {
  return answer(ArrowSchemaSetMetadata(to, from->metadata), "metadata", err);
}

tenon_status tn_schema_copy(const struct ArrowSchema *s, struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema copy;
  ArrowErrorCode code = ArrowSchemaDeepCopy(s, &copy);
  if (!code) *ret = copy;
  return answer(code, "copy", err);
}

void tn_schema_release(struct ArrowSchema *s) {
  if (s && s->release) s->release(s);
}

void tn_array_release(struct ArrowArray *a) {
  if (a && a->release) a->release(a);
}
