"""The shape of comparators: every operand is checked where it is written, and what nothing can satisfy is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cleanroom.quantity import Duration, Rate, Size, parse_duration, parse_rate, parse_size
from cleanroom.spec.comparator import COMPARISONS, Comparator
from cleanroom.spec.document import Items, Scalar
from cleanroom.spec.operand import TYPES, Operand, shown
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.satisfiable import unsatisfiable
from cleanroom.spec.shapes import value as quantities
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, boolean, lazy, regex, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cleanroom.spec.document import Node, Table

Judged: TypeAlias = Literal["anything", "count", "number", "duration", "text", "size", "rate"]
"""What the comparator will judge; a count is a whole number from 0."""

_PERCENT = r"\d+(?:\.\d+)?\s*%"
_WORDS = {
    "count": "a whole number",
    "number": "a number",
    "duration": "a duration such as 200ms",
    "size": "a size such as 64MiB",
    "rate": "a rate such as 1mbit",
    "text": "text",
}
_EXAMPLES = {
    "anything": "{lt: 500}",
    "count": "{gte: 1}",
    "number": "{gte: 0.7}",
    "duration": "{lte: 200ms}",
    "size": "{lte: 64MiB}",
    "rate": "{gte: 1mbit}",
    "text": "{starts_with: GET}",
}
_ONE = {"anything": "1", "count": "1", "number": "0.5", "duration": "200ms", "size": "64MiB", "rate": "1mbit",
        "text": "GET"}  # fmt: skip
_ORDERING = ("gt", "gte", "lt", "lte", "between", "approx")
_TEXT_ONLY = ("starts_with", "ends_with", "matches", "contains", "not_contains", "length")
_ELEMENTS = ("any", "all", "none")
_MEANT = {
    ">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq", "==": "eq", "!=": "ne", "is": "eq", "equals": "eq",
    "not": "ne", "not_equals": "ne", "min": "gte", "max": "lte", "at_least": "gte", "at_most": "lte", "more": "gt",
    "greater": "gt", "greater_than": "gt", "less": "lt", "less_than": "lt", "one_of": "in", "includes": "contains",
    "has": "contains", "prefix": "starts_with", "suffix": "ends_with", "regex": "matches", "like": "matches",
    "present": "exists", "size": "length", "about": "approx",
}  # fmt: skip
"""What people write for a comparator that is spelled quite differently."""
_SIGN = re.compile(r"\s*([<>]=?|[=!]?=)\s*(\S.*)")


@cache
def comparator(judged: Judged = "anything", *, words: tuple[str, ...] = ()) -> Shape[Comparator]:
    """Take a scalar (equal) or a mapping of comparators; `words` are the only texts that the judged value can be."""
    record = _record(judged, words)
    value = _value(judged, words)
    scalar = {"type": ["string", "number", "boolean", "null"]} if judged == "anything" and not words else value.schema

    what = "a value" if judged == "anything" and not words else _found(judged, words)

    def read(node: Node, place: Place) -> Comparator:
        if isinstance(node, Scalar):
            if judged not in ("anything", "text") or words:
                _refuse_sign(node, place, what)
            found = Comparator(tests=(("eq", value(node, place)),), at=node.at)
        elif isinstance(node, Items):
            hint = "write {eq: [...]} for an equal list, {in: [...]} for one of several"
            raise place.wrong(node, "a value or a mapping of comparators", suggestion=hint)
        else:
            found = Comparator(tests=_tests(record, node, place, _found(judged, words)), at=node.at)
        contradiction = unsatisfiable(found, count=judged == "count", words=words)
        if contradiction:
            place.log.report("impossible", node.at, f"{place.path} can never hold: {contradiction}")
            raise RefusedError
        return found

    return Shape(
        read,
        f"{what}, or a mapping of comparators",
        {"anyOf": [scalar, record]},
        example=words[0] if words else _EXAMPLES[judged],
        runtime=value.runtime,
    )


def _refuse_sign(node: Scalar, place: Place, what: str) -> None:
    """Refuse `"< 200ms"`: signs are keys here. Raises RefusedError."""
    signed = _SIGN.fullmatch(node.text)
    if signed and isinstance(node.value, str):
        hint = f"write {{{_MEANT[signed[1]]}: {signed[2].strip()}}}"
        raise place.wrong(node, f"{what}, or a mapping of comparators", code="wrong-value", suggestion=hint)


def comparators_of(judged: Judged) -> Mapping[str, Key]:
    """Return the comparators by which a judged value can be compared, for mappings that have keys beside them."""
    return _record(judged, ()).keys


def _found(judged: Judged, words: tuple[str, ...]) -> str:
    return one_of(words) if words else _WORDS.get(judged, "a value")


@cache
def _record(judged: Judged, words: tuple[str, ...]) -> Record:
    """Return the mapping of the comparators by which a judged value can be compared at all."""
    of = one_of(words) if words else {"anything": "any value", "text": "text"}.get(judged, f"a {judged}")
    place = f"a comparator of {of}"
    shapes = _operands(judged, words, place)
    return Record(
        place=place,
        doc="Comparators, which must all hold. Comparing what cannot be compared breaks the expectation.",
        keys={
            name: Key(shapes[comparison.operand], f"Holds when the value {comparison.doc}.")
            for name, comparison in COMPARISONS.items()
            if not _impossible(name, judged, words)
        },
        not_empty=True,
    )


def _impossible(name: str, judged: Judged, words: tuple[str, ...]) -> bool:
    """Whether the judged value can never be compared so, or compares alike whatever it is."""
    is_text = judged == "text" or bool(words)
    return (
        (name in _TEXT_ONLY and not is_text and judged != "anything")
        or (name in (*_ELEMENTS, "type") and (judged != "anything" or bool(words)))
        or (name in _ORDERING and is_text)
    )


def _tests(record: Record, node: Table, place: Place, found: str) -> tuple[tuple[str, Operand], ...]:
    """Read `{gte: 1, lt: 5}`; raises RefusedError when any part of it does not fit."""
    if not node.entries:
        raise place.wrong(node, f"at least one comparator ({one_of(COMPARISONS)})", code="empty-comparator")
    tests: list[tuple[str, Operand]] = []
    broken = False
    for entry in node.entries:
        inside = place.key(entry.key)
        if entry.key not in COMPARISONS:
            meant = _MEANT.get(entry.key, "")
            close = meant if meant in record.keys else nearest(entry.key, record.keys)
            message = f"{shown(entry.key)} in {place.path} is not a comparator"
            hint = f"did you mean {close}?" if close else ""
            place.log.report("unknown-comparator", entry.at, message, expected=one_of(record.keys), suggestion=hint)
            broken = True
        elif entry.key not in record.keys:
            message = f"{inside.path} can never hold, or always does: what is judged here is {found}"
            place.log.report("impossible", entry.value.at, message, expected=one_of(record.keys))
            broken = True
        else:
            try:
                tests.append((entry.key, record.keys[entry.key].shape(entry.value, inside)))
            except RefusedError:
                broken = True
    if broken:
        raise RefusedError
    return tuple(tests)


def _operands(judged: Judged, words: tuple[str, ...], place: str) -> Mapping[str, Shape[Any]]:
    """Return the shape of each kind of operand for one kind of judged value."""
    value = _value(judged, words)
    ordered = _ordered(judged, words)
    return {
        "value": value,
        "ordered": ordered,
        "pair": _pair(ordered),
        "list": _list(value),
        "text": text,
        "regex": regex,
        "bool": boolean,
        "type": Shape(_type, one_of(TYPES), {"enum": list(TYPES)}, example="string", choices=TYPES),
        "length": lazy(lambda: comparator("count"), "a whole number, or comparators of one"),
        "comparator": replace(lazy(comparator, "comparators of one element"), runtime=True),
        "approx": _approx(judged, ordered, f"{place}.approx"),
    }


def _value(judged: Judged, words: tuple[str, ...]) -> Shape[Any]:
    """Return the shape of an operand that the judged value is compared with for equality."""
    if words:
        return Shape(_word_of(words), one_of(words), {"enum": list(words)}, example=words[0], choices=words)
    schemas: Mapping[str, Any] = {
        "anything": {},
        "count": {"type": "integer"},
        "number": {"type": "number"},
        "text": {"type": "string"},
        "duration": quantities.duration.schema,
        "size": quantities.size.schema,
        "rate": quantities.rate.schema,
    }
    return Shape(
        _plain if judged == "anything" else _scalar_of(judged),
        _WORDS.get(judged, "a value"),
        schemas[judged],
        example=_ONE[judged],
        runtime=judged in ("anything", "text"),
    )


def _scalar_of(judged: Judged) -> Callable[[Node, Place], Operand]:
    parsers: Mapping[str, Callable[[str], Operand]] = {
        "duration": parse_duration, "size": parse_size, "rate": parse_rate,
    }  # fmt: skip
    parse = parsers.get(judged)

    def read(node: Node, place: Place) -> Operand:
        value = node.value if isinstance(node, Scalar) else None
        if parse is not None:
            spelled = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
            try:
                return parse(node.text if isinstance(node, Scalar) and spelled else "")
            except ValueError:
                raise place.wrong(node, _WORDS[judged], code="wrong-value") from None
        fits: tuple[type, ...] = {"text": (str,), "count": (int,)}.get(judged, (int, float))
        if not isinstance(value, fits) or isinstance(value, bool):
            percent = isinstance(value, str) and judged == "number" and re.fullmatch(_PERCENT, value)
            hint = f"{value} are {float(str(value).rstrip('% ')) / 100:g}" if percent else ""
            raise place.wrong(node, _WORDS[judged], suggestion=hint)
        return value

    return read


def _word_of(words: tuple[str, ...]) -> Callable[[Node, Place], Operand]:
    def read(node: Node, place: Place) -> Operand:
        if not isinstance(node, Scalar):
            raise place.wrong(node, one_of(words))
        if node.value not in words:
            close = nearest(node.text, words)
            hint = f"did you mean {close}?" if close else ""
            raise place.wrong(node, one_of(words), code="wrong-value", suggestion=hint)
        return node.value

    return read


def _ordered(judged: Judged, words: tuple[str, ...]) -> Shape[Any]:
    """Return the shape of an operand that the judged value is less or greater than."""
    value = _value(judged, words)
    if judged != "anything":
        return value

    def read(node: Node, place: Place) -> Operand:
        if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
            raise place.wrong(node, "a number, a duration or text, which have an order")
        return node.value

    words_ = "a number, a duration or text"
    return Shape(read, words_, {"type": ["number", "string"]}, example=_ONE[judged], runtime=True)


def _pair(bound: Shape[Any]) -> Shape[Any]:
    def read(node: Node, place: Place) -> Operand:
        if not isinstance(node, Items) or len(node.items) != 2:  # noqa: PLR2004
            raise place.wrong(node, "a list of two, [low, high]")
        return tuple(bound(item, place.item(index)) for index, item in enumerate(node.items))

    schema = {"type": "array", "items": bound, "minItems": 2, "maxItems": 2}
    return Shape(read, "a list of two, [low, high]", schema, example=f"[{bound.example}, {bound.example}]")


def _list(value: Shape[Any]) -> Shape[Any]:
    def read(node: Node, place: Place) -> Operand:
        if not isinstance(node, Items) or not node.items:
            code = "empty-list" if isinstance(node, Items) else "wrong-type"
            raise place.wrong(node, "a list that is not empty", code=code)
        return tuple(value(item, place.item(index)) for index, item in enumerate(node.items))

    schema = {"type": "array", "items": value, "minItems": 1}
    return Shape(read, "a list that is not empty", schema, example=f"[{value.example}]")


def _approx(judged: Judged, middle: Shape[Any], at: str) -> Shape[Any]:
    """Take `{value, tolerance}`: the tolerance is of the value's own kind, or a percentage of it."""
    percentage = {"type": "string", "pattern": f"^{_PERCENT}$"}
    unit = {"anything": quantities.duration}.get(judged, _value(judged, ()))
    schemas = [percentage, unit.schema, *([{"type": "number"}] if judged == "anything" else [])]
    words = 'a percentage such as "20%", or ' + ("a number or duration" if judged == "anything" else unit.words)
    # The kind of a tolerance depends on its value: it is read with it, below.
    later = Shape(lambda node, _place: node, words, {"anyOf": schemas}, example='"20%"')
    record = Record(
        place=at,
        doc="A value and how far from it the judged one may lie.",
        keys={
            "value": Key(replace(middle, read=lambda node, _place: node, runtime=False), "The middle."),
            "tolerance": Key(later, "How far the judged value may lie from it on either side, both included."),
        },
        required=("value", "tolerance"),
    )

    def read(node: Node, place: Place) -> Operand:
        fields = record(node, place).values
        value = middle(fields["value"], place.key("value"))
        inside, written = place.key("tolerance"), fields["tolerance"]
        if isinstance(written, Scalar) and isinstance(written.value, str) and re.fullmatch(_PERCENT, written.text):
            return MappingProxyType({"value": value, "tolerance": written.text})
        if isinstance(value, str):
            value = _as_duration(fields["value"], place.key("value"), "a number or a duration such as 100ms")
        return MappingProxyType({"value": value, "tolerance": _tolerance(value, written, inside)})

    return Shape(read, "{value, tolerance}", record, example=f'{{value: {_ONE[judged]}, tolerance: "20%"}}')


def _tolerance(value: Operand, node: Node, place: Place) -> Operand:
    """Read a tolerance of the same kind as `value`, not below 0."""
    if isinstance(value, Duration):
        return _as_duration(node, place, 'a duration such as 20ms, or a percentage such as "20%"')
    if isinstance(value, (Size, Rate)):
        kind: Judged = "size" if isinstance(value, Size) else "rate"
        return _scalar_of(kind)(node, place)
    number = node.value if isinstance(node, Scalar) else None
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        raise place.wrong(node, 'a number or a percentage such as "20%"')
    if number < 0:
        raise place.wrong(node, "a number of at least 0", code="wrong-value")
    return number


def _as_duration(node: Node, place: Place, words: str) -> Duration:
    try:
        return parse_duration(node.text if isinstance(node, Scalar) else "")
    except ValueError:
        raise place.wrong(node, words) from None


def _type(node: Node, place: Place) -> str:
    if not isinstance(node, Scalar) or node.value not in TYPES:
        close = nearest(node.text, TYPES) if isinstance(node, Scalar) else ""
        raise place.wrong(node, one_of(TYPES), code="wrong-value", suggestion=f"did you mean {close}?" if close else "")
    return str(node.value)


def _plain(node: Node, place: Place) -> Operand:
    """Read any value; run-time templates may stand at any depth."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return tuple(_any(item, place.item(index)) for index, item in enumerate(node.items))
    return MappingProxyType({entry.key: _any(entry.value, place.key(entry.key)) for entry in node.entries})


_any = Shape(_plain, "a value", {}, runtime=True)
