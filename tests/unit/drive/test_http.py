from __future__ import annotations

import errno
import gzip
import socket
import ssl
import struct
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from cleanroom.drive.http import MAX_BODY, error_type, run_http
from cleanroom.drive.reach import Limits
from cleanroom.drive.result import ActionResult
from cleanroom.quantity import Duration
from cleanroom.spec.query import HttpAction
from tests.unit.drive.scenes import reach_of

LOOPBACK = "127.0.0.1"
LONG = Duration(20 * 10**9)
SHORT = Duration(150 * 10**6)


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    server: Any

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers.items()), body))
        kind, _, rest = self.path.strip("/").partition("?")[0].partition("/")
        getattr(self, f"on_{kind}")(rest)

    do_GET = do_POST = do_PUT = _take  # noqa: N815 - the names that http.server calls

    def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def on_status(self, code: str) -> None:
        self.answer(int(code), b'{"code": 1}', Content_Type="application/json", X_Who="\x1b[31mme")

    def on_bytes(self, text: str) -> None:
        self.answer(200, bytes.fromhex(text))

    def on_big(self, size: str) -> None:
        self.answer(200, b"x" * int(size))

    def on_redirect(self, target: str) -> None:
        self.answer(302, b"", Location=f"/{target}")

    def on_away(self, url: str) -> None:
        self.answer(302, b"", Location=urllib.parse.unquote(url))

    def on_drip(self, what: str) -> None:
        """Never quite ends: a byte of the body, or a header, at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 1000\r\n\r\n" if what == "body" else b""))
        while not self.server.over.wait(0.02):
            try:
                self.wfile.write(b"x" if what == "body" else b"X: y\r\n")
            except OSError:
                return

    def on_trickle(self, _rest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.server.over.wait(0.01):
            try:
                self.wfile.write(b"x" * 70000)
            except OSError:
                return

    def on_garbage(self, _rest: str) -> None:
        self.wfile.write(bytes(range(256)) * 400)
        self.close_connection = True

    def on_headers(self, count: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * int(count) + b"Content-Length: 0\r\n\r\n")

    def on_chunks(self, _rest: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n")
        self.close_connection = True

    def on_gzip(self, _rest: str) -> None:
        self.answer(200, b"this is not compressed", Content_Encoding="gzip")

    def on_bomb(self, _rest: str) -> None:
        self.answer(200, gzip.compress(bytes(64 << 20)), Content_Encoding="gzip")

    def on_endless(self, _rest: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        sent = 0
        while sent < 1 << 30 and not self.server.over.is_set():
            try:
                sent += self.wfile.write(b"x" * 65536)
            except OSError:
                break
        self.server.sent.append(sent)

    def on_pour(self, target: str) -> None:
        """Say where to go, and much more."""
        self.wfile.write(f"HTTP/1.1 302 Found\r\nLocation: /{target}\r\n\r\n".encode())
        sent = 0
        while sent < 1 << 28 and not self.server.over.is_set():
            try:
                sent += self.wfile.write(b"x" * 65536)
            except OSError:
                break
        self.close_connection = True
        self.server.sent.append(sent)

    def on_charset(self, name: str) -> None:
        self.answer(200, '{"a": "ä"}'.encode(), Content_Type=f"application/json; charset={name}")

    def on_nested(self, depth: str) -> None:
        self.answer(200, b"[" * int(depth))

    def on_silence(self, _rest: str) -> None:
        self.server.over.wait()

    def on_reset(self, _rest: str) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        for one in (self.rfile, self.wfile, self.connection):
            one.close()

    def on_hangup(self, _rest: str) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def on_half(self, _rest: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A connection that a test cut is none."""


@pytest.fixture
def service() -> Iterator[Any]:
    server: Any = Server((LOOPBACK, 0), Handler)
    server.asked, server.sent, server.over = [], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ask(service) -> Callable[..., ActionResult]:
    def call(path: str, timeout: Duration = LONG, **kw: Any) -> ActionResult:
        action = HttpAction(service="api", port=service.server_address[1], path=path, **kw)
        reach = reach_of({"api": ("a", LOOPBACK), "web": ("w", LOOPBACK)})
        return run_http(reach, action, Limits(timeout=timeout), "00-aa-bb-01")

    return call


@pytest.mark.parametrize("code", [200, 201, 204, 399])
def test_an_answer_below_400_is_no_error(ask, code):
    result = ask(f"/status/{code}")
    assert (result.status, result.error_type) == (code, "")
    assert result.duration_ns > 0


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_an_answer_from_400_is_an_error_that_still_has_its_body(ask, code):
    result = ask(f"/status/{code}")
    assert (result.status, result.error_type) == (code, "http_status")
    assert (result.json, result.has_json, result.headers["content-type"]) == ({"code": 1}, True, "application/json")


def test_the_trace_context_and_the_service_s_name_go_with_the_request(ask, service):
    ask("/status/200", headers={"X-Mine": "1"})
    _, _, headers, _ = service.asked[0]
    assert headers["traceparent"] == "00-aa-bb-01"
    assert headers["Host"] == f"api:{service.server_address[1]}"
    assert (headers["User-Agent"], headers["X-Mine"]) == ("cleanroom", "1")


def test_bodies_forms_and_queries(ask, service):
    ask("/status/200", method="POST", json={"a": None}, has_json=True, query={"q": "a b&c"})
    ask("/status/200", method="PUT", body="grüße")
    ask("/status/200", method="POST", form={"a": "1 2"})
    (m1, path, h1, json_body), (m2, _, _, text), (_, _, h3, form) = service.asked
    assert (m1, m2) == ("POST", "PUT")
    assert urllib.parse.parse_qs(path.partition("?")[2]) == {"q": ["a b&c"]}
    assert (json_body, h1["Content-Type"]) == (b'{"a": null}', "application/json")
    assert text == "grüße".encode()
    assert (form, h3["Content-Type"]) == (b"a=1+2", "application/x-www-form-urlencoded")


def test_redirects_are_followed_unless_the_step_says_otherwise(ask):
    assert ask("/redirect/status/201").status == 201
    stayed = ask("/redirect/status/201", follow=False)
    assert (stayed.status, stayed.headers["location"], stayed.error_type) == (302, "/status/201", "")


@pytest.mark.parametrize("host", ["api", "web", LOOPBACK])
def test_a_redirect_to_a_service_is_followed_by_name_and_by_address(ask, service, host):
    target = f"http://{host}:{service.server_address[1]}/status/201"
    assert ask("/away/" + urllib.parse.quote(target, safe="")).status == 201
    assert service.asked[1][2]["Host"] == f"{host}:{service.server_address[1]}"


@pytest.mark.parametrize("url", ["http://127.0.0.3:{port}/", "http://localhost:{port}/", "ftp://api:{port}/"])
def test_a_redirect_never_leads_out_of_the_environment(ask, url):
    with socket.create_server(("0.0.0.0", 0)) as outside:
        outside.settimeout(0)
        target = url.format(port=outside.getsockname()[1])
        result = ask("/away/" + urllib.parse.quote(target, safe=""))
        assert (result.error_type, result.status) == ("network_failure", None)
        assert "out of the environment" in result.message
        with pytest.raises(BlockingIOError):
            outside.accept()


def test_endless_redirects_are_an_error(ask):
    assert ask("/redirect/redirect/" + "redirect/" * 40).error_type == "network_failure"


def test_neither_a_proxy_nor_a_netrc_of_ours_has_a_say(ask, service, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {LOOPBACK} login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert ask("/status/200").status == 200
    assert "Authorization" not in service.asked[0][2]


def test_a_refused_connection():
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        action = HttpAction(service="api", port=taken.getsockname()[1])
        result = run_http(reach_of({"api": ("a", LOOPBACK)}), action, Limits(timeout=LONG), "")
    assert (result.error_type, result.status) == ("connection_refused", None)


@pytest.mark.parametrize("path", ["/reset", "/hangup", "/half"])
def test_a_connection_that_ends_before_the_answer(ask, path):
    result = ask(path)
    assert result.error_type == "connection_reset"
    assert result.status is None


@pytest.mark.parametrize("path", ["/trickle", "/silence", "/drip/body", "/drip/headers"])
def test_an_answer_that_does_not_end_in_time(ask, path):
    assert ask(path, SHORT).error_type == "timeout"


def test_a_huge_body_is_cut_and_says_so(ask):
    result = ask(f"/big/{MAX_BODY + 1}")
    assert (len(result.body or ""), result.truncated) == (MAX_BODY, ("body",))
    whole = ask(f"/big/{MAX_BODY}")
    assert (len(whole.body or ""), whole.truncated) == (MAX_BODY, ())


def test_hostile_bytes_become_text_that_is_safe_to_print(ask):
    assert ask("/bytes/ff41").body == "\ufffdA"
    assert ask("/bytes/1b5b33316d410042").body == "A\ufffdB"
    assert ask("/status/200").headers["x-who"] == "me"


def test_what_looks_like_json_and_is_none(ask):
    assert ask("/bytes/7b").has_json is False
    assert (ask("/bytes/6e756c6c").json, ask("/bytes/6e756c6c").has_json) == (None, True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ECONNREFUSED, "connection_refused"),
        (errno.ECONNRESET, "connection_reset"),
        (errno.EPIPE, "connection_reset"),
        (errno.EHOSTUNREACH, "network_failure"),
        (errno.ENETUNREACH, "network_failure"),
    ],
)
def test_errors_are_told_apart_by_number_whatever_the_language_of_their_words(code, kind):
    cause = OSError(code, "Wörter in einer anderen Sprache")
    pool: Any = None
    connection: Any = None
    wrapped = NewConnectionError(connection, "Wörter")
    wrapped.__cause__ = cause
    assert error_type(requests.ConnectionError(MaxRetryError(pool, "/", wrapped)))[0] == kind


def test_a_timeout_of_the_system_is_a_timeout():
    assert error_type(OSError(errno.ETIMEDOUT, "x"))[0] == "timeout"
    assert error_type(requests.ConnectTimeout())[0] == "timeout"


def test_errors_without_a_number():
    assert error_type(requests.exceptions.SSLError("x"))[0] == "tls"
    assert error_type(requests.ConnectionError(ProtocolError("x")))[0] == "connection_reset"
    assert error_type(requests.exceptions.InvalidURL("x"))[0] == "network_failure"


def test_a_circle_of_causes_ends():
    one, two = requests.RequestException(), requests.RequestException()
    one.__cause__, two.__cause__ = two, one
    assert error_type(one)[0] == "network_failure"


@pytest.mark.parametrize("path", ["/garbage", "/headers/5000", "/chunks", "/gzip"])
def test_what_is_no_http_is_said_to_be_none(ask, path):
    result = ask(path)
    assert (result.error_type, result.message) == ("network_failure", "what the service answered is no HTTP")


@pytest.mark.parametrize("path", ["/bomb", "/endless"])
def test_a_body_without_measure_is_cut_where_it_is_too_long(ask, service, path):
    result = ask(path)
    assert (result.status, len(result.body or ""), result.truncated) == (200, MAX_BODY, ("body",))
    if path == "/endless":
        deadline = threading.Event()
        while not service.sent and not deadline.wait(0.01):
            pass
        assert service.sent[0] < 1 << 29, "the rest is never fetched"


def test_a_url_leads_to_a_service_and_nowhere_else(service):
    port = service.server_address[1]
    reach = reach_of({"api": ("a", LOOPBACK)})
    inside = HttpAction(url=f"http://api:{port}/status/201?a=b")
    assert run_http(reach, inside, Limits(timeout=LONG), "").status == 201
    outside = run_http(reach, HttpAction(url=f"http://localhost:{port}/"), Limits(timeout=LONG), "")
    assert (outside.error_type, outside.status) == ("network_failure", None)
    assert "localhost" in outside.message
    assert len(service.asked) == 1


@pytest.fixture
def secure(service) -> Callable[..., ActionResult]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Made for these tests, for the name `api`; it protects nothing.
    context.load_cert_chain(Path(__file__).with_name("self-signed.pem"))
    service.socket = context.wrap_socket(service.socket, server_side=True)

    def call(path: str, timeout: Duration = LONG, **kw: Any) -> ActionResult:
        action = HttpAction(url=f"https://api:{service.server_address[1]}{path}", **kw)
        return run_http(reach_of({"api": ("a", LOOPBACK)}), action, Limits(timeout=timeout), "")

    return call


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_the_step_says_otherwise(secure):
    assert secure("/status/200").error_type == "tls"
    trusted = secure("/status/200", tls_verify=False)
    assert (trusted.status, trusted.error_type) == (200, "")


@pytest.mark.parametrize("path", ["/drip/body", "/drip/headers", "/silence"])
def test_an_answer_over_tls_that_does_not_end_in_time(secure, path):
    assert secure(path, Duration(10**9), tls_verify=False).error_type == "timeout"


def test_plain_http_where_tls_is_expected(service):
    action = HttpAction(url=f"https://api:{service.server_address[1]}/status/200")
    found = run_http(reach_of({"api": ("a", LOOPBACK)}), action, Limits(timeout=LONG), "")
    assert found.error_type == "tls"


@pytest.mark.parametrize("name", ["nonsense", "rot13", "undefined", "unicode_escape", "idna"])
def test_a_charset_that_is_none_decides_nothing(ask, name):
    result = ask(f"/charset/{name}")
    assert (result.error_type, result.status) == ("", 200)
    assert result.body is not None


def test_an_unknown_charset_is_read_as_utf_8(ask):
    assert ask("/charset/nonsense").json == {"a": "ä"}


def test_a_body_nested_without_measure_is_no_json(ask):
    result = ask("/nested/200000")
    assert (result.error_type, result.has_json) == ("", False)


def test_the_body_of_a_redirect_is_not_read(ask, service):
    result = ask("/pour/status/200")
    assert (result.status, result.error_type) == (200, "")
    deadline = threading.Event()
    for _ in range(6000):
        if service.sent or deadline.wait(0.01):
            break
    assert service.sent[0] < 1 << 28, "the rest is never fetched"


def test_a_redirect_that_is_not_followed_has_its_beginning_as_body(ask, service):
    result = ask("/pour/status/200", follow=False)
    assert (result.status, result.truncated) == (302, ("body",))
    assert result.body == "x" * MAX_BODY
    deadline = threading.Event()
    for _ in range(6000):
        if service.sent or deadline.wait(0.01):
            break
    assert service.sent[0] < 1 << 28, "the rest is never fetched"


@pytest.mark.parametrize("target", ["http://[", "http://a..b/", "http://api:99999/", "//[::1"])
def test_a_redirect_to_what_is_no_address_is_a_result(ask, target):
    result = ask(f"/away/{urllib.parse.quote(target, safe='')}")
    assert (result.error_type, result.status) == ("network_failure", None)
    assert result.message
