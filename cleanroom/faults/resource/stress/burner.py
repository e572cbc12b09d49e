"""Processes that burn processor time, each for a share of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cleanroom.faults.resource.stress.task import end_children, fork_bound

_PERIOD = 0.1


class Burner:
    """`workers` processes, each of which burns for `load` percent of the time."""

    def __init__(self, workers: int, load: float) -> None:
        self._workers = workers
        self._load = load
        self._children: list[int] = []

    def begin(self) -> dict[str, object]:
        """Start them all or none."""
        try:
            for _ in range(self._workers):
                pid = fork_bound()
                if pid == 0:
                    _burn(self._load / 100)
                self._children.append(pid)
        except OSError:
            self.end()
            raise
        return {}

    def look(self) -> dict[str, object]:
        """Say how long they have run, and how long they waited for a processor, in ns."""
        ran = waited = 0
        for pid in self._children:
            words = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
            ran, waited = ran + int(words[0]), waited + int(words[1])
        return {"ran_ns": ran, "waited_ns": waited, "at_ns": time.monotonic_ns(), "workers": len(self._children)}

    def tick(self) -> float | None:
        """Nothing is due: they burn by themselves."""
        return None

    def end(self) -> dict[str, object]:
        """Kill them."""
        children, self._children = self._children, []
        end_children(children)
        return {}


def _burn(share: float) -> None:
    while os.getppid() > 1:
        begun = time.monotonic()
        while time.monotonic() < begun + _PERIOD * share:
            pass
        time.sleep(max(0.0, begun + _PERIOD - time.monotonic()))
    os._exit(0)
