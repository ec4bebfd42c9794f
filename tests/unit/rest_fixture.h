/* SPDX-License-Identifier: Apache-2.0 */
/* The kind rest_api and the API that it is asked of, for the unit tests of it. */
#ifndef TESTS_UNIT_REST_FIXTURE_H
#define TESTS_UNIT_REST_FIXTURE_H

#include "core/session.h"

/* The first and last step of a group of tests. */
int rest_fixture_start(void **state);
int rest_fixture_stop(void **state);

/* One to that API, called "api"; key, value, …, NULL: the other parameters. */
tn_connector *rest_fixture_connector(const char *const pairs[]);

#endif
