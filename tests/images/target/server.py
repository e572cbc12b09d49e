"""A service for faults to strike: HTTP on 8080, echo over TCP on 9000 and over UDP on 9001; a span for each request.

It does what the path says with the machine that it has (files, processes, descriptors, other services), and says how
that went: 200, or 5xx with the error's own name. Nothing but the standard library.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import secrets
import socket
import socketserver
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

SPANS: queue.Queue[dict] = queue.Queue()
EXPORT_TRIES = 120
SERVER, OK, ERROR = 2, 0, 2


class FailedError(Exception):
    """What was asked did not work; `code` is the answer's status, the message the error's name."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(name)
        self.code = code


def ok(_: dict[str, str], __: bytes) -> object:
    """Answer."""
    return "ok"


def large(asked: dict[str, str], _: bytes) -> object:
    """Answer with so many bytes."""
    return "x" * int(asked.get("bytes", "100000"))


def read(asked: dict[str, str], _: bytes) -> object:
    """Read a file, from the disk where that is possible."""
    with open(asked["path"], "rb") as file:  # noqa: PTH123 - the call that a program would make
        return file.read().decode("utf-8", "replace")


def write(asked: dict[str, str], body: bytes) -> object:
    """Write a file and make sure that it is on the disk."""
    began = time.monotonic()
    with open(asked["path"], "wb") as file:  # noqa: PTH123 - as above
        file.write(body or b"x" * int(asked.get("bytes", "1")))
        file.flush()
        os.fsync(file.fileno())
    return {"seconds": time.monotonic() - began}


def clock(_: dict[str, str], __: bytes) -> object:
    """Say what time it is."""
    return {"now": time.time(), "monotonic": time.monotonic()}


def fetch(asked: dict[str, str], _: bytes) -> object:
    """Ask another service, and pass on what it says."""
    try:
        with urllib.request.urlopen(asked["url"], timeout=float(asked.get("timeout", "3"))) as answer:  # noqa: S310
            return {"status": answer.status, "headers": dict(answer.headers), "body": answer.read().decode("latin-1")}
    except urllib.error.HTTPError as err:
        raise FailedError(502, f"status {err.code}") from err
    except urllib.error.URLError as err:
        raise FailedError(502, _name(err.reason)) from err
    except (OSError, EOFError, ValueError) as err:
        raise FailedError(502, _name(err)) from err
    except Exception as err:  # http.client's own: a cut answer
        raise FailedError(502, type(err).__name__) from err


def resolve(asked: dict[str, str], _: bytes) -> object:
    """Look a name up."""
    try:
        return sorted({entry[4][0] for entry in socket.getaddrinfo(asked["name"], None, socket.AF_INET)})
    except socket.gaierror as err:
        raise FailedError(502, f"EAI {err.errno}") from err


def work(asked: dict[str, str], _: bytes) -> object:
    """Compute for so much processor time; say how long that took."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < int(asked.get("ms", "20")) / 1000:
        pass
    return {"seconds": time.monotonic() - began}


HELD: list[bytearray] = []


def hold(asked: dict[str, str], _: bytes) -> object:
    """Take so much memory, and keep it."""
    HELD.append(bytearray(os.urandom(1 << 20) * int(asked["mib"])))
    return len(HELD)


def child(_: dict[str, str], __: bytes) -> object:
    """Start a process."""
    return subprocess.run(["/bin/true"], check=True).returncode


def descriptors(asked: dict[str, str], _: bytes) -> object:
    """Open so many files at once."""
    held: list[int] = []
    try:
        held.extend(os.open("/dev/null", os.O_RDONLY) for _ in range(int(asked.get("count", "50"))))
    finally:
        for one in held:
            os.close(one)
    return len(held)


DO: dict[str, Callable[[dict[str, str], bytes], object]] = {
    "/ok": ok,
    "/large": large,
    "/read": read,
    "/write": write,
    "/clock": clock,
    "/fetch": fetch,
    "/resolve": resolve,
    "/work": work,
    "/hold": hold,
    "/child": child,
    "/descriptors": descriptors,
}


def _name(err: object) -> str:
    if isinstance(err, TimeoutError):
        return "timeout"
    number = getattr(err, "errno", None)
    return errno.errorcode.get(number, type(err).__name__) if number and number > 0 else type(err).__name__


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def handle_any(self) -> None:
        """Answer one request and make its span."""
        began = time.time_ns()
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        failure = ""
        try:
            code, value = 200, DO[split.path](dict(parse_qsl(split.query)), body)
        except FailedError as err:
            code, value = err.code, str(err)
        except OSError as err:
            code, value = 503, _name(err)
        except (KeyError, ValueError, MemoryError) as err:
            code, value = 500, type(err).__name__
        if code != 200:
            failure = str(value)
        SPANS.put(_span(self.command, split.path, self.headers.get("traceparent", ""), began, code, failure))
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _span(method: str, path: str, parent: str, began: int, code: int, failure: str) -> dict:
    trace, above = parent.split("-")[1:3] if parent.count("-") == 3 else (secrets.token_hex(16), "")
    attributes = {"http.request.method": method, "http.route": path, "error.type": failure}
    listed = [{"key": k, "value": {"stringValue": v}} for k, v in attributes.items() if v]
    listed.append({"key": "http.response.status_code", "value": {"intValue": str(code)}})
    return {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "parentSpanId": above,
        "name": f"{method} {path}",
        "kind": SERVER,
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(time.time_ns()),
        "attributes": listed,
        "status": {"code": ERROR if failure else OK},
    }


def export() -> None:
    """Send spans as they come; faults strike this way too, so each is tried until it arrives."""
    url = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    service = os.environ.get("OTEL_SERVICE_NAME", "target")
    while True:
        span = SPANS.get()
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
        scoped = [{"scope": {"name": "target"}, "spans": [span]}]
        data = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scoped}]}).encode()
        for _ in range(EXPORT_TRIES if url else 0):
            request = urllib.request.Request(f"{url}/v1/traces", data, {"Content-Type": "application/json"})  # noqa: S310
            try:
                urllib.request.urlopen(request, timeout=3).close()  # noqa: S310
                break
            except OSError:
                time.sleep(0.25)


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        """Serve one connection."""
        while data := self.request.recv(65536):
            self.request.sendall(data)


class EchoDatagrams(socketserver.BaseRequestHandler):
    """Sends back what comes, datagram by datagram."""

    def handle(self) -> None:
        """Serve one datagram."""
        data, here = self.request
        here.sendto(data, self.client_address)


class Streams(socketserver.ThreadingTCPServer):
    """The echo over TCP."""

    allow_reuse_address = daemon_threads = True


class Web(ThreadingHTTPServer):
    """The requests."""

    request_queue_size = 128


if __name__ == "__main__":
    web = Web(("0.0.0.0", 8080), Handler)
    datagrams = socketserver.ThreadingUDPServer(("0.0.0.0", 9001), EchoDatagrams)
    others = (Streams(("0.0.0.0", 9000), Echo), datagrams)
    for serve in (export, *(other.serve_forever for other in others)):
        threading.Thread(target=serve, daemon=True).start()
    web.serve_forever()
