from __future__ import annotations

import http.client
import os
import threading
from contextlib import contextmanager

import grpc
import pytest

from cleanroom.clock import SystemClock
from cleanroom.errors import TelemetryError
from cleanroom.quantity import Duration
from cleanroom.telemetry import receiver
from cleanroom.telemetry.collector import Counters, SlotAddress
from cleanroom.telemetry.inbox import PROTOBUF, Inbox
from cleanroom.telemetry.receiver import gateway_route, serve
from cleanroom.telemetry.session import TelemetrySession, start_telemetry

SECOND = Duration(10**9)
SHORT = Duration(2 * 10**8)
# Each test process has loopback addresses of its own: the ports are fixed.
NET = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 256}"
SLOTS = ((0, f"{NET}.1"), (1, f"{NET}.2"))
EXPORT = "/opentelemetry.proto.collector.{}.v1.{}Service/Export"
TRACES = EXPORT.format("trace", "Trace")


@pytest.fixture
def session(tmp_path):
    with start_telemetry(SLOTS, collector=None, directory=tmp_path, clock=SystemClock()) as one:
        one.open(0, "a")
        one.open(1, "b")
        yield one


def post(url, body, path="/v1/traces"):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", path, body, {"Content-Type": PROTOBUF})
        return connection.getresponse().status
    finally:
        connection.close()


def call(url, body, method=TRACES, compression=None):
    with grpc.insecure_channel(url.removeprefix("http://"), compression=compression) as channel:
        return channel.unary_unary(method)(body, timeout=10)


def test_endpoints_follow_the_protocol(session):
    assert session.endpoint(1, "grpc") == f"http://{NET}.2:4317"
    assert session.endpoint(1, "http/protobuf") == session.endpoint(1, "http/json") == f"http://{NET}.2:4318"


def test_both_protocols_are_filed_by_slot(session):
    assert post(session.endpoint(0, "http/protobuf"), b"http to a") == 200
    assert call(session.endpoint(1, "grpc"), b"grpc to b") == b""
    session.drain(0, SECOND)
    session.drain(1, SECOND)
    assert [p.body for p in session.close(0, "a")] == [b"http to a"]
    assert [(p.body, p.signal) for p in session.close(1, "b")] == [(b"grpc to b", "traces")]


@pytest.mark.parametrize(
    ("signal", "package", "service"), [("metrics", "metrics", "Metrics"), ("logs", "logs", "Logs")]
)
def test_grpc_takes_every_signal(session, signal, package, service):
    call(session.endpoint(0, "grpc"), b"body", EXPORT.format(package, service))
    assert [p.signal for p in session.payloads("a")] == [signal]


def test_grpc_bodies_are_stored_decompressed(session):
    call(session.endpoint(0, "grpc"), b"z" * 10000, compression=grpc.Compression.Gzip)
    assert session.payloads("a")[0].body == b"z" * 10000


def test_a_grpc_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cleanroom.telemetry.embedded.MAX_BODY", 1 << 16)
    with start_telemetry(SLOTS[:1], collector=None, directory=tmp_path, clock=SystemClock()) as session:
        session.open(0, "a")
        with pytest.raises(grpc.RpcError):
            call(session.endpoint(0, "grpc"), bytes(1 << 22), compression=grpc.Compression.Gzip)
        assert session.payloads("a") == ()


def test_too_much_is_refused_on_both_protocols_and_breaks_the_barrier(tmp_path):
    with start_telemetry(SLOTS, collector=None, directory=tmp_path, clock=SystemClock(), max_bytes=8) as session:
        session.open(0, "a")
        session.open(1, "b")
        with pytest.raises(grpc.RpcError) as refused:
            call(session.endpoint(0, "grpc"), b"123456789")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert post(session.endpoint(0, "http/protobuf"), b"123456789") == 413
        with pytest.raises(TelemetryError, match=r"2 request\(s\)"):
            session.drain(0, SECOND)
        with pytest.raises(TelemetryError):
            session.check()
        session.drain(1, SECOND)


def test_the_marker_never_shows(session):
    session.drain(0, SECOND)
    session.drain(0, SECOND)
    assert session.payloads("a") == session.close(0, "a") == ()
    session.drain(0, SECOND)
    assert session.late("a") == 0


def test_late_requests_are_counted(session):
    session.close(0, "a")
    assert post(session.endpoint(0, "http/protobuf"), b"too late") == 200
    assert (session.late("a"), session.late("b"), session.payloads("a")) == (1, 0, ())


def test_a_request_under_way_holds_the_barrier(session):
    host = session.endpoint(0, "http/protobuf").removeprefix("http://")
    slow = http.client.HTTPConnection(host, timeout=10)
    slow.putrequest("POST", "/v1/traces")
    slow.putheader("Content-Type", PROTOBUF)
    slow.putheader("Content-Length", "4")
    slow.endheaders(b"ha")
    with pytest.raises(TelemetryError, match="not drained"):
        session.drain(0, SHORT)
    session.drain(1, SECOND)
    finish = threading.Timer(0.05, slow.send, (b"lf",))
    finish.start()
    session.drain(0, Duration(10 * 10**9))
    assert [p.body for p in session.payloads("a")] == [b"half"]
    finish.join()
    slow.close()


def test_an_unknown_slot_is_an_error(session):
    for ask in (lambda: session.endpoint(5, "grpc"), lambda: session.open(5, "x"), lambda: session.drain(5, SECOND)):
        with pytest.raises(TelemetryError, match="no telemetry slot 5"):
            ask()


def test_a_taken_gateway_is_named(session, tmp_path):
    assert session
    with (
        pytest.raises(TelemetryError, match=f"{NET}.1:4318"),
        start_telemetry(SLOTS, collector=None, directory=tmp_path, clock=SystemClock()),
    ):
        pytest.fail("two receivers on one address")


class Front:
    """A front whose counters are what a test says, in turn; the last ones stay."""

    def __init__(self, *readings, dies=False):
        self.readings = list(readings)
        self.dies = dies

    def check(self):
        if self.dies:
            raise TelemetryError("died")

    def counters(self, slot, within):
        assert (slot, within >= 0) == (0, True)
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


@contextmanager
def fronted(front):
    """A session whose services' address is a real receiver, and whose front says what it is told to say."""
    inbox = Inbox((0,), SystemClock(), 1 << 20)
    gateway = f"{NET}.3"
    with serve(gateway, 4318, gateway_route(inbox, 0)):
        session = TelemetrySession(inbox, front, [SlotAddress(0, gateway)], 1, SystemClock())
        session.open(0, "a")
        yield session


def counted(accepted, sent, lost=0):
    return Counters(accepted=accepted, sent=sent, lost=lost)


def test_the_barrier_opens_when_the_counters_agree_twice():
    front = Front(counted(0, 0), counted(5, 3), counted(6, 4), counted(6, 5), counted(6, 6), counted(6, 6))
    with fronted(front) as session:
        session.drain(0, SECOND)
    assert len(front.readings) == 1


def test_the_barrier_stays_shut_while_something_is_held_back():
    with (
        fronted(Front(counted(0, 0), counted(0, 0), counted(3, 2))) as session,
        pytest.raises(TelemetryError, match=r"3 item\(s\) accepted, 2 passed on"),
    ):
        session.drain(0, SHORT)


def test_counters_that_did_not_see_the_marker_prove_nothing():
    with fronted(Front(counted(7, 7))) as session, pytest.raises(TelemetryError, match="not drained"):
        session.drain(0, SHORT)


def test_losses_are_named_with_their_number():
    with (
        fronted(Front(counted(0, 0), counted(0, 0), counted(5, 5, 3))) as session,
        pytest.raises(TelemetryError, match=r"lost 3 of 8 item\(s\)"),
    ):
        session.drain(0, SECOND)


def test_losses_of_an_earlier_environment_are_not_held_against_this_one():
    with fronted(Front(counted(9, 9, 4), counted(9, 9, 4), counted(10, 10, 4))) as session:
        session.drain(0, SECOND)


def test_a_dead_front_is_an_error_everywhere():
    front = Front(counted(0, 0), counted(0, 0), counted(1, 1))
    with fronted(front) as session:
        front.dies = True
        for ask in (session.check, lambda: session.drain(0, SECOND)):
            with pytest.raises(TelemetryError, match="died"):
                ask()


def test_a_marker_that_is_refused_breaks_the_barrier(monkeypatch):
    with fronted(Front(counted(0, 0), counted(0, 0), counted(1, 1))) as session:
        monkeypatch.setattr(receiver, "MAX_BODY", 10)
        with pytest.raises(TelemetryError, match="answered with 413"):
            session.drain(0, SECOND)
