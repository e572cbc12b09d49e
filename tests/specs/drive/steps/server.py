"""Answers as the path says, on 8080 and, with a certificate of its own, on 8443."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = "here"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        match self.path:
            case "/echo":
                self.say(200, {"body": json.loads(body or "null"), "traceparent": self.headers.get("traceparent", "")})
            case "/form":
                self.say(200, {"text": body})
            case "/made":
                self.say(201, {"order": {"id": 17}, "state": "stored"}, Location="/orders/17")
            case "/redirect":
                self.say(302, None, Location="/echo")
            case "/out":
                self.say(302, None, Location="http://192.0.2.1/")
            case "/garbage":
                self.wfile.write(b"\x00\xff no HTTP at all\r\n" * 100)
                self.close_connection = True
            case "/endless":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                for _ in range(1 << 14):
                    self.wfile.write(b"x" * 65536)
                self.close_connection = True
            case "/silence":
                threading.Event().wait(60)

    do_GET = do_POST = handle_any  # noqa: N815 - the names that http.server calls

    def say(self, code: int, value: object, **headers: str) -> None:
        """Send `value` as JSON."""
        data = json.dumps(value).encode()
        self.send_response(code)
        for name, text in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    plain, secure = (ThreadingHTTPServer(("0.0.0.0", port), Handler) for port in (8080, 8443))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("self-signed.pem")
    secure.socket = context.wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    plain.serve_forever()
