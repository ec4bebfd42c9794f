/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance suite: what every kind has to keep of the contract, checked from outside. A kind
 * brings a fixture and says what it can do; tests/contract/conformance.c asks the rest.
 */
#ifndef TESTS_CONTRACT_CONTRACT_H
#define TESTS_CONTRACT_CONTRACT_H

#include "contract/cells.h"
#include "core/session.h"

/* A kind under test. Texts that are not given are NULL. */
typedef struct contract_kind {
  const char *name;                      /* of the tests: postgresql */
  const tenon_provider *provider;        /* as registered: with its adapter, if it has one */
  /* Makes the fixture; settings of a connector are set into `ret`. Skips the kind if it answers false. */
  bool (*setup)(tn_settings *ret);
  void (*teardown)(void);
  const char *const *operations;         /* all that it has, and no other; NULL-terminated */

  /* A connector that cannot be opened: these settings over the fixture's (key, value, …), one of them
   * `secret`, and the failure's code. */
  const char *const *broken;
  const char *secret;
  tenon_status broken_code;
  bool opens_lazily;                     /* what is wrong shows at the first operation, not when it is opened */

  /* tables: one of the fixture, with a column of unique values that are not NULL, at least 200 rows,
   * and columns of as many types as the kind has. */
  tenon_name table;
  const char *key_column;
  int64_t row_count;
  const char *query;                     /* the same rows, in the system's own language */
  bool lists_unsorted;                   /* objects: the server of the fixture does not keep to bytewise order */
  /* objects, of kinds that cannot put: how an object comes to be there; data NULL: it is no more. Sizes need not be listed then. */
  void (*place)(const char *key, const void *data, size_t size);
  bool can_order;                        /* by any column, with a key to go on after */
  const char *statement;                 /* for execute: does something harmless */

  /* actions: one that may be called, an input of it, where its answer has something, and an input that its schema
   * refuses at a place. */
  const char *action, *action_input, *action_member, *action_bad_input, *action_bad_place;

  /* models: one that answers `hello`, one that says something and then no more, one for vectors. */
  const char *chat_model, *endless_model, *embedding_model;

  /* mail: recipients that are accepted, refused and put off. */
  const char *mail_accepted, *mail_refused, *mail_deferred;
} contract_kind;

/* Runs all checks of all kinds; answers the number of failures. */
int contract_run(const contract_kind *kinds, size_t count);

/* For the checks: what a failure has to look like. */
void expect_error(const contract_kind *, const tenon_error *, tenon_status code);

/* The checks, each a function of cmocka; contract_state is what they get. */
typedef struct contract_state {
  const contract_kind *kind;
  tn_connector *connector;
} contract_state;

struct CMUnitTest;
typedef struct contract_check {
  const char *name;
  const char *operation;                 /* only for kinds that have it; NULL: for all */
  void (*run)(void **state);
  bool (*applies)(const contract_kind *);   /* NULL: yes */
} contract_check;

/* end with a zero row */
extern const contract_check contract_table_checks[], contract_write_checks[], contract_object_checks[],
    contract_vector_checks[], contract_action_checks[], contract_model_checks[], contract_mail_checks[];

tn_session *contract_session(contract_state *);
extern const contract_kind *contract_now;   /* whose session was made last */
bool contract_has(const contract_kind *, const char *operation);

#endif
