"""Refusals of a server that lets nobody in: their codes, and that any number of them costs no memory."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.drive.sql.answer import RefusedError
from cleanroom.drive.sql.postgresql import PostgresqlConnection
from cleanroom.spec.query import SqlAction


def error(severity: str, code: str, message: str) -> bytes:
    """Return an ErrorResponse (PostgreSQL manual, message formats)."""
    fields = {"S": severity, "V": "FATAL", "C": code, "M": message, "H": "Or:  12345: none", "F": "proc.c", "L": "1"}
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


class Refusing:
    """Reads what a client begins with, says one thing and hangs up."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(self._said)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def refuse(self) -> tuple[str, str]:
        with pytest.raises(RefusedError) as caught:
            PostgresqlConnection("127.0.0.1", SqlAction(service="db", port=self.port), time.monotonic() + 60)
        return caught.value.error_type, caught.value.message


@pytest.fixture
def refusing(request: pytest.FixtureRequest) -> Iterator[Refusing]:
    server = Refusing(request.param)
    yield server
    server.close()


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4


@pytest.mark.parametrize(
    ("refusing", "found"),
    [
        (error("FATAL", "53300", "too many clients"), ("sql:53300", "too many clients")),
        (error("SCHWERWIEGEND", "28P01", "falsch:  99999: nein"), ("sql:28P01", "falsch: 99999: nein")),
    ],
    indirect=["refusing"],
    ids=["english", "another language"],
)
def test_a_refusal_has_the_servers_own_code_in_any_language(refusing: Refusing, found: tuple[str, str]):
    assert refusing.refuse() == found


@pytest.mark.parametrize("refusing", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], indirect=True)
def test_a_server_of_something_else_has_no_code(refusing: Refusing):
    kind, _ = refusing.refuse()
    assert kind in ("network_failure", "connection_reset")


@pytest.mark.parametrize("refusing", [error("FATAL", "53300", "too many clients")], indirect=True)
def test_refusals_without_end_leave_no_memory_behind(refusing: Refusing):
    for _ in range(200):
        refusing.refuse()
    before = resident_kib()
    for _ in range(2000):
        refusing.refuse()
    # libpq's record of a connection, once used here, left 4.5 KiB of each: 9,000.
    assert resident_kib() - before < 3000
