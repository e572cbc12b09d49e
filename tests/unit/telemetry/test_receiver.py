from __future__ import annotations

import gzip
import http.client
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from cleanroom.clock import SystemClock
from cleanroom.errors import TelemetryError
from cleanroom.telemetry import receiver
from cleanroom.telemetry.inbox import JSON, PROTOBUF, Inbox
from cleanroom.telemetry.receiver import gateway_route, loopback_route, runner_path, serve
from cleanroom.trace.model import Origin


@pytest.fixture
def inbox():
    box = Inbox((0, 1), SystemClock(), 1 << 20)
    box.open(0, "a")
    box.open(1, "b")
    return box


@pytest.fixture
def port(inbox):
    with serve("127.0.0.1", 0, loopback_route(inbox)) as bound:
        yield bound


def post(port, path, body=b"x", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, {"Content-Type": PROTOBUF, **given})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_files_each_signal_under_the_environment_of_the_slot(port, inbox, signal):
    assert post(port, f"/slot/1/v1/{signal}", b"body") == (200, b"")
    (payload,) = inbox.payloads("b")
    assert (payload.signal, payload.body, payload.origin) == (signal, b"body", Origin.SERVICE)
    assert inbox.payloads("a") == ()


def test_answers_json_in_json(port, inbox):
    assert post(port, "/slot/0/v1/traces", b"{}", Content_Type="application/json; charset=utf-8") == (200, b"{}")
    assert inbox.payloads("a")[0].content_type == JSON


def test_runner_spans_have_a_path_of_their_own(port, inbox):
    name = "suite/it 0 ü"
    path = f"{runner_path(name)}/v1/traces"
    assert post(port, path)[0] == 404
    inbox.admit_runner(name)
    assert post(port, path, b"ours") == (200, b"")
    assert [(p.origin, p.body) for p in inbox.payloads(name)] == [(Origin.RUNNER, b"ours")]


@pytest.mark.parametrize(
    "path", ["/", "/v1/traces", "/slot/0/v1/profiles", "/slot/9/v1/traces", "/slot/0/v1/traces/", "/slot/-1/v1/traces"]
)
def test_an_unknown_path_is_not_found_and_keeps_nothing(port, inbox, path):
    assert post(port, path)[0] == 404
    assert inbox.payloads("a") == inbox.payloads("b") == ()


@pytest.mark.parametrize("path", ["/slot/1/v1/traces", "/runner/b/v1/traces", "/v2/traces"])
def test_services_without_a_collector_reach_their_own_slot_only(inbox, path):
    inbox.admit_runner("b")
    with serve("127.0.0.1", 0, gateway_route(inbox, 0)) as port:
        assert post(port, path)[0] == 404
        assert post(port, "/v1/traces", b"mine") == (200, b"")
    assert [p.body for p in inbox.payloads("a")] == [b"mine"]
    assert inbox.payloads("b") == ()


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_stores_compressed_bodies_plain(port, inbox, encoding, pack):
    assert post(port, "/slot/0/v1/traces", pack(b"plain" * 100), Content_Encoding=encoding)[0] == 200
    assert inbox.payloads("a")[0].body == b"plain" * 100


def test_a_decompression_bomb_is_refused(port, inbox, monkeypatch):
    monkeypatch.setattr(receiver, "MAX_BODY", 1 << 16)
    bomb = gzip.compress(bytes(1 << 24))
    assert len(bomb) < 1 << 16
    assert post(port, "/slot/0/v1/traces", bomb, Content_Encoding="gzip")[0] == 413
    fits = gzip.compress(bytes(1 << 16))
    assert post(port, "/slot/0/v1/traces", fits, Content_Encoding="gzip")[0] == 200
    assert [len(p.body) for p in inbox.payloads("a")] == [1 << 16]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"not gzip", {"Content_Encoding": "gzip"}, 400),
        (gzip.compress(b"whole")[:-9], {"Content_Encoding": "gzip"}, 400),
        (b"x", {"Content_Encoding": "br"}, 415),
        (b"x", {"Content_Type": "text/plain"}, 415),
        (b"", {"Content_Length": "99999999999"}, 413),
        (b"", {"Content_Length": "1" * 5000}, 413),
        (b"", {"Content_Length": "-1"}, 411),
        (b"", {"Transfer_Encoding": "chunked, gzip", "Content_Length": "x"}, 411),
    ],
    ids=["not gzip", "cut gzip", "encoding", "type", "long", "very long", "negative", "transfer encoding"],
)
def test_broken_requests_are_refused(port, inbox, body, headers, status):
    assert post(port, "/slot/0/v1/traces", body, **headers)[0] == status
    assert inbox.payloads("a") == ()
    assert inbox.traffic(0).started == inbox.traffic(0).finished


def test_reads_chunked_bodies(port, inbox):
    assert post(port, "/slot/0/v1/traces", iter([b"one", b"", b"two"]))[0] == 200
    assert inbox.payloads("a")[0].body == b"onetwo"


@pytest.mark.parametrize("chunks", [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"FFFFFFFF\r\nabc"])
def test_broken_chunks_are_refused(port, inbox, chunks):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("POST", "/slot/0/v1/traces")
    connection.putheader("Content-Type", PROTOBUF)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(chunks)
    assert connection.getresponse().status in {400, 413}
    connection.close()
    assert inbox.payloads("a") == ()


def test_a_connection_serves_many_requests(port, inbox):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for number in range(5):
        connection.request("POST", "/slot/0/v1/logs", str(number).encode(), {"Content-Type": PROTOBUF})
        answer = connection.getresponse()
        assert (answer.status, answer.read(), answer.will_close) == (200, b"", False)
    connection.close()
    assert [p.body for p in inbox.payloads("a")] == [b"0", b"1", b"2", b"3", b"4"]


def test_nothing_is_lost_when_many_send_at_once(port, inbox):
    def send(worker):
        return [post(port, f"/slot/{worker % 2}/v1/traces", f"{worker}.{n}".encode())[0] for n in range(25)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {status for worker in answers for status in worker} == {200}
    even = {p.body.decode() for p in inbox.payloads("a")}
    odd = {p.body.decode() for p in inbox.payloads("b")}
    assert even == {f"{w}.{n}" for w in (0, 2, 4, 6) for n in range(25)}
    assert odd == {f"{w}.{n}" for w in (1, 3, 5, 7) for n in range(25)}


def test_a_full_environment_answers_too_large_and_counts_it():
    small = Inbox((0,), SystemClock(), 4)
    small.open(0, "a")
    with serve("127.0.0.1", 0, loopback_route(small)) as other:
        assert post(other, "/slot/0/v1/traces", b"1234")[0] == 200
        assert post(other, "/slot/0/v1/traces", b"5")[0] == 413
    assert small.traffic(0).refused == 1
    with pytest.raises(TelemetryError):
        small.check()


def ask(connection):
    connection.request("POST", "/slot/0/v1/traces", b"x", {"Content-Type": PROTOBUF})
    return connection.getresponse().read()


def test_a_stopped_server_answers_nobody_even_on_open_connections(inbox):
    with serve("127.0.0.1", 0, loopback_route(inbox)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        assert ask(connection) == b""
        connection.auto_open = 0
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(connection)
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        post(port, "/slot/0/v1/traces")


def test_a_taken_port_is_named(port, inbox):
    with pytest.raises(TelemetryError, match=f"127.0.0.1:{port}"), serve("127.0.0.1", port, loopback_route(inbox)):
        pytest.fail("two servers on one port")
