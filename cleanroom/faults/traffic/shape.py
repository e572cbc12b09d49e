"""What is to be done to which packets of one container: pure values, shared by every mechanism."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration

Distribution: TypeAlias = Literal["uniform", "normal", "pareto"]
Direction: TypeAlias = Literal["egress", "ingress", "both"]
Way: TypeAlias = Literal["egress", "ingress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which packets, as seen by the container; empty fields match everything."""

    direction: Direction
    protocol: Literal["tcp", "udp", "any"] = "any"
    ports: tuple[int, ...] = ()
    """On either side of the packet: the service's own port, or the one it talks to."""
    peers: tuple[str, ...] = ()
    """Addresses of the other side."""

    @property
    def ways(self) -> tuple[Way, ...]:
        """The directions, one by one."""
        return ("egress", "ingress") if self.direction == "both" else (self.direction,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long each packet is held; `correlation` in percent of the previous draw."""

    delay: Duration
    jitter: Duration = Duration(0)
    distribution: Distribution = "uniform"
    correlation: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Packets that vanish: this percentage of them."""

    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Packets that vanish: every nth, exactly."""

    nth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gilbert:
    """Packets that vanish in bursts; all in percent: the chances to change state, and the loss in each."""

    p: float
    r: float
    good: float = 0.0
    bad: float = 100.0

    @property
    def percent(self) -> float:
        """The share of packets that is lost in the long run."""
        share = self.p / (self.p + self.r)
        return share * self.bad + (1 - share) * self.good


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt:
    """Packets of which one bit behind the IP header is changed, their checksum left as it was."""

    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Packets that arrive twice."""

    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorder:
    """All packets are held for `delay`, but those that overtake: of each that comes after `gap` - 1 held ones."""

    percent: float
    gap: int
    delay: Duration

    @property
    def share(self) -> float:
        """The share of packets that overtake in the long run, from 0 to 1."""
        return 1 / (self.gap - 1 + 100 / self.percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """No more than `bits` a second, on the wire; `burst` bytes at once after a pause."""

    bits: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap:
    """Nothing passes for `down`, everything for `up`, and so on, beginning with `down`."""

    up: Duration
    down: Duration


Effect: TypeAlias = Delay | Loss | Every | Gilbert | Corrupt | Duplicate | Reorder | Bandwidth | Flap


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One effect on one container; `stream` (hex) seeds every draw by packet index."""

    match: Match
    effect: Effect
    stream: str

    @property
    def seed(self) -> int:
        """64 bits of the stream, for mechanisms that take a number."""
        return int(self.stream[:16], 16)
