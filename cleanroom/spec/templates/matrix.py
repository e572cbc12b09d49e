"""`matrix` (spec.md, introduction): the combinations for which a spec is a suite, chosen as in workflows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from cleanroom.spec.document import MOST_NODES, Items, Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.reference import require
from cleanroom.spec.templates.expression import text_of

if TYPE_CHECKING:
    from cleanroom.spec.document import Entry, Node
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.source import Position

Value: TypeAlias = "bool | int | float | str"
Combination: TypeAlias = "Mapping[str, Value]"
MOST_INSTANCES = 256
MOST_PRODUCTS = 10_000
"""Combinations before `exclude`."""
LARGEST_TOTAL = 4 * MOST_NODES
"""Values of all instances together."""
LONGEST_VALUE = 100
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_CHANGES = ("include", "exclude")
NO_MATRIX: tuple[Combination, ...] = (MappingProxyType({}),)


def combinations(matrix: Node | None, size: int, log: ProblemLog) -> tuple[Combination, ...] | None:
    """Return the combinations of a rendered `matrix` in order: the product of the axes, then those of `include`.

    `size` is the number of values of the document, each of which is read once per instance. Without a matrix there is
    one, empty combination; None when the matrix is wrong, which has been reported.
    """
    if matrix is None:
        return NO_MATRIX
    if _is_broken(matrix) or not _well_formed(matrix, log) or not isinstance(matrix, Table):
        return None
    before = len(log.found)
    found = _chosen(matrix, log)
    if len(log.found) > before:
        return None
    most = min(MOST_INSTANCES, max(1, LARGEST_TOTAL // size))
    if not 0 < len(found) <= most:
        of_size = " of a file of this size" if most < MOST_INSTANCES else ""
        words = f"1 to {most} combinations{of_size}"
        message = "the matrix is too large" if found else "exclude leaves no combination of the matrix"
        code = "too-many-values" if found else "impossible"
        log.report(code, matrix.at, message, expected=words, got=str(len(found)))
        return None
    return tuple(MappingProxyType(combination) for combination in found)


def _chosen(matrix: Table, log: ProblemLog) -> list[dict[str, Value]]:
    """Return the product of the axes without what `exclude` matches, and what `include` adds."""
    axes = {entry.key: _axis(entry, log) for entry in matrix.entries if entry.key not in _CHANGES}
    if math.prod(len(values) for values in axes.values()) > MOST_PRODUCTS:
        expected = f"at most {MOST_PRODUCTS} combinations"
        log.report("too-many-values", matrix.at, "the matrix is too large", expected=expected)
        return []
    original = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    kept = _exclude(original, matrix.get("exclude"), tuple(axes), log)
    return _include(kept, matrix.get("include"), tuple(axes), log)


def label(combination: Combination) -> str:
    """Return a combination as people read it: `postgres=15, region=eu`; empty for none."""
    return ", ".join(f"{name}={text_of(value)}" for name, value in combination.items())


def _is_broken(node: Node) -> bool:
    """Whether a template in the matrix could not be evaluated, which has been reported."""
    if isinstance(node, Scalar):
        return node.broken
    parts = node.items if isinstance(node, Items) else [entry.value for entry in node.entries]
    return any(_is_broken(part) for part in parts)


def _well_formed(matrix: Node, log: ProblemLog) -> bool:
    """Whether the matrix has its form, which the suite's own shape says; what is wrong is reported in its words."""
    from cleanroom.spec.shapes.matrix import matrix as form  # noqa: PLC0415 -- shapes stand above the loader's parts
    from cleanroom.spec.shapes.place import Place, RefusedError  # noqa: PLC0415

    before = len(log.found)
    try:
        form(matrix, Place(log, "matrix"))
    except RefusedError:
        return False
    return len(log.found) == before


def _axis(entry: Entry, log: ProblemLog) -> list[Value]:
    _check_name(entry.key, entry.at, log)
    values: list[Value] = []
    texts: set[str] = set()
    for item in entry.value.items if isinstance(entry.value, Items) else ():
        value = _value(item, log)
        if text_of(value) in texts:
            log.report("duplicate-value", item.at, f"the value {shown(value)} of {entry.key} exists already")
        texts.add(text_of(value))
        values.append(value)
    return values


def _check_name(name: str, at: Position, log: ProblemLog) -> None:
    if not _NAME.fullmatch(name):
        expected = "letters, digits, - and _, with a letter first"
        log.report("wrong-value", at, f"{shown(name)} cannot be the name of an axis", expected=expected)


def _value(node: Node, log: ProblemLog) -> Value:
    value = node.value if isinstance(node, Scalar) else None
    if value is None:
        raise TypeError("the form of a matrix has been checked")
    text = text_of(value)
    if not text or len(text) > LONGEST_VALUE or not text.isprintable():
        expected = f"one line of at most {LONGEST_VALUE} printable characters: instances are named by it"
        log.report("wrong-value", node.at, f"{shown(text)} cannot be a value of the matrix", expected=expected)
    return value


def _entries(node: Node | None, log: ProblemLog) -> list[tuple[Table, dict[str, Value]]]:
    listed = node.items if isinstance(node, Items) else ()
    return [
        (item, {entry.key: _value(entry.value, log) for entry in item.entries})
        for item in listed if isinstance(item, Table)
    ]  # fmt: skip


def _exclude(
    original: list[dict[str, Value]], node: Node | None, axes: tuple[str, ...], log: ProblemLog
) -> list[dict[str, Value]]:
    kept = original
    for item, wanted in _entries(node, log):
        known = [require(entry.key, entry.at, axes, "axis", log) for entry in item.entries]
        if not all(known):
            continue
        if not any(_matches(combination, wanted) for combination in original):
            message = f"this entry excludes nothing: no combination has {label(wanted)}"
            log.report("impossible", item.at, message, expected="values of the axes, of the same type")
        kept = [combination for combination in kept if not _matches(combination, wanted)]
    return kept


def _include(
    kept: list[dict[str, Value]], node: Node | None, axes: tuple[str, ...], log: ProblemLog
) -> list[dict[str, Value]]:
    """Merge each entry into the original combinations none of whose axes it would change, or add it as a new one."""
    found = [dict(combination) for combination in kept]
    added: list[dict[str, Value]] = []
    for item, more in _entries(node, log):
        for entry in item.entries:
            _check_name(entry.key, entry.at, log)
        own = {name: value for name, value in more.items() if name in axes}
        fitting = [combination for combination in found if _matches(combination, own)]
        before = [dict(combination) for combination in (*found, *added)]
        if fitting:
            for combination in fitting:
                combination.update(more)
        elif more not in added:
            added.append(more)
        if before == [*found, *added]:
            log.report("impossible", item.at, f"this entry adds nothing: {label(more)} is there already")
    everything = [*found, *added]
    names = [label(combination) for combination in everything]
    if len(set(names)) != len(names) and isinstance(node, Items):
        log.report("duplicate-value", node.at, "two combinations of the matrix are written alike")
    return everything


def _matches(combination: Mapping[str, Value], wanted: Mapping[str, Value]) -> bool:
    return all(_same(combination.get(name), value) for name, value in wanted.items())


def _same(left: Value | None, right: Value) -> bool:
    # true is no 1.
    return left == right and isinstance(left, bool) == isinstance(right, bool)
