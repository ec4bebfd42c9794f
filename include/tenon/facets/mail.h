/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facet `mail`: systems that send mail.
 *
 * One call sends one message or very many, in one session, in their order. Each recipient of each
 * message has an outcome of its own, told as soon as it is known: the system took the message over
 * for it, or refused it for good or for now, or nobody knows. What becomes of a mail once it was
 * taken over, other mails say.
 *
 * Nothing is sent twice: a send is never repeated by itself.
 *
 * All strings are UTF-8. Addresses, names, subjects and headers have no control characters (CR, LF
 * and NUL least of all), bodies and attachments are any. All of a request is borrowed for the call.
 */
#ifndef TENON_FACETS_MAIL_H
#define TENON_FACETS_MAIL_H

#include "../base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  TENON_MAX_RECIPIENTS = 1000,          /* of one message: to, cc and bcc together */
  TENON_MAX_ATTACHMENTS = 1000,
  TENON_MAX_MAIL_HEADERS = 100,
  TENON_MAX_MAIL_ADDRESS = 254,         /* bytes, RFC 5321, 4.5.3.1.3 */
  TENON_MAX_MAIL_SIZE = 256 << 20       /* bytes of one message as it travels */
};

typedef struct tenon_mailbox {
  const char *name;        /* shown with the address; NULL: none */
  const char *address;     /* ada@example.com */
} tenon_mailbox;

typedef struct tenon_mailboxes {
  const tenon_mailbox *items;
  size_t count;
} tenon_mailboxes;

typedef struct tenon_attachment {
  uint32_t struct_size;
  const char *name;        /* of the file; NULL: none */
  const char *type;        /* image/png; NULL: by the name's ending, else application/octet-stream */
  const char *content_id;  /* shown within the html, which says src="cid:ID"; NULL: attached */
  const void *data;
  size_t size;
} tenon_attachment;

typedef struct tenon_mail_header {
  const char *name, *value;
} tenon_mail_header;

/* Zeroed memory with struct_size is a message without anything in it. At least one recipient. */
typedef struct tenon_mail {
  uint32_t struct_size;
  tenon_mailbox from;              /* address NULL: the connector's */
  tenon_mailboxes to, cc, bcc;     /* bcc: nobody sees these */
  tenon_mailboxes reply_to;
  const char *subject;             /* NULL: none */
  const char *text, *html;         /* both: the reader shows one of them; neither: it is empty */
  const tenon_attachment *attachments;
  size_t attachment_count;
  const tenon_mail_header *headers;   /* further ones: List-Unsubscribe, In-Reply-To … */
  size_t header_count;
  const char *id;                  /* the Message-ID without its brackets; NULL: one is made */
  int64_t date_ms;                 /* since 1970; 0: now */
  int64_t number;                  /* the core's, from 0 on: what outcomes call it */
  const char *wrong;               /* what its source cannot make sense of: it is refused so; NULL: nothing */
} tenon_mail;

typedef enum tenon_delivery {
  TENON_MAIL_ACCEPTED = 0,  /* the system took it over */
  TENON_MAIL_REFUSED,       /* for good: the same again is refused again */
  TENON_MAIL_DEFERRED,      /* for now: the same may be taken later */
  TENON_MAIL_UNSENT,        /* the session ended before: it can be sent again */
  TENON_MAIL_UNKNOWN        /* it was sent whole, and the session ended before an answer came: if it is
                             * sent again, it may arrive twice */
} tenon_delivery;

/* What became of a message for one recipient. */
typedef struct tenon_mail_outcome {
  uint32_t struct_size;
  int64_t message;          /* its number: the first is 0 */
  const char *id;           /* its Message-ID without brackets; NULL: it was refused before it had one */
  const char *recipient;    /* the address; NULL: a message that has none */
  tenon_delivery delivery;
  int32_t code;             /* the system's: 250, 550; 0: it was not asked, or did not say */
  const char *enhanced;     /* the system's: "5.1.1" (RFC 3463); "": it did not say */
  const char *reply;        /* what the system said, one line; "": nothing */
  const tenon_error *error; /* why not, and what to do; NULL: accepted */
} tenon_mail_outcome;

/*
 * The messages: an array, or one after the other out of `next`.
 * next answers NULL behind the last; a message is borrowed until it is called again. If it fails, the
 * call ends with its error once those before have their outcomes. If the call fails otherwise, next is
 * called to the end all the same, for the outcomes of what is left (UNSENT), unless it `waits`.
 * A message that is wrong in itself is refused, with an outcome per recipient, and the next is taken.
 */
typedef struct tenon_send {
  uint32_t struct_size;
  uint8_t waits;            /* next may take its time: nothing that was given is held back for it */
  const tenon_mail *messages;
  size_t message_count;
  tenon_status (*next)(void *arg, const tenon_mail **ret, tenon_error *);   /* NULL: the array alone */
  void *arg;                /* of next */
  /* Called within the call, by its thread, for all recipients of a message one after the other; the
   * messages in their order, but that one which is wrong in itself may be told of before others.
   * NULL: the reply's numbers are enough. */
  void (*outcome)(void *arg, const tenon_mail_outcome *);
  void *outcome_arg;
} tenon_send;

/* How many messages there were, and how many recipients had which outcome. The core counts. */
typedef struct tenon_sent {
  uint32_t struct_size;
  int64_t messages;
  int64_t accepted, refused, deferred;
} tenon_sent;

typedef struct tenon_mail_ops {
  uint32_t struct_size;
  /* OK once every recipient has its outcome, whichever. If the session ends before, it fails, and each
   * message that was given has its outcomes all the same (UNSENT, UNKNOWN); the core tells of the others.
   * The core checks messages, and hands providers `next` and `outcome` alone. Mandatory. */
  tenon_status (*send)(tenon_ctx *, void *session, const tenon_send *, tenon_sent *ret, tenon_error *);
} tenon_mail_ops;

#ifdef __cplusplus
}
#endif

#endif
