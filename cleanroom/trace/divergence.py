"""The first difference between normalised traces, named by span path and attribute."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from cleanroom.canonical import Json
from cleanroom.text import truncate
from cleanroom.trace.forest import ROOT, NormalisedSpan, canonical_order, children_of
from cleanroom.trace.matching import Match, exact_text, flat_fields, match_siblings
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.rules import matches
from cleanroom.trace.tree import SEPARATOR

Classification: TypeAlias = Literal["value", "missing span", "extra span", "order", "status", "step", "verdict"]
Spans: TypeAlias = Sequence[NormalisedSpan]

ABSENT = "(absent)"
_MAX_SHOWN = 500
_MAX_ROUNDS = 16  # of a proposal: each adds what differs on one more span
_FIRST_FIELDS = ("name", "status", "status_message")
_ATTRIBUTE = re.compile(r"(?:(?:events|links)\[\d+\]\.)?(?:attributes|resource)\.(?P<name>.+)", re.DOTALL)
# What the system did, not noise: leaving it out of the digest would hide a failure.
_NEVER_NOISE = ("*status_code*", "*.status", "error", "error.*", "exception.*", "*.method", "http.route", "service.*")
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Where iterations first part: `left` is the first iteration, `right` the first that differs from it."""

    left: int
    right: int
    path: str
    """Span path from a root, e.g. `GET /orders > INSERT orders`, or `step <name>` / `fault <id>`."""
    attribute: str
    """e.g. `attributes.order.id`, `status`, `name`; empty for a missing or extra span."""
    left_value: str
    right_value: str
    classification: Classification
    proposal: str = ""
    """The normalisation rule that makes them equal, e.g. `drop: [order.id]`; empty where none should be offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """The first difference of two traces, with the names of attributes that differ on the same span."""

    path: str
    attribute: str
    values: tuple[str, str]
    classification: Classification
    noisy: frozenset[str] = frozenset()
    """Attributes whose removal would make the two spans equal; empty when no removal should."""


def first_divergence(runs: Sequence[NormalisedTrace]) -> Divergence | None:
    """Return where the first run that differs from `runs[0]` parts from it, or None when all are equal.

    `left` and `right` are indexes into `runs`. A proposal is given only when applying it makes all runs equal. Raises
    `ValueError` for different rule sets: such runs are not comparable, never different.
    """
    if len({run.rule_set for run in runs}) > 1:
        raise ValueError("traces that were normalised under different rule sets are not comparable")
    found = _first(runs)
    if found is None:
        return None
    index, difference = found
    return Divergence(
        left=0,
        right=index,
        path=difference.path,
        attribute=difference.attribute,
        left_value=difference.values[0],
        right_value=difference.values[1],
        classification=difference.classification,
        proposal=_proposal(runs, difference),
    )


def _first(runs: Sequence[NormalisedTrace]) -> tuple[int, _Difference] | None:
    for index, run in enumerate(runs[1:], start=1):
        difference = _difference(runs[0].spans, run.spans)
        if difference is not None:
            return index, difference
    return None


def _difference(left: Spans, right: Spans) -> _Difference | None:
    """Walk both forests in canonical order, side by side; equal subtrees are passed over whole."""
    below = children_of(left), children_of(right)
    waiting: list[tuple[Match, str]] = [(Match(ROOT, ROOT), "")]
    while waiting:
        match, above = waiting.pop()
        if match.left is None or match.right is None:
            return _one_sided(left, right, match, above)
        path = above
        if match.left != ROOT:
            one, other = left[match.left], right[match.right]
            path = _below(above, one)
            difference = _own_difference(one, other, path)
            if difference is not None:
                return difference
        here = below[0][match.left], below[1][match.right]
        found = match_siblings((left, right), *here)
        if not found and [left[i].subtree for i in here[0]] != [right[i].subtree for i in here[1]]:
            return _order(left, right, here, path)
        waiting.extend((each, path) for each in reversed(found))
    return None


def _one_sided(left: Spans, right: Spans, match: Match, above: str) -> _Difference:
    if match.left is not None:
        span = left[match.left]
        return _Difference(
            path=_below(above, span), attribute="", values=(span.name, ABSENT), classification="missing span"
        )
    span = right[match.right or 0]
    return _Difference(path=_below(above, span), attribute="", values=(ABSENT, span.name), classification="extra span")


def _own_difference(one: NormalisedSpan, other: NormalisedSpan, path: str) -> _Difference | None:
    """Compare two spans without what is below them."""
    if one.fields == other.fields:
        return None
    left, right = flat_fields(one), flat_fields(other)
    differing = sorted(
        (name for name in left.keys() | right.keys() if _at(left, name) != _at(right, name)),
        key=lambda name: (name not in _FIRST_FIELDS, name),
    )
    first = differing[0]
    shown = (
        shown_text(left[first]) if first in left else ABSENT,
        shown_text(right[first]) if first in right else ABSENT,
    )
    if shown[0] == shown[1]:  # 5 and "5"
        shown = _at(left, first), _at(right, first)
    return _Difference(
        path=path,
        attribute=first,
        values=shown,
        classification="status" if first == "status" else "value",
        noisy=_noise(differing, one),
    )


def _at(flat: Mapping[str, Json], name: str) -> str:
    return exact_text(flat[name]) if name in flat else ABSENT


def shown_text(value: Json) -> str:
    """Return a value as people write it: text bare, a number without its wrapping, the rest as JSON; bounded."""
    if isinstance(value, dict) and len(value) == 1 and {"int", "float", "bytes"}.issuperset(value):
        value = next(iter(value.values()))
    return truncate(value if isinstance(value, str) else exact_text(value), _MAX_SHOWN)


def _order(left: Spans, right: Spans, here: tuple[list[int], list[int]], path: str) -> _Difference:
    """Return the first place where the same siblings stand in another order."""
    pairs = zip(here[0], here[1], strict=True)
    one, other = next((i, k) for i, k in pairs if left[i].subtree != right[k].subtree)
    return _Difference(
        path=_below(path, left[one]),
        attribute="",
        values=(left[one].name, right[other].name),
        classification="order",
    )


def _noise(differing: list[str], span: NormalisedSpan) -> frozenset[str]:
    """Return the names of the attributes that differ, or nothing where more than harmless attributes differs."""
    names = {_attribute_name(path) for path in differing}
    if span.of_runner or any(not name or matches(name, _NEVER_NOISE) for name in names):
        return frozenset()
    return frozenset(names)


def _attribute_name(path: str) -> str:
    """Return the attribute's name in a path such as `events[0].attributes.order.id`, or the empty string."""
    match = _ATTRIBUTE.fullmatch(path)
    return match["name"] if match else ""


def _below(above: str, span: NormalisedSpan) -> str:
    return f"{above}{SEPARATOR}{span.name}" if above else span.name


def _proposal(runs: Sequence[NormalisedTrace], difference: _Difference) -> str:
    """Return the rule that provably makes all runs equal, or the empty string."""
    if difference.classification == "order":
        spans = [canonical_order(run.spans, "unordered") for run in runs]
        return "siblings: unordered" if all(each == spans[0] for each in spans) else ""
    dropped: set[str] = set()
    for _ in range(_MAX_ROUNDS):
        if not difference.noisy or difference.noisy <= dropped:
            return ""
        dropped |= difference.noisy
        found = _first([_without(run, dropped) for run in runs])
        if found is None:
            # Quoted as YAML needs it: a name may hold characters that end a flow sequence.
            return f"drop: [{', '.join(_yaml(name) for name in sorted(dropped))}]"
        difference = found[1]
    return ""


def _yaml(name: str) -> str:
    # A bracket or a star would be read as a glob, and the proposal drops this name only.
    literal = re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", name)
    return literal if _PLAIN.fullmatch(literal) else json.dumps(literal)


def _without(run: NormalisedTrace, names: set[str]) -> NormalisedTrace:
    """Return the run as it would be, had the spec dropped these attributes."""
    spans = [replace(span, fields=_pruned(span.fields, names)) for span in run.spans]
    return replace(run, spans=canonical_order(spans, run.siblings))


def _pruned(fields: dict[str, Json], names: set[str]) -> dict[str, Json]:
    pruned = dict(fields)
    for holder in ("attributes", "resource"):
        held = fields.get(holder)
        if isinstance(held, dict):
            pruned[holder] = {name: value for name, value in held.items() if name not in names}
    for holder in ("events", "links"):
        items = fields.get(holder)
        if isinstance(items, list):
            pruned[holder] = [_pruned(item, names) if isinstance(item, dict) else item for item in items]
    return pruned
