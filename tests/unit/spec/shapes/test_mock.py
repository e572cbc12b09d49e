from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.mock import CassetteMock, JsonBody, Match, OpenapiMock, Reply, Route, RoutesMock
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.shapes.mock import mock
from tests.unit.spec.shapes.reading import accepted, read

OK = "reply: {status: 200}"


def routes(source):
    (route,) = accepted(mock, f"{{routes: [{source}]}}").routes
    return route


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{openapi: ./api.yaml}", OpenapiMock(openapi="./api.yaml")),
        ("{openapi: a, hosts: [api.example.com, b]}", OpenapiMock(openapi="a", hosts=("api.example.com", "b"))),
        ("{cassette: c.json}", CassetteMock(cassette="c.json", mode="replay")),
        (
            "{cassette: c.json, mode: record, hosts: [h]}",
            CassetteMock(cassette="c.json", mode="record", hosts=("h",)),
        ),
        ("{routes: [{reply: {}}]}", RoutesMock(routes=(Route(reply=Reply()),))),
        ("{routes: [{reply: {}}], hosts: [h]}", RoutesMock(routes=(Route(reply=Reply()),), hosts=("h",))),
    ],
)
def test_a_mock_answers_from_one_of_three_sources(source, expected):
    assert accepted(mock, source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{}", Match()),
        ("{method: POST}", Match(method="POST")),
        ("{path: /orders/*}", Match(path=Pattern("/orders/*"))),
        ('{path: {regex: "^/v[12]/"}}', Match(path=Pattern("^/v[12]/", regex=True))),
        ("{headers: {accept: text/*}}", Match(headers={"accept": Pattern("text/*")})),
    ],
)
def test_a_route_is_for_the_requests_that_fit_all_that_is_given(source, expected):
    assert routes(f"{{when: {source}, {OK}}}").when == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{}", Reply()),
        ("{status: 503}", Reply(status=503)),
        ("{headers: {retry-after: 1}}", Reply(headers={"retry-after": "1"})),
        ("{json: {a: [1, null]}}", Reply(body=JsonBody(value={"a": [1, None]}))),
        ("{json: null}", Reply(body=JsonBody(value=None))),
        ("{body: hello}", Reply(body="hello")),
        ('{body: ""}', Reply(body="")),
        ("{delay: 50ms}", Reply(delay=Duration(5 * 10**7))),
    ],
)
def test_a_reply_says_all_of_the_answer(source, expected):
    assert routes(f"{{reply: {source}}}").reply == expected
    assert routes(f"{{sequence: [{source}, {{}}]}}").sequence == (expected, Reply())


def test_a_route_may_answer_in_turn_and_some_of_the_requests_only():
    route = routes("{sequence: [{status: 500}, {status: 200}], reply: {status: 404}, percent: 12.5}")
    assert [reply.status for reply in route.sequence] == [500, 200]
    assert (route.reply.status, route.percent) == (404, 12.5)
    assert (route.at.line, route.at.column) == (2, 12)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{}", ("one-of", 2, 2)),
        ("{openapi: a, cassette: b}", ("one-of", 2, 15)),
        ("{openapi: 5}", ("wrong-type", 2, 12)),
        ("{openapi: a, mode: record}", ("missing-key", 2, 15)),
        ("{cassette: c, mode: record}", ("missing-key", 2, 2)),
        ("{cassette: c, mode: play}", ("wrong-value", 2, 22)),
        ("{openapi: a, hosts: []}", ("empty-list", 2, 22)),
        ('{openapi: a, hosts: ["https://a"]}', ("wrong-value", 2, 23)),
        ("{openapi: a, hosts: [a..b]}", ("wrong-value", 2, 23)),
        ("{openapi: a, port: 80}", ("unknown-key", 2, 15)),
        ("{routes: []}", ("empty-list", 2, 11)),
        ("{routes: [{}]}", ("missing-key", 2, 12)),
        ("{routes: [{when: {}}]}", ("missing-key", 2, 12)),
        ("{routes: [{reply: {}, percent: 0}]}", ("wrong-value", 2, 33)),
        ("{routes: [{reply: {}, percent: 101}]}", ("wrong-value", 2, 33)),
        ("{routes: [{reply: {}, sequence: []}]}", ("empty-list", 2, 34)),
        ("{routes: [{reply: {status: 99}}]}", ("wrong-value", 2, 29)),
        ("{routes: [{reply: {json: 1, body: x}}]}", ("one-of", 2, 30)),
        ("{routes: [{reply: {headers: {a b: c}}}]}", ("wrong-value", 2, 31)),
        ("{routes: [{reply: {delay: long}}]}", ("wrong-value", 2, 28)),
        ("{routes: [{reply: {}, when: {method: get}}]}", ("wrong-value", 2, 39)),
        ("{routes: [{reply: {}, when: {path: {regex: (}}}]}", ("wrong-value", 2, 45)),
        ('{routes: [{reply: {json: {a: ["{{ captured }}"]}}}]}', ("known-too-late", 2, 32)),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_where_it_stands(source, found):
    assert read(mock, source).found == [found]
