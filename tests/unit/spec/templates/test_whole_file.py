from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleanroom.spec.document import plain
from cleanroom.spec.load import render_spec


@pytest.fixture
def go(tmp_path):
    def render(source, **given):
        path = tmp_path / "x.cleanroom.yaml.j2"
        path.write_text(source, encoding="utf-8")
        found = render_spec(path, root=tmp_path, **{"variables": {}, "environment": {}, **given})
        return [plain(instance.document) for instance in found.instances], found.problems

    return render


def places(problems):
    return [(p.code, p.at.line, p.at.column) for p in problems]


def test_loops_conditions_variables_and_macros_write_the_spec(go):
    source = """\
{% set names = ["a", "b", "c"] %}
{% macro service(name, image="x") %}
{{ name }}: {image: {{ image }}, n: {{ varargs | length }}}
{% endmacro %}
{% for name in names if name != "b" %}
{{ service(name ~ loop.index) -}}
{% else %}
none: 1
{% endfor %}
{% if seed == 42 and vars.region == "eu" %}
list: {{ range(3) }}
null: {{ none }}
{% endif %}
{% for key, value in {"k": true} | items %}
{{ key }}: {{ value }}
{% endfor %}
{% set block %}
text: |
{{ "one\\ntwo" | indent(2, true) }}
{% endset %}
{{ block }}
{%- filter upper %}shout: x{% endfilter %}
"""
    (document,), problems = go(source.replace("null: ", "nothing: "), variables={"region": "eu"})
    assert problems == ()
    assert document == {
        "a1": {"image": "x", "n": 0}, "c2": {"image": "x", "n": 0}, "list": [0, 1, 2], "nothing": None, "k": True,
        "text": "one\ntwo\n", "SHOUT": "X",
    }  # fmt: skip


def test_what_is_raw_is_evaluated_afterwards_and_knows_the_spec(go):
    source = (
        "vars: {a: 1}\nmatrix: {m: [x, y]}\nout: '{% raw %}{{ vars.a }}{{ matrix.m }}{{ captured.id }}{% endraw %}'\n"
    )
    documents, problems = go(source)
    assert problems == ()
    assert [document["out"] for document in documents] == ["{{ vars.a }}{{ matrix.m }}{{ captured.id }}"] * 2
    (document, _), _ = go(source.replace("{{ captured.id }}", ""))
    assert document["out"] == "1x"


def test_the_seed_is_the_one_that_the_spec_declares(go):
    source = "determinism: {seed: 7}\nout: {{ seed }}\n"
    assert go(source)[0][0]["out"] == 7
    assert go(source, seed=3)[0][0]["out"] == 3
    assert places(go("determinism: {seed: {{ seed + 1 }}}\n")[1]) == [("contradiction", 1, 14)]


def test_variables_come_from_the_call_and_then_from_the_environment(go):
    environment = {"CLEANROOM_VAR_a": "environment", "CLEANROOM_VAR_b": "environment"}
    (document,), _ = go("a: {{ vars.a }}\nb: {{ vars.b }}\n", variables={"a": "call"}, environment=environment)
    assert document == {"a": "call", "b": "environment"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a: 1\n{% for i in range(3) %}\n\nb{{ i }}:   .inf\n{% endfor %}\n", [("not-finite", 4, 13)]),
        ("a: 1\nb: {{ 1 }}.inf\nc: [{{ '.nan' }}]\n", [("not-finite", 3, 5)]),
        ("{% if true %}\n  {% if false %}\nx\n{% endif %}\na: 1\n{%- endif %}\n\n3: x\n", [("non-text-key", 8, 1)]),
        ("{# one\ntwo #}\na: 1\na: 2\n", [("duplicate-key", 4, 1)]),
        ("a: 1\r\nb: .inf\r\n", [("not-finite", 2, 4)]),
        ("a: 1\nb: [x\n", [("yaml-syntax", 2, 6)]),
        ("{% macro m(x) %}\n{{ x }}: .inf\n{% endmacro %}\n\na: 1\n{{ m('b') }}\n", [("not-finite", 2, 10)]),
        ("{% set b %}\nx: .inf\n{% endset %}\n{{ b }}", [("not-finite", 2, 4)]),
        ("a: 1\n\n{% from 'cleanroom.j2' import span %}\n3: {{ span('x') }}\n", [("non-text-key", 4, 1)]),
        ("a: 1\nb: {{ 1 +\n vars.x }}\n", [("unknown-variable", 3, 7)]),
        ("a: 1\n\n b: {{ 1 / 0 }}\n", [("template", 3, 2)]),
        ("a: {{ foo }}\n{% if bar %}{% endif %}\n", [("unknown-name", 1, 7), ("unknown-name", 2, 7)]),
        ("a: 1\n{{ captured.id }}\n", [("unknown-name", 2, 4)]),
        ("a: 1\n{{ matrix.id }}\n", [("unknown-name", 2, 4)]),
        ("a: 1\n{{ 1 | uper }}\n", [("template", 2, 1)]),
        ("a: 1\n{% foo %}\n", [("template", 2, 1)]),
        ("a: 1\n{{ 1 \n", [("template", 2, 1)]),
        ("a: 1\n{{ self }}\n", [("template", 2, 1)]),
        ("a: 1\n{{ '' .__class__ }}\n", [("unknown-variable", 2, 1)]),
        ("a: 1\n{{ range.__globals__ }}\n", [("unknown-variable", 2, 1)]),
        ("a: 1\n{% for x in [1] %}{{ loop.__class__ }}{% endfor %}\n", [("unknown-variable", 2, 1)]),
        ("a: 1\n{% macro m() %}{% endmacro %}{{ m.__init__ }}\n", [("unknown-variable", 2, 1)]),
        ("{% import 'cleanroom.j2' as c %}\na: {{ c.spam(1) }}\n", [("unknown-variable", 2, 1)]),
        ("{% import 'cleanroom.j2' as c %}\na: {{ c.__dict__ }}\n", [("unknown-variable", 2, 1)]),
        ("{% from 'cleanroom.j2' import lifecycle %}\na:\n  - {{ lifecycle('db', 'api') }}\n", [("yaml-syntax", 3, 5)]),
        ("a: 1\n{% from 'cleanroom.j2' import pairs %}\nb: {{ pairs(1) }}\n", [("unknown-name", 2, 31)]),
        ("a: 1\n{% from 'cleanroom.j2' import _pairs %}\n", [("template", 2, 1)]),
        ("{% include 'x' %}", [("template", 1, 1)]),
        ("a: 1\n{% extends 'x' %}", [("template", 2, 1)]),
        ("a: 1\n{% import '/etc/passwd' as x %}", [("template", 2, 1)]),
        ("a: 1\n{% from 'x' + seed import y %}", [("template", 2, 1)]),
        ("{% block a %}{% endblock %}", [("template", 1, 1)]),
        ("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", [("template", 1, 1)]),
        ("", [("empty-file", 1, 1)]),
        ("{{ 1 }}", [("wrong-type", 1, 1)]),
    ],
)
def test_what_is_wrong_is_told_at_the_line_of_the_template(go, source, expected):
    documents, problems = go(source)
    assert documents == []
    assert places(problems) == expected


def test_a_macro_that_is_not_there_is_told_where_it_is_imported_with_those_that_are(go):
    _, (problem,) = go("a: 1\n{% from 'cleanroom.j2' import spans, edges as e %}\n")
    assert problem.message == 'cleanroom.j2 has no macro "spans"'
    assert problem.expected == "span, lifecycle, edges, window, count, attributes"
    assert problem.suggestion == "did you mean span?"


def test_a_problem_shows_the_line_of_the_template(go):
    _, problems = go("{% for i in range(3) %}\nb{{ i }}: .inf\n{% endfor %}\n")
    assert {p.excerpt for p in problems} == {"b{{ i }}: .inf\n          ^"}


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(9999) %}" * 3 + "{{ i }}" + "{% endfor %}" * 3,
        "{% for i in range(9999) %}{% for j in range(9999) if j < 0 %}{% endfor %}{% endfor %}",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(40) }}",
        "{% set a = 'a' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
        "{% set a = 'a' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
        "{% set a = ['a'] %}" + "{% set a = [a, a] %}" * 40 + "{{ a == a }}",
        "{% set a = ['a'] %}" + "{% set a = {'x': a, 'y': a} %}" * 40,
        "{% set a = ['a'] %}" + "{% set a = a + a %}" * 40,
        "{% set a = [1] %}" + "{% set a = [a] %}" * 40,
        "{% set x %}" + "x" * 60000 + "{% endset %}{% for i in range(9999) %}{% set y = x | upper %}{% endfor %}",
        "{% set x %}" + "x" * 60000 + "{% endset %}{% for i in range(9999) %}{% if x in x %}{% endif %}{% endfor %}",
        "{% for i in range(9999) %}{% if range(9999) == range(9999) %}{% endif %}{% endfor %}",
        "{% for i in range(9999) %}{% set y = range(9999) | sort %}{% endfor %}",
        "{% for i in range(9999) %}{% set y = 'a'[::1] %}{% set z = range(9999)[::1] %}{% endfor %}",
        "{% set x %}" + "x" * 60000 + "{% endset %}{% for i in range(99) %}{% set y %}{{ x }}{% endset %}{% endfor %}",
        "{% for i in range(9999) %}" + "x" * 9999 + "{% endfor %}",
        "{{ 'a' * 10 ** 8 }}",
        "{{ range(10 ** 9) }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' | center(10 ** 9) }}",
        "{{ 'a' | indent(10 ** 9) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ 1.5 | round(10 ** 9) }}",
        "{{" * 1000,
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "seed|" * 9000 + "d }}",
        "{{ " + "-" * 9000 + "1 }}",
        "{% if 1 %}" * 300 + "{% endif %}" * 300,
        "{% for x in [1] %}" * 25 + "{% endfor %}" * 25,
        "{{ 'a' }}" * 20000,
        "#" * 300_000,
    ],
)
def test_a_template_that_grows_is_refused_by_counting(go, source):
    """Each of these would need gigabytes or years; the bounds are counted, so no clock is asked here."""
    documents, problems = go("a: 1\n" + source)
    assert documents == []
    assert len(problems) == 1
    assert problems[0].code in ("template", "too-large")


MACROS = {
    'span("GET /*", service="api", count=1, attributes={"none": ["p"]})': {
        "name": "GET /*", "service": "api", "count": 1, "attributes": {"none": ["p"]},
    },
    'span("a\u2028\\"b")': {"name": 'a\u2028"b'},
    'edges("web", "api", "db.insert")': [["web", "api"], ["api", "db.insert"]],
    'window("cleanroom.iteration", "cleanroom.cleanup", "b", max_duration="30s")': {
        "outer": "cleanroom.iteration", "contains": ["cleanroom.cleanup", "b"], "max_duration": "30s",
    },
    'count("db.query")': {"name": "db.query", "count": {"gte": 1}},
    'count("db.query", 2, 20)': {"name": "db.query", "count": {"gte": 2, "lte": 20}},
    'attributes("GET*", all={"a": {"lt": 500}}, forbid=["password"], service="api")': {
        "name": "GET*", "attributes": {"all": {"a": {"lt": 500}}, "none": ["password"]}, "service": "api",
    },
    'attributes("GET*", any={"a": 1})': {"name": "GET*", "attributes": {"any": {"a": 1}}},
}  # fmt: skip


@pytest.mark.parametrize("call", MACROS)
def test_the_built_in_macros_write_parts_of_expect(go, call):
    names = "span, lifecycle, edges, window, count, attributes"
    (document,), problems = go(f'{{% from "cleanroom.j2" import {names} %}}\nout: {{{{ {call} }}}}\n')
    assert problems == ()
    assert document["out"] == MACROS[call]


def test_lifecycle_writes_items_that_stand_beside_others(go):
    (document,), _ = go('{% import "cleanroom.j2" as c %}\nout: [{{ c.lifecycle("db", "api") }}, {name: x}]\n')
    assert [(item["name"], item.get("where")) for item in document["out"]] == [
        ("cleanroom.service.start", {"cleanroom.service": "db"}),
        ("cleanroom.service.stop", {"cleanroom.service": "db"}),
        ("cleanroom.service.start", {"cleanroom.service": "api"}),
        ("cleanroom.service.stop", {"cleanroom.service": "api"}),
        ("x", None),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                "{{ ",
                " }}",
                "{% for x in [1, 2] %}",
                "{% endfor %}",
                "{% if x %}",
                "{% endif %}",
                "{% set x = 1 %}",
                "x",
                "{% macro m() %}",
                "{% endmacro %}",
                "{{ m() }}",
                "{# ",
                " #}",
                "{%- raw %}",
                "{% endraw -%}",
                "\n",
                "a: 1\n",
                "-",
                "  ",
                "{{ x }}",
                ": ",
                "'",
                "[",
                "}",
                "{{ caller() }}",
                "{% call m() %}",
                "{% endcall %}",
                ".inf",
                "\u2028",
            ],
        ),
        max_size=14,
    ).map("".join)
)
def test_any_template_renders_or_has_a_problem_inside_the_file(go, source):
    documents, problems = go(source)
    assert documents or problems
    lines = source.split("\n")
    for problem in problems:
        assert 1 <= problem.at.line <= len(lines)
        assert 1 <= problem.at.column <= len(lines[problem.at.line - 1]) + 1
