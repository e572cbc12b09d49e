"""Values as comparators see them: which kinds there are, when two are equal, which one is greater."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from cleanroom.quantity import Duration, Rate, Size, parse_duration

if TYPE_CHECKING:
    from cleanroom.spec.comparator import Comparator

Quantity: TypeAlias = Duration | Size | Rate
Operand: TypeAlias = (
    "bool | int | float | str | Quantity | tuple[Operand, ...] | Mapping[str, Operand] | Comparator | None"
)

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null", "bytes", "duration")
SHOWN_LIMIT = 200
_PAIR = 2


class IncomparableError(Exception):
    """Two values that have no common ground; the message says which kinds they are."""

    @classmethod
    def of(cls, value: object, operand: object) -> IncomparableError:
        """Return the error for `value`, which was to be compared with `operand`."""
        return cls(value, operand)

    def __str__(self) -> str:
        # Only when it is told: of a hundred thousand values that are not comparable three are.
        if len(self.args) != _PAIR:
            return super().__str__()
        value, operand = self.args
        return f"cannot compare {kind_of(value)} with {kind_of(operand)}: found {shown(value)}"


def kind_of(value: object) -> str:
    """Return the kind of `value` in words ("text", "a number", "a duration", …)."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    words = _WORDS.get(type(value))
    if words is None:
        words = next((words for kind, words in _KINDS if isinstance(value, kind)), "a value")
    return words


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (str, "text"),
    (Duration, "a duration"),
    (Size, "a size"),
    (Rate, "a rate"),
    (bytes, "bytes"),
    (list, "a list"),
    (tuple, "a list"),
    (Mapping, "a mapping"),
    (type(None), "null"),
)
_WORDS = dict(_KINDS)


def shown(value: object) -> str:
    """Return `value` as a message shows it: text quoted and escaped, long values shortened."""
    if isinstance(value, (Duration, float)) and not isinstance(value, bool):
        text = str(value)
    elif isinstance(value, Size):
        text = f"{value.bytes} bytes"
    elif isinstance(value, Rate):
        text = f"{value.bits} bit/s"
    elif isinstance(value, bytes):
        text = f"0x{value.hex()}"
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(shown(element) for element in value[:20]) + (", …]" if len(value) > 20 else "]")  # noqa: PLR2004
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in value.items()) + "}"
    elif isinstance(value, str):
        cut = value[: SHOWN_LIMIT + 1]
        text = json.dumps(cut, ensure_ascii=not cut.isprintable())
    elif value is None or isinstance(value, bool):
        text = json.dumps(value)
    else:
        text = str(value)
    return text if len(text) <= SHOWN_LIMIT else text[: SHOWN_LIMIT - 1] + "…"


def equal(value: object, operand: Operand) -> bool:
    """Whether the two are equal; numbers exactly, durations as durations. Raises IncomparableError."""
    if operand is None:
        return value is None
    if isinstance(value, (list, tuple)) and isinstance(operand, tuple):
        return len(value) == len(operand) and all(equal(v, o) for v, o in zip(value, operand, strict=True))
    if isinstance(value, Mapping) and isinstance(operand, Mapping):
        return value.keys() == operand.keys() and all(equal(value[key], operand[key]) for key in operand)
    left, right = _common(value, operand)
    return left == right


def order(value: object, operand: Operand) -> int:
    """Return -1, 0 or 1 as `value` is less than, equal to or greater than `operand`. Raises IncomparableError."""
    left, right = _common(value, operand)
    if isinstance(left, bool):
        raise IncomparableError("true and false have no order")
    greater: bool = left > right  # type: ignore[operator]  # _common made them alike
    return 1 if greater else 0 if left == right else -1


def contains_equal(elements: tuple[object, ...], wanted: object) -> bool:
    """Whether an element equals `wanted`; raises IncomparableError when it can be compared with none of them."""
    comparable = not elements
    for element in elements:
        try:
            found = equal(wanted, element)  # type: ignore[arg-type]
        except IncomparableError:
            continue
        if found:
            return True
        comparable = True
    if not comparable:
        raise IncomparableError.of(wanted, elements[0])
    return False


def type_matches(value: object, operand: Operand) -> bool:
    """Whether `value` is of the type that `operand` names (one of TYPES); every integer is a number too."""
    if isinstance(value, bool):
        name = "boolean"
    elif isinstance(value, int):
        return operand in ("integer", "number")
    else:
        names: tuple[tuple[type | tuple[type, ...], str], ...] = (
            (float, "number"), (str, "string"), (bytes, "bytes"), (Duration, "duration"), ((list, tuple), "array"),
            (Mapping, "object"), (type(None), "null"),
        )  # fmt: skip
        name = next((name for kind, name in names if isinstance(value, kind)), "")
    return name == operand


def as_mapping(operand: Operand) -> Mapping[str, Operand]:
    """Return an operand that the loader has checked to be a mapping; raises TypeError for any other."""
    if not isinstance(operand, Mapping):
        raise TypeError(f"a mapping was expected, not {kind_of(operand)}")
    return operand


def _common(value: object, operand: object) -> tuple[object, object]:
    """Return both in a form that Python compares exactly, or raise IncomparableError."""
    if isinstance(value, Duration) and isinstance(operand, str):
        try:
            operand = parse_duration(operand)
        except ValueError:
            raise IncomparableError.of(value, operand) from None
    kind = kind_of(value)
    # NaN equals nothing and is neither less nor greater: an expectation must not hold because of it.
    comparable = ("a boolean", "a number", "text", "a duration", "a size", "a rate", "bytes")
    if kind != kind_of(operand) or kind not in comparable:
        raise IncomparableError.of(value, operand)
    return value, operand
