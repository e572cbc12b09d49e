"""The real collector between real senders and the real receiver; loopback addresses stand for the slots' gateways."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cleanroom.clock import SystemClock
from cleanroom.errors import TelemetryError
from cleanroom.quantity import Duration
from cleanroom.telemetry.collector import CollectorProcess, SlotAddress
from cleanroom.telemetry.inbox import Inbox
from cleanroom.telemetry.receiver import loopback_route, serve
from cleanroom.telemetry.session import TelemetrySession, start_telemetry

pytest_plugins = ("tests.engine.otelcol",)

CLOCK = SystemClock()
PATIENT = Duration(20 * 10**9)
NET = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 256}"
SLOTS = ((0, f"{NET}.1"), (1, f"{NET}.2"))
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture(params=["collector", "embedded"])
def session(request, tmp_path):
    binary = request.getfixturevalue("otelcol") if request.param == "collector" else None
    with start_telemetry(SLOTS, collector=binary, directory=tmp_path, clock=CLOCK) as one:
        one.open(0, "a")
        one.open(1, "b")
        yield one


def request_of(*names):
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number, name in enumerate(names, 1):
        scope.spans.add(name=name, trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"))
    return request.SerializeToString()


def send_http(endpoint, *names):
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", "/v1/traces", request_of(*names), {"Content-Type": "application/x-protobuf"})
        return connection.getresponse().status
    finally:
        connection.close()


def send_grpc(endpoint, *names):
    with grpc.insecure_channel(endpoint.removeprefix("http://")) as channel:
        channel.unary_unary(EXPORT)(request_of(*names), timeout=20, wait_for_ready=True)


def names_in(payloads):
    found = []
    for payload in payloads:
        for resource in ExportTraceServiceRequest.FromString(payload.body).resource_spans:
            found += [span.name for scope in resource.scope_spans for span in scope.spans]
    return found


def test_both_protocols_and_both_slots_are_filed_apart(session):
    send_grpc(session.endpoint(0, "grpc"), "grpc to a")
    assert send_http(session.endpoint(0, "http/protobuf"), "http to a") == 200
    send_grpc(session.endpoint(1, "grpc"), "grpc to b")
    assert send_http(session.endpoint(1, "http/protobuf"), "http to b") == 200
    session.drain(0, PATIENT)
    session.drain(1, PATIENT)
    assert sorted(names_in(session.close(0, "a"))) == ["grpc to a", "http to a"]
    assert sorted(names_in(session.close(1, "b"))) == ["grpc to b", "http to b"]


@pytest.mark.parametrize("signal_name", ["metrics", "logs"])
def test_metrics_and_logs_pass_as_well(session, signal_name):
    record = {"logs": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "hello"}}]}]}]}}
    gauge = {"name": "hello", "gauge": {"dataPoints": [{"asInt": "1"}]}}
    record["metrics"] = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge]}]}]}
    connection = http.client.HTTPConnection(session.endpoint(1, "http/json").removeprefix("http://"), timeout=20)
    connection.request(
        "POST", f"/v1/{signal_name}", json.dumps(record[signal_name]), {"Content-Type": "application/json"}
    )
    assert connection.getresponse().status == 200
    connection.close()
    session.drain(1, PATIENT)
    (payload,) = session.payloads("b")
    assert payload.signal == signal_name
    assert b"hello" in payload.body


def test_the_barrier_holds_under_load(session):
    endpoints = [session.endpoint(0, "grpc"), session.endpoint(0, "http/protobuf")]
    numbers = [[f"{worker}.{n}" for n in range(250)] for worker in range(8)]

    def work(worker):
        send = send_http if worker % 2 else send_grpc
        for first in range(0, 250, 25):
            send(endpoints[worker % 2], *numbers[worker][first : first + 25])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    session.drain(0, PATIENT)
    assert sorted(names_in(session.payloads("a"))) == sorted(name for names in numbers for name in names)


def test_the_marker_shows_nowhere_and_nothing_is_late(session):
    for _ in range(3):
        session.drain(0, PATIENT)
    assert session.close(0, "a") == session.payloads("b") == ()
    session.drain(0, PATIENT)
    assert session.late("a") == 0


def test_what_comes_after_the_end_is_late_and_the_next_environment_starts_clean(session):
    session.close(0, "a")
    assert send_http(session.endpoint(0, "http/protobuf"), "late") == 200
    session.open(0, "c")
    assert send_http(session.endpoint(0, "http/protobuf"), "in time") == 200
    session.drain(0, PATIENT)
    assert names_in(session.close(0, "c")) == ["in time"]
    assert (session.late("a"), session.late("c"), names_in(session.payloads("a"))) == (1, 0, [])


@pytest.fixture
def parts(otelcol, tmp_path):
    """A session whose collector and receiver the test can take away."""
    inbox = Inbox((0,), CLOCK, 1 << 20)
    addresses = [SlotAddress(0, SLOTS[0][1])]
    receiver = serve("127.0.0.1", 0, loopback_route(inbox))
    port = receiver.__enter__()
    collector = CollectorProcess.start(otelcol, addresses, receiver_port=port, directory=tmp_path, clock=CLOCK)
    session = TelemetrySession(inbox, collector, addresses, port, CLOCK)
    session.open(0, "a")
    stopped = []

    def stop_receiver():
        stopped.append(receiver.__exit__(None, None, None))

    yield session, collector, stop_receiver
    collector.stop()
    if not stopped:
        stop_receiver()


def gone(collector):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            collector.check()
        except TelemetryError:
            return
        time.sleep(0.005)
    pytest.fail("the death was not noticed")


def test_a_killed_collector_is_noticed_and_breaks_the_barrier(parts):
    session, collector, _ = parts
    session.drain(0, PATIENT)
    session.check()
    os.kill(collector.pid, signal.SIGKILL)
    gone(collector)
    for ask in (session.check, lambda: session.drain(0, PATIENT), lambda: session.open(0, "next")):
        with pytest.raises(TelemetryError, match="SIGKILL"):
            ask()


def test_a_frozen_collector_breaks_the_barrier_in_time(parts):
    session, collector, _ = parts
    os.kill(collector.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(TelemetryError):
            session.drain(0, Duration(10**9))
        assert time.monotonic() - began < 15, "the limit of 1 s did not end it"
    finally:
        os.kill(collector.pid, signal.SIGCONT)
    # We cut the marker off when we gave up, so "a" may truly have lost it, but not what comes after.
    at_rest(collector)
    session.close(0, "a")
    session.open(0, "b")
    session.drain(0, PATIENT)


def at_rest(collector):
    """Wait until the collector has an outcome for everything it took."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        seen = collector.counters(0, 5.0)
        time.sleep(0.05)
        now = collector.counters(0, 5.0)
        if now == seen and now.accepted <= now.sent + now.lost:
            return
    pytest.fail("the collector never came to rest")


def test_a_stopped_receiver_breaks_the_barrier(parts):
    session, _, stop_receiver = parts
    session.drain(0, PATIENT)
    stop_receiver()
    with pytest.raises(TelemetryError, match=r"lost \d+ of"):
        session.drain(0, PATIENT)


def test_spans_that_were_lost_are_counted_even_when_everything_works_again(otelcol, tmp_path):
    inbox = Inbox((0,), CLOCK, 1 << 20)
    addresses = [SlotAddress(0, SLOTS[0][1])]
    with serve("127.0.0.1", 0, loopback_route(inbox)) as port:
        pass
    collector = CollectorProcess.start(otelcol, addresses, receiver_port=port, directory=tmp_path, clock=CLOCK)
    try:
        session = TelemetrySession(inbox, collector, addresses, port, CLOCK)
        session.open(0, "a")
        assert send_http(session.endpoint(0, "http/protobuf"), "x", "y", "z") == 503
        with serve("127.0.0.1", port, loopback_route(inbox)):
            with pytest.raises(TelemetryError, match=r"lost 3 of 4 item\(s\)"):
                session.drain(0, PATIENT)
            session.close(0, "a")
            session.open(0, "b")
            session.drain(0, PATIENT)
    finally:
        collector.stop()


def test_a_collector_that_cannot_start_says_why(tmp_path, otelcol):
    broken = tmp_path / "otelcol"
    broken.write_text("#!/bin/sh\necho no such component >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    with (
        pytest.raises(TelemetryError, match=r"exit code 3 (.|\n)*no such component"),
        start_telemetry(SLOTS, collector=broken, directory=tmp_path, clock=CLOCK),
    ):
        pytest.fail("it cannot run")
    with (
        pytest.raises(TelemetryError, match="could not be started"),
        start_telemetry(SLOTS, collector=tmp_path / "missing", directory=tmp_path, clock=CLOCK),
    ):
        pytest.fail("it is not there")
    assert otelcol.stat().st_size > 0


def test_a_taken_address_is_named_and_nothing_is_left_running(session, tmp_path, otelcol):
    assert session.endpoint(0, "grpc")
    with (
        pytest.raises(TelemetryError, match=rf"{NET}\.1:431[78]"),
        start_telemetry(SLOTS, collector=otelcol, directory=tmp_path, clock=CLOCK),
    ):
        pytest.fail("two collectors on one address")


def test_stopping_leaves_no_process_and_no_credential_gets_in(otelcol, tmp_path, monkeypatch):
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "secret")
    addresses = [SlotAddress(0, SLOTS[0][1])]
    collector = CollectorProcess.start(otelcol, addresses, receiver_port=9, directory=tmp_path, clock=CLOCK)
    environment = Path(f"/proc/{collector.pid}/environ").read_bytes()
    collector.stop()
    assert environment == b""
    assert not Path(f"/proc/{collector.pid}").exists()
    collector.stop()
