/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TN_CORE_TEST_STEPS_H
#define TN_CORE_TEST_STEPS_H

#include "tenon/provider.h"

/* Ends a step that a provider began and left open, by how its test came out. */
void tn_test_settle(tenon_test *, tenon_status, const tenon_error *err);

#endif
