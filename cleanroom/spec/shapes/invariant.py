"""The shape of `expect.invariants` (spec.md section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanroom.spec import invariant as kinds
from cleanroom.spec.document import Table
from cleanroom.spec.invariant import ColumnKind, SnapshotKind
from cleanroom.spec.reference import locate
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.error_type import error_type
from cleanroom.spec.shapes.expectation import identity
from cleanroom.spec.shapes.probe import probe
from cleanroom.spec.shapes.query import query, sql
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, fixed_text, integer, items, number, text
from cleanroom.spec.shapes.value import positive_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_SQL = '{service: db, query: "select id from orders order by id"}'
_snapshot = Key(fixed_text, "The id of a `snapshot` step.", example="before", errors=("unknown-snapshot",))
_sql = Key(sql, "The rows.", example=_SQL)
_column = Key(fixed_text, "The column.", example="id")
_journal = Key(
    text, "The journal of a workload.", example="orders", errors=("unknown-journal",), names=frozenset({"iteration"})
)


def _kind(
    name: str, doc: str, keys: dict[str, Key], make: Callable[..., Any], optional: tuple[str, ...] = ()
) -> Shape[Any]:
    record = Record(
        place=f"expect.invariants[].{name}",
        doc=doc,
        keys=keys,
        required=tuple(key for key in keys if key not in optional),
    )
    return record.making(make)


def _of_snapshot(name: SnapshotKind, doc: str) -> Shape[Any]:
    return _kind(
        name, doc, {"snapshot": _snapshot},
        lambda snapshot: kinds.SnapshotInvariant(kind=name, snapshot=snapshot),
    )  # fmt: skip


def _of_column(name: ColumnKind, doc: str) -> Shape[Any]:
    return _kind(
        name, doc, {"sql": _sql, "column": _column},
        lambda sql, column: kinds.ColumnInvariant(kind=name, sql=sql, column=column),
    )  # fmt: skip


_RECONCILE = _kind(
    "reconcile", "Two queries whose results must be equal, e.g. a sum and a counter.",
    {
        "left": Key(query, "One query.", example="{http: {service: shop, path: /sum}}"),
        "right": Key(query, "The other.", example="{exec: {service: ledger, command: [total]}}"),
    },
    kinds.ReconcileInvariant,
)  # fmt: skip
_ACKNOWLEDGED = _kind(
    "acknowledged", "What the services acknowledged to a workload against what is there in the end.",
    {
        "journal": _journal,
        "present": Key(
            query, "Finds the values that are there: the journal has those that were acknowledged.",
            example="{http: {service: shop, path: /ids}}",
        ),
        "lost": Key(comparator("count"), "How many were acknowledged and are not there.", "0", "0"),
        "duplicated": Key(comparator("count"), "How many are there more than once.", "0", "0"),
    },
    kinds.AcknowledgedInvariant, optional=("lost", "duplicated"),
)  # fmt: skip
_LEADER = _kind(
    "single_leader",
    "Asked again and again while the scenario runs, no more than `at_most` replicas say that they lead.",
    {
        "probe": Key(
            probe, "Succeeds where the replica leads; it is asked of each replica of its service.",
            example="{exec: {service: db, command: [pg_isready]}}",
        ),
        "at_most": Key(integer(1), "The most leaders at any time.", "1", "1"),
        "interval": Key(positive_duration, "The pause between two rounds of questions.", "200ms", "200ms"),
    },
    kinds.SingleLeaderInvariant, optional=("at_most", "interval"),
)  # fmt: skip
_ORDER = _kind(
    "order", "Rows of which `by` never falls.",
    {
        "sql": _sql,
        "per": Key(fixed_text, "The column that groups rows: each group has an order of its own.", example="account"),
        "by": Key(fixed_text, "The column that never falls from row to row.", example="version"),
    },
    kinds.RowOrderInvariant, optional=("per",),
)  # fmt: skip
_CLASSES = _kind(
    "error_classes", "Which errors a workload may have met.",
    {
        "journal": _journal,
        "only": Key(
            distinct(items(error_type), "error-type"), "The error types that may occur; an empty list allows none.",
            example='[timeout, "sql:40001"]'
        ),
    },
    kinds.ErrorClassesInvariant,
)  # fmt: skip
_FAIRNESS = _kind(
    "fairness", "That nobody starves.",
    {
        "journal": _journal,
        "by": Key(
            fixed_text, "What groups operations: `worker`, or a variable of the workload that each operation also "
            "captures under its name. One that fails captures nothing, and breaks it.", example="worker",
        ),
        "min_share": Key(
            number(0, 1, above=True),
            "The least successes of a group, as a share of an equal part: `1` wants all groups alike.", example="0.5",
        ),
    },
    kinds.FairnessInvariant,
)  # fmt: skip
_KINDS: dict[str, Key] = {
    "unchanged": Key(
        _of_snapshot("unchanged", "A snapshot that is the same in the end."),
        "What was found then is found in the end.",
        example="{snapshot: before}",
    ),
    "delta": Key(
        _kind(
            "delta", "How much a number differs from a snapshot.",
            {"snapshot": _snapshot, "value": Key(comparator("number"), "The number in the end less the one then.")},
            kinds.DeltaInvariant,
        ),
        "A number has changed by so much since the snapshot.", example="{snapshot: before, value: 10}",
    ),
    "unique": Key(
        _of_column("unique", "A column without duplicates. No rows break it."), "No value of a column is there twice.",
        example=f"{{sql: {_SQL}, column: id}}",
    ),
    "monotonic": Key(
        _of_column("monotonic", "A column whose values rise from row to row. No rows break it."),
        "Each value of a column is greater than the one before.", example=f"{{sql: {_SQL}, column: id}}",
    ),
    "reconcile": Key(
        _RECONCILE, "Two queries have equal results.",
        example="{left: {http: {service: shop, path: /sum}}, right: {http: {service: shop, path: /total}}}",
    ),
    "acknowledged": Key(
        _ACKNOWLEDGED, "What was acknowledged is there, once.",
        example="{journal: orders, present: {http: {service: shop, path: /ids}}, lost: 0}",
    ),
    "orphans": Key(
        _kind(
            "orphans", "Rows without the row they refer to.",
            {"sql": Key(sql, "Finds the orphans; a row that it finds breaks the invariant.", example=_SQL)},
            kinds.OrphansInvariant,
        ),
        "No row refers to one that is not there.", example=f"{{sql: {_SQL}}}",
    ),
    "drift": Key(
        _of_snapshot("drift", "A snapshot of a schema that is the same in the end."),
        "The structure that was found then (tables, columns, constraints) is found in the end.",
        example="{snapshot: before}",
    ),
    "single_leader": Key(
        _LEADER, "Never do more replicas lead than may.",
        example="{probe: {tcp: {service: db, port: 5432}}}",
    ),
    "order": Key(_ORDER, "Rows are in order.", example=f"{{sql: {_SQL}, by: id}}"),
    "dump_digest": Key(
        _of_snapshot("dump_digest", "A snapshot of a dump whose digest, with its rows sorted, is the same in the end."),
        "A dump has the same digest, whatever the order of its rows.", example="{snapshot: before}",
    ),
    "error_classes": Key(_CLASSES, "Operations failed in expected ways only.",
                         example="{journal: orders, only: [timeout]}"),
    "fairness": Key(_FAIRNESS, "Nobody starves.", example="{journal: orders, by: worker, min_share: 0.5}"),
    "holds": Key(probe, "A probe succeeds in the end.", example="{tcp: {service: db, port: 5432}}"),
}  # fmt: skip
_INVARIANT = Record(
    place="expect.invariants[]",
    doc="One truth about the data, with exactly one kind. It is judged when the steps and faults have ended.",
    keys={**identity(), **_KINDS},
    required=("id",),
    exactly_one=tuple(_KINDS),
)


def _invariant(node: Node, place: Place) -> kinds.Invariant:
    fields = _INVARIANT(node, place)
    kind, value = fields.only(_INVARIANT.exactly_one)
    check = kinds.HoldsInvariant(probe=value) if kind == "holds" else value
    if isinstance(check, kinds.HoldsInvariant | kinds.SingleLeaderInvariant) and check.probe.optional:
        written = locate(fields.node, *((kind,) if kind == "holds" else (kind, "probe")))
        at = written.key_at("optional") if isinstance(written, Table) else fields.node.at
        message = f"{place.path}.{kind} has an optional probe, so nothing could ever break the invariant"
        place.log.report("contradiction", at, message, suggestion="write level: warning for one that does not fail")
    shared = {key: fields.values[key] for key in ("id", "description", "level") if key in fields.values}
    return kinds.Invariant(check=check, at=fields.node.at, **shared)


invariant: Shape[kinds.Invariant] = Shape(_invariant, "a mapping", _INVARIANT)
"""One entry of `expect.invariants`."""
