"""Rules of normalising, written into a spec's text: everything that stands there stays, byte for byte.

Only insertions are made (and `siblings` changes its word), so comments, order, quotes and layout of the rest are kept.
The result is read again and must hold exactly the old data and the new rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from cleanroom.errors import SpecError
from cleanroom.spec.document import UnreadableError, plain, read_document
from cleanroom.spec.format.tree import Branch, Item, Leaf, Piece, read_source
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.writing import text as written

_STEP = 2
_TEMPLATE = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class _Edit:
    """What stands between two indexes, and what shall."""

    start: int
    end: int
    text: str


def amend_normalize(
    text: str,
    *,
    drop: Sequence[str] = (),
    drop_spans: Sequence[str] = (),
    replace: Sequence[tuple[str, str]] = (),
    siblings: str = "",
) -> str:
    """Return the text of a spec with these rules in `determinism.normalize` besides those that it has.

    What is there already is not added twice. Raises `SpecError` where the place is written in a way that an insertion
    cannot follow (an alias, a template, a file that is no YAML); the advice is to write the rules by hand.
    """
    rules: dict[str, Any] = {}
    if drop:
        rules["drop"] = list(drop)
    if drop_spans:
        rules["drop_spans"] = list(drop_spans)
    if replace:
        rules["replace"] = [{"pattern": pattern, "with": standing} for pattern, standing in replace]
    if siblings:
        rules["siblings"] = siblings
    if not rules:
        return text
    if any(
        mark in part
        for part in (*drop, *drop_spans, *(part for pair in replace for part in pair))
        for mark in _TEMPLATE
    ):
        raise _by_hand(rules, "a rule holds what a template would take for its own")
    wanted = {"determinism": {"normalize": rules}}
    before = _data(text)
    expected = _merged(before, wanted)
    if before is None or expected is None:
        raise _by_hand(rules, "determinism.normalize is no mapping of lists there, or the file is no plain YAML")
    amendment = _Amendment(text)
    root = read_source(text).root
    if isinstance(root, Branch) and root.mapping:
        amendment.mapping(root, wanted, before)
    result = amendment.result()
    after = _data(result)
    if after is None or repr(after) != repr(expected):
        raise _by_hand(rules, "the rules cannot be inserted into the way in which determinism is written there")
    return result


def _by_hand(rules: Mapping[str, Any], why: str) -> SpecError:
    return SpecError(f"the spec cannot be updated: {why}", remedy=f"write it by hand: normalize: {_flow(rules)}")


def _data(text: str) -> Any:  # noqa: ANN401 -- JSON-like by construction
    """Return the data of a text, or None where it is not valid."""
    log = ProblemLog("")
    try:
        data = plain(read_document(text, log))
    except UnreadableError:
        return None
    return None if log.found else data


def _merged(old: Any, new: Any) -> Any:  # noqa: ANN401 -- JSON-like by construction
    """Return the data with the new rules in it; None where they do not fit."""
    if old is None:
        return deepcopy(new)
    if isinstance(new, dict):
        if not isinstance(old, dict):
            return None
        result = dict(old)
        for key, value in new.items():
            result[key] = _merged(old[key], value) if key in old else deepcopy(value)
            if result[key] is None:
                return None
        return result
    if isinstance(new, list):
        return [*old, *(item for item in new if item not in old)] if isinstance(old, list) else None
    return new if isinstance(old, str) else None


class _Amendment:
    """Collects the edits, inner ones before outer ones, so that what is inserted at one place stands in that order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._edits: list[_Edit] = []
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def result(self) -> str:
        """Return the text with every edit made."""
        parts, at = [], 0
        for edit in sorted(self._edits, key=lambda each: each.start):
            parts += [self._text[at : edit.start], edit.text]
            at = edit.end
        return "".join([*parts, self._text[at:]])

    def mapping(self, branch: Branch, wanted: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        """Bring `wanted` into a mapping that holds `data`."""
        items = {item.key.value: item for item in branch.items if item.key is not None}
        missing = {key: value for key, value in wanted.items() if key not in items}
        for key, value in wanted.items():
            if key in items:
                self._value(branch, items[key], value, data[key])
        if branch.flow:
            self._into_flow(branch, [f"{key}: {_flow(value)}" for key, value in missing.items()])
        elif missing:
            self._behind(branch.items[-1].value, _block(missing, branch.column))

    def _value(self, branch: Branch, item: Item, wanted: Any, data: Any) -> None:  # noqa: ANN401 -- JSON-like
        value = item.value
        if isinstance(value, Leaf):
            self._leaf(branch, value, wanted)
        elif isinstance(wanted, Mapping) and value.mapping:
            self.mapping(value, wanted, data)
        elif isinstance(wanted, list) and not value.mapping:
            more = [each for each in wanted if each not in data]
            if value.flow:
                self._into_flow(value, [_flow(each) for each in more])
            elif more:
                self._behind(value.items[-1].value, [f"{' ' * value.column}- {_flow(each)}" for each in more])

    def _leaf(self, branch: Branch, leaf: Leaf, wanted: Any) -> None:  # noqa: ANN401 -- JSON-like
        """Replace a word, or fill a key that has no value; what else a leaf can be fails in the proof."""
        if isinstance(wanted, str) and leaf.begin < leaf.end and not leaf.alias:
            self._edits.append(_Edit(leaf.begin, leaf.end, wanted))
        elif leaf.begin == leaf.end and branch.flow:
            self._edits.append(_Edit(leaf.end, leaf.end, f" {_flow(wanted)}"))
        elif leaf.begin == leaf.end:
            self._behind(leaf, _block(wanted, branch.column + _STEP))

    def _into_flow(self, branch: Branch, parts: list[str]) -> None:
        if parts:
            at = branch.items[-1].value.end if branch.items else branch.end - 1
            self._edits.append(_Edit(at, at, (", " if branch.items else "") + ", ".join(parts)))

    def _behind(self, piece: Piece, lines: list[str]) -> None:
        """Insert lines below the line on which a value ends, behind its comment."""
        at = piece.end
        if self._text[at - 1 : at] != "\n":
            found = self._text.find("\n", at)
            at = len(self._text) if found < 0 else found + 1
        start = "" if self._text[at - 1 : at] in ("\n", "") else self._newline
        end = self._newline if at < len(self._text) or not start else ""
        self._edits.append(_Edit(at, at, start + self._newline.join(lines) + end))


def _block(wanted: Any, indent: int) -> list[str]:  # noqa: ANN401 -- JSON-like by construction
    """Return rules as lines of block YAML."""
    pad = " " * indent
    if isinstance(wanted, list):
        return [f"{pad}- {_flow(item)}" for item in wanted]
    lines = []
    for key, value in wanted.items():
        if isinstance(value, str):
            lines.append(f"{pad}{key}: {written(value)}")
        else:
            lines += [f"{pad}{key}:", *_block(value, indent + _STEP)]
    return lines


def _flow(value: Any) -> str:  # noqa: ANN401 -- JSON-like by construction
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    return written(value)
