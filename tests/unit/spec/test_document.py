from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.spec.document import LARGEST_FILE, UnreadableError, decode, plain, read_document
from cleanroom.spec.problem import ProblemLog


def read(source):
    log = ProblemLog("x.yaml")
    data = source if isinstance(source, bytes) else source.encode()
    try:
        return read_document(decode(data, log), log), log.sorted()
    except UnreadableError:
        return None, log.sorted()


def codes(source):
    return [problem.code for problem in read(source)[1]]


def alias_bomb():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(lines)


def merge_bomb():
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{i}: &a{i} {{b: [{', '.join([f'*a{i - 1}'] * 10)}], <<: *a{i - 1}}}" for i in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (alias_bomb(), "too-many-values"),
        (merge_bomb(), "too-many-values"),
        ("[" * 5000, "too-deep"),
        ("a: " + "{b: " * 70 + "1" + "}" * 70, "too-deep"),
        ("- " * 200 + "x", "too-deep"),
        ("#" + "x" * LARGEST_FILE, "too-large"),
        (b"a: \xff", "not-utf8"),
        ("a: b".encode("utf-16"), "not-utf8"),
        ("a: .nan", "not-finite"),
        ("a: -.inf", "not-finite"),
        ("a: 1e999", "not-finite"),
        ("a: " + "9" * 5000, "wrong-value"),
        ("a: !secret x", "custom-tag"),
        ("a: !!binary aGk=", "custom-tag"),
        ("a: !!python/object:os.system x", "custom-tag"),
        ("a: 1\na: 2", "duplicate-key"),
        ("{a: 1, 'a': 2}", "duplicate-key"),
        ("a: 1\n---\nb: 2", "second-document"),
        ("1: x", "non-text-key"),
        ("null: x", "non-text-key"),
        ("? [a]\n: x", "non-text-key"),
        ("a: {{ vars.x }}", "non-text-key"),
        ("a: &a [*a]", "unknown-alias"),
        ("a: *b", "unknown-alias"),
        ("<<: 3", "wrong-type"),
        ("", "empty-file"),
        ("# nothing\n", "empty-file"),
        ("- a", "wrong-type"),
        ("a: [", "yaml-syntax"),
        ("a: @x", "yaml-syntax"),
        ("a: \x07", "yaml-syntax"),
        ("%YAML 9.9\n--- {a: 1}", "yaml-syntax"),
        ("[" * 100_000, "too-deep"),
        ("a: " + "[{a: " * 30_000, "too-deep"),
        ("? " * 50_000, "too-deep"),
        ("<<: *undefined", "unknown-alias"),
        ("%TAG ! tag:x,2000:\n---\na: !b c", "custom-tag"),
        ("a:\n\tb: 1", "yaml-syntax"),
        ("a: \x00", "yaml-syntax"),
        ('a: "\\0"', "wrong-value"),
        ('a: "\\ud800"', "wrong-value"),
        ('"a\\0": 1', "wrong-value"),
    ],
)
def test_what_a_spec_must_not_be_is_refused_by_one_problem(source, code):
    assert codes(source) == [code]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("yes", "yes"),
        ("on", "on"),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("9223372036854775807", 9223372036854775807),
        ("~", None),
        ("", None),
        ("true", True),
        ('"true"', "true"),
        ("!!str 12", "12"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(source, value):
    document, problems = read(f"a: {source}")
    assert problems == ()
    assert plain(document) == {"a": value}
    assert type(plain(document)["a"]) is type(value)


def test_own_keys_win_over_merged_ones_and_both_keep_their_positions():
    document, problems = read("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  x: 3\n")
    assert problems == ()
    use = document.get("use")
    assert plain(use) == {"x": 3, "y": 2}
    assert (use.key_at("x").line, use.key_at("y").line) == (4, 1)


def test_columns_count_characters_and_the_mark_of_byte_order_is_no_part_of_the_text():
    document, _ = read("\ufeffä: {ö: 1}".encode())
    assert document.key_at("ä").column == 1
    assert document.get("ä").key_at("ö").column == 5


def test_all_faults_of_a_document_are_found_together():
    found = read("a: .nan\nb: !x y\nb: 2\n3: 4\n")[1]
    assert [(p.code, p.at.line) for p in found] == [
        ("not-finite", 1), ("custom-tag", 2), ("duplicate-key", 3), ("non-text-key", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "suggestion"),
    [
        ("a:\n\tb: 1", "indent with spaces"),
        ("a: @x", "quote the text"),
        ("a: b: c", "quote text that has a colon and a space in it"),
        ("a: {b: [1}", "a bracket or a quote before this place is not closed, or a comma is missing"),
        ("a:\n  b: 1\n c: 2", "look at the indentation here and above, and at what stands behind a closing bracket"),
        ("a: [*.log]", "quote text that begins with *"),
        ("a: {{ vars.x }}", 'quote a template: "{{ … }}"'),
        ("? [a]\n: x", ""),
    ],
)
def test_what_is_no_yaml_says_what_it_most_often_is(source, suggestion):
    assert [problem.suggestion for problem in read(source)[1]] == [suggestion]


def test_what_is_not_closed_names_the_line_on_which_it_began():
    (problem,) = read('a: 1\nb: {c: "x}\nd: {e: "y"}\n')[1]
    assert (problem.at.line, "(from line 2)" in problem.message) == (3, True)


def test_a_value_that_was_refused_is_known_to_be_broken_and_so_is_a_template_without_quotes():
    document, problems = read("a: .inf\nb: {{ vars.x }}\nc: {<<: {{ vars.y }}, d: 1}\n")
    assert [problem.code for problem in problems] == ["not-finite", "non-text-key", "non-text-key"]
    assert document.get("a").broken
    assert document.get("b").broken
    assert [entry.key for entry in document.get("c").entries] == ["d"]


def test_a_file_that_is_one_template_without_quotes_has_no_tree():
    document, problems = read("{{ vars.x }}")
    assert (document, [problem.code for problem in problems]) == (None, ["non-text-key"])


def test_a_value_that_is_left_out_stands_where_its_key_does():
    document, _ = read("a:\n  b:\nc: ~\n")
    assert document.get("a").get("b").at == document.get("a").key_at("b")
    assert document.get("c").at.column == 4


def test_standard_tags_are_named_as_they_are_written():
    (problem,) = read('a: !!int "5"')[1]
    assert problem.message == 'the tag "!!int" is not allowed'


def test_a_line_may_end_as_on_windows():
    document, problems = read(b"a: 1\r\nb: .inf\r\n")
    assert [(p.code, p.at.line, p.at.column, p.excerpt) for p in problems] == [("not-finite", 2, 4, "b: .inf\n   ^")]
    assert document.key_at("b").line == 2


@given(
    st.one_of(
        st.binary(max_size=60), st.text("{}[]:,-?&*!|>'\"%@# \n\tab1.<~\x85\u2028\ufeff", max_size=40).map(str.encode)
    )
)
def test_any_bytes_are_a_document_or_problems(data):
    document, problems = read(data)
    assert document is not None or problems
    assert all(problem.at.line >= 1 and problem.at.column >= 1 for problem in problems)
