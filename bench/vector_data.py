# SPDX-License-Identifier: Apache-2.0
"""Makes the collections of the benchmark, and the vectors to look for in them.

`gaussian` has directions that are all alike far apart, which is the hardest case for finding the nearest; `clusters` has
500 middles and rows around them, as texts about 500 subjects have. Both are the same on every machine.
"""
import pathlib
import shutil
import subprocess

import numpy
import pyarrow
import pyarrow.parquet

from compare import BUILD

DIMENSION, ROWS, QUERIES, FEW = 384, 100_000, 256, 64


def vectors(what):
    random = numpy.random.Generator(numpy.random.PCG64(13))
    if what == "gaussian":
        return random.standard_normal((ROWS, DIMENSION), numpy.float32), random.standard_normal((QUERIES, DIMENSION), numpy.float32)
    middles = random.standard_normal((500, DIMENSION), numpy.float32)
    def around(n):
        return middles[random.integers(0, 500, n)] + 0.35 * random.standard_normal((n, DIMENSION), numpy.float32)
    return around(ROWS), around(QUERIES)


def make(folder, what):
    """Answers (target, the index file in it, files of QUERIES and of FEW vectors to look for), made if they are not there."""
    folder = pathlib.Path(folder) / f"vectors-{what}-{ROWS}"
    target, queries, few = f"faiss://{folder}:rows", folder / "queries.f32", folder / "few.f32"
    if not queries.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        rows, wanted = vectors(what)
        table = pyarrow.table({"id": [str(i) for i in range(ROWS)],
                               "vector": pyarrow.FixedSizeListArray.from_arrays(rows.ravel(), DIMENSION).cast(pyarrow.list_(pyarrow.float32()))})
        pyarrow.parquet.write_table(table, folder / "rows.parquet")
        tenon = [BUILD / "tenon", "vectors"]
        subprocess.run([*tenon, "create", target, "--dimension", str(DIMENSION), "--metric", "inner_product", "-q"], check=True)
        subprocess.run([*tenon, "upsert", target, "--from", folder / "rows.parquet", "-q"], check=True)
        (folder / "rows.parquet").unlink()
        wanted[:FEW].tofile(few)
        wanted.tofile(queries)
    return target, next((folder / "rows").glob("vectors-*.faiss")), queries, few
