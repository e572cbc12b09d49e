from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.errors import SpecError
from cleanroom.spec.amend import amend_normalize
from cleanroom.spec.document import plain, read_document
from cleanroom.spec.load import load_suite
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.suite import Suite

RULES = {"drop": ["order.id", "a[[]x: b"], "replace": [("^job \\d+$", "job <n>")], "siblings": "unordered"}
HEAD = """\
# what it is for
cleanroom: 1
meta: {name: s}   # its name

services:
  api:
    image: scratch   # nothing in it
scenarios:
  - name: a
    steps:
      - name: wait
        sleep: 1ms
"""
TAILS = {
    "none": "",
    "no value": "determinism:   # later\n",
    "no normalize": "determinism:\n  # twice\n  iterations: 2   # is enough\n\n  # the end\n",
    "empty normalize": "determinism:\n  normalize:\n  iterations: 2\n",
    "flow": "determinism: {iterations: 2}  # short\n",
    "empty flow": "determinism: {}\n",
    "flow within": "determinism:\n  normalize: {drop: [x], replace: []}   # known\n  iterations: 2 # two\n",
    "flow over lines": "determinism:\n  normalize: {\n    drop: [x,  # one\n      y],  # two\n    }\n",
    "block": (
        "determinism:\n  normalize:\n    # ids\n    drop:\n      - x  # first\n      # second\n      - y\n"
        "    replace:\n    - pattern: a\n      with: b  # b\n  # how often\n  iterations: 2\n"
    ),
    "by start": "determinism:\n  normalize:\n    siblings: by_start  # counts\n    drop:\n      - x\n# end\n",
    "known already": "determinism:\n  normalize:\n    drop: [order.id]\n",
    "no line end": "determinism:\n  iterations: 2",
    "quoted keys": "\"determinism\":\n    'normalize':\n        'drop': ['x']\n",
}


def data(text):
    log = ProblemLog("")
    found = plain(read_document(text, log))
    assert not log.found
    return found


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_rules_are_inserted_and_everything_else_stays(name, newline, tmp_path):
    text = (HEAD + TAILS[name]).replace("\n", newline)
    before = data(text)
    result = amend_normalize(text, **RULES)
    after = data(result)
    old = (before.get("determinism") or {}).get("normalize") or {}
    new = after["determinism"].pop("normalize")
    assert set(RULES["drop"]) | set(old.get("drop", ())) == set(new["drop"])
    assert len(new["drop"]) == len(set(new["drop"]))
    assert new["replace"] == [*old.get("replace", ()), {"pattern": "^job \\d+$", "with": "job <n>"}]
    assert new["siblings"] == "unordered"
    (before.get("determinism") or {}).pop("normalize", None)
    assert {**after, "determinism": after["determinism"] or None} == {
        **before,
        "determinism": before.get("determinism") or None,
    }
    # Nothing but insertions: the old text is what is left when they are taken out.
    left = iter(result)
    assert all(letter in left for letter in text.replace("by_start", "").rstrip("\r\n"))
    assert [line.partition("#")[2] for line in text.splitlines() if "#" in line] == [
        line.partition("#")[2] for line in result.splitlines() if "#" in line
    ]
    (tmp_path / "s.cleanroom.yaml").write_bytes(result.encode())
    suite = load_suite(tmp_path / "s.cleanroom.yaml", root=tmp_path, variables={}, environment={})
    assert isinstance(suite, Suite), suite
    assert set(RULES["drop"]) <= set(suite.determinism.normalize.drop)
    assert suite.determinism.normalize.siblings == "unordered"


@pytest.mark.parametrize("name", TAILS)
def test_a_second_update_changes_nothing(name):
    once = amend_normalize(HEAD + TAILS[name], **RULES)
    assert amend_normalize(once, **RULES) == once
    assert amend_normalize(once) == once


def test_the_lines_stand_where_a_person_would_write_them():
    assert amend_normalize(HEAD + TAILS["block"], drop=["z"], replace=[("c", "d")])[len(HEAD) :] == (
        "determinism:\n  normalize:\n    # ids\n    drop:\n      - x  # first\n      # second\n      - y\n      - z\n"
        "    replace:\n    - pattern: a\n      with: b  # b\n    - {pattern: c, with: d}\n  # how often\n"
        "  iterations: 2\n"
    )
    assert amend_normalize(HEAD, drop=["z"])[len(HEAD) :] == (
        "determinism:\n  normalize:\n    drop:\n      - z\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (HEAD + "determinism: {normalize: '{{ x }}'}\n", {"drop": ["a"]}),
        (HEAD + "determinism: {normalize: {drop: '{{ x }}'}}\n", {"drop": ["a"]}),
        (HEAD + "determinism: [1]\n", {"drop": ["a"]}),
        ("a: &x [b]\ndeterminism: {normalize: {drop: *x}}\n", {"drop": ["a"]}),
        ("a: [\n", {"drop": ["a"]}),
        ("", {"drop": ["a"]}),
        (HEAD, {"drop": ["{{ a }}"]}),
        (HEAD, {"replace": [("{%", "a")]}),
    ],
)
def test_what_cannot_be_inserted_is_refused_with_the_rule_to_write_by_hand(text, rules):
    with pytest.raises(SpecError) as refused:
        amend_normalize(text, **rules)
    assert "cannot be updated" in str(refused.value)
    assert "write it by hand: normalize: {" in refused.value.remedy


_words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: not any(mark in text for mark in ("{{", "{%", "{#"))
)


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(TAILS)),
    st.lists(_words, max_size=3, unique=True),
    st.lists(st.tuples(_words, _words), max_size=2, unique=True),
)
def test_any_text_is_written_so_that_it_is_read_again(name, drop, replace):
    text = HEAD + TAILS[name]
    result = data(amend_normalize(text, drop=drop, replace=replace))
    new = ((result.get("determinism") or {}).get("normalize")) or {}
    assert {*drop} <= set(new.get("drop") or ())
    assert all({"pattern": one, "with": other} in new["replace"] for one, other in replace)
