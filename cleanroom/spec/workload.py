"""Workloads: many operations by many workers, journalled (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration
from cleanroom.spec.generator import Generator
from cleanroom.spec.retry import Retry

if TYPE_CHECKING:
    from cleanroom.spec.step import Step

MOST_WORKERS = 100
_NO_GENERATORS: Mapping[str, Generator] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One kind of operation, and how often it is chosen in proportion to the others of the mix."""

    step: Step
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Exactly one of `operations` (in all) and `duration` is set."""

    workers: int = 1
    operations: int | None = None
    duration: Duration | None = None
    rate: float | None = None
    """Operations per second over all workers; None: a closed loop, each begins when the worker's last has ended."""
    think: Duration = Duration(0)
    """A worker's pause between two operations."""
    barrier: bool = False
    """Whether the workers begin together."""
    mix: tuple[Operation, ...]
    vars: Mapping[str, Generator] = field(default_factory=lambda: _NO_GENERATORS)
    """Known in the operations' templates as `operation.<name>`."""
    retry: Retry | None = None
    journal: str = ""
    """The name under which invariants and resilience refer to the operations; empty: the step's own."""
