"""Expressions of templates: their names, their value, and the bounds that hold for every value a template makes.

Specs come from the checked-out repository, so a template may be a stranger's (a pull request from a fork): what an
expression can reach is said in `sandbox.py`, how much it may do is counted here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cleanroom.spec.problem import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jinja2 import nodes

LONGEST_EXPRESSION = 1000
LARGEST_RESULT = 64 * 1024
LARGEST_LIST = 10_000
LARGEST_BITS = 256
LARGEST_VALUE = 50_000
"""Of a value's items at every depth, with 64 characters of text as one more."""
DEEPEST_VALUE = 32
MOST_STEPS = 500_000
"""Of a file: about one per node of a template's syntax that is evaluated, and per item or 64 characters touched."""
MOST_OUTPUT = 4 * 1024 * 1024
"""Characters that the templates of a file write, those that a macro writes for another included."""
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_MISSING_PART = re.compile(r"No (filter|test) named '(.*)'")


class ExpressionError(Exception):
    """An expression is malformed, not allowed or failed; the message says how."""


class UnknownNameError(ExpressionError):
    """An expression uses a name that does not exist; `args` are the name's message."""


class TooMuchWorkError(ExpressionError):
    """The templates of a file do more than they may; nothing more of it is evaluated."""


@dataclass(slots=True)
class Work:
    """What the templates of one file may still do: steps and characters written, counted and never timed."""

    steps: int = MOST_STEPS
    output: int = MOST_OUTPUT

    def spend(self, steps: int) -> None:
        """Count steps; raises TooMuchWorkError when there are none left."""
        self.steps -= steps
        if self.steps < 0:
            raise TooMuchWorkError(f"the templates of this file take more than {MOST_STEPS} steps")

    def write(self, characters: int) -> None:
        """Count output; raises TooMuchWorkError when there is too much."""
        self.output -= characters
        self.spend(1 + characters // 64)
        if self.output < 0:
            raise TooMuchWorkError(f"the templates of this file write more than {MOST_OUTPUT} characters")


_WORK: ContextVar[Work] = ContextVar("cleanroom_template_work")


def work() -> Work:
    """Return the work of the file whose templates are being evaluated."""
    return _WORK.get()


def working(spent: Work, function: Callable[[], object]) -> object:
    """Return what `function` returns, which counts its work in `spent`; errors of a template become ExpressionError.

    Raises ExpressionError; `err.__cause__` is the original.
    """
    from jinja2 import TemplateError, UndefinedError  # noqa: PLC0415 -- only specs with templates pay for the import

    token = _WORK.set(spent)
    try:
        return function()
    except ExpressionError:
        raise
    except UndefinedError as err:
        raise UnknownNameError(str(err.message)) from err
    except TemplateError as err:
        raise ExpressionError(wording(err)) from err
    except RecursionError as err:
        raise ExpressionError("the template calls itself too deeply") from err
    except SyntaxError as err:
        # Python's own limits of nesting, met by the code that the template was compiled to.
        raise ExpressionError("the template is nested too deeply") from err
    except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, MemoryError) as err:
        raise ExpressionError(f"the expression failed: {type(err).__name__}: {str(err)[:200]}") from err
    finally:
        _WORK.reset(token)


@lru_cache(maxsize=8192)
def names_in(text: str) -> frozenset[str]:
    """Return the free names of an expression; raises ExpressionError when it is none."""
    from jinja2 import nodes  # noqa: PLC0415

    # An expression binds no names, so all of them are free.
    return frozenset(name.name for name in _tree(text).find_all(nodes.Name))


@lru_cache(maxsize=8192)
def members_in(text: str) -> tuple[tuple[str, str], ...]:
    """Return every `name.key` and `name['key']` of an expression; raises ExpressionError when it is none."""
    return tuple((name, key) for name, key, _ in members_of(_tree(text)))


def members_of(tree: nodes.Node) -> Iterable[tuple[str, str, int]]:
    """Yield every `name.key` and `name['key']` below a node, and its line."""
    from jinja2 import nodes  # noqa: PLC0415

    for part in tree.find_all((nodes.Getattr, nodes.Getitem)):
        if isinstance(part, nodes.Getattr) and isinstance(part.node, nodes.Name):
            yield part.node.name, part.attr, part.lineno
        elif (
            isinstance(part, nodes.Getitem) and isinstance(part.node, nodes.Name) and isinstance(part.arg, nodes.Const)
        ):
            yield part.node.name, str(part.arg.value), part.lineno


def evaluate(text: str, names: Mapping[str, object], spent: Work) -> object:
    """Return the value of an expression over `names`; raises ExpressionError."""

    def value() -> object:
        from jinja2 import Undefined  # noqa: PLC0415

        result = _compiled(text)(**names)
        if isinstance(result, Undefined):
            result._fail_with_undefined_error()  # noqa: SLF001 -- jinja2 words the message of a missing name there only
        return checked(result)

    spent.spend(1 + len(text) // 4)
    check_expression(text)
    return working(spent, value)


def checked(value: object) -> object:
    """Return `value` when it is plain (as YAML knows it) and within bounds; raises ExpressionError."""
    measure(value)
    return _plain(value)


def measure(value: object) -> int:
    """Return how large a value is (LARGEST_VALUE at most), shared parts as often as they stand in it.

    Raises ExpressionError for a larger or deeper one.
    """
    size = 0
    pending: list[tuple[object, int]] = [(value, 0)]
    while pending:
        part, depth = pending.pop()
        size += 1
        if isinstance(part, str):
            size += len(part) // 64
        elif isinstance(part, (list, tuple, Mapping)):
            if len(part) > LARGEST_LIST:
                raise ExpressionError(f"the list has more than {LARGEST_LIST} items")
            if depth > DEEPEST_VALUE:
                raise ExpressionError(f"the value is nested more than {DEEPEST_VALUE} levels deep")
            items = part.values() if isinstance(part, Mapping) else part
            pending.extend((item, depth + 1) for item in items)
        if size + len(pending) > LARGEST_VALUE + LARGEST_LIST:
            raise ExpressionError(f"the value has more than {LARGEST_VALUE} items")
    if size > LARGEST_VALUE:
        raise ExpressionError(f"the value has more than {LARGEST_VALUE} items")
    return size


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        if isinstance(value, int) and value.bit_length() > LARGEST_BITS:
            raise ExpressionError("the number is too large")
        if value in (float("inf"), float("-inf")) or value != value:  # noqa: PLR0124 -- how NaN is found
            raise ExpressionError("the result is not a finite number")
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {_text(key) if isinstance(key, str) else text_of(key): _plain(item) for key, item in value.items()}
    from jinja2 import Undefined  # noqa: PLC0415 -- on the way to an error only

    if isinstance(value, Undefined):
        value._fail_with_undefined_error()  # noqa: SLF001 -- the only place that words a missing name
    raise ExpressionError("the result is neither text, number, boolean, null, list nor mapping")


def _text(value: str) -> str:
    if len(value) > LARGEST_RESULT:
        raise ExpressionError(f"the result is longer than {LARGEST_RESULT} characters")
    if "\0" in value or not _encodable(value):
        raise ExpressionError("the result contains a character that text cannot carry (NUL or half a surrogate pair)")
    return str.__str__(value)  # of a subclass too: what it knows besides its text stays behind


def _encodable(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def to_json(value: object) -> str:
    """Return `value` as compact JSON with sorted keys, which is YAML too. Raises ExpressionError."""
    text = json.dumps(checked(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # What YAML would take for the end of a line, or refuse.
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def text_of(value: object) -> str:
    """Return a value as it stands inside text: lists, mappings, booleans and null as JSON. Raises ExpressionError."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, Mapping, bool)) or value is None:
        return to_json(value)
    return str(value)


def wording(err: Exception) -> str:
    """Return the message of an error of the template engine, with what was meant where a filter has no such name."""
    message = str(getattr(err, "message", None) or err)
    missing = _MISSING_PART.match(message)
    if not missing:
        return message[:200]
    from cleanroom.spec.templates.sandbox import known_parts  # noqa: PLC0415 -- imports jinja2

    known = known_parts(missing[1])
    close = nearest(missing[2], known)
    return f"there is no {missing[1]} {missing[2]!r}" + (
        f"; did you mean {close}?" if close else f" ({', '.join(known)})"
    )


@lru_cache(maxsize=8192)
def check_expression(text: str) -> None:
    """Compile an expression, so that its mistakes are known before it is evaluated; raises ExpressionError."""
    from jinja2 import TemplateError  # noqa: PLC0415

    try:
        _compiled(text)
    except TemplateError as err:
        raise ExpressionError(f"not an expression: {wording(err)}") from err
    except (SyntaxError, MemoryError, RecursionError, ValueError) as err:
        raise ExpressionError("the expression is too complex") from err


@lru_cache(maxsize=1024)
def _tree(text: str) -> nodes.Node:
    from jinja2 import TemplateError  # noqa: PLC0415

    from cleanroom.spec.templates.sandbox import parse_expression  # noqa: PLC0415 -- imports jinja2

    if len(text) > LONGEST_EXPRESSION:
        raise ExpressionError(f"the expression is longer than {LONGEST_EXPRESSION} characters")
    if not text.strip():
        raise ExpressionError("the expression is empty")
    try:
        return parse_expression(text)
    except TemplateError as err:
        words = wording(err).replace("end of template", "end of the expression")
        raise ExpressionError(f"not an expression: {words}") from err
    except (MemoryError, RecursionError, ValueError) as err:
        raise ExpressionError("the expression is too complex") from err


@lru_cache(maxsize=8192)
def _compiled(text: str) -> Callable[..., object]:
    from cleanroom.spec.templates.sandbox import expressions  # noqa: PLC0415

    compiled: Callable[..., object] = expressions().compile_expression(text, undefined_to_none=False)
    return compiled
