"""Trees of spans as flat lists in pre-order, and their canonical order; nothing recurses, however deep a trace is."""

from __future__ import annotations

import json
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from operator import add
from typing import overload

from cleanroom.canonical import Json, canonical_bytes
from cleanroom.trace.rules import Siblings

ROOT = -1
"""The index that stands above all roots."""

_EXACT = 2**53
Children = Mapping[int, list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedSpan:
    """One span of a normalised trace: its depth (0 for a root), what is left of it, and the digest of its subtree."""

    depth: int
    fields: dict[str, Json]
    """name, origin, service, kind, scope, status, status_message, attributes, resource, events, links and oddities."""
    subtree: str = ""
    """Hex SHA-256 over the span and everything below it, in order."""

    @property
    def name(self) -> str:
        """The span's name under the rules."""
        return str(self.fields["name"])

    @property
    def of_runner(self) -> bool:
        """Whether the runner sent it."""
        return self.fields["origin"] == "runner"


class EncodedSpans(Sequence[NormalisedSpan]):
    """Spans in canonical pre-order, held as bytes; each is read when it is first looked at.

    Most traces are digested and never looked at: five equal iterations of a large trace would hold every value thrice.
    """

    __slots__ = ("_depths", "_heads", "_read", "_subtrees", "_tails")

    def __init__(self, depths: Sequence[int], heads: Sequence[bytes], tails: Sequence[bytes]) -> None:
        """Take the columns: each span's depth, and its canonical JSON in two parts."""
        self._depths, self._heads, self._tails = depths, heads, tails
        self._subtrees: Sequence[bytes] = ()
        self._read: dict[int, NormalisedSpan] = {}

    def __len__(self) -> int:
        return len(self._heads)

    @overload
    def __getitem__(self, index: int) -> NormalisedSpan: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NormalisedSpan]: ...
    def __getitem__(self, index: int | slice) -> NormalisedSpan | Sequence[NormalisedSpan]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        index = range(len(self))[index]
        if index not in self._read:
            self._subtrees = self._subtrees or subtrees_of(self._depths, self._heads, self._tails)
            self._read[index] = NormalisedSpan(
                depth=self._depths[index],
                fields=_DECODER.decode((self._heads[index] + self._tails[index]).decode()),
                subtree=self._subtrees[index].hex(),
            )
        return self._read[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EncodedSpans):
            return list(self.encoded()) == list(other.encoded())
        return isinstance(other, tuple) and tuple(self) == other

    __hash__ = None  # type: ignore[assignment]  # compared by content

    def encoded(self) -> Iterator[tuple[int, bytes]]:
        """Return (depth, canonical JSON) of every span, in order."""
        return zip(self._depths, map(add, self._heads, self._tails), strict=True)


def encoded(spans: Sequence[NormalisedSpan]) -> Iterator[tuple[int, bytes]]:
    """Return (depth, canonical JSON) of every span, in order."""
    if isinstance(spans, EncodedSpans):
        return spans.encoded()
    return ((span.depth, canonical_bytes(span.fields)) for span in spans)


def _number(text: str) -> int | float:
    # A float that happens to be whole is written like an integer; beyond 2**53 it is certainly one.
    number = int(text)
    return number if -_EXACT < number < _EXACT else float(text)


_DECODER = json.JSONDecoder(parse_int=_number)  # made once: it takes as long to make as to use


def children_of(spans: Sequence[NormalisedSpan]) -> dict[int, list[int]]:
    """Return parent index → indexes of its children in order, `ROOT` for the roots; `spans` are in pre-order."""
    children: dict[int, list[int]] = {index: [] for index in range(ROOT, len(spans))}
    above: list[int] = []
    for index, span in enumerate(spans):
        del above[span.depth :]
        children[above[-1] if above else ROOT].append(index)
        above.append(index)
    return children


def canonical_order(spans: Sequence[NormalisedSpan], siblings: Siblings) -> tuple[NormalisedSpan, ...]:
    """Return the same trees in canonical order, with the digests of their subtrees; see `arrange`."""
    texts = [text for _, text in encoded(spans)]
    names = [span.name for span in spans]
    own = {index for index, span in enumerate(spans) if span.of_runner}
    tails = [b""] * len(texts)
    order, depths = arrange(children_of(spans), names, texts, tails, own if siblings == "by_start" else None)
    subtrees = subtrees_of(depths, [texts[index] for index in order], tails)
    return tuple(replace(spans[index], subtree=subtree.hex()) for index, subtree in zip(order, subtrees, strict=True))


def arrange(
    children: Children,
    names: Sequence[str],
    heads: Sequence[bytes],
    tails: Sequence[bytes],
    own: Collection[int] | None,
) -> tuple[list[int], array[int]]:
    """Sort `children` in place; return every index in the new pre-order, and their depths.

    Siblings are sorted by (name, subtree). With `own`, the indexes of the runner's spans, services' spans keep their
    order instead, and the runner's come before them by (name, subtree), because faults and steps start by the clock.
    Spans are given in two parts; for the digest of a subtree see `subtrees_of`. O(n log n).
    """
    subtrees: list[bytes] = [b""] * len(heads)

    def arranged(below: list[int]) -> None:
        if len(below) < 2:  # noqa: PLR2004 -- one has no order
            return
        if own is None:
            # What is sorted by one thing and then by another is sorted by both, and neither needs a pair made.
            below.sort(key=subtrees.__getitem__)
            below.sort(key=names.__getitem__)
        else:
            first = sorted((i for i in below if i in own), key=lambda index: (names[index], subtrees[index]))
            below[:] = [*first, *(i for i in below if i not in own)]

    get = children.get
    for index in reversed(downwards(children)):  # every child comes before its parent
        below = get(index)
        if below:
            arranged(below)
            subtrees[index] = _subtree(heads[index], tails[index], [subtrees[child] for child in below])
            for child in below:  # its place among its like is settled, and a million digests take room
                subtrees[child] = b""
        else:  # as `_subtree`, and most have none below
            head, tail = heads[index], tails[index]
            subtrees[index] = sha256((len(head) + len(tail)).to_bytes(8, "big") + head + tail).digest()
    arranged(children[ROOT])
    subtrees.clear()
    return preorder(children, len(heads))


def _subtree(head: bytes, tail: bytes, below: Iterable[bytes] = ()) -> bytes:
    return sha256(b"".join(((len(head) + len(tail)).to_bytes(8, "big"), head, tail, *below))).digest()


def subtrees_of(depths: Sequence[int], heads: Sequence[bytes], tails: Sequence[bytes]) -> list[bytes]:
    """Return the digest of the subtree of each span, of spans in pre-order that are given in two parts.

    It is SHA-256 over the length of a span, the span, and its children's digests in order.
    """
    subtrees: list[bytes] = []
    below: list[list[bytes]] = [
        []
    ]  # of each depth, the digests of siblings whose parent is still to come, the last first
    for depth, head, tail in zip(reversed(depths), reversed(heads), reversed(tails), strict=True):
        while len(below) < depth + 2:
            below.append([])
        digest = _subtree(head, tail, reversed(below[depth + 1]))
        below[depth + 1].clear()
        below[depth].append(digest)
        subtrees.append(digest)
    subtrees.reverse()
    return subtrees


def children_under(parents: Sequence[int]) -> dict[int, list[int]]:
    """Return parent index → child indexes in order, for parents that have any, and `ROOT`."""
    children: dict[int, list[int]] = {ROOT: []}
    for index, parent in enumerate(parents):
        below = children.get(parent)
        if below is None:
            children[parent] = [index]
        else:
            below.append(index)
    return children


def downwards(children: Children) -> list[int]:
    """Return every index below `ROOT`, parents before children."""
    found = children[ROOT].copy()
    for index in found:  # grows meanwhile
        below = children.get(index)
        if below:
            found += below
    return found


def preorder(children: Children, number: int) -> tuple[list[int], array[int]]:
    """Return every index (below `number`) under `ROOT`, parents before children, siblings in order; and the depths."""
    depth_of = [0] * number
    found: list[int] = []
    depths = array("q")
    waiting = children[ROOT][::-1]
    while waiting:
        index = waiting.pop()
        found.append(index)
        depth = depth_of[index]
        depths.append(depth)
        below = children.get(index)
        if below:
            depth += 1
            for child in below:
                depth_of[child] = depth
            waiting += below[::-1]
    return found, depths
