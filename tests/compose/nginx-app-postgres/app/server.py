"""Says whether the database accepts connections."""

from __future__ import annotations

import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            socket.create_connection((os.environ["DATABASE_HOST"], int(os.environ["DATABASE_PORT"])), timeout=2).close()
            status, body = 200, b"the database is up\n"
        except OSError:
            status, body = 503, b"the database is down\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
