from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from cleanroom.spec.document import UnreadableError, plain, read_document
from cleanroom.spec.format import rewrite
from cleanroom.spec.format.rewrite import format_spec
from cleanroom.spec.format.tree import read_source
from cleanroom.spec.problem import ProblemLog

ROOT = Path(__file__).parents[4]
SPECS = sorted(
    path
    for folder in ("examples", "benchmarks", "tests/specs/valid", "tests/specs/language", "tests/e2e")
    for path in (ROOT / folder).rglob("*.cleanroom.yaml")
)


def formatted(text):
    log = ProblemLog("x")
    once = format_spec(text.encode(), log)
    assert format_spec(once.encode(), log) == once
    return once


def codes(text):
    log = ProblemLog("x")
    with pytest.raises(UnreadableError):
        format_spec(text.encode() if isinstance(text, str) else text, log)
    return [problem.code for problem in log.sorted()]


def data(text):
    return plain(read_document(text, ProblemLog("x")))


def test_there_are_specs_to_try():
    assert len(SPECS) > 10


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_spec_of_the_repository_keeps_data_and_comments(path):
    text = path.read_text()
    once = formatted(text)
    assert repr(data(once)) == repr(data(text))
    assert [c.text for c in read_source(once).comments] == [c.text for c in read_source(text).comments]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:\n- 1\n-   2\n", "a:\n  - 1\n  - 2\n"),
        ("a:\n      b:\n       c: 1\n", "a:\n  b:\n    c: 1\n"),
        ("  a: 1\n  b: 2\n", "a: 1\nb: 2\n"),
        ("a:\n  -\n    b: 1\n    c: 2\n", "a:\n  - b: 1\n    c: 2\n"),
        ("a:\n  - - 1\n    - 2\n", "a:\n  - - 1\n    - 2\n"),
        ("a:    1   \n\n\n\nb: 2", "a: 1\n\nb: 2\n"),
        ("\n\na: 1\n\n\n", "a: 1\n"),
        ("a:\n\n  b: 1\n", "a:\n  b: 1\n"),
        ("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        ("a: { b: 1,c: [ 1,2 ] }\n", "a: {b: 1, c: [1, 2]}\n"),
        ("a: [\n  1,\n  2\n]\n", "a: [1, 2]\n"),
        ("a: {b, c: }\n", "a: {b: null, c: null}\n"),
        ("a: [b: 1]\n", "a: [{b: 1}]\n"),
        ("{a: 1, b: 2}\n", "{a: 1, b: 2}\n"),
        ("a: {}\nb: [  ]\n", "a: {}\nb: []\n"),
        ("? a\n: 1\n", "a: 1\n"),
        ("a:\n", "a:\n"),
        ("a:\n  -\n", "a:\n  -\n"),
        ("---\na: 1\n...\n", "---\na: 1\n"),
        ("%YAML 1.2\n---\na: 1\n", "%YAML 1.2\n---\na: 1\n"),
    ],
)
def test_the_layout(before, after):
    assert formatted(before) == after


def test_a_flow_collection_of_120_columns_stays_and_a_longer_one_becomes_a_block():
    fits = "a: [" + "b" * 55 + ", " + "c" * 58 + "]\n"
    assert len(fits) == 121
    assert formatted(fits) == fits
    longer = fits.replace("]", "c]")
    assert formatted(longer) == f"a:\n  - {'b' * 55}\n  - {'c' * 59}\n"


def test_a_broken_flow_keeps_the_parts_that_fit():
    text = f"a: [{{name: {'x' * 110}, b: {{c: 1}}}}] # why\n"
    assert formatted(text) == f"a:  # why\n  - name: {'x' * 110}\n    b: {{c: 1}}\n"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('"abc"', "abc"),
        ("'abc d'", "abc d"),
        ('"GET /orders*"', "GET /orders*"),
        ('"postgres:17"', "postgres:17"),
        ('"-c"', "-c"),
        ("'15'", '"15"'),
        ("'yes'", '"yes"'),
        ("'null'", '"null"'),
        ("'1:30'", '"1:30"'),
        ("'010'", '"010"'),
        ("'2025-01-01'", '"2025-01-01"'),
        ("''", '""'),
        ("'{{ vars.a }}'", '"{{ vars.a }}"'),
        ("'x {{ a }}'", '"x {{ a }}"'),
        ("'{{ env(\"A\") }}'", "'{{ env(\"A\") }}'"),
        ('"\\\\d: +"', "'\\d: +'"),
        ("'a: b'", '"a: b"'),
        ("'a #b'", '"a #b"'),
        ("'*'", '"*"'),
        ("' a'", '" a"'),
        ('"a\\nb"', '"a\\nb"'),
        ('"\\u00e9"', "é"),
        ('"\\x07"', '"\\x07"'),
        ("15", "15"),
        ("yes", "yes"),
        ("010", "010"),
        ("!!str 15", "!!str 15"),
        ('!!str "a"', "!!str a"),
    ],
)
def test_quotes_stay_where_plain_text_would_not_be_safe(written, kept):
    assert formatted(f"k: {written}\n") == f"k: {kept}\n"


def test_inside_a_flow_collection_less_is_plain():
    assert formatted('k: ["a,b", "redis:7", "x", "a]"]\n') == 'k: ["a,b", "redis:7", x, "a]"]\n'


@pytest.mark.parametrize(
    "body",
    [
        "|\n    a\n      b  \n\n    # no comment\n",
        ">\n    a\n    b\n\n    c\n",
        "|-\n    a\n",
        "|+\n    a\n\n\n",
        "|2\n      a\n    b\n",
        "|2-\n      a\n",
        "|\n    a\n       \n",
        "|\n",
        "|\n\n\n",
        "|+\n\n\n",
    ],
)
@pytest.mark.parametrize("tail", ["", "# end\n", "z: 1\n"])
def test_block_scalars_keep_every_character(body, tail):
    text = f"k:\n  b: {body}{tail}"
    assert data(formatted(text)) == data(text)


def test_a_block_scalar_without_a_line_feed_at_the_end_of_the_file_keeps_its_value():
    assert formatted("k: |\n  a") == "k: |-\n  a\n"


def test_texts_over_several_lines_keep_their_lines():
    text = "k: one\n      two\n\n      three\nq: 'one\n   two'\nd: \"one \\\n    two\"\n"
    assert formatted(text) == "k: one\n  two\n\n  three\nq: 'one\n  two'\nd: \"one \\\n  two\"\n"


def test_anchors_aliases_and_merge_keys_stay():
    text = "a: &x {b: 1}\nc: &y\n  <<: *x\n  d: &z 1\ne: [*x, *y]\nf:\n  - &w\n    g: *z\n"
    assert formatted(text) == text


COMMENTED = dedent("""\
    # at the top

    # of the suite
    a: 1 # behind
    b: # behind a key
      # above the first
      - 1
      # between

      - 2  # behind an item
      # at the end of the list
    # above c
    c:
        - d: 1
          # at the end of an item
        # between items
        -
          # inside a dash
          e: 1
    f: | # behind a bar
      # no comment
    g: [ # opens
      1, # one
      # above two
      2
      # closes
    ] # behind
    h: # with its value
      text
    i:
      # above a value
      text
    # at the end
    """)


def test_every_comment_stays_where_it_belongs():
    assert formatted(COMMENTED) == dedent("""\
        # at the top

        # of the suite
        a: 1  # behind
        b:  # behind a key
          # above the first
          - 1
          # between

          - 2  # behind an item
          # at the end of the list
        # above c
        c:
          - d: 1
            # at the end of an item
          # between items
          # inside a dash
          - e: 1
        f: |  # behind a bar
          # no comment
        g:   # opens
          - 1  # one
          # above two
          - 2
          # closes
          # behind
        h: text  # with its value
        # above a value
        i: text
        # at the end
        """)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: # c\n# d\nb: 1\n", "a:  # c\n# d\nb: 1\n"),
        ("a:\n  b: # c\n  # d\nc: 1\n", "a:\n  b:  # c\n  # d\nc: 1\n"),
        ("a:\n  - # c\n  # d\n  - 1\n", "a:\n  -  # c\n  # d\n  - 1\n"),
        ("a: {b: # c\n  # d\n  , c}\n", "a:\n  b:   # c\n  # d\n  c:\n"),
        ("---\nk: # one\n  a\n\n\n\n", "---\nk: a  # one\n"),
    ],
)
def test_comments_beside_an_empty_value_stay_where_they_are(before, after):
    assert formatted(before) == after


def test_comments_keep_their_column():
    text = "a: 1            # one\nlonger: 2       # two\nlongest: 12345678  # three\n"
    assert formatted(text) == text
    assert formatted('a: "x"    # one\n') == "a: x      # one\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [1\n", "yaml-syntax"),
        ("a: 1\na: 2\n", "duplicate-key"),
        ("a: 1\n---\nb: 1\n", "second-document"),
        ("a: !x 1\n", "custom-tag"),
        ("- 1\n", "wrong-type"),
        ("", "empty-file"),
        ("# only\n", "empty-file"),
        ("a: .nan\n", "not-finite"),
        ("1: 2\n", "non-text-key"),
        ("a: {b: {{ c }}}\n", "non-text-key"),
        (b"a: \xff\n", "not-utf8"),
    ],
)
def test_what_is_no_valid_yaml_is_refused(text, code):
    assert code in codes(text)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ("a: 2\n# c\n", "mean something else"),
        ("a: true\n# c\n", "mean something else"),
        ("a: 1\n", "comment would be lost"),
        ("a: 1\n# d\n", "comment would be lost"),
        ("a: &x 1\n# c\n", "anchor would be lost"),
        ("a: [\n# c\n", "not be valid YAML"),
    ],
)
def test_a_layout_that_would_change_anything_is_refused(wrong, fault, monkeypatch):
    monkeypatch.setattr(rewrite, "lay_out", lambda _source: wrong)
    log = ProblemLog("x")
    with pytest.raises(UnreadableError):
        format_spec(b"a: 1\n# c\n", log)
    assert [problem.code for problem in log.sorted()] == ["cannot-format"]
    assert fault in log.sorted()[0].message
