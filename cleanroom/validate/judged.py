"""What comparators and globs say of attributes, asked once a value and once a set of names: spans repeat themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cleanroom.spec.comparator import Comparator, holds, judge
from cleanroom.trace.model import Attributes, AttributeValue, Span
from cleanroom.validate.index import named_by

_REMEMBERED = 16384  # values; more are measurements, and come once


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """Whether attributes are as they are wanted, and what breaks that: words are costly, and few of them are told."""

    holds: Callable[[Attributes], bool]
    breach: Callable[[Attributes], str]
    """Empty exactly where it holds."""
    many: Callable[[Iterable[Span]], list[Span]] | None = None
    """Of which spans' attributes it does not hold, where that takes less than to ask `holds` of each."""

    def broken(self, spans: Iterable[Span]) -> list[Span]:
        """Return the spans of whose attributes it does not hold."""
        if self.many is not None:
            return self.many(spans)
        return [span for span in spans if not self.holds(span.attributes)]


class Judged:
    """What a comparator says of one attribute."""

    __slots__ = ("_absent", "_comparator", "_key", "_known")

    def __init__(self, key: str, comparator: Comparator) -> None:
        self._key = key
        self._comparator = comparator
        self._absent = judge(comparator, None, present=False).holds
        # Of other types two values can be equal that are not judged alike: 1 and true.
        self._known: dict[type, dict[AttributeValue, bool]] = {str: {}, int: {}}

    def holds(self, attributes: Attributes) -> bool:
        """Whether the comparator holds of the attribute's value, or of its absence."""
        value = attributes.get(self._key)
        if value is None and self._key not in attributes:
            return self._absent
        known = self._known.get(type(value))
        if known is None:
            return holds(self._comparator, value)
        found = known.get(value)
        if found is None:
            found = holds(self._comparator, value)
            if len(known) < _REMEMBERED:
                known[value] = found
        return found

    def divided(self, spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
        """Return the spans of whose attributes it holds, and the others; as `holds`, but most need only a look."""
        key, absent, texts, numbers = self._key, self._absent, self._known[str], self._known[int]
        kept: list[Span] = []
        lost: list[Span] = []
        for span in spans:
            value = span.attributes.get(key)
            which = type(value)
            if which is str or which is int:
                known = (texts if which is str else numbers).get(value)
            else:
                known = absent if value is None and key not in span.attributes else None
            if known or (known is None and self.holds(span.attributes)):
                kept.append(span)
            else:
                lost.append(span)
        return kept, lost

    def told(self, attributes: Attributes) -> str:
        """Return why it does not hold, with the attribute's name."""
        judgement = judge(self._comparator, attributes.get(self._key), present=self._key in attributes)
        return f"{self._key}: {judgement.reason}"


def all_judged(wanted: Mapping[str, Comparator]) -> AttributeTest:
    """Return whether every key of `wanted` holds on attributes."""
    each = [Judged(key, comparator) for key, comparator in sorted(wanted.items())]
    many: Callable[[Iterable[Span]], list[Span]] | None = None
    if len(each) == 1:
        hold, divided = each[0].holds, each[0].divided

        def many(spans: Iterable[Span]) -> list[Span]:
            return divided(spans)[1]

    else:

        def hold(attributes: Attributes) -> bool:
            return all(judged.holds(attributes) for judged in each)

    return AttributeTest(
        hold, lambda found: ", ".join(judged.told(found) for judged in each if not judged.holds(found)), many
    )


def any_judged(wanted: Mapping[str, Comparator]) -> AttributeTest:
    """Return whether a key of `wanted` holds on attributes; of none nothing is wanted."""
    each = [Judged(key, comparator) for key, comparator in sorted(wanted.items())]

    def hold(attributes: Attributes) -> bool:
        return not each or any(judged.holds(attributes) for judged in each)

    def breach(attributes: Attributes) -> str:
        return "" if hold(attributes) else "none of: " + ", ".join(judged.told(attributes) for judged in each)

    return AttributeTest(hold, breach)


def forbidden(globs: Iterable[str]) -> AttributeTest:
    """Return whether no glob names an attribute."""
    tests = [named_by(glob) for glob in globs]
    known: dict[tuple[str, ...], str] = {}

    def breach(attributes: Attributes) -> str:
        names = tuple(attributes)
        found = known.get(names)
        if found is None:
            named = sorted(name for name in names if any(test(name) for test in tests))
            found = f"forbidden: {', '.join(named)}" if named else ""
            if len(known) < _REMEMBERED:
                known[names] = found
        return found

    def many(spans: Iterable[Span]) -> list[Span]:
        found = known.get
        return [span for span in spans if found(tuple(span.attributes)) != "" and breach(span.attributes)]

    return AttributeTest(lambda attributes: not breach(attributes), breach, many)
