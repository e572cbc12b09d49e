"""SQL over connections that are kept, for workloads: a statement is taken apart once, however often it is sent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cleanroom.drive.result import ActionResult
from cleanroom.drive.sql.answer import Connection, RefusedError
from cleanroom.drive.sql.connect import connect_to
from cleanroom.drive.sql.placeholders import Bound, PlaceholderError, bind, with_context
from cleanroom.drive.sql.run import result_of

if TYPE_CHECKING:
    from cleanroom.drive.reach import Limits
    from cleanroom.spec.query import Dialect, SqlAction

_MARK: Final = "0"
_COMMENT: Final = f"/*traceparent='{_MARK}'*/"


class SqlSession:
    """Connections to the databases of one environment, one for each user and database, used by one worker."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        """`addresses` are service → address."""
        self._addresses = addresses
        self._kept: dict[tuple[str, ...], Connection] = {}

    def open(self, action: SqlAction, limits: Limits) -> None:
        """Connect to the action's database; raises `RefusedError`."""
        self._connection(action, time.monotonic() + limits.timeout.seconds)

    def perform(self, action: SqlAction, limits: Limits, context: str) -> ActionResult:
        """Send the statement with `context` (a `traceparent`) as a comment; never raises."""
        began = time.monotonic_ns()
        try:
            bound = _bound(action, context)
            connection = self._connection(action, time.monotonic() + limits.timeout.seconds)
        except PlaceholderError as err:
            return _failed(began, "not_started", f"the statement was not sent: {err}")
        except RefusedError as err:
            return _failed(began, err.error_type, err.message)
        answer = connection.execute(bound)
        if answer.lost:
            self._drop(action)
        return result_of(answer, time.monotonic_ns() - began)

    def close(self) -> None:
        """End all connections."""
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    def _connection(self, action: SqlAction, deadline: float) -> Connection:
        key = _key(action)
        kept = self._kept.get(key)
        if kept is not None:
            kept.until(deadline)
            return kept
        self._kept[key] = connect_to(self._addresses[action.service], action, deadline)
        return self._kept[key]

    def _drop(self, action: SqlAction) -> None:
        gone = self._kept.pop(_key(action), None)
        if gone is not None:
            gone.close()


def _key(action: SqlAction) -> tuple[str, ...]:
    return action.service, action.dialect, str(action.port), action.database, action.user, action.password


def _failed(began: int, error_type: str, message: str) -> ActionResult:
    return ActionResult(error_type=error_type, message=message, duration_ns=time.monotonic_ns() - began)


def _bound(action: SqlAction, context: str) -> Bound:
    parameters = action.parameters
    names = tuple(parameters) if isinstance(parameters, Mapping) else None
    shape, order = _shape(action.query, names, len(parameters), action.dialect)
    text = shape
    if shape.endswith(_COMMENT):
        text = f"{shape.removesuffix(_COMMENT)}/*traceparent='{context}'*/"
    if isinstance(parameters, Mapping):
        return Bound(text, tuple(parameters[name] for name in order))
    return Bound(text, tuple(parameters[int(place)] for place in order))


@lru_cache(maxsize=1024)
def _shape(statement: str, names: tuple[str, ...] | None, count: int, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    """Return the statement as the driver takes it, with a comment to be replaced, and which values it takes in order.

    Raises `PlaceholderError`. Values are named by themselves, or by their places from 0.
    """
    marked = with_context(statement, {"traceparent": _MARK}, dialect)
    stand_ins = {name: name for name in names} if names is not None else [str(place) for place in range(count)]
    found = bind(marked, stand_ins, dialect)
    return found.text, tuple(str(value) for value in found.values)
