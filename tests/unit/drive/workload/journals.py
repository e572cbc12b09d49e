"""Journals of workloads for tests."""

from __future__ import annotations

from cleanroom.drive.workload.operation import Operation, OperationOutcome, Operations

BEGAN = 1_700_000_000_000_000_000
_OUTCOMES: tuple[tuple[OperationOutcome, str], ...] = (("ok", ""), ("failed", "timeout"), ("allowed", "sql:40001"))


def operations(count: int) -> Operations:
    """Return `count` operations, one each millisecond, of every outcome in turn."""
    found = Operations()
    for index in range(count):
        outcome, error = _OUTCOMES[index % 3]
        at = BEGAN + index * 10**6
        found.append(
            Operation(
                index=index, worker=index % 2, name=("read", "write")[index % 2], intended_ns=at, start_ns=at + 1,
                end_ns=at + 1000, outcome=outcome, error_type=error, attempts=1 + index % 3,
                value={"id": index, "täxt": ["\u2028"]} if outcome == "ok" else None,
            )
        )  # fmt: skip
    return found
