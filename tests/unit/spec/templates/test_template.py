from __future__ import annotations

import hashlib
import os

import pytest

from cleanroom.spec.document import UnreadableError, decode, kind, plain, read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.templates.expression import Work
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText
from cleanroom.spec.templates.template import Names, render


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
        ("self", "unknown-name"),
        ("cycler", "unknown-name"),
        ("lipsum", "unknown-name"),
        ("matrix.x", "unknown-name"),
        ("1.5 | round(1000000000)", "template"),
        ("'9' * 5", "template"),
        ("[vars, vars, [vars, [vars, vars]]] | to_json | length", None),
        ("vars | join(to_json(range(10000)))", None),
        ("captured.id +", "template"),
        ("captured.id | uper", "template"),
        ("captured.id ~ env('A')", "template"),
        ("captured.id ~ file('data.txt')", "template"),
        ("captured.id ~ nothing", "unknown-name"),
        ("captured.id ~ vars.absent", "unknown-variable"),
        ("'\\ud800'", "template"),
        ("'\\x00'", "template"),
        ("1e308 * 10", "template"),
        ("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "template"),
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
    if expression == "vars":
        assert plain(document)["out"] == {"n": 5}


def test_text_grows_to_a_bound_only(rendered):
    doubling = "vars:\n  a0: '" + "x" * 60_000 + "'\n  a1: '{{ vars.a0 + vars.a0 }}'\n"
    assert [problem.code for problem in rendered(doubling)[1]] == ["template"]
    replacing = "vars:\n  a: '" + "x" * 6_000 + "'\nout: \"{{ vars.a | replace('x', vars.a) }}\"\n"
    assert [problem.code for problem in rendered(replacing)[1]] == ["template"]


def test_the_number_of_expressions_is_bounded(rendered):
    source = "out:\n" + "\n".join(f"  - '{{{{ {i} }}}}'" for i in range(5_002))
    assert {problem.message for problem in rendered(source)[1]} == {"the file has too many expressions"}


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


def test_a_lot_of_long_expressions_is_refused_before_it_is_compiled(rendered):
    source = "out:\n" + "\n".join(f"  - '{{{{ [{'1, ' * 300}{i}] }}}}'" for i in range(500))
    assert [problem.message for problem in rendered(source)[1]] == ["the file has too many expressions"]


def test_lists_made_by_templates_count_against_the_values_of_the_file(rendered):
    source = "out:\n" + "  - '{{ range(10000) }}'\n" * 30
    assert {problem.message for problem in rendered(source)[1]} == {"templates make the file too large"}


def test_text_written_by_templates_counts_against_the_file(rendered):
    source = "vars: {a: '" + "x" * 60_000 + "'}\nout:\n" + "  - '{{ vars.a }}'\n" * 200
    assert [problem.code for problem in rendered(source)[1]] == ["template"]


def test_variables_cannot_double_in_depth_or_size(rendered):
    lines = ["vars:", "  a0: [x, x]", *(f"  a{i}: '{{{{ [vars.a{i - 1}, vars.a{i - 1}] }}}}'" for i in range(1, 60))]
    problems = rendered("\n".join(lines) + "\n")[1]
    assert {problem.code for problem in problems} == {"template"}


def test_an_anchor_is_rendered_once_however_often_it_is_used(tmp_path):
    lines = "base: &b {x: '{{ sha256(1) }}'}\nuses:\n" + "  - *b\n" * 4000
    log, work = ProblemLog("x.yaml"), Work()
    names = Names(variables={}, environment={}, seed=None, root=tmp_path, directory=tmp_path)
    document = render(read_document(decode(lines.encode(), log), log), names, log, work)
    assert not log.found
    assert Work().steps - work.steps < 100
    assert len(plain(document)["uses"]) == 4000


def test_text_with_run_time_names_keeps_its_parts_and_what_is_known_of_them(rendered):
    source = "vars: {r: eu}\nout: 'a{{ vars.r }}-{{ captured.id ~ vars.r }}/{{ 1 + 1 }}'\nwhole: '{{ captured.id }}'\n"
    document, problems = rendered(source)
    assert problems == ()
    out, whole = document.get("out"), document.get("whole")
    assert isinstance(out.value, RuntimeText)
    assert out.text is out.value
    assert out.value == "a{{ vars.r }}-{{ captured.id ~ vars.r }}/{{ 1 + 1 }}"
    late = Expression("captured.id ~ vars.r", frozenset({"captured"}), {"vars": {"r": "eu"}})
    assert out.value.parts == ("aeu-", late, "/2")
    assert whole.value.parts == (Expression("captured.id", frozenset({"captured"}), {}),)


def test_a_variable_must_be_known_before_the_run_and_is_reported_once(rendered):
    _, problems = rendered("vars: {a: '{{ captured.id }}', b: '{{ vars.a }}'}\nout: '{{ vars.b }}'\n")
    assert [(p.code, p.at.line, p.at.column) for p in problems] == [("known-too-late", 1, 11)]


def test_a_key_cannot_be_a_template(rendered):
    _, problems = rendered("out:\n  '{{ vars.x }}': 1\n")
    assert [(p.code, p.at.line, p.at.column) for p in problems] == [("template", 2, 3)]


def test_a_list_variable_is_given_as_json(rendered):
    source = "vars: {l: [a], m: {a: 1}}\nout: ['{{ vars.l }}', '{{ vars.m }}']\n"
    document, problems = rendered(source, variables={"l": '["b"]', "m": '{"c": 2}'})
    assert problems == ()
    assert plain(document)["out"] == [["b"], {"c": 2}]
    for given in ("b", '{"a": 1}', "["):
        assert [p.code for p in rendered(source, variables={"l": given})[1]] == ["wrong-value"]


def test_every_missing_name_of_an_expression_is_told_with_what_was_meant(rendered):
    _, problems = rendered("vars: {region: eu}\nout: \"{{ 'x' ~ vars['regoin'] ~ sed }}\"\nb: '{{ 1 | uper }}'\n")
    assert (problems[0].code, problems[0].suggestion) == ("unknown-name", "did you mean seed?")
    assert "did you mean upper?" in problems[1].message


def test_a_null_variable_takes_its_default_from_the_expression(rendered):
    document, problems = rendered("vars: {a: null}\nout: \"{{ vars.a | default('d') }}\"\n")
    assert problems == ()
    assert plain(document)["out"] == "d"


def test_a_pipe_is_not_waited_for(rendered, workspace):
    os.mkfifo(workspace / "specs" / "pipe")
    assert [p.code for p in rendered("out: \"{{ file('pipe') }}\"\n")[1]] == ["template"]


def test_text_that_waits_for_the_run_has_a_kind_too(rendered):
    document, _ = rendered("out: '{{ captured.id }}'\n")
    assert kind(document.get("out")) == 'text "{{ captured.id }}"'


@pytest.mark.parametrize(
    ("source", "message", "suggestion"),
    [
        ("vars: {x: null}\na: '{{ vars.x }}'", "the variable x has no value", "give it with --var x=VALUE"),
        ("vars: {x: '{{ vars.y }}', y: 1}", "the variable y has no value yet", "y has to stand before"),
        ("vars: {x: '{{ vars.x }}'}", "the variable x has no value yet", "settled in order"),
        ("a: '{{ matrix.x }}'", "there is no matrix that is known here", "matrix: {name: [values]}"),
    ],
)
def test_a_variable_without_a_value_says_why_it_has_none(rendered, source, message, suggestion):
    (problem,) = rendered(source)[1]
    assert problem.message == message
    assert suggestion in problem.suggestion


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "the expression is empty"),
        ("1 +", "unexpected 'end of the expression'"),
        ("'a' + 1", "+ takes two numbers, two texts or two lists"),
        ("[1] + 'a'", "+ takes two numbers, two texts or two lists"),
        ("file()", "file(path) cannot be called so: missing a required argument: 'path'"),
        ("sha256('a', 'b')", "sha256(text) cannot be called so: too many positional arguments"),
        ("range('3')", "range takes one to three whole numbers"),
        ("range()", "range takes one to three whole numbers"),
        ("range(1, 2, 3, 4)", "range takes one to three whole numbers"),
    ],
)
def test_what_an_expression_gets_wrong_is_said_in_its_own_words(rendered, expression, words):
    (problem,) = rendered(f'a: "{{{{ {expression} }}}}"')[1]
    assert problem.code == "template"
    assert words in problem.message


def test_nothing_more_is_said_of_a_variable_a_part_of_which_cannot_be_evaluated(rendered):
    _, problems = rendered("vars: {x: {y: '{{ vars.z }}'}}\na: '{{ vars.x.y }}'")
    assert [(problem.code, problem.at.line) for problem in problems] == [("unknown-variable", 1)]
