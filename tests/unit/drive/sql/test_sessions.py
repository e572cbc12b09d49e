"""Sessions that wait for each other, with connections that only say what the test tells them to."""

from __future__ import annotations

import threading
import time

from cleanroom.drive.sql.answer import Answer
from cleanroom.drive.sql.sessions import Meeting
from cleanroom.run.stop import Stop
from cleanroom.spec.query import SessionStep, SqlAction, SqlSession

HOURS = 3 * 3600.0


class Database:
    """What all connections share: what was sent, in its order, and what each statement comes to."""

    def __init__(self, **answers: Answer) -> None:
        self.sent: list[str] = []
        self.closed = 0
        self.holds = threading.Event()
        """Set when the statement `hold` has begun, which lasts until `let_go`."""
        self.let_go = threading.Event()
        self._answers = answers

    def execute(self, statement) -> Answer:
        word = statement.text.partition("/*")[0]
        self.sent.append(word)
        if word == "hold":
            self.holds.set()
            assert self.let_go.wait(60)
        return self._answers.get(word, Answer())

    def until(self, deadline: float) -> None:  # noqa: ARG002 - the port's signature
        raise AssertionError("a step's deadline does not move")

    def close(self) -> None:
        self.closed += 1


def session(name, *steps):
    return SqlSession(name=name, steps=tuple(steps))


def meeting(database, *sessions, stop=None, seconds=HOURS):
    return Meeting(
        SqlAction(service="db", sessions=sessions),
        time.monotonic() + seconds,
        open_connection=lambda: database,
        context={},
        stop=stop or Stop(),
    )


def test_a_statement_is_sent_only_after_the_one_it_waits_for():
    database = Database()
    database.let_go.set()
    first = session("first", SessionStep(sql="hold"), SessionStep(sql="third", after_session="second", after_step=1))
    second = session("second", SessionStep(sql="two", after_session="first", after_step=1))
    result = meeting(database, second, first).hold()
    assert result.error_type == ""
    assert database.sent == ["hold", "two", "third"]
    assert database.closed == 2


def test_a_session_that_fails_ends_those_that_wait_for_it_and_rolls_back():
    database = Database(bad=Answer(error_type="sql:22012", message="division by zero"))
    first = session("first", SessionStep(sql="bad"), SessionStep(sql="never", barrier="both"))
    second = session("second", SessionStep(sql="other", barrier="both"))
    result = meeting(database, first, second).hold()
    assert result.error_type == "sql:22012"
    assert result.message == (
        "first, statement 1: division by zero; "
        "second, statement 1 waited for the barrier both in vain: the session first has ended before it"
    )
    assert database.sent == ["bad", "rollback"]


def test_a_deadline_ends_a_wait_and_tells_where_the_others_were():
    database = Database()
    first = session("first", SessionStep(sql="hold"), SessionStep(sql="one", barrier="both"))
    second = session("second", SessionStep(sql="two", barrier="both"))
    held = meeting(database, first, second, seconds=0.5)
    found = []
    thread = threading.Thread(target=lambda: found.append(held.hold()), daemon=True)
    thread.start()
    # Until the second session has given up, the first one is in its first statement.
    deadline = time.monotonic() + 60
    while database.closed == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    database.let_go.set()
    thread.join(60)
    assert found[0].error_type == "timeout"
    assert "second, statement 1 waited for the barrier both in vain: first was in its statement 1" in found[0].message


def test_an_interruption_ends_sessions_that_wait_for_each_other():
    database, stop = Database(), Stop()
    first = session("first", SessionStep(sql="hold"), SessionStep(sql="one", barrier="both"))
    second = session("second", SessionStep(sql="two", barrier="both"))
    found = []
    held = meeting(database, first, second, stop=stop)
    thread = threading.Thread(target=lambda: found.append(held.hold()), daemon=True)
    thread.start()
    assert database.holds.wait(60)
    stop.request()
    deadline = time.monotonic() + 60
    while database.closed == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert database.closed == 1, "the session at the barrier ends though the other one has not"
    database.let_go.set()
    thread.join(60)
    assert not thread.is_alive()
    assert found[0].error_type == "killed"
    assert "in vain: the run was interrupted" in found[0].message
