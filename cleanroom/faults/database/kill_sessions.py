"""`database.kill_sessions(count | percent, match)`: the server ends sessions of its clients, drawn from the seed."""

from __future__ import annotations

import math
import re
from typing import Final

from cleanroom.canonical import Json
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.database.session import Database, SqlRefusedError
from cleanroom.plan.model import FaultEvent
from cleanroom.plan.stream import Stream

# MySQL and MariaDB: there is no such session.
_UNKNOWN: Final = "sql:1094"


class KilledSessions:
    """The sessions of one server."""

    def __init__(self, event: FaultEvent, context: FaultContext, target: str) -> None:
        self.target = target
        self._database = Database(context, target)
        self._count = event.parameters.get("count")
        self._percent = event.parameters.get("percent")
        self._match = re.compile(str(event.parameters.get("match", "")))
        self._stream = Stream(event.stream).part(target)
        self._found: list[int] = []
        self._wanted = 0
        self._ended: list[int] = []
        self._late = 0
        """How many of those that were drawn had ended by themselves by then."""

    def inject(self) -> None:
        """End the drawn ones of those that match; raises `EngineError` where there are fewer than asked for."""
        known = self._database.sessions()
        self._found = [number for number, query in known.items() if self._match.search(query)]
        if self._count is not None:
            wanted = int(str(self._count))
        else:
            wanted = math.ceil(len(self._found) * float(str(self._percent)) / 100)
        if not self._found or wanted > len(self._found):
            wanted_text = f"{wanted} of them" if self._count is not None else "a share of them"
            raise EngineError(f"{self.target} has {len(self._found)} such sessions, and {wanted_text} are to be ended")
        self._wanted = wanted
        # The order of ids is the order in which clients came, which is all that iterations have in common.
        for number in self._stream.sample(sorted(self._found), len(self._found)):
            if len(self._ended) == wanted:
                break
            if self._end(number):
                self._ended.append(number)
            else:
                self._late += 1

    def _end(self, number: int) -> bool:
        """Return whether there was such a session to end: clients come and go meanwhile."""
        if self._database.dialect == "postgresql":
            return self._database.one("select pg_terminate_backend($1)", number) is True
        try:
            self._database.ask(f"kill connection {number}")
        except SqlRefusedError as err:
            if err.error_type == _UNKNOWN:
                return False
            raise
        return True

    def verify(self) -> Evidence:
        """Hold when the server ended as many as asked for, and knows none of them any more."""
        facts: dict[str, Json] = {
            "sessions": len(self._found), "ended": len(self._ended), "ended_by_themselves": self._late
        }  # fmt: skip
        reason = ""
        if not self._ended or len(self._ended) < self._wanted:
            reason = f"{len(self._ended)} of {self._wanted} sessions were ended: the others ended by themselves"
        elif not self._database.gone(*self._ended):
            reason = "sessions outlived their end"
        return Evidence(holds=not reason, facts=facts, reason=reason)

    def revert(self) -> None:
        """Nothing: an ended session is over."""

    def verify_reversal(self) -> Evidence:
        """Hold always."""
        return Evidence(holds=True)
