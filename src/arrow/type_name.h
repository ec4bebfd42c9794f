/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrow types as people read them: int64, text, decimal(15,2), timestamp[us, UTC], list<date>,
 * struct<id: int32, tags: list<text>>, map<text, int64>.
 */
#ifndef TN_ARROW_TYPE_NAME_H
#define TN_ARROW_TYPE_NAME_H

#include <stddef.h>

#include "tenon/arrow_abi.h"

/* Writes the name of the schema's type, cut to room - 1 bytes; a type that is not known as its format. */
void tn_type_name(const struct ArrowSchema *, char *text, size_t room);

#endif
