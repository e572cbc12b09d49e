"""The `sql` action: one statement, a file of statements, or sessions that interleave (spec.md section 4)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cleanroom.drive.result import ActionResult
from cleanroom.drive.sql.answer import Answer, Connection, RefusedError
from cleanroom.drive.sql.connect import connect_to
from cleanroom.drive.sql.placeholders import PlaceholderError, bind, with_context
from cleanroom.drive.sql.sessions import Meeting
from cleanroom.drive.sql.statements import split

if TYPE_CHECKING:
    from cleanroom.canonical import Json
    from cleanroom.drive.reach import Limits, Reach
    from cleanroom.drive.sql.values import Row
    from cleanroom.spec.query import Parameter, SqlAction

MAX_FILE = 16 << 20


def connect(reach: Reach, action: SqlAction, deadline: float) -> Connection:
    """Return a connection to the service's address, every wait of which ends at `deadline` (on `time.monotonic()`).

    The end of the run ends them, too.

    Raises `RefusedError` with an error type. No environment variable, file or name of the machine has a say in it.
    """
    return connect_to(reach.containers[action.service].address, action, deadline, reach.stop)


def run_sql(reach: Reach, action: SqlAction, limits: Limits, context: str) -> ActionResult:
    """Send what the action says within `limits`, with `context` (a `traceparent`) as a comment; never raises."""
    began = time.monotonic()
    deadline = began + limits.timeout.seconds
    comment = {"traceparent": context} if context else {}
    if action.sessions:
        meeting = Meeting(
            action,
            deadline,
            open_connection=lambda: connect(reach, action, deadline),
            context=comment,
            stop=reach.stop,
        )
        return meeting.hold()
    try:
        statements = _statements(reach, action)
    except OSError as err:
        return ActionResult(error_type="not_started", message=f"{action.file} cannot be read: {err.strerror or err}")
    try:
        connection = connect(reach, action, deadline)
    except RefusedError as err:
        took = int((time.monotonic() - began) * 10**9)
        return ActionResult(error_type=err.error_type, message=err.message, duration_ns=took)
    try:
        answer = _send(connection, statements, action, comment)
    finally:
        connection.close()
    return result_of(answer, int((time.monotonic() - began) * 10**9))


def _statements(reach: Reach, action: SqlAction) -> Sequence[tuple[str, str]]:
    """Return each statement with where it stands; raises `OSError` for a file that cannot be read."""
    if not action.file:
        return (("", action.query),)
    path = Path(reach.folder, action.file)
    if path.stat().st_size > MAX_FILE:
        raise OSError(0, f"it is larger than {MAX_FILE >> 20} MiB")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OSError(0, "it is not UTF-8") from None
    found = tuple((f"{action.file}:{s.line}: ", s.text) for s in split(text, action.dialect))
    if not found:
        raise OSError(0, "it has no statement")
    return found


def _send(
    connection: Connection, statements: Sequence[tuple[str, str]], action: SqlAction, context: Mapping[str, str]
) -> Answer:
    """Send one after another; the answer is that of the last one with rows, or of the one that failed."""
    last = Answer()
    for place, text in statements:
        answer = send_one(connection, text, action, context)
        if answer.error_type:
            return Answer(error_type=answer.error_type, message=place + answer.message)
        if answer.affected is None or not last.rows:
            last = answer
    return last


def send_one(connection: Connection, text: str, action: SqlAction, context: Mapping[str, str]) -> Answer:
    """Send one statement with the action's parameters and the trace's context; never raises."""
    parameters: Sequence[Parameter] | Mapping[str, Parameter] = action.parameters
    try:
        bound = bind(with_context(text, context, action.dialect), parameters, action.dialect)
    except PlaceholderError as err:
        return Answer(error_type="not_started", message=f"the statement was not sent: {err}")
    return connection.execute(bound)


def result_of(answer: Answer, duration_ns: int) -> ActionResult:
    """Return the answer as a step's result; `value` is the one value of one row, or the list of rows."""
    if answer.error_type:
        return ActionResult(error_type=answer.error_type, message=answer.message, duration_ns=duration_ns)
    rows: list[Json] = list(answer.rows)
    return ActionResult(
        rows=answer.rows,
        json=rows,
        has_json=True,
        value=value_of(answer.rows),
        noted={"rows": answer.count, "affected": answer.affected},
        truncated=("rows",) if answer.truncated else (),
        duration_ns=duration_ns,
    )


def value_of(rows: Sequence[Row]) -> Json:
    """Return the value of one row with one column, else the list of rows."""
    if len(rows) == 1 and len(rows[0]) == 1:
        return next(iter(rows[0].values()))
    return list(rows)
