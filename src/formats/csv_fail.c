/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about files that are not what CSV is: where, what, and what to do. */
#include <stdio.h>

#include "formats/csv.h"

tenon_status tn_csv_fail_unclosed(const tn_csv_input *in, uint32_t begin, tenon_error *err) {
  return tenon_fail(
      err, TENON_DATA, TENON_STAGE_DATA, "close the quote, or quote=none reads quotes as text",
      "%s: line %lld (byte %lld): a quote of this record is not closed before the end of the file",
      in->name, (long long)tn_csv_line_of(in, begin), (long long)tn_csv_offset_of(in, begin));
}

/* What is wrong at data[at], in the record that begins at data[begin]. */
static tenon_status fail_at(const tn_csv_input *in, const tn_csv_dialect *d,
                            const struct ArrowSchema *schema, uint32_t begin, uint32_t at,
                            const char *what, const char *remedy, tenon_error *err) {
  uint32_t column, next;
  char number[16];
  tn_csv_walk_record(d, in->data, begin, at, NULL, 0, &column, &next);
  snprintf(number, sizeof number, "%u", column + 1);
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
                    "%s: line %lld (byte %lld), column %.100s: %s", in->name,
                    (long long)tn_csv_line_of(in, begin), (long long)tn_csv_offset_of(in, at),
                    schema && column < schema->n_children ? schema->children[column]->name : number,
                    what);
}

static tenon_status fail_ragged(const tn_csv_input *in, const tn_csv_index *ix, uint32_t begin,
                                tenon_error *err) {
  uint32_t count, next;
  bool ends = tn_csv_walk_record(&ix->dialect, in->data, begin, in->end, NULL, 0, &count, &next);
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "quote fields that have the delimiter or a newline in them; delimiter= names "
                    "another delimiter",
                    "%s: line %lld (byte %lld): %s%u field%s, where the first record has %u",
                    in->name, (long long)tn_csv_line_of(in, begin),
                    (long long)tn_csv_offset_of(in, begin), ends ? "" : "more than ", count,
                    ends && count == 1 ? "" : "s",
                    ix->columns);
}

tenon_status tn_csv_fail_problem(const tn_csv_input *in, const tn_csv_index *ix,
                                 const struct ArrowSchema *schema, tenon_error *err) {
  uint32_t begin = ix->starts[ix->rows], at = ix->problem_at;
  char what[64];
  switch (ix->problem) {
    case TN_CSV_AFTER_QUOTE:
      return fail_at(in, &ix->dialect, schema, begin, at, "text behind a closing quote",
                     "write a quote within a quoted field twice; quote=none reads quotes as text",
                     err);
    case TN_CSV_NUL:
      return fail_at(in, &ix->dialect, schema, begin, at, "a NUL byte",
                     "this is not text, or not UTF-8: convert it first", err);
    case TN_CSV_NOT_UTF8:
      snprintf(what, sizeof what, "0x%02X is no valid UTF-8 here", in->data[at]);
      return fail_at(in, &ix->dialect, schema, begin, at, what, "encoding=latin-1, if it is that",
                     err);
    case TN_CSV_FINE: case TN_CSV_RAGGED: break;
  }
  return fail_ragged(in, ix, begin, err);
}
