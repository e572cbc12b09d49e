"""Formatting a spec file, and the proof that nothing but its layout changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanroom.spec.document import UnreadableError, decode, plain, read_document
from cleanroom.spec.format.layout import lay_out
from cleanroom.spec.format.tree import Leaf, Piece, Source, read_source
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.source import Position

if TYPE_CHECKING:
    from collections.abc import Iterator


def format_spec(data: bytes, log: ProblemLog) -> str:
    """Return the formatted text of a spec file.

    The text is read again: it must hold the same data in the same order, the same anchors and aliases, and the same
    comments. Reports problems and raises UnreadableError when the file is not valid YAML, or when that proof fails
    (code `cannot-format`), which leaves the file as it is.
    """
    text = decode(data, log).replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    before = read_document(text, log)
    if log.found:
        raise UnreadableError
    source = read_source(text)
    result = lay_out(source)
    fault = _fault(source, plain(before), result)
    if fault:
        message = f"this file cannot be formatted: {fault}"
        suggestion = "the file is left as it is; write the place in a plainer way and try again"
        log.report("cannot-format", Position(log.file, 1, 1), message, suggestion=suggestion)
        raise UnreadableError
    return result


def _fault(source: Source, data: Any, result: str) -> str:  # noqa: ANN401 -- JSON-like by construction
    """Return what would be lost, or the empty text."""
    log = ProblemLog("")
    try:
        again = read_document(result, log)
    except UnreadableError:
        return "the new text would not be valid YAML"
    # Their text tells 1 from true and 1.0, and the order of keys, which equality does not.
    if log.found or repr(plain(again)) != repr(data):
        return "the new text would mean something else"
    written = read_source(result)
    if [comment.text for comment in written.comments] != [comment.text for comment in source.comments]:
        return "a comment would be lost or change its place"
    if list(_anchors(written.root)) != list(_anchors(source.root)):
        return "an anchor would be lost"
    return ""


def _anchors(piece: Piece) -> Iterator[str]:
    """Yield anchors with tags, and aliases, in order."""
    if isinstance(piece, Leaf):
        yield from (word for word in (piece.properties, piece.alias and f"*{piece.alias}") if word)
        return
    if piece.properties:
        yield piece.properties
    for item in piece.items:
        if item.key is not None:
            yield from _anchors(item.key)
        yield from _anchors(item.value)
