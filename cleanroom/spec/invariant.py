"""Invariants: what must be true of the data, whatever was injected (spec.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator, equal_to
from cleanroom.spec.expectation import Expectation
from cleanroom.spec.probe import Probe
from cleanroom.spec.query import Query, SqlAction

SnapshotKind: TypeAlias = Literal["unchanged", "drift", "dump_digest"]
ColumnKind: TypeAlias = Literal["unique", "monotonic"]
LEADER_INTERVAL = Duration(200 * 10**6)
NONE = equal_to(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInvariant:
    """`unchanged`, `drift`, `dump_digest`: a snapshot and what is found in the end are alike."""

    kind: SnapshotKind
    snapshot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaInvariant:
    """`delta`: what is found in the end less the snapshot."""

    snapshot: str
    value: Comparator


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInvariant:
    """`unique`, `monotonic`: the values of one column of the rows, in the order of the rows."""

    kind: ColumnKind
    sql: SqlAction
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileInvariant:
    """`reconcile`: two queries have equal results."""

    left: Query
    right: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgedInvariant:
    """`acknowledged`: what was acknowledged against what `present` finds."""

    journal: str
    present: Query
    lost: Comparator = NONE
    duplicated: Comparator = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphansInvariant:
    """`orphans`: a query that finds rows without the row they refer to finds none."""

    sql: SqlAction


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleLeaderInvariant:
    """`single_leader`: asked every `interval`, no more than `at_most` services say that they lead."""

    probe: Probe
    at_most: int = 1
    interval: Duration = LEADER_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOrderInvariant:
    """`order`: among the rows with the same `per`, `by` never falls."""

    sql: SqlAction
    per: str = ""
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorClassesInvariant:
    """`error_classes`: operations failed with these error types only."""

    journal: str
    only: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessInvariant:
    """`fairness`: each group of `by` has at least `min_share` of an equal share of the successes."""

    journal: str
    by: str
    min_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsInvariant:
    """`holds`: a probe succeeds in the end."""

    probe: Probe


Check: TypeAlias = (
    SnapshotInvariant | DeltaInvariant | ColumnInvariant | ReconcileInvariant | AcknowledgedInvariant | OrphansInvariant
    | SingleLeaderInvariant | RowOrderInvariant | ErrorClassesInvariant | FairnessInvariant | HoldsInvariant
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant(Expectation):
    """One entry of `expect.invariants`: its id and exactly one check."""

    check: Check
