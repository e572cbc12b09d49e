"""`database.kill_sessions(count | percent, match)`: the server ends sessions of its clients, drawn from the seed."""

from __future__ import annotations

import math
import re

from cleanroom.canonical import Json
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.database.session import Database
from cleanroom.plan.model import FaultEvent
from cleanroom.plan.stream import Stream


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
        self._chosen: list[int] = []

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
        # The order of ids is the order in which clients came, which is all that iterations have in common.
        self._chosen = list(self._stream.sample(sorted(self._found), wanted))
        for number in self._chosen:
            if self._database.dialect == "mysql":
                self._database.ask(f"kill connection {number}")
            else:
                self._database.ask("select pg_terminate_backend($1)", number)

    def verify(self) -> Evidence:
        """Hold when the server knows none of them any more."""
        facts: dict[str, Json] = {"sessions": len(self._found), "ended": len(self._chosen)}
        gone = bool(self._chosen) and self._database.gone(*self._chosen)
        return Evidence(holds=gone, facts=facts, reason="" if gone else "sessions outlived their end")

    def revert(self) -> None:
        """Nothing: an ended session is over."""

    def verify_reversal(self) -> Evidence:
        """Hold always."""
        return Evidence(holds=True)
