/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages of a long listing are asked for side by side: without a network, so that it can be tried on any keys.
 *
 * The keys are cut into ranges, each read page by page. Ranges are cut anew whenever somebody is idle, the ones nearest to
 * the reader first: at folders, which probes (listings with a delimiter) tell of, and between them where the keys of the
 * last page let expect the next ones. Where cuts are decides how fast it goes, never what is listed: a range begins
 * exactly behind the end of the one before it. Pages that wait for the reader are bounded in number.
 */
#ifndef TN_PROVIDERS_S3_PLAN_H
#define TN_PROVIDERS_S3_PLAN_H

#include "pack.h"
#include "spread.h"

enum {
  TN_S3_UNDER_WAY = 16,      /* requests at once */
  TN_S3_PAGES_AHEAD = 6,     /* of each range */
  TN_S3_MAX_DEPTH = 16       /* of folders that are told apart */
};

typedef struct tn_s3_range {
  struct tn_s3_range *next;
  uint64_t id;
  tn_s3_key after, until, seen;   /* the first excluded, the second included if has_until; the last one read */
  bool has_until, is_cut_off, has_seen, is_asked, has_ended;
  char *token;               /* how it goes on; NULL at its beginning */
  tn_s3_packed *pages[TN_S3_PAGES_AHEAD];
  int first, count, pages_read, probes;
  int chain;                 /* how often it was cut off by guesses since keys were read */
  int run;                   /* pages in a row that were in one folder */
  int tried_pages, tried_marks;   /* there was no cut for it then */
  tn_s3_spread spread;
} tn_s3_range;

/* A folder's name within the listing. */
typedef struct tn_s3_mark {
  char *text;
  uint16_t size;
  uint8_t depth;
} tn_s3_mark;

/* Folders below this one are known up to a key. */
typedef struct tn_s3_probed {
  uint64_t folder;
  tn_s3_key until;
  bool is_all;
} tn_s3_probed;

enum { TN_S3_PROBED = 24, TN_S3_MAX_MARKS = 2048 };

typedef struct tn_s3_plan {
  tn_s3_key prefix;
  int window;                /* 1: one page after the other */
  bool may_probe, is_long;   /* shorter ones are not worth it */
  tn_s3_range *ranges;       /* in the order of their keys */
  int range_count, under_way, held;
  uint64_t next_id;
  int pages_taken, probes_made, requests;
  size_t rows, biggest_page;
  double folders_taken;      /* with the pages */
  tn_s3_mark *marks;         /* in order */
  int mark_count, marks_seen;
  double children[TN_S3_MAX_DEPTH + 1];   /* that a folder has, by depth */
  tn_s3_probed *probed;      /* a ring */
  int probed_count;
} tn_s3_plan;

/* What is to be asked: the next page of a range, or which folders there are in `folder` behind `after`. */
typedef struct tn_s3_work {
  tn_s3_range *range;        /* NULL: a probe */
  uint64_t for_range;
  tn_s3_key folder, after;
} tn_s3_work;

tenon_status tn_s3_plan_init(tn_s3_plan *, const tn_s3_key *prefix, const tn_s3_key *start_after, int window, bool may_probe,
                             tenon_error *);
void tn_s3_plan_release(tn_s3_plan *);   /* zeroed memory is fine */

/* False: nothing is to be asked now. */
bool tn_s3_plan_next(tn_s3_plan *, tn_s3_work *ret);
/* The page that came; what does not belong to the range is taken out of it. DATA where the listing contradicts itself. */
tenon_status tn_s3_plan_take(tn_s3_plan *, tn_s3_range *, tn_s3_page *, tenon_error *);
/* What a probe found; NULL: it failed, which does no harm. */
void tn_s3_plan_take_probe(tn_s3_plan *, const tn_s3_work *, const tn_s3_page *);
/* The next page in order, the caller's; NULL: it is not there yet, or, if *ret_ended, there is none. */
tn_s3_packed *tn_s3_plan_give(tn_s3_plan *, bool *ret_ended);

#endif
