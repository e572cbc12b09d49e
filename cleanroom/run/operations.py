"""The operations of a workload on disk: a line of JSON for each, after one that says how many there are.

A line is `[worker, name, intended, start, end, outcome, error type, attempts, value]`, times in nanoseconds since the
epoch: `jq` and `grep` read it, and a million lines are written and read one at a time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from cleanroom.drive.workload.operation import OUTCOMES, Operation, Operations

SCHEMA: Final = 1
_FIELDS: Final = 9


def write_operations(path: Path, operations: Operations) -> None:
    """Write them; raises `OSError`."""
    head = {"schema": SCHEMA, "operations": len(operations), "values_lost": operations.values_lost}
    names = [json.dumps(name) for name in operations.names]
    errors = [json.dumps(error) for error in operations.errors]
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head) + "\n")
        for place in range(len(operations)):
            value = operations.value_text(place).decode() or "null"
            file.write(
                f"[{operations.worker[place]},{names[operations.name_id[place]]},{operations.intended_ns[place]},"
                f"{operations.start_ns[place]},{operations.end_ns[place]},"
                f'"{OUTCOMES[operations.outcome_id[place]]}",{errors[operations.error_id[place]]},'
                f"{operations.attempts[place]},{value}]\n"
            )


def read_operations(path: Path) -> Operations:
    """Return what `write_operations` wrote; raises `OSError`, and `ValueError` for a file that is not all of it."""
    found = Operations()
    with path.open(encoding="utf-8") as file:
        head = json.loads(file.readline())
        if head["schema"] != SCHEMA:
            raise ValueError(f"its schema is {head['schema']}, expected {SCHEMA}")
        for line in file:
            found.append(_operation(json.loads(line), len(found)))
    if len(found) != head["operations"]:
        raise ValueError(f"it has {len(found)} of {head['operations']} operations")
    found.values_lost = head["values_lost"]
    return found


def _operation(fields: Any, index: int) -> Operation:  # noqa: ANN401 - JSON has no narrower type
    if not isinstance(fields, list) or len(fields) != _FIELDS:
        raise ValueError(f"operation {index} is no list of {_FIELDS} values")
    worker, name, intended, start, end, outcome, error, attempts, value = fields
    return Operation(
        index=index, worker=worker, name=name, intended_ns=intended, start_ns=start, end_ns=end, outcome=outcome,
        error_type=error, attempts=attempts, value=value,
    )  # fmt: skip
