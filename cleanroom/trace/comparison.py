"""All changes between two normalised traces, ranked by risk: what a person who reviews a change wants to know first.

Spans are compared by path (the names from the root), so that the cost is linear and one more span shifts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from cleanroom.canonical import Json
from cleanroom.garbage import uncollected
from cleanroom.text import truncate
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.matching import exact_text, flat_fields
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.tree import SEPARATOR

Risk: TypeAlias = Literal["high", "medium", "low"]
RISKS: tuple[Risk, ...] = ("high", "medium", "low")
_MAX_NAMES = 32
_MAX_VALUES = 3
_MAX_SHOWN = 120
_TOP = -1
_ERROR = exact_text("error")
# What the system did, in attributes: a change of these is seldom noise.
_GRAVE = ("*status_code*", "error", "error.*", "exception.*", "*.method", "http.route", "service.*")
_KEYED = frozenset({"name", "service", "origin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: how grave, of what kind, where, and what it was and is."""

    risk: Risk
    kind: str
    """e.g. `span gone`, `span new`, `count`, `status`, `attribute`, `verdict`."""
    path: str
    attribute: str = ""
    left: str = ""
    right: str = ""


def ranked(changes: Iterator[Change] | tuple[Change, ...]) -> tuple[Change, ...]:
    """Return the changes, each once, the gravest first, then by kind and place."""
    key = RISKS.index
    once = dict.fromkeys(changes)
    return tuple(sorted(once, key=lambda c: (key(c.risk), c.kind, c.path, c.attribute, c.left, c.right)))


def compare(left: NormalisedTrace, right: NormalisedTrace) -> tuple[Change, ...]:
    """Return every change from `left` to `right`; none only where their digests are equal."""
    found: list[Change] = []
    # Most are equal, and then nothing needs to be taken apart.
    if trace_digest(left) != trace_digest(right):
        groups = _Groups()
        with uncollected():
            groups.add(left, 0)
            groups.add(right, 1)
        found = [*_services(groups), *(change for group in groups.all for change in _group(groups, group))]
        combined = Change(
            risk="low", kind="arrangement", path="", left="the same spans", right="combined in another way"
        )
        found = found or [combined]
    if left.rule_set != right.rule_set:
        rules = (left.rule_set, right.rule_set)
        found.append(Change(risk="medium", kind="rules", path="normalisation", left=rules[0], right=rules[1]))
    return ranked(tuple(found))


@dataclass(slots=True)
class _Side:
    """The spans of one path on one side: how many, and each field's values."""

    count: int = 0
    values: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    above: int
    service: str
    name: str
    sides: tuple[_Side, _Side] = field(default_factory=lambda: (_Side(), _Side()))


class _Groups:
    """The paths of both traces."""

    def __init__(self) -> None:
        self.all: list[_Group] = []
        self._known: dict[tuple[int, str, str, str], int] = {}

    def add(self, trace: NormalisedTrace, side: int) -> None:
        above: list[int] = []
        for span in trace.spans:
            del above[span.depth :]
            service = _word(span.fields.get("service"))
            key = (above[-1] if above else _TOP, _word(span.fields.get("origin")), service, span.name)
            index = self._known.setdefault(key, len(self.all))
            if index == len(self.all):
                self.all.append(_Group(above=key[0], service=service, name=span.name))
            above.append(index)
            own = self.all[index].sides[side]
            own.count += 1
            for name, value in flat_fields(span).items():
                if name not in _KEYED:
                    values = own.values.get(name)
                    if values is None:
                        values = own.values[name] = Counter()
                    values[exact_text(value)] += 1

    def path(self, group: _Group) -> str:
        names = [group.name]
        above = group.above
        while above != _TOP and len(names) < _MAX_NAMES:
            names.append(self.all[above].name)
            above = self.all[above].above
        names += ["…"] if above != _TOP else []
        return SEPARATOR.join(reversed(names)) + (f" ({group.service})" if group.service else "")


def _word(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _services(groups: _Groups) -> Iterator[Change]:
    left, right = ({g.service for g in groups.all if g.sides[side].count and g.service} for side in (0, 1))
    for name in sorted(left - right):
        yield Change(risk="high", kind="service gone", path=name, left="sends spans", right="sends none")
    for name in sorted(right - left):
        yield Change(risk="medium", kind="service new", path=name, left="sends none", right="sends spans")


def _group(groups: _Groups, group: _Group) -> Iterator[Change]:
    left, right = group.sides
    if not left.count or not right.count:
        side = 0 if right.count else 1
        above = groups.all[group.above] if group.above != _TOP else None
        if above is not None and not above.sides[side].count:
            return  # told with what is above it
        gone = not right.count
        yield Change(
            risk="high" if gone else "medium", kind="span gone" if gone else "span new", path=groups.path(group),
            left=str(left.count), right=str(right.count),
        )  # fmt: skip
        if _failed(right):
            yield _errors(groups, group)
        return
    if left.count != right.count:
        yield Change(risk="medium", kind="count", path=groups.path(group), left=str(left.count), right=str(right.count))
    for name in sorted(left.values.keys() | right.values.keys()):
        yield from _field(groups, group, name)


def _failed(side: _Side) -> int:
    return side.values.get("status", Counter[str]())[_ERROR]


def _errors(groups: _Groups, group: _Group) -> Change:
    counts = tuple(_failed(side) for side in group.sides)
    return Change(
        risk="high", kind="errors", path=groups.path(group), attribute="status",
        left=str(counts[0]), right=str(counts[1]),
    )  # fmt: skip


def _field(groups: _Groups, group: _Group, name: str) -> Iterator[Change]:
    left, right = group.sides
    ours, theirs = (_filled(side, name) for side in (left, right))
    # Of other numbers of spans only the values can be compared, not how often each is there.
    same = ours == theirs if left.count == right.count else ours.keys() == theirs.keys()
    more_errors = name == "status" and theirs[_ERROR] > ours[_ERROR]
    if more_errors:
        yield _errors(groups, group)
    elif not same:
        yield Change(
            risk=_risk(name, left, right), kind="status" if name == "status" else _kind(name),
            path=groups.path(group), attribute=name, left=_shown(ours, theirs), right=_shown(theirs, ours),
        )  # fmt: skip


def _filled(side: _Side, name: str) -> Counter[str]:
    values = side.values.get(name, Counter())
    absent = side.count - sum(values.values())
    return Counter({**values, "(absent)": absent}) if absent else values


def _kind(name: str) -> str:
    return name.partition(".")[0].partition("[")[0].removesuffix("s") if "." in name or "[" in name else name


def _risk(name: str, left: _Side, right: _Side) -> Risk:
    bare = name.partition("attributes.")[2] or name.partition("resource.")[2]
    if name in {"status", "kind", "detached"} or any(fnmatchcase(bare, glob) for glob in _GRAVE):
        return "medium"
    return "medium" if name in left.values and name not in right.values else "low"


def _shown(own: Mapping[str, int], other: Mapping[str, int]) -> str:
    """Return the values that this side has more of, each with its number where that is not 1."""
    differing = [text for text in sorted(own) if own[text] != other.get(text, 0)] or sorted(own)
    told = [truncate(text, _MAX_SHOWN) + (f" ×{own[text]}" if own[text] > 1 else "") for text in differing]  # noqa: RUF001 -- a count
    hidden = len(told) - _MAX_VALUES
    return ", ".join(told[:_MAX_VALUES]) + (f" and {hidden} more" if hidden > 0 else "")
