"""The keys that select spans (spec.md section 6), shared by probes and expectations."""

from __future__ import annotations

from cleanroom.spec.selector import Selector
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import choice, table
from cleanroom.spec.shapes.value import pattern

SPAN_KINDS = ("internal", "server", "client", "producer", "consumer", "unspecified")
SELECTOR_KEYS: dict[str, Key] = {
    "name": Key(pattern, "Selects spans by name; a glob that begins with `cleanroom.` selects the runner's own.",
                example='"GET /orders*"'),
    "service": Key(pattern, "Selects spans by the `service.name` of their resource.", example="api"),
    "kind": Key(choice(*SPAN_KINDS), "Selects spans by kind.", example="server"),
    "scope": Key(pattern, "Selects spans by the name of their instrumentation scope.",
                 example='"opentelemetry.instrumentation.*"'),
    "where": Key(table(comparator(), at_least=1), "Selects spans whose attributes satisfy every comparator.",
                 example="{http.request.method: GET}"),
}  # fmt: skip
"""Conjunctive: a span is selected when every key that is written selects it."""
_SELECTOR = Record(
    place="a probe.span",
    doc="Selectors of spans in a probe; a span must satisfy all of them.",
    keys=SELECTOR_KEYS,
    not_empty=True,
)
selector = _SELECTOR.making(Selector)
"""At least one selector."""
