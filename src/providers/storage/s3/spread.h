/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How keys go on: learnt of one page of them, to guess where the next pages are. Keys are read as numbers, whose digits are
 * the characters that were seen. A wrong guess costs a request, nothing else.
 */
#ifndef TN_PROVIDERS_S3_SPREAD_H
#define TN_PROVIDERS_S3_SPREAD_H

#include "list.h"

typedef struct tn_s3_spread {
  size_t at;                 /* where the page's keys begin to differ */
  double page;               /* how far a page reaches, as a fraction from there on */
  double folders;            /* that a page's keys are in */
  int digit_count;           /* 0: nothing was learnt */
  char digits[96];           /* in order */
} tn_s3_spread;

void tn_s3_learn(const tn_s3_page *, tn_s3_spread *ret);
/* How many pages are between two keys; high NULL: there is no end, INFINITY. */
double tn_s3_pages_between(const tn_s3_spread *, const tn_s3_key *low, const tn_s3_key *high);
/* A key so many pages behind low, that shares at least low's first `floor` bytes. False: there is none. It is ASCII behind
 * what it shares, and never begins within a character. */
bool tn_s3_key_behind(const tn_s3_spread *, const tn_s3_key *low, double pages, size_t floor, tn_s3_key *ret);

#endif
