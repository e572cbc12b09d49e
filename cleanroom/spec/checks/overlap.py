"""Faults that contradict each other: two windows on one target that certainly overlap, over what only one can hold."""

from __future__ import annotations

from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from cleanroom.spec.fault import AtOffset, AtStep
from cleanroom.spec.operand import shown
from cleanroom.spec.reference import locate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.fault import Fault
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.source import Position

_EXCLUSIVE: Mapping[str, str] = MappingProxyType({
    **dict.fromkeys(("clock.skew", "clock.jump", "clock.rate", "clock.freeze"), "the clock"),
    **dict.fromkeys(("resource.memory_limit", "container.oom"), "the memory limit"),
    **dict.fromkeys(("resource.pids_limit", "process.fork_bomb"), "the limit of processes"),
    **dict.fromkeys(("container.stop", "container.pause"), "whether the container runs"),
    "resource.cpu_throttle": "the processor limit",
    "resource.fd_exhaustion": "the limit of open files",
    "resource.file_size": "the limit of file sizes",
    "cache.maxmemory": "the cache's memory limit",
})  # fmt: skip
"""Kinds of faults, and what each of them sets: of one target only one can at a time."""

Anchor: TypeAlias = tuple[str, str]
"""What a window is counted from: nothing (the scenario's first step), or a step."""


def check_overlaps(faults: tuple[Fault, ...], written: Mapping[Position, Node], log: ProblemLog) -> None:
    """Report pairs of faults that certainly set the same thing of the same service at the same time."""
    groups: dict[tuple[str, str, Anchor], list[Fault]] = {}
    for fault in faults:
        what, anchor = _EXCLUSIVE.get(fault.kind), _anchor(fault)
        certain = fault.probability == 1 and fault.repeat is None
        if what and anchor and certain and fault.target is not None and fault.target.service:
            groups.setdefault((what, fault.target.service, anchor), []).append(fault)
    for (what, service, _), among in groups.items():
        for first, second in combinations(among, 2):
            if _overlap(_window(first), _window(second)):
                node = locate(written.get(second.at), "fault")
                message = (
                    f"the faults {shown(first.id)} and {shown(second.id)} both set {what} of {service}, at one time"
                )
                log.report("contradiction", node.at if node else second.at, message, got=f"the other is at {first.at}")


def _anchor(fault: Fault) -> Anchor | None:
    moment = fault.moment
    if isinstance(moment, AtOffset):
        return ("", "")
    return (moment.moment, moment.step) if isinstance(moment, AtStep) else None


def _window(fault: Fault) -> tuple[int, float]:
    """Return begin and earliest end in ns from the anchor; a fault that lasts until a step is only certain to begin."""
    begin = fault.moment.offset.ns if isinstance(fault.moment, AtOffset | AtStep) else 0
    if fault.duration is not None:
        return begin, begin + fault.duration.ns
    return begin, begin + 1 if fault.until_step else float("inf")


def _overlap(first: tuple[int, float], second: tuple[int, float]) -> bool:
    return first[0] < second[1] and second[0] < first[1]
