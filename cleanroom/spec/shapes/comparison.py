"""The shape of comparators: every operand is checked where it is written, and what nothing can satisfy is refused."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from cleanroom.quantity import Duration, parse_duration
from cleanroom.spec.comparator import COMPARISONS, Comparator
from cleanroom.spec.document import Items, Scalar
from cleanroom.spec.operand import TYPES, Operand, shown
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.satisfiable import unsatisfiable
from cleanroom.spec.shapes.shape import Record, RefusedError, boolean, regex, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.spec.document import Node, Table
    from cleanroom.spec.shapes.shape import Place, Shape

Judged: TypeAlias = Literal["anything", "count", "number", "duration", "text"]
"""What the comparator will judge; a count is a whole number from 0."""

_PERCENT = re.compile(r"\d+(?:\.\d+)?\s*%")
_WORDS = {"count": "a whole number", "number": "a number", "duration": "a duration such as 200ms", "text": "text"}
_TEXT_ONLY = ("starts_with", "ends_with", "matches", "contains", "not_contains", "length")
_APPROX = Record(place="approx", keys={"value": lambda n, _p: n, "tolerance": lambda n, _p: n},
                 required=("value", "tolerance"))  # fmt: skip


def comparator(judged: Judged = "anything", *, words: tuple[str, ...] = ()) -> Shape[Comparator]:
    """Take a scalar (equal) or a mapping of comparators; `words` are the only texts that the judged value can be."""

    def read(node: Node, place: Place) -> Comparator:
        reader = _Reader(judged, words)
        if isinstance(node, Scalar):
            found = Comparator(tests=(("eq", reader.value(node, place)),), at=node.at)
        elif isinstance(node, Items):
            hint = "write {eq: [...]} for an equal list, {in: [...]} for one of several"
            raise place.wrong(node, "a value or a mapping of comparators", suggestion=hint)
        else:
            found = reader.mapping(node, place)
        contradiction = unsatisfiable(found, count=judged == "count")
        if contradiction:
            place.log.report("impossible", node.at, f"{place.path} can never hold: {contradiction}")
            raise RefusedError
        return found

    return read


class _Reader:
    """Reads the operands for one kind of judged value."""

    def __init__(self, judged: Judged, words: tuple[str, ...]) -> None:
        self._judged = judged
        self._words = words

    def mapping(self, node: Table, place: Place) -> Comparator:
        """Read `{gte: 1, lt: 5}`."""
        if not node.entries:
            raise place.wrong(node, f"at least one comparator ({one_of(COMPARISONS)})", code="empty-comparator")
        tests: list[tuple[str, Operand]] = []
        broken = False
        for entry in node.entries:
            comparison = COMPARISONS.get(entry.key)
            inside = place.key(entry.key)
            if comparison is None:
                close = nearest(entry.key, COMPARISONS)
                message = f"{shown(entry.key)} in {place.path} is not a comparator"
                suggestion = f"did you mean {close}?" if close else ""
                place.log.report(
                    "unknown-comparator", entry.at, message, expected=one_of(COMPARISONS), suggestion=suggestion
                )
                broken = True
                continue
            try:
                self._check_fits(entry.key, entry.value, inside)
                tests.append((entry.key, self._operand(comparison.operand, entry.value, inside)))
            except RefusedError:
                broken = True
        if broken:
            raise RefusedError
        return Comparator(tests=tuple(tests), at=node.at)

    def value(self, node: Node, place: Place) -> Operand:
        """Read an operand that the judged value is compared with for equality."""
        if self._judged == "anything" and not self._words:
            return _plain(node)
        if not isinstance(node, Scalar):
            raise place.wrong(node, self._expected())
        value = node.value
        if self._judged == "duration":
            try:
                return parse_duration(node.text if isinstance(value, str) or value == 0 else "")
            except ValueError:
                raise place.wrong(node, _WORDS["duration"], code="wrong-value") from None
        if self._words:
            if value not in self._words:
                close = nearest(str(value), self._words)
                hint = f"did you mean {close}?" if close else ""
                raise place.wrong(node, one_of(self._words), code="wrong-value", suggestion=hint)
        elif not self._fits(value):
            raise place.wrong(node, self._expected())
        return value

    def _fits(self, value: object) -> bool:
        if self._judged == "text":
            return isinstance(value, str)
        allowed = int if self._judged == "count" else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool)

    def _expected(self) -> str:
        return one_of(self._words) if self._words else _WORDS[self._judged]

    def _check_fits(self, name: str, node: Node, place: Place) -> None:
        """Refuse comparators that the judged value can never be compared by."""
        is_text = self._judged == "text"
        impossible = (
            (name in _TEXT_ONLY and self._judged in ("count", "number", "duration"))
            or (name in ("any", "all", "none") and self._judged != "anything")
            or (name in ("gt", "gte", "lt", "lte", "between", "approx") and is_text)
        )
        if impossible:
            found = "text" if is_text else _WORDS[self._judged]
            message = f"{place.path} can never hold: what is judged here is {found}"
            place.log.report("impossible", node.at, message)
            raise RefusedError

    def _operand(self, operand: str, node: Node, place: Place) -> Operand:
        readers: dict[str, Callable[[Node, Place], Operand]] = {
            "value": self.value,
            "ordered": self._ordered,
            "pair": self._pair,
            "list": self._list,
            "text": text,
            "regex": regex,
            "bool": boolean,
            "type": _type,
            "length": comparator("count"),
            "comparator": comparator(),
            "approx": self._approx,
        }
        return readers[operand](node, place)

    def _ordered(self, node: Node, place: Place) -> Operand:
        value = self.value(node, place)
        if value is None or isinstance(value, (bool, tuple, MappingProxyType)):
            raise place.wrong(node, "a number, a duration or text, which have an order")
        return value

    def _pair(self, node: Node, place: Place) -> Operand:
        if not isinstance(node, Items) or len(node.items) != 2:  # noqa: PLR2004
            raise place.wrong(node, "a list of two, [low, high]")
        return tuple(self._ordered(bound, place.item(index)) for index, bound in enumerate(node.items))

    def _list(self, node: Node, place: Place) -> Operand:
        if not isinstance(node, Items) or not node.items:
            raise place.wrong(node, "a list that is not empty")
        return tuple(self.value(item, place.item(index)) for index, item in enumerate(node.items))

    def _approx(self, node: Node, place: Place) -> Operand:
        fields = _APPROX(node, place).values
        value = self._ordered(fields["value"], place.key("value"))
        tolerance_node = fields["tolerance"]
        if isinstance(tolerance_node, Scalar) and _PERCENT.fullmatch(tolerance_node.text):
            return MappingProxyType({"value": value, "tolerance": tolerance_node.text})
        if isinstance(value, str):
            value = self._as_duration(fields["value"], place.key("value"))
        if isinstance(value, Duration):
            tolerance: Operand = self._as_duration(tolerance_node, place.key("tolerance"))
        else:
            tolerance = self._ordered(tolerance_node, place.key("tolerance"))
            if isinstance(tolerance, (str, Duration)):
                raise place.key("tolerance").wrong(tolerance_node, 'a number or a percentage such as "20%"')
        return MappingProxyType({"value": value, "tolerance": tolerance})

    def _as_duration(self, node: Node, place: Place) -> Duration:
        try:
            return parse_duration(node.text if isinstance(node, Scalar) else "")
        except ValueError:
            raise place.wrong(node, 'a number, a duration such as 20ms, or a percentage such as "20%"') from None


def _type(node: Node, place: Place) -> str:
    if not isinstance(node, Scalar) or node.value not in TYPES:
        close = nearest(node.text, TYPES) if isinstance(node, Scalar) else ""
        raise place.wrong(node, one_of(TYPES), code="wrong-value", suggestion=f"did you mean {close}?" if close else "")
    return str(node.value)


def _plain(node: Node) -> Operand:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return tuple(_plain(item) for item in node.items)
    return MappingProxyType({entry.key: _plain(entry.value) for entry in node.entries})
