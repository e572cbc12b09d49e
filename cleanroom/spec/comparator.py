"""The comparators of spec.md section 6: one table drives parsing, evaluation, documentation and tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration, Rate, Size, parse_duration
from cleanroom.spec.operand import (
    IncomparableError,
    Operand,
    as_mapping,
    contains_equal,
    equal,
    kind_of,
    order,
    shown,
    type_matches,
)
from cleanroom.spec.source import NOWHERE, Position

OperandKind: TypeAlias = Literal[
    "value", "ordered", "pair", "list", "text", "regex", "bool", "type", "length", "comparator", "approx"
]
Evaluate: TypeAlias = Callable[[object, Operand], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparator:
    """A conjunction of named comparisons, e.g. `{gte: 1, lt: 5}`; a scalar in the spec is `eq`."""

    tests: tuple[tuple[str, Operand], ...]
    """(comparator name, operand), in the order of the file, never empty."""
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a value satisfies a comparator; `reason` is empty exactly when it does."""

    holds: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row of the table: what its operand is, how it is evaluated, how it reads, what it promises."""

    operand: OperandKind
    evaluate: Evaluate
    """May raise IncomparableError, which breaks the expectation with its message."""
    reads: str
    """With `{}` for the operand: the words of an expectation's message."""
    doc: str
    """What the value does when it holds: completes "the value …"."""


def judge(comparator: Comparator, value: object, *, present: bool = True) -> Judgement:
    """Judge `value` by every test of `comparator` (spec.md section 6); the first broken one gives the reason.

    `present` False means that there is no value at all: only `exists: false` holds then.
    """
    for name, operand in comparator.tests:
        comparison = COMPARISONS[name]
        if name == "exists":
            if operand is not present:
                wanted, found = ("a value", "none") if operand else ("no value", shown(value))
                return Judgement(holds=False, reason=f"expected {wanted}, found {found}")
            continue
        if not present:
            return Judgement(holds=False, reason=f"expected {_describe_test(name, operand)}, found no value")
        try:
            holds = comparison.evaluate(value, operand)
        except IncomparableError as err:
            return Judgement(holds=False, reason=str(err))
        if not holds:
            return Judgement(holds=False, reason=f"expected {_describe_test(name, operand)}, found {shown(value)}")
    return Judgement(holds=True)


def holds(comparator: Comparator, value: object) -> bool:
    """Whether a value that is there satisfies every test, as `judge` says it, without its reason."""
    try:
        return all(
            operand is True if name == "exists" else COMPARISONS[name].evaluate(value, operand)
            for name, operand in comparator.tests
        )
    except IncomparableError:
        return False


def describe(comparator: Comparator) -> str:
    """Return the comparator in words, e.g. `>= 1 and < 5`."""
    if len(comparator.tests) == 1:
        return _describe_test(*comparator.tests[0])
    return " and ".join(
        f"= {shown(operand)}" if name == "eq" else _describe_test(name, operand) for name, operand in comparator.tests
    )


def at_least_one() -> Comparator:
    """Return `{gte: 1}`, the default of `count`."""
    return Comparator(tests=(("gte", 1),))


def equal_to(value: Operand) -> Comparator:
    """Return `{eq: value}`, what a scalar in the place of a comparator means."""
    return Comparator(tests=(("eq", value),))


def allows_zero(comparator: Comparator) -> bool:
    """Whether the number 0 satisfies the comparator."""
    return judge(comparator, 0).holds


def _describe_test(name: str, operand: Operand) -> str:
    if isinstance(operand, Comparator):
        words = describe(operand)
    elif name == "between" and isinstance(operand, tuple):
        words = " and ".join(shown(bound) for bound in operand)
    elif name == "approx":
        mapping = as_mapping(operand)
        tolerance = mapping["tolerance"]
        words = f"{shown(mapping['value'])} ± {tolerance if isinstance(tolerance, str) else shown(tolerance)}"
    elif name == "type":
        words = str(operand)
    elif name == "matches":
        words = f"/{operand}/"
    else:
        words = shown(operand)
    return COMPARISONS[name].reads.format(words)


def _between(value: object, operand: Operand) -> bool:
    low, high = operand if isinstance(operand, tuple) else (operand, operand)
    return order(value, low) >= 0 and order(value, high) <= 0


def _in(value: object, operand: Operand) -> bool:
    return contains_equal(operand if isinstance(operand, tuple) else (operand,), value)


def _contains(value: object, operand: Operand) -> bool:
    if isinstance(value, str) and isinstance(operand, str):
        return operand in value
    if isinstance(value, (list, tuple)):
        return contains_equal(tuple(value), operand)
    if isinstance(value, Mapping) and isinstance(operand, str):
        return operand in value
    raise IncomparableError(f"cannot look for {kind_of(operand)} in {kind_of(value)}")


def _text(value: object, operand: Operand) -> tuple[str, str]:
    if not isinstance(value, str) or not isinstance(operand, str):
        raise IncomparableError.of(value, operand)
    return value, operand


def _starts_with(value: object, operand: Operand) -> bool:
    text, prefix = _text(value, operand)
    return text.startswith(prefix)


def _ends_with(value: object, operand: Operand) -> bool:
    text, suffix = _text(value, operand)
    return text.endswith(suffix)


def _matches(value: object, operand: Operand) -> bool:
    text, pattern = _text(value, operand)
    return re.search(pattern, text) is not None


def _length(value: object, operand: Operand) -> bool:
    if not isinstance(value, (str, bytes, list, tuple, Mapping)):
        raise IncomparableError(f"cannot take the length of {kind_of(value)}")
    comparator = operand if isinstance(operand, Comparator) else equal_to(operand)
    return judge(comparator, len(value)).holds


def _holding(value: object, operand: Operand) -> list[bool]:
    """Judge each element of a list value."""
    if not isinstance(value, (list, tuple)):
        raise IncomparableError(f"cannot judge the elements of {kind_of(value)}")
    comparator = operand if isinstance(operand, Comparator) else equal_to(operand)
    return [judge(comparator, element).holds for element in value]


def _all(value: object, operand: Operand) -> bool:
    # An empty list is no evidence: `all` of nothing must not be green.
    holding = _holding(value, operand)
    return bool(holding) and all(holding)


def _approx(value: object, operand: Operand) -> bool:
    mapping = as_mapping(operand)
    middle, tolerance = mapping["value"], mapping["tolerance"]
    order(value, middle)  # refuses what cannot be compared
    distance = abs(_exact(value, value) - _exact(middle, value))
    if isinstance(tolerance, str) and tolerance.endswith("%"):
        return distance <= abs(_exact(middle, value)) * Fraction(tolerance[:-1].strip()) / 100
    order(value, tolerance)
    return distance <= _exact(tolerance, value)


def _exact(number: object, like: object) -> Fraction:
    """Return a number, or a duration's nanoseconds, exactly; `like` says whether a text spells a duration."""
    if isinstance(number, str) and isinstance(like, Duration):
        return Fraction(parse_duration(number).ns)
    if isinstance(number, Duration):
        return Fraction(number.ns)
    if isinstance(number, Size):
        return Fraction(number.bytes)
    if isinstance(number, Rate):
        return Fraction(number.bits)
    if isinstance(number, (int, float)):
        return Fraction(number)
    raise IncomparableError(f"{kind_of(number)} is not a number")


COMPARISONS: Mapping[str, Comparison] = MappingProxyType({
    "eq": Comparison(operand="value", evaluate=equal, reads="{}", doc="equals the operand; 1 equals 1.0"),
    "ne": Comparison(
        operand="value", evaluate=lambda v, o: not equal(v, o), reads="not {}", doc="is comparable and differs"
    ),
    "gt": Comparison(operand="ordered", evaluate=lambda v, o: order(v, o) > 0, reads="> {}", doc="is greater"),
    "gte": Comparison(operand="ordered", evaluate=lambda v, o: order(v, o) >= 0, reads=">= {}", doc="is at least"),
    "lt": Comparison(operand="ordered", evaluate=lambda v, o: order(v, o) < 0, reads="< {}", doc="is less"),
    "lte": Comparison(operand="ordered", evaluate=lambda v, o: order(v, o) <= 0, reads="<= {}", doc="is at most"),
    "between": Comparison(
        operand="pair", evaluate=_between, reads="between {}", doc="lies between [low, high], both included"
    ),
    "in": Comparison(operand="list", evaluate=_in, reads="one of {}", doc="equals one of the list"),
    "not_in": Comparison(
        operand="list", evaluate=lambda v, o: not _in(v, o), reads="none of {}", doc="equals none of the list"
    ),
    "contains": Comparison(
        operand="value", evaluate=_contains, reads="something that contains {}",
        doc="has the text, the element or the key",
    ),
    "not_contains": Comparison(
        operand="value", evaluate=lambda v, o: not _contains(v, o), reads="something without {}",
        doc="has not the text, the element or the key",
    ),
    "starts_with": Comparison(
        operand="text", evaluate=_starts_with, reads="text that starts with {}", doc="is text that starts so"
    ),
    "ends_with": Comparison(
        operand="text", evaluate=_ends_with, reads="text that ends with {}", doc="is text that ends so"
    ),
    "matches": Comparison(
        operand="regex", evaluate=_matches, reads="a match of {}",
        doc="is text in which the regular expression is found",
    ),
    "exists": Comparison(
        operand="bool", evaluate=lambda _v, o: o is True, reads="exists: {}",
        doc="is there (or, with false, is not there)",
    ),
    "type": Comparison(
        operand="type", evaluate=type_matches, reads="a value of type {}",
        doc="is of the type: string, integer, number, boolean, array, object, null, bytes or duration",
    ),
    "length": Comparison(
        operand="length", evaluate=_length, reads="a length of {}",
        doc="is text, a list or a mapping of which the length satisfies a number or a comparator",
    ),
    "any": Comparison(
        operand="comparator", evaluate=lambda v, o: any(_holding(v, o)), reads="any element {}",
        doc="is a list of which at least one element satisfies the comparator",
    ),
    "all": Comparison(
        operand="comparator", evaluate=_all, reads="every element {}",
        doc="is a list that is not empty and of which every element satisfies the comparator",
    ),
    "none": Comparison(
        operand="comparator", evaluate=lambda v, o: not any(_holding(v, o)), reads="no element {}",
        doc="is a list of which no element satisfies the comparator",
    ),
    "approx": Comparison(
        operand="approx", evaluate=_approx, reads="about {}",
        doc="lies within {value, tolerance}; the tolerance is of the value's own kind or a percentage of it",
    ),
})  # fmt: skip
