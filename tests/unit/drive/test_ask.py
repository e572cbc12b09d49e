from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cleanroom.drive.ask import ask
from cleanroom.engine.ports import ContainerSpec
from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator, equal_to
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.probe import (
    CgroupProbe,
    ContainerProbe,
    ExitProbe,
    FileProbe,
    HealthcheckProbe,
    HttpProbe,
    LogProbe,
    Probe,
    SpanProbe,
    TcpProbe,
)
from cleanroom.spec.query import ExecAction, HttpAction
from cleanroom.spec.selector import Selector
from tests.fakes import FakeContainer, FakeEngine, result
from tests.unit.drive.scenes import reach_of


def world(status: str = "running", **kw) -> FakeEngine:
    engine = FakeEngine()
    spec = ContainerSpec(name="c", image="i", labels={"cleanroom.service": "db"})
    engine.containers["c"] = FakeContainer(id="fa4e", spec=spec, status=status, **kw)
    return engine


def put(question, engine=None, service="", spans=None, **kw):
    reach = reach_of({"db": ("c", "127.0.0.1")}, engine or world())
    if spans is not None:
        reach = replace(reach, spans=spans)
    return ask(reach, Probe(question=question, **kw), "tp", service)


def compare(**tests) -> Comparator:
    return Comparator(tests=tuple(tests.items()))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"left": 3}'
        self.send_response(503 if self.path == "/down" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_exec_must_exit_0_and_its_value_is_what_it_printed():
    engine = world()
    engine.answer = lambda *_: result(stdout=b"three\n")
    command = ExecAction(service="db", command=("count",))
    assert put(command, engine).ok
    found = put(command, engine, tolerance=equal_to("three"))
    assert (found.ok, found.value, found.question, found.service) == (True, "three", "exec db count", "db")
    found = put(command, engine, tolerance=equal_to("four"))
    assert (found.ok, found.why) == (False, 'expected "four", found "three"')
    engine.answer = lambda *_: result(3)
    found = put(command, engine)
    assert (found.ok, found.error_type, found.why) == (False, "exit_code", "the command exited with 3")


def test_a_tolerance_that_compares_text_with_a_number_says_so():
    engine = world()
    engine.answer = lambda *_: result(stdout=b"3\n")
    found = put(ExecAction(service="db", command=("count",)), engine, tolerance=compare(lte=10))
    assert not found.ok
    assert found.why == (
        'cannot compare text with a number: found "3" (what `exec` printed is text: compare it with text)'
    )


def test_tcp_is_open_or_what_the_tolerance_wants(port):
    assert put(TcpProbe(service="db", port=port)).ok
    shut = TcpProbe(service="db", port=closed_port())
    found = put(shut)
    assert (found.ok, found.value, found.error_type) == (False, False, "connection_refused")
    assert put(shut, tolerance=compare(eq=False)).ok
    assert not put(TcpProbe(service="db", port=port), tolerance=compare(eq=False)).ok


def test_http_wants_its_status_and_judges_the_json(port):
    asked = HttpAction(service="db", port=port)
    assert put(HttpProbe(request=asked)).value == {"left": 3}
    down = HttpProbe(request=replace(asked, path="/down"))
    assert put(down).error_type == "http_status"
    assert put(replace(down, status=equal_to(503))).ok
    found = put(HttpProbe(request=asked, status=equal_to(204)))
    assert (found.ok, found.why) == (False, "status: expected 204, found 200")
    assert put(HttpProbe(request=replace(asked, port=closed_port()))).error_type == "connection_refused"


def test_log_counts_the_lines():
    engine = world(log=b"one\ntwo one\nthree\n")
    assert put(LogProbe(service="db", matches="one"), engine).value == 2
    assert put(LogProbe(service="db", matches="^one", count=equal_to(1)), engine).ok
    found = put(LogProbe(service="db", matches="four"), engine)
    assert (found.ok, found.why) == (False, "expected >= 1, found 0")


def test_a_count_in_a_part_of_a_long_log_is_no_count():
    engine = world(log=b"one\n" * (1 << 19))
    assert put(LogProbe(service="db", matches="one"), engine).ok
    found = put(LogProbe(service="db", matches="two", count=equal_to(0)), engine)
    assert (found.ok, found.why) == (
        False, "the answer is too long to be judged: only a part of its log was read",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "wanted", "other"),
    [("state", "exited", "running"), ("oom_killed", True, False), ("exit_code", 137, 0), ("restarts", 0, 1)],
)
def test_container_facts_are_the_engines(what, wanted, other):
    engine = world("exited", exit_code=137, oom_killed=True)
    assert put(ContainerProbe(service="db", what=what, wanted=equal_to(wanted)), engine).value == wanted
    assert not put(ContainerProbe(service="db", what=what, wanted=equal_to(other)), engine).ok


def test_the_exit_code_of_a_container_that_runs_is_no_value():
    found = put(ContainerProbe(service="db", what="exit_code", wanted=equal_to(0)))
    assert (found.ok, found.why) == (
        False, "expected 0, found no value: the container has not ended: it is running",
    )  # fmt: skip


def test_a_health_check_that_is_not_there_is_named():
    found = put(HealthcheckProbe(), service="db")
    assert found.why == 'expected "healthy", found "none": its image has no health check'
    assert put(HealthcheckProbe(), world(health="healthy"), "db").ok
    assert not put(HealthcheckProbe(), world(health="unhealthy"), "db").ok


def test_exit_is_of_a_container_that_has_ended():
    assert put(ExitProbe(), world("exited"), "db").ok
    assert not put(ExitProbe(), world("exited", exit_code=3), "db").ok
    assert "has not ended" in put(ExitProbe(), world(), "db").why


@pytest.mark.parametrize(
    "question",
    [
        CgroupProbe(service="db", what="pids", wanted=compare(gte=0)),
        FileProbe(service="db", path="/x", what="exists", wanted=compare(eq=False)),
    ],
)
def test_of_a_container_without_a_process_nothing_is_known(question):
    found = put(question, world("exited"))
    assert (found.ok, found.error_type) == (False, "not_started")


def test_spans_are_counted_by_what_arrived():
    probe = SpanProbe(selector=Selector(name=Pattern("server.start")))
    assert put(probe, spans=lambda _selector: 2, tolerance=equal_to(2)).ok
    assert put(probe, spans=lambda _selector: 0).why == "expected >= 1, found 0"


def test_an_engine_that_fails_is_an_answer():
    engine = world()
    engine.containers.clear()
    found = put(LogProbe(service="db", matches="x"), engine)
    assert (found.ok, found.error_type) == (False, "engine")


def test_the_service_of_a_readiness_is_implied():
    engine = world()
    asked = []
    engine.answer = lambda service, _spec: asked.append(service) or result()
    assert put(ExecAction(command=("x",)), engine, "db", timeout=Duration(10**9)).ok
    assert asked == ["db"]
