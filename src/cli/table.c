/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/terminal.h"
#include "cli/text.h"

enum {
  GAP = 2,               /* spaces between columns */
  NARROWEST = 6,         /* a column is not squeezed below this */
  WIDEST_PAD = 100,      /* where nothing is cut, longer cells push the next ones aside */
  WIDEST_CELL = 1000,    /* columns of one cell that are kept */
  ROWS_AT_ONCE = 1000,   /* widths are found over so many rows, */
  BYTES_AT_ONCE = 8 << 20 /* or so many bytes of cells */
};

typedef struct cell {
  size_t offset;   /* into texts */
  uint32_t size;
  uint16_t width;
  uint8_t style;
} cell;

typedef struct column {
  char *title;
  size_t title_size;
  int title_width, natural, shown;   /* widths: widest cell so far, and as printed */
  bool right;
} column;

struct tn_cli_table {
  FILE *out;
  int width;
  bool color, head_printed;
  size_t column_count, visible, cell_count;
  column *columns;
  cell *cells;     /* room for ROWS_AT_ONCE rows, grown as they come */
  size_t cell_room;
  tn_str texts;
};

tenon_status tn_cli_table_new(size_t columns, FILE *out, int width, bool color, tn_cli_table **ret,
                              tenon_error *err) {
  tn_cli_table *t = tn_alloc(sizeof *t);
  if (!t) return tn_no_memory(err);
  *t = (tn_cli_table){
      .out = out, .width = width, .color = color, .column_count = columns, .visible = columns};
  tn_str_init(&t->texts, (size_t)BYTES_AT_ONCE * 2);
  t->columns = tn_alloc_array(columns ? columns : 1, sizeof *t->columns);
  if (!t->columns) {
    tn_cli_table_free(t);
    return tn_no_memory(err);
  }
  *ret = t;
  return TENON_OK;
}

void tn_cli_table_free(tn_cli_table *t) {
  if (!t) return;
  for (size_t i = 0; t->columns && i < t->column_count; i++) tn_free(t->columns[i].title);
  tn_free(t->columns);
  tn_free(t->cells);
  tn_str_release(&t->texts);
  tn_free(t);
}

void tn_cli_table_column(tn_cli_table *t, size_t i, const char *title, bool align_right) {
  tn_str shown;
  tn_str_init(&shown, 4096);
  column *c = &t->columns[i];
  c->title_width = tn_cli_show_text(&shown, title, strlen(title), 200);
  c->title_size = shown.size;
  c->title = tn_str_move(&shown);
  c->natural = c->title_width;
  c->right = align_right;
}

/* ---- Widths ---- */

static int total_width(const tn_cli_table *t) {
  int total = 0;
  for (size_t i = 0; i < t->visible; i++) total += t->columns[i].shown + (i ? GAP : 0);
  return total;
}

/* Takes from the widest until it fits: narrow columns stay whole, wide ones share what is left. */
static bool squeeze(tn_cli_table *t) {
  for (int over = total_width(t) - t->width; over > 0;) {
    column *widest = NULL;
    int second = NARROWEST;
    for (size_t i = 0; i < t->visible; i++) {
      column *c = &t->columns[i];
      if (!widest || c->shown > widest->shown) {
        if (widest && widest->shown > second) second = widest->shown;
        widest = c;
      } else if (c->shown > second) {
        second = c->shown;
      }
    }
    if (!widest || widest->shown <= NARROWEST) return false;
    int cut = widest->shown > second ? widest->shown - second : 1;
    if (cut > over) cut = over;
    widest->shown -= cut;
    over -= cut;
  }
  return true;
}

static void fit(tn_cli_table *t) {
  for (size_t i = 0; i < t->column_count; i++) {
    column *c = &t->columns[i];
    c->shown = t->width <= 0 && c->natural > WIDEST_PAD ? WIDEST_PAD : c->natural;
  }
  if (t->width <= 0) return;
  while (!squeeze(t) && t->visible > 1) {
    t->visible--;
    for (size_t i = 0; i < t->visible; i++) t->columns[i].shown = t->columns[i].natural;
  }
}

size_t tn_cli_table_hidden(const tn_cli_table *t) { return t->column_count - t->visible; }

/* ---- Printing ---- */

static const char *color_of(uint8_t style) {
  switch (style) {
    case TN_CELL_NULL: case TN_CELL_FAINT: return TN_DIM;
    case TN_CELL_GOOD: return TN_GREEN;
    case TN_CELL_BAD: return TN_RED;
    case TN_CELL_WARN: return TN_YELLOW;
    default: return "";
  }
}

/* What was made showable already is cut once more, so it has no escapes left to make. */
static void print_cell(tn_cli_table *t, const column *c, const char *text, size_t size, int width,
                       const char *color, bool last) {
  tn_str cut;
  tn_str_init(&cut, 64 * 1024);
  if (t->width > 0 && width > c->shown) {
    width = tn_cli_show_text(&cut, text, size, c->shown);
    text = tn_str_text(&cut);
    size = cut.size;
  }
  int pad = c->shown - width;
  if (c->right && pad > 0) fprintf(t->out, "%*s", pad, "");
  if (t->color && *color) fputs(color, t->out);
  fwrite(text, 1, size, t->out);
  if (t->color && *color) fputs(TN_PLAIN, t->out);
  if (!last) fprintf(t->out, "%*s", (c->right || pad < 0 ? 0 : pad) + GAP, "");
  tn_str_release(&cut);
}

static void print_head(tn_cli_table *t) {
  for (size_t i = 0; i < t->visible; i++) {
    const column *c = &t->columns[i];
    print_cell(t, c, c->title ? c->title : "", c->title_size, c->title_width, TN_BOLD,
               i + 1 == t->visible);
  }
  fputc('\n', t->out);
  if (t->color) fputs(TN_DIM, t->out);
  for (size_t i = 0; i < t->visible; i++) {
    for (int n = 0; n < t->columns[i].shown; n++) fputs("─", t->out);
    if (i + 1 < t->visible) fprintf(t->out, "%*s", GAP, "");
  }
  if (t->color) fputs(TN_PLAIN, t->out);
  fputc('\n', t->out);
}

static void print_rows(tn_cli_table *t) {
  size_t whole = t->cell_count - t->cell_count % t->column_count;
  for (size_t i = 0; i < whole; i++) {
    size_t at = i % t->column_count;
    if (at >= t->visible) continue;
    const cell *c = &t->cells[i];
    print_cell(t, &t->columns[at], tn_str_text(&t->texts) + c->offset, c->size, c->width,
               color_of(c->style), at + 1 == t->visible);
    if (at + 1 == t->visible) fputc('\n', t->out);
  }
}

void tn_cli_table_flush(tn_cli_table *t) {
  if (t->column_count == 0) return;
  if (!t->head_printed || t->width <= 0) fit(t);
  if (!t->head_printed) print_head(t);
  t->head_printed = true;
  print_rows(t);
  t->cell_count = 0;
  tn_str_clear(&t->texts);
}

/* ---- Cells ---- */

static bool make_room(tn_cli_table *t) {
  if (t->cell_count < t->cell_room) return true;
  size_t room = t->cell_room ? t->cell_room * 2 : t->column_count * 32;
  cell *more = tn_resize(t->cells, room * sizeof *more);
  if (!more) return false;
  t->cells = more;
  t->cell_room = room;
  return true;
}

/* A text that looks like a NULL is quoted, so that the two differ without colours too. */
static int show(tn_str *out, const char *data, size_t size) {
  if (!data) return tn_cli_show_text(out, "NULL", 4, -1);
  if (size == 4 && memcmp(data, "NULL", 4) == 0) return tn_cli_show_text(out, "\"NULL\"", 6, -1);
  return tn_cli_show_text(out, data, size, WIDEST_CELL);
}

tenon_status tn_cli_table_cell(tn_cli_table *t, const char *data, size_t size, tn_cell_style style,
                               tenon_error *err) {
  size_t at = t->cell_count % t->column_count;
  bool full =
      t->cell_count >= (size_t)ROWS_AT_ONCE * t->column_count || t->texts.size > BYTES_AT_ONCE;
  if (at == 0 && full) tn_cli_table_flush(t);
  if (ferror(t->out))
    return tn_cli_output_failed(err);
  if (!make_room(t)) return tn_no_memory(err);
  cell c = {.offset = t->texts.size, .style = (uint8_t)(data ? style : TN_CELL_NULL)};
  c.width = (uint16_t)show(&t->texts, data, size);
  if (t->texts.failed) return tn_no_memory(err);
  c.size = (uint32_t)(t->texts.size - c.offset);
  if (c.width > t->columns[at].natural) t->columns[at].natural = c.width;
  t->cells[t->cell_count++] = c;
  return TENON_OK;
}

tenon_status tn_cli_table_text(tn_cli_table *t, const char *text, tn_cell_style style,
                               tenon_error *err) {
  return tn_cli_table_cell(t, text, text ? strlen(text) : 0, style, err);
}
