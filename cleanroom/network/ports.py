"""What the rest of the program may ask of the isolated network; tests use a fake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cleanroom.network.name_fault import NameRule, NameStrike
from cleanroom.quantity import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One of the fixed places for an environment: its bridge, its subnet and the gateway (ours) in it."""

    index: int
    bridge: str
    """Interface name, `clr-…`, at most 15 bytes."""
    subnet: str
    """CIDR, e.g. `10.213.0.0/24`."""
    gateway: str

    def address(self, host: int) -> str:
        """Return the address with that host number, e.g. 10 → `10.213.0.10`."""
        return f"{self.gateway.rsplit('.', 1)[0]}.{host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Packets that the wall dropped; `port` is 0 where the protocol has none; `via` is `firewall` or `resolver`."""

    source: str
    destination: str
    protocol: str
    port: int
    count: int
    via: str = "firewall"
    name: str = ""
    """The name that was asked for, for a refused DNS question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One way out that the probe tried: the protocol, where to, what happened (`open` is a way out)."""

    protocol: str
    destination: str
    port: int
    open: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The probe container's result; `dropped` says the wall itself saw the attempts."""

    vectors: tuple[Vector, ...]
    dropped: int

    @property
    def ways_out(self) -> int:
        """How many vectors were open; the run may go on only with 0."""
        return sum(1 for v in self.vectors if v.open)


class ProbeRunner(Protocol):
    """Runs the probe where a service would run: in a container attached to the slot, routed through its gateway."""

    def run(self, script: str, slot: Slot) -> str:
        """Run the Python text `script` (standard library only) there and return its standard output.

        It needs CAP_NET_RAW, as Docker gives it by default. Raises NetworkError (or EngineError) when it does not end
        with 0.
        """


class Names(Protocol):
    """Faults of the slots' resolvers."""

    def strike_names(self, slot: int, rule: NameRule) -> NameStrike:
        """Let the slot's resolver answer by the rule from now on; of several the first one that strikes counts."""

    def calm_names(self, slot: int, strike: NameStrike) -> None:
        """Let it answer by that rule no more; safe to call twice."""

    def strikes(self, slot: int) -> tuple[NameStrike, ...]:
        """Return by which rules it answers."""


class Network(Names, Protocol):
    """The slots of one run behind their wall; every method raises `NetworkError`."""

    def slots(self) -> tuple[Slot, ...]:
        """Return the slots, which exist (bridge up, gateway address on it) behind the wall."""

    def open(self, slot: int, names: Mapping[str, str]) -> None:
        """Let the slot's resolver answer `names` (service name → address) and nothing else; forget earlier drops."""

    def resolv_conf(self, slot: int) -> str:
        """Return the path (on the engine's file system) of the slot's resolv.conf."""

    def forget(self, slot: int, address: str) -> None:
        """Find anew who has `address` on the slot: it was dead, and the kernel asks for such ones every second only."""

    def drops(self, slot: int) -> tuple[Drop, ...]:
        """Return what was dropped or refused on the slot since `open`, sorted."""

    def close(self, slot: int) -> tuple[Drop, ...]:
        """Return the drops and let the slot's resolver answer nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rtt:
    """Round trips measured from one network namespace to an address; times in nanoseconds."""

    samples: tuple[int, ...]
    lost: int
    timeout: Duration

    @property
    def median_ns(self) -> int:
        """The median of the samples; raises IndexError when there are none."""
        ordered = sorted(self.samples)
        return ordered[len(ordered) // 2]
