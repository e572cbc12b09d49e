"""What one statement came to, whichever server it was sent to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from cleanroom.canonical import Json
from cleanroom.drive.sql.placeholders import Bound
from cleanroom.drive.sql.values import Row, column_names

MAX_ROWS = 100_000
MAX_BYTES = 16 << 20
"""What is kept of a statement's rows, and the most that one row may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The rows of a statement, or why it has none; `error_type` is one of spec.md section 4, or empty."""

    rows: tuple[Row, ...] = ()
    count: int = 0
    """How many rows there were, also those that are not kept."""
    affected: int | None = None
    """How many rows a statement without rows changed; None where the server does not say."""
    truncated: bool = False
    error_type: str = ""
    message: str = ""
    lost: bool = False
    """The connection cannot be used any more."""
    duration_ns: int = 0


class Connection(Protocol):
    """A connection to a database, used by one thread at a time."""

    def execute(self, statement: Bound) -> Answer:
        """Send one statement and take its whole answer, before the deadline; never raises."""

    def until(self, deadline: float) -> None:
        """Let every further wait end at `deadline` (on `time.monotonic()`)."""

    def close(self) -> None:
        """End it; a statement that still runs is cancelled where the server listens."""


class RefusedError(Exception):
    """A connection that did not come about: (error type, one line)."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


@dataclass(slots=True)
class Kept:
    """Rows as they come, up to what is kept."""

    names: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    count: int = 0
    size: int = 0

    def begin(self, names: list[str]) -> None:
        """Take the names of the columns."""
        self.names = column_names(names)

    @property
    def full(self) -> bool:
        """Whether further rows are only counted."""
        return len(self.rows) >= MAX_ROWS or self.size >= MAX_BYTES

    def add(self, values: list[Json], size: int) -> None:
        """Keep a row of `size` bytes, unless it is full."""
        self.count += 1
        if not self.full:
            self.size += size
            self.rows.append(dict(zip(self.names, values, strict=True)))

    def answer(self, affected: int | None) -> Answer:
        """Return all of it."""
        return Answer(rows=tuple(self.rows), count=self.count, affected=affected, truncated=self.count > len(self.rows))
