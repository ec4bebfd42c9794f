/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/select.h"

#include <string.h>

#include "base/error.h"
#include "core/target.h"

const char *const tn_cli_special_choices[] = {"error", "text", "null", NULL};

static tenon_status set_order(tn_cli *cli, const tn_cli_texts *words, tenon_read *read,
                              tenon_error *err) {
  if (!words->count) return TENON_OK;
  tenon_order *order = tn_arena_alloc(&cli->arena, words->count * sizeof *order);
  if (!order) return tn_no_memory(err);
  for (size_t i = 0; i < words->count; i++) {
    const char *word = words->items[i];
    bool down = word[0] == '-' && word[1];
    order[i] = (tenon_order){.column = down ? word + 1 : word, .descending = down};
  }
  read->order = order;
  read->order_count = words->count;
  return TENON_OK;
}

static tenon_status set_where(tn_cli *cli, const char *where, tenon_read *read, tenon_error *err) {
  if (!where) return TENON_OK;
  tenon_filter *filters;
  tenon_status status = tn_where_parse(where, &cli->arena, &filters, &read->filter_count, err);
  if (!status) read->filters = filters;
  return status;
}

static tenon_special special_of(const char *word) {
  for (int i = 0; word && tn_cli_special_choices[i]; i++)
    if (strcmp(word, tn_cli_special_choices[i]) == 0) return (tenon_special)i;
  return TENON_SPECIAL_ERROR;
}

tenon_status tn_cli_select_read(tn_cli *cli, const tn_cli_select *select, tenon_read *ret,
                                tenon_error *err) {
  *ret = (tenon_read)TENON_READ_INIT;
  ret->query = select->query;
  ret->columns = select->columns.items;
  ret->column_count = select->columns.count;
  ret->limit = select->limit;
  ret->special_values = special_of(select->special_values);
  ret->numeric_as = select->numeric_as;
  tenon_status status = set_where(cli, select->where, ret, err);
  return status ? status : set_order(cli, &select->order, ret, err);
}
