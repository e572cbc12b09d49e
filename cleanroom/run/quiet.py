"""Spans and events that nobody is told of: what goes on under them is off the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.run.tracing import AttributeScalar, OpenSpan, Tracer


@dataclass(slots=True)
class QuietSpan:
    """A span that nobody sees, with a trace that `issue` gives for what is called under it."""

    issue: Callable[[], str]
    ended: bool = False
    trace_id: str = ""
    span_id: str = ""

    @property
    def traceparent(self) -> str:
        """A `traceparent` of its own for each call."""
        return self.issue()

    def set(self, attributes: Mapping[str, AttributeScalar]) -> None:
        """Forget them."""
        del attributes

    def event(self, name: str, attributes: Mapping[str, AttributeScalar]) -> None:
        """Forget it."""
        del name, attributes

    def error(self, message: str) -> None:
        """Forget it."""
        del message

    def end(self, at_ns: int | None = None) -> None:
        """End it."""
        del at_ns
        self.ended = True


@dataclass(frozen=True, slots=True)
class QuietTracer:
    """A tracer without spans of its own; traces are issued and measurements made by the real one."""

    real: Tracer
    issue: Callable[[], str]

    def start(
        self, name: str, attributes: Mapping[str, AttributeScalar], *, parent: Any, start_ns: int | None = None,  # noqa: ANN401 - as the protocol has it
    ) -> OpenSpan:  # fmt: skip
        """Return a span that nobody sees."""
        del name, attributes, parent, start_ns
        return QuietSpan(self.issue)

    def issue_trace(self) -> tuple[str, str]:
        """Issue one as the real tracer does."""
        return self.real.issue_trace()

    def measure(self, name: str, unit: str, value: float, attributes: Mapping[str, AttributeScalar]) -> None:
        """Measure it with the real tracer."""
        self.real.measure(name, unit, value, attributes)

    def flush(self) -> None:
        """Flush the real tracer."""
        self.real.flush()

    def close(self) -> None:
        """Leave it open: it belongs to the iteration."""


def unheard(_event: object) -> None:
    """Listen to an event and tell nobody."""
