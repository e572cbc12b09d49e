from __future__ import annotations

from textwrap import dedent

import pytest

from cleanroom.spec.document import read_document
from cleanroom.spec.lint.check import lint_text
from cleanroom.spec.problem import ProblemLog


def rules(text, **options):
    text = dedent(text)
    findings = lint_text(text, [read_document(text, ProblemLog("x"))], "x", **options)
    return [(finding.rule, finding.at.line) for finding in findings if finding.rule != "missing-description"]


def messages(text):
    return [f.message for f in lint_text(text, [read_document(text, ProblemLog("x"))], "x") if "allow" in f.rule]


SERVICES = """\
    services:
      a: {image: one}
      b: {image: two}
    scenarios: [{steps: [{http: {service: a}}, {http: {service: b}}], expect: {counts: {errors: 0}}}]
    """


def test_without_a_comment_everything_is_found():
    assert rules(SERVICES) == [("unpinned-image", 2), ("unpinned-image", 3)]


def test_behind_a_line_a_comment_is_about_that_line():
    text = SERVICES.replace("one}", "one}  # cleanroom-lint: allow unpinned-image -- built here")
    assert rules(text) == [("unpinned-image", 3)]


def test_above_a_line_a_comment_is_about_it():
    text = SERVICES.replace("      b:", "      # cleanroom-lint: allow unpinned-image -- built here\n      b:")
    assert rules(text) == [("unpinned-image", 2)]


def test_above_a_block_a_comment_is_about_all_of_it():
    text = """\
        cleanroom: 1
        # cleanroom-lint: allow unpinned-image -- built here

        # another remark
        services:
          a: {image: one}
          b:
            image: two
        scenarios: [{steps: [{http: {service: a}}, {http: {service: b}}], expect: {counts: {errors: 0}}}]
        """
    assert rules(text) == []


def test_a_block_ends_where_the_indentation_does():
    text = """\
        services:
          # cleanroom-lint: allow unpinned-image -- built here
          a:
            image: one
          b:
            image: two
        scenarios: [{steps: [{http: {service: a}}, {http: {service: b}}], expect: {counts: {errors: 0}}}]
        """
    assert rules(text) == [("unpinned-image", 6)]


def test_a_list_at_the_indentation_of_its_key_belongs_to_it_and_an_item_ends_at_the_next():
    text = """\
        expect:
          counts: {errors: 0}
          # cleanroom-lint: allow counts-only -- for now
          spans:
          - name: a
          - name: b
        """
    assert rules(text) == []
    item = text.replace(
        "          - name: b", "          # cleanroom-lint: allow counts-only -- for now\n          - name: b"
    )
    other = item.replace("          # cleanroom-lint: allow counts-only -- for now\n          spans", "          spans")
    assert rules(other) == [("counts-only", 4)]


def test_above_the_first_line_a_comment_is_about_the_whole_file():
    text = "    # cleanroom-lint: allow unpinned-image -- all are built here\n    ---\n" + SERVICES
    assert rules(text) == []


def test_one_comment_allows_several_rules():
    text = "# cleanroom-lint: allow single-iteration not-identical -- a demonstration\ncleanroom: 1\n"
    assert rules(text + "determinism: {iterations: 1, identical: false}\n") == []
    assert rules(text.replace(" not", ", not") + "determinism: {iterations: 1, identical: false}\n") == []


def test_a_comment_that_allows_nothing_is_a_finding():
    text = "cleanroom: 1\n# cleanroom-lint: allow single-iteration -- why not\ndeterminism: {iterations: 2}\n"
    assert rules(text) == [("unused-allow", 2)]
    assert messages(text) == ["nothing here breaks single-iteration"]


def test_of_several_rules_only_the_unused_one_is_a_finding():
    text = "# cleanroom-lint: allow single-iteration not-identical -- why\ndeterminism: {iterations: 1}\n"
    assert messages(text) == ["nothing here breaks not-identical"]


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("allow single-iteratoin -- x", "there is no rule single-iteratoin; did you mean single-iteration?"),
        ("allow zzz -- x", "there is no rule zzz"),
        ("allow single-iteration", "the comment gives no reason"),
        ("allow single-iteration --", "the comment gives no reason"),
        ("allow single-iteration -- ", "the comment gives no reason"),
        ("disable single-iteration -- x", "the comment is not understood"),
        ("", "the comment is not understood"),
        ("allow -- x", "the comment is not understood"),
    ],
)
def test_a_broken_comment_is_a_finding_and_allows_nothing(comment, message):
    text = f"# cleanroom-lint: {comment}\ndeterminism: {{iterations: 1}}\n"
    assert messages(text) == [message]
    assert rules(text) == [("broken-allow", 1), ("single-iteration", 2)]


def test_what_comments_say_of_themselves_cannot_be_allowed_twice():
    text = "# cleanroom-lint: allow unused-allow -- x\ncleanroom: 1\n"
    assert rules(text) == [("unused-allow", 1)]


def test_text_that_looks_like_a_comment_allows_nothing():
    text = """\
        determinism: {iterations: 1}
        x: "# cleanroom-lint: allow single-iteration -- no"
        y: |
          # cleanroom-lint: x
        """
    assert rules(text) == [("single-iteration", 1)]


def test_in_a_template_the_lines_of_the_template_count():
    allow = "# cleanroom-lint: allow single-iteration -- a demonstration\n"
    text = allow + "{% if true %}\ndeterminism: {iterations: 1}\n{% endif %}\n"
    document = read_document("\n\ndeterminism: {iterations: 1}\n", ProblemLog("x"))
    assert [f.rule for f in lint_text(text, [document], "x", template=True)] == ["missing-description"]
