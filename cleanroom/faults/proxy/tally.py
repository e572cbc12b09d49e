"""What the proxy has done: the figures that a report shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cleanroom.canonical import Json

SHOWN = 64
"""How many decisions are kept, and shown in a report."""


@dataclass(slots=True)
class Tally:
    """Counts of one proxy, of real traffic only."""

    connections: int = 0
    matched: int = 0
    """Requests that match the route, or connections."""
    struck: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    """Connections that the fault cannot strike, by what they speak."""
    unreached: int = 0
    """Connections whose destination did not take them."""
    egress: int = 0
    """Bytes that the target sent."""
    ingress: int = 0
    decisions: str = ""
    """For each matched request, in order of arrival, 1 when it was to be struck."""
    defects: list[str] = field(default_factory=list)
    """What went wrong in the proxy itself."""
    least: int | None = None
    most: int | None = None
    """Of what was measured of each strike: nanoseconds or bytes."""

    def measured(self, value: int) -> None:
        """Take in the measure of one strike."""
        self.least = value if self.least is None else min(self.least, value)
        self.most = value if self.most is None else max(self.most, value)

    def figures(self) -> dict[str, Json]:
        """Return the figures as plain values."""
        found: dict[str, Json] = {
            "connections": self.connections, "matched": self.matched, "struck": self.struck,
            "bytes_egress": self.egress, "bytes_ingress": self.ingress,
        }  # fmt: skip
        found.update({f"passed_{what}": count for what, count in sorted(self.passed.items())})
        if self.unreached:
            found["unreached"] = self.unreached
        if self.defects:
            found.update(defects=len(self.defects), defect=self.defects[0][:500])
        if self.decisions:
            found["decisions"] = self.decisions
        if self.least is not None:
            found.update(least=self.least, most=self.most)
        return found
