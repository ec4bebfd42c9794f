/* SPDX-License-Identifier: Apache-2.0 */
/* A mail server in this process. It takes the login mailer with the password canary-good, no mail for
 * refused@…, none for now for deferred@…, and keeps nothing but their number. */
#ifndef TESTS_CONTRACT_SMTP_FIXTURE_H
#define TESTS_CONTRACT_SMTP_FIXTURE_H

/* Answers its port. */
int smtp_fixture_start(void);
void smtp_fixture_stop(void);
int smtp_fixture_mails(void);
int smtp_fixture_connections(void);   /* open now */
void smtp_fixture_drop_all(void);     /* closes them, as servers do with who is silent */

#endif
