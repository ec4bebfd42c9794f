/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that are built in, one line each: TN_PROVIDER(kind) is tn_provider_kind, in its own file. */
#ifndef TN_PROVIDERS_LIST_H
#define TN_PROVIDERS_LIST_H

#define TN_PROVIDERS \
  TN_PROVIDER(postgresql) \
  TN_PROVIDER(sqlite) \
  TN_PROVIDER(files) \
  TN_PROVIDER(s3) \
  TN_PROVIDER(http) \
  TN_PROVIDER(faiss) \
  TN_PROVIDER(ollama) \
  TN_PROVIDER(openai) \
  TN_PROVIDER(anthropic) \
  TN_PROVIDER(rest_api) \
  TN_PROVIDER(n8n_webhook) \
  TN_PROVIDER(twilio_messaging) \
  TN_PROVIDER(smtp)

#endif
