"""Where a shape is reading, and what it says about a value that does not fit there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cleanroom.spec.document import Node, Scalar, kind
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import ProblemLog, one_of
from cleanroom.spec.source import Position
from cleanroom.spec.templates.runtime_text import RuntimeText

_NOWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_HOME = MappingProxyType({
    "captured": "a step, after the step that captures it",
    "worker": "the mix of a workload",
    "operation": "the mix of a workload",
    "example": "a scenario with property",
    "replica": "a service with replicas",
    "peers": "a service with replicas",
    "iteration": "the name of a journal",
})  # fmt: skip
"""Where each run-time name is known (spec.md section 1)."""
_CARRIED_OUT = frozenset({"captured", "example", "worker", "operation", "iteration"})
"""The names that `run` has values for."""


class RefusedError(Exception):
    """A value does not fit its place; it has been reported."""


@dataclass(frozen=True, slots=True)
class Place:
    """The path of keys for messages, the log that takes problems, and the run-time names that templates may use."""

    log: ProblemLog
    path: str = ""
    belongs: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOWHERE)
    """For every key of the language, the places that know it."""
    names: frozenset[str] = frozenset()

    def key(self, name: str) -> Place:
        """Return the place of a key inside this one."""
        return Place(self.log, f"{self.path}.{name}" if self.path else name, self.belongs, self.names)

    def item(self, index: int) -> Place:
        """Return the place of an item inside this one."""
        return Place(self.log, f"{self.path}[{index}]", self.belongs, self.names)

    def knowing(self, names: frozenset[str]) -> Place:
        """Return this place with more run-time names known in it."""
        return self if names <= self.names else replace(self, names=self.names | names)

    def wrong(self, node: Node, expected: str, *, code: str = "wrong-type", suggestion: str = "") -> RefusedError:
        """Report that `node` is not what was expected here; returns the exception to raise."""
        if isinstance(node, Scalar) and node.broken:
            return RefusedError()
        message = f"{self.path or 'the file'} takes {expected}"
        self.log.report(code, node.at, message, expected=expected, got=kind(node), suggestion=suggestion)
        return RefusedError()

    def later(self, at: Position, what: str) -> None:
        """Note that the spec uses `what`, which is part of the language and which `run` does not carry out yet."""
        where = f" in {self.path}" if self.path else ""
        self.log.defer(at, f"{what}{where} is part of the language, and run cannot carry it out in this version")

    def accept_runtime(self, node: Scalar, text: RuntimeText) -> None:
        """Let a run-time template stand here, or report the names that are not known here. Raises RefusedError."""
        unknown = sorted(text.names - self.names)
        for name in unknown:
            message = f"the name {name} is not known in {self.path}"
            self.log.report("out-of-place-name", node.at, message, expected=f"{shown(name)} only in {_HOME[name]}")
        if unknown:
            raise RefusedError
        if later := sorted(text.names - _CARRIED_OUT):
            self.later(node.at, f"a template with {one_of(later)}")

    def too_late(self, node: Scalar, words: str) -> RefusedError:
        """Report a run-time template where the value must be known before anything runs; returns what to raise."""
        message = f"{self.path} must be known before the run, and this template is evaluated during it"
        self.log.report("known-too-late", node.at, message, expected=words, got=shown(node.value))
        return RefusedError()
