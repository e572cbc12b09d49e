"""Which spans and services are connected, and how (spec.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.spec.expectation import Expectation
from cleanroom.spec.pattern import Pattern


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
