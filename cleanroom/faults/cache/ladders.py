"""The rungs of the family cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cleanroom.faults import needs
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.cache.flush import Flushed
from cleanroom.faults.cache.maxmemory import LessMemory
from cleanroom.faults.cache.slow import open_slow
from cleanroom.faults.each import OnOne, open_each
from cleanroom.faults.network.ladders import LADDERS as NETWORK
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.plan.model import FaultEvent

_LATENCY = next(ladder for ladder in NETWORK if ladder.kind == "network.latency")


def _ladder(kind: str, make: Callable[[FaultEvent, FaultContext, str], OnOne], mechanism: str, proof: str) -> Ladder:
    def open_it(event: FaultEvent, context: FaultContext) -> ActiveFault:
        return open_each(event, context, "redis", make)

    return Ladder(
        kind=kind, rungs=(Rung(name="redis", mechanism=mechanism, needs=(needs.REDIS,), proof=proof),), open=open_it
    )


LADDERS: tuple[Ladder, ...] = (
    _ladder(
        "cache.flush", lambda _event, context, target: Flushed(context, target), "FLUSHDB of every database",
        "keys before and after, in the same transaction",
    ),
    _ladder(
        "cache.maxmemory", LessMemory, "CONFIG SET maxmemory",
        "read back, and a write of ours that is refused, or keys that are evicted",
    ),
    replace(_LATENCY, kind="cache.slow", open=open_slow),
)  # fmt: skip
