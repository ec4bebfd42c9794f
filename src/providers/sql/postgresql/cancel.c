/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cancel request: a connection of its own that says process and key and nothing else. libpq 15
 * would block in it. It goes over TLS where the session does: its key is a secret, and poolers in
 * between may take nothing else. The server closes when the request has been passed on.
 */
#include <endian.h>

#include "providers/sql/postgresql/side.h"

enum { CANCEL_REQUEST = 80877102 };

/* The server is not verified here: who can answer this could answer the session's next packet too,
 * and all that the key is good for is this cancel. */
static bool start_tls(tn_pg_side *side) {
  char answer = 0;
  return tn_pg_side_ask_tls(side) && tn_pg_side_read(side, &answer, 1) == 1 && answer == 'S' &&
         tn_pg_side_handshake(side, NULL, NULL);
}

bool tn_pg_cancel(const tn_pg_session *s, int budget_ms) {
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  int fd = tn_pq.PQsocket(s->conn);
  if (!s->key.known || fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
    return false;
  uint32_t packet[4] = {htobe32(16), htobe32(CANCEL_REQUEST), htobe32(s->key.pid),
                        htobe32(s->key.secret)};
  tn_pg_side side;
  bool sent = tn_pg_side_open(&side, NULL, (struct sockaddr *)&peer, size, budget_ms) &&
              (!tn_pq.PQsslInUse(s->conn) || start_tls(&side)) &&
              tn_pg_side_write(&side, packet, sizeof packet);
  if (sent) tn_pg_side_drain(&side);
  tn_pg_side_close(&side);
  return sent;
}
