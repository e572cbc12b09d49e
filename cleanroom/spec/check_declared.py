"""What a spec declares: the names that its expectations may refer to."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.check_scenario import step_nodes
from cleanroom.spec.declared import Declared
from cleanroom.spec.reference import items_at, locate, text_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cleanroom.spec.document import Node
    from cleanroom.spec.fault import Fault
    from cleanroom.spec.scenario import Scenario


def declared_in(scenario: Scenario | None, node: Node, services: tuple[str, ...]) -> Declared:
    """Return what the scenario that `node` wrote declares; `scenario` is None where it is broken."""
    steps = tuple(step_nodes(node))
    read = {fault.id: fault for fault in scenario.chaos} if scenario is not None else {}
    ids = [text_at(fault, "id") for fault in items_at(node, "chaos")]
    faults: dict[str, Fault | None] = {name: read.get(name) for name in ids if name}
    workloads = [(step, written) for step in steps if (written := locate(step, "workload")) is not None]
    return Declared(
        services=services,
        faults=MappingProxyType(faults),
        steps=_named(text_at(step, "name") for step in steps),
        # A journal without a name of its own is called like its step.
        journals=_named(text_at(written, "journal") or text_at(step, "name") for step, written in workloads),
        snapshots=_named(text_at(step, "snapshot", "id") for step in steps),
    )


def declared_by_all(scenarios: tuple[Declared, ...], services: tuple[str, ...]) -> Declared:
    """Return what all scenarios of a suite declare together; the first readable fault of an id stands for its name."""
    faults: dict[str, Fault | None] = {}
    for part in scenarios:
        for name, fault in part.faults.items():
            faults[name] = faults.get(name) or fault
    return Declared(
        services=services,
        faults=MappingProxyType(faults),
        steps=_named(name for part in scenarios for name in part.steps),
        journals=_named(name for part in scenarios for name in part.journals),
        snapshots=_named(name for part in scenarios for name in part.snapshots),
    )


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
