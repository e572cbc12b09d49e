"""Text that knows from where in a template it comes. Imports Jinja2: to be imported only where there is a template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from jinja2 import Undefined, nodes
from jinja2.utils import pass_context

from cleanroom.spec.templates.expression import ExpressionError, text_of, work
from cleanroom.spec.templates.sandbox import INTERNAL, cost, internal
from cleanroom.spec.templates.whole_file import Piece

if TYPE_CHECKING:
    from jinja2.runtime import Context

    from cleanroom.spec.templates.whole_file import _Position


class Traced(str):
    """Text made of pieces; what filters make of it is plain text again."""

    __slots__ = ("pieces",)
    pieces: tuple[Piece, ...]

    def __new__(cls, text: str, pieces: tuple[Piece, ...]) -> Self:
        """Return `text`, which consists of `pieces`."""
        traced = super().__new__(cls, text)
        traced.pieces = pieces
        return traced

    def __str__(self) -> Self:
        """Return the text itself: the template engine asks for it on every output."""
        return self


class Origins:
    """Keeps the origin of every part of the output of one template."""

    def __init__(self, position: _Position) -> None:
        self._position = position

    def cost(self, tree: nodes.Template) -> int:
        """Return what rendering the template costs once."""
        return cost(tree)

    def join(self, parts: Iterable[str]) -> str:
        """Return the parts as one text that knows where they come from; plain text when none of them does.

        A macro of the built-in file writes such parts: its text comes from where it is called.
        """
        written = list(parts)
        if not any(isinstance(part, Traced) for part in written):
            return "".join(written)
        text, pieces = self.gather(written)
        return Traced(text, tuple(pieces))

    def gather(self, parts: Iterable[str]) -> tuple[str, list[Piece]]:
        """Return the text of all parts, and its pieces; text without an origin has that of the text before it."""
        pieces: list[Piece] = []
        texts = []
        for part in parts:
            if isinstance(part, Traced):
                pieces.extend(part.pieces)
            elif part:
                line, column = (pieces[-1].line, pieces[-1].column) if pieces else (1, 1)
                pieces.append(Piece(len(part), line, column, verbatim=False))
            texts.append(part)
        return "".join(texts), pieces

    def written(self, node: nodes.TemplateData) -> nodes.Expr:
        """Return the expression that writes a piece of the template as it stands."""
        line, column = self._position.find(node.data, node.lineno)
        return internal("#data", nodes.Const(node.data, lineno=node.lineno), line, column)

    def evaluated(self, node: nodes.Expr) -> nodes.Expr:
        """Return the expression that writes the value of `node`."""
        line, column = self._position.find("{{", node.lineno)
        return internal("#text", node, line, column)


@pass_context
def _data(_context: Context, text: str, line: int, column: int) -> Traced:
    work().write(len(text))
    return Traced(text, (Piece(len(text), line, column, verbatim=True),) if text else ())


@pass_context
def _text(_context: Context, value: Any, line: int, column: int) -> Traced:  # noqa: ANN401
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()  # noqa: SLF001 -- the only place that words a missing name
    if not isinstance(value, (str, bool, int, float, list, tuple, Mapping)) and value is not None:
        raise ExpressionError("the result is neither text, number, boolean, null, list nor mapping")
    text = value if isinstance(value, Traced) else text_of(value)
    work().write(len(text))
    if isinstance(text, Traced) and text.pieces:
        return text
    return Traced(text, (Piece(len(text), line, column, verbatim=False),) if text else ())


INTERNAL.update({"#data": _data, "#text": _text})
