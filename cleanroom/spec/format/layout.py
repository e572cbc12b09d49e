"""The layout of a spec file: two spaces a level, sequences two inside their key, one blank line at most.

Comments keep their order. One on its own line stands above what follows it, at that indentation; at the end of a
nested block its column decides to which block it belongs. One behind a value stays behind it, in its column where
that leaves two spaces. A flow collection stays one when it fits in the width and has no comment inside.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from cleanroom.spec.format.block import STEP, block_scalar
from cleanroom.spec.format.scalar import written
from cleanroom.spec.format.tree import Branch, Comment, Item, Leaf, Piece, Source

WIDTH = 120


@dataclass(frozen=True, slots=True)
class _Limit:
    """Where the next thing outside of a collection begins, and in which column."""

    at: int
    column: int


def lay_out(source: Source) -> str:
    """Return the text of `source` in the one layout."""
    printer = _Printer(source)
    printer.document()
    return "\n".join(printer.lines) + "\n"


class _Printer:
    """Writes lines in document order and takes each comment when its place comes."""

    def __init__(self, source: Source) -> None:
        self.lines: list[str] = []
        self._source = source
        self._text = source.text
        self._comments = source.comments
        self._starts = [comment.start for comment in source.comments]
        self._next = 0
        self._kept = 0
        """Up to which line a block scalar reaches that keeps the blank lines behind it as text (`|+`)."""

    def document(self) -> None:
        """Write the whole file."""
        for mark in self._source.header:
            self._above(self._source.header_end - len("---"), 0)
            self.lines.append(mark)
        if self._source.header:
            self._behind(self._source.header_end, self._line_end(self._source.header_end))
        root = self._source.root
        end = _Limit(len(self._text) + 1, root.column if isinstance(root, Branch) else 0)
        if isinstance(root, Branch):
            line = self._inline(root, "")
            if line is not None or root.properties:
                self._above(root.start, 0)
                self.lines.append(root.properties if line is None else line)
            if line is None:
                self._branch(root, 0, None, end)
        self._above(end.at, 0)

    def _branch(self, branch: Branch, indent: int, head: str | None, limit: _Limit) -> None:
        """Write a collection in block style; `head` is what stands before its first item on the same line."""
        last = len(branch.items) - 1
        inner = _Limit(branch.end, -1) if branch.flow else limit
        for index, item in enumerate(branch.items):
            item_limit = inner if index == last else _Limit(branch.items[index + 1].start, branch.column)
            if index == 0 and head is not None:
                self._above(item.start, _width(head), blank=False)
                self._item(item, head, indent, item_limit)
            else:
                self._above(item.start, indent, first=index == 0)
                self._blank_line(item.start, wanted=index > 0 or self._is_comment_above())
                self._item(item, " " * indent, indent, item_limit)
        least = inner.column + 1 if branch.flow else max(inner.column + 1, branch.column)
        while (comment := self._peek(inner.at)) and comment.column >= least:
            self._own(comment, indent)

    def _item(self, item: Item, prefix: str, indent: int, limit: _Limit) -> None:
        """Write one entry or item whose line begins with `prefix`."""
        if item.key is None:
            start = prefix + "-"
        else:
            start = prefix + written(item.key, flow=False, key=True) + (" :" if item.key.alias else ":")
        value = item.value
        if isinstance(value, Leaf):
            if value.style in ("|", ">"):
                self._block_scalar(item, value, start, indent)
            else:
                self._one_value(value, self._scalar_lines(value, start, indent), _width(prefix), limit)
            return
        line = self._inline(value, start + " ")
        if line is not None:
            self._one_value(value, [line], _width(prefix), limit)
        elif item.key is not None or value.properties:
            self.lines.append(f"{start} {value.properties}".rstrip())
            self._behind(item.start, min(limit.at, value.items[0].start))
            self._behind_closed(value, limit)
            self._branch(value, indent + STEP, None, limit)
            self._after_closed(value, indent + STEP, limit)
        else:
            self._above(value.items[0].start, _width(prefix), blank=False)
            if value.flow and not self._inside(value) and (behind := self._closing(value, limit)):
                self._own(behind, _width(prefix), blank=False)
            self._branch(value, indent + STEP, start + " ", limit)
            self._after_closed(value, indent + STEP, limit)

    def _one_value(self, value: Piece, lines: list[str], outer: int, limit: _Limit) -> None:
        """Write a value that begins on the line of its key or dash, with the comments before and behind it."""
        before = self._take(value.end)
        behind = self._closing(value, limit)
        if len(before) == 1 and not before[0].own_line and behind is None:
            self.lines += lines
            self._append(before[0])
            return
        for above in before:
            self._own(above, outer, taken=True, blank=False)
        self.lines += lines
        if behind is not None:
            self._take(behind.end)
            self._append(behind)

    def _scalar_lines(self, leaf: Leaf, start: str, indent: int) -> list[str]:
        """Return a scalar as its line; one that spans lines keeps them, as their breaks are part of its wording."""
        raw = self._text[leaf.begin : leaf.end].split("\n")
        if leaf.alias or len(raw) == 1:
            return [f"{start} {written(leaf, flow=False)}".rstrip()]
        pad = " " * (indent + STEP)
        head = f"{start} {leaf.properties}".rstrip()
        lines = [f"{head} {_trimmed(raw[0], leaf.style)}"]
        for line in raw[1:-1]:
            text = _trimmed(line.lstrip(" \t"), leaf.style)
            lines.append(pad + text if text else "")
        lines.append(pad + raw[-1].lstrip(" \t"))
        return lines

    def _block_scalar(self, item: Item, leaf: Leaf, start: str, indent: int) -> None:
        """Write a block scalar: its lines as they are, moved to their place."""
        for comment in self._take(leaf.begin):
            self._own(comment, _width(start), taken=True, blank=False)
        header, lines = block_scalar(leaf, self._text, self._column(item.start))
        self.lines.append(" ".join(word for word in (start, leaf.properties, header) if word))
        comment_behind = self._peek(self._line_end(leaf.begin))
        if comment_behind is not None:
            self._take(comment_behind.end)
            self._append(comment_behind)
        self.lines += [" " * (indent + STEP) + line if line else "" for line in lines]
        self._kept = len(self.lines) if header.endswith("+") else 0

    def _inline(self, piece: Piece, start: str) -> str | None:
        """Return a collection as one line, or None when it does not fit or must not be one."""
        if isinstance(piece, Leaf) or (piece.items and (not piece.flow or self._inside(piece))):
            return None
        line = start + _flow(piece)
        return line if len(line) <= WIDTH else None

    def _inside(self, branch: Branch) -> bool:
        at = bisect_left(self._starts, branch.start, self._next)
        return at < len(self._starts) and self._starts[at] < branch.end

    def _closing(self, piece: Piece, limit: _Limit) -> Comment | None:
        """Return the comment that stands behind the end of a value on the same line."""
        at = bisect_left(self._starts, piece.end, self._next)
        if at == len(self._starts):
            return None
        comment = self._comments[at]
        alone = comment.own_line or comment.start >= limit.at or "\n" in self._text[piece.end : comment.start]
        return None if alone else comment

    def _behind_closed(self, branch: Branch, limit: _Limit) -> None:
        """Put the comment behind a flow collection that becomes a block behind its key."""
        if branch.flow and not self._inside(branch) and (comment := self._closing(branch, limit)):
            self._take(comment.end)
            if "#" in self.lines[-1] and self.lines[-1].endswith(self._comments[self._next - 2].text):
                self._own(comment, _width(self.lines[-1]) + STEP, taken=True, blank=False)
            else:
                self.lines[-1] += f"  {comment.text}"  # its column was that of a long line

    def _after_closed(self, branch: Branch, indent: int, limit: _Limit) -> None:
        if branch.flow and (comment := self._closing(branch, limit)) and comment is self._peek(limit.at):
            self._own(comment, indent, blank=False)

    def _peek(self, before: int) -> Comment | None:
        """Return the next comment when it stands before an index."""
        if self._next < len(self._comments) and self._comments[self._next].start < before:
            return self._comments[self._next]
        return None

    def _take(self, before: int) -> list[Comment]:
        taken = []
        while (comment := self._peek(before)) is not None:
            taken.append(comment)
            self._next += 1
        return taken

    def _above(self, before: int, indent: int, *, blank: bool = True, first: bool = False) -> None:
        """Write the comments before an index on lines of their own."""
        for number, comment in enumerate(self._take(before)):
            self._own(comment, indent, taken=True, blank=blank and not (first and number == 0))

    def _own(self, comment: Comment, indent: int, *, taken: bool = False, blank: bool = True) -> None:
        if not taken:
            self._take(comment.end)
        self._blank_line(comment.start, wanted=blank)
        self.lines.append(" " * indent + comment.text)

    def _behind(self, start: int, before: int) -> None:
        """Put the next comment behind the last line when it stood behind something, too."""
        comment = self._peek(before)
        if comment is not None and not comment.own_line and comment.start >= start:
            self._take(comment.end)
            self._append(comment)

    def _append(self, comment: Comment) -> None:
        line = self.lines[-1]
        self.lines[-1] = line + " " * max(2, comment.column - len(line)) + comment.text

    def _column(self, at: int) -> int:
        return at - (self._text.rfind("\n", 0, at) + 1)

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        return len(self._text) if end < 0 else end

    def _is_comment_above(self) -> bool:
        return bool(self.lines) and self.lines[-1].lstrip().startswith("#")

    def _blank_line(self, at: int, *, wanted: bool) -> None:
        """Write one blank line where the source has at least one before `at`."""
        breaks = 0
        while at > 0 and self._text[at - 1 : at].isspace():
            at -= 1
            breaks += self._text[at] == "\n"
        if wanted and breaks > 1 and self.lines and self.lines[-1] and len(self.lines) != self._kept:
            self.lines.append("")


def _flow(piece: Piece) -> str:
    """Return a value as flow text."""
    if isinstance(piece, Leaf):
        return written(piece, flow=True)
    parts = []
    for item in piece.items:
        if item.key is None:
            parts.append(_flow(item.value))
        else:
            key = written(item.key, flow=True, key=True) + (" :" if item.key.alias else ":")
            parts.append(f"{key} {_flow(item.value)}")
    inside = ", ".join(parts)
    text = f"{{{inside}}}" if piece.mapping else f"[{inside}]"
    return f"{piece.properties} {text}" if piece.properties else text


def _width(prefix: str) -> int:
    return len(prefix) - len(prefix.lstrip(" "))


def _trimmed(line: str, style: str) -> str:
    """Return a line of a scalar without the white space at its end, unless a backslash makes it part of the text."""
    bare = line.rstrip(" \t")
    escaped = style == '"' and (len(bare) - len(bare.rstrip("\\"))) % 2 == 1 and bare != line
    return bare + line[len(bare)] if escaped else bare
