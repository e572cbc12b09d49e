"""What is to be done to which packets of one container: pure values, shared by every mechanism."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration

Distribution: TypeAlias = Literal["uniform", "normal", "pareto"]
Direction: TypeAlias = Literal["egress", "ingress", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which packets, as seen by the container; empty fields match everything."""

    direction: Direction
    protocol: Literal["tcp", "udp", "any"] = "any"
    ports: tuple[int, ...] = ()
    """On either side of the packet: the service's own port, or the one it talks to."""
    peers: tuple[str, ...] = ()
    """Addresses of the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long each packet is held; `correlation` in percent of the previous draw."""

    delay: Duration
    jitter: Duration = Duration(0)
    distribution: Distribution = "uniform"
    correlation: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One latency on one container; `stream` (hex) seeds every draw by packet index."""

    match: Match
    delay: Delay
    stream: str

    @property
    def seed(self) -> int:
        """64 bits of the stream, for mechanisms that take a number."""
        return int(self.stream[:16], 16)
