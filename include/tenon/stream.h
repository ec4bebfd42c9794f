/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two streams a provider makes: rows and bytes. Both are pulled by their reader, so a slow
 * reader slows the system and nothing grows. One thread at a time. A stream is closed exactly once,
 * also after an error; closing in the middle cancels the work at the system.
 */
#ifndef TENON_STREAM_H
#define TENON_STREAM_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Rows in Arrow batches.
 * The context that the operation got stays valid until close. `schema` is a struct type, owned by
 * the stream until the core moves it out. `next` fills a struct array of that schema, at most the
 * request's batch_bytes big; at the end it leaves ret->release NULL. Batches outlive the stream,
 * its session and its pool. After a failure next is not called again.
 */
typedef struct tenon_stream {
  uint32_t struct_size;
  void *self;
  struct ArrowSchema schema;
  tenon_status (*next)(void *self, struct ArrowArray *ret, tenon_error *);
  void (*close)(void *self);
} tenon_stream;

/*
 * Bytes. `read` puts at most `size` bytes at `data` and answers how many; 0 is the end.
 * `length` is the number of bytes to come, -1 if unknown. `fd` is a file descriptor at offset 0 of
 * the same bytes where they are a whole local file (borrowed, for readers that want random
 * access), else -1.
 */
typedef struct tenon_bytes {
  uint32_t struct_size;
  int32_t fd;
  int64_t length;
  void *self;
  tenon_status (*read)(void *self, void *data, size_t size, size_t *ret_size, tenon_error *);
  void (*close)(void *self);
} tenon_bytes;

#ifdef __cplusplus
}
#endif

#endif
