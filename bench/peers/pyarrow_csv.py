# SPDX-License-Identifier: Apache-2.0
"""pyarrow_csv.py FILE [sums]: the lineitem file through pyarrow's streaming CSV reader, its types given, on one thread."""
import pathlib
import sys

import pyarrow
import pyarrow.csv

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
from arrow_sums import take
from csv_data import COLUMNS

TYPES = {"int64": pyarrow.int64(), "int32": pyarrow.int32(), "text": pyarrow.string(), "date": pyarrow.date32(),
         "decimal(15,2)": pyarrow.decimal128(15, 2)}


def open_reader():
    pyarrow.set_cpu_count(1)
    quoted = "quoted" in pathlib.Path(sys.argv[1]).name
    return pyarrow.csv.open_csv(
        sys.argv[1], read_options=pyarrow.csv.ReadOptions(use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=quoted),
        convert_options=pyarrow.csv.ConvertOptions(column_types={name: TYPES[kind] for name, kind in COLUMNS.items()}))


take(open_reader, sums="sums" in sys.argv[2:])
