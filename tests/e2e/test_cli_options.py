# SPDX-License-Identifier: Apache-2.0
"""What options mean: the names that they quote, and that none of them is taken in silence where it means nothing."""
import pytest

from command import answer, tenon


def rows(*words, **options):
    return answer("read", *words, **options)["rows"]


# --- --order ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("order, wanted", [
    ('"-d"', [1, 3, 2]),      # the column -d, upwards
    ('-"-d"', [2, 3, 1]),
    ("d", [2, 1, 3]),
    ("-d", [3, 1, 2]),
    ('-"a b"', [3, 2, 1]),
    ('-"a,b"', [1, 2, 3]),
    ('"a b", -d', [1, 2, 3]),
    ('"x desc"', [3, 1, 2]),
])
def test_a_quoted_name_means_the_column_and_a_minus_before_it_descends(tmp_path, order, wanted):
    (tmp_path / "t.csv").write_text('id,-d,d,a b,"a,b",x desc\n1,1,20,1,30,2\n2,3,10,2,20,3\n3,2,30,3,10,1\n')
    assert [row[0] for row in rows("t.csv", f"--order={order}", cwd=tmp_path)] == wanted
