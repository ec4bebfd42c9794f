/* SPDX-License-Identifier: Apache-2.0 */
/* Text cases: files of lines "input => expected", # begins a comment. Tests run from the project's root. */
#ifndef TN_TESTS_CASES_H
#define TN_TESTS_CASES_H

#include <stdbool.h>

/* The answer to one input, written into text (room bytes). */
typedef void (*tn_case_fn)(const char *input, char *text, size_t room);

/* Runs every case of tests/cases/NAME.txt; prints those that differ; fails the cmocka test if any
 * does, or if there are fewer than `at_least`. An expected "error: x" holds where the answer begins
 * with "error: " and has x in it; of "error: x … y" the parts, in this order. */
void tn_run_cases(const char *name, int at_least, tn_case_fn);

#endif
