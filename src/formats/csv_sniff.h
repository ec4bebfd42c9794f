/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding out what a file is, by the first of its records (sample_rows of them, 16 MiB at most).
 *
 * Delimiter: of comma, semicolon, tab and bar the one that splits each of the first hundred records
 * into equally many fields, more than one; of several the one with the most fields, of equals the
 * first named here. If there is none, the one with the most fields in the first record, else comma.
 *
 * Types: of boolean, int64, date, timestamp, timestamp with zone, time, decimal(38,0), float64 and
 * decimal the first that every value that is not NULL fits strictly (csv_value.c); else text.
 */
#ifndef TN_FORMATS_CSV_SNIFF_H
#define TN_FORMATS_CSV_SNIFF_H

#include "arrow/names.h"
#include "formats/csv.h"

enum { TN_CSV_CANDIDATES = 8 };

/* What a column may still be. */
typedef struct tn_csv_guess {
  uint32_t fits;
  int32_t whole, scale;        /* digits of the longest decimals */
  bool has_value, has_digit;
} tn_csv_guess;

#define TN_CSV_GUESS_INIT ((tn_csv_guess){.fits = (1u << (TN_CSV_CANDIDATES + 1)) - 1})

typedef struct tn_csv_sniffer {
  tn_csv_input *in;
  tn_csv_index index;          /* with dialect and columns */
  tn_csv_guess *guesses;       /* one a column */
  int64_t rows;                /* looked at */
  tn_csv_column candidates[TN_CSV_CANDIDATES];
} tn_csv_sniffer;

uint8_t tn_csv_find_delimiter(const tn_csv_input *, tn_csv_dialect);

/* in, index and guesses are the caller's. */
void tn_csv_sniffer_init(tn_csv_sniffer *);
/* Looks at the records from data[begin] on, which stay in the input. A problem among them ends the
 * sample: reading will come to it. */
tenon_status tn_csv_guess_sample(tn_csv_sniffer *, uint32_t begin, int64_t limit, tenon_error *err);
void tn_csv_guess_field(const tn_csv_sniffer *, tn_csv_guess *, const uint8_t *field,
                        uint32_t size);
/* The Arrow format of the best of what a column may be; "u" where it is nothing else. */
const char *tn_csv_guess_format(const tn_csv_guess *, char room[TN_FORMAT_ROOM]);

#endif
