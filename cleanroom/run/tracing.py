"""The runner's own spans as a run sees them; `cleanroom.telemetry.selftrace` makes them real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

AttributeScalar: TypeAlias = bool | int | float | str | tuple[str, ...]


class OpenSpan(Protocol):
    """A span that has begun; safe to use from several threads."""

    @property
    def trace_id(self) -> str:
        """32 hex digits."""

    @property
    def span_id(self) -> str:
        """16 hex digits."""

    @property
    def traceparent(self) -> str:
        """The W3C header value under which callees hang their spans."""

    @property
    def ended(self) -> bool:
        """Whether it has ended."""

    def set(self, attributes: Mapping[str, AttributeScalar]) -> None:
        """Set attributes of the registry."""

    def event(self, name: str, attributes: Mapping[str, AttributeScalar]) -> None:
        """Add an event, now."""

    def error(self, message: str) -> None:
        """Set the status to error."""

    def end(self, at_ns: int | None = None) -> None:
        """End it now or at `at_ns`; ending twice is a mistake of the program."""


class Tracer(Protocol):
    """Makes the spans of one iteration, all in one trace."""

    def start(
        self,
        name: str,
        attributes: Mapping[str, AttributeScalar],
        *,
        parent: Any,  # noqa: ANN401 - a span of this very tracer, which a Protocol cannot say
        start_ns: int | None = None,
    ) -> OpenSpan:
        """Begin a span under `parent` (None: the root), now or at `start_ns`."""

    def issue_trace(self) -> tuple[str, str]:
        """Return (trace id, traceparent) for traffic whose amount depends on timing; never in the digest."""

    def measure(self, name: str, unit: str, value: float, attributes: Mapping[str, AttributeScalar]) -> None:
        """Keep one measurement of the runner's own until the flush."""

    def flush(self) -> None:
        """Return when every ended span and every measurement has been exported; raises `TelemetryError`."""

    def close(self) -> None:
        """Give the connection back."""


StartTrace: TypeAlias = Callable[[str, Mapping[str, AttributeScalar]], Tracer]
"""(environment to file under, attributes that every span carries) → tracer."""


@contextmanager
def span(
    tracer: Tracer, name: str, attributes: Mapping[str, AttributeScalar], parent: OpenSpan | None
) -> Iterator[OpenSpan]:
    """Begin a span and end it with the block; an exception makes its status error."""
    opened = tracer.start(name, attributes, parent=parent)
    try:
        yield opened
    except BaseException as err:
        opened.error(str(err).splitlines()[0] if str(err) else type(err).__name__)
        raise
    finally:
        if not opened.ended:
            opened.end()
