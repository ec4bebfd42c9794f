/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of this process as a format's input, which come in pieces of a chosen size. */
#ifndef TN_TESTS_MEMORY_INPUT_H
#define TN_TESTS_MEMORY_INPUT_H

#include "formats/format.h"

typedef struct memory_input {
  tn_input input;          /* .self is set by memory_input_init; do not move it then */
  const char *data;
  size_t size;
  size_t first, rest; /* sizes of the first read and of all others; 0: as much as is asked for */
  int fail_at;             /* the read (from 1) that fails with IO; 0: none */
  int open_count;          /* opened and not closed */
} memory_input;

void memory_input_init(memory_input *, const char *name, const char *data, size_t size);

#endif
