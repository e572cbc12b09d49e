"""The runner's own spans as a run sees them; `cleanroom.telemetry.selftrace` makes them real."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeAlias

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

    def set(self, name: str, value: AttributeScalar) -> None:
        """Set an attribute."""

    def event(self, name: str, attributes: Mapping[str, AttributeScalar] | None = None) -> None:
        """Add an event, now."""

    def error(self, message: str) -> None:
        """Set the status to error."""

    def end(self) -> None:
        """End it now; a second call does nothing."""


class Tracer(Protocol):
    """Makes the spans of one iteration, all in one trace."""

    def begin(self, name: str, attributes: Mapping[str, AttributeScalar], parent: OpenSpan | None = None) -> OpenSpan:
        """Begin a span under `parent`, or the root."""

    def issue_trace(self) -> tuple[str, str]:
        """Return (trace id, traceparent) for traffic whose amount depends on timing; never in the digest."""

    def flush(self) -> None:
        """Return when every ended span has been exported; raises `TelemetryError`."""


StartTrace: TypeAlias = Callable[[str, Mapping[str, AttributeScalar]], Tracer]
"""(environment to file under, attributes that every span carries) → tracer."""


@contextmanager
def span(
    tracer: Tracer, name: str, attributes: Mapping[str, AttributeScalar], parent: OpenSpan | None
) -> Iterator[OpenSpan]:
    """Begin a span and end it with the block; an exception makes its status error."""
    opened = tracer.begin(name, attributes, parent)
    try:
        yield opened
    except BaseException as err:
        opened.error(str(err).splitlines()[0] if str(err) else type(err).__name__)
        raise
    finally:
        opened.end()
