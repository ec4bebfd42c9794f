/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind faiss, inside.
 *
 *   faiss.c       parameters, URLs, the test; the provider itself
 *   index_file.c  FAISS's own format of flat indexes
 *   records.c     ids, documents and metadata beside it
 *   codes.c       a narrower copy of the vectors, and how far it is from them
 *   version.c     a collection as it is at one moment: opened, mapped, held
 *   writer.c      the next version of a collection, and the moment when it counts
 *   upsert.c      rows on their way into a collection
 *   collect.c     create, list, drop
 *   rows.c        get, count, delete
 *   metadata.c    members of JSON objects, and the conditions on them
 *   query.c       the nearest rows, as a stream
 *   search.c      … of one vector; tiles.c, blas.c: of many at once
 *   rivals.c      rows that may be among the nearest
 *   kernels.c     sums of products; kernels_avx2.c, kernels_avx512.c, kernels_vnni.c
 *
 * A collection is a folder below the root: the file `manifest` says which three files are the present
 * version (vectors-S.faiss, records-S, codes-S). Nothing is ever changed in place: a write makes new
 * files, makes them durable, and renames a new manifest over the old one. Who reads keeps the version
 * that was there. Writers lock the root folder (flock) one after the other. Besides, a file
 * NAME.faiss or NAME.index that FAISS's own library wrote is a collection that can only be read.
 */
#ifndef TN_PROVIDERS_VECTOR_FAISS_FAISS_H
#define TN_PROVIDERS_VECTOR_FAISS_FAISS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"

typedef struct tn_faiss_config {
  uint64_t set;
  const char *path;
  const char *first_pass;
  bool blas;
  int64_t lock_timeout_ms;
} tn_faiss_config;

extern const tenon_host *tn_faiss_host;

enum { TN_FAISS_NAME = 200, TN_FAISS_MANIFEST = 512 };
static const int64_t TN_FAISS_MAX_ROWS = INT64_C(0x7FFFFFFF);

/* ---- index_file.c ---- */

/* What an index file says. Offsets are into the file, where everything they point at is. */
typedef struct tn_faiss_index {
  tenon_metric metric;      /* never cosine: FAISS has no such index */
  int32_t dimension;
  int64_t count;
  size_t rows_at;           /* count × dimension float32, at any address */
  size_t ids_at;            /* count int64; 0: there are none */
} tn_faiss_index;

/* DATA names what is wrong; UNSUPPORTED: an index that is not flat. name is for messages. */
tenon_status tn_faiss_index_parse(const void *data, size_t size, const char *name,
                                  tn_faiss_index *ret, tenon_error *);

/* The same of a file of which only the numbers are read, not what they are about. */
tenon_status tn_faiss_index_look(int fd, size_t size, const char *name, tn_faiss_index *ret,
                                 tenon_error *);

enum { TN_FAISS_HEADER = 45 };
void tn_faiss_index_header(tenon_metric, int32_t dimension, int64_t count,
                           uint8_t ret[TN_FAISS_HEADER]);

/* ---- Files in memory ---- */

typedef struct tn_faiss_map {
  const uint8_t *data;
  size_t size;
} tn_faiss_map;

/* ---- records.c ---- */

/* A row's texts, inside of the file. document and metadata: NULL where there are none. */
typedef struct tn_faiss_record {
  const char *id, *document, *metadata;
  uint32_t id_size, document_size, metadata_size;
} tn_faiss_record;

typedef struct tn_faiss_records {
  const uint8_t *offsets;   /* count + 1 uint64, into the heap */
  const uint8_t *order;     /* count uint32: the rows in bytewise order of their ids */
  const uint8_t *heap;
  uint64_t heap_size;
  int64_t count;
} tn_faiss_records;

tenon_status tn_faiss_records_parse(tn_faiss_map, const char *name, tn_faiss_records *ret,
                                    tenon_error *);
/* false: the file is damaged there. */
bool tn_faiss_record_at(const tn_faiss_records *, int64_t row, tn_faiss_record *ret);
/* The n-th row in the order of ids; -1: damaged. */
int64_t tn_faiss_record_ordered(const tn_faiss_records *, int64_t n);
/* The row with this id, -1: none, -2: the file is damaged. */
int64_t tn_faiss_record_find(const tn_faiss_records *, const char *id, size_t size);
int tn_faiss_id_compare(const char *a, size_t a_size, const char *b, size_t b_size);

/* ---- codes.c ---- */

/* How far a row's code is from its vector x: x = scale × code + e, with |e| <= error, |x| <= norm. */
typedef struct tn_faiss_stats {
  float scale, error, norm, half;   /* half: |x|² / 2 */
} tn_faiss_stats;

typedef struct tn_faiss_codes {
  const tn_faiss_stats *stats;
  const int8_t *codes;      /* count × stride; NULL: there are none */
  size_t stride;            /* the dimension, rounded up to 64; zeros behind it */
} tn_faiss_codes;

enum { TN_FAISS_CODES_HEADER = 64 };
size_t tn_faiss_codes_stride(int32_t dimension);
tenon_status tn_faiss_codes_parse(tn_faiss_map, const char *name, int32_t dimension, int64_t count,
                                  tn_faiss_codes *ret, tenon_error *);
void tn_faiss_codes_header(int32_t dimension, int64_t count, uint8_t ret[TN_FAISS_CODES_HEADER]);
/* codes: stride bytes. */
void tn_faiss_encode(const float *x, int32_t dimension, tn_faiss_stats *ret, int8_t *codes);

/* ---- version.c ---- */

typedef struct tn_faiss_version {
  atomic_int refs;          /* the session, and each stream that reads it */
  tenon_metric metric;
  int32_t dimension;
  int64_t count;
  bool is_foreign;          /* written by FAISS's own library: ids are its numbers */
  uint64_t stamp;           /* of a collection of ours */
  char name[TN_FAISS_NAME + 16];
  char manifest[TN_FAISS_MANIFEST];   /* as it was read; foreign: what tells the file from others */
  tn_faiss_map files[3];    /* vectors, records, codes */
  const uint8_t *rows;      /* count × dimension float32, at any address */
  const uint8_t *ids;       /* foreign: count int64, or NULL */
  tn_faiss_records records;
  tn_faiss_codes codes;
} tn_faiss_version;

typedef struct tn_faiss {
  const tn_faiss_config *config;
  int root_fd;              /* also what writers lock */
  tn_faiss_version *recent; /* the last one that was opened, or NULL */
} tn_faiss;

/* CONFIG: no collection can be called so. */
tenon_status tn_faiss_check_name(const char *name, tenon_error *);
/* The present version, held for the caller. NOT_FOUND: there is no such collection. */
tenon_status tn_faiss_open(tenon_ctx *, tn_faiss *, const char *name, tn_faiss_version **ret,
                           tenon_error *);
/* The collection's folder, to be closed; 0 or errno, ELOOP: it is a link. */
int tn_faiss_folder(int root_fd, const char *name, int *ret_fd);
/* Was it written here, not by FAISS's own library? A link is taken for one: who opens it is told. */
bool tn_faiss_is_ours(const tn_faiss *, const char *name);
/* What a collection is, without reading the rows. */
tenon_status tn_faiss_look(tenon_ctx *, tn_faiss *, const char *name, tenon_collection *ret,
                           tenon_error *);
tn_faiss_version *tn_faiss_version_ref(tn_faiss_version *);
void tn_faiss_version_unref(tn_faiss_version *);
tenon_status tn_faiss_damaged(const tn_faiss_version *, int64_t row, tenon_error *);
/* A whole small file, NUL-terminated; 0 or errno, EFBIG: it is not small. */
int tn_faiss_read_small(int at_fd, const char *path, char text[TN_FAISS_MANIFEST]);
tenon_status tn_faiss_fail_file(int errnum, const char *name, tenon_stage, tenon_error *);
/* A row's texts; of foreign rows the id is a number, written into `room`. */
enum { TN_FAISS_ID_ROOM = 24 };
bool tn_faiss_texts(const tn_faiss_version *, int64_t row, char room[TN_FAISS_ID_ROOM],
                    tn_faiss_record *ret);
/* The row with this id, -1: none, -2: the file is damaged. */
int64_t tn_faiss_find(const tn_faiss_version *, const char *id);
const char *tn_faiss_metric_name(tenon_metric);

static inline const uint8_t *tn_faiss_row(const tn_faiss_version *v, int64_t row) {
  return v->rows + (size_t)row * (size_t)v->dimension * sizeof(float);
}

/* ---- writer.c ---- */

/* Rows to be added, of different ids. */
typedef struct tn_faiss_staged {
  int64_t count;
  int32_t dimension;
  const uint32_t *rows;           /* which of those below they are */
  const uint32_t *order;          /* which of `rows`, in bytewise order of their ids */
  const float *vectors;           /* row by row */
  const uint8_t *texts;           /* records, one behind the other */
  const uint64_t *offsets;        /* into texts, one more than rows */
} tn_faiss_staged;

static inline const float *tn_faiss_staged_vector(const tn_faiss_staged *s, int64_t i) {
  return s->vectors + (size_t)s->rows[i] * (size_t)s->dimension;
}

static inline const uint8_t *tn_faiss_staged_text(const tn_faiss_staged *s, int64_t i,
                                                  size_t *ret_size) {
  uint64_t begin = s->offsets[s->rows[i]];
  *ret_size = (size_t)(s->offsets[s->rows[i] + 1] - begin);
  return s->texts + begin;
}

/* One writer at a time, in whatever process; waits as long as lock_timeout and the context allow. */
tenon_status tn_faiss_lock(tenon_ctx *, tn_faiss *, tenon_error *);
void tn_faiss_unlock(tn_faiss *);
/* Under the lock: makes the folder's next version out of `old`'s rows (NULL: none; dropped[i]: not
 * this one; NULL: all stay) and the staged ones. It counts from the moment this answers OK. */
tenon_status tn_faiss_commit(tenon_ctx *, tn_faiss *, const char *name, tenon_metric,
                             int32_t dimension, const tn_faiss_version *old, const uint8_t *dropped,
                             const tn_faiss_staged *, tenon_error *);
/* Under the lock: removes what no manifest names, also what crashed writers left. */
void tn_faiss_sweep(int folder);
/* Are there rows, but no manifest that says which? A first writer that was killed leaves none. */
bool tn_faiss_has_lost(int folder);
tenon_status tn_faiss_refuse_foreign(const tn_faiss_version *, tenon_error *);

/* A record is its sizes and, behind them, id, document and metadata. */
enum { TN_FAISS_SIZES = 12 };
void tn_faiss_record_sizes(const tn_faiss_record *, uint8_t ret[TN_FAISS_SIZES]);
size_t tn_faiss_record_bytes(const tn_faiss_record *);
bool tn_faiss_record_get(const uint8_t *from, uint64_t size, tn_faiss_record *ret);

/* ---- metadata.c ---- */

/* One byte a row, 1 for those that meet all filters; the caller's (tn_free). */
tenon_status tn_faiss_select(tenon_ctx *, const tn_faiss_version *, const tenon_filter *, size_t n,
                             uint8_t **ret, int64_t *ret_count, tenon_error *);
/* 1, 0, or -1: it is not a JSON object. n is at most 64. */
int tn_faiss_matches(const char *json, size_t size, const tenon_filter *, size_t n);

/* ---- kernels.c ---- */

/* Rows stand one behind the other, at any address. What comes out of a row does not depend on how
 * many are asked for at once. */
typedef struct tn_faiss_kernels {
  const char *name;
  bool (*is_usable)(void);
  void (*products)(const float *q, const uint8_t *rows, int32_t dimension, size_t n, float *ret);
  void (*distances)(const float *q, const uint8_t *rows, int32_t dimension, size_t n, float *ret);
  /* q has `stride` values, zeros behind the dimension; sums fit into 32 bits. */
  void (*codes)(const int16_t *q, const int8_t *codes, size_t stride, size_t n, int32_t *ret);
  /* TN_FAISS_TILE vectors q, one behind the other; n is a multiple of TN_FAISS_TILE; ret has n sums of
   * the first vector, then n of the second … NULL: not with these instructions. */
  void (*tile)(const int16_t *q, const int8_t *codes, size_t stride, size_t n, int32_t *ret);
} tn_faiss_kernels;

enum { TN_FAISS_TILE = 4 };

/* The best that this processor has, or the one of that name (NULL: not here). */
const tn_faiss_kernels *tn_faiss_kernels_best(void);
const tn_faiss_kernels *tn_faiss_kernels_named(const char *name);
void tn_faiss_products_avx2(const float *, const uint8_t *, int32_t, size_t, float *);
void tn_faiss_distances_avx2(const float *, const uint8_t *, int32_t, size_t, float *);
void tn_faiss_codes_avx2(const int16_t *, const int8_t *, size_t, size_t, int32_t *);
void tn_faiss_products_avx512(const float *, const uint8_t *, int32_t, size_t, float *);
void tn_faiss_distances_avx512(const float *, const uint8_t *, int32_t, size_t, float *);
void tn_faiss_codes_avx512(const int16_t *, const int8_t *, size_t, size_t, int32_t *);
void tn_faiss_tile_vnni(const int16_t *, const int8_t *, size_t, size_t, int32_t *);

/* ---- search.c, tiles.c, blas.c, rivals.c ---- */

/* key: greater is nearer; of L2 it is the negative distance. */
typedef struct tn_faiss_hit {
  float key;
  uint32_t row;
} tn_faiss_hit;

typedef struct tn_faiss_search {
  const tn_faiss_version *version;
  const tn_faiss_kernels *kernels;
  const uint8_t *selected;   /* one byte a row; NULL: all */
  int32_t nearest;
  bool use_codes, use_blas;
} tn_faiss_search;

/* The nearest rows, nearest first, of equally near ones the earlier; as they are by the float32
 * kernel, whatever went before. ret has room for `nearest`; *ret_count is how many there are. */
tenon_status tn_faiss_search_one(tenon_ctx *, const tn_faiss_search *, const float *q,
                                 tn_faiss_hit *ret, int32_t *ret_count, tenon_error *);
/* The same of `count` vectors; answers as search_one does, bit by bit. */
tenon_status tn_faiss_search_many(tenon_ctx *, const tn_faiss_search *, const float *q,
                                  size_t count, tn_faiss_hit *ret, int32_t *ret_counts,
                                  tenon_error *);
/* … by tiles of codes: only if the kernels have them, and the version its codes. */
tenon_status tn_faiss_search_tiles(tenon_ctx *, const tn_faiss_search *, const float *q,
                                   size_t count, tn_faiss_hit *ret, int32_t *ret_counts,
                                   tenon_error *);
bool tn_faiss_has_blas(void);
tenon_status tn_faiss_search_blas(tenon_ctx *, const tn_faiss_search *, const float *q,
                                  size_t count, tn_faiss_hit *ret, int32_t *ret_counts,
                                  tenon_error *);
float tn_faiss_key(const tn_faiss_search *, const float *q, uint32_t row);
void tn_faiss_normalize(float *v, int32_t dimension);
double tn_faiss_norm(const float *v, int32_t dimension);

/* A list of the best so far: the worst of them on top. */
typedef struct tn_faiss_heap {
  tn_faiss_hit *items;
  int32_t count, room;
} tn_faiss_heap;

void tn_faiss_heap_offer(tn_faiss_heap *, float key, uint32_t row);
void tn_faiss_heap_sort(tn_faiss_heap *);   /* best first */
/* What a row must exceed to get in. */
static inline float tn_faiss_heap_bar(const tn_faiss_heap *h) {
  return h->count < h->room ? -__builtin_inff() : h->items[0].key;
}

/* Rows that may be among the nearest: by the greatest that their keys may be. */
typedef struct tn_faiss_rivals {
  tn_faiss_heap lows;        /* the least that keys may be, of the best */
  tn_faiss_hit *items;
  size_t count, room;
} tn_faiss_rivals;

tenon_status tn_faiss_rivals_init(tn_faiss_rivals *, int32_t nearest, tenon_error *);
void tn_faiss_rivals_release(tn_faiss_rivals *);
bool tn_faiss_rivals_add(tn_faiss_rivals *, float low, float high, uint32_t row);
/* The nearest of them by the float32 kernel. */
void tn_faiss_rivals_rank(tn_faiss_rivals *, const tn_faiss_search *, const float *q,
                          tn_faiss_hit *ret, int32_t *ret_count);

/* A vector to look for as integers, and what bounds a row's key by its code. */
typedef struct tn_faiss_coded {
  float t;                 /* q = t u + f */
  float norm;              /* |q| */
  float per_error;         /* what a row's error adds to the bound */
  float per_norm;          /* … its norm and error; what arithmetic is off by is part of it */
  float per_square;        /* L2: … (|q| + norm)² */
} tn_faiss_coded;

/* What every bound has on top: where numbers are so small that float32 holds them with fewer digits,
 * or as 0, an error is no longer a part of what it is an error of. A code's sum is below 2^31, a sum
 * has at most 2^16 products, each off by at most 2^-126. */
#define TN_FAISS_LEAST_BOUND 0x1p-94F

/* NaN where sums of products of vectors of these lengths may overflow on the way, else 0. A bound of
 * NaN excludes no row, nor does the row exclude another. */
static inline float tn_faiss_overflow(float q, float x) {
  float both = q + x;
  return 4 * both * both * 0;
}

/* u: stride values, zeros behind the dimension. */
void tn_faiss_encode_query(const float *q, int32_t dimension, size_t stride, int16_t *u,
                           tn_faiss_coded *ret);

/* ---- Operations ---- */

tenon_status tn_faiss_create(tenon_ctx *, void *, const tenon_vectors_create *, tenon_collection *,
                             tenon_error *);
tenon_status tn_faiss_list(tenon_ctx *, void *, const tenon_vectors_list *, tenon_stream *,
                           tenon_error *);
tenon_status tn_faiss_drop(tenon_ctx *, void *, const tenon_vectors_drop *, tenon_collection *,
                           tenon_error *);
tenon_status tn_faiss_upsert(tenon_ctx *, void *, const tenon_vectors_upsert *,
                             tenon_vectors_upserted *, tenon_error *);
tenon_status tn_faiss_get(tenon_ctx *, void *, const tenon_vectors_get *, tenon_stream *,
                          tenon_error *);
tenon_status tn_faiss_query(tenon_ctx *, void *, const tenon_vectors_query *, tenon_stream *,
                            tenon_error *);
tenon_status tn_faiss_remove(tenon_ctx *, void *, const tenon_vectors_delete *,
                             tenon_vectors_deleted *, tenon_error *);
tenon_status tn_faiss_count(tenon_ctx *, void *, const tenon_vectors_count *,
                            tenon_vectors_counted *, tenon_error *);

/* Columns document, metadata and vector of results, from column `first` on. */
tenon_status tn_faiss_schema_rest(struct ArrowSchema *, int64_t first, uint32_t with,
                                  int32_t dimension, tenon_error *);
int64_t tn_faiss_rest_count(uint32_t with);
tenon_status tn_faiss_append_rest(tn_builder *, int64_t first, uint32_t with,
                                  const tn_faiss_version *, int64_t row, const tn_faiss_record *,
                                  tenon_error *);

#endif
