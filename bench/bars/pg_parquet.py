# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL to Parquet by `tenon copy` over one connection, beside DuckDB's own scan of PostgreSQL on one thread.

Ours is the whole command, from its start to its end; DuckDB's time starts when its packages and its extension are loaded.
DuckDB cuts the blanks that pad char(n), which spares it some writing; Tenon keeps them.
"""
import sys

import pyarrow.parquet

from arrow_sums import sum_of
from compare import BUILD, DATA, TOP, Entrant, Wrong, rounds, say

BARS = ("B3",)
PADDED = ("l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode")
LEVEL = {"zstd": 3, "snappy": 0}  # zstd's own default


def sums_in(path):
    """Row count and sums of a file's columns."""
    file = pyarrow.parquet.ParquetFile(path)
    totals = dict.fromkeys(file.schema_arrow.names, 0)
    for batch in file.iter_batches():
        for name, column in zip(batch.schema.names, batch.columns):
            totals[name] += sum_of(column)
    return file.metadata.num_rows, {name: str(value) for name, value in totals.items()}


def check(name, path, codec, rows, sums):
    codecs = {pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(i).compression for i in range(len(sums))}
    if codecs != {codec.upper()}:
        raise Wrong(f"{name} wrote {codecs}, not {codec}")
    if sums_in(path) != (rows, sums):
        raise Wrong(f"{name} wrote other rows than the table has: {sums_in(path)}")


def measure(bench):
    pg = bench.postgres
    for table in ("lineitem", "lineitem6"):
        rows, sums = pg.table(table)
        cut = {name: str(pg.one(f"select sum(octet_length({name}::text)) from {table}")) for name in PADDED}
        for codec, level in LEVEL.items() if table == "lineitem" else [("zstd", LEVEL["zstd"])]:
            ours, theirs = DATA / f"tenon-{codec}.parquet", DATA / f"duckdb-{codec}.parquet"
            options = ["--set-out", f"compression={codec}", *(["--set-out", f"compression_level={level}"] if level else [])]
            contest = rounds(f"{table} to Parquet, {codec}", [
                Entrant("tenon copy", (BUILD / "tenon", "copy", "-q", f"{pg.url}:{table}", ours, *options)),
                Entrant("duckdb", (sys.executable, TOP / "bench/peers/duckdb_parquet.py", pg.url, table, theirs, codec, level),
                        own_clock=True)], bench.rounds, rows, pg)
            check("tenon", ours, codec, rows, sums)
            check("duckdb", theirs, codec, rows, {**sums, **cut})
            bench.results.keep(contest)
            say(f"  file size, DuckDB's = 1: {ours.stat().st_size / theirs.stat().st_size:.3f}")
            bench.results.bar("B3", f"{table}, {codec}: rows/s, DuckDB = 1", contest.ratios("duckdb", "tenon copy"), at_least=1.25)
            bench.results.bar("B3", f"{table}, {codec}: RSS", [kb / 1024 for kb in contest.all("tenon copy", "rss_kb")],
                              at_most=250, unit=" MB")
            ours.unlink()
            theirs.unlink()
