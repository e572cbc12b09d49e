"""Run-time names that steps use: what is captured, drawn or given before they use it (spec.md sections 1 and 4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cleanroom.spec.document import Items, Scalar
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.reference import items_at, locate
from cleanroom.spec.templates.runtime_text import RuntimeText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleanroom.spec.document import Node, Table
    from cleanroom.spec.problem import ProblemLog

_OPERATION = frozenset({"number"})
"""What `operation` has besides the generated values: its number, from 1."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The keys that run-time mappings have where a template stands."""

    captured: frozenset[str]
    operation: frozenset[str] | None
    """None outside a workload: the name itself is out of place there, and has been reported."""
    example: frozenset[str] | None
    """None without a property."""

    def of(self, name: str) -> frozenset[str] | None:
        """Return the keys of a name, None for one that is no mapping or not known here."""
        drawn = None if self.operation is None else self.operation | _OPERATION
        return {"captured": self.captured, "operation": drawn, "example": self.example}.get(name)


def check_references(scenario: Node, log: ProblemLog) -> None:
    """Report templates of a scenario that use what no earlier step captures, no generator draws or nothing gives."""
    given = locate(scenario, "property")
    drawn = locate(given, "given")  # a property without it has been refused, and its values are unknown
    example = None if drawn is None else _keys(drawn)
    captured: set[str] = set()
    for step in items_at(scenario, "steps"):
        _check_step(step, _Known(frozenset(captured), None, example), log)
        captured |= _captures(step)
    after = _Known(frozenset(captured), None, example)
    for key in ("chaos", "expect", "steady_state", "property"):
        _check_value(locate(scenario, key), after, log)


def _check_step(step: Node, known: _Known, log: ProblemLog) -> None:
    """Check one step; its own `expect` may use what it captures itself."""
    own = _captures(step)
    for key, value in _entries(step):
        inside = known
        if key == "expect":
            inside = _Known(known.captured | own, known.operation, known.example)
        if key == "parallel":
            for inner in items_at(value):
                _check_step(inner, known, log)
            continue
        if key == "workload":
            drawn = _Known(known.captured, _keys(locate(value, "vars")), known.example)
            for item in items_at(value, "mix"):
                _check_step(locate(item, "step") or item, drawn, log)
            continue
        _check_value(value, inside, log)


def _captures(step: Node) -> frozenset[str]:
    """Return what a step captures for those after it, that inside `parallel` included."""
    own = _keys(locate(step, "capture"))
    return own.union(*(_captures(inner) for inner in items_at(step, "parallel")))


def _keys(node: Node | None) -> frozenset[str]:
    return frozenset(key for key, _ in _entries(node))


def _entries(node: Node | None) -> Iterator[tuple[str, Node]]:
    for entry in getattr(node, "entries", ()):
        yield entry.key, entry.value


def _check_value(node: Node | None, known: _Known, log: ProblemLog) -> None:
    pending = [node] if node is not None else []
    while pending:
        found = pending.pop()
        if isinstance(found, Items):
            pending += found.items
        elif not isinstance(found, Scalar):
            table: Table = found
            pending += [entry.value for entry in table.entries]
        elif isinstance(found.value, RuntimeText):
            _check_text(found, found.value, known, log)


def _check_text(node: Scalar, text: RuntimeText, known: _Known, log: ProblemLog) -> None:
    for part in text.parts:
        if isinstance(part, str):
            continue
        for name, key in sorted(_accesses(part.source)):
            keys = known.of(name)
            if keys is None or key in keys:
                continue
            close = nearest(key, keys)
            what = {"captured": "no step before this one captures", "operation": "the workload's vars do not draw"}
            message = f"{what.get(name, 'the property gives no')} {shown(key)}"
            wanted = {"captured": f"a step before it with capture: {{{key}: …}}", "example": f"given: {{{key}: …}}"}
            expected = f"{name}.{one_of(sorted(keys))}" if keys else wanted.get(name, f"vars: {{{key}: …}}")
            suggestion = f"did you mean {name}.{close}?" if close else ""
            log.report("unknown-name", node.at, message, expected=expected, suggestion=suggestion)


@lru_cache(maxsize=1024)
def _accesses(source: str) -> frozenset[tuple[str, str]]:
    """Return the (name, key) pairs of `name.key` and `name["key"]` in an expression, which has been parsed before."""
    from jinja2 import Environment, nodes  # noqa: PLC0415 -- only specs with run-time templates pay for the import

    tree = Environment(autoescape=True).parse("{{ (" + source + "\n) }}")
    found = set()
    for dotted in tree.find_all(nodes.Getattr):
        if isinstance(dotted.node, nodes.Name):
            found.add((dotted.node.name, dotted.attr))
    for item in tree.find_all(nodes.Getitem):
        key = item.arg.value if isinstance(item.arg, nodes.Const) else None
        if isinstance(item.node, nodes.Name) and isinstance(key, str):
            found.add((item.node.name, key))
    return frozenset(found)
