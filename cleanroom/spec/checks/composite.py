"""Faults that are made of other faults: what they name must be there, and must be able to take part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration
from cleanroom.spec.document import Table
from cleanroom.spec.fault import MOST_TICKS, AtManual
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.reference import items_at, locate, require, require_unique
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.shapes.place import Place, RefusedError

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.fault import Fault
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.source import Position


def members_of(fault: Fault) -> tuple[str, ...]:
    """Return what a composite fault names as its parts: ids, and where it may name them, kinds and services."""
    parameters = fault.parameters
    match fault.kind:
        case "composite.concurrent":
            named = parameters.get("faults")
            return tuple(map(str, named)) if isinstance(named, tuple) else ()
        case "composite.monkey":
            weights = parameters.get("weights")
            return tuple(weights) if isinstance(weights, Mapping) else ()
        case "composite.cascade":
            return (str(parameters.get("root", "")),)
        case "composite.sweep":
            return (str(parameters.get("fault", "")),)
        case _:
            return ()


def check_composites(
    scenario: Scenario,
    written: Mapping[Position, Node],
    ids: tuple[str, ...],
    services: tuple[str, ...],
    log: ProblemLog,
) -> None:
    """Report composite faults that name what is not there, cannot take part, or contains them."""
    by_id: dict[str, Fault | None] = dict.fromkeys(ids)
    by_id |= {fault.id: fault for fault in scenario.chaos}
    sweeps = [fault for fault in scenario.chaos if fault.kind == "composite.sweep"]
    for fault in scenario.chaos:
        if fault.kind.startswith("composite."):
            node = written.get(fault.at) or Table(entries=(), at=fault.at, size=1)
            _Composite(fault, node, by_id, services, log).check()
            _check_ticks(fault, node, scenario, log)
    for second in sweeps[1:]:
        message = f"the scenario {shown(scenario.name)} sweeps twice: it runs once for each value of one parameter"
        log.report("contradiction", second.at, message, got=f"the other is at {sweeps[0].at}")
    _check_cycles(scenario.chaos, written, log)


def _check_ticks(fault: Fault, node: Node, scenario: Scenario, log: ProblemLog) -> None:
    """Report a monkey whose ticks are too many for a plan."""
    every = fault.parameters.get("every")
    if fault.kind != "composite.monkey" or not isinstance(every, Duration):
        return
    length = fault.duration or scenario.timeout
    if length.ns > every.ns * MOST_TICKS:
        message = f"the fault {shown(fault.id)} has too many ticks in {length}"
        at = locate(node, "every")
        expected, suggestion = f"at most {MOST_TICKS} ticks", "write a longer every, or a shorter for"
        log.report("impossible", at.at if at else fault.at, message, expected=expected, suggestion=suggestion)


def _check_cycles(faults: tuple[Fault, ...], written: Mapping[Position, Node], log: ProblemLog) -> None:
    by_id = {fault.id: fault for fault in faults}
    graph = {f.id: [m for m in members_of(f) if m in by_id] for f in faults if f.kind.startswith("composite.")}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as err:
            # graphlib names each part before what contains it.
            cycle = list(reversed(err.args[1]))
            start = min(range(len(cycle) - 1), key=lambda place: by_id[cycle[place]].at)
            ordered = [*cycle[start:-1], *cycle[: start + 1]]
            first = by_id[ordered[0]]
            node = locate(written.get(first.at), "fault")
            message = f"the faults are made of each other: {' -> '.join(ordered)}"
            log.report("dependency-cycle", node.at if node else first.at, message, expected="faults that end somewhere")
            for name in cycle:
                graph.pop(name, None)
        else:
            return


@dataclass(frozen=True, slots=True)
class _Composite:
    """The checks of one composite fault."""

    fault: Fault
    node: Node
    by_id: Mapping[str, Fault | None]
    services: tuple[str, ...]
    log: ProblemLog

    def check(self) -> None:
        """Report what is wrong with its parts."""
        match self.fault.kind:
            case "composite.concurrent":
                nodes = items_at(self.node, "faults")
                require_unique([(str(getattr(node, "value", "")), node.at) for node in nodes], "member", self.log)
                for node in nodes:
                    name = str(getattr(node, "value", ""))
                    if require(name, node.at, tuple(self.by_id), "fault", self.log):
                        self._check_manual(name, node.at)
            case "composite.monkey":
                self._check_monkey()
            case "composite.cascade":
                self._check_cascade()
            case _:
                self._check_sweep()

    def _check_manual(self, name: str, at: Position) -> None:
        fault = self.by_id[name]
        if fault is not None and not isinstance(fault.moment, AtManual):
            message = f"the fault {shown(name)} begins by itself: {self.fault.kind} begins only faults with at: manual"
            self.log.report("not-manual", at, message, suggestion=f"write at: manual at {fault.at}")

    def _check_part(self, name: str, at: Position, *, without: str = "") -> bool:
        """Report a part that is neither an id nor a kind that can stand for itself; return whether it is a kind."""
        if name in self.by_id:
            self._check_manual(name, at)
            return False
        kind = FAULTS.get(name)
        if kind is None:
            known = (*self.by_id, *FAULTS)
            close = nearest(name, known)
            message = f"there is neither a fault with the id {shown(name)} nor such a kind"
            expected = f"an id ({one_of(self.by_id)}) or family.fault"
            suggestion = f"did you mean {close}?" if close else ""
            self.log.report("unknown-fault", at, message, expected=expected, suggestion=suggestion)
            return False
        needed = [key for key in kind.required if key != without]
        if kind.exactly_one and without not in kind.exactly_one:
            needed.append(one_of(kind.exactly_one))
        if kind.at_least_one and without not in kind.at_least_one:
            needed.append(one_of(kind.at_least_one))
        if needed or name.startswith("composite."):
            what = f"its {', '.join(needed)}" if needed else "its parameters"
            message = f"{self.fault.kind} cannot use {name} without {what}"
            suggestion = "declare it as a fault of its own with at: manual, and write its id here"
            self.log.report("missing-key", at, message, suggestion=suggestion)
        return True

    def _check_target(self, kinds: list[str]) -> None:
        """Report a target that is needed and missing, or written and of no use."""
        has_target = self.fault.target is not None
        if kinds and not has_target:
            message = f'the fault {shown(self.fault.id)} needs the key "target": whom {one_of(kinds)} strikes'
            self.log.report("missing-key", self.node.at, message, expected="a key target")
        if not kinds and has_target and isinstance(self.node, Table):
            message = f"the target of {shown(self.fault.id)} is of no use: its faults have their own"
            self.log.report("contradiction", self.node.key_at("target"), message, suggestion="take the key out")

    def _check_monkey(self) -> None:
        weights = locate(self.node, "weights")
        entries = weights.entries if isinstance(weights, Table) else ()
        kinds = [entry.key for entry in entries if self._check_part(entry.key, entry.at)]
        if all(entry.key in self.by_id or entry.key in FAULTS for entry in entries):
            self._check_target(kinds)

    def _check_cascade(self) -> None:
        root = str(self.fault.parameters.get("root", ""))
        node = locate(self.node, "root")
        at = node.at if node else self.fault.at
        if root in self.by_id:
            self._check_manual(root, at)
        elif root not in self.services:
            known = (*self.by_id, *self.services)
            close = nearest(root, known)
            message = f"{shown(root)} is neither a fault of this scenario nor a service"
            suggestion = f"did you mean {close}?" if close else ""
            self.log.report("unknown-fault", at, message, expected=one_of(known), suggestion=suggestion)
        named = [(str(getattr(child, "value", "")), child.at) for child in items_at(self.node, "dependents")]
        require_unique(named, "dependent", self.log)
        for name, place in named:
            if name == root and name in self.services:
                message = f"{shown(name)} is the root of the cascade: it does not depend on itself"
                self.log.report("contradiction", place, message)
            else:
                require(name, place, self.services, "service", self.log)

    def _check_sweep(self) -> None:
        parameters = self.fault.parameters
        name, parameter = str(parameters.get("fault", "")), str(parameters.get("parameter", ""))
        written = locate(self.node, "parameters")
        named = locate(written, "fault")
        part = self.by_id.get(name)
        is_kind = name in FAULTS and name not in self.by_id
        kind = name if is_kind else part.kind if part is not None else ""
        at = locate(written, "parameter")
        known = FAULTS.get(kind)
        parameters_of = tuple(known.parameters) if known else ()
        if known and not require(parameter, at.at if at else self.fault.at, parameters_of, "parameter", self.log):
            return
        self._check_part(name, named.at if named else self.fault.at, without=parameter)
        if is_kind or name in self.by_id:
            self._check_target([name] if is_kind else [])
        if known is None:
            return
        rivals = next((group for group in (known.exactly_one, *known.at_most_one) if parameter in group), ())
        given = [key for key in rivals if part is not None and key != parameter and key in part.parameters]
        if given and part is not None:
            message = f"{parameter} cannot vary: the fault {shown(name)} has {given[0]}"
            self.log.report("one-of", at.at if at else self.fault.at, message, expected=f"one of {one_of(rivals)}")
        place = Place(self.log, f"{kind}.{parameter}")
        for node in items_at(written, "values"):
            try:
                known.parameters[parameter].shape(node, place)
            except RefusedError:
                continue
