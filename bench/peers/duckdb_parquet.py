# SPDX-License-Identifier: Apache-2.0
"""duckdb_parquet.py URL TABLE FILE CODEC LEVEL: DuckDB's own scan of a PostgreSQL table into Parquet, on one thread."""
import json
import sys
import time

import duckdb
import duckdb_extensions

from arrow_sums import cpu_s, rss_kb

url, table, path, codec, level = sys.argv[1:]
db = duckdb.connect(config={"threads": 1, "extension_directory": path.rsplit("/", 1)[0] + "/duckdb-extensions"})
duckdb_extensions.import_extension("postgres", con=db)
db.execute("load postgres")
codec += f", compression_level {level}" if codec == "zstd" else ""
begin, cpu = time.perf_counter(), cpu_s()
db.execute(f"copy (from postgres_scan('{url}', 'public', '{table}')) to '{path}' (format parquet, compression {codec})")
json.dump({"wall_s": time.perf_counter() - begin, "cpu_s": cpu_s() - cpu, "rss_kb": rss_kb()}, sys.stdout)
print()
