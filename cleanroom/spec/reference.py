"""Names that refer to other names: where they stand, and what is said when nothing is called so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.document import Items, Scalar, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest, one_of
from cleanroom.spec.templates.runtime_text import RuntimeText

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cleanroom.spec.document import Node
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.source import Position


def locate(node: Node | None, *path: str | int) -> Node | None:
    """Return the node at `path` below `node`, or None."""
    for part in path:
        if isinstance(node, Table) and isinstance(part, str):
            node = node.get(part)
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return None
    return node


def text_at(node: Node | None, *path: str | int) -> str:
    """Return the text at `path`, or the empty string when there is none."""
    found = locate(node, *path)
    return found.value if isinstance(found, Scalar) and isinstance(found.value, str) else ""


def items_at(node: Node | None, *path: str | int) -> tuple[Node, ...]:
    """Return the items of the list at `path`; none when there is no list."""
    found = locate(node, *path)
    return found.items if isinstance(found, Items) else ()


def require(name: str, at: Position, known: Sequence[str], what: str, log: ProblemLog) -> bool:
    """Whether `name` is known; reports `unknown-<what>` with the nearest name when it is not.

    Of a template that waits for the run nothing is said: its place has refused it already.
    """
    if name in known or isinstance(name, RuntimeText):
        return True
    close = nearest(name, known)
    expected = one_of(known) if known else f"no {what} is declared"
    suggestion = f"did you mean {close}?" if close else ""
    log.report(f"unknown-{what}", at, f"there is no {what} {shown(name)}", expected=expected, suggestion=suggestion)
    return False


def require_unique(names: Iterable[tuple[str, Position]], what: str, log: ProblemLog) -> None:
    """Report each name that stands a second time."""
    first: dict[str, Position] = {}
    for name, at in names:
        if name in first:
            got = f"first at {first[name]}"
            log.report(f"duplicate-{what}", at, f"the {what} {shown(name)} exists already", got=got)
        first.setdefault(name, at)
