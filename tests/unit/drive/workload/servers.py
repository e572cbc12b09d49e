"""Small servers on the loopback for workloads."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

_RAW = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n4;x=y\r\n two\r\n0\r\n\r\n",
    "end": b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nless",
    "garbage": b"SSH-2.0-OpenSSH\r\n\r\n",
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers.items()), body, self.client_address))
        word, _, rest = self.path.strip("/").partition("?")[0].partition("/")
        if word == "slow":
            time.sleep(float(rest))
        if word in _RAW:
            self.close_connection = word != "chunked"
            self.wfile.write(_RAW[word])
            return
        status = int(rest) if word == "status" else 302 if word in ("to", "out") else 200
        data = b"x" * int(rest) if word == "big" else b'{"path": "%s"}' % self.path.encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"/{rest}" if word == "to" else "http://192.0.2.1/")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(data)

    do_GET = do_POST = do_HEAD = _take  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingTCPServer):
    """Answers as the path says, and keeps what it was asked."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes, tuple[str, int]]] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
