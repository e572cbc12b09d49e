"""What a probe found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cleanroom.canonical import Json
from cleanroom.spec.source import NOWHERE, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One probe, asked once; it holds exactly when `ok`, and otherwise `why` says in one line what it was instead."""

    ok: bool
    value: Json = None
    """The value of the question: a duration in nanoseconds, a size in bytes; None where there is none."""
    why: str = ""
    error_type: str = ""
    """An error type of spec.md section 4 where nothing could be asked; empty where the answer was not the wanted."""
    asked_ns: int = 0
    """When it was asked, in nanoseconds since the epoch."""
    rows: tuple[Mapping[str, Json], ...] | None = None
    """What SQL answered, for snapshots and invariants; None: not asked."""
    truncated: tuple[str, ...] = ()
    """What of the answer is only its beginning."""
    optional: bool = False
    """Whether its failure only degrades the outcome."""
    question: str = ""
    """The question in words, e.g. `tcp db port 5432`."""
    service: str = ""
    """The service that was asked; empty where there is none."""
    at: Position = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one kind of question came to, before it is judged; `value` is as comparators see it."""

    value: object = None
    present: bool = True
    """False: there is no value at all."""
    error_type: str = ""
    why: str = ""
    rows: tuple[Mapping[str, Json], ...] | None = None
    truncated: tuple[str, ...] = field(default=())
