/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/select.h"

#include <string.h>

#include "base/error.h"
#include "core/target.h"

const char *const tn_cli_special_choices[] = {"error", "text", "null", NULL};

static tenon_status add_where(tn_cli *cli, const char *where, tenon_read *read, tenon_error *err) {
  tenon_filter *filters;
  size_t count;
  tenon_status status = tn_where_parse(where, &cli->arena, &filters, &count, err);
  if (status || !read->filter_count) {
    if (!status) read->filters = filters;
    if (!status) read->filter_count = count;
    return status;
  }
  size_t before = read->filter_count;
  tenon_filter *all = tn_arena_alloc(&cli->arena, (before + count) * sizeof *all);
  if (!all) return tn_no_memory(err);
  memcpy(all, read->filters, before * sizeof *all);
  memcpy(all + before, filters, count * sizeof *all);
  read->filters = all;
  read->filter_count = before + count;
  return TENON_OK;
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
  ret->order = select->order.items;
  ret->order_count = select->order.count;
  ret->limit = select->limit;
  ret->special_values = special_of(select->special_values);
  ret->numeric_as = select->numeric_as;
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < select->where.count && !status; i++)
    status = add_where(cli, select->where.items[i], ret, err);
  return status;
}
