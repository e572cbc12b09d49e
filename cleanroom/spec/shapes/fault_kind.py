"""What the language says of one kind of fault, and the small shapes that only faults' parameters need."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from cleanroom.spec.document import Scalar
from cleanroom.spec.shapes.record import Key
from cleanroom.spec.shapes.shape import Shape, integer, items, number, pattern_text
from cleanroom.spec.templates.runtime_text import RuntimeText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_NOTHING: Mapping[str, Key] = MappingProxyType({})
_ALONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the table in spec.md section 8: `family.fault`, its parameters and what holds for it."""

    doc: str
    parameters: Mapping[str, Key] = field(default_factory=lambda: _NOTHING)
    required: tuple[str, ...] = ()
    exactly_one: tuple[str, ...] = ()
    at_most_one: tuple[tuple[str, ...], ...] = ()
    at_least_one: tuple[str, ...] = ()
    """At least one of these parameters must be written (code `missing-key`)."""
    needs: Mapping[str, str] = field(default_factory=lambda: _ALONE)
    """Parameter to the parameter that it needs beside it (code `missing-key`): without that it would do nothing."""
    rungs: tuple[str, ...] = ()
    """The mechanisms that `backend` can pin, the best first."""
    of_network: bool = False
    """It strikes a link: `between`, `direction`, `ports` and `protocol` apply."""
    direction: Literal["egress", "ingress", "both"] = "egress"
    """Which traffic of a link it strikes, unless the fault says so itself."""
    in_container: bool = True
    """It needs a container with processes and files of its own: a mock has none."""
    instant: bool = False
    """It happens and is over: it has no window, so `for` and `until` do not apply."""
    struck_by: tuple[str, ...] = ("target",)
    """Of these keys exactly one says whom it strikes; empty: it takes none of them."""
    may_lack_target: bool = False
    """Its parameters may say whom it strikes, so that `target` may be left out."""
    nested: bool = False
    """Its parameters stand under `parameters`, because one of them is called as a key of every fault is."""
    available: bool = False
    """Whether `run` carries it out in this version."""


def _percent(low: float) -> Shape[float]:
    words = "a percentage above 0, at most 100" if low else "a percentage from 0 to 100"
    bare = number(0, 100, above=bool(low))

    def read(node: Node, place: Place) -> float:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", node.value)
            share = float(match[1]) if match else -1.0
            if not 0 <= share <= 100 or (low and not share):  # noqa: PLR2004 -- percent
                raise place.wrong(node, words, code="wrong-value")
            return share
        if not isinstance(node, Scalar) or not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
            raise place.wrong(node, words)
        return bare(node, place)

    schema = {"anyOf": [bare.schema, {"type": "string", "pattern": r"^\d{1,3}(?:\.\d+)?\s*%$"}]}
    return Shape(read, words, schema, example="25")


percent = _percent(1)
"""A percentage above 0: `25` or `25%`."""
percent_or_none = _percent(0)
"""A percentage, 0 included."""


def written_as(expression: str, words: str, *, example: str) -> Shape[str]:
    """Take a scalar that was written so, quoted or not (`mode: 0400` is a number to YAML)."""
    form = re.compile(expression)

    def read(node: Node, place: Place) -> str:
        if not isinstance(node, Scalar) or isinstance(node.value, (bool, float, RuntimeText)) or node.value is None:
            raise place.wrong(node, words)
        if not form.fullmatch(node.text):
            raise place.wrong(node, words, code="wrong-value")
        return node.text

    schema = {"anyOf": [{"type": "string", "pattern": f"^(?:{expression})$"}, {"type": "integer", "minimum": 0}]}
    return Shape(read, words, schema, example=example)


def _all(node: Node, place: Place) -> int | str:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        if node.value != "all":
            raise place.wrong(node, "a whole number, at least 1, or all", code="wrong-value")
        return "all"
    return integer(1)(node, place)


count_or_all = Shape(_all, "a whole number, at least 1, or all", {"anyOf": [integer(1), {"const": "all"}]}, example="1")
path = pattern_text(r"/[^\x00-\x1f]*", "an absolute path inside the container", example="/var/lib/data")
globs = items(pattern_text(r"[^\s]{1,253}", "a glob over names, such as *.example.com", example="api.example.com"),
              at_least=1)  # fmt: skip
route = pattern_text(
    r"\*|(?:[A-Z]{1,20} )?/[^\s\x00-\x1f]*",
    "a glob over paths, with or without a method before it, such as POST /orders*",
    example='"POST /orders*"',
)
_plain = Shape(
    lambda node, place: _value(node, place),  # noqa: PLW0108 -- defined below
    "a value",
    {"type": ["string", "number", "boolean"]},
    example="100ms",
)
any_values = items(_plain, at_least=2)
"""Values whose shape depends on another key; that key's reader reads them again."""


def _value(node: Node, place: Place) -> Any:  # noqa: ANN401 -- any scalar
    if not isinstance(node, Scalar) or node.value is None:
        raise place.wrong(node, "a value")
    return node.value


def parameter(shape: Shape[Any], doc: str, default: str = "", example: str = "") -> Key:
    """Return a parameter of a fault; `default` is a YAML scalar or a list as JSON writes it."""
    return Key(shape, doc, default=default, example=example)
