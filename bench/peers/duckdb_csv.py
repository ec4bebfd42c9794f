# SPDX-License-Identifier: Apache-2.0
"""duckdb_csv.py FILE [sums]: the lineitem file through DuckDB's read_csv, its types given, on one thread, to Arrow."""
import pathlib
import sys

import duckdb

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
from arrow_sums import take
from csv_data import COLUMNS

SQL_TYPES = {"int64": "bigint", "int32": "integer", "text": "varchar"}


def open_reader():
    columns = ", ".join(f"{name}: '{SQL_TYPES.get(kind, kind)}'" for name, kind in COLUMNS.items())
    duckdb.execute("set threads = 1")
    return duckdb.sql(f"from read_csv('{sys.argv[1]}', columns = {{{columns}}}, auto_detect = false, header = true, "
                      "delim = ',', quote = '\"', escape = '\"')").to_arrow_reader(65536)


take(open_reader, sums="sums" in sys.argv[2:])
