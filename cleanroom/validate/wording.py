"""How findings speak of spans, numbers and comparators: plain words, bounded, the same on every run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from cleanroom.spec.comparator import Comparator, describe
from cleanroom.spec.expect import AttributeConditions, EventConditions, SpanExpectation
from cleanroom.trace.model import Span

if TYPE_CHECKING:
    from cleanroom.validate.scene import Scene

MAX_SPAN_IDS = 10
MAX_EXAMPLES = 3
MAX_PATH = 6

NO_SPANS_REMEDY = (
    "no service span arrived at all: see that the program is instrumented and exports to OTEL_EXPORTER_OTLP_ENDPOINT, "
    "that `telemetry.inject` of the service is not false, and that its SDK flushes on SIGTERM within `stop_grace`"
)


def plural(number: int, noun: str) -> str:
    """Return `1 span`, `2 spans`, `no span`."""
    if number == 0:
        return f"no {noun}"
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def label(span: Span) -> str:
    """Return how a finding names a span: name, service, kind and id."""
    service = f"service {span.service}" if span.service else "no service.name"
    return f'"{span.name}" ({service}, {span.kind.value}, {span.span_id})'


def path(scene: Scene, span: Span) -> str:
    """Return the names from the root (or from six above, after `…`) down to the parent of `span`; empty for a root."""
    above = scene.nearest_ancestors(span, MAX_PATH + 1)
    names = [f'"{ancestor.name}"' for ancestor in reversed(above[:MAX_PATH])]
    if len(above) > MAX_PATH:
        return " > ".join(("…", *names))
    top = above[-1] if above else span
    if top.parent_id and scene.parent(top) is None:
        names.insert(0, f"({top.parent_id}, which never arrived)")
    return " > ".join(names)


def placed(scene: Scene, span: Span) -> str:
    """Return how a finding names a span with its place in the tree."""
    above = path(scene, span)
    return f"{label(span)} under {above}" if above else f"{label(span)}, a root"


def ids(spans: Iterable[Span]) -> tuple[str, ...]:
    """Return the span ids for a finding, at most ten."""
    return tuple(span.span_id for span in islice(spans, MAX_SPAN_IDS))


def listing(items: Iterable[str], total: int | None = None) -> str:
    """Return at most three items in a sentence, and how many more there are.

    With `total` no more of `items` than are told are asked for: words for a hundred thousand spans cost time.
    """
    told = list(islice(items, MAX_EXAMPLES)) if total is not None else list(items)
    more = (len(told) if total is None else total) - MAX_EXAMPLES
    return "; ".join(told[:MAX_EXAMPLES]) + (f"; and {more} more" if more > 0 else "")


def selectors(expectation: SpanExpectation) -> str:
    """Return the selectors of an expectation as a reader would say them, e.g. `"GET *" service=api during=slow-db`."""
    parts = [f'"{expectation.name}"'] if expectation.name else []
    pairs = (
        ("service", expectation.service),
        ("kind", expectation.kind),
        ("scope", expectation.scope),
        ("during", expectation.during),
        ("before", expectation.before),
        ("after", expectation.after),
    )
    parts += [f"{key}={value}" for key, value in pairs if value]
    parts += [f"{key} {describe(comparator)}" for key, comparator in sorted(expectation.where.items())]
    return " ".join(parts) or "of any kind"


def attributes(conditions: AttributeConditions) -> str:
    """Return the attribute conditions in words."""
    parts = [f"{key} {describe(comparator)}" for key, comparator in sorted(conditions.all.items())]
    if conditions.any:
        parts.append("any of: " + ", ".join(f"{key} {describe(c)}" for key, c in sorted(conditions.any.items())))
    if conditions.none:
        parts.append("none of: " + ", ".join(conditions.none))
    return "; ".join(parts)


def events(conditions: EventConditions) -> str:
    """Return the event conditions in words."""
    groups = (("all of", conditions.all), ("any of", conditions.any), ("none of", conditions.none))
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in groups if names)


def wanted(noun: str, comparator: Comparator) -> str:
    """Return `<noun> <comparator in words>`."""
    return f"{noun} {describe(comparator)}"
