"""What comparators and globs say of attributes, asked once a value and once a set of names: spans repeat themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cleanroom.spec.comparator import Comparator, Judgement, judge
from cleanroom.trace.model import Attributes, AttributeValue
from cleanroom.validate.index import named_by

_REMEMBERED = 16384  # values; more are measurements, and come once


class Judged:
    """What a comparator says of one attribute."""

    __slots__ = ("_absent", "_comparator", "_key", "_known")

    def __init__(self, key: str, comparator: Comparator) -> None:
        self._key = key
        self._comparator = comparator
        self._absent = judge(comparator, None, present=False)
        # Of other types two values can be equal that are not shown alike: 0.0 and -0.0, true and 1.
        self._known: dict[type, dict[AttributeValue, Judgement]] = {str: {}, int: {}}

    def __call__(self, attributes: Attributes) -> Judgement:
        """Return the judgement of the attribute's value, or of its absence."""
        value = attributes.get(self._key)
        if value is None and self._key not in attributes:
            return self._absent
        known = self._known.get(type(value))
        if known is None:
            return judge(self._comparator, value)
        found = known.get(value)
        if found is None:
            found = judge(self._comparator, value)
            if len(known) < _REMEMBERED:
                known[value] = found
        return found

    def holds(self, attributes: Attributes) -> bool:
        """Whether the comparator holds of the attribute."""
        return self(attributes).holds


def all_judged(wanted: Mapping[str, Comparator]) -> Callable[[Attributes], str]:
    """Return what says which keys of `wanted` do not hold on attributes, or says nothing."""
    each = [(key, Judged(key, comparator)) for key, comparator in sorted(wanted.items())]

    def breach(attributes: Attributes) -> str:
        broken = [(key, found) for key, judged in each if not (found := judged(attributes)).holds]
        return ", ".join([f"{key}: {found.reason}" for key, found in broken]) if broken else ""

    return breach


def any_judged(wanted: Mapping[str, Comparator]) -> Callable[[Attributes], str]:
    """Return what says that none of `wanted` holds on attributes, or says nothing, as of an empty `wanted`."""
    each = [(key, Judged(key, comparator)) for key, comparator in sorted(wanted.items())]

    def breach(attributes: Attributes) -> str:
        if not each or any(judged(attributes).holds for _, judged in each):
            return ""
        return "none of: " + ", ".join(f"{key}: {judged(attributes).reason}" for key, judged in each)

    return breach


def forbidden(globs: Iterable[str]) -> Callable[[Attributes], str]:
    """Return what says which names of attributes a glob names, or says nothing."""
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

    return breach if tests else lambda _: ""
