"""A YAML text as a tree that still knows how it was written, and its comments."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from cleanroom.spec.document import LINE_END

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLOW_COLUMN = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment: from `#` to the end of its line."""

    start: int
    end: int
    column: int
    text: str
    own_line: bool
    """Whether nothing stands before it on its line."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaf:
    """A scalar or an alias (`alias` is then its name), from `start` (its anchor, if it has one) to `end`."""

    start: int
    begin: int
    """Where the scalar itself begins, after anchor and tag."""
    end: int
    value: str = ""
    style: str = ""
    """The empty text for a plain scalar, else a quote or `|` or `>`."""
    properties: str = ""
    """Anchor and tag as they are written before the value."""
    alias: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """An item of a sequence, which starts at its dash (in flow style at the value), or an entry of a mapping."""

    start: int
    key: Leaf | None
    value: Piece


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branch:
    """A sequence or a mapping."""

    start: int
    end: int
    column: int
    """The column of its items in block style; beyond every column in flow style."""
    flow: bool
    mapping: bool
    items: tuple[Item, ...]
    properties: str = ""


Piece: TypeAlias = Leaf | Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A whole file: its text with plain line feeds, the root, the comments in order."""

    text: str
    root: Piece
    comments: tuple[Comment, ...]
    header: tuple[str, ...]
    """Directives (`%YAML 1.2`) and the document's start (`---`), where they are written."""
    header_end: int


def read_source(text: str) -> Source:
    """Return the tree of a text that has been found to be valid YAML with one document."""
    from ruamel.yaml import YAML  # noqa: PLC0415 -- 30 ms that other commands need not pay

    columns = Columns(text)
    tokens = list(YAML(typ="safe", pure=True).scan(text))
    comments = tuple(_comments(text, tokens, columns))
    header, header_end = _header(text, tokens)
    dashes = [token.start_mark.index for token in tokens if type(token).__name__ == "BlockEntryToken"]
    events = iter(YAML(typ="safe", pure=True).parse(text))
    for event in events:
        if type(event).__name__ == "DocumentStartEvent":
            break
    ends = [token.end_mark.index for token in tokens if token.end_mark.index > token.start_mark.index]
    root = _Reader(text, events, dashes, ends, columns).piece(next(events))
    return Source(text=text, root=root, comments=comments, header=header, header_end=header_end)


class Columns:
    """Where the lines of a text begin."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in LINE_END.finditer(text))]

    def __call__(self, at: int) -> int:
        """Return the column of an index, from 0."""
        return at - self._starts[self.line(at)]

    def line(self, at: int) -> int:
        """Return the line of an index, from 0."""
        return bisect_right(self._starts, at) - 1


def _comments(text: str, tokens: list[Any], columns: Columns) -> Iterator[Comment]:
    """Yield the comments: all that stands between tokens and is no white space, and those behind `|` and `>`."""
    at = 0
    for token in tokens:
        start, end = token.start_mark.index, token.end_mark.index
        yield from _comments_between(text, at, start, columns)
        style = getattr(token, "style", None)
        if style in ("|", ">"):
            line_end = _line_end(text, start)
            yield from _comments_between(text, start, min(line_end, end), columns)
        at = max(at, end)
    yield from _comments_between(text, at, len(text), columns)


def _comments_between(text: str, start: int, end: int, columns: Columns) -> Iterator[Comment]:
    at = text.find("#", start, end)
    while at >= 0:
        stop = _line_end(text, at)
        column = columns(at)
        yield Comment(
            start=at,
            end=stop,
            column=column,
            text=text[at:stop].rstrip(),
            own_line=not text[at - column : at].strip(),
        )
        at = text.find("#", stop, end)


def _line_end(text: str, at: int) -> int:
    match = LINE_END.search(text, at)
    return match.start() if match else len(text)


def _header(text: str, tokens: list[Any]) -> tuple[tuple[str, ...], int]:
    lines: list[str] = []
    end = 0
    for token in tokens:
        name = type(token).__name__
        if name in ("DirectiveToken", "DocumentStartToken"):
            written = text[token.start_mark.index : token.end_mark.index]
            lines.append(written.split("#")[0].rstrip() if name == "DirectiveToken" else "---")
            end = token.end_mark.index
    return tuple(lines), end


class _Reader:
    """Pieces from parser events."""

    def __init__(self, text: str, events: Iterator[Any], dashes: list[int], ends: list[int], columns: Columns) -> None:
        self._columns = columns
        self._text = text
        self._ends = ends
        self._events = events
        self._dashes = dashes

    def piece(self, event: Any) -> Piece:  # noqa: ANN401 -- ruamel's events have no types
        name = type(event).__name__
        start, end = event.start_mark.index, event.end_mark.index
        if name == "AliasEvent":
            return Leaf(start=start, begin=start, end=end, alias=event.anchor)
        properties = _properties(event)
        if name == "ScalarEvent":
            style = event.style or ""
            if start == end:
                # An empty value: the parser puts it before the next token, behind comments that are not its own.
                start = end = self._ends[bisect_right(self._ends, start) - 1]
            begin = self._after_properties(start, end) if properties else start
            value = str(event.value)
            return Leaf(start=start, begin=begin, end=end, value=value, style=style, properties=properties)
        flow = bool(event.flow_style)
        items, end = self._mapping() if name == "MappingStartEvent" else self._sequence(flow=flow)
        braced = flow and self._text[end - 1 : end] in ("}", "]") and (properties or self._text[start] in "{[")
        if not braced and items:
            # A pair without braces in a flow sequence (`[a: 1]`) ends with its value, as every block collection does.
            end = items[-1].value.end
        column = _FLOW_COLUMN if flow or not items else self._columns(items[0].start)
        return Branch(
            start=start,
            end=end,
            column=column,
            flow=flow,
            mapping=name == "MappingStartEvent",
            items=items,
            properties=properties,
        )

    def _mapping(self) -> tuple[tuple[Item, ...], int]:
        items: list[Item] = []
        for event in self._events:
            if type(event).__name__ == "MappingEndEvent":
                return tuple(items), event.end_mark.index
            key = self.piece(event)
            if isinstance(key, Branch):
                raise TypeError("a key that is a collection has been refused before")
            items.append(Item(start=key.start, key=key, value=self.piece(next(self._events))))
        raise EOFError

    def _sequence(self, *, flow: bool) -> tuple[tuple[Item, ...], int]:
        items: list[Item] = []
        for event in self._events:
            if type(event).__name__ == "SequenceEndEvent":
                return tuple(items), event.end_mark.index
            start = event.start_mark.index
            dash = start if flow else self._dash_before(start)
            items.append(Item(start=dash, key=None, value=self.piece(event)))
        raise EOFError

    def _dash_before(self, start: int) -> int:
        return self._dashes[bisect_left(self._dashes, start) - 1]

    def _after_properties(self, start: int, end: int) -> int:
        """Return where a scalar begins whose event starts at its anchor or tag."""
        at = start
        while at < end and self._text[at] in "&!":
            while at < end and not self._text[at].isspace():
                at += 1
            at = self._skip_blank(at, end)
        return at

    def _skip_blank(self, at: int, end: int) -> int:
        while at < end:
            if self._text[at] == "#":
                at = _line_end(self._text, at)
            elif self._text[at].isspace():
                at += 1
            else:
                break
        return at


def _properties(event: Any) -> str:  # noqa: ANN401 -- ruamel's events have no types
    tag = str(event.ctag) if event.ctag else ""
    words = []
    if event.anchor:
        words.append(f"&{event.anchor}")
    if tag:
        words.append("!!" + tag.rpartition(":")[2] if tag.startswith("tag:yaml.org,2002:") else tag)
    return " ".join(words)
