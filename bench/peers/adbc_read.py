# SPDX-License-Identifier: Apache-2.0
"""adbc_read.py postgresql|sqlite URI QUERY [sums]: the ADBC driver's batches, taken one by one."""
import importlib
import sys

from arrow_sums import take

driver, uri, query = sys.argv[1:4]
dbapi = importlib.import_module(f"adbc_driver_{driver}.dbapi")
kept = []


def open_reader():
    connection = dbapi.connect(uri)
    cursor = connection.cursor()
    kept.extend([cursor, connection])
    cursor.execute(query)
    return cursor.fetch_record_batch()


take(open_reader, sums="sums" in sys.argv[4:])
for one in kept:
    one.close()
