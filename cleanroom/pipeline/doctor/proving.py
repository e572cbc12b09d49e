"""Faults proven one after another: injected for real into a throw-away container, verified, taken away, verified."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from cleanroom.clock import Clock
from cleanroom.errors import CleanroomError, UsageError
from cleanroom.faults.base import ActiveFault, Evidence, FaultContext, OpenFault
from cleanroom.faults.ladder import open_fault
from cleanroom.pipeline.doctor.examples import EXAMPLES, event_of
from cleanroom.pipeline.doctor.findings import LEFT, Diagnosis, Finding, Prospect, Trial
from cleanroom.spec.shapes.fault_table import FAULTS

PATIENCE: Final = 30.0
"""Seconds after which a fault is given up: it takes less than 10 on a machine that has time for it."""
_MS: Final = 1000
_T = TypeVar("_T")


class Place(Protocol):
    """Where faults are tried."""

    @property
    def clock(self) -> Clock:
        """The clock that times are taken from."""

    def ready(self, clock_fault: str) -> FaultContext:
        """Return what a fault may use; `clock_fault` is it when it is one of clocks, else ``."""

    def use(self) -> None:
        """Be a client of the target for a moment, whatever comes of it."""

    def remove(self) -> None:
        """Remove the containers there are: the next fault gets others."""


def chosen(asked: str) -> tuple[str, ...]:
    """Return the faults to prove, by `--probe a,b`; all that have an example when nothing is named.

    Raises `UsageError` for one that is unknown, or that only a spec's own servers can prove.
    """
    names = tuple(dict.fromkeys(name.strip() for name in asked.split(",") if name.strip())) or tuple(EXAMPLES)
    if unknown := [name for name in names if name not in FAULTS]:
        raise UsageError(f"there is no fault {', '.join(unknown)}", remedy="docs/faults.md has all of them")
    if special := [name for name in names if name not in EXAMPLES]:
        raise UsageError(
            f"{', '.join(special)} cannot be proven by doctor",
            remedy="only a spec with such a service, or with the parts of it, can: leave it out",
        )
    return names


def prove(
    place: Place, kinds: Sequence[str], known: Mapping[str, Prospect], open_: OpenFault = open_fault
) -> Iterator[Trial]:
    """Try each fault and yield how it went; what another one left never meets the next."""
    for kind in kinds:
        life = _Life(kind, place, open_)
        reason = life.go()
        if reason:
            place.remove()
        yield Trial(
            kind=kind, promised=known[kind].works, rung=life.rung, proven=not reason, reason=reason,
            inject_ms=life.took.get("inject", 0), verify_ms=life.took.get("verify", 0),
            revert_ms=life.took.get("revert", 0),
        )  # fmt: skip


@dataclass(slots=True)
class _Life:
    kind: str
    place: Place
    open_: OpenFault
    rung: str = ""
    took: dict[str, int] = field(default_factory=dict)
    _reason: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)

    def go(self) -> str:
        """Return why it is not proven, or nothing; never raises a `CleanroomError`, and never hangs."""
        threading.Thread(target=self._work, name=f"doctor {self.kind}", daemon=True).start()
        if not self._ended.wait(PATIENCE):
            return f"it had not ended after {PATIENCE:g} s"
        return self._reason

    def _work(self) -> None:
        try:
            self._reason = self._live()
        except CleanroomError as err:
            self._reason = err.message
        except Exception as err:  # noqa: BLE001 - a defect of one fault is told, and the others are tried
            self._reason = f"a defect: {type(err).__name__}: {err}"
        finally:
            self._ended.set()

    def _live(self) -> str:
        context = self.place.ready(self.kind if self.kind.startswith("clock.") else "")
        fault = self.open_(event_of(self.kind), context)
        try:
            self._timed("inject", fault.inject)
            self.rung = fault.backend
            effect = self._timed("verify", fault.verify)
            if FAULTS[self.kind].rungs == ("proxy",):
                self.place.use()
        finally:
            self._timed("revert", fault.revert)
        return _judged(effect, fault.verify_reversal(), fault)

    def _timed(self, what: str, call: Callable[[], _T]) -> _T:
        began = self.place.clock.monotonic()
        try:
            return call()
        finally:
            self.took[what] = round((self.place.clock.monotonic() - began) * _MS)


def _judged(effect: Evidence, reversal: Evidence, fault: ActiveFault) -> str:
    recovery = fault.recovery()
    found = (
        "" if effect.holds else effect.reason or "it had no effect",
        f"its effect did not last: {reversal.lapsed}" if reversal.lapsed else "",
        "" if reversal.holds else f"not reverted: {reversal.reason}",
        "" if recovery is None or recovery.success else recovery.reason or "the container did not come back",
    )
    return "; ".join(one for one in found if one)


def fulfilled(asked: Sequence[str], found: Sequence[Finding]) -> bool:
    """Whether every fault that was asked for was tried, all that was promised was proven, and nothing is left of it."""
    trials = [one for one in found if isinstance(one, Trial)]
    left = [one for one in found if isinstance(one, Diagnosis) and one.name == LEFT]
    whole = {trial.kind for trial in trials} >= set(asked) and len(left) == 1
    return whole and left[0].works and all(trial.proven for trial in trials if trial.promised)
