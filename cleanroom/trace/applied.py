"""A normalised trace under further rules, where the spans that it was made of are not at hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cleanroom.canonical import Json, canonical_bytes
from cleanroom.trace.forest import NormalisedSpan, canonical_order
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.proposal import Rules
from cleanroom.trace.rules import matches

_TEXTS = ("name", "service", "status_message")
_HOLDERS = ("attributes", "resource")
_LISTS = ("events", "links")


def applied(run: NormalisedTrace, rules: Rules) -> NormalisedTrace:
    """Return the run as normalising would have made it with these rules behind the spec's own.

    A spec's own rules come after the built-in ones, so they can be applied to what those have left. The rule set stays
    named as it was: the result is for comparing, not for publishing.
    """
    change = _Change(rules)
    kept = _without(run.spans, rules.drop_spans)
    spans = [span if span.of_runner else _changed(span, change) for span in kept]
    siblings = rules.siblings or run.siblings
    return replace(
        run,
        siblings=siblings,
        spans=canonical_order(spans, siblings),
        left_out=run.left_out + len(run.spans) - len(spans),
    )


def _without(spans: Sequence[NormalisedSpan], globs: tuple[str, ...]) -> Sequence[NormalisedSpan]:
    """Return the spans, in pre-order, without services' spans of these names; what is below them moves up."""
    if not globs:
        return spans
    kept: list[NormalisedSpan] = []
    gone: list[int] = []  # depths of those above that are left out
    for span in spans:
        while gone and gone[-1] >= span.depth:
            gone.pop()
        depth = span.depth - len(gone)
        if not span.of_runner and matches(span.name, globs):
            gone.append(span.depth)
        else:
            kept.append(span if depth == span.depth else replace(span, depth=depth))
    return kept


class _Change:
    def __init__(self, rules: Rules) -> None:
        self._drop = rules.drop
        self._replace = [(re.compile(pattern), replacement) for pattern, replacement in rules.replace]

    def drops(self, name: str) -> bool:
        return matches(name, self._drop)

    def text(self, text: str) -> str:
        for pattern, replacement in self._replace:
            text = pattern.sub(replacement, text)
        return text

    def value(self, value: Json) -> Json:
        """Change the texts of an attribute's value; numbers and bytes are wrapped in a mapping and stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict) and isinstance(inner := value.get("map"), dict):
            return {"map": {name: self.value(item) for name, item in inner.items()}}
        return value


def _changed(span: NormalisedSpan, change: _Change) -> NormalisedSpan:
    return replace(span, fields=_fields(span.fields, change))


def _fields(fields: dict[str, Json], change: _Change) -> dict[str, Json]:
    """Return the fields of a span, a scope, an event or a link."""
    result = dict(fields)
    for name, value in fields.items():
        if name in _HOLDERS and isinstance(value, dict):
            result[name] = {key: change.value(item) for key, item in value.items() if not change.drops(key)}
        elif name in _LISTS and isinstance(value, list):
            items = [_fields(item, change) if isinstance(item, dict) else item for item in value]
            result[name] = sorted(items, key=canonical_bytes) if name == "links" else items
        elif name == "scope" and isinstance(value, dict):
            scope = _fields(value, change)
            result[name] = {key: item for key, item in scope.items() if key != "attributes" or item}
        elif name == "to" and isinstance(value, str):
            service, mark, target = value.partition(": ")
            result[name] = f"{change.text(service)}{mark}{change.text(target)}" if mark else value
        elif name in _TEXTS and isinstance(value, str):
            result[name] = change.text(value)
    return result
