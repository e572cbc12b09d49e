from __future__ import annotations

import pytest

from cleanroom.faults.database import kill_sessions
from cleanroom.faults.database.kill_sessions import KilledSessions
from cleanroom.faults.database.session import SqlRefusedError
from tests.unit.faults.scenes import Engine, Time, context, event


class Server:
    """Sessions by number; those in `left` end by themselves before anybody ends them."""

    def __init__(self, dialect: str, left: tuple[int, ...]) -> None:
        self.dialect, self.left, self.there = dialect, left, {1: "select", 2: "select", 3: "select"}

    def sessions(self):
        return dict(self.there)

    def _end(self, number: int) -> bool:
        known = number not in self.left and number in self.there
        self.there.pop(number, None)
        return known

    def one(self, _statement, number):
        return self._end(number)

    def ask(self, statement):
        if not self._end(int(statement.split()[-1])):
            raise SqlRefusedError("sql:1094", "Unknown thread id")
        return ()

    def gone(self, *ids):
        return self.there.keys().isdisjoint(ids)


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
@pytest.mark.parametrize(
    ("left", "holds", "ended", "late"),
    [((), True, 2, 0), ((1,), True, 2, None), ((1, 2), False, 1, 2), ((1, 2, 3), False, 0, 3)],
)
def test_who_left_by_himself_was_not_ended(monkeypatch, dialect, left, holds, ended, late):
    monkeypatch.setattr(kill_sessions, "Database", lambda *_: Server(dialect, left))
    fault = KilledSessions(
        event("database.kill_sessions", "db", parameters={"count": 2}), context(Engine(Time(), "db")), "db"
    )
    fault.inject()
    found = fault.verify()
    assert (found.holds, found.facts["ended"]) == (holds, ended)
    assert late is None or found.facts["ended_by_themselves"] == late
    assert holds or "ended by themselves" in found.reason
