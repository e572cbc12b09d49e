"""What a run tells while it goes; a listener may print it, the core never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

EventKind: TypeAlias = Literal[
    "phase", "suite", "iteration", "scenario", "service", "step", "fault", "warning", "finished"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that began or ended; `seconds` is set when it ended, `ok` says how."""

    kind: EventKind
    text: str
    suite: str = ""
    iteration: int | None = None
    """0-based."""
    scenario: str = ""
    subject: str = ""
    """The service, step or fault that it is about."""
    seconds: float | None = None
    ok: bool | None = None


Listener: TypeAlias = Callable[[Event], None]


def silent(_event: Event) -> None:
    """Listen to nothing."""
