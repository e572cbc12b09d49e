"""The journal of a workload: what became of each operation, in columns, so that a million of them fit into memory.

For readers (invariants, resilience figures, reports): iterate an `Operations`, or read one column of it, e.g.
`[end - intended for intended, end in zip(ops.intended_ns, ops.end_ns)]`.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal, TypeAlias, overload

from cleanroom.canonical import Json
from cleanroom.spec.source import NOWHERE, Position

OperationOutcome: TypeAlias = Literal["ok", "allowed", "failed"]
OUTCOMES: Final[tuple[OperationOutcome, ...]] = ("ok", "allowed", "failed")
MOST_VALUE: Final = 4096
"""Bytes of an acknowledged value as JSON; a longer one is not kept, and counted in `values_lost`."""
MOST_VALUES: Final = 128 * 2**20
"""Bytes of all acknowledged values of a workload together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation; times in nanoseconds since the epoch, on one clock for all workers."""

    index: int
    """From 0, in the order of `intended_ns` (of equal ones by worker): its place in the journal."""
    worker: int
    """From 0."""
    name: str
    """The step of the mix that was chosen."""
    intended_ns: int
    """When it was to begin: at an open rate its place in the schedule, in a closed loop `start_ns`. Latency is
    `end_ns - intended_ns`: a server that stalls delays those who wait behind the stall too."""
    start_ns: int
    """When it began."""
    end_ns: int
    """When its last attempt ended; for one that timed out at least `start_ns` and its limit."""
    outcome: OperationOutcome
    """`allowed`: it erred in a way that the step's `allow` names. Only `ok` is acknowledged."""
    error_type: str = ""
    """Of spec.md section 4; empty when `ok`, and for an answer that broke the step's `expect` without an error."""
    value: Json = None
    """What the system acknowledged: what the step captures (one: its value; several: a mapping), else the result's
    `value`; None unless `ok`."""
    attempts: int = 1

    @property
    def latency_ns(self) -> int:
        """From the intended start to the end."""
        return self.end_ns - self.intended_ns


class Operations(Sequence[Operation]):
    """Operations in columns of equal length: about 60 bytes each and their values; immutable once it is in a record.

    The columns may be read directly: `worker`, `intended_ns`, `start_ns`, `end_ns` and `attempts` hold numbers;
    `name_id` and `error_id` are places in `names` and `errors`, `outcome_id` is one in `OUTCOMES`.
    """

    __slots__ = (
        "_ends", "_values", "attempts", "end_ns", "error_id", "errors", "intended_ns", "name_id", "names",
        "outcome_id", "start_ns", "values_lost", "worker",
    )  # fmt: skip

    def __init__(self) -> None:
        """Return no operations."""
        self.worker = array("H")
        self.name_id = array("H")
        self.intended_ns = array("q")
        self.start_ns = array("q")
        self.end_ns = array("q")
        self.outcome_id = array("B")
        self.error_id = array("H")
        self.attempts = array("H")
        self.names: list[str] = []
        self.errors: list[str] = [""]
        self.values_lost = 0
        """How many acknowledged values were not kept: who needs all of them cannot judge unless it is 0."""
        # The values' JSON one after the other, and where each ends.
        self._values = bytearray()
        self._ends = array("Q")

    def append(self, found: Operation) -> None:
        """Add one; its `index` is its place. Raises `ValueError` for an outcome that is none."""
        text = b"" if found.value is None else json.dumps(found.value, ensure_ascii=False).encode()
        self.append_row(
            (found.worker, found.name, found.intended_ns, found.start_ns, found.end_ns),
            (found.outcome, found.error_type, found.attempts),
            text,
        )

    def append_row(
        self, when: tuple[int, str, int, int, int], what: tuple[OperationOutcome, str, int], value: bytes
    ) -> None:
        """Add (worker, name, intended, start, end), (outcome, error type, attempts) and the value's JSON (or nothing).

        Raises `ValueError` for an outcome that is none.
        """
        worker, name, intended, start, end = when
        outcome, error, attempts = what
        self.outcome_id.append(OUTCOMES.index(outcome))
        self.worker.append(worker)
        self.name_id.append(_place(self.names, name))
        self.intended_ns.append(intended)
        self.start_ns.append(start)
        self.end_ns.append(end)
        self.error_id.append(_place(self.errors, error))
        self.attempts.append(min(attempts, 65535))
        if len(value) > MOST_VALUE or len(self._values) + len(value) > MOST_VALUES:
            self.values_lost += 1
        else:
            self._values += value
        self._ends.append(len(self._values))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.worker)

    @overload
    def __getitem__(self, index: int) -> Operation: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Operation, ...]: ...

    def __getitem__(self, index: int | slice) -> Operation | tuple[Operation, ...]:
        """Return one operation, or several; raises `IndexError`."""
        if isinstance(index, slice):
            return tuple(self._at(place) for place in range(*index.indices(len(self))))
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there is no operation {index} of {len(self)}")
        return self._at(place)

    def _at(self, place: int) -> Operation:
        return Operation(
            index=place, worker=self.worker[place], name=self.names[self.name_id[place]],
            intended_ns=self.intended_ns[place], start_ns=self.start_ns[place], end_ns=self.end_ns[place],
            outcome=OUTCOMES[self.outcome_id[place]], error_type=self.errors[self.error_id[place]],
            value=self.value(place), attempts=self.attempts[place],
        )  # fmt: skip

    def value(self, place: int) -> Json:
        """Return the acknowledged value of one operation."""
        text = self.value_text(place)
        value: Json = json.loads(text) if text else None
        return value

    def value_text(self, place: int) -> bytes:
        """Return the acknowledged value of one operation as JSON, or nothing."""
        begin = self._ends[place - 1] if place else 0
        return bytes(self._values[begin : self._ends[place]])

    def acknowledged(self) -> Iterator[tuple[int, Json]]:
        """Yield (index, value) of every operation that is `ok`."""
        return ((place, self.value(place)) for place, outcome in enumerate(self.outcome_id) if outcome == 0)

    def by_intended(self) -> Operations:
        """Return them in the order of `Operation.index`."""
        order = sorted(range(len(self)), key=lambda at: (self.intended_ns[at], self.worker[at], self.start_ns[at]))
        if all(earlier < later for earlier, later in pairwise(order)):
            return self
        found = Operations()
        for at in order:
            found.append_row(
                (self.worker[at], self.names[self.name_id[at]], self.intended_ns[at], self.start_ns[at],
                 self.end_ns[at]),
                (OUTCOMES[self.outcome_id[at]], self.errors[self.error_id[at]], self.attempts[at]),
                self.value_text(at),
            )  # fmt: skip
        found.values_lost += self.values_lost
        return found

    def counts(self) -> dict[OperationOutcome, int]:
        """Return how many there are of each outcome."""
        return {outcome: self.outcome_id.count(place) for place, outcome in enumerate(OUTCOMES)}

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same operations."""
        if not isinstance(other, Operations):
            return NotImplemented
        return (
            len(self) == len(other)
            and self.values_lost == other.values_lost
            and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        )

    __hash__ = None  # type: ignore[assignment] # as of any sequence that grows

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"<{len(self)} operations>"


def _place(table: list[str], word: str) -> int:
    try:
        return table.index(word)
    except ValueError:
        table.append(word)
        return len(table) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRecord:
    """One workload as it ran; times in nanoseconds since the epoch."""

    name: str
    """Of its journal: what `journal:` of invariants and `resilience` refers to."""
    step: str
    workers: int
    rate: float | None = None
    """Operations per second that were asked for; None: a closed loop."""
    intended: int | None = None
    """How many operations were asked for; None: as many as a closed loop does in `duration_ns`."""
    duration_ns: int = 0
    """How long operations were to be begun; 0: until there were `intended` ones."""
    began_ns: int = 0
    """When the operations began: all workers were ready. 0: they never did."""
    ended_ns: int = 0
    """When the last of them had ended."""
    reason: str = ""
    """Why fewer operations were begun than were asked for; empty: all were."""
    cpu_ns: int = 0
    """Processor time of the driver processes from `began_ns` to `ended_ns`."""
    operations: Operations = field(default_factory=Operations, metadata={"apart": True})
    """In a file of their own in a run's journal."""
    at: Position = NOWHERE
