from __future__ import annotations

import pytest

from cleanroom.quantity import Duration, Size
from cleanroom.spec.comparator import Comparator, equal_to
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.probe import (
    CgroupProbe,
    ClockProbe,
    ContainerProbe,
    ExitProbe,
    FileProbe,
    HealthcheckProbe,
    HttpProbe,
    LogProbe,
    Probe,
    SpanProbe,
    TcpProbe,
    port_asked,
    service_asked,
)
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.selector import Selector
from cleanroom.spec.shapes.probe import probe, ready
from tests.unit.spec.shapes.reading import accepted, deferred, read


def is_(**tests):
    return Comparator(tests=tuple(tests.items()))


SERVER = Selector(name=Pattern("a*"), service=Pattern("^s", regex=True), kind="server", scope=Pattern("x"),
                  where={"k": equal_to(1)})  # fmt: skip
QUESTIONS = [
    ("exec: {service: db, command: [a, b]}", ExecAction(service="db", command=("a", "b"))),
    ("tcp: {service: db, port: 5432}", TcpProbe(service="db", port=5432)),
    (
        "http: {service: api, port: 81, path: /x, status: {lt: 300}}",
        HttpProbe(request=HttpAction(service="api", port=81, path="/x"), status=is_(lt=300)),
    ),
    ('http: {url: "https://a.example/x"}', HttpProbe(request=HttpAction(url="https://a.example/x"))),
    ('sql: {service: db, query: "select 1"}', SqlAction(service="db", query="select 1")),
    (
        "sql: {service: db, dialect: mysql, file: a.sql}",
        SqlAction(service="db", dialect="mysql", port=3306, file="a.sql"),
    ),
    ("redis: {service: c, command: [GET, 1]}", RedisAction(service="c", commands=(("GET", "1"),))),
    ("log: {service: api, matches: ERROR, count: 0}", LogProbe(service="api", matches="ERROR", count=equal_to(0))),
    ("container: {service: a, state: running}", ContainerProbe(service="a", what="state", wanted=equal_to("running"))),
    (
        "container: {service: a, health: healthy}",
        ContainerProbe(service="a", what="health", wanted=equal_to("healthy")),
    ),
    ("container: {service: a, restarts: {lte: 2}}", ContainerProbe(service="a", what="restarts", wanted=is_(lte=2))),
    (
        "container: {service: a, oom_killed: false}",
        ContainerProbe(service="a", what="oom_killed", wanted=equal_to(False)),  # noqa: FBT003 -- the value
    ),
    ("container: {service: a, exit_code: 3}", ContainerProbe(service="a", what="exit_code", wanted=equal_to(3))),
    (
        "cgroup: {service: a, throttled: {lte: 1s}}",
        CgroupProbe(service="a", what="throttled", wanted=is_(lte=Duration(10**9))),
    ),
    (
        "cgroup: {service: a, memory_peak: {lte: 1MiB}}",
        CgroupProbe(service="a", what="memory_peak", wanted=is_(lte=Size(2**20))),
    ),
    (
        "cgroup: {service: a, memory_current: {lte: 1k}}",
        CgroupProbe(service="a", what="memory_current", wanted=is_(lte=Size(1024))),
    ),
    ("cgroup: {service: a, oom_kill: 0}", CgroupProbe(service="a", what="oom_kill", wanted=equal_to(0))),
    ("cgroup: {service: a, pids: {lt: 9}}", CgroupProbe(service="a", what="pids", wanted=is_(lt=9))),
    (
        "file: {service: a, path: /x, exists: true}",
        FileProbe(service="a", path="/x", what="exists", wanted=equal_to(True)),  # noqa: FBT003 -- the value
    ),
    (
        "file: {service: a, path: /x, sha256: ab}",
        FileProbe(service="a", path="/x", what="sha256", wanted=equal_to("ab")),
    ),
    (
        "file: {service: a, path: /x, size: {gt: 1k}}",
        FileProbe(service="a", path="/x", what="size", wanted=is_(gt=Size(1024))),
    ),
    ("clock: {service: a, offset: {lte: 1s}}", ClockProbe(service="a", offset=is_(lte=Duration(10**9)))),
    (
        "span: {name: a*, service: {regex: ^s}, kind: server, scope: x, where: {k: 1}}",
        SpanProbe(selector=SERVER),
    ),
]


@pytest.mark.parametrize(("source", "question"), QUESTIONS)
def test_each_question_has_its_place_in_the_model(source, question):
    assert accepted(probe, f"{{{source}}}") == Probe(question=question)


def test_a_probe_says_what_its_value_must_be_and_how_it_is_asked():
    source = "{tcp: {service: a, port: 1}, tolerance: false, timeout: 1s, interval: 2s, optional: true}"
    assert accepted(probe, source) == Probe(
        question=TcpProbe(service="a", port=1),
        tolerance=equal_to(False),  # noqa: FBT003 -- the value
        timeout=Duration(10**9),
        interval=Duration(2 * 10**9),
        optional=True,
    )


@pytest.mark.parametrize(
    ("source", "question"),
    [
        ("tcp: 5432", TcpProbe(port=5432)),
        ("tcp: {port: 5432}", TcpProbe(port=5432)),
        ("http: {port: 81}", HttpProbe(request=HttpAction(port=81), status=equal_to(200))),
        ("http: {port: 81, path: /x, status: {in: [200, 204]}}",
         HttpProbe(request=HttpAction(port=81, path="/x"), status=is_(**{"in": (200, 204)}))),
        ("log: ready to", LogProbe(matches="ready to")),
        ("log: {matches: up, count: {gte: 2}}", LogProbe(matches="up", count=is_(gte=2))),
        ("exec: [a, 1]", ExecAction(command=("a", "1"))),
        ("exec: a b", ExecAction(command=("sh", "-c", "a b"))),
        ("exec: {command: [a], user: u, env: {A: 1}, stdin: x, working_dir: /w}",
         ExecAction(command=("a",), user="u", env={"A": "1"}, stdin="x", working_dir="/w")),
        ("exit: 3", ExitProbe(code=3)),
        ("healthcheck: true", HealthcheckProbe()),
        ('sql: {query: "select 1", user: u}', SqlAction(query="select 1", user="u")),
        ("redis: {command: [PING], port: 7}", RedisAction(commands=(("PING",),), port=7)),
        ("container: {health: healthy}", ContainerProbe(what="health", wanted=equal_to("healthy"))),
        ("cgroup: {pids: 1}", CgroupProbe(what="pids", wanted=equal_to(1))),
        ("file: {path: /x, exists: true}", FileProbe(path="/x", what="exists", wanted=equal_to(True))),  # noqa: FBT003
        ("clock: {offset: {lte: 1s}}", ClockProbe(offset=is_(lte=Duration(10**9)))),
        ("span: {kind: server}", SpanProbe(selector=Selector(kind="server"))),
    ],
)  # fmt: skip
def test_readiness_asks_the_service_itself(source, question):
    assert accepted(ready, f"{{{source}}}") == Probe(question=question)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{tcp: 1}", []),
        ("{http: {port: 1, path: /, status: 204}}", []),
        ("{log: x}", []),
        ("{log: {matches: x}}", []),
        ("{exec: [a]}", []),
        ("{exec: {command: [a]}}", []),
        ("{exit: 0}", []),
        ("{healthcheck: true, interval: 1s}", []),
        ("{log: {matches: x, count: 2}}", []),
        ("{exec: {command: [a], user: u}, tolerance: x}", []),
        ("{span: {kind: server}}", []),
        ("{tcp: 1, optional: true}", [(11, '"optional" in it')]),
        ("{tcp: 1, timeout: 1s}", [(11, '"timeout" in it')]),
    ],
)
def test_run_refuses_the_readiness_that_it_cannot_ask_yet(source, found):
    assert deferred(ready, source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{tcp: {service: a, port: 1}, exit: 0}", ("unknown-key", 2, 31)),
        ("{tcp: {service: a, port: 1}, log: {service: a, matches: x}}", ("one-of", 2, 31)),
        ("{timeout: 1s}", ("one-of", 2, 2)),
        ("{tcp: {port: 1}}", ("missing-key", 2, 8)),
        ("{tcp: 1}", ("wrong-type", 2, 8)),
        ("{container: {service: a, state: up}}", ("wrong-value", 2, 34)),
        ("{container: {service: a, state: running, restarts: 0}}", ("one-of", 2, 43)),
        ("{container: {service: a}}", ("one-of", 2, 14)),
        ("{container: {service: a, oom_killed: 1}}", ("wrong-type", 2, 39)),
        ("{cgroup: {service: a, memory_peak: {lte: big}}}", ("wrong-value", 2, 43)),
        ("{file: {service: a, exists: true}}", ("missing-key", 2, 9)),
        ("{file: {service: a, path: x, exists: true}}", ("wrong-value", 2, 28)),
        ("{clock: {service: a}}", ("missing-key", 2, 10)),
        ("{span: {}}", ("empty-expect", 2, 9)),
        ("{span: {kind: sever}}", ("wrong-value", 2, 16)),
        ("{log: {service: a, matches: '('}}", ("wrong-value", 2, 30)),
        ("{http: {service: a, url: 'http://x'}}", ("one-of", 2, 22)),
        ("{http: {path: /}}", ("one-of", 2, 9)),
        ("{http: {url: 'http://x', port: 1}}", ("one-of", 2, 27)),
        ("{http: {service: a, tls_verify: false}}", ("contradiction", 2, 22)),
        ("{sql: {service: a}}", ("one-of", 2, 8)),
        ("{sql: {service: a, file: x, parameters: [1]}}", ("missing-key", 2, 30)),
        ("{sql: {service: a, query: x, sessions: []}}", ("unknown-key", 2, 31)),
        ("{redis: {service: a, command: [], port: 1}}", ("empty-list", 2, 32)),
        ("{redis: {service: a, command: [a], commands: [[b]]}}", ("one-of", 2, 37)),
        ("{container: {service: a, state: running}, tolerance: 1}", ("contradiction", 2, 44)),
        ("{log: {service: a, matches: x, count: 1}, tolerance: 1}", ("contradiction", 2, 44)),
        ("{tcp: {service: a, port: 1}, interval: 0}", ("wrong-value", 2, 41)),
    ],
)
def test_a_probe_that_does_not_fit_is_refused_where_it_stands(source, found):
    assert read(probe, source).found == [found]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{tcp: {service: a, port: 1}}", ("unknown-key", 2, 9)),
        ("{tcp: 70000}", ("wrong-value", 2, 8)),
        ("{http: {path: /}}", ("missing-key", 2, 9)),
        ("{exit: 256}", ("wrong-value", 2, 9)),
        ("{healthcheck: false}", ("wrong-value", 2, 16)),
        ("{exit: 0, tolerance: 1}", ("contradiction", 2, 12)),
        ("{tcp: 1, exit: 0}", ("one-of", 2, 11)),
        ("{tpc: 1}", ("one-of", 2, 2)),
    ],
)
def test_a_readiness_that_does_not_fit_is_refused_where_it_stands(source, found):
    assert found in read(ready, source).found


@pytest.mark.parametrize("source", [source for source, _ in QUESTIONS])
def test_the_service_that_a_question_names_is_known(source):
    question = accepted(probe, f"{{{source}}}").question
    wanted = (
        "" if source.startswith("span") or "url" in source else source.split("service: ")[1].split(",")[0].rstrip("}")
    )
    assert service_asked(question) == wanted


@pytest.mark.parametrize(
    ("question", "port"),
    [
        (TcpProbe(port=5), 5),
        (HttpProbe(request=HttpAction(service="a", port=6)), 6),
        (HttpProbe(request=HttpAction(url="http://a:9/")), 0),
        (SqlAction(service="a", port=7), 7),
        (RedisAction(service="a", commands=()), 6379),
        (ExitProbe(), 0),
    ],
)
def test_the_port_that_a_question_connects_to_is_known(question, port):
    assert port_asked(question) == port
