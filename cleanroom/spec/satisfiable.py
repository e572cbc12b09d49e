"""Whether anything at all can satisfy a comparator, as far as its operands tell: what is called impossible is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from cleanroom.quantity import Duration, Rate, Size, parse_duration
from cleanroom.spec.comparator import Comparator, judge
from cleanroom.spec.operand import Operand
from cleanroom.spec.problem import one_of
from cleanroom.spec.templates.runtime_text import RuntimeText

Number: TypeAlias = int | float
_BOUNDING = ("eq", "gt", "gte", "lt", "lte", "between", "in", "approx")


def unsatisfiable(comparator: Comparator, *, count: bool = False, words: tuple[str, ...] = ()) -> str:
    """Return why no value can satisfy the comparator, or the empty string when one may.

    `count` says that only whole numbers from 0 are judged; `words`, when given, are all the values there can be.
    """
    if any(isinstance(operand, RuntimeText) for operand in _flat(operand for _, operand in comparator.tests)):
        return ""  # what it says is known only while a scenario runs
    if words:
        holds = any(judge(comparator, word).holds for word in words) or judge(comparator, None, present=False).holds
        return "" if holds else f"there is only {one_of(words)}"
    listed = _listed(comparator)
    if listed and not any(judge(comparator, value).holds for value in listed):
        return "its comparators exclude each other"
    bounding = Comparator(tests=tuple(test for test in comparator.tests if test[0] in _BOUNDING))
    tried = _tried(bounding, count=count)
    if not tried or any(judge(bounding, value).holds for value in tried):
        return ""
    return "no number of them can be so" if count else "its bounds exclude each other"


def admits_only_zero(comparator: Comparator) -> bool:
    """Whether 0 is the only number of spans that a satisfiable `count` admits."""
    return not any(judge(comparator, number).holds for number in {1, *_counts(_edges(comparator))} - {0})


def exclude_each_other(*comparators: Comparator) -> bool:
    """Whether no count satisfies all of them."""
    both = Comparator(tests=tuple(test for comparator in comparators for test in comparator.tests))
    return not any(judge(both, number).holds for number in {0, 1, *_counts(_edges(both))})


def least(comparator: Comparator) -> int:
    """Return the smallest count that satisfies a comparator of counts; 0 when none does."""
    return next((n for n in sorted({0, 1, *_counts(_edges(comparator))}) if judge(comparator, n).holds), 0)


def most(comparator: Comparator) -> int | None:
    """Return the largest count that satisfies a comparator of counts; None when there is no largest one."""
    tried = sorted({0, 1, *_counts(_edges(comparator))})
    if judge(comparator, tried[-1] + 1).holds:
        return None
    return next((n for n in reversed(tried) if judge(comparator, n).holds), None)


def _listed(comparator: Comparator) -> list[object]:
    """Return all values there can be when a comparator lists them; none when it does not."""
    tests = dict(comparator.tests)
    if "eq" in tests:
        written: tuple[Operand, ...] = (tests["eq"],)
    else:
        among = tests.get("in")
        written = among if isinstance(among, tuple) else ()
    values: list[object] = []
    for value in written:
        if isinstance(value, (tuple, Mapping)):
            return []  # many values equal these: 1 equals 1.0 inside them
        values.append(value)
        if isinstance(value, float) and value.is_integer():
            values.append(int(value))
        elif isinstance(value, str):
            try:
                values.append(parse_duration(value))  # a duration equals the text that spells it
            except ValueError:
                continue
    return values


def _tried(bounding: Comparator, *, count: bool) -> Sequence[object]:
    """Return values at, around and between all bounds; none when they are not all of one kind of number."""
    bounds = list(_bounds(bounding))
    kinds = {type(bound) for bound in bounds if isinstance(bound, (Duration, Size, Rate))}
    numbers = [bound for bound in bounds if isinstance(bound, (int, float)) and not isinstance(bound, bool)]
    if bounds and len(numbers) == len(bounds):
        edges = _edges(bounding)
        return _counts(edges) if count else _numbers(edges)
    if len(kinds) == 1 and all(type(bound) in kinds for bound in bounds):
        kind = kinds.pop()
        # Nothing lasts for less than no time; a size may be judged of what shrinks.
        low = 0 if kind is Duration else -math.inf
        return [kind(whole) for edge in _edges(bounding) for whole in _around(edge) if whole >= low]
    return ()


def _bounds(comparator: Comparator) -> Iterator[object]:
    """Yield the values that the tests name, without tolerances."""
    for name, operand in comparator.tests:
        if name == "approx" and isinstance(operand, Mapping):
            yield operand["value"]
        elif isinstance(operand, tuple):
            yield from operand
        else:
            yield operand


def _edges(comparator: Comparator) -> list[Fraction]:
    """Return the numbers at which a test may change from breaking to holding."""
    edges: list[Fraction] = []
    for name, operand in comparator.tests:
        if name == "approx" and isinstance(operand, Mapping):
            middle, tolerance = _exact(operand["value"]), operand["tolerance"]
            if isinstance(tolerance, str):
                distance = abs(middle) * Fraction(tolerance.rstrip("% ")) / 100
            else:
                distance = _exact(tolerance)
            edges += [middle - distance, middle, middle + distance]
        else:
            edges += [_exact(value) for value in (operand if isinstance(operand, tuple) else (operand,))]
    return edges


def _exact(value: object) -> Fraction:
    if isinstance(value, Duration):
        return Fraction(value.ns)
    if isinstance(value, Size):
        return Fraction(value.bytes)
    if isinstance(value, Rate):
        return Fraction(value.bits)
    return Fraction(value) if isinstance(value, (int, float)) else Fraction(0)


def _around(edge: Fraction) -> tuple[int, ...]:
    return math.floor(edge) - 1, math.floor(edge), math.floor(edge) + 1, math.ceil(edge) + 1


def _counts(edges: Iterable[Fraction]) -> list[int]:
    return sorted({max(0, whole) for edge in edges for whole in _around(edge)})


def _numbers(edges: Iterable[Fraction]) -> list[Number]:
    """Return values at, around and between the edges: what lies between two of them is all alike."""
    exact = sorted(set(edges))
    middles = [(low + high) / 2 for low, high in itertools.pairwise(exact)]
    tried = [*exact, *middles, exact[0] - 1, exact[-1] + 1]
    return [int(value) if value.denominator == 1 else float(value) for value in tried]


def _flat(operands: Iterable[object]) -> Iterator[object]:
    """Yield operands and, at any depth, what they are made of."""
    for operand in operands:
        if isinstance(operand, Comparator):
            yield from _flat(inner for _, inner in operand.tests)
        elif isinstance(operand, tuple):
            yield from _flat(operand)
        elif isinstance(operand, Mapping):
            yield from _flat(operand.values())
        else:
            yield operand
