"""The one table of faults: which rungs each has, what each rung needs, and what proves the effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cleanroom.errors import CapabilityError
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.container import open_kill
from cleanroom.faults.network import open_latency
from cleanroom.plan.model import FaultEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One mechanism of a fault; `needs` names what a machine must have, for `doctor`."""

    name: str
    mechanism: str
    needs: tuple[str, ...]
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """A fault's rungs, the best first, and how it is opened."""

    kind: str
    rungs: tuple[Rung, ...]
    open: Callable[[FaultEvent, FaultContext], ActiveFault]


LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="container.kill",
        rungs=(
            Rung(name="api", mechanism="the engine's kill", needs=("engine",), proof="container ended by the signal"),
            Rung(
                name="pid",
                mechanism="a signal to the first process from our side, so that a restart policy acts",
                needs=("engine", "shared pid namespace"),
                proof="another process runs in its place",
            ),
        ),
        open=open_kill,
    ),
    Ladder(
        kind="network.latency",
        rungs=(
            Rung(
                name="netem",
                mechanism="tc qdisc netem with a seed on the target's interface",
                needs=("tc", "kernel sch_netem"),
                proof="round trip measured across the link",
            ),
            Rung(
                name="nfqueue",
                mechanism="iptables NFQUEUE in the target's namespace and our queue, delays by packet index",
                needs=("iptables", "kernel nfnetlink_queue"),
                proof="round trip measured across the link",
            ),
        ),
        open=open_latency,
    ),
)


def open_fault(event: FaultEvent, context: FaultContext) -> ActiveFault:
    """Return the fault of `event`, not yet injected; raises `CapabilityError` when no rung can do it."""
    for ladder in LADDERS:
        if ladder.kind == event.fault.kind:
            return ladder.open(event, context)
    raise CapabilityError(f"{event.fault.kind} is not available in this version")
