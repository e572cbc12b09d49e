"""The sandbox of `{{ expression }}`: a Jinja2 expression that cannot reach Python, loop, or grow without bound.

Specs come from the checked-out repository, so a template may be a stranger's (a pull request from a fork). No attribute
or method of any Python object is reachable: `a.b` is a key of a mapping, and only functions handed in can be called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cleanroom.spec.operand import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_EXPRESSION = 1000
LARGEST_RESULT = 64 * 1024
LARGEST_LIST = 10_000
LARGEST_EXPONENT = 64
LARGEST_BITS = 256


class ExpressionError(Exception):
    """An expression is malformed, not allowed or failed; the message says how."""


class UnknownNameError(ExpressionError):
    """An expression uses a name that does not exist; `args` are the name's message."""


@lru_cache(maxsize=1024)
def names_in(text: str) -> frozenset[str]:
    """Return the free names of an expression; raises ExpressionError when it is none."""
    from jinja2 import TemplateError, meta  # noqa: PLC0415 -- only specs with templates pay for the import

    if len(text) > LONGEST_EXPRESSION:
        raise ExpressionError(f"the expression is longer than {LONGEST_EXPRESSION} characters")
    try:
        # An expression only: anything that ends it early would be read as more template text.
        _compiled(text)
        tree = _environment().parse("{{ (" + text + "\n) }}")
    except TemplateError as err:
        raise ExpressionError(f"not an expression: {err.message}") from err
    except (SyntaxError, MemoryError, RecursionError, ValueError) as err:
        raise ExpressionError("the expression is too complex") from err
    return frozenset(meta.find_undeclared_variables(tree))


def evaluate(text: str, names: Mapping[str, object]) -> object:
    """Return the value of an expression over `names`; raises ExpressionError."""
    from jinja2 import TemplateError, Undefined, UndefinedError  # noqa: PLC0415

    try:
        value = _compiled(text)(**names)
        if isinstance(value, Undefined):
            value._fail_with_undefined_error()  # noqa: SLF001 -- jinja2 words the message of a missing name there only
    except ExpressionError:
        raise
    except UndefinedError as err:
        raise UnknownNameError(str(err.message)) from err
    except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError, MemoryError) as err:
        raise ExpressionError(f"the expression failed: {type(err).__name__}: {str(err)[:200]}") from err
    except TemplateError as err:
        raise ExpressionError(f"the expression failed: {err.message}") from err
    return checked(value)


def checked(value: object) -> object:
    """Return `value` when it is plain (as YAML knows it) and within bounds; raises ExpressionError."""
    if value is None or isinstance(value, (bool, int, float)):
        if isinstance(value, int) and value.bit_length() > LARGEST_BITS:
            raise ExpressionError("the number is too large")
        return value
    if isinstance(value, range):
        value = list(value)
    if isinstance(value, str):
        if len(value) > LARGEST_RESULT:
            raise ExpressionError(f"the result is longer than {LARGEST_RESULT} characters")
        return str(value)
    if isinstance(value, (list, tuple)):
        if len(value) > LARGEST_LIST:
            raise ExpressionError(f"the result has more than {LARGEST_LIST} items")
        return [checked(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): checked(item) for key, item in value.items()}
    raise ExpressionError("the result is neither text, number, boolean, null, list nor mapping")


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Callable[..., object]:
    compiled: Callable[..., object] = _environment().compile_expression(text, undefined_to_none=False)
    return compiled


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    class Sandbox(ImmutableSandboxedEnvironment):
        """Bounded operators, keys instead of attributes, and no callables but those handed in."""

        intercepted_binops = frozenset({"+", "*", "**", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401, ARG002
            _bound(operator, left, right)
            return self.binop_table[operator](left, right)

        def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401
            return self.getitem(obj, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401
            if isinstance(obj, Mapping) and argument in obj:
                return obj[argument]
            if isinstance(obj, (str, list, tuple)) and isinstance(argument, (int, slice)):
                try:
                    return obj[argument]
                except IndexError:
                    return self.undefined(f"there is no item {argument}")
            return self.undefined(f"there is no {shown(argument)} in it", obj=obj, name=str(argument))

        def is_safe_callable(self, obj: Any) -> bool:  # noqa: ANN401
            return getattr(obj, "cleanroom_function", False) is True

    sandbox = Sandbox(undefined=StrictUndefined, autoescape=False, optimized=False)
    sandbox.globals.clear()
    sandbox.tests = {name: sandbox.tests[name] for name in _TESTS}
    sandbox.filters = {**{name: sandbox.filters[name] for name in _FILTERS}, **_OWN_FILTERS}
    return sandbox


def _bound(operator: str, left: object, right: object) -> None:
    """Refuse operands whose result could grow out of bounds. Raises ExpressionError."""
    numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
    if operator == "%" and not numbers:
        raise ExpressionError("% takes numbers")
    if operator in ("*", "**") and not numbers:
        raise ExpressionError(f"{operator} takes numbers")
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * abs(right) if operator == "**" else left.bit_length() + right.bit_length()
        if bits > LARGEST_BITS:
            raise ExpressionError("the number would be too large")
    if operator == "+" and not numbers:
        size = sum(len(side) for side in (left, right) if isinstance(side, (str, list, tuple)))
        if size > LARGEST_RESULT:
            raise ExpressionError(f"the result would be longer than {LARGEST_RESULT}")


def _join(value: object, separator: str = "") -> str:
    parts = [part if isinstance(part, str) else str(part) for part in _list(value)]
    if sum(map(len, parts)) + len(str(separator)) * len(parts) > LARGEST_RESULT:
        raise ExpressionError(f"the result would be longer than {LARGEST_RESULT} characters")
    return str(separator).join(parts)


def _list(value: object) -> list[Any]:
    if not isinstance(value, (str, list, tuple, range, Mapping)):
        raise ExpressionError("a list is expected")
    if len(value) > LARGEST_LIST:
        raise ExpressionError(f"the list has more than {LARGEST_LIST} items")
    return list(value)


def _replace(value: object, old: str, new: str) -> str:
    text = str(value)
    if len(text) + text.count(str(old)) * len(str(new)) > LARGEST_RESULT:
        raise ExpressionError(f"the result would be longer than {LARGEST_RESULT} characters")
    return text.replace(str(old), str(new))


def to_json(value: object) -> str:
    """Return `value` as compact JSON with sorted keys."""
    return json.dumps(checked(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


_TESTS = (
    "defined", "undefined", "none", "number", "integer", "float", "string", "boolean", "true", "false", "even", "odd",
    "divisibleby", "in", "eq", "ne", "lt", "le", "gt", "ge", "mapping", "sequence",
)  # fmt: skip
_FILTERS = (
    "default", "d", "int", "float", "string", "lower", "upper", "trim", "length", "count", "abs", "round", "first",
    "last", "min", "max", "sort", "title", "capitalize",
)  # fmt: skip
_OWN_FILTERS: dict[str, Callable[..., object]] = {
    "join": _join, "list": _list, "replace": _replace, "to_json": to_json, "tojson": to_json,
}  # fmt: skip
