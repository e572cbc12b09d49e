"""PostgreSQL by psycopg's libpq, asked by a loop of our own: every wait ends at one moment, and nothing piles up."""

from __future__ import annotations

import ctypes
import os
import re
import select
import socket
import threading
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import pq
from psycopg.errors import Error as DriverError

from cleanroom.drive.lost import StoppedError, failure_of_errno, failure_of_loss
from cleanroom.drive.sql.answer import MAX_BYTES, Answer, Kept, RefusedError
from cleanroom.drive.sql.placeholders import Bound
from cleanroom.drive.sql.values import of_postgresql
from cleanroom.drive.wire import LOOK, OversizeError
from cleanroom.text import one_line

if TYPE_CHECKING:
    from cleanroom.drive.reach import Stopping
    from cleanroom.spec.query import Parameter, SqlAction

_USER = "postgres"
_CANCEL = 0.5
_TCP_INFO = 192
_RECEIVED = slice(128, 136)
"""Where the kernel writes `tcpi_bytes_received` (linux/tcp.h)."""
_STATE = re.compile(r":  ([0-9A-Z]{5}): ([^\n]*)")
"""SQLSTATE and message, as libpq words a server's error when it is verbose (after a severity in any language)."""
_MAPS = Path("/proc/self/maps")
_VERBOSE = 2
"""`PQERRORS_VERBOSE` (libpq-fe.h)."""
_NOT_LISTED = ("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGLOCALEDIR")
_lock = threading.Lock()
_forgotten = False
_MANY_ROWS = 500
_FAILED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.PIPELINE_ABORTED})
_COPIES = frozenset({pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH})
_WITH_ROWS = frozenset({pq.ExecStatus.TUPLES_OK, pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_CHUNK})


def _forget_environment() -> None:
    """Drop libpq's own variables, once: none of this process' surroundings decides whom it connects to, and how.

    Most of them could be overruled one by one, but not those of a service file and of the session's settings.
    """
    global _forgotten  # noqa: PLW0603 - the environment is the process' own, too
    with _lock:
        if not _forgotten:
            listed = [option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar]
            for name in (*listed, *_NOT_LISTED):
                os.environ.pop(name, None)
            _forgotten = True


@cache
def _libpq() -> ctypes.CDLL:
    """Return the libpq that psycopg has loaded, for the one function that it does not offer; raises `RefusedError`."""
    paths = (line.split(maxsplit=5)[-1].strip() for line in _MAPS.read_text("utf-8", "replace").splitlines())
    found = next((path for path in paths if Path(path).name.startswith("libpq")), "")
    if not found:
        raise RefusedError("engine", "psycopg's libpq is not among the libraries of this process")
    return ctypes.CDLL(found)


def _conninfo(address: str, action: SqlAction) -> bytes:
    user = action.user or _USER
    options = {
        "hostaddr": address,
        "port": str(action.port),
        "user": user,
        "password": action.password,
        "dbname": action.database or user,
        "application_name": "cleanroom",
        "client_encoding": "UTF8",
        "options": "-c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex",
        "sslmode": "disable",
        "gssencmode": "disable",
        # Nobody's ~/.pgpass: below a device there is no file, which libpq takes without a word.
        "passfile": "/dev/null/none",
    }
    quoted = (value.replace("\\", "\\\\").replace("'", "\\'") for value in options.values())
    return " ".join(f"{name}='{value}'" for name, value in zip(options, quoted, strict=True)).encode()


class PostgresqlConnection:
    """One connection; what is sent on it is committed at once unless the statements say otherwise."""

    def __init__(self, address: str, action: SqlAction, deadline: float, stop: Stopping | None = None) -> None:
        """Connect before `deadline` (on `time.monotonic()`) and before `stop` is requested; raises `RefusedError`."""
        _forget_environment()
        self._deadline = deadline
        self._stop = stop
        self._lost = ""
        if "\0" in action.user + action.password + action.database:
            raise RefusedError("not_started", "a user, a password or a name of a database with NUL cannot be sent")
        self._connection = pq.PGconn.connect_start(_conninfo(address, action))
        self._socket: socket.socket | None = None
        # The SQLSTATE of a refusal has no function in libpq: it stands in the message, if that is verbose.
        pointer: int = self._connection.pgconn_ptr  # type: ignore[attr-defined] # its Protocol leaves it out
        _libpq().PQsetErrorVerbosity(ctypes.c_void_p(pointer), _VERBOSE)
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        connection = self._connection
        if connection.status == pq.ConnStatus.BAD:
            raise RefusedError(*self._why_not(connection.error_message))
        self._socket = socket.socket(fileno=os.dup(connection.socket))
        wanted: int = pq.PollingStatus.WRITING
        try:
            while wanted not in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
                self._wait(reading=wanted == pq.PollingStatus.READING, writing=wanted == pq.PollingStatus.WRITING)
                if failed := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise RefusedError(*failure_of_errno(failed))
                self._look()
                wanted = connection.connect_poll()
        except TimeoutError:
            raise RefusedError("timeout", "the server did not let anybody in in time") from None
        except StoppedError:
            raise RefusedError(*failure_of_loss("stopped")) from None
        if wanted == pq.PollingStatus.FAILED:
            raise RefusedError(*self._why_not(connection.error_message))
        connection.nonblocking = 1
        connection.notice_handler = None

    def _why_not(self, said: bytes) -> tuple[str, str]:
        """Return why there is no connection: the server's own code, or what became of the connection."""
        if found := _STATE.search(said.decode("utf-8", "replace")):
            return f"sql:{found.group(1)}", one_line(found.group(2), 500)
        if self._lost:
            return failure_of_loss(self._lost)
        if self._socket is None:
            # Refused before there was anything to wait for: libpq keeps the errno only as the C library's own words.
            for number in (111, 113, 101, 110):
                if os.strerror(number).encode() in said:
                    return failure_of_errno(number)
        return "network_failure", f"the server does not speak PostgreSQL's protocol: {_said(said)}"

    def _look(self) -> None:
        """Note, before libpq reads it, whether the other side has ended the connection."""
        if self._socket is None:
            return
        try:
            if not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                self._lost = self._lost or "closed"
        except BlockingIOError:
            return
        except OSError:
            self._lost = self._lost or "reset"

    def _wait(self, *, reading: bool = True, writing: bool = False) -> None:
        poll = select.poll()
        poll.register(self._connection.socket, (select.POLLIN * reading) | (select.POLLOUT * writing))
        while (left := self._deadline - time.monotonic()) > 0:
            if poll.poll((left if self._stop is None else min(left, LOOK)) * 1000):
                return
            if self._stop is not None and self._stop.requested:
                self._lost = self._lost or "stopped"
                raise StoppedError("the run is to stop")
        self._lost = self._lost or "timeout"
        raise TimeoutError("out of time")

    def _received(self) -> int:
        """Return how many bytes have come on this connection, by the kernel's count."""
        if self._socket is None:
            return 0
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO)
        return int.from_bytes(info[_RECEIVED], "little")

    def until(self, deadline: float) -> None:
        """Let every further wait end at `deadline` (on `time.monotonic()`)."""
        self._deadline = deadline

    def execute(self, statement: Bound) -> Answer:
        """Send one statement and take its whole answer, before the deadline; never raises."""
        began = time.monotonic_ns()
        if "\0" in statement.text or any(isinstance(value, str) and "\0" in value for value in statement.values):
            return Answer(error_type="not_started", message="PostgreSQL takes no NUL in a statement or a value")
        try:
            answer = self._execute(statement)
        except TimeoutError:
            answer = self._failed("timeout", "the statement did not end in time")
        except StoppedError:
            answer = self._failed(*failure_of_loss("stopped"))
        except OversizeError as err:
            answer = self._failed("network_failure", err.message)
        except DriverError as err:
            answer = self._failed(*self._why_lost(str(err).encode()))
        return replace(answer, duration_ns=time.monotonic_ns() - began)

    def _failed(self, error_type: str, message: str) -> Answer:
        return Answer(error_type=error_type, message=message, lost=True)

    def _why_lost(self, said: bytes) -> tuple[str, str]:
        self._look()
        if self._lost:
            return failure_of_loss(self._lost)
        return "network_failure", f"the server does not speak PostgreSQL's protocol: {_said(said)}"

    def _execute(self, statement: Bound) -> Answer:
        connection = self._connection
        sent = [_encoded(value) for value in statement.values]
        connection.send_query_params(
            statement.text.encode(), [data for _, data in sent], [oid for oid, _ in sent], result_format=0
        )
        try:
            connection.set_chunked_rows_mode(_MANY_ROWS)
        except DriverError:  # libpq before 17
            connection.set_single_row_mode()
        self._flush()
        kept, affected = Kept(), None
        failure: tuple[str, str] | None = None
        while (result := self._next()) is not None:
            if result.status in _FAILED:
                failure = failure or self._failure(result)
            elif result.status in _COPIES:
                return self._failed("engine", "a step has no standard input or output: COPY from and to files only")
            elif result.status in _WITH_ROWS:
                _keep(kept, result)
            else:
                affected = result.command_tuples
            result.clear()
        if failure:
            lost = connection.status == pq.ConnStatus.BAD
            return Answer(error_type=failure[0], message=failure[1], lost=lost)
        return kept.answer(affected)

    def _flush(self) -> None:
        try:
            while self._connection.flush():
                self._wait(writing=True)
                self._look()
                self._connection.consume_input()
        except DriverError:
            # What a server says before it hangs up is still to be read.
            return

    def _next(self) -> pq.abc.PGresult | None:
        before = self._received()
        while self._connection.is_busy():
            self._wait()
            self._look()
            try:
                self._connection.consume_input()
            except DriverError:
                # As above: libpq has the server's last words, or makes an error of its own of the loss.
                break
            if self._received() - before > 2 * MAX_BYTES:
                raise OversizeError(f"one row is larger than {MAX_BYTES >> 20} MiB")
        return self._connection.get_result()

    def _failure(self, result: pq.abc.PGresult) -> tuple[str, str]:
        state = result.error_field(pq.DiagnosticField.SQLSTATE)
        if not state:
            return self._why_lost(result.error_message)
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
        return f"sql:{state.decode('ascii', 'replace')}", _said(message)

    def close(self) -> None:
        """End it; a statement that still runs is cancelled where the server listens."""
        if self._lost == "timeout" and self._connection.status == pq.ConnStatus.OK:
            self._cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._connection.finish()

    def _cancel(self) -> None:
        """Ask the server to give up: it notices only much later that nobody waits, and its locks stay until then."""
        end = time.monotonic() + _CANCEL
        try:
            cancel = self._connection.cancel_conn()
            cancel.start()
            while (wanted := cancel.poll()) not in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
                poll = select.poll()
                reading = wanted == pq.PollingStatus.READING
                poll.register(cancel.socket, select.POLLIN if reading else select.POLLOUT)
                if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                    break
            cancel.finish()
        except DriverError:
            return


def _keep(kept: Kept, result: pq.abc.PGresult) -> None:
    columns = range(result.nfields)
    if not kept.names:
        kept.begin([(result.fname(n) or b"").decode("utf-8", "replace") for n in columns])
    if kept.full:
        kept.count += result.ntuples
        return
    oids = [result.ftype(n) for n in columns]
    for row in range(result.ntuples):
        data = [result.get_value(row, n) for n in columns]
        size = sum(len(item) for item in data if item is not None)
        kept.add([of_postgresql(oid, item) for oid, item in zip(oids, data, strict=True)], size)


_INT4 = 2**31
_INT8 = 2**63


def _encoded(value: Parameter) -> tuple[int, bytes | None]:
    """Return (the type's OID, its text): a value has the type that it would have if it stood in the statement."""
    if isinstance(value, bool):
        return 16, b"true" if value else b"false"
    if isinstance(value, int):
        oid = 23 if -_INT4 <= value < _INT4 else 20 if -_INT8 <= value < _INT8 else 1700
        return oid, str(value).encode()
    if isinstance(value, float):
        return 1700, repr(value).encode()
    return 0, None if value is None else value.encode("utf-8", "replace")


def _said(message: bytes) -> str:
    return one_line(message.decode("utf-8", "replace").strip(), 500)
