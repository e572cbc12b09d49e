"""OTLP/HTTP into the inbox: a small server that reads, decompresses under a bound, stores and answers."""

from __future__ import annotations

import re
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote, unquote

from cleanroom.errors import TelemetryError
from cleanroom.telemetry.inbox import JSON, PROTOBUF, Arrival, ContentType, Filing, Inbox
from cleanroom.telemetry.ports import Signal

MAX_BODY: Final = 64 << 20
"""Bytes of one request, compressed or not: what the SDKs themselves take as their largest request."""
IDLE_SECONDS: Final = 60
MAX_CONNECTIONS: Final = 512
_CHUNK: Final = 1 << 16
_MAX_LINE: Final = 1 << 10
_GZIP: Final = 16 + zlib.MAX_WBITS
_SIGNALS = "traces|metrics|logs"
_SLOT_PATH = re.compile(rf"/slot/(\d{{1,6}})/v1/({_SIGNALS})")
_RUNNER_PATH = re.compile(rf"/runner/([^/]+)/v1/({_SIGNALS})")
_PLAIN_PATH = re.compile(rf"/v1/({_SIGNALS})")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the requests of one path go."""

    signal: Signal
    receiving: Callable[[], AbstractContextManager[None]]
    file: Callable[[Arrival], Filing]


Route: TypeAlias = Callable[[str], Mailbox | None]


class _RefusedError(Exception):
    """A request that is answered with an error status and not stored."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def runner_path(environment: str) -> str:
    """Return the path below which the runner's own exporter posts for `environment`."""
    return f"/runner/{quote(environment, safe='')}"


def loopback_route(inbox: Inbox) -> Route:
    """Return the collector's paths, `/slot/<i>/v1/<signal>`, and the runner's, `/runner/<environment>/v1/<signal>`."""

    def route(path: str) -> Mailbox | None:
        if match := _SLOT_PATH.fullmatch(path):
            return slot_mailbox(inbox, int(match[1]), cast("Signal", match[2]))
        if match := _RUNNER_PATH.fullmatch(path):
            environment = unquote(match[1])
            signal = cast("Signal", match[2])
            return Mailbox(signal, nullcontext, lambda arrival: inbox.file_runner(environment, arrival))
        return None

    return route


def gateway_route(inbox: Inbox, slot: int) -> Route:
    """Return the paths that services use without a collector: `/v1/<signal>` of their own slot, and nothing else."""

    def route(path: str) -> Mailbox | None:
        match = _PLAIN_PATH.fullmatch(path)
        return slot_mailbox(inbox, slot, cast("Signal", match[1])) if match else None

    return route


def slot_mailbox(inbox: Inbox, slot: int, signal: Signal) -> Mailbox:
    """Return the mailbox of one slot and signal; what it does not keep is counted as refused."""

    def file(arrival: Arrival) -> Filing:
        filing = inbox.file_slot(slot, arrival)
        if filing in {"full", "unknown"}:
            inbox.refuse(slot)
        return filing

    return Mailbox(signal, lambda: inbox.receiving(slot), file)


class _Handler(BaseHTTPRequestHandler):
    """One connection; HTTP/1.1 with keep-alive, no access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_SECONDS
    server_version = "cleanroom"
    sys_version = ""
    server: _Server

    def do_POST(self) -> None:
        """Store one OTLP request and answer in its own encoding."""
        try:
            content_type = self._receive()
        except _RefusedError as err:
            # What is left of the body has not been read: the connection cannot carry another request.
            self.close_connection = True
            self._answer(err.status, "text/plain; charset=utf-8", str(err).encode())
        else:
            self._answer(HTTPStatus.OK, content_type, b"{}" if content_type == JSON else b"")

    def _receive(self) -> ContentType:
        mailbox = self.server.route(self.path)
        if mailbox is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"no such path; OTLP/HTTP posts to /v1/{{{_SIGNALS}}}")
        content_type = self._content_type()
        with mailbox.receiving():
            body = self._decompressed(self._body())
            filing = mailbox.file(Arrival(signal=mailbox.signal, content_type=content_type, body=body))
        if filing == "full":
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "this environment has sent more than is kept")
        if filing == "unknown":
            raise _RefusedError(HTTPStatus.NOT_FOUND, "no environment is open here")
        return content_type

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the signature is http.server's
        """Write nothing: standard error belongs to the program."""

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _content_type(self) -> ContentType:
        value = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if value == PROTOBUF:
            return PROTOBUF
        if value == JSON:
            return JSON
        raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content type must be {PROTOBUF} or {JSON}")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
            return b"".join(self._chunks())
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "Content-Length or chunked transfer encoding is needed")
        size = int(length) if len(length) < len(str(MAX_BODY)) + 1 else MAX_BODY + 1
        if size > MAX_BODY:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request may have {MAX_BODY} bytes")
        return self._exactly(size)

    def _chunks(self) -> Iterator[bytes]:
        total = 0
        while True:
            head = self.rfile.readline(_MAX_LINE).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", head):
                raise _RefusedError(HTTPStatus.BAD_REQUEST, "a chunk without its length")
            size = int(head, 16)
            total += size
            if total > MAX_BODY:
                raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request may have {MAX_BODY} bytes")
            if size == 0:
                # Trailers carry nothing that OTLP uses; whatever they are, the connection ends with this request.
                if self.rfile.readline(_MAX_LINE).strip():
                    self.close_connection = True
                return
            yield self._exactly(size)
            if self.rfile.readline(_MAX_LINE).strip():
                raise _RefusedError(HTTPStatus.BAD_REQUEST, "a chunk longer than its length")

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) != size:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the body ended after {len(data)} of {size} bytes")
        return data

    def _decompressed(self, body: bytes) -> bytes:
        encoding = self.headers.get("Content-Encoding", "").strip().lower()
        if encoding in {"", "identity"}:
            return body
        if encoding not in {"gzip", "deflate"}:
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content encoding must be gzip, deflate or identity")
        inflater = zlib.decompressobj(_GZIP if encoding == "gzip" else zlib.MAX_WBITS)
        try:
            plain = inflater.decompress(body, MAX_BODY + 1)
        except zlib.error as err:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the body is not {encoding}: {err}") from err
        if len(plain) > MAX_BODY:
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request may have {MAX_BODY} bytes decompressed"
            )
        if not inflater.eof:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the {encoding} body ends early")
        return plain


class _Server(ThreadingHTTPServer):
    """A thread for each connection, at most `MAX_CONNECTIONS` of them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], route: Route) -> None:
        self.route = route
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without http.server's look-up of our own name, which may ask a DNS server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Serve the connection in a thread of its own, or close it when there are too many."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the same
        """Serve, then give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.discard(request)
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the same
        """Keep quiet about clients that went away; anything else is our own mistake and must be seen."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End every open connection, so that nothing is answered after the server has stopped."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side was faster


@contextmanager
def serve(host: str, port: int, route: Route) -> Iterator[int]:
    """Serve `route` on host:port (0: any free port) while the block runs; yields the port; raises `TelemetryError`."""
    try:
        server = _Server((host, port), route)
    except OSError as err:
        raise TelemetryError(
            f"cannot listen for telemetry on {host}:{port}: {err.strerror or err}",
            remedy="end what listens there already, or give the run an address that this machine has",
        ) from err
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=f"otlp-{host}:{port}", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join(timeout=5)
