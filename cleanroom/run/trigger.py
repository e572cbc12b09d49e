"""A fault that waits for a probe: asked from the scenario's first step on, until it holds (spec.md section 8)."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cleanroom.drive.answer import Answer
from cleanroom.run.occurrence import ChaosPorts, Occurrence
from cleanroom.spec.fault import AtProbe

FIRST_S = 0.005
FACTOR = 1.5


class Trigger:
    """The occurrences of one fault, and the probe that sets them off."""

    def __init__(self, occurrences: Sequence[Occurrence], ports: ChaosPorts, over: threading.Event) -> None:
        """`over` is set when the steps have ended."""
        self._occurrences = occurrences
        self._ports = ports
        self._over = over
        self._last: Answer | None = None
        self._asked = 0
        self._held = False

    def wait(self) -> list[tuple[Occurrence, float]]:
        """Ask until the probe holds; return the occurrences, each with the seconds until it is due; none if never."""
        moment = self._occurrences[0].event.moment
        assert isinstance(moment, AtProbe)  # noqa: S101 - they are grouped so
        clock = self._ports.clock
        began, pause = clock.monotonic(), FIRST_S
        while not self._over.is_set() and not self._ports.stop.requested:
            self._last = self._ports.ask(moment.probe)
            self._asked += 1
            if self._last.ok:
                self._held = True
                words = f"{self._last.question} held {clock.monotonic() - began:.3f} s after the first step"
                return [(o, self._due(o, words)) for o in self._occurrences]
            self._over.wait(min(pause, moment.probe.interval.seconds))
            pause *= FACTOR
        return []

    @staticmethod
    def _due(occurrence: Occurrence, words: str) -> float:
        moment = occurrence.event.moment
        assert isinstance(moment, AtProbe)  # noqa: S101 - as above
        occurrence.triggered(f"{words}, {moment.offset} before" if moment.offset.ns else words)
        return moment.offset.seconds

    def missed(self) -> None:
        """Note of what never came to pass what the probe said last."""
        for occurrence in self._occurrences:
            if self._held:
                words = f"the steps ended within {getattr(occurrence.event.moment, 'offset', '')} of it"
                occurrence.missed(f"never came to pass: {words}")
            else:
                said = f"{self._last.question}: {self._last.why}" if self._last else "it was never answered"
                occurrence.missed(f"never came to pass: its probe did not hold (asked {self._asked} times): {said}")
