/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facet `vectors`: systems that hold vectors in named collections and find the nearest of them.
 *
 * A collection has one dimension and one metric, from its creation on. A row of it is an id (text of
 * 1 to 1,024 bytes, unique), a vector of finite float32, and, where there are any, a document (text)
 * and metadata (a JSON object). The metadata's member `source` says where a row came from.
 *
 * One rule for duplicates: an upsert replaces the row that has the id, whole; of several rows with
 * one id in the same upsert the last one stays. Each write happens whole or not at all, where the
 * kind can; its reply says so.
 *
 * Filters are conditions on members of the metadata, all to hold, compared as ../value.h says.
 * Values of different types (text and number) are never equal, nor is one less than the other.
 * `is null` holds where the member is absent or null. Arrays and objects meet `is not null` alone.
 *
 * A kind sees conditions whose values are bool, int, double or text. All strings of requests are
 * UTF-8, borrowed for the call.
 */
#ifndef TENON_FACETS_VECTORS_H
#define TENON_FACETS_VECTORS_H

#include "../stream.h"
#include "../value.h"
#include "tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How near two vectors are: what a `score` means. */
typedef enum tenon_metric {
  TENON_COSINE = 0,     /* the angle's cosine, -1 to 1: greater is nearer. Kinds may keep vectors at
                         * length 1, and give them back so; a vector of zeros is DATA */
  TENON_INNER_PRODUCT,  /* greater is nearer */
  TENON_L2              /* the squared distance: smaller is nearer */
} tenon_metric;

enum { TENON_MAX_DIMENSION = 65536, TENON_MAX_NEAREST = 10000, TENON_MAX_ID = 1024 };

/* A collection as it is. */
typedef struct tenon_collection {
  uint32_t struct_size;
  int32_t dimension;       /* 0: unknown, as the metric is then; of one that was dropped though it was damaged */
  tenon_metric metric;
  int64_t count;           /* rows; -1: unknown */
} tenon_collection;

/* CONFLICT if the name is taken, unless if_absent and it has this dimension and metric. */
typedef struct tenon_vectors_create {
  uint32_t struct_size;
  const char *collection;
  int32_t dimension;       /* 1 to TENON_MAX_DIMENSION */
  tenon_metric metric;
  uint8_t if_absent;
} tenon_vectors_create;

/* Which collections; collection NULL: all. */
typedef struct tenon_vectors_list {
  uint32_t struct_size;
  const char *collection;
} tenon_vectors_list;

typedef struct tenon_vectors_drop {
  uint32_t struct_size;
  const char *collection;
} tenon_vectors_drop;

/*
 * rows (consumed, also on failure) has the columns id and vector, and may have document and metadata;
 * any other is refused. The core hands providers the canonical form, all four columns in this order:
 * id utf8, vector a fixed-size list of float32 (as wide as the first row's), document and metadata
 * nullable utf8, all checked; that the width is the collection's is for the kind to check once rows
 * come. Callers may also bring ids that are integers, lists of any numbers, metadata as a struct: a
 * vector of another length, a number that float32 does not hold finitely, or an id that is NULL is
 * DATA and names the row.
 */
typedef struct tenon_vectors_upsert {
  uint32_t struct_size;
  const char *collection;
  struct ArrowArrayStream *rows;
} tenon_vectors_upsert;

typedef struct tenon_vectors_upserted {
  uint32_t struct_size;
  int64_t rows;            /* that were in the stream */
  int64_t inserted;        /* ids that were new; -1: the system does not say */
  tenon_atomicity atomicity;
} tenon_vectors_upserted;

/* What comes beside id (and score). */
enum {
  TENON_WITH_VECTOR = 1u << 0,
  TENON_WITH_DOCUMENT = 1u << 1,
  TENON_WITH_METADATA = 1u << 2
};

/* Rows by their ids, in the order of the ids, those that are not there left out; or (ids NULL) all
 * that meet the filters, in an order of the system's own. */
typedef struct tenon_vectors_get {
  uint32_t struct_size;
  const char *collection;
  const char *const *ids;
  size_t id_count;
  const tenon_filter *filters;
  size_t filter_count;
  int64_t limit;           /* -1: none */
  uint32_t with;           /* TENON_WITH_… */
} tenon_vectors_get;

#define TENON_VECTORS_GET_INIT \
  { sizeof(tenon_vectors_get), NULL, NULL, 0, NULL, 0, -1, TENON_WITH_DOCUMENT | TENON_WITH_METADATA }

/* The `nearest` rows to each of `query_count` vectors, among those that meet the filters (which hold
 * before distances are looked at: there are fewer answers only where fewer rows meet them). */
typedef struct tenon_vectors_query {
  uint32_t struct_size;
  const char *collection;
  const float *vectors;    /* query_count × dimension, row by row */
  size_t query_count;
  int32_t dimension;       /* the collection's, else CONFIG */
  int32_t nearest;         /* 1 to TENON_MAX_NEAREST */
  const tenon_filter *filters;
  size_t filter_count;
  uint32_t with;           /* TENON_WITH_… */
} tenon_vectors_query;

#define TENON_VECTORS_QUERY_INIT \
  { sizeof(tenon_vectors_query), NULL, NULL, 0, 0, 10, NULL, 0, TENON_WITH_DOCUMENT | TENON_WITH_METADATA }

/* Exactly one of: ids, source, filters. Ids that are not there are not an error. */
typedef struct tenon_vectors_delete {
  uint32_t struct_size;
  const char *collection;
  const char *const *ids;
  size_t id_count;
  const char *source;      /* rows whose metadata has this `source` */
  const tenon_filter *filters;
  size_t filter_count;
} tenon_vectors_delete;

typedef struct tenon_vectors_deleted {
  uint32_t struct_size;
  int64_t count;           /* that were there; -1: the system does not say */
} tenon_vectors_deleted;

typedef struct tenon_vectors_count {
  uint32_t struct_size;
  const char *collection;
  const tenon_filter *filters;
  size_t filter_count;
} tenon_vectors_count;

typedef struct tenon_vectors_counted {
  uint32_t struct_size;
  int64_t count;
} tenon_vectors_counted;

/* A collection that is not there is NOT_FOUND in every operation but create and list. */
typedef struct tenon_vectors_ops {
  uint32_t struct_size;
  tenon_status (*create)(tenon_ctx *, void *session, const tenon_vectors_create *, tenon_collection *ret, tenon_error *);
  /* Rows (name utf8, dimension int32, metric utf8 cosine|inner_product|l2, count int64), ordered by name; of one that
   * is there but cannot be looked into all but the name is NULL. Mandatory. */
  tenon_status (*list)(tenon_ctx *, void *session, const tenon_vectors_list *, tenon_stream *ret, tenon_error *);
  /* Deletes it with all its rows, one that is damaged too; replies what it was. */
  tenon_status (*drop)(tenon_ctx *, void *session, const tenon_vectors_drop *, tenon_collection *ret, tenon_error *);
  tenon_status (*upsert)(tenon_ctx *, void *session, const tenon_vectors_upsert *, tenon_vectors_upserted *ret, tenon_error *);
  /* Rows (id utf8, then as asked: document utf8, metadata utf8, vector), of one version of the collection. Mandatory. */
  tenon_status (*get)(tenon_ctx *, void *session, const tenon_vectors_get *, tenon_stream *ret, tenon_error *);
  /* Rows (query int32 from 0 on, id utf8, score float32, then as asked: document, metadata, vector),
   * by query, nearest first. Mandatory. */
  tenon_status (*query)(tenon_ctx *, void *session, const tenon_vectors_query *, tenon_stream *ret, tenon_error *);
  tenon_status (*remove)(tenon_ctx *, void *session, const tenon_vectors_delete *, tenon_vectors_deleted *ret, tenon_error *);
  /* How many rows there are that meet the filters. Mandatory. */
  tenon_status (*count)(tenon_ctx *, void *session, const tenon_vectors_count *, tenon_vectors_counted *ret, tenon_error *);
} tenon_vectors_ops;

#ifdef __cplusplus
}
#endif

#endif
