"""The filters and operators of templates, each of which refuses a result out of bounds before it makes it.

Imports Jinja2: to be imported only where there is a template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2.runtime import Undefined

from cleanroom.spec.operand import shown
from cleanroom.spec.templates.expression import (
    LARGEST_BITS,
    LARGEST_LIST,
    LARGEST_RESULT,
    ExpressionError,
    measure,
    text_of,
    to_json,
    work,
)

_PRECISION = 15
_LONGEST_DIGITS = 100


def weigh(value: object) -> Any:  # noqa: ANN401
    """Return `value`, and pay for its size."""
    work().spend(measure(value))
    return value


def bound(operator: str, left: object, right: object) -> None:
    """Refuse operands whose result could grow out of bounds. Raises ExpressionError."""
    work().spend(1)
    numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
    if operator != "+" and not numbers:
        raise ExpressionError(f"{operator} takes numbers")
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * abs(right) if operator == "**" else left.bit_length() + right.bit_length()
        if bits > LARGEST_BITS:
            raise ExpressionError("the number would be too large")
    if operator == "+" and not numbers:
        alike = any(isinstance(left, kinds) and isinstance(right, kinds) for kinds in (str, (list, tuple)))
        if not alike and not isinstance(left, Undefined) and not isinstance(right, Undefined):
            raise ExpressionError("+ takes two numbers, two texts or two lists; ~ joins values of any kind as text")
        size = 0
        for side in (left, right):
            weigh(side)
            size += len(side) if isinstance(side, (str, list, tuple)) else 0
        if size > (LARGEST_RESULT if isinstance(left, str) else LARGEST_LIST):
            raise ExpressionError(f"the result would be longer than {LARGEST_RESULT}")


def join(value: object, separator: object = "") -> str:
    """Return the items of a list as one text. Raises ExpressionError when it would be too long."""
    weigh(value)
    parts = [text_of(part) for part in listed(value)]
    if sum(map(len, parts)) + len(str(separator)) * len(parts) > LARGEST_RESULT:
        raise ExpressionError(f"the result would be longer than {LARGEST_RESULT} characters")
    return str(separator).join(parts)


def listed(value: object) -> list[Any]:
    """Return the items of a list, the keys of a mapping or the characters of text. Raises ExpressionError."""
    if not isinstance(value, (str, list, tuple, Mapping)):
        raise ExpressionError(f"a list is expected, not {shown(text_of(value)) if _scalar(value) else 'this value'}")
    if len(value) > LARGEST_LIST:
        raise ExpressionError(f"the list has more than {LARGEST_LIST} items")
    return list(value)


def _scalar(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float))


def _items(value: object) -> list[tuple[object, object]]:
    if not isinstance(value, Mapping):
        raise ExpressionError("items takes a mapping")
    weigh(value)
    return list(value.items())


def _replace(value: object, old: object, new: object) -> str:
    text, old, new = text_of(value), text_of(old), text_of(new)
    if len(text) + text.count(old) * (len(new) - len(old)) > LARGEST_RESULT:
        raise ExpressionError(f"the result would be longer than {LARGEST_RESULT} characters")
    return text.replace(old, new)


def _indent(value: object, width: object = 4, first: object = False) -> str:
    if not isinstance(width, int) or not 0 <= width <= LARGEST_BITS:
        raise ExpressionError(f"indent takes a width from 0 to {LARGEST_BITS}")
    text = text_of(value)
    if len(text) + width * (text.count("\n") + 1) > LARGEST_RESULT:
        raise ExpressionError(f"the result would be longer than {LARGEST_RESULT} characters")
    lines = text.split("\n")
    return "\n".join(" " * width + line if line and (index or first) else line for index, line in enumerate(lines))


def _round(value: object, precision: object = 0) -> float:
    if not isinstance(value, (int, float)) or not isinstance(precision, int) or abs(precision) > _PRECISION:
        raise ExpressionError(f"round takes a number, and a precision of at most {_PRECISION}")
    return round(float(value), precision)


def _int(value: object, default: int = 0) -> int:
    if isinstance(value, str) and len(value) > _LONGEST_DIGITS:
        raise ExpressionError(f"int takes text of at most {_LONGEST_DIGITS} characters")
    try:
        return int(value)  # type: ignore[call-overload,no-any-return]  # what does not fit raises
    except (TypeError, ValueError):
        try:
            return int(float(value))  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return default


def _sort(value: object, reverse: object = False, case_sensitive: object = False) -> list[Any]:
    items = listed(value)
    work().spend(16 * measure(items))
    return sorted(
        items, reverse=bool(reverse),
        key=lambda item: item.lower() if isinstance(item, str) and not case_sensitive else item,
    )  # fmt: skip


def _string(value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name
    return text_of(value)


TESTS = (
    "defined", "undefined", "none", "number", "integer", "float", "string", "boolean", "true", "false", "even", "odd",
    "divisibleby", "in", "eq", "ne", "lt", "le", "gt", "ge", "mapping", "sequence",
)  # fmt: skip
FILTERS = (
    "default", "d", "float", "lower", "upper", "trim", "length", "count", "abs", "first", "last", "min", "max", "title",
    "capitalize",
)  # fmt: skip
OWN_FILTERS: dict[str, Callable[..., object]] = {
    "join": join, "list": listed, "items": _items, "replace": _replace, "indent": _indent, "round": _round, "int": _int,
    "sort": _sort, "string": _string, "to_json": to_json, "tojson": to_json,
}  # fmt: skip
