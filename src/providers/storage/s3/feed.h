/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of an upload, read ahead: a thread of their own fills and sums them, while others are being sent. Their
 * memory goes round: as many as may be under way, and AHEAD more.
 */
#ifndef TN_PROVIDERS_S3_FEED_H
#define TN_PROVIDERS_S3_FEED_H

#include <stdbool.h>

#include "tenon/stream.h"

enum { TN_S3_FEED_AHEAD = 2, TN_S3_MAX_UNDER_WAY = 16 };

typedef struct tn_s3_part {
  char *data;
  size_t size, capacity;
  char checksum[12];         /* CRC-32C as the service wants it */
} tn_s3_part;

/* How big the parts are. They grow where nobody knows how many there will be. */
typedef struct tn_s3_sizes {
  size_t size;
  bool is_length_known;
} tn_s3_sizes;

/* number: from 1 on. */
size_t tn_s3_size_of_part(const tn_s3_sizes *, int number);
/* Reads and sums; less than `size` means that the stream has ended. is_stopped (NULL: never) is asked between reads. */
tenon_status tn_s3_part_fill(tn_s3_part *, tenon_bytes *, size_t size, bool (*is_stopped)(void *), void *arg, tenon_error *);
void tn_s3_part_release(tn_s3_part *);

typedef struct tn_s3_feed tn_s3_feed;

/* Goes on behind `first`, which was filled already and is moved. The stream is read by another thread until `free`.
 * ready: called by that thread whenever there is something to take. */
tenon_status tn_s3_feed_new(tenon_bytes *, tn_s3_sizes, int under_way, tn_s3_part *first, void (*ready)(void *), void *arg,
                            tn_s3_feed **ret, tenon_error *);
/* The next part in order, NULL if it is not there yet (unless `wait`) or all were taken, which *ret_ended tells. Its memory
 * stays the feed's. Why reading failed is said when all before it was taken. */
tenon_status tn_s3_feed_take(tn_s3_feed *, bool wait, tn_s3_part **ret, bool *ret_ended, tenon_error *);
/* It was sent: its memory may be filled again. */
void tn_s3_feed_give_back(tn_s3_feed *, tn_s3_part *);
/* Waits until the stream is not read any more. NULL is fine. */
void tn_s3_feed_free(tn_s3_feed *);

#endif
