from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.spec.compose.nodes import FileText
from cleanroom.spec.document import decode, plain, read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.writing import block, comment, escaped, text

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.sampled_from(
    ["no", "on", "5:10", "1.10", "0x1f", "~", "null", "- a", "a: b", "a #b", "a:", "", " ", "|", "2020-01-01", "1_000"]
)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.none() | st.integers(-(10**9), 10**9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(source):
    log = ProblemLog("x.yaml")
    document = read_document(decode(source.encode(), log), log)
    assert log.sorted() == ()
    return plain(document)


def unescaped(value):
    if isinstance(value, str):
        return value.replace("{{ '{{' }}", "{{")
    if isinstance(value, list):
        return [unescaped(item) for item in value]
    return {key: unescaped(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_what_is_written_reads_back_as_the_same(value):
    if any("{{ '{{' }}" in key for key in map(str, [value])):
        return
    assert unescaped(read(block(value))) == value


@pytest.mark.parametrize(
    "value", ["no", "On", "y", "5:10", "12", "1e3", "0x1f", "0o7", "2020-01-01", "null", "~", "", "-"]
)
def test_text_that_a_reader_takes_for_something_else_is_quoted(value):
    assert text(value) == f'"{value}"'


@pytest.mark.parametrize("value", ["postgres", "-c", "fsync=off", "./db", "a b", "/var/lib", "nginx:1.27", "GET /x"])
def test_plain_words_stay_plain(value):
    assert text(value) == value


def test_short_parts_stand_on_one_line_and_long_ones_below_each_other():
    long = [f"argument-{number}" for number in range(20)]
    written = block({"short": [1, "a"], "deep": {"a": {"b": {"c": 1}}}, "long": long})
    assert written.splitlines()[:4] == ["short: [1, a]", "deep:", "  a: {b: {c: 1}}", "long:"]
    assert written.splitlines()[4] == "  - argument-0"


def test_several_lines_are_a_literal_block():
    assert block({"a": "x\n  y\nz\n"}) == "a: |\n  x\n    y\n  z\n"
    assert block({"a": ["x\ny\nz"]}) == "a:\n  - |-\n    x\n    y\n    z\n"


def test_text_of_a_file_is_written_as_a_reference_to_it():
    assert block({"a": FileText.of("whatever", "./x'y.txt")}) == "a: \"{{ file('./x\\\\u0027y.txt') }}\"\n"


def test_braces_of_a_template_are_written_so_that_they_stay_text():
    assert block({"a": "{{ x }}"}) == "a: \"{{ '{{' }} x }}\"\n"
    assert escaped("{{{") == "{{ '{{' }}{"


def test_a_comment_stays_on_its_line():
    assert comment("a\nb\x1b[31m: c") == "# a b: c\n"
