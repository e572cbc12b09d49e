"""`schema` of `expect.spans`: what attributes look like, in the words of JSON Schema (spec.md section 6).

Two things differ from JSON Schema, both so that nothing passes unasked. A value that a keyword cannot be about
(`maximum` of text) breaks it, unless `type` names the value's own type. And types are those that were sent: 3.0 is a
number and no integer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

from cleanroom.spec.attribute_schema import AttributeSchema
from cleanroom.spec.operand import IncomparableError, Operand, equal, kind_of, order, shown, type_matches
from cleanroom.spec.problem import one_of
from cleanroom.trace.model import Attributes, AttributeValue, Span

_Bound = tuple[str, "int | float | None", Callable[[int], bool]]


def schema_breach(schema: Mapping[str, AttributeSchema], attributes: Attributes) -> str:
    """Return which attributes are not as `schema` says, or the empty string."""
    found = []
    for name, wanted in sorted(schema.items()):
        if name not in attributes:
            if wanted.required:
                found.append(f"{name}: it is required, and there is none")
            continue
        found += [f"{name}: {reason}" for reason in value_breaches(wanted, attributes[name])]
    return ", ".join(found)


def asked(schema: Mapping[str, AttributeSchema], spans: tuple[Span, ...]) -> str:
    """Return which attributes no span has, so that the schema said nothing of them, or the empty string."""
    absent = [name for name in sorted(schema) if not any(name in span.attributes for span in spans)]
    if not absent:
        return ""
    return f"no selected span has {one_of(absent)}: its schema was asked of nothing (`required: true` breaks that)"


def value_breaches(wanted: AttributeSchema, value: AttributeValue) -> tuple[str, ...]:
    """Return every keyword of `wanted` that `value` breaks."""
    if wanted.types and not any(type_matches(value, kind) for kind in wanted.types):
        return (f"expected {one_of(wanted.types)}, found {shown(value)}",)
    return (
        *_listed(wanted, value),
        *_of_number(wanted, value),
        *_of_text(wanted, value),
        *_of_list(wanted, value),
    )


def _listed(wanted: AttributeSchema, value: AttributeValue) -> Iterable[str]:
    if wanted.has_const and not _same(value, wanted.const):
        yield f"expected {shown(wanted.const)}, found {shown(value)}"
    if wanted.enum and not any(_same(value, element) for element in wanted.enum):
        yield f"expected one of {shown(wanted.enum)}, found {shown(value)}"


def _same(value: AttributeValue, wanted: Operand) -> bool:
    try:
        return equal(value, wanted)
    except IncomparableError:
        return False


def _of_number(wanted: AttributeSchema, value: AttributeValue) -> Iterable[str]:
    bounds: tuple[_Bound, ...] = (
        ("minimum", wanted.minimum, lambda side: side >= 0),
        ("maximum", wanted.maximum, lambda side: side <= 0),
        ("exclusiveMinimum", wanted.exclusive_minimum, lambda side: side > 0),
        ("exclusiveMaximum", wanted.exclusive_maximum, lambda side: side < 0),
    )
    stated = [bound for bound in bounds if bound[1] is not None]
    if not stated and wanted.multiple_of is None:
        return
    if not _is_number(value):
        first = stated[0][0] if stated else "multipleOf"
        yield from _beside(wanted, value, first, "a number")
        return
    for keyword, limit, holds in stated:
        try:
            if not holds(order(value, limit)):
                yield f"expected {keyword} {shown(limit)}, found {shown(value)}"
        except IncomparableError as err:
            yield str(err)
    if wanted.multiple_of is not None and not _is_multiple(value, wanted.multiple_of):
        yield f"expected a multiple of {shown(wanted.multiple_of)}, found {shown(value)}"


def _is_number(value: AttributeValue) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_multiple(value: AttributeValue, of: float) -> bool:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    # The shortest decimal is what people write and read: 0.3 is a multiple of 0.1.
    return (Fraction(repr(value)) / Fraction(repr(of))).denominator == 1


def _of_text(wanted: AttributeSchema, value: AttributeValue) -> Iterable[str]:
    stated = (("minLength", wanted.min_length), ("maxLength", wanted.max_length), ("pattern", wanted.pattern or None))
    first = next((keyword for keyword, operand in stated if operand is not None), "")
    if not first:
        return
    if not isinstance(value, str):
        yield from _beside(wanted, value, first, "text")
        return
    yield from _of_length(("minLength", wanted.min_length), ("maxLength", wanted.max_length), len(value), "character")
    if wanted.pattern and re.search(wanted.pattern, value) is None:
        yield f"expected a match of /{wanted.pattern}/, found {shown(value)}"


def _of_list(wanted: AttributeSchema, value: AttributeValue) -> Iterable[str]:
    stated = (("minItems", wanted.min_items), ("maxItems", wanted.max_items), ("items", wanted.items))
    first = next((keyword for keyword, operand in stated if operand is not None), "")
    if not first:
        return
    if not isinstance(value, tuple):
        yield from _beside(wanted, value, first, "a list")
        return
    yield from _of_length(("minItems", wanted.min_items), ("maxItems", wanted.max_items), len(value), "element")
    if wanted.items is not None:
        for number, element in enumerate(value):
            yield from (f"element {number}: {reason}" for reason in value_breaches(wanted.items, element))


def _of_length(least: tuple[str, int | None], most: tuple[str, int | None], length: int, noun: str) -> Iterable[str]:
    told = f"{length} {noun}{'' if length == 1 else 's'}"
    if least[1] is not None and length < least[1]:
        yield f"expected {least[0]} {least[1]}, found {told}"
    if most[1] is not None and length > most[1]:
        yield f"expected {most[0]} {most[1]}, found {told}"


def _beside(wanted: AttributeSchema, value: AttributeValue, keyword: str, about: str) -> Iterable[str]:
    """Break a keyword that cannot be about `value`; a type that was named, and is another, is beside it by intent."""
    if not wanted.types:
        yield f"{keyword} is about {about}, and this is {kind_of(value)}: found {shown(value)}"
