"""A YAML document as plain nodes with positions, read under limits (spec.md, introduction).

YAML 1.2 core schema: `yes` and timestamps are text, `010` is ten. Nodes are built from the parser's events, so that
depth and the size after alias expansion are known before anything walks the tree.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from cleanroom.spec.operand import shown
from cleanroom.spec.source import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cleanroom.spec.problem import ProblemLog

LARGEST_FILE = 1024 * 1024
DEEPEST = 64
MOST_NODES = 100_000
LONGEST_NUMBER = 100

ScalarValue: TypeAlias = bool | int | float | str | None

LINE_END = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""What the YAML parser counts as the end of a line."""
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, ScalarValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_UNCARRIABLE = re.compile(r"[\x00\ud800-\udfff]")
_STANDARD = "tag:yaml.org,2002:"
_TAGS = {f"{_STANDARD}str": str, f"{_STANDARD}map": dict, f"{_STANDARD}seq": list}
_ADVICE = (
    ("'\\t'", "indent with spaces"),
    ("cannot start any token", "quote the text"),
    ("mapping values are not allowed", "quote text that has a colon and a space in it"),
    ("expected <block end>", "look at the indentation here and above, and at what stands behind a closing bracket"),
    ("expected ','", "a bracket or a quote before this place is not closed, or a comma is missing"),
)
"""What most often is wrong when the parser says so."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scalar:
    """A scalar; `text` is what was written, `block` that it is a literal block (`|`), whose lines are the file's."""

    value: ScalarValue
    text: str
    at: Position
    block: bool = False
    quoted: bool = False
    broken: bool = False
    """A template that could not be rendered: reported already, so nothing more is said of it."""
    size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Items:
    """A sequence."""

    items: tuple[Node, ...]
    at: Position
    size: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A key of a mapping, where it stands, and its value."""

    key: str
    at: Position
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A mapping; merge keys are resolved, own keys first, and merged ones keep their own positions."""

    entries: tuple[Entry, ...]
    at: Position
    size: int

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None."""
        return next((entry.value for entry in self.entries if entry.key == key), None)

    def key_at(self, key: str) -> Position:
        """Return where `key` stands; the mapping's own position when there is no such key."""
        return next((entry.at for entry in self.entries if entry.key == key), self.at)


Node: TypeAlias = Scalar | Items | Table


class UnreadableError(Exception):
    """The document cannot be read any further; what is wrong has been reported."""


def kind(node: Node) -> str:
    """Return what a node is in words, with a scalar's value: `text "x"`, `a list`."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node.value, str):  # text that waits for the run is a subclass
        return f"text {shown(node.value)}"
    names = {bool: "boolean", int: "number", float: "number", type(None): ""}
    return f"{names[type(node.value)]} {shown(node.value)}".strip()


def plain(node: Node) -> Any:  # noqa: ANN401 -- JSON-like by construction
    """Return the node as dicts, lists and scalars."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {entry.key: plain(entry.value) for entry in node.entries}


def decode(data: bytes, log: ProblemLog) -> str:
    """Return the text of a spec file; reports and raises UnreadableError when it is too large or not UTF-8."""
    if len(data) > LARGEST_FILE:
        got = f"{len(data)} bytes"
        log.report("too-large", Position(log.file, 1, 1), "the file is too large", expected="at most 1 MiB", got=got)
        raise UnreadableError
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        before = data[: err.start].decode("utf-8", "replace")
        at = Position(log.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        log.report("not-utf8", at, "the file is not UTF-8 text", got=f"byte 0x{data[err.start]:02x}")
        raise UnreadableError from None
    # ruamel counts these as line ends too: positions follow it.
    log.lines = LINE_END.split(text)
    return text


def read_document(text: str, log: ProblemLog, place: Callable[[int, int], Position] | None = None) -> Table:
    """Return the one mapping that `text` holds; reports problems, raises UnreadableError when there is no tree.

    `place` returns the position of a line and column of `text` where that is not the file's own.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 -- 30 ms that other commands need not pay
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    # The round-trip parser attaches comments to tokens, and gives up with an error of its own where two of them meet.
    place = place or partial(Position, log.file)
    yaml = YAML(typ="safe", pure=True)
    try:
        node = _Builder(iter(yaml.parse(text)), log, place).document()
    except MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        at = place(mark.line + 1, mark.column + 1) if mark else Position(log.file, 1, 1)
        begin = place(err.context_mark.line + 1, err.context_mark.column + 1) if err.context_mark else at
        context = f"{err.context} (from line {begin.line})" if err.context and begin.line != at.line else err.context
        message = " ".join(part for part in (context, err.problem) if part)
        suggestion = next((advice for words, advice in _ADVICE if words in message), "")
        log.report("yaml-syntax", at, f"not valid YAML: {message}", suggestion=suggestion)
        raise UnreadableError from err
    except (YAMLError, ValueError) as err:
        log.report("yaml-syntax", Position(log.file, 1, 1), f"not valid YAML: {str(err).splitlines()[0][:200]}")
        raise UnreadableError from err
    if isinstance(node, Table):
        return node
    if isinstance(node, Scalar) and node.broken:
        raise UnreadableError
    if node is None or (isinstance(node, Scalar) and node.value is None):
        log.report("empty-file", Position(log.file, 1, 1), "the file is empty", expected="a suite (cleanroom: 1, …)")
    else:
        log.report("wrong-type", node.at, "a spec file holds one mapping", expected="a mapping", got=kind(node))
    raise UnreadableError


class _Builder:
    """Nodes from parser events."""

    def __init__(self, events: Iterator[Any], log: ProblemLog, place: Callable[[int, int], Position]) -> None:
        self._events = events
        self._place = place
        self._log = log
        self._anchors: dict[str, Node] = {}
        self._read = 0

    def document(self) -> Node | None:
        """Return the document's node, or None when the stream is empty; a second document is a problem."""
        node: Node | None = None
        documents = 0
        for event in self._events:
            name = type(event).__name__
            if name == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    advice = "put it into a file of its own"
                    self._log.report(
                        "second-document", self._at(event), "a spec file holds one document", suggestion=advice
                    )
                    break
            elif name not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent", "CommentEvent"):
                node = self._node(event, 0)
        return node

    def _at(self, event: Any) -> Position:  # noqa: ANN401 -- ruamel's events have no types
        return self._place(event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> Node:  # noqa: ANN401
        at = self._at(event)
        self._read += 1
        self._limit(self._read, at)
        if depth > DEEPEST:
            self._log.report("too-deep", at, "the file is nested too deeply", expected=f"at most {DEEPEST} levels")
            raise UnreadableError
        name = type(event).__name__
        if name == "AliasEvent":
            if event.anchor not in self._anchors:
                message = f"there is no anchor {shown(event.anchor)} before this alias"
                self._log.report("unknown-alias", at, message, suggestion="quote text that begins with *")
                raise UnreadableError
            return self._anchors[event.anchor]
        self._check_tag(event, name, at)
        if name == "ScalarEvent":
            node: Node = self._scalar(event, at)
        elif name == "SequenceStartEvent":
            node = self._items(at, depth)
        else:
            node = self._mapping(at, depth)
        self._limit(node.size, at)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _limit(self, nodes: int, at: Position) -> None:
        if nodes > MOST_NODES:
            expected = f"at most {MOST_NODES} values"
            self._log.report("too-many-values", at, "too many values once aliases are expanded", expected=expected)
            raise UnreadableError

    def _check_tag(self, event: Any, name: str, at: Position) -> None:  # noqa: ANN401
        tag = str(event.ctag) if event.ctag else ""
        fits = {"ScalarEvent": str, "SequenceStartEvent": list}.get(name, dict)
        if tag and tag != "!" and _TAGS.get(tag) is not fits:
            written = shown(tag.replace(_STANDARD, "!!"))
            self._log.report("custom-tag", at, f"the tag {written} is not allowed", expected="plain YAML values")

    def _scalar(self, event: Any, at: Position) -> Scalar:  # noqa: ANN401
        text = str(event.value)
        if _UNCARRIABLE.search(text):
            message = "text cannot carry this character (NUL, or half a surrogate pair)"
            self._log.report("wrong-value", at, message, got=shown(text))
            return Scalar(value="", text="", at=at, quoted=True, broken=True)
        if event.style or event.ctag:
            return Scalar(value=text, text=text, at=at, block=event.style == "|", quoted=True)
        before = len(self._log.found)
        value = self._resolve(text, at)
        return Scalar(value=value, text=text, at=at, broken=len(self._log.found) > before)

    def _resolve(self, text: str, at: Position) -> ScalarValue:
        if text in _WORDS:
            return _WORDS[text]
        if not any(form.fullmatch(text) for form in (_INTEGER, _FLOAT, _NOT_FINITE)):
            return text
        whole = _INTEGER.fullmatch(text) is not None
        if len(text) > LONGEST_NUMBER:
            limit = f"at most {LONGEST_NUMBER} characters"
            self._log.report("wrong-value", at, "the number is too long", expected=limit)
        elif whole:
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        elif not _NOT_FINITE.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        else:
            self._log.report("not-finite", at, f"{text} is not a finite number", expected="a finite number")
        return 0

    def _items(self, at: Position, depth: int) -> Items:
        items: list[Node] = []
        size = 1
        for event in self._events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            items.append(self._node(event, depth + 1))
            size += items[-1].size
            self._limit(size, at)
        return Items(items=tuple(items), at=at, size=size)

    def _mapping(self, at: Position, depth: int) -> Node:
        """Return a mapping; a broken scalar for what is a template without quotes, `{{ x }}`, to YAML a mapping."""
        entries: dict[str, Entry] = {}
        merged: list[Entry] = []
        size = 1
        broken = False
        for event in self._events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            size += value.size + 1
            self._limit(size, at)
            if isinstance(value, Scalar) and value.value is None and not value.text:
                value = replace(value, at=key.at)  # the parser has it where the next token begins
            if isinstance(key, Scalar) and key.value == "<<" and not key.quoted:
                merged += self._merge(value)
            else:
                broken = broken or isinstance(key, Table) or (isinstance(key, Scalar) and key.broken)
                self._add(entries, key, value)
        if broken and not merged and not entries:
            return Scalar(value="", text="", at=at, quoted=True, broken=True, size=size)
        for entry in merged:
            entries.setdefault(entry.key, entry)
        return Table(entries=tuple(entries.values()), at=at, size=size)

    def _add(self, entries: dict[str, Entry], key: Node, value: Node) -> None:
        if isinstance(key, Scalar) and key.broken:
            return
        if not isinstance(key, Scalar) or not isinstance(key.value, str):
            template = 'quote a template: "{{ … }}"' if isinstance(key, Table) else ""
            suggestion = "quote the key" if isinstance(key, Scalar) else template
            self._log.report("non-text-key", key.at, "a key must be text", got=kind(key), suggestion=suggestion)
        elif key.value in entries:
            first = entries[key.value].at
            message = f"the key {shown(key.value)} stands here a second time"
            self._log.report("duplicate-key", key.at, message, got=f"first at {first}")
        else:
            entries[key.value] = Entry(key=key.value, at=key.at, value=value)

    def _merge(self, value: Node) -> list[Entry]:
        sources = value.items if isinstance(value, Items) else (value,)
        entries: list[Entry] = []
        for source in sources:
            if isinstance(source, Table):
                entries += source.entries
            elif not isinstance(source, Scalar) or not source.broken:
                got = kind(source)
                self._log.report("wrong-type", source.at, "<< merges mappings only", expected="a mapping", got=got)
        return entries
