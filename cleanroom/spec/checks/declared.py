"""What a spec declares: the names that its expectations may refer to."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.checks.scenario import step_nodes
from cleanroom.spec.declared import Declared
from cleanroom.spec.document import Table
from cleanroom.spec.reference import items_at, locate, text_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    # A journal without a name of its own is called like its step.
    journals = [(text_at(written, "journal") or text_at(step, "name"), written) for step, written in workloads]
    return Declared(
        services=services,
        faults=MappingProxyType(faults),
        steps=_named(text_at(step, "name") for step in steps),
        journals=_named(name for name, _ in journals),
        groups=_groups((name, ("worker", *_keys(locate(written, "vars")))) for name, written in journals),
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
        groups=_groups(found for part in scenarios for found in part.groups.items()),
        snapshots=_named(name for part in scenarios for name in part.snapshots),
    )


def _groups(found: Iterable[tuple[str, tuple[str, ...]]]) -> Mapping[str, tuple[str, ...]]:
    """Return the groups by journal; one that several workloads write has those of all."""
    groups: dict[str, tuple[str, ...]] = {}
    for journal, names in found:
        groups[journal] = _named((*groups.get(journal, ()), *names))
    return MappingProxyType(groups)


def _keys(node: Node | None) -> tuple[str, ...]:
    return tuple(entry.key for entry in node.entries) if isinstance(node, Table) else ()


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
