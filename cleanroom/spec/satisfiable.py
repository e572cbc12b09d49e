"""Whether anything at all can satisfy a comparator, as far as its bounds tell."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator, judge

if TYPE_CHECKING:
    from collections.abc import Sequence

Number: TypeAlias = int | float
_BOUNDING = ("eq", "gt", "gte", "lt", "lte", "between", "in")


def unsatisfiable(comparator: Comparator, *, count: bool = False) -> str:
    """Return why no value can satisfy the comparator, or the empty string when one may.

    `count` says that only whole numbers from 0 are judged.
    """
    bounding = tuple(test for test in comparator.tests if test[0] in _BOUNDING)
    bounds = [o for _, operand in bounding for o in (operand if isinstance(operand, tuple) else (operand,))]
    numbers = [bound for bound in bounds if isinstance(bound, (int, float)) and not isinstance(bound, bool)]
    durations = [bound for bound in bounds if isinstance(bound, Duration)]
    if not bounds or len(bounds) not in (len(numbers), len(durations)):
        return ""
    tried: Sequence[object] = _durations(durations) if durations else _counts(numbers) if count else _numbers(numbers)
    if any(judge(Comparator(tests=bounding), value).holds for value in tried):
        return ""
    return "no number of them can be so" if count else "its bounds exclude each other"


def admits_only_zero(comparator: Comparator) -> bool:
    """Whether 0 is the only number of spans that a satisfiable `count` admits."""
    operands = [o for _, operand in comparator.tests for o in (operand if isinstance(operand, tuple) else (operand,))]
    numbers = [o for o in operands if isinstance(o, (int, float)) and not isinstance(o, bool)]
    return not any(judge(comparator, number).holds for number in {1, *_counts(numbers)} - {0})


def _durations(bounds: Sequence[Duration]) -> list[Duration]:
    return [Duration(bound.ns + step) for bound in bounds for step in (-1, 0, 1)]


def _counts(bounds: Sequence[Number]) -> list[int]:
    return sorted({max(0, int(bound) + step) for bound in bounds for step in (-1, 0, 1)})


def _numbers(bounds: Sequence[Number]) -> list[Number]:
    """Return values at, around and between the bounds: what lies between two of them is all alike."""
    exact = sorted({Fraction(bound) for bound in bounds})
    middles = [(low + high) / 2 for low, high in itertools.pairwise(exact)]
    tried = [*exact, *middles, exact[0] - 1, exact[-1] + 1]
    return [int(value) if value.denominator == 1 else float(value) for value in tried]
