"""What a proxy is told to do: one fault, as plain values that go to its process as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from cleanroom.canonical import Json

Direction = Literal["egress", "ingress", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One fault on one container; times in nanoseconds, sizes in bytes."""

    kind: str
    parameters: Mapping[str, Json]
    trial: Mapping[str, Json]
    """The same for connections of ours that prove it: short enough to be waited for."""
    stream: str
    """Hex: what each decision is drawn from, by index."""
    direction: Direction = "egress"

    @property
    def of_http(self) -> bool:
        """Whether it strikes requests, not streams."""
        return self.kind.startswith("http.")

    def written(self) -> dict[str, Json]:
        """Return it as JSON's own values."""
        found: dict[str, Json] = asdict(self)
        return found
