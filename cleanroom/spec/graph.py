"""Which spans and services are connected, and how (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cleanroom.spec.expectation import Expectation
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.source import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeExpectation(Expectation):
    """One pair of `graph`: patterns of span names, or of services; of paths, an ancestor and a descendant."""

    parent: Pattern
    child: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphExpectation(Expectation):
    """`graph`, with at least one of its checks."""

    edges: tuple[EdgeExpectation, ...] = ()
    no_edges: tuple[EdgeExpectation, ...] = ()
    paths: tuple[EdgeExpectation, ...] = ()
    no_paths: tuple[EdgeExpectation, ...] = ()
    service_edges: tuple[EdgeExpectation, ...] = ()
    acyclic: bool = False
    single_root: bool = False
    no_orphans: bool = False
    connected: bool = False
    max_depth: int | None = None
    closed: bool = False
    places: Mapping[str, Position] = field(default_factory=lambda: MappingProxyType({}), compare=False)
    """Where each key is written: a block of many checks is no place to look for one of them."""

    def place(self, key: str) -> Position:
        """Return where a key is written; the block's own place for one that no file has."""
        return self.places.get(key, self.at)
