"""`cache.flush`: all keys vanish."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.cache.client import Cache


class Flushed:
    """One cache; counted and flushed in one transaction, so that no key of a client's comes between."""

    def __init__(self, context: FaultContext, target: str) -> None:
        self.target = target
        self._cache = Cache(context, target)
        self._before = self._after = 0

    def inject(self) -> None:
        """Flush every database of the server."""
        for number in range(int(self._cache.setting("databases"))):
            replies = self._cache.ask(("SELECT", str(number)), ("MULTI",), ("DBSIZE",), ("FLUSHDB",), ("DBSIZE",),
                                      ("EXEC",))  # fmt: skip
            before, _, after = replies[-1] if isinstance(replies[-1], list) else (0, "", 0)
            self._before += int(str(before))
            self._after += int(str(after))

    def verify(self) -> Evidence:
        """Hold when there were keys, and none right after."""
        facts: dict[str, Json] = {"keys_before": self._before, "keys_after": self._after}
        reason = "" if self._before else "there was no key to vanish"
        return Evidence(holds=bool(self._before) and not self._after, facts=facts, reason=reason)

    def revert(self) -> None:
        """Nothing: what is gone is gone."""

    def verify_reversal(self) -> Evidence:
        """Hold always."""
        return Evidence(holds=True)
