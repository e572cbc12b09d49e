"""Shapes: functions from a node to a value that report what does not fit and go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from cleanroom.spec.document import Items, Node, Scalar, Table, kind
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import ProblemLog, nearest, one_of

T = TypeVar("T")


class RefusedError(Exception):
    """A value does not fit its place; it has been reported."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a shape is reading: the path of keys for messages, and the log that takes problems."""

    log: ProblemLog
    path: str = ""
    belongs: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """For every key of the language, the places that know it."""

    def key(self, name: str) -> Place:
        """Return the place of a key inside this one."""
        return Place(self.log, f"{self.path}.{name}" if self.path else name, self.belongs)

    def item(self, index: int) -> Place:
        """Return the place of an item inside this one."""
        return Place(self.log, f"{self.path}[{index}]", self.belongs)

    def wrong(self, node: Node, expected: str, *, code: str = "wrong-type", suggestion: str = "") -> RefusedError:
        """Report that `node` is not what was expected here; returns the exception to raise."""
        message = f"{self.path} takes {expected}"
        if isinstance(node, Scalar) and node.broken:
            return RefusedError()
        self.log.report(code, node.at, message, expected=expected, got=kind(node), suggestion=suggestion)
        return RefusedError()


Shape: TypeAlias = Callable[[Node, Place], T]


@dataclass(frozen=True, slots=True)
class Fields:
    """What a record read: the values of the keys that fit, the names of all that were written, and its node."""

    values: dict[str, Any]
    written: frozenset[str]
    node: Table

    def take(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 -- a record's values have their shape's types
        """Remove a value and return it."""
        return self.values.pop(name, default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A mapping with known keys: those available, those of spec.md that this version does not have, those required."""

    place: str
    """The path of such a record in words, e.g. `services.<name>`."""
    keys: Mapping[str, Shape[Any]]
    later: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    instead: frozenset[str] = frozenset()
    """Keys of `later` that would stand in place of required ones: beside them nothing more is missing."""
    advice: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What to do about a key that is often written here by mistake; `*` stands for any other."""

    def __call__(self, node: Node, place: Place) -> Fields:
        """Read `node`; raises RefusedError when it is no mapping or a required key is missing or broken."""
        if not isinstance(node, Table):
            raise place.wrong(node, f"a mapping with the keys {one_of(sorted(self.keys))}")
        values: dict[str, Any] = {}
        for entry in node.entries:
            shape = self.keys.get(entry.key)
            if shape is None:
                self._refuse_key(entry.key, node, place)
                continue
            try:
                values[entry.key] = shape(entry.value, place.key(entry.key))
            except RefusedError:
                continue
        written = frozenset(entry.key for entry in node.entries)
        for name in self.required:
            if name not in written and not written & self.instead:
                message = f"{place.path or 'the file'} needs the key {shown(name)}"
                place.log.report("missing-key", node.at, message, expected=f"a key {name}")
        if any(name not in values for name in self.required):
            raise RefusedError
        return Fields(values, written, node)

    def _refuse_key(self, name: str, node: Table, place: Place) -> None:
        at = node.key_at(name)
        where = f" in {place.path}" if place.path else ""
        if name in self.later:
            message = f"{shown(name)}{where} is part of the language but not available in this version"
            place.log.report("not-available", at, message, suggestion="remove it, or use a version that has it")
            return
        expected = one_of(sorted(self.keys))
        elsewhere = [path or "the top level" for path in place.belongs.get(name, ()) if path != self.place]
        close = nearest(name, {*self.keys, *self.later})
        advice = self.advice.get(name) or ("" if close else self.advice.get("*", ""))
        if advice:
            place.log.report("unknown-key", at, f"there is no key {shown(name)}{where}", suggestion=advice)
        elif elsewhere:
            belongs = one_of(elsewhere[:3])
            message = f"the key {shown(name)} does not belong in {place.path or 'the top level'}"
            place.log.report("misplaced-key", at, message, expected=expected, suggestion=f"it belongs in {belongs}")
        else:
            suggestion = f"did you mean {close}?" if close else ""
            message = f"there is no key {shown(name)}{where}"
            place.log.report("unknown-key", at, message, expected=expected, suggestion=suggestion)


def text(node: Node, place: Place) -> str:
    """Take text, with at least one character."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        hint = "quote it" if isinstance(node, Scalar) and node.value not in (None, "") else ""
        raise place.wrong(node, "text", suggestion=hint)
    return node.value


def name(node: Node, place: Place) -> str:
    """Take a name for people: one line of printable text, at most 200 characters."""
    value = text(node, place)
    if not value.isprintable() or len(value) > 200 or value != value.strip():  # noqa: PLR2004
        raise place.wrong(node, "one line of at most 200 printable characters", code="wrong-value")
    return value


def pattern_text(expression: str, words: str) -> Shape[str]:
    """Take text that matches a regular expression as a whole; `words` says what it is."""
    compiled = re.compile(expression)

    def read(node: Node, place: Place) -> str:
        value = text(node, place)
        if not compiled.fullmatch(value):
            raise place.wrong(node, words, code="wrong-value")
        return value

    return read


def scalar_text(node: Node, place: Place) -> str:
    """Take text, or a number or boolean as it was written; empty text is allowed."""
    if not isinstance(node, Scalar) or node.value is None:
        raise place.wrong(node, "text", suggestion='write "" for the empty text' if isinstance(node, Scalar) else "")
    return node.text


def free_text(node: Node, place: Place) -> str:
    """Take text, possibly empty."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise place.wrong(node, "text")
    return node.value


def regex(node: Node, place: Place) -> str:
    """Take a regular expression that Python compiles."""
    value = text(node, place)
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as err:
        place.log.report("wrong-value", node.at, f"{place.path} is not a regular expression: {err}", got=shown(value))
        raise RefusedError from None
    return value


def boolean(node: Node, place: Place) -> bool:
    """Take `true` or `false`."""
    if not isinstance(node, Scalar) or not isinstance(node.value, bool):
        raise place.wrong(node, "true or false")
    return node.value


def integer(low: int, high: int | None = None) -> Shape[int]:
    """Take a whole number within bounds."""
    words = f"a whole number, at least {low}" if high is None else f"a whole number from {low} to {high}"

    def read(node: Node, place: Place) -> int:
        if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
            raise place.wrong(node, words)
        if node.value < low or (high is not None and node.value > high):
            raise place.wrong(node, words, code="wrong-value")
        return node.value

    return read


def number(low: float, high: float | None = None, *, above: bool = False) -> Shape[float]:
    """Take a number within bounds; `above` excludes the lower one."""
    words = f"a number {'above' if above else 'of at least'} {low:g}" + (f" and at most {high:g}" if high else "")

    def read(node: Node, place: Place) -> float:
        if not isinstance(node, Scalar) or not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
            raise place.wrong(node, words)
        if node.value < low or (above and node.value == low) or (high is not None and node.value > high):
            raise place.wrong(node, words, code="wrong-value")
        return float(node.value)

    return read


def choice(*names: str, later: tuple[str, ...] = ()) -> Shape[str]:
    """Take one of a closed set of words; those of `later` are refused as not available."""

    def read(node: Node, place: Place) -> str:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, str) and value in names:
            return value
        if isinstance(value, str) and value in later:
            raise not_available(node, place, shown(value))
        close = nearest(value, names) if isinstance(value, str) else ""
        raise place.wrong(node, one_of(names), code="wrong-value", suggestion=f"did you mean {close}?" if close else "")

    return read


def not_available(node: Node, place: Place, what: str) -> RefusedError:
    """Report that a value is part of the language but not available yet; returns the exception to raise."""
    message = f"{what} in {place.path} is part of the language but not available in this version"
    place.log.report("not-available", node.at, message)
    return RefusedError()


def items(shape: Shape[T], *, at_least: int = 0) -> Shape[tuple[T, ...]]:
    """Take a list whose items have a shape; items that do not fit are reported and left out."""

    def read(node: Node, place: Place) -> tuple[T, ...]:
        if not isinstance(node, Items):
            raise place.wrong(node, "a list")
        if len(node.items) < at_least:
            raise place.wrong(node, "a list that is not empty", code="empty-list")
        values = []
        for index, item in enumerate(node.items):
            try:
                values.append(shape(item, place.item(index)))
            except RefusedError:
                continue
        return tuple(values)

    return read


def table(shape: Shape[T], key: Callable[[str], str] | None = None) -> Shape[Mapping[str, T]]:
    """Take a mapping from text to values of a shape; `key` returns what is wrong with a key, or nothing."""

    def read(node: Node, place: Place) -> Mapping[str, T]:
        if not isinstance(node, Table):
            raise place.wrong(node, "a mapping")
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

    return read


def quantity(parse: Callable[[str], T], words: str, *, positive: bool = False) -> Shape[T]:
    """Take a quantity of cleanroom.quantity; a bare number is offered to `parse` as text."""

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

    return read
