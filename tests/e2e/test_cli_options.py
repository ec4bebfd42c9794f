# SPDX-License-Identifier: Apache-2.0
"""What options mean: the names that they quote, and that none of them is taken in silence where it means nothing."""
import re
import sqlite3

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


# --- Remedies speak of options as this command line has them ----------------------------------------------------------

def followed(*words, **options):
    """The command with the options that its remedy names."""
    refused = tenon(*words, **options)
    assert refused.returncode
    options_named = re.findall(r"--[a-z-]+ \S+", refused.stderr.split("  try: ")[1])
    assert options_named, refused.stderr
    return tenon(*words, *options_named[0].split(), **options)


@pytest.mark.parametrize("name, content", [
    ("noext", "a,b\n1,2\n"),                # its name does not say which format it has
    ("cut.parquet", "a,b\n1,2\n"),          # no Parquet file
])
def test_the_remedy_for_a_format_can_be_followed(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    done = followed("read", f"./{name}", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, content), done.stderr


def test_the_remedy_for_types_that_differ_can_be_followed(tmp_path):
    (tmp_path / "1.csv").write_text("a\n1\n")
    (tmp_path / "2.csv").write_text("a\nx\n")
    done = followed("read", "*.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "a\n1\nx\n"), done.stderr


# --- Limits ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words", [
    ["--where", "a in (" + ",".join(["1"] * 10001) + ")"],
    ["--where", " and ".join(["a = 1"] * 65)],
    ["--where", " and ".join(["a = 1"] * 40), "--where", " and ".join(["a = 1"] * 40)],
])
def test_what_is_too_long_is_not_to_be_tried_again(tmp_path, words):
    (tmp_path / "t.csv").write_text("a\n1\n")
    error = answer("read", "t.csv", *words, ok=False, cwd=tmp_path)
    assert error["code"] == "CONFIG" and error["retryable"] is False and "fewer" in error["remedy"]


def test_a_key_without_a_name_is_described(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as db:
        db.execute("create table t (id integer primary key)")
    assert "primary key (id)\n" in tenon("describe", "t.db:t", cwd=tmp_path).stderr
