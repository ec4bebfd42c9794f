/* SPDX-License-Identifier: Apache-2.0 */
/* DuckDB's C functions that the engine calls, found in its library when one is first needed. */
#ifndef TN_ENGINE_DUCKDB_API_H
#define TN_ENGINE_DUCKDB_API_H

#include <duckdb.h>

#include "tenon/provider.h"

/* The one version that is used: what it does to types, footers and errors was looked at. */
#define TN_DUCKDB_VERSION "v1.5.5"

#define TN_DUCKDB_FUNCTIONS(X)                                                                                \
  X(library_version) X(create_config) X(set_config) X(destroy_config) X(open_ext) X(close) X(connect)         \
  X(disconnect) X(interrupt) X(free) X(query) X(destroy_result) X(result_error) X(prepare) X(prepare_error)   \
  X(destroy_prepare) X(pending_prepared) X(pending_prepared_streaming) X(pending_error)                       \
  X(pending_execute_task) X(pending_execution_is_finished) X(execute_pending) X(destroy_pending)              \
  X(fetch_chunk) X(destroy_data_chunk) X(data_chunk_get_size) X(data_chunk_set_size) X(data_chunk_get_vector) \
  X(data_chunk_get_column_count) X(column_count) X(column_name) X(column_logical_type)                        \
  X(rows_changed) X(vector_size) X(vector_get_data) X(vector_get_validity)                                    \
  X(vector_ensure_validity_writable) X(vector_get_column_type) X(list_vector_get_child)                       \
  X(list_vector_get_size) X(list_vector_reserve) X(list_vector_set_size) X(struct_vector_get_child)           \
  X(array_vector_get_child) X(create_logical_type) X(create_decimal_type) X(create_list_type)                 \
  X(create_struct_type) X(create_map_type) X(destroy_logical_type) X(get_type_id) X(decimal_width)            \
  X(decimal_scale) X(enum_dictionary_size) X(enum_dictionary_value) X(enum_internal_type)                     \
  X(list_type_child_type) X(array_type_child_type) X(array_type_array_size) X(map_type_key_type)              \
  X(map_type_value_type) X(struct_type_child_count) X(struct_type_child_name) X(struct_type_child_type)       \
  X(logical_type_get_alias) X(create_table_function) X(destroy_table_function) X(table_function_set_name)     \
  X(table_function_set_extra_info) X(table_function_set_bind) X(table_function_set_init)                      \
  X(table_function_set_function) X(table_function_supports_projection_pushdown) X(register_table_function)    \
  X(bind_get_extra_info) X(bind_add_result_column) X(bind_set_error) X(init_get_extra_info)                   \
  X(init_set_max_threads) X(function_get_extra_info) X(function_set_error)

typedef struct tn_duckdb {
#define TN_DUCKDB_SLOT(name) __typeof__(duckdb_##name) *name;
  TN_DUCKDB_FUNCTIONS(TN_DUCKDB_SLOT)
#undef TN_DUCKDB_SLOT
} tn_duckdb;

/* Opens the library once, whoever asks first; it stays. UNSUPPORTED says what to install. */
tenon_status tn_duckdb_get(const tn_duckdb **ret, tenon_error *err);

#endif
