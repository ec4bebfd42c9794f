# SPDX-License-Identifier: Apache-2.0
"""faiss_search.py one|batch INDEX QUERIES [show]: the ten nearest by FAISS's own library, on one thread."""
import json
import sys
import time

import faiss
import numpy

how, index, queries = sys.argv[1:4]
faiss.omp_set_num_threads(1)
if how == "batch":  # a batch of this size goes through BLAS only so, which is faster; one vector alone would be slower
    faiss.cvar.distance_compute_blas_threshold = 20
index = faiss.read_index(index)
queries = numpy.fromfile(queries, numpy.float32).reshape(-1, index.d)
size = len(queries) if how == "batch" else 1
index.search(queries[:size], 10)
wall, cpu = time.perf_counter(), time.process_time()
found = [index.search(queries[i:i + size], 10) for i in range(0, len(queries), size)]
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
if "show" in sys.argv[4:]:
    for scores, ids in found:
        for score, one in zip(scores.ravel(), ids.ravel()):
            print(one, f"{score:.9g}")
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "rows": len(queries) * 10}))
