"""What mutation operators look at: the spans that may change, the whole trace around them, and the faults' windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cleanroom.trace.model import Span, Trace
from cleanroom.validate.occurrence import Window

Group = tuple[str, str]
"""(service, span name)."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A recording as operators see it; spans are named by their index."""

    spans: tuple[Span, ...]
    trace: Trace
    windows: Mapping[str, tuple[Window, ...]]

    @cached_property
    def groups(self) -> Mapping[Group, tuple[int, ...]]:
        """The indexes of the spans of each service and name, in order of their first one."""
        found: dict[Group, list[int]] = {}
        for index, span in enumerate(self.spans):
            found.setdefault((span.service, span.name), []).append(index)
        return {group: tuple(indexes) for group, indexes in found.items()}

    @cached_property
    def services(self) -> Mapping[str, tuple[int, ...]]:
        """The indexes of the spans of each service."""
        found: dict[str, list[int]] = {}
        for index, span in enumerate(self.spans):
            found.setdefault(span.service, []).append(index)
        return {service: tuple(indexes) for service, indexes in found.items()}

    @cached_property
    def by_name(self) -> Mapping[str, Mapping[str, Span]]:
        """The first span of each name by trace id, the runner's among them."""
        found: dict[str, dict[str, Span]] = {}
        for span in self.trace.spans:
            found.setdefault(span.trace_id, {}).setdefault(span.name, span)
        return found

    @cached_property
    def siblings(self) -> Mapping[tuple[str, str], tuple[int, ...]]:
        """The indexes of the children of each parent."""
        found: dict[tuple[str, str], list[int]] = {}
        for index, span in enumerate(self.spans):
            found.setdefault((span.trace_id, span.parent_id), []).append(index)
        return {parent: tuple(indexes) for parent, indexes in found.items()}

    def hangs_below(self, span: Span, top: Span) -> bool:
        """Whether `span` is `top` or has it among its ancestors; ends at a loop of parents."""
        seen: set[tuple[str, str]] = set()
        current: Span | None = span
        while current is not None and (current.trace_id, current.span_id) not in seen:
            if (current.trace_id, current.span_id) == (top.trace_id, top.span_id):
                return True
            seen.add((current.trace_id, current.span_id))
            current = self.trace.parent(current)
        return False


def overlaps(span: Span, window: Window) -> bool:
    """Whether the span overlaps a fault's window, both ends included; a window that ends at 0 never ended."""
    return span.end_ns >= window[0] and (not window[1] or span.start_ns <= window[1])


def moment(span: Span, windows: tuple[Window, ...]) -> str:
    """Return `during`, `before` or `after` for a span and the windows of a fault; empty where it is none of them."""
    if any(overlaps(span, window) for window in windows):
        return "during"
    if windows and span.end_ns <= min(start for start, _ in windows):
        return "before"
    ended = bool(windows) and all(end for _, end in windows)
    return "after" if ended and span.start_ns >= max(end for _, end in windows) else ""
