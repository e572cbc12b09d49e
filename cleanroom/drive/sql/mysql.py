"""MariaDB and MySQL by PyMySQL, over a connection of our own whose every wait ends at one moment."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.converters import conversions
from pymysql.cursors import SSCursor

from cleanroom.drive.lost import failure_of, failure_of_loss
from cleanroom.drive.sql.answer import MAX_BYTES, Answer, Kept, RefusedError
from cleanroom.drive.sql.placeholders import Bound
from cleanroom.drive.sql.values import of_mysql
from cleanroom.drive.wire import OversizeError, Wire
from cleanroom.text import one_line

if TYPE_CHECKING:
    from cleanroom.drive.reach import Stopping
    from cleanroom.spec.query import SqlAction

_USER = "root"
_CANCEL = 0.5
_CLIENT_NUMBERS = range(2000, 3000)
"""Numbers of the client library's own errors (errmsg.h): not of a server."""
_ENCODERS: dict[Any, Any] = {kind: convert for kind, convert in conversions.items() if not isinstance(kind, int)}


class MysqlConnection:
    """One connection; what is sent on it is committed at once unless the statements say otherwise."""

    def __init__(self, address: str, action: SqlAction, deadline: float, stop: Stopping | None = None) -> None:
        """Connect before `deadline` (on `time.monotonic()`) and before `stop` is requested; raises `RefusedError`."""
        self._address, self._action = address, action
        self._wire = Wire(deadline, stop)
        self._wire.budget = MAX_BYTES
        try:
            self._wire.reach(address, action.port)
            self._connection = self._open(self._wire)
            self._thread = int(self._connection.thread_id())  # type: ignore[no-untyped-call]
        except OSError as err:
            self._wire.close()
            raise RefusedError(*failure_of(err)) from None
        except Exception as err:  # noqa: BLE001 - a driver that reads garbage raises whatever it stumbles over
            self._wire.close()
            raise RefusedError(*self._why(err)) from None

    def _open(self, wire: Wire) -> pymysql.connections.Connection[Any]:
        action = self._action
        connection: pymysql.connections.Connection[Any] = pymysql.connect(
            host=self._address, port=action.port, user=action.user or _USER, password=action.password,
            database=action.database or None, charset="utf8mb4", autocommit=True, ssl_disabled=True,
            # Values are read by us; the driver only writes them.
            conv=_ENCODERS, local_infile=False, program_name="cleanroom", cursorclass=SSCursor, defer_connect=True,
        )  # fmt: skip
        connection.connect(wire)
        return connection

    def _why(self, err: Exception) -> tuple[str, str]:
        """Return (error type, one line) of what the driver raised."""
        if isinstance(err, OversizeError):
            return "network_failure", f"one packet is larger than {MAX_BYTES >> 20} MiB"
        number = err.args[0] if err.args else None
        if isinstance(err, pymysql.MySQLError) and isinstance(number, int) and number > 0:
            if number not in _CLIENT_NUMBERS:
                return f"sql:{number}", one_line(str(err.args[-1]), 500)
            if self._wire.lost:
                return failure_of_loss(self._wire.lost)
        if self._wire.lost:
            return failure_of_loss(self._wire.lost)
        said = one_line(f"{type(err).__name__}: {err}", 300)
        return "network_failure", f"the server does not speak MariaDB's protocol: {said}"

    def until(self, deadline: float) -> None:
        """Let every further wait end at `deadline` (on `time.monotonic()`)."""
        self._wire.deadline = deadline

    def execute(self, statement: Bound) -> Answer:
        """Send one statement and take its whole answer, before the deadline; never raises."""
        began = time.monotonic_ns()
        cursor = self._connection.cursor()
        kept = Kept()
        self._wire.budget = 2 * MAX_BYTES
        try:
            cursor.execute(statement.text, statement.values or None)
            if cursor.description is not None:
                self._read(cursor, kept)
            affected = cursor.rowcount if cursor.description is None else None
        except Exception as err:  # noqa: BLE001 - a driver that reads garbage raises whatever it stumbles over
            if (result := cursor._result) is not None:  # noqa: SLF001 - its end would read on, to nobody
                result.unbuffered_active = False
            kind, message = self._why(err)
            lost = bool(self._wire.lost) or not kind.startswith("sql:")
            return Answer(error_type=kind, message=message, lost=lost, duration_ns=time.monotonic_ns() - began)
        return replace(kept.answer(affected), duration_ns=time.monotonic_ns() - began)

    def _read(self, cursor: SSCursor, kept: Kept) -> None:
        kept.begin([str(column[0]) for column in cursor.description])
        types = [int(column[1]) for column in cursor.description]
        while True:
            # What the connection has read ahead belongs to the next rows: twice as much as is kept of one is enough.
            self._wire.budget = 2 * MAX_BYTES
            row = cursor.fetchone()
            if row is None:
                return
            if kept.full:
                kept.count += 1
                continue
            size = sum(len(item) for item in row if item is not None)
            kept.add([of_mysql(kind, item) for kind, item in zip(types, row, strict=True)], size)

    def close(self) -> None:
        """End it; a statement that still runs is killed where the server listens."""
        if self._wire.lost == "timeout":
            self._cancel()
        self._wire.close()

    def _cancel(self) -> None:
        """Ask the server to give up: it may notice only much later that nobody waits, and locks stay until then."""
        wire = Wire(time.monotonic() + _CANCEL)
        try:
            wire.reach(self._address, self._action.port)
            other = self._open(wire)
            other.cursor().execute(f"kill {self._thread}")
        except Exception:  # noqa: BLE001 - whatever it is, the server is not to be asked
            return
        finally:
            wire.close()
