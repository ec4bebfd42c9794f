/* SPDX-License-Identifier: Apache-2.0 */
/* Who signs requests, and where the keys come from: the parameters, the profile files that AWS's own tools read, or the
 * machine that the program runs on, whose keys expire and are renewed before. */
#ifndef TN_PROVIDERS_S3_KEYS_H
#define TN_PROVIDERS_S3_KEYS_H

#include "s3.h"

/* A set of keys. All is tn_free'd, after it was wiped. */
typedef struct tn_s3_keys {
  char *access_key_id, *secret_access_key, *session_token, *region;   /* the last two NULL: none */
  int64_t expires_s;         /* since 1970; INT64_MAX: never */
} tn_s3_keys;

void tn_s3_keys_release(tn_s3_keys *);   /* zeroed memory is fine */

/* The profile of ~/.aws/credentials and ~/.aws/config (profile.c). Source: AWS SDKs and Tools Reference Guide, "Shared
 * config and credentials files". */
tenon_status tn_s3_keys_of_profile(const tn_s3_config *, tn_s3_keys *ret, tenon_error *);
/* One file's text into what it says of a profile. What a file above it said stays; *ret_found: the profile is there. */
tenon_status tn_s3_read_profile(const char *text, size_t size, const char *profile, bool is_config_file, tn_s3_keys *keys,
                                bool *ret_found, tenon_error *);

/* From the metadata service of the machine or the container (instance.c). Sources: Amazon EC2 User Guide, "Use the Instance
 * Metadata Service" (IMDSv2 alone); Amazon ECS Developer Guide, "Task IAM role". */
tenon_status tn_s3_keys_of_instance(tenon_ctx *, const tn_s3_config *, tn_s3_keys *ret, tenon_error *);

/* Counted, since keys are renewed while requests with the old ones are under way. */
struct tn_s3_identity {
  atomic_int refs;
  tn_sigv4 signer;
  tn_s3_keys keys;
};

/* At opening: reads the keys, where they do not come from a network. */
tenon_status tn_s3_identify(tn_s3 *, tenon_error *);
/* Who signs now; NULL: nobody. Given back by `drop`. */
tenon_status tn_s3_identity_take(tenon_ctx *, tn_s3 *, tn_s3_identity **ret, tenon_error *);
void tn_s3_identity_drop(tn_s3_identity *);   /* NULL is fine */

#endif
