"""Cross-references of an `expect`: what it says of faults, services, journals and snapshots that the spec declares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cleanroom.spec.checks.contradiction import check_contradictions
from cleanroom.spec.comparator import judge
from cleanroom.spec.document import Items, Scalar, Table
from cleanroom.spec.invariant import (
    AcknowledgedInvariant,
    DeltaInvariant,
    ErrorClassesInvariant,
    FairnessInvariant,
    SnapshotInvariant,
)
from cleanroom.spec.operand import shown
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.reference import items_at, locate, require, require_unique, text_at
from cleanroom.spec.runner_span import span_names, unselectable
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.templates.runtime_text import RuntimeText

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cleanroom.spec.declared import Declared
    from cleanroom.spec.document import Node
    from cleanroom.spec.expect import Expect
    from cleanroom.spec.fault import Fault
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.source import Position

_RUNNER_EXPRESSION = re.compile(r"\^cleanroom(\\?\.|\[\.\])")
"""How an expression begins that is meant for the runner's own spans, and could find nothing."""
_OF_FAULTS = ("recovery_time", "detection_time", "rto", "degradation")


def check_expect(expect: Expect, node: Node, declared: Declared, log: ProblemLog) -> None:
    """Report what `expect`, which `node` wrote, refers to in vain, and expectations that exclude each other."""
    references = _References(expect, node, declared, log)
    references.check()
    require_unique(_ids(node), "expectation", log)
    check_contradictions(expect, references.tables, log)


class _References:
    """What one `expect` refers to."""

    def __init__(self, expect: Expect, node: Node, declared: Declared, log: ProblemLog) -> None:
        self._expect = expect
        self._node = node
        self._declared = declared
        self._log = log
        self._faults = tuple(declared.faults)
        self.tables: Mapping[Position, Table] = {table.at: table for table in _tables(node)}
        """The mappings that expectations were read from, by position."""

    def check(self) -> None:
        """Report every reference that leads nowhere."""
        self._check_times()
        self._check_faults()
        self._check_services()
        self._check_data()
        names = self._runner_names()
        for pattern, at in self._patterns():
            if pattern.regex and _RUNNER_EXPRESSION.match(pattern.text):
                why = "an expression selects among those of services"
                message = f"{pattern} can select none of the runner's own spans: {why}"
                self._log.report("impossible", at, message, suggestion="write a glob that begins with cleanroom.")
            close = unselectable(pattern, names)
            if close is not None:
                message = f"{shown(pattern.text)} can select none of the runner's own spans"
                suggestion = f"did you mean {close}?" if close else "their names are in docs/spans.md"
                self._log.report("impossible", at, message, suggestion=suggestion)

    def _at(self, table: Position, *path: str | int) -> Position:
        found = locate(self.tables.get(table), *path)
        return found.at if found else table

    def _check_times(self) -> None:
        expect = self._expect
        for span in expect.spans:
            for key, fault in (("during", span.during), ("before", span.before), ("after", span.after)):
                self._check_window(key, fault, self._at(span.at, key))
        for timed in expect.selected:
            chosen = timed.spans
            for key, fault in (("during", chosen.during), ("before", chosen.before), ("after", chosen.after)):
                self._check_window(key, fault, self._at(timed.at, "spans", key))
        for figure in expect.resilience:
            self._check_window("during", figure.during, self._of_resilience(figure.figure, "during"))
            if figure.journal:
                at = self._of_resilience(figure.figure, "journal")
                require(figure.journal, at, self._declared.journals, "journal", self._log)
            if figure.figure.partition(".")[0] in _OF_FAULTS and not self._faults:
                message = f"{figure.figure} can never be measured: no fault is declared"
                self._log.report("impossible", figure.at, message, suggestion="declare one in chaos, or take it out")

    def _of_resilience(self, figure: str, key: str) -> Position:
        """Return where `journal` or `during` of a figure stands: with the figure, or for the whole block."""
        name = figure.partition(".")[0]
        found = locate(self._node, "resilience", name, key) or locate(self._node, "resilience", key)
        return found.at if found else self._node.at

    def _check_window(self, key: str, fault_id: str, at: Position) -> None:
        if not fault_id or not require(fault_id, at, self._faults, "fault", self._log):
            return
        fault = self._declared.faults[fault_id]
        reason = "" if fault is None else _no_window(fault, key)
        if fault is not None and reason:
            message = f"{key}: {fault_id} can select nothing: {reason}"
            self._log.report("impossible", at, message, suggestion=_instead(key, fault))

    def _check_faults(self) -> None:
        for expected in self._expect.faults:
            written = self.tables.get(expected.at)
            entry_at = expected.at
            block = locate(self._node, "faults")
            if isinstance(block, Table):
                entry_at = block.key_at(expected.fault)
            for key in ("affected", "unaffected"):
                self._require_services(items_at(written, "impact", key))
            if not require(expected.fault, entry_at, self._faults, "fault", self._log):
                continue
            fault = self._declared.faults[expected.fault]
            if fault is None:
                continue
            if expected.verified and not fault.verify:
                message = f"the fault {shown(fault.id)} is not verified (verify: false), so verified can never hold"
                self._log.report("contradiction", self._at(expected.at, "verified"), message)
            pinned = fault.backend != "auto" and expected.backend is not None
            if pinned and expected.backend is not None and not judge(expected.backend, fault.backend).holds:
                message = f"the fault {shown(fault.id)} has backend: {fault.backend}, which this excludes"
                self._log.report("contradiction", self._at(expected.at, "backend"), message)

    def _check_services(self) -> None:
        block = locate(self._node, "resources")
        for used in self._expect.resources:
            at = block.key_at(used.service) if isinstance(block, Table) else used.at
            require(used.service, at, self._declared.services, "service", self._log)
        for line in self._expect.logs:
            require(line.service, self._at(line.at, "service"), self._declared.services, "service", self._log)
        self._require_services(_services_asked(locate(self._node, "invariants")))

    def _require_services(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            if isinstance(node, Scalar) and isinstance(node.value, str) and not isinstance(node.value, RuntimeText):
                require(node.value, node.at, self._declared.services, "service", self._log)

    def _check_data(self) -> None:
        """Check the snapshots and journals of invariants."""
        for found in self._expect.invariants:
            check = found.check
            written = self.tables.get(found.at)
            kind = next((e.key for e in written.entries if isinstance(e.value, Table)), "") if written else ""
            if isinstance(check, (SnapshotInvariant, DeltaInvariant)):
                at = self._at(found.at, kind, "snapshot")
                require(check.snapshot, at, self._declared.snapshots, "snapshot", self._log)
            elif isinstance(check, (AcknowledgedInvariant, ErrorClassesInvariant, FairnessInvariant)):
                at = self._at(found.at, kind, "journal")
                known = require(check.journal, at, self._declared.journals, "journal", self._log)
                if known and isinstance(check, FairnessInvariant):
                    self._check_group(check, self._at(found.at, kind, "by"))

    def _check_group(self, check: FairnessInvariant, at: Position) -> None:
        groups = self._declared.groups.get(check.journal, ())
        if groups and check.by not in groups:
            close = nearest(check.by, groups)
            message = f"the operations of the journal {shown(check.journal)} have no {shown(check.by)} to group them by"
            suggestion = f"did you mean {close}?" if close else ""
            self._log.report("wrong-value", at, message, expected=one_of(groups), suggestion=suggestion)

    def _runner_names(self) -> frozenset[str]:
        # What a fault does may be told under the name of another kind (dependency.down kills), so any kind will do.
        kinds = tuple(FAULTS) if self._faults else ()
        return span_names(self._declared.steps, kinds)

    def _patterns(self) -> Iterator[tuple[Pattern, Position]]:
        """Yield every pattern that must name a span that exists, and where it stands."""
        expect = self._expect
        for span in expect.spans:
            for key, pattern in (("name", span.name), ("parent", span.parent), ("ancestor", span.ancestor)):
                if pattern is not None:
                    yield pattern, self._at(span.at, key)
        graph = expect.graph
        pairs = () if graph is None else (*graph.edges, *graph.no_edges, *graph.paths, *graph.no_paths)
        for pair in pairs:
            yield pair.parent, pair.at
            yield pair.child, pair.at
        for status in expect.status:
            if status.name is not None:
                yield status.name, self._by_name("status", status.name.text, status.at)
        for count in expect.counts:
            if count.what == "by_name":
                yield Pattern(count.key), self._by_name("counts", count.key, count.at)
        yield from self._timed_patterns()

    def _by_name(self, block: str, name: str, fallback: Position) -> Position:
        """Return where a name stands that is a key of `by_name`."""
        named = locate(self._node, block, "by_name")
        return named.key_at(name) if isinstance(named, Table) else fallback

    def _timed_patterns(self) -> Iterator[tuple[Pattern, Position]]:
        expect = self._expect
        for window in expect.windows:
            yield window.outer, self._at(window.at, "outer")
            for index, contained in enumerate(window.contains):
                yield contained, self._at(window.at, "contains", index)
        for order in expect.order:
            yield order.first, self._at(order.at, "first")
            yield order.then, self._at(order.at, "then")
        for overlap in expect.overlap:
            yield overlap.first, overlap.at
            yield overlap.second, overlap.at
        for timed in expect.selected:
            if timed.spans.name is not None:
                yield timed.spans.name, self._at(timed.at, "spans", "name")


def _no_window(fault: Fault, key: str) -> str:
    """Return why the window of a fault selects nothing, or the empty string."""
    if FAULTS[fault.kind].instant:
        return f"{fault.kind} happens at an instant and has no window" if key == "during" else ""
    endless = fault.kind == "container.kill" and fault.parameters.get("revive") == "none"
    if endless and fault.duration is None and not fault.until_step and key != "before":
        return "nothing ends a kill with revive: none, so it has no window"
    return ""


def _instead(key: str, fault: Fault) -> str:
    if FAULTS[fault.kind].instant:
        return "use before or after"
    return "use before or after, or give the fault an end" if key == "during" else "give the fault an end (for, until)"


def _tables(node: Node) -> Iterator[Table]:
    pending = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, Table):
            yield found
            pending += [entry.value for entry in found.entries]
        elif isinstance(found, Items):
            pending += found.items


def _services_asked(node: Node | None) -> tuple[Node, ...]:
    """Return the names of services in queries and probes; in `span` they are patterns."""
    found: list[Node] = []
    pending = [node] if node is not None else []
    while pending:
        part = pending.pop()
        if isinstance(part, Items):
            pending += part.items
        elif isinstance(part, Table):
            for entry in part.entries:
                if entry.key == "service":
                    found.append(entry.value)
                elif entry.key != "span":
                    pending.append(entry.value)
    return tuple(found)


def _ids(node: Node) -> Iterator[tuple[str, Position]]:
    """Yield every id of an expectation, and where it stands."""
    for table in _identified(node):
        written = locate(table, "id")
        if written is not None and text_at(table, "id"):
            yield text_at(table, "id"), written.at


def _identified(node: Node) -> Iterator[Node]:
    """Yield the mappings that may have an id: blocks, items of lists, pairs, and what is keyed by name."""
    for entry in node.entries if isinstance(node, Table) else ():
        block = entry.value
        if isinstance(block, Items):
            yield from block.items
        elif isinstance(block, Table) and entry.key in ("resources", "faults"):
            yield from (named.value for named in block.entries)
        elif isinstance(block, Table):
            yield block
            if entry.key == "graph":
                yield from (pair for pairs in block.entries for pair in items_at(pairs.value))
