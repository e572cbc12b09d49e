"""The rungs of the family broker."""

from __future__ import annotations

from collections.abc import Callable

from cleanroom.faults import needs
from cleanroom.faults.base import ActiveFault, FaultContext
from cleanroom.faults.broker.delete_queue import DeletedQueue
from cleanroom.faults.broker.memory_alarm import MemoryAlarm
from cleanroom.faults.each import OnOne, open_each
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.plan.model import FaultEvent


def _ladder(kind: str, make: Callable[[FaultEvent, FaultContext, str], OnOne], mechanism: str, proof: str) -> Ladder:
    def open_it(event: FaultEvent, context: FaultContext) -> ActiveFault:
        return open_each(event, context, "exec", make)

    return Ladder(
        kind=kind, rungs=(Rung(name="exec", mechanism=mechanism, needs=(needs.RABBIT,), proof=proof),), open=open_it
    )


LADDERS: tuple[Ladder, ...] = (
    _ladder(
        "broker.memory_alarm", lambda _event, context, target: MemoryAlarm(context, target),
        "rabbitmqctl set_vm_memory_high_watermark", "the node's status names the alarm",
    ),
    _ladder(
        "broker.delete_queue", DeletedQueue, "rabbitmqctl delete_queue", "the node lists the queue before, not after",
    ),
)  # fmt: skip
