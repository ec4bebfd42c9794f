/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file is: its dialect, its columns and their types, from options, sample and first record.
 *
 * Header: the first record is one if a field of it does not fit its column's type as the records
 * behind it have it. If all fit and a column is not text, it is none. If all columns are text, it
 * is one unless two of its fields are equal. Alone in its file it is one unless a field has a type.
 * A column without a name is called column1, column2 …; a second `a` is called a_2.
 *
 * Lines without any byte are left out before the first record, and in files of several columns
 * everywhere. In a file of one column they are rows: NULL, as a rule.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/csv_sniff.h"

enum { MAX_NAMES = 16 << 20 };   /* bytes of all columns' names */

/* The first record. */
typedef struct csv_head {
  uint32_t begin, next, fields;
  uint32_t *ends;
  const char **names;            /* its fields as text */
} csv_head;

typedef struct csv_maker {
  const tn_format_options *options;
  const struct ArrowSchema *expected;
  tn_csv_sniffer sniffer;
  csv_head head;
  bool header;
  char (*formats)[TN_FORMAT_ROOM];
  bool *given;                   /* the format of this column is by an option */
  tn_arena arena;                /* of names and all arrays here */
} csv_maker;

/* ---- Room ---- */

tenon_status tn_csv_index_reserve(tn_csv_index *ix, uint32_t bytes, tenon_error *err) {
  if (ix->ends && bytes <= ix->room) return TENON_OK;
  tn_csv_index_release(ix);
  ix->ends = tn_alloc_array((size_t)bytes + TN_CSV_SLACK, sizeof *ix->ends);
  ix->starts = tn_alloc_array((size_t)bytes + TN_CSV_SLACK, sizeof *ix->starts);
  if (!ix->ends || !ix->starts) return tn_no_memory(err);
  ix->room = bytes;
  return TENON_OK;
}

void tn_csv_index_release(tn_csv_index *ix) {
  tn_free(ix->ends);
  tn_free(ix->starts);
  ix->ends = ix->starts = NULL;
  ix->room = 0;
}

/* ---- The dialect ---- */

static tenon_status check_dialect(const tn_csv_dialect *d, tenon_error *err) {
  static const char newlines[] = {'\n', '\r', 0};
  if (d->delimiter && d->delimiter == d->quote)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "choose two different characters",
                      "delimiter and quote are the same character");
  if (memchr(newlines, d->quote, 2) || memchr(newlines, d->delimiter, 2) || d->delimiter >= 0x80 ||
      d->quote >= 0x80)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "choose an ASCII character that ends no line",
                      "this character cannot be a delimiter or a quote");
  return TENON_OK;
}

static tenon_status take_dialect(tn_csv_dialect *d, const tn_format_options *options,
                                 char delimiter, tenon_error *err) {
  const char *null_text = options->null_text ? options->null_text : "";
  if (options->delimiter) delimiter = options->delimiter;
  *d = (tn_csv_dialect){
      .delimiter = (uint8_t)delimiter,
      .quote = (uint8_t)options->quote,
      .null_text = null_text,
      .null_size = (uint32_t)strlen(null_text),
  };
  return check_dialect(d, err);
}

/* ---- The first record ---- */

static tenon_status fail_empty(const tn_csv_input *in, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "it needs a line with the columns' names, at least", "%s: the file is empty",
                    in->name);
}

/* Lines without anything before the first record. */
static tenon_status skip_empty_lines(tn_csv_input *in, tenon_error *err) {
  for (bool more = true; more;) {
    uint32_t at = in->begin;
    while (at < in->end && (in->data[at] == '\n' || in->data[at] == '\r')) at++;
    bool found = at < in->end;
    tn_csv_input_consume(in, at, -1);
    if (found) return TENON_OK;
    tenon_status status = tn_csv_read_more(in, &more, err);
    if (status) return status;
  }
  return fail_empty(in, err);
}

/* Finds its end, reading on until it is there. */
static tenon_status find_head(tn_csv_input *in, const tn_csv_dialect *d, csv_head *h,
                              tenon_error *err) {
  for (bool more = true;;) {
    h->begin = in->begin;
    if (tn_csv_walk_record(d, in->data, in->begin, in->end, h->ends, TN_CSV_MAX_COLUMNS, &h->fields,
                           &h->next))
      break;
    tenon_status status = tn_csv_read_more(in, &more, err);
    if (status) return status;
    if (!more) return tn_csv_fail_unclosed(in, in->begin, err);
  }
  if (h->fields <= TN_CSV_MAX_COLUMNS) return TENON_OK;
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL,
                    "%s: line %lld: more than %d columns", in->name, (long long)in->line,
                    TN_CSV_MAX_COLUMNS);
}

/* Its fields as text; NULL text has no meaning here. */
static tenon_status read_names(csv_maker *m, tenon_error *err) {
  tn_csv_dialect d = m->sniffer.index.dialect;
  const tn_csv_input *in = m->sniffer.in;
  uint32_t begin = m->head.begin;
  d.null_size = UINT32_MAX;
  m->head.names = tn_arena_alloc(&m->arena, m->head.fields * sizeof *m->head.names);
  if (!m->head.names) return tn_no_memory(err);
  for (uint32_t i = 0; i < m->head.fields; begin = m->head.ends[i++] + 1) {
    uint32_t size = m->head.ends[i] - begin;
    char *name = tn_arena_alloc(&m->arena, (size_t)size + 1);
    if (!name)
      return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL,
                        "%s: line %lld: the first record is longer than %d MiB", in->name,
                        (long long)in->line, MAX_NAMES >> 20);
    tn_csv_field_text(&d, in->data + begin, size, name, &size);
    name[size] = 0;
    m->head.names[i] = name;
  }
  return TENON_OK;
}

/* ---- Names ---- */

/* Which names there are: places in an array of them, found by their hash. */
typedef struct name_set {
  uint32_t *slots, mask;   /* place + 1; 0: free */
} name_set;

static tenon_status name_set_init(name_set *s, tn_arena *arena, uint32_t count, tenon_error *err) {
  s->mask = 15;
  while (s->mask < 2 * count) s->mask = s->mask * 2 + 1;
  s->slots = tn_arena_alloc(arena, ((size_t)s->mask + 1) * sizeof *s->slots);
  if (!s->slots) return tn_no_memory(err);
  memset(s->slots, 0, ((size_t)s->mask + 1) * sizeof *s->slots);
  return TENON_OK;
}

/* The slot of a name, free or not. */
static uint32_t *name_slot(const name_set *s, const char *const *names, const char *name) {
  uint32_t hash = 2166136261u;
  for (const char *c = name; *c; c++) hash = (hash ^ (uint8_t)*c) * 16777619u;
  for (uint32_t i = hash & s->mask;; i = (i + 1) & s->mask)
    if (s->slots[i] == 0 || strcmp(names[s->slots[i] - 1], name) == 0) return &s->slots[i];
}

static tenon_status has_equal_names(csv_maker *m, bool *ret, tenon_error *err) {
  name_set set;
  tenon_status status = name_set_init(&set, &m->arena, m->head.fields, err);
  if (status) return status;
  *ret = false;
  for (uint32_t i = 0; i < m->head.fields && !*ret; i++) {
    uint32_t *slot = name_slot(&set, m->head.names, m->head.names[i]);
    *ret = *slot != 0 && m->head.names[i][0] != 0;
    *slot = i + 1;
  }
  return TENON_OK;
}

/* A header is to be as sound as any record. */
static tenon_status check_header(csv_maker *m, tenon_error *err) {
  tn_csv_input *in = m->sniffer.in;
  tn_csv_index *ix = &m->sniffer.index;
  tenon_status status = tn_csv_index_reserve(ix, m->head.next - m->head.begin, err);
  if (status) return status;
  tn_csv_best_indexer()(ix, in->data, m->head.begin, m->head.next);
  tn_csv_check_utf8(ix, in);
  return ix->problem ? tn_csv_fail_problem(in, ix, NULL, err) : TENON_OK;
}

/* column7 where it has none; with _2, _3 … where an earlier column has it. */
static tenon_status final_name(csv_maker *m, const name_set *set, uint32_t i, tenon_error *err) {
  const char *given = m->header ? m->head.names[i] : "";
  tn_str name;
  tn_str_init(&name, MAX_NAMES);
  tn_str_puts(&name, given);
  if (!*given) tn_str_printf(&name, "column%u", i + 1);
  size_t size = name.size;
  for (int k = 2; !name.failed && *name_slot(set, m->head.names, tn_str_text(&name)); k++) {
    name.size = size;
    tn_str_printf(&name, "_%d", k);
  }
  m->head.names[i] = name.failed ? NULL : tn_arena_strdup(&m->arena, tn_str_text(&name));
  tn_str_release(&name);
  if (!m->head.names[i]) return tn_no_memory(err);
  *name_slot(set, m->head.names, m->head.names[i]) = i + 1;
  return TENON_OK;
}

static tenon_status make_names(csv_maker *m, tenon_error *err) {
  name_set set;
  tenon_status status = m->header ? check_header(m, err) : TENON_OK;
  if (!status) status = name_set_init(&set, &m->arena, m->head.fields, err);
  for (uint32_t i = 0; !status && i < m->head.fields; i++) status = final_name(m, &set, i, err);
  return status;
}

/* ---- Is it a header? ---- */

static bool is_text(const char *format) { return strcmp(format, "u") == 0; }

/* The format of column i if `guess` also met the first record's field. */
static const char *format_with_head(const csv_maker *m, uint32_t i, tn_csv_guess guess,
                                    char room[TN_FORMAT_ROOM]) {
  uint32_t begin = i ? m->head.ends[i - 1] + 1 : m->head.begin;
  tn_csv_guess_field(&m->sniffer, &guess, m->sniffer.in->data + begin, m->head.ends[i] - begin);
  return tn_csv_guess_format(&guess, room);
}

static bool head_has_type(const csv_maker *m) {
  char room[TN_FORMAT_ROOM];
  for (uint32_t i = 0; i < m->head.fields; i++)
    if (!is_text(format_with_head(m, i, TN_CSV_GUESS_INIT, room))) return true;
  return false;
}

static tenon_status find_header(csv_maker *m, tenon_error *err) {
  bool all_text = true, equal = false;
  char room[TN_FORMAT_ROOM];
  m->header = m->sniffer.rows > 0 || !head_has_type(m);
  if (m->sniffer.rows == 0) return TENON_OK;
  for (uint32_t i = 0; i < m->head.fields; i++) {
    if (is_text(tn_csv_guess_format(&m->sniffer.guesses[i], room))) continue;
    all_text = false;
    if (is_text(format_with_head(m, i, m->sniffer.guesses[i], room))) return TENON_OK;
  }
  tenon_status status = has_equal_names(m, &equal, err);
  m->header = all_text && !equal;
  return status;
}

/* ---- Types that were given ---- */

static tenon_status fail_types(const char *item, size_t size, const char *what, tenon_error *err) {
  return tenon_fail(
      err, TENON_CONFIG, TENON_STAGE_CONFIG,
      "write column=type,…; types: bool, int8 to int64, uint8 to uint64, float32, float64, "
      "decimal(p,s), text, "
      "binary, date, time, timestamp, timestamptz; a name with commas or = in double quotes",
      "types: %s: %.*s", what, size < 200 ? (int)size : 200, item);
}

/* Where the item that begins at p ends: at a comma outside of quotes and brackets. */
static const char *end_of_item(const char *p) {
  bool quoted = false;
  int depth = 0;
  for (; *p && (*p != ',' || quoted || depth > 0); p++) {
    quoted ^= *p == '"';
    if (!quoted) depth += (*p == '(') - (*p == ')');
  }
  return p;
}

/* The name before =, without quotes; NULL if there is none. *ret_type is behind the =. */
static char *item_name(tn_arena *arena, const char *p, const char *end, const char **ret_type) {
  char *name = tn_arena_alloc(arena, (size_t)(end - p) + 1), *to = name;
  bool quoted = p < end && *p == '"';
  if (!name) return NULL;
  for (p += quoted; p < end && (quoted || *p != '='); p++) {
    if (quoted && *p == '"' && (p + 1 == end || p[1] != '"')) {
      p++;
      break;
    }
    p += quoted && *p == '"';
    *to++ = *p;
  }
  *to = 0;
  *ret_type = p + 1;
  return p < end && *p == '=' && to > name ? name : NULL;
}

static tenon_status fail_column(const csv_maker *m, const char *name, tenon_error *err) {
  char remedy[256] = "the columns' names are in the first line of the file";
  const char *near = tn_nearest(name, m->head.names, m->head.fields);
  if (near) snprintf(remedy, sizeof remedy, "did you mean %.200s?", near);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy,
                    "%s: types: there is no column %.200s", m->sniffer.in->name, name);
}

static tenon_status give_type(csv_maker *m, const char *item, const char *end, tenon_error *err) {
  const char *type;
  tn_csv_column unused;
  char *name = item_name(&m->arena, item, end, &type);
  if (!name) return fail_types(item, (size_t)(end - item), "this is not column=type", err);
  uint32_t i = 0;
  while (i < m->head.fields && strcmp(m->head.names[i], name) != 0) i++;
  if (i == m->head.fields) return fail_column(m, name, err);
  if (m->given[i] && !m->options->all_text)
    return fail_types(item, (size_t)(end - item), "this column has a type already", err);
  if (!tn_format_of_name(type, (size_t)(end - type), m->formats[i]) ||
      !tn_csv_column_init(&unused, m->formats[i], 0, false))
    return fail_types(item, (size_t)(end - item), "there is no such type", err);
  m->given[i] = true;
  return TENON_OK;
}

/* All columns' names, and the types that options give them. */
static tenon_status take_options(csv_maker *m, tenon_error *err) {
  tenon_status status = make_names(m, err);
  for (uint32_t i = 0; i < m->head.fields; i++) {
    m->given[i] = m->options->all_text;
    snprintf(m->formats[i], sizeof m->formats[i], "u");
  }
  for (const char *p = m->options->types; !status && p && *p;) {
    const char *end = end_of_item(p);
    status = give_type(m, p, end, err);
    p = end + (*end == ',');
  }
  return status;
}

/* ---- The schema ---- */

static tenon_status check_expected(const csv_maker *m, tenon_error *err) {
  const struct ArrowSchema *e = m->expected;
  const char *file = m->sniffer.in->name;
  const char *remedy = "read files of different columns one by one";
  if (e->n_children != m->head.fields)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
                      "%s: %u columns, where %lld are expected", file, m->head.fields,
                      (long long)e->n_children);
  for (uint32_t i = 0; i < m->head.fields; i++)
    if (strcmp(e->children[i]->name, m->head.names[i]) != 0)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
                        "%s: column %u is called %.200s, where %.200s is expected", file, i + 1,
                        m->head.names[i], e->children[i]->name);
  return TENON_OK;
}

/* What no option gives is as the sample says; in files of a pattern, as the first of them was. */
static void choose_formats(csv_maker *m) {
  for (uint32_t i = 0; i < m->head.fields; i++) {
    char room[TN_FORMAT_ROOM];
    const tn_csv_guess *guess = &m->sniffer.guesses[i];
    const char *format =
        m->header ? tn_csv_guess_format(guess, room) : format_with_head(m, i, *guess, room);
    if (m->expected) format = m->expected->children[i]->format;
    if (m->expected || !m->given[i]) snprintf(m->formats[i], sizeof m->formats[i], "%s", format);
  }
}

static tenon_status make_layout(csv_maker *m, tn_csv_layout *ret, tenon_error *err) {
  uint32_t n = m->head.fields;
  tenon_status status = m->expected ? check_expected(m, err) : TENON_OK;
  if (status) return status;
  choose_formats(m);
  ret->dialect = m->sniffer.index.dialect;
  ret->columns = n;
  ret->strict = tn_alloc_array(n, sizeof *ret->strict);
  if (!ret->strict) return tn_no_memory(err);
  status = tn_schema_struct(&ret->schema, n, err);
  for (uint32_t i = 0; !status && i < n; i++) {
    ret->strict[i] = !m->given[i];
    status = tn_schema_set(ret->schema.children[i], m->head.names[i], m->formats[i], true, 0, err);
    if (!status && m->options->tell_guesses && !m->given[i] && !m->expected)
      status = tn_schema_annotate(ret->schema.children[i], TN_GUESS, m->sniffer.guesses[i].has_value ? "value" : "none", err);
  }
  return status;
}

/* ---- All of it ---- */

static bool needs_sample(const csv_maker *m) {
  if (m->options->header < 0) return true;
  for (uint32_t i = 0; i < m->head.fields; i++)
    if (!m->given[i] && !m->expected) return true;
  return false;
}

/* The first record; where a file of one column without a header begins with empty lines, those. */
static tenon_status take_head(csv_maker *m, char delimiter, tenon_error *err) {
  tn_csv_input *in = m->sniffer.in;
  tn_csv_dialect *d = &m->sniffer.index.dialect;
  tenon_status status = take_dialect(d, m->options, delimiter, err);
  if (!status) status = tn_csv_input_fill(in, TN_CSV_CHUNK, err);
  if (status) return status;
  tn_csv_input before = *in;
  if ((status = skip_empty_lines(in, err))) return status;
  if (!d->delimiter) d->delimiter = tn_csv_find_delimiter(in, *d);
  m->head.ends = tn_arena_alloc(&m->arena, TN_CSV_MAX_COLUMNS * sizeof *m->head.ends);
  if (!m->head.ends) return tn_no_memory(err);
  if ((status = find_head(in, d, &m->head, err))) return status;
  if (m->head.fields == 1 && m->options->header == 0 && before.data == in->data &&
      before.end == in->end) {
    in->begin = before.begin;
    in->line = before.line;
    in->offset = before.offset;
  }
  return TENON_OK;
}

static tenon_status make_room(csv_maker *m, tenon_error *err) {
  uint32_t n = m->head.fields;
  m->sniffer.index.columns = n;
  m->sniffer.guesses = tn_arena_alloc(&m->arena, n * sizeof *m->sniffer.guesses);
  m->formats = tn_arena_alloc(&m->arena, (size_t)n * TN_FORMAT_ROOM);
  m->given = tn_arena_alloc(&m->arena, n * sizeof *m->given);
  return m->sniffer.guesses && m->formats && m->given ? TENON_OK : tn_no_memory(err);
}

/* Reading the sample may move the text. */
static tenon_status guess_types(csv_maker *m, tenon_error *err) {
  tn_csv_sniffer *s = &m->sniffer;
  uint32_t head_at = m->head.begin - s->in->begin;
  tenon_status status = tn_csv_guess_sample(s, m->head.next, m->options->sample_rows, err);
  uint32_t moved = s->in->begin + head_at - m->head.begin;
  m->head.begin += moved;
  m->head.next += moved;
  for (uint32_t i = 0; i < m->head.fields; i++) m->head.ends[i] += moved;
  return status;
}

static tenon_status make(csv_maker *m, char delimiter, tn_csv_layout *ret, tenon_error *err) {
  tenon_status status = take_head(m, delimiter, err);
  if (!status) status = read_names(m, err);
  if (!status) status = make_room(m, err);
  if (status) return status;
  tn_csv_sniffer_init(&m->sniffer);
  /* what the header is has to be known before options can name columns, and options before it is
   * known whether a sample is needed */
  m->header = m->options->header == 1;
  if (m->options->header >= 0) status = take_options(m, err);
  if (!status && needs_sample(m)) status = guess_types(m, err);
  if (!status && m->options->header < 0) {
    status = find_header(m, err);
    if (!status) status = take_options(m, err);
  }
  if (!status) status = make_layout(m, ret, err);
  if (!status && m->header) tn_csv_input_consume(m->sniffer.in, m->head.next, -1);
  return status;
}

tenon_status tn_csv_layout_init(tn_csv_layout *ret, tn_csv_input *in,
                                const tn_format_options *options, char delimiter,
                                const struct ArrowSchema *expected, tenon_error *err) {
  csv_maker m = {.options = options, .expected = expected, .sniffer.in = in};
  tn_csv_layout made = {0};
  tn_arena_init(&m.arena, 4 * (size_t)MAX_NAMES);
  tenon_status status = make(&m, delimiter, &made, err);
  tn_csv_index_release(&m.sniffer.index);
  tn_arena_release(&m.arena);
  if (status) tn_csv_layout_release(&made);
  else *ret = made;
  return status;
}

void tn_csv_layout_release(tn_csv_layout *l) {
  tn_schema_release(&l->schema);
  tn_free(l->strict);
  *l = (tn_csv_layout){0};
}
