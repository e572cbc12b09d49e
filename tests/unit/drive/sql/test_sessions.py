from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from cleanroom.drive.result import ActionResult
from cleanroom.drive.sql.answer import Answer
from cleanroom.drive.sql.placeholders import Bound
from cleanroom.drive.sql.sessions import Meeting
from cleanroom.spec.comparator import equal_to
from cleanroom.spec.query import SessionExpect, SessionStep, SqlAction, SqlSession

KILLED = Answer(error_type="sql:57P01", message="terminated", lost=True)


class Scripted:
    """A connection that answers as the text of a statement says."""

    def __init__(self, answers: dict[str, Answer | Exception]) -> None:
        self.answers = answers
        self.sent: list[str] = []

    def execute(self, statement: Bound) -> Answer:
        self.sent.append(statement.text)
        answer = self.answers.get(statement.text, Answer())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def hold() -> Callable[..., tuple[ActionResult, Scripted]]:
    def call(answers: dict[str, Answer | Exception], *steps: SessionStep) -> tuple[ActionResult, Scripted]:
        connection = Scripted(answers)
        action = SqlAction(service="db", sessions=(SqlSession(name="a", steps=steps),))
        meeting = Meeting(action, time.monotonic() + 60, open_connection=lambda: connection, context={})
        return meeting.hold(), connection

    return call


def expects(kind: str) -> SessionExpect:
    return SessionExpect(error_type=equal_to(kind))


def test_every_statement_is_sent(hold):
    result, connection = hold({}, SessionStep(sql="one"), SessionStep(sql="two"))
    assert (result.error_type, connection.sent) == ("", ["one", "two"])


def test_an_expected_loss_at_the_end_is_well(hold):
    result, _ = hold({"kill": KILLED}, SessionStep(sql="kill", expect=expects("sql:57P01")))
    assert (result.error_type, result.breaches) == ("", ())


def test_statements_after_an_expected_loss_are_not_taken_for_answered(hold):
    steps = (SessionStep(sql="kill", expect=expects("sql:57P01")), SessionStep(sql="after"))
    result, connection = hold({"kill": KILLED}, *steps)
    assert connection.sent == ["kill"]
    assert result.error_type == "not_started"
    assert result.message == "a, statement 2: not sent, the connection is gone"


def test_a_driver_that_breaks_is_no_success(hold):
    result, _ = hold({"one": RuntimeError("a defect")}, SessionStep(sql="one"), SessionStep(sql="two"))
    assert result.error_type == "engine"
    assert "RuntimeError: a defect" in result.message
