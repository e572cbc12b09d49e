from __future__ import annotations

import hashlib

import pytest

from cleanroom.spec.document import UnreadableError, decode, plain, read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.template import Names, render


@pytest.fixture
def workspace(tmp_path):
    root = tmp_path / "repository"
    (root / "specs").mkdir(parents=True)
    (root / "specs" / "data.txt").write_text("from the file", encoding="utf-8")
    (tmp_path / "secret").write_text("s3cret", encoding="utf-8")
    (root / "specs" / "link").symlink_to(tmp_path / "secret")
    return root


@pytest.fixture
def rendered(workspace):
    def go(source, *, variables=None, environment=None, seed=None):
        log = ProblemLog("x.yaml")
        names = Names(
            variables=variables or {},
            environment=environment or {},
            seed=seed,
            root=workspace,
            directory=workspace / "specs",
        )
        try:
            document = render(read_document(decode(source.encode(), log), log), names, log)
        except UnreadableError:
            document = None
        return document, log.sorted()

    return go


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ 1 + 2 }}", 3),
        ("n={{ 1 + 2 }}", "n=3"),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{{ vars.n }}", 5),
        ("{{ vars['n'] * 2 }}", 10),
        ("{{ vars.list[1] }}", "b"),
        ("{{ vars.list }}", ["a", "b"]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ true }}", True),
        ("{{ none }}", None),
        ("is {{ true }}", "is true"),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' }}", "}}"),
        ("{{ '{{' }}", "{{"),
        ("{{ sha256('a') }}", hashlib.sha256(b"a").hexdigest()),
        ("{{ file('data.txt') }}", "from the file"),
        ("{{ to_json({'b': 1, 'a': [true]}) }}", '{"a":[true],"b":1}'),
        ("{{ vars.absent | default('d') }}", "d"),
        ("{{ vars.list | join('-') }}", "a-b"),
        ("{{ '1.0' }}", "1.0"),
        ("{{ vars.n | string }}", "5"),
        ("{{ 'x' if seed == 42 else 'y' }}", "x"),
        ("{% if x %}", "{% if x %}"),
    ],
)
def test_an_expression_keeps_its_type_when_it_is_the_whole_scalar(rendered, template, value):
    quoted = template.replace("'", "''")
    document, problems = rendered(f"vars: {{n: 5, list: [a, b]}}\nout: '{quoted}'\n")
    assert problems == ()
    out = plain(document)["out"]
    assert (out, type(out)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("'a' * 10", "template"),
        ("2 ** 1000000000", "template"),
        ("(2 ** 60) ** 60", "template"),
        ("[0] * 100000000", "template"),
        ("'%1000000000d' % 1", "template"),
        ("'a'.ljust(100000000)", "unknown-variable"),
        ("'{:1000000000}'.format(1)", "unknown-variable"),
        ("'a' | center(100000000)", "template"),
        ("'a' | indent(100000000)", "template"),
        ("range(100000)", "template"),
        ("range(10000) | join('x' ~ range(1000) | join)", "template"),
        ("''.__class__.__mro__", "unknown-variable"),
        ("''['__class__']", "unknown-variable"),
        ("sha256.__globals__", "unknown-variable"),
        ("vars.__class__", "unknown-variable"),
        ("vars.update({'n': 1})", "unknown-variable"),
        ("self", "template"),
        ("cycler", "unknown-name"),
        ("lipsum", "unknown-name"),
        ("matrix.x", "not-available"),
        ("captured.id", "not-available"),
        ("worker", "not-available"),
        ("iteration", "not-available"),
        ("file('../../secret')", "template"),
        ("file('/etc/passwd')", "template"),
        ("file('link')", "template"),
        ("file('absent')", "template"),
        ("env('HOME')", "unknown-variable"),
        ("vars.absent", "unknown-variable"),
        ("1 +", "template"),
        ("1 / 0", "template"),
        ("a b", "template"),
        ("", "template"),
        ("(" * 400 + "1" + ")" * 400, "template"),
        ("1" + "+1" * 600, "template"),
        ("vars", None),
    ],
)
def test_an_expression_cannot_reach_out_or_grow(rendered, expression, code):
    quoted = expression.replace("'", "''")
    document, problems = rendered(f"vars: {{n: 5}}\nout: '{{{{ {quoted} }}}}'\n")
    assert [problem.code for problem in problems] == ([code] if code else [])
    if code is None:
        assert plain(document)["out"] == {"n": 5}


def test_text_grows_to_a_bound_only(rendered):
    doubling = "vars:\n  a0: '" + "x" * 60_000 + "'\n  a1: '{{ vars.a0 + vars.a0 }}'\n"
    assert [problem.code for problem in rendered(doubling)[1]] == ["template"]
    replacing = "vars:\n  a: '" + "x" * 6_000 + "'\nout: \"{{ vars.a | replace('x', vars.a) }}\"\n"
    assert [problem.code for problem in rendered(replacing)[1]] == ["template"]


def test_the_number_of_expressions_is_bounded(rendered):
    source = "out:\n" + "\n".join(f"  - '{{{{ {i} }}}}'" for i in range(5_002))
    assert {problem.message for problem in rendered(source)[1]} == {"more than 5000 expressions"}


def test_given_variables_come_before_the_spec_and_the_spec_before_the_environment(rendered):
    source = (
        "vars: {a: spec, b: spec, c: null}\nout: ['{{ vars.a }}', '{{ vars.b }}', '{{ vars.c }}', '{{ vars.d }}']\n"
    )
    environment = {f"CLEANROOM_VAR_{name}": "environment" for name in "abcd"}
    document, problems = rendered(source, variables={"a": "given"}, environment=environment)
    assert problems == ()
    assert plain(document)["out"] == ["given", "spec", "environment", "environment"]


def test_a_given_variable_takes_the_type_that_the_spec_declares(rendered):
    source = "vars: {n: 5, on: true, text: x}\nout: ['{{ vars.n }}', '{{ vars.on }}', '{{ vars.text }}']\n"
    document, problems = rendered(source, variables={"n": "7", "on": "false", "text": "9"})
    assert problems == ()
    assert plain(document)["out"] == [7, False, "9"]
    _, problems = rendered(source, variables={"n": "seven"})
    assert [(p.code, p.at.line) for p in problems] == [("wrong-value", 1)]


def test_a_null_variable_that_nobody_gives_is_missing_at_the_line_that_uses_it(rendered):
    _, problems = rendered("vars: {a: null}\nb: 1\nout: 'x {{ vars.a }}'\n")
    assert [(p.code, p.at.line, p.at.column) for p in problems] == [("unknown-variable", 3, 9)]


def test_the_environment_is_what_was_passed_in(rendered):
    document, problems = rendered('out: \'{{ env("A") }}{{ env("B", "-") }}\'\n', environment={"A": "x"})
    assert problems == ()
    assert plain(document)["out"] == "x-"


def test_the_seed_is_the_callers_then_the_specs_then_42(rendered):
    source = "determinism: {seed: 7}\nout: '{{ seed }}'\n"
    assert plain(rendered(source, seed=3)[0])["out"] == 3
    assert plain(rendered(source)[0])["out"] == 7
    assert plain(rendered("out: '{{ seed }}'\n")[0])["out"] == 42


def test_a_near_miss_is_suggested(rendered):
    _, problems = rendered("vars: {region: eu}\na: '{{ vars.regoin }}'\nb: '{{ region }}'\nc: '{{ sha265(1) }}'\n")
    assert [p.suggestion for p in problems] == [
        "did you mean vars.region?", "did you mean vars.region?", "did you mean sha256?",
    ]  # fmt: skip


def test_positions_inside_a_block_are_those_of_the_file(rendered):
    _, problems = rendered("out: |\n  one\n   two {{ vars.x }}\n")
    assert [(p.at.line, p.at.column) for p in problems] == [(3, 8)]
