# SPDX-License-Identifier: Apache-2.0
"""Our JSON Schema beside the jsonschema package: random schemas of what we check, random values."""
import json
import os
import pathlib
import random
import subprocess

import jsonschema

COUNT = 6000
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
NAMES = ["a", "b", "c/d", "é"]


def value(r, depth=0):
    kind = r.randrange(7 if depth < 3 else 5)
    if kind == 0:
        return None
    if kind == 1:
        return r.random() < 0.5
    if kind == 2:
        return r.choice([0, 1, 2, 3, -1, 5, 2**53 + 1, 2**53])
    if kind == 3:
        return r.choice([0.5, 1.0, 1.5, -2.0, 2.5, 3.0])
    if kind == 4:
        return r.choice(["", "a", "ab", "é", "😀x", "abc", '"\\\n'])
    if kind == 5:
        return [value(r, depth + 1) for _ in range(r.randrange(4))]
    return {name: value(r, depth + 1) for name in r.sample(NAMES, r.randrange(4))}


def schema(r, depth=0, refs=()):
    if refs and r.random() < 0.25:
        return {"$ref": r.choice(refs)}
    if r.random() < 0.05:
        return r.random() < 0.7
    s = {}
    if r.random() < 0.5:
        s["type"] = r.choice(TYPES) if r.random() < 0.6 else r.sample(TYPES, r.randrange(1, 4))
    if r.random() < 0.1:
        s["enum"] = [value(r, 1) for _ in range(r.randrange(1, 4))]
    if r.random() < 0.07:
        s["const"] = value(r, 1)
    for key, choices in [("minLength", [0, 1, 2]), ("maxLength", [0, 1, 3]), ("minItems", [0, 1, 2]), ("maxItems", [1, 2]),
                         ("minProperties", [0, 1]), ("maxProperties", [1, 2]), ("minimum", [-1, 0, 1.5, 2**53 + 1]),
                         ("maximum", [1, 2.5, 2**53]), ("exclusiveMinimum", [0, 1]), ("exclusiveMaximum", [1, 3])]:
        if r.random() < 0.08:
            s[key] = r.choice(choices)
    if r.random() < 0.15:
        s["required"] = r.sample(NAMES, r.randrange(1, 3))
    if depth < 3:
        if r.random() < 0.35:
            s["properties"] = {name: schema(r, depth + 1, refs) for name in r.sample(NAMES, r.randrange(1, 4))}
        if r.random() < 0.15:
            s["additionalProperties"] = schema(r, depth + 1, refs)
        if r.random() < 0.25:
            s["items"] = schema(r, depth + 1, refs)
        for key in ("anyOf", "oneOf", "allOf"):
            if r.random() < 0.1:
                s[key] = [schema(r, depth + 1, refs) for _ in range(r.randrange(1, 4))]
    return s


def of(s):
    return s if isinstance(s, dict) else {}


def known_schema(r):
    """References to schemas that refer to none, or to the whole from within a value; tuples; what is not known."""
    refs = ["#/$defs/" + name for name in ("a", "b~1c", "%C3%A9")]
    s = {"title": "x", "$id": "y", **of(schema(r, 0, refs))} if r.random() < 0.9 else {"type": "object"}
    s["$defs"] = {name: schema(r, 1) for name in ("a", "b/c", "é")}
    if r.random() < 0.3:
        s.setdefault("properties", {})["b"] = {"$ref": "#"}
    if r.random() < 0.3:
        s["prefixItems"] = [schema(r, 2, refs), schema(r, 2, refs)]
    return s


def test_values_meet_the_same_schemas():
    r = random.Random(20261121)
    cases, expected = [], []
    while len(cases) < COUNT:
        is_known = r.random() < 0.4
        s = known_schema(r) if is_known else schema(r)
        check = jsonschema.Draft202012Validator(s)
        for _ in range(4):
            v = value(r)
            cases.append("known: " * is_known + json.dumps(s, ensure_ascii=r.random() < 0.5) + "\t" + json.dumps(v, ensure_ascii=r.random() < 0.5))
            expected.append(check.is_valid(v))
    program = pathlib.Path(os.environ.get("TENON", "build/plain/tenon")).parent / "test_json_schema"
    done = subprocess.run([program, "--judge"], input="\n".join(cases) + "\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(cases)
    wrong = [(c, e, a) for c, e, a in zip(cases, expected, answers) if (a == "yes") != e or a.startswith("error")]
    assert not wrong, wrong[:3]
    assert 0.2 < sum(expected) / len(expected) < 0.8
