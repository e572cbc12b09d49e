"""Sessions whose statements interleave: a connection and a thread for each, and what they wait for (spec.md section 4).

A session ends with its first statement that fails where its `expect` does not say so: it rolls back and lets its locks
go. Sessions that wait for one of its later statements end too, and say so. A statement without an `expect` must not
fail, so that a deadlock between two of them ends with exactly one error: that of the victim.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cleanroom.drive.lost import failure_of_loss
from cleanroom.drive.result import ActionResult, Breach
from cleanroom.drive.sql.answer import Answer, Connection, RefusedError
from cleanroom.drive.sql.placeholders import Bound, with_context
from cleanroom.drive.wire import LOOK
from cleanroom.quantity import Duration
from cleanroom.spec.comparator import describe, judge
from cleanroom.text import one_line

if TYPE_CHECKING:
    from cleanroom.canonical import Json
    from cleanroom.drive.reach import Stopping
    from cleanroom.spec.query import SessionStep, SqlAction, SqlSession

_SET = {
    "postgresql": "set session characteristics as transaction isolation level {}",
    "mysql": "set session transaction isolation level {}",
}
_SHOWN = 20
"""How many rows of a statement the report shows."""


@dataclass(slots=True)
class _Course:
    """How far a session has come; guarded by the meeting's lock."""

    session: SqlSession
    ended: int = 0
    """How many of its statements have ended."""
    over: bool = False
    """It goes no further."""
    waits_for: str = ""
    error_type: str = ""
    message: str = ""
    breaches: list[Breach] = field(default_factory=list)
    log: list[Json] = field(default_factory=list)
    victim: bool = False
    """Its own statement failed, not one that it waited for."""


class Meeting:
    """All sessions of one step, held once."""

    def __init__(
        self,
        action: SqlAction,
        deadline: float,
        *,
        open_connection: Callable[[], Connection],
        context: Mapping[str, str],
        stop: Stopping,
    ) -> None:
        """`deadline` is on `time.monotonic()`; `open_connection` raises `RefusedError`."""
        self._action = action
        self._deadline = deadline
        self._open = open_connection
        self._context = context
        self._stop = stop
        self._changed = threading.Condition()
        self._courses = {session.name: _Course(session) for session in action.sessions}
        self._came: dict[str, set[str]] = {}

    def hold(self) -> ActionResult:
        """Let every session run to its end; never raises and lasts at most until the deadline or the run's end."""
        began = time.monotonic()
        threads = [
            threading.Thread(target=self._run, args=(course,), name=f"sql-{name}", daemon=True)
            for name, course in self._courses.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._result(int((time.monotonic() - began) * 10**9))

    def _run(self, course: _Course) -> None:
        try:
            self._converse(course)
        except RefusedError as err:
            self._end(course, err.error_type, f"the session {course.session.name}: {err.message}")
        except Exception as err:  # noqa: BLE001 - a thread's end is silent: what was not asked must not look answered
            said = one_line(f"{type(err).__name__}: {err}", 300)
            self._end(course, "engine", f"the session {course.session.name}: a defect in cleanroom: {said}")

    def _converse(self, course: _Course) -> None:
        connection = self._open()
        try:
            if self._prepare(course, connection):
                self._statements(course, connection)
        finally:
            connection.close()
            with self._changed:
                course.over = True
                self._changed.notify_all()

    def _prepare(self, course: _Course, connection: Connection) -> bool:
        if not course.session.isolation:
            return True
        answer = connection.execute(Bound(_SET[self._action.dialect].format(course.session.isolation)))
        if answer.error_type:
            self._end(course, answer.error_type, f"the session {course.session.name}: {answer.message}")
        return not answer.error_type

    def _statements(self, course: _Course, connection: Connection) -> None:
        for number, step in enumerate(course.session.steps, 1):
            if not self._may_go(course, step, number):
                return
            text = with_context(step.sql, self._context, self._action.dialect)
            answer = connection.execute(Bound(text))
            if not self._ended(course, step, number, answer):
                if not answer.lost:
                    connection.execute(Bound("rollback"))
                return

    def _may_go(self, course: _Course, step: SessionStep, number: int) -> bool:
        """Wait until the statement may be sent; return whether it may."""
        name = course.session.name
        with self._changed:
            if step.after_session:
                other = self._courses[step.after_session]
                course.waits_for = f"statement {step.after_step} of {other.session.name}"
                self._changed.notify_all()
                if not self._await(course, number, lambda: other.ended >= step.after_step, (other,)):
                    return False
            if step.barrier:
                members = tuple(c for c in self._courses.values() if _meets(c.session, step.barrier))
                came = self._came.setdefault(step.barrier, set())
                came.add(name)
                self._changed.notify_all()
                course.waits_for = f"the barrier {step.barrier}"
                absent = [c for c in members if c.session.name not in came]
                if not self._await(course, number, lambda: len(came) == len(members), tuple(absent)):
                    return False
            course.waits_for = ""
        return True

    def _await(self, course: _Course, number: int, arrived: Callable[[], bool], others: tuple[_Course, ...]) -> bool:
        """Wait on the lock until `arrived`, the deadline, or the end of the run or of whoever should have come."""
        while not arrived():
            # One that the deadline ended was still to come: it is told as that.
            ended = (c for c in others if c.over and c.error_type != "timeout" and not self._is_there(c, course))
            gone = next((c.session.name for c in ended), "")
            left = self._deadline - time.monotonic()
            stopped = self._stop.requested
            if not gone and not stopped and left > 0:
                self._changed.wait(min(left, LOOK))
                continue
            if stopped:
                kind, why = failure_of_loss("stopped")
            elif gone:
                kind, why = "not_started", f"the session {gone} has ended before it"
            else:
                kind, why = "timeout", self._who_waits(others)
            course.error_type = course.error_type or kind
            where = f"{course.session.name}, statement {number}"
            course.message = course.message or f"{where} waited for {course.waits_for} in vain: {why}"
            course.over = True
            self._changed.notify_all()
            return False
        return True

    def _is_there(self, other: _Course, course: _Course) -> bool:
        """Whether `other` has come to the barrier that `course` waits at."""
        barrier = course.waits_for.removeprefix("the barrier ")
        return other.session.name in self._came.get(barrier, set())

    def _who_waits(self, others: tuple[_Course, ...]) -> str:
        def where(other: _Course) -> str:
            name = other.session.name
            if other.waits_for:
                return f"{name} waited for {other.waits_for}"
            return f"{name} was in its statement {min(other.ended + 1, len(other.session.steps))}"

        return "; ".join(where(other) for other in others) or "nobody was missing"

    def _ended(self, course: _Course, step: SessionStep, number: int, answer: Answer) -> bool:
        """Take note of a statement's answer; return whether its session goes on."""
        breaches = tuple(_breaches(course.session.name, step, number, answer))
        expected = step.expect is not None and step.expect.error_type is not None
        with self._changed:
            course.log.append(_logged(answer))
            course.breaches += breaches
            failed = bool(answer.error_type) and not expected
            if failed:
                course.error_type, course.victim = answer.error_type, True
                course.message = f"{course.session.name}, statement {number}: {answer.message}"
            left = len(course.session.steps) - number
            if answer.lost and not failed and left:
                # Its loss was expected; that the rest of the session is never sent was not.
                failed, course.error_type, course.victim = True, "not_started", True
                course.message = f"{course.session.name}, statement {number + 1}: not sent, the connection is gone"
            course.over = failed or answer.lost
            course.ended += 0 if answer.error_type == "timeout" else 1
            self._changed.notify_all()
            return not course.over

    def _end(self, course: _Course, error_type: str, message: str) -> None:
        with self._changed:
            course.error_type, course.message, course.over, course.victim = error_type, message, True, True
            self._changed.notify_all()

    def _result(self, duration_ns: int) -> ActionResult:
        failed = [course for course in self._courses.values() if course.error_type]
        # What failed by itself goes before what waited for it.
        failed.sort(key=lambda course: not course.victim)
        log: dict[str, Json] = {name: course.log for name, course in self._courses.items()}
        return ActionResult(
            error_type=failed[0].error_type if failed else "",
            message="; ".join(course.message for course in failed),
            others=tuple(course.error_type for course in failed[1:] if course.victim),
            breaches=tuple(breach for course in self._courses.values() for breach in course.breaches),
            value=log,
            noted={"sessions": log},
            duration_ns=duration_ns,
        )


def _meets(session: SqlSession, barrier: str) -> bool:
    return any(step.barrier == barrier for step in session.steps)


def _logged(answer: Answer) -> Json:
    found: dict[str, Json] = {"duration_ms": round(answer.duration_ns / 10**6, 3)}
    if answer.error_type:
        return {**found, "error_type": answer.error_type, "message": answer.message}
    return {**found, "count": answer.count, "affected": answer.affected, "rows": list(answer.rows[:_SHOWN])}


def _breaches(session: str, step: SessionStep, number: int, answer: Answer) -> list[Breach]:
    """Return what of the statement's `expect` does not hold."""
    expect = step.expect
    if expect is None:
        return []
    rows: list[Json] = list(answer.rows)
    facts = (
        ("rows", expect.rows, rows, not answer.error_type),
        ("error_type", expect.error_type, answer.error_type, bool(answer.error_type)),
        ("duration", expect.duration, Duration(answer.duration_ns), True),
    )
    found = []
    for what, comparator, value, present in facts:
        if comparator is None:
            continue
        got = one_line(str(value), 500) if present else "nothing"
        if what == "rows" and answer.truncated:
            got = f"{answer.count} rows, more than are kept: what was not kept cannot be judged"
        elif judge(comparator, value, present=present).holds:
            continue
        if not present and answer.error_type:
            got = f"nothing ({answer.error_type}: {answer.message})"
        where = f"{session}, statement {number}: {what}"
        found.append(Breach(what=where, expected=describe(comparator), found=got, at=comparator.at))
    return found
