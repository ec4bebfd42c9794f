/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow/check.h"

#include <nanoarrow/nanoarrow.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

static tenon_status bad(tenon_error *err, const char *column, const char *what) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, NULL, "malformed batch: column %s: %s", column ? column : "", what);
}

static tenon_status check_text(const struct ArrowSchema *s, const struct ArrowArrayView *v, tenon_error *err) {
  if (strcmp(s->format, "u") == 0 || strcmp(s->format, "U") == 0)
    for (int64_t i = 0; i < v->length; i++) {
      if (ArrowArrayViewIsNull(v, i)) continue;
      struct ArrowStringView text = ArrowArrayViewGetStringUnsafe(v, i);
      if (!tn_utf8_valid(text.data, (size_t)text.size_bytes, NULL)) return bad(err, s->name, "text that is not UTF-8");
    }
  for (int64_t i = 0; i < s->n_children; i++) {
    tenon_status status = check_text(s->children[i], v->children[i], err);
    if (status) return status;
  }
  return TENON_OK;
}

/* null_count may be unknown (-1) but not wrong. */
static tenon_status check_nulls(const struct ArrowSchema *s, const struct ArrowArray *a, const struct ArrowArrayView *v,
                                tenon_error *err) {
  if (a->null_count >= 0 && a->n_buffers > 0 && v->storage_type != NANOARROW_TYPE_NA) {
    int64_t nulls = 0;
    for (int64_t i = 0; i < a->length; i++) nulls += ArrowArrayViewIsNull(v, i);
    if (nulls != a->null_count) return bad(err, s->name, "null_count is wrong");
  }
  for (int64_t i = 0; i < s->n_children; i++) {
    tenon_status status = check_nulls(s->children[i], a->children[i], v->children[i], err);
    if (status) return status;
  }
  return TENON_OK;
}

static tenon_status check_lengths(const struct ArrowSchema *s, const struct ArrowArray *a, tenon_error *err) {
  for (int64_t i = 0; strcmp(s->format, "+s") == 0 && i < a->n_children; i++)
    if (a->children[i]->length < a->length + a->offset) return bad(err, s->children[i]->name, "shorter than its parent");
  return TENON_OK;
}

tenon_status tn_arrow_check(const struct ArrowSchema *schema, const struct ArrowArray *array, tenon_error *err) {
  struct ArrowArrayView view;
  struct ArrowError reason;
  ArrowErrorInit(&reason);
  if (ArrowArrayViewInitFromSchema(&view, schema, &reason)) return bad(err, schema->name, ArrowErrorMessage(&reason));
  tenon_status status = TENON_OK;
  if (ArrowArrayViewSetArray(&view, array, &reason) ||
      ArrowArrayViewValidate(&view, NANOARROW_VALIDATION_LEVEL_FULL, &reason))
    status = bad(err, schema->name, ArrowErrorMessage(&reason));
  if (!status) status = check_lengths(schema, array, err);
  if (!status) status = check_text(schema, &view, err);
  if (!status) status = check_nulls(schema, array, &view, err);
  ArrowArrayViewReset(&view);
  return status;
}
