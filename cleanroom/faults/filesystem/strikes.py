"""Which operations below a covered directory are struck: decided by their index in the seeded stream, and counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cleanroom.faults.traffic.draw import uniforms

OPERATIONS = ("open", "read", "write", "fsync", "create", "rename", "unlink", "mkdir", "readdir", "stat", "truncate")
# Operations of ours draw from a stream of their own: what the service meets must not depend on how often we looked.
_OURS = "ours"


@dataclass
class Strikes:
    """The decisions for one covered directory; `percent` of the `operations`, until `healed`."""

    operations: frozenset[str]
    percent: float
    stream: str
    healed: bool = False
    ours: int = 0
    """The process whose operations are ours; 0 for none."""
    counts: dict[str, list[int]] = field(default_factory=dict)
    """Asked and struck, by operation, of the service's."""
    index: int = 0
    our_index: int = 0
    our_counts: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        self._our_stream = hashlib.sha256(f"{self.stream}/{_OURS}".encode()).hexdigest()

    def decide(self, operation: str, process: int) -> bool:
        """Return whether this operation is struck."""
        if self.healed or operation not in self.operations:
            return False
        if process and process == self.ours:
            struck = self._drawn(self._our_stream, self.our_index)
            self.our_index += 1
            self.our_counts[0] += 1
            self.our_counts[1] += int(struck)
            return struck
        struck = self._drawn(self.stream, self.index)
        self.index += 1
        count = self.counts.setdefault(operation, [0, 0])
        count[0] += 1
        count[1] += int(struck)
        return struck

    def _drawn(self, stream: str, index: int) -> bool:
        return uniforms(stream, index)[0] * 100 < self.percent

    def figures(self) -> dict[str, Any]:
        """Return how many operations of the service's there were and how many were struck, and the same of ours."""
        return {
            "operations": sum(asked for asked, _ in self.counts.values()),
            "struck": sum(struck for _, struck in self.counts.values()),
            "by_operation": {name: f"{struck} of {asked}" for name, (asked, struck) in sorted(self.counts.items())},
            "ours": f"{self.our_counts[1]} of {self.our_counts[0]}",
        }
