# SPDX-License-Identifier: Apache-2.0
"""Takes a stream of Arrow batches to its end, as bench/arrow_read does with ours, and says what that took."""
import json
import pathlib
import resource
import sys
import time

import pyarrow
import pyarrow.compute


def rss_kb():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def sum_of(column):
    """The sum as bench/arrow_read prints it."""
    kind = column.type
    if getattr(kind, "type_name", "") == "numeric":  # ADBC gives PostgreSQL's numerics as text; these have two decimals
        column, kind = column.storage.cast(pyarrow.decimal128(38, 2)), pyarrow.decimal128(38, 2)
    if pyarrow.types.is_decimal(kind):
        return int((pyarrow.compute.sum(column).as_py() or 0).scaleb(kind.scale))
    if pyarrow.types.is_date32(kind):
        return pyarrow.compute.sum(column.view(pyarrow.int32())).as_py() or 0
    if pyarrow.types.is_floating(kind):
        hundredths = pyarrow.compute.round(pyarrow.compute.multiply(column, 100.0))
        return pyarrow.compute.sum(hundredths.cast(pyarrow.int64())).as_py() or 0
    if pyarrow.types.is_integer(kind):
        return pyarrow.compute.sum(column).as_py() or 0
    return pyarrow.compute.sum(pyarrow.compute.binary_length(column).cast(pyarrow.int64())).as_py() or 0


def take(open_reader, sums=False):
    """Calls open_reader() for a RecordBatchReader, reads it to its end, prints the line of JSON."""
    begin, cpu = time.perf_counter(), cpu_s()
    totals, rows, batches, first = {}, 0, 0, None
    reader = open_reader()
    for batch in reader:
        first = first or time.perf_counter() - begin
        rows += batch.num_rows
        batches += 1
        if sums:
            for name, column in zip(batch.schema.names, batch.columns):
                totals[name] = totals.get(name, 0) + sum_of(column)
    said = {"rows": rows, "batches": batches, "wall_s": time.perf_counter() - begin, "cpu_s": cpu_s() - cpu,
            "first_s": first, "rss_kb": rss_kb()}
    if sums:
        said["sums"] = {name: str(value) for name, value in totals.items()}
    json.dump(said, sys.stdout)
    print()
