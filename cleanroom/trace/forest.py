"""Trees of spans as flat lists in pre-order, and their canonical order; nothing recurses, however deep a trace is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cleanroom.canonical import Json, canonical_bytes
from cleanroom.trace.rules import Siblings

ROOT = -1
"""The index that stands above all roots."""


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
    """Return the same trees in canonical order, with the digests of their subtrees; O(n log n).

    `unordered` sorts siblings by (name, subtree); `by_start` keeps the given order of services' spans and puts the
    runner's own before them by (name, subtree), because faults and steps start by the clock.
    """
    children = children_of(spans)
    subtree: dict[int, bytes] = {}

    def sort(indexes: list[int]) -> None:
        if siblings == "unordered":
            indexes.sort(key=lambda i: (spans[i].name, subtree[i]))
        else:
            own = sorted((i for i in indexes if spans[i].of_runner), key=lambda i: (spans[i].name, subtree[i]))
            indexes[:] = own + [i for i in indexes if not spans[i].of_runner]

    for index in range(len(spans) - 1, -1, -1):  # in pre-order every child comes after its parent
        sort(children[index])
        own = canonical_bytes(spans[index].fields)
        below = b"".join(subtree[child] for child in children[index])
        subtree[index] = hashlib.sha256(len(own).to_bytes(8, "big") + own + below).digest()
    sort(children[ROOT])
    return tuple(replace(spans[index], subtree=subtree[index].hex()) for index in preorder(children))


def preorder(children: dict[int, list[int]]) -> list[int]:
    """Return every index below `ROOT`, parents before children, siblings in order."""
    found: list[int] = []
    waiting = children[ROOT][::-1]
    while waiting:
        index = waiting.pop()
        found.append(index)
        waiting.extend(reversed(children[index]))
    return found
