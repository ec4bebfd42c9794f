# SPDX-License-Identifier: Apache-2.0
"""`tenon vectors` as people and programs use it: names, options, what is read and what is written."""
import json

import pytest

from command import answer, tenon


def vectors(*words, **more):
    return answer("vectors", *words, **more)


def names_in(folder):
    return [row["name"] for row in vectors("list", f"faiss://{folder}")["collections"]]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def keep(tmp_path):
    """A collection `keep` of three rows."""
    target = f"faiss://{tmp_path}:keep"
    vectors("create", target, "-d", 2, "--metric", "l2")
    rows = [{"id": c, "vector": [i, 1], "metadata": {"source": "x", "n": i}} for i, c in enumerate("abc")]
    vectors("upsert", target, "--from", write_lines(tmp_path / "keep.jsonl", rows))
    return target


# --- Names -----------------------------------------------------------------------------------------------------------


def test_a_name_with_a_point_is_one_name(tmp_path):
    (tmp_path / "tenon.yaml").write_text(f"connectors: {{vec: {{kind: faiss, path: {tmp_path}}}}}\n")
    for name in ("notes", "lock"):
        vectors("create", f"faiss://{tmp_path}:{name}", "-d", 2)
    for target in ("vec:my.notes", f"faiss://{tmp_path}:zz.lock"):
        assert vectors("drop", target, cwd=tmp_path, ok=False)["code"] == "NOT_FOUND"
    assert names_in(tmp_path) == ["lock", "notes"]
    vectors("create", "vec:my.notes", "-d", 3, cwd=tmp_path)
    assert names_in(tmp_path) == ["lock", "my.notes", "notes"]
    assert vectors("create", f"faiss://{tmp_path}:\"my.notes\"", "-d", 3, ok=False)["code"] == "CONFLICT"
    assert answer("test", "vec:my.notes", cwd=tmp_path)["steps"][-1]["evidence"] == "my.notes has 0 rows"
    assert [row["name"] for row in answer("ls", "vec:my.notes", cwd=tmp_path)["collections"]] == ["my.notes"]
    vectors("drop", "vec:my.notes", cwd=tmp_path)
    assert names_in(tmp_path) == ["lock", "notes"]


def test_an_action_with_a_point_is_one_name(tmp_path):
    (tmp_path / "tenon.yaml").write_text(
        "connectors: {api: {kind: rest_api, base_url: 'http://127.0.0.1:9', endpoints: {b: {path: /b}}}}\n")
    assert answer("call", "api:a.b", cwd=tmp_path, ok=False)["message"] == "no action can have that name"


# --- Options ---------------------------------------------------------------------------------------------------------

OWN = {"create": {"-d", "--metric", "--if-absent"}, "list": set(), "upsert": {"--from"}, "drop": set(),
       "query": {"--vector", "-k", "--where", "--vectors"}, "get": {"--id", "--where", "-n", "--vectors"},
       "count": {"--where"}, "delete": {"--id", "--source", "--where"}}
VALUES = {"-d": ["2"], "--metric": ["l2"], "--if-absent": [], "--from": ["-"], "--vector": ["[1,2]"], "-k": ["1"],
          "--where": ["n=1"], "--vectors": [], "--id": ["a"], "-n": ["0"], "--source": ["x"]}


@pytest.mark.parametrize("action", OWN)
def test_options_of_other_actions_are_refused(keep, action):
    """`drop --id a` is not meant to drop it all."""
    for option in set(VALUES) - OWN[action]:
        error = vectors(action, keep, option, *VALUES[option], ok=False)
        assert error["code"] == "CONFIG" and f"not of {action}" in error["message"], (option, error)
        owner = error["message"].split("option of ")[1].split(" and ")[0].split(",")[0]
        assert option in OWN[owner]
    assert vectors("count", keep) == {"count": 3}


# --- Conditions ------------------------------------------------------------------------------------------------------


def test_long_integers_are_compared_exactly(tmp_path):
    target = f"faiss://{tmp_path}:c"
    vectors("create", target, "-d", 1, "--metric", "l2")
    numbers = [1234567890123456789, 1234567890123456788, 2 ** 63 - 1, -2 ** 63]
    vectors("upsert", target, "--from", write_lines(tmp_path / "c.jsonl", [
        {"id": str(n), "vector": [1], "metadata": {"n": n}} for n in numbers]))
    for condition, expected in (("n = 1234567890123456789", 1), ("n in (1234567890123456789, 5)", 1),
                                ("n <> 1234567890123456789", 3), ("n = 9223372036854775808", 0), ("n >= 9223372036854775807", 1),
                                ("n <= -9223372036854775808", 1), ("n < 9223372036854775807", 3)):
        assert vectors("count", target, "--where", condition)["count"] == expected, condition
    assert [r["metadata"]["n"] for r in vectors("get", target)["rows"]] == numbers
