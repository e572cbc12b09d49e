"""The transparent proxy in the network of real containers, and that each proof of it can fail."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from images import make_images

from cleanroom.drive.reach import Container
from cleanroom.errors import CapabilityError
from cleanroom.faults.ladder import open_fault
from cleanroom.faults.proxy import fault as proxy_fault
from cleanroom.faults.proxy.fault import ProxyFault
from cleanroom.network.command import run
from cleanroom.quantity import Duration, Size
from tests.engine.residue import unchanged
from tests.engine.stage import Stage, open_stage, strike
from tests.engine.wire import running, wait_until

# What make test has no time for is in make test-full.
pytestmark = pytest.mark.full

TARGET = "cleanroom-tests/target:1"
WEB, ECHO = 8080, 9000
DELAY = Duration(150 * 10**6)


@pytest.fixture
def stage(engine, run) -> Iterator[Stage]:
    make_images(engine, (TARGET,))
    with open_stage(engine, run) as made:
        yield made


@pytest.fixture
def web(stage) -> Container:
    made = stage.service("web", 10, command=("python3", "/srv/server.py"), image=TARGET, ports=(WEB,))
    wait_until(lambda: listens(made, WEB) and listens(made, ECHO), 30)
    return made


def listens(container: Container, port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((container.address, port)) == 0


def get(container: Container, path: str = "/ok", method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(container.address, WEB, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def echo(container: Container, data: bytes) -> tuple[int, str, float]:
    """How many bytes came back, how it ended, and how many seconds after the last byte."""
    with socket.socket() as sock:
        sock.settimeout(10)
        size, last = 0, time.monotonic()
        try:
            sock.connect((container.address, ECHO))
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while chunk := sock.recv(1 << 16):
                size += len(chunk)
                last = time.monotonic()
        except ConnectionResetError:
            return size, "reset", time.monotonic() - last
        return size, "end", time.monotonic() - last


STREAMS = [
    ("network.reset", {"after": Size(0)}, (0, "reset", 0.0)),
    ("network.reset", {"after": Size(5000)}, (5000, "reset", 0.0)),
    ("network.limit_data", {"bytes": Size(700)}, (700, "end", 0.0)),
    ("network.slow_close", {"delay": DELAY}, (20000, "end", DELAY.seconds)),
    ("network.slice", {"size": Size(1000), "delay": Duration(5 * 10**6)}, (20000, "end", 0.0)),
]


@pytest.mark.parametrize(("kind", "parameters", "seen"), STREAMS)
def test_a_stream_is_struck_and_then_free_and_nothing_is_left(stage, web, kind, parameters, seen):
    fault = open_fault(strike(kind, "web", parameters=parameters, ports=(ECHO,)), stage.context(web))
    with unchanged(stage.engine, web.id):
        fault.inject()
        effect = fault.verify()
        assert effect.holds, effect
        began = time.monotonic()
        size, end, late = echo(web, b"x" * 20000)
        took = time.monotonic() - began
        assert (size, end) == seen[:2]
        assert late >= 0.98 * seen[2]
        if kind == "network.slice":
            assert took >= 19 * 0.005
        assert get(web)[0] == 200
        fault.revert()
        fault.revert()
        reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, ""), reversal
    assert reversal.facts["web.struck"] == reversal.facts["web.connections"] == 1, reversal
    assert reversal.facts["web.direct"] == "accepted"
    assert echo(web, b"x" * 20000)[:2] == (20000, "end")


REQUESTS = [
    ("http.status", {"code": 418, "retry_after": Duration(1500 * 10**6)}, "418"),
    ("http.fail_first", {"count": 1}, "503"),
    ("http.body", {"replace": "{}"}, "200 b'{}'"),
    ("http.body", {"truncate": Size(2)}, "IncompleteRead"),
    ("http.abort", {}, "ConnectionResetError"),
    ("http.abort", {"after": Size(2)}, "ConnectionResetError"),
    ("http.headers", {"set": {"X-Struck": "yes"}, "remove": ("content-type",)}, "200 b'\"ok\"'"),
    ("http.delay", {"delay": DELAY}, "200 b'\"ok\"'"),
    ("http.rate_limit", {"rate": 0.01, "burst": 1}, "429"),
]


def outcome(container: Container, path: str = "/ok") -> str:
    try:
        status, body = get(container, path)
    except (OSError, http.client.HTTPException) as err:
        return type(err).__name__
    return f"{status} {body!r}"


@pytest.mark.parametrize(("kind", "parameters", "seen"), REQUESTS)
def test_a_request_is_struck_and_then_free_and_nothing_is_left(stage, web, kind, parameters, seen):
    fault = open_fault(strike(kind, "web", parameters={**parameters, "route": "GET /o*"}), stage.context(web))
    with unchanged(stage.engine, web.id):
        fault.inject()
        effect = fault.verify()
        assert effect.holds, effect
        if kind == "http.rate_limit":
            assert outcome(web) == "200 b'\"ok\"'"
        began = time.monotonic()
        assert outcome(web).startswith(seen)
        if kind == "http.delay":
            assert time.monotonic() - began >= 0.98 * DELAY.seconds
        assert outcome(web, "/clock").startswith("200")
        assert echo(web, b"abc")[:2] == (3, "end")
        fault.revert()
        reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, ""), reversal
    assert reversal.facts["web.struck"] == 1, reversal
    assert reversal.facts["web.passed_other"] == 1
    assert outcome(web) == "200 b'\"ok\"'"


def test_a_fault_that_met_no_request_is_not_proven(stage, web):
    fault = open_fault(strike("http.status", "web", parameters={"code": 500, "route": "/o*"}), stage.context(web))
    fault.inject()
    assert fault.verify().holds
    assert outcome(web, "/clock").startswith("200")
    with socket.create_connection((web.address, WEB), 5) as sock:
        sock.sendall(b"\x16\x03\x01\x00\x05hello")
        sock.shutdown(socket.SHUT_WR)
        sock.recv(100)
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds
    assert (
        reversal.lapsed == "no request was struck: 2 connections came, 0 requests matched; passed on untouched: 1 tls"
    )


def test_a_proxy_that_died_is_a_lapse_and_leaves_nothing(stage, web):
    fault = open_fault(strike("network.reset", "web", ports=(ECHO,)), stage.context(web))
    with unchanged(stage.engine, web.id):
        fault.inject()
        assert fault.verify().holds
        assert echo(web, b"abc")[1] == "reset"
        worker = process_of(fault)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not running(worker))
        assert not fault.verify().holds
        fault.revert()
        reversal = fault.verify_reversal()
    assert reversal.holds
    assert reversal.lapsed == "web: the proxy ended early (-9)"


def process_of(fault: object) -> int:
    assert isinstance(fault, ProxyFault)
    (hit,) = fault._hits
    assert hit.process is not None
    return hit.process.pid


def test_rules_that_somebody_removed_are_a_lapse_and_no_effect(stage, web, monkeypatch):
    monkeypatch.setattr(proxy_fault, "TIMEOUT", 1.5)
    fault = open_fault(strike("network.reset", "web", ports=(ECHO,)), stage.context(web))
    fault.inject()
    inside(stage, web, "nft", "delete", "table", "ip", "clr_proxy")
    effect = fault.verify()
    assert not effect.holds
    assert echo(web, b"abc")[:2] == (3, "end")
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds
    assert reversal.lapsed == "web: the rules that lead to the proxy were gone before its end"


def inside(stage: Stage, container: Container, *command: str) -> str:
    pid = stage.state(container).pid
    return run(("nsenter", "--target", str(pid), "--net", *command))


def test_a_connection_that_was_there_before_is_reset_and_has_to_come_again(stage, web):
    kept, idle = (socket.create_connection((web.address, ECHO), 10) for _ in range(2))
    with kept, idle:
        for sock in (kept, idle):
            sock.sendall(b"a")
            assert sock.recv(1) == b"a"
        fault = open_fault(
            strike("network.limit_data", "web", parameters={"bytes": Size(3)}, ports=(ECHO,)), stage.context(web)
        )
        fault.inject()
        effect = fault.verify()
        assert (effect.holds, effect.facts["web.connections_reset"]) == (True, 2)
        kept.sendall(b"b")
        with pytest.raises(ConnectionResetError):
            kept.recv(1)
        assert echo(web, b"12345")[:2] == (3, "end")
        fault.revert()
        assert fault.verify_reversal().holds
        # Nothing was said over the other one while the fault lasted: it never noticed.
        idle.sendall(b"c")
        assert idle.recv(1) == b"c"


def test_what_the_target_asks_of_others_is_struck_and_its_way_to_our_own_instruments_is_not(stage, web):
    other = stage.service("other", 11, command=("python3", "/srv/server.py"), image=TARGET, ports=(WEB,))
    wait_until(lambda: listens(other, WEB), 30)
    fault = open_fault(strike("network.reset", "web", ports=(WEB, 4318)), stage.context(web, other))
    with unchanged(stage.engine, web.id, other.id), socket.create_server((stage.slot.gateway, 4318)) as collector:
        fault.inject()
        effect = fault.verify()
        assert effect.holds, effect
        assert effect.facts["web.from.ended"] == "reset"
        call = f"import urllib.request as u; u.urlopen('http://{other.address}:{WEB}/ok', timeout=5)"
        assert "Connection reset by peer" in inside(
            stage, web, "sh", "-c", f'{sys.executable} -c "{call}" 2>&1 || true'
        )
        own = f"import socket; socket.create_connection(('{stage.slot.gateway}', 4318), 5).sendall(b'span')"
        inside(stage, web, sys.executable, "-c", own)
        connection, peer = collector.accept()
        with connection:
            assert (connection.recv(9), peer[0]) == (b"span", web.address)
        fault.revert()
        reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.facts["web.struck"]) == (True, 1), reversal


def test_a_pair_is_struck_and_nobody_else(stage, web):
    other = stage.service("other", 11, command=("python3", "/srv/server.py"), image=TARGET, ports=(WEB,))
    wait_until(lambda: listens(other, WEB), 30)
    fault = open_fault(strike("network.reset", between=("web", "other")), stage.context(web, other))
    with unchanged(stage.engine, web.id, other.id):
        fault.inject()
        effect = fault.verify()
        assert effect.holds, effect
        assert outcome(web) == outcome(other) == "200 b'\"ok\"'"
        found = get(web, f"/fetch?url=http://{other.address}:{WEB}/ok")
        assert found == (502, b'"ECONNRESET"')
        fault.revert()
        reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, ""), reversal
    assert (reversal.facts["web.struck"], reversal.facts["other.struck"]) == (0, 1)


def test_two_proxies_on_one_service_are_refused(stage, web):
    context = stage.context(web)
    first, second = (open_fault(strike("http.status", "web", parameters={"code": c}), context) for c in (500, 501))
    first.inject()
    with pytest.raises(CapabilityError, match="through a proxy already"):
        second.inject()
    second.revert()
    assert second.verify_reversal().holds
    assert first.verify().holds
    first.revert()
    assert first.verify_reversal().holds


def test_a_service_that_was_restarted_under_the_fault_is_a_lapse(stage, web):
    fault = open_fault(strike("network.reset", "web", ports=(ECHO,)), stage.context(web))
    fault.inject()
    assert echo(web, b"abc")[1] == "reset"
    stage.engine.kill(web.id)
    wait_until(lambda: stage.state(web).status == "exited")
    stage.engine.start(web.id)
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds, reversal
    assert "restarted under the fault" in reversal.lapsed
