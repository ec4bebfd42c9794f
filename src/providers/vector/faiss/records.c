/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids, documents and metadata of a collection's rows, in one file:
 *
 *   "TNRECS1\n", count, heap's size (uint64 each), 40 bytes of zeros
 *   count + 1 offsets into the heap (uint64)
 *   the rows in bytewise order of their ids (uint32), filled up to 8 bytes
 *   the heap: of each row three sizes (uint32; of document and metadata one more, 0: none), the texts
 *
 * The file is checked as it is used: an offset is followed only when what it points at is inside.
 */
#include "faiss.h"

enum { HEADER = 64 };

static uint64_t u64_at(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static uint32_t u32_at(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

tenon_status tn_faiss_records_parse(tn_faiss_map file, const char *name, tn_faiss_records *ret,
                                    tenon_error *err) {
  if (file.size >= HEADER && memcmp(file.data, "TNRECS1\n", 8) == 0) {
    uint64_t count = u64_at(file.data + 8), heap_size = u64_at(file.data + 16);
    uint64_t places = count <= (uint64_t)TN_FAISS_MAX_ROWS ? (count + 1) * 8 : 0;
    uint64_t order = (count * 4 + 7) & ~UINT64_C(7);
    if (places && file.size - HEADER >= places + order &&
        file.size - HEADER - places - order == heap_size) {
      const uint8_t *offsets = file.data + HEADER;
      *ret = (tn_faiss_records){.offsets = offsets,
                                .order = offsets + places,
                                .heap = offsets + places + order,
                                .heap_size = heap_size,
                                .count = (int64_t)count};
      return TENON_OK;
    }
  }
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "restore the collection from a copy",
                    "%s: the file of ids and metadata is damaged", name);
}

bool tn_faiss_record_get(const uint8_t *from, uint64_t size, tn_faiss_record *ret) {
  if (size < TN_FAISS_SIZES) return false;
  uint32_t id = u32_at(from), document = u32_at(from + 4), metadata = u32_at(from + 8);
  uint64_t document_size = document ? document - 1 : 0, metadata_size = metadata ? metadata - 1 : 0;
  if (id < 1 || id > TENON_MAX_ID || TN_FAISS_SIZES + id + document_size + metadata_size != size)
    return false;
  const char *texts = (const char *)from + TN_FAISS_SIZES;
  *ret = (tn_faiss_record){.id = texts, .id_size = id,
                           .document = document ? texts + id : NULL,
                           .document_size = (uint32_t)document_size,
                           .metadata = metadata ? texts + id + document_size : NULL,
                           .metadata_size = (uint32_t)metadata_size};
  return true;
}

size_t tn_faiss_record_bytes(const tn_faiss_record *r) {
  return TN_FAISS_SIZES + (size_t)r->id_size + r->document_size + r->metadata_size;
}

void tn_faiss_record_sizes(const tn_faiss_record *r, uint8_t ret[TN_FAISS_SIZES]) {
  const uint32_t sizes[3] = {r->id_size, r->document ? r->document_size + 1 : 0,
                             r->metadata ? r->metadata_size + 1 : 0};
  memcpy(ret, sizes, sizeof sizes);
}

bool tn_faiss_record_at(const tn_faiss_records *r, int64_t row, tn_faiss_record *ret) {
  uint64_t begin = u64_at(r->offsets + row * 8), end = u64_at(r->offsets + row * 8 + 8);
  return begin <= end && end <= r->heap_size &&
         tn_faiss_record_get(r->heap + begin, end - begin, ret);
}

int64_t tn_faiss_record_ordered(const tn_faiss_records *r, int64_t n) {
  uint32_t row = u32_at(r->order + n * 4);
  return row < (uint64_t)r->count ? (int64_t)row : -1;
}

int tn_faiss_id_compare(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

int64_t tn_faiss_record_find(const tn_faiss_records *r, const char *id, size_t size) {
  int64_t low = 0, high = r->count;
  while (low < high) {
    int64_t middle = low + (high - low) / 2, row = tn_faiss_record_ordered(r, middle);
    tn_faiss_record there;
    if (row < 0 || !tn_faiss_record_at(r, row, &there)) return -2;
    int order = tn_faiss_id_compare(id, size, there.id, there.id_size);
    if (order == 0) return row;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return -1;
}
