"""What a process of ours can be asked to do, and how it says that it cannot."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Protocol

_SET_PDEATHSIG = 1


class RefusedError(Exception):
    """The task cannot be done as it was asked; the message says why."""


class Task(Protocol):
    """One job; every method returns facts as JSON has them."""

    def begin(self) -> dict[str, object]:
        """Do what can be done at once; raises `RefusedError` or `OSError`."""

    def look(self) -> dict[str, object]:
        """Say how it stands."""

    def tick(self) -> float | None:
        """Do what is due; return the seconds until more is, None when nothing ever will be."""

    def end(self) -> dict[str, object]:
        """Give everything back and say what there was."""


def fork_bound() -> int:
    """Fork; the child dies with us, whatever becomes of us."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # It may have died before the line above.
        if os.getppid() != parent:
            os._exit(1)
    return pid


def end_children(pids: list[int]) -> None:
    """Kill and collect them."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> tuple[int, int]:
    """Return what can be taken of the machine's memory without swapping, and what is kept free of faults, in bytes."""
    lines = (line.split() for line in meminfo.read_text(encoding="ascii").splitlines())
    found = {words[0].rstrip(":"): int(words[1]) << 10 for words in lines if len(words) > 1}
    return found["MemAvailable"], min(1 << 30, found["MemTotal"] // 10)
