"""The names of the runner's own spans (spec.md section 9), and which patterns can select among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.problem import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cleanroom.spec.pattern import Pattern

PREFIX = "cleanroom."
STEP = "cleanroom.step:"
CHAOS = "cleanroom.chaos."
RUNNER_SPANS = (
    "cleanroom.iteration",
    "cleanroom.environment",
    "cleanroom.service.start",
    "cleanroom.service.stop",
    "cleanroom.scenario",
    f"{STEP}<name>",
    "cleanroom.retry.attempt",
    "cleanroom.timeout.graceful",
    "cleanroom.timeout.hard",
    "cleanroom.steady_state",
    f"{CHAOS}<family>.<fault>",
    "cleanroom.recovery",
    "cleanroom.cleanup",
)
"""As the registry writes them: `<word>` stands for a part that varies. A test compares the two."""


def span_names(steps: Iterable[str], faults: Iterable[str]) -> frozenset[str]:
    """Return every name that a span of the runner can have, given the names of steps and the kinds of faults."""
    fixed = (name for name in RUNNER_SPANS if "<" not in name)
    return frozenset((*fixed, *(f"{STEP}{step}" for step in steps), *(f"{CHAOS}{fault}" for fault in faults)))


def unselectable(pattern: Pattern, names: frozenset[str]) -> str | None:
    """Return the nearest name when a pattern among the runner's spans selects none of `names`, else None."""
    if not pattern.of_runner or any(pattern.matches(name) for name in names):
        return None
    close = nearest(pattern.text.removeprefix(PREFIX), [name.removeprefix(PREFIX) for name in names])
    return f"{PREFIX}{close}" if close else ""
