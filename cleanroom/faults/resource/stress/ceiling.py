"""Soft limits of running processes, moved by a process of their own user: root may not without CAP_SYS_RESOURCE."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from cleanroom.faults.resource.stress.trial import Trial


class Ceilings(Trial):
    """Sets the soft limit of each of `items` ([pid, started, soft, hard]; -1 is none) as `user` and `group`."""

    def __init__(self, *, limit: int, items: list[list[int]], user: int, group: int) -> None:
        self._limit = limit
        self._items = items
        self._ids = (user, group)

    def begin(self) -> dict[str, object]:
        """Return the pids that were set; those that have ended are passed over."""
        user, group = self._ids
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        done = []
        for pid, started, soft, hard in self._items:
            if started_at(pid) != started:
                continue
            try:
                resource.prlimit(pid, self._limit, (soft, hard))
            except ProcessLookupError:
                continue
            done.append(pid)
        return {"set": done}


def started_at(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Return when a process was started, in ticks since the machine's start; None when it has ended."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])
