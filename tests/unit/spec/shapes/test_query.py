from __future__ import annotations

import pytest

from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.shapes.query import exec_action, http_action, json_value, query, redis_action, sql
from tests.unit.spec.shapes.reading import accepted, deferred, read


@pytest.mark.parametrize(
    ("shape", "source", "expected"),
    [
        (
            exec_action,
            "{service: db, command: ls -l, user: u, env: {A: 1}, stdin: '', working_dir: /w}",
            ExecAction(
                service="db", command=("sh", "-c", "ls -l"), user="u", env={"A": "1"}, stdin="", working_dir="/w"
            ),
        ),
        (
            http_action,
            "{service: a, port: 8, path: '/x?y=1', method: PUT, headers: {a: b}, json: null, follow: false}",
            HttpAction(
                service="a", port=8, path="/x?y=1", method="PUT", headers={"a": "b"}, json=None,
                has_json=True, follow=False,
            ),
        ),
        (http_action, "{service: a, query: {q: 1}}", HttpAction(service="a", query={"q": "1"})),
        (http_action, "{service: a, body: ''}", HttpAction(service="a", body="")),
        (http_action, "{service: a, form: {x: 1}}", HttpAction(service="a", form={"x": "1"})),
        (
            http_action,
            "{url: 'https://a.example:8443/x?y', tls_verify: false, json: {a: [1, null]}}",
            HttpAction(url="https://a.example:8443/x?y", tls_verify=False, json={"a": [1, None]}, has_json=True),
        ),
        (
            sql,
            "{service: d, dialect: mysql, database: s, user: u, password: '', query: q, parameters: [1, a, null, 1.5]}",
            SqlAction(
                service="d", dialect="mysql", port=3306, database="s", user="u", query="q",
                parameters=(1, "a", None, 1.5),
            ),
        ),
        (
            sql,
            "{service: d, dialect: mysql, port: 9, query: q, parameters: {n: true}}",
            SqlAction(service="d", dialect="mysql", port=9, query="q", parameters={"n": True}),
        ),
        (
            redis_action,
            "{service: c, port: 7, commands: [[SET, a, 1], [GET, a]]}",
            RedisAction(service="c", port=7, commands=(("SET", "a", "1"), ("GET", "a"))),
        ),
    ],
)  # fmt: skip
def test_each_key_has_its_place_in_the_model(shape, source, expected):
    assert accepted(shape, source) == expected


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("{sql: {service: a, query: x}}", SqlAction),
        ("{redis: {service: a, command: [x]}}", RedisAction),
        ("{http: {service: a}}", HttpAction),
        ("{exec: {service: a, command: x}}", ExecAction),
    ],
)
def test_a_query_is_one_of_four_questions(source, kind):
    assert isinstance(accepted(query, source), kind)


@pytest.mark.parametrize(
    ("shape", "source", "found"),
    [
        (query, "{}", ("one-of", 2, 2)),
        (query, "{tcp: {}, http: {service: a}}", ("unknown-key", 2, 3)),
        (exec_action, "{service: a}", ("missing-key", 2, 2)),
        (exec_action, "{service: a, command: []}", ("empty-list", 2, 24)),
        (http_action, "{service: a, json: 1, body: x}", ("one-of", 2, 24)),
        (http_action, "{service: a, method: get}", ("wrong-value", 2, 23)),
        (http_action, "{service: a, path: x}", ("wrong-value", 2, 21)),
        (http_action, "{url: ftp://x}", ("wrong-value", 2, 8)),
        (http_action, "{url: 'http://a/#f'}", ("wrong-value", 2, 8)),
        (http_action, "{url: 'http://a/', tls_verify: true}", ("contradiction", 2, 21)),
        (sql, "{service: a, query: x, file: y}", ("one-of", 2, 25)),
        (sql, "{service: a, query: x, dialect: sqlite}", ("wrong-value", 2, 34)),
        (sql, "{service: a, query: x, parameters: [[1]]}", ("wrong-type", 2, 38)),
        (sql, "{service: a, query: x, parameters: 1}", ("wrong-type", 2, 37)),
        (redis_action, "{service: a, commands: [[]]}", ("empty-list", 2, 26)),
        (redis_action, "{service: a, command: PING}", ("wrong-type", 2, 24)),
    ],
)
def test_a_question_that_does_not_fit_is_refused_where_it_stands(shape, source, found):
    assert read(shape, source).found == [found]


def test_run_takes_a_url():
    assert deferred(http_action, "{url: 'https://a/', tls_verify: false}") == []


def test_a_template_deep_inside_of_json_must_know_its_name():
    assert read(json_value, "{a: ['{{ captured }}']}").codes == ["out-of-place-name"]
