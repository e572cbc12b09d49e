"""Shapes: what a value must look like, read from a node into a frozen value; what does not fit is reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar

from cleanroom.spec.document import Items, Node, Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.templates.runtime_text import RuntimeText

T = TypeVar("T")
Fragment: TypeAlias = Any
"""A JSON Schema (2020-12) as dicts and lists, in which a Shape stands for its own fragment, a Record for a reference
to its definition, and a function without arguments for what it returns (recursion)."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shape(Generic[T]):
    """A reader of one kind of value, with what documentation and schema say of it."""

    read: Callable[[Node, Place], T]
    """Returns the value, or reports what is wrong and raises RefusedError."""
    words: str
    """What it takes, in words: `a duration such as 250ms`."""
    schema: Fragment
    example: str = ""
    """A value as YAML flow text."""
    runtime: bool = False
    """Whether templates that only a running scenario can evaluate may stand here."""
    choices: tuple[str, ...] = field(default=())
    """The words of a closed choice."""

    def __call__(self, node: Node, place: Place) -> T:
        """Read `node` at `place`; raises RefusedError when it does not fit, which has been reported."""
        if isinstance(node, Scalar) and isinstance(node.value, RuntimeText):
            if not self.runtime:
                raise place.too_late(node, self.words)
            place.accept_runtime(node, node.value)
        return self.read(node, place)

    def then(self, make: Callable[[T], Any], **changes: Any) -> Shape[Any]:  # noqa: ANN401 -- fields of Shape
        """Return the shape that reads the same and makes another value of it."""
        return replace(self, read=lambda node, place: make(self.read(node, place)), **changes)


def lazy(shape: Callable[[], Shape[T]], words: str) -> Shape[T]:
    """Return a shape that is defined later, for those that contain themselves."""
    return Shape(lambda node, place: shape()(node, place), words, lambda: shape().schema)  # noqa: PLW0108 -- not defined yet


def _text(node: Node, place: Place) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        hint = "quote it" if isinstance(node, Scalar) and node.value not in (None, "") else ""
        raise place.wrong(node, "text", suggestion=hint)
    return node.value


text = Shape(_text, "text", {"type": "string", "minLength": 1}, example="some text", runtime=True)
"""Text, with at least one character."""
fixed_text = replace(text, runtime=False)
"""Text that must be known before the run: names that other parts of the spec refer to, images, paths of files."""


def _name(node: Node, place: Place) -> str:
    value = _text(node, place)
    if not value.isprintable() or len(value) > 200 or value != value.strip():  # noqa: PLR2004
        words = "one line of at most 200 printable characters, without blanks around it"
        raise place.wrong(node, words, code="wrong-value")
    return value


name = Shape(_name, "a name of one line", {"type": "string", "minLength": 1, "maxLength": 200}, example="a name")
"""A name for people: one line of printable text, at most 200 characters."""


def pattern_text(expression: str, words: str, *, example: str = "", runtime: bool = False) -> Shape[str]:
    """Take text that matches a regular expression as a whole; `words` says what it is."""
    compiled = re.compile(expression)

    def read(node: Node, place: Place) -> str:
        value = _text(node, place)
        if not isinstance(value, RuntimeText) and not compiled.fullmatch(value):
            raise place.wrong(node, words, code="wrong-value")
        return value

    return Shape(read, words, {"type": "string", "pattern": f"^(?:{expression})$"}, example=example, runtime=runtime)


def _scalar_text(node: Node, place: Place) -> str:
    if not isinstance(node, Scalar) or node.value is None:
        raise place.wrong(node, "text", suggestion='write "" for the empty text' if isinstance(node, Scalar) else "")
    return node.value if isinstance(node.value, RuntimeText) else node.text


scalar_text = Shape(_scalar_text, "text", {"type": ["string", "number", "boolean"]}, example="some text", runtime=True)
"""Text, or a number or boolean as it was written; empty text is allowed."""


def _free_text(node: Node, place: Place) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise place.wrong(node, "text", suggestion="quote it" if isinstance(node, Scalar) and node.text else "")
    return node.value


free_text = Shape(_free_text, "text", {"type": "string"}, example="some text", runtime=True)
"""Text, possibly empty."""


def _regex(node: Node, place: Place) -> str:
    value = _text(node, place)
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as err:
        place.log.report("wrong-value", node.at, f"{place.path} is not a regular expression: {err}", got=shown(value))
        raise RefusedError from None
    return value


regex = Shape(_regex, "a regular expression", {"type": "string", "minLength": 1}, example='"^GET"')
"""A regular expression that Python compiles."""


def _boolean(node: Node, place: Place) -> bool:
    if not isinstance(node, Scalar) or not isinstance(node.value, bool):
        raise place.wrong(node, "true or false")
    return node.value


boolean = Shape(_boolean, "true or false", {"type": "boolean"}, example="true")


def only_true(node: Node, place: Place) -> bool:
    """Read `true`; `false` would be a check that checks nothing."""
    if not isinstance(node, Scalar) or node.value is not True:
        raise place.wrong(node, "true (leave the key out otherwise)", code="wrong-value")
    return True


true = Shape(only_true, "true", {"const": True}, example="true")


def integer(low: int, high: int | None = None) -> Shape[int]:
    """Take a whole number within bounds."""
    words = f"a whole number, at least {low}" if high is None else f"a whole number from {low} to {high}"

    def read(node: Node, place: Place) -> int:
        if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
            raise place.wrong(node, words)
        if node.value < low or (high is not None and node.value > high):
            raise place.wrong(node, words, code="wrong-value")
        return node.value

    schema = {"type": "integer", "minimum": low, **({} if high is None else {"maximum": high})}
    return Shape(read, words, schema, example=str(max(low, 1)))


def number(low: float | None = None, high: float | None = None, *, above: bool = False) -> Shape[float]:
    """Take a number within bounds; `above` excludes the lower one."""
    least = "" if low is None else f" {'above' if above else 'of at least'} {low:g}"
    most = "" if high is None else f"{' and' if least else ' of'} at most {high:g}"
    words = f"a number{least}{most}"

    def read(node: Node, place: Place) -> float:
        if not isinstance(node, Scalar) or not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
            raise place.wrong(node, words)
        small = low is not None and (node.value < low or (above and node.value == low))
        if small or (high is not None and node.value > high):
            raise place.wrong(node, words, code="wrong-value")
        try:
            return float(node.value)
        except OverflowError:
            raise place.wrong(node, words, code="wrong-value") from None

    lower = {} if low is None else {"exclusiveMinimum" if above else "minimum": low}
    schema = {"type": "number", **lower, **({} if high is None else {"maximum": high})}
    return Shape(read, words, schema, example="0.5" if (low or 0) < 1 else f"{low:g}")


def choice(*names: str, later: tuple[str, ...] = ()) -> Shape[str]:
    """Take one of a closed set of words; `run` cannot carry out those of `later` yet."""
    known = (*names, *later)

    def read(node: Node, place: Place) -> str:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and value in known:
            if value in later:
                place.later(node.at, shown(value))
            return value
        close = nearest(value, known) if isinstance(value, str) else ""
        hint = f"did you mean {close}?" if close else ""
        raise place.wrong(node, one_of(known), code="wrong-value", suggestion=hint)

    return Shape(read, one_of(known), {"enum": list(known)}, example=known[0], choices=known)


def items(shape: Shape[T], *, at_least: int = 0) -> Shape[tuple[T, ...]]:
    """Take a list whose items have a shape; items that do not fit are reported and left out."""

    def read(node: Node, place: Place) -> tuple[T, ...]:
        if not isinstance(node, Items):
            alone = node.text if isinstance(node, Scalar) else ""
            raise place.wrong(node, "a list", suggestion=f"write [{alone}]" if alone else "")
        if len(node.items) < at_least:
            words = "a list that is not empty" if at_least == 1 else f"a list of at least {at_least}"
            raise place.wrong(node, words, code="empty-list")
        values = []
        for index, item in enumerate(node.items):
            try:
                values.append(shape(item, place.item(index)))
            except RefusedError:
                continue
        return tuple(values)

    schema = {"type": "array", "items": shape, **({"minItems": at_least} if at_least else {})}
    return Shape(read, f"a list of: {shape.words}", schema, example=f"[{shape.example}]")


def table(
    shape: Shape[T], key: Callable[[str], str] | None = None, *, keys: Fragment = None, at_least: int = 0
) -> Shape[Mapping[str, T]]:
    """Take a mapping from text to values of a shape.

    `key` returns what is wrong with a key, or nothing; `keys` is the schema of a key (`propertyNames`).
    """

    def read(node: Node, place: Place) -> Mapping[str, T]:
        if not isinstance(node, Table):
            raise place.wrong(node, "a mapping")
        if len(node.entries) < at_least:
            raise place.wrong(node, "a mapping that is not empty", code="empty-list")
        values: dict[str, T] = {}
        for entry in node.entries:
            fault = key(entry.key) if key else ""
            if fault:
                place.log.report("wrong-value", entry.at, f"{shown(entry.key)} in {place.path} {fault}")
                continue
            try:
                values[entry.key] = shape(entry.value, place.key(entry.key))
            except RefusedError:
                continue
        return MappingProxyType(values)

    schema = {
        "type": "object",
        "additionalProperties": shape,
        **({"propertyNames": keys} if keys else {}),
        **({"minProperties": at_least} if at_least else {}),
    }
    return Shape(read, f"a mapping from names to: {shape.words}", schema, example=f"{{key: {shape.example}}}")


def quantity(
    parse: Callable[[str], T], words: str, *, example: str, positive: bool = False, number: bool = False
) -> Shape[T]:
    """Take a quantity of cleanroom.quantity; a bare number is offered to `parse` as text (`number`: it may succeed)."""

    def read(node: Node, place: Place) -> T:
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or node.value is None:
            raise place.wrong(node, words)
        try:
            value = parse(node.text.strip())
        except ValueError:
            raise place.wrong(node, words, code="wrong-value") from None
        if positive and value == parse("0"):
            raise place.wrong(node, f"{words}, more than 0", code="wrong-value")
        return value

    form = {"type": "string", "pattern": r"^\s*(?:\d+(?:\.\d+)?\s*[A-Za-z/]*)+\s*$"}
    bare = {"type": "integer", "minimum": int(positive)} if number else {"const": 0}
    schema = form if positive and not number else {"anyOf": [form, bare]}
    return Shape(read, words, schema, example=example)


def either(
    words: str,
    *,
    scalar: Shape[Any] | None = None,
    sequence: Shape[Any] | None = None,
    mapping: Shape[Any] | None = None,
) -> Shape[Any]:
    """Take a scalar, a list or a mapping, each with a shape of its own; those left out do not fit."""
    among = [shape for shape in (scalar, sequence, mapping) if shape is not None]

    def read(node: Node, place: Place) -> Any:  # noqa: ANN401 -- of one of the shapes
        shape = scalar if isinstance(node, Scalar) else sequence if isinstance(node, Items) else mapping
        if shape is None:
            raise place.wrong(node, words)
        if isinstance(node, Scalar) and shape.choices and node.value not in shape.choices:
            close = nearest(node.value, shape.choices) if isinstance(node.value, str) else ""
            hint = f"did you mean {close}?" if close else ""
            raise place.wrong(node, words, code="wrong-value", suggestion=hint)
        return shape(node, place)

    runtime = scalar is not None and scalar.runtime
    return Shape(read, words, {"anyOf": among}, example=among[0].example, runtime=runtime)
