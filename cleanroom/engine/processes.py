"""Processes of an exec'd command, found in /proc and signalled without a race: the Engine API cannot kill an exec.

The engine and this program share a PID namespace (in a cell, and as root beside a local engine), so the PID that the
engine reports is a PID here. `runc exec` makes the command a session leader (seen with runc 1.1), so its group is: its
session, and every descendant.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

_PROC: Final = Path("/proc")
# Fields of /proc/<pid>/stat after the command's closing parenthesis, proc_pid_stat(5).
_STATE, _PPID, _SESSION, _STARTED = 0, 1, 3, 19


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one with the same PID; `started` in clock ticks since boot."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class _Stat:
    process: Process
    parent: int
    session: int
    state: str


def find(pid: int, container: str) -> Process | None:
    """Return the process `pid` when it belongs to the container with that full id (its cgroup says so), else None."""
    try:
        owned = pid > 0 and bool(container) and container in (_PROC / str(pid) / "cgroup").read_text()
    except OSError:
        return None
    stat = _stat(pid) if owned else None
    return stat.process if stat else None


def group_of(leader: Process, known: frozenset[Process] = frozenset()) -> frozenset[Process]:
    """Return the living processes among: the leader, its session, those `known` before, and all their descendants."""
    table = _table()
    children: dict[int, list[int]] = {}
    for stat in table.values():
        children.setdefault(stat.parent, []).append(stat.process.pid)
    found = {p.pid for p in (leader, *known) if p.pid in table and table[p.pid].process == p}
    if leader.pid not in table or leader.pid in found:
        # The kernel does not give a PID away while a session still bears it.
        found |= {pid for pid, stat in table.items() if stat.session == leader.pid}
    pending = list(found)
    while pending:
        for child in children.get(pending.pop(), ()):
            if child not in found:
                found.add(child)
                pending.append(child)
    return frozenset(table[pid].process for pid in found if table[pid].state not in "ZX")


def send(processes: frozenset[Process], number: signal.Signals) -> None:
    """Send a signal to each of `processes` that still exists."""
    for process in processes:
        # ProcessLookupError: it ended on its own, which is what the signal was for.
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(process.pid)
            try:
                stat = _stat(process.pid)
                if stat is not None and stat.process == process:
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)


def _table() -> dict[int, _Stat]:
    found = (_stat(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {stat.process.pid: stat for stat in found if stat is not None}


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(Process(pid, int(fields[_STARTED])), int(fields[_PPID]), int(fields[_SESSION]), fields[_STATE])


def children(pid: int) -> frozenset[int]:
    """Return the living children of a process."""
    return frozenset(stat.process.pid for stat in _table().values() if stat.parent == pid and stat.state not in "ZX")


def members(container: str) -> frozenset[Process]:
    """Return the living processes of the container with that full id, by what their cgroups say."""
    found = (find(pid, container) for pid, stat in _table().items() if stat.state not in "ZX")
    return frozenset(process for process in found if process is not None)


def processes_of(containers: tuple[str, ...]) -> tuple[str, ...]:
    """Return `pid command` of every living process whose cgroup names one of the containers (full ids), by pid."""
    found = []
    for pid in sorted(_table()):
        try:
            cgroup = (_PROC / str(pid) / "cgroup").read_text()
            command = (_PROC / str(pid) / "comm").read_text().strip()
        except OSError:
            continue
        if any(container in cgroup for container in containers):
            found.append(f"{pid} {command}")
    return tuple(found)


def letters(container: str) -> Mapping[Process, str]:
    """Return the state (proc_pid_stat(5): R, S, T, Z, …) of every process of the container with that full id."""
    found = {stat.process: stat.state for pid, stat in _table().items() if find(pid, container) == stat.process}
    return MappingProxyType(found)
