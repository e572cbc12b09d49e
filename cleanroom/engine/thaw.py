"""Frozen processes do not die: before a cell ends, whatever is paused in it is let go (cgroup version 1)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

FREEZER = Path("/sys/fs/cgroup/freezer")
# The group of a container as its engine names it, by itself or by way of systemd.
_NAMES = ("**/{}", "**/docker-{}.scope")
_PAUSE = 0.25
# Of /proc/PID/stat after the name, and PF_EXITING in it.
_FLAGS = 6
_EXITING = 0x4


def thaw(freezer: Path = FREEZER) -> tuple[str, ...]:
    """Let every frozen group go that has a process of this PID namespace in it, and return their folders.

    A process that was killed while its group was frozen dies only then, and the first process of its PID namespace
    waits for it for ever. A group of others is left alone: their processes read as 0 from here. Raises nothing.
    """
    found = []
    for state in freezer.rglob("freezer.state"):
        # A group that has gone meanwhile is as good as let go.
        with contextlib.suppress(OSError):
            if state.read_text(encoding="ascii").strip() == "THAWED":
                continue
            members = (state.parent / "cgroup.procs").read_text(encoding="ascii").split()
            if any(pid != "0" for pid in members):
                state.write_text("THAWED", encoding="ascii")
                found.append(str(state.parent))
    return tuple(found)


@contextlib.contextmanager
def thawing(container: str, when: Callable[[], bool] = lambda: True, freezer: Path = FREEZER) -> Iterator[None]:
    """While the block runs, and whenever `when` holds, let every group go that is frozen below that of a container.

    For a cell that others kill: then nothing in it lets go. Seen from the machine that the engine runs on; elsewhere,
    and with control groups of version 2, where frozen processes do die, there is nothing to do. Again and again: what
    pauses may be a moment from its next pause.
    """
    done = threading.Event()

    def again() -> None:
        while True:
            if when():
                _let_go(container, freezer)
            if done.wait(_PAUSE):
                return

    thread = threading.Thread(target=again, name="thawing", daemon=True)
    if freezer.is_dir():
        thread.start()
    try:
        yield
    finally:
        done.set()


def dying(pid: int, container: str, proc: Path = Path("/proc")) -> bool:
    """Whether this is the first process of a container, on this machine, and is on its way out."""
    try:
        mine = container in (proc / str(pid) / "cgroup").read_text(encoding="ascii")
        fields = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return False
    return mine and bool(int(fields[_FLAGS]) & _EXITING)


def _let_go(container: str, freezer: Path) -> None:
    for group in (found for name in _NAMES for found in freezer.glob(name.format(container))):
        for state in group.glob("*/**/freezer.state"):
            # A group that has gone meanwhile is as good as let go.
            with contextlib.suppress(OSError):
                if state.read_text(encoding="ascii").strip() != "THAWED":
                    state.write_text("THAWED", encoding="ascii")
