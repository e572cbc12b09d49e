"""Parameters of one fault that contradict each other, or that leave it nothing to do (spec.md section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration
from cleanroom.spec.document import Table
from cleanroom.spec.operand import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleanroom.spec.document import Node
    from cleanroom.spec.fault import Fault
    from cleanroom.spec.problem import ProblemLog

_CONNECTIONS = ("network.reset", "network.slow_close", "network.slice", "network.limit_data")
"""Faults of connections, which only TCP has."""


def check_parameters(fault: Fault, node: Node | None, log: ProblemLog) -> None:
    """Report each parameter of `fault`, which `node` wrote, that another one contradicts (`contradiction`)."""
    if not isinstance(node, Table):
        return
    for key, why in _contradictions(fault, node):
        log.report("contradiction", node.key_at(key), f"the fault {shown(fault.id)}: {why}")


def _contradictions(fault: Fault, node: Table) -> Iterator[tuple[str, str]]:
    """Yield the key that contradicts, and why."""
    parameters = fault.parameters
    delay, jitter = parameters.get("delay"), parameters.get("jitter")
    if isinstance(delay, Duration) and isinstance(jitter, Duration) and jitter > delay:
        yield "jitter", f"a delay of {delay} cannot vary by {jitter}: nothing arrives before it is sent"
    if fault.kind in _CONNECTIONS and fault.protocol == "udp":
        yield "protocol", f"{fault.kind} is about connections, and udp has none"
    if fault.kind == "network.partition" and "groups" in parameters and node.get("direction") is not None:
        yield "direction", "groups have no direction: write one_way: true when only the first one's packets are lost"
    yield from _kills(fault)
    yield from _bursts(parameters)


def _kills(fault: Fault) -> Iterator[tuple[str, str]]:
    """Yield `times` of a crash loop whose window is over before the last kill."""
    every, times = fault.parameters.get("every"), fault.parameters.get("times")
    if fault.kind != "container.crash_loop" or fault.duration is None:
        return
    if isinstance(every, Duration) and isinstance(times, int) and every.ns * (times - 1) >= fault.duration.ns:
        yield "times", f"{times} kills, one each {every}, do not fit into {fault.duration}"


def _bursts(parameters: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield `gilbert` when neither of its states loses anything."""
    states = parameters.get("gilbert")
    if isinstance(states, Mapping) and not states["good"] and not states["bad"]:
        yield "gilbert", "nothing is lost in either state"
