/* SPDX-License-Identifier: Apache-2.0 */
/* An API on a thread of its own, for the kind rest_api: REST_ROWS records in pages, and one action. */
#ifndef TESTS_CONTRACT_REST_SERVER_H
#define TESTS_CONTRACT_REST_SERVER_H

enum { REST_ROWS = 240 };

int rest_server_start(void);   /* its port */
void rest_server_stop(void);   /* after all sessions are closed */

#endif
