"""The folders of runs in namespaces, each locked while any process of it lives; and the sweep of dead ones."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cleanroom.engine.identity import RUN_ID
from cleanroom.engine.leftovers import HostTraces, remove


@contextmanager
def locked_run(state_dir: str, run: str) -> Iterator[tuple[Path, int]]:
    """Yield the new folder of a run (with `report` and `data` in it) and the handle of its lock.

    The lock is held until the block has ended and every process that got a copy of the handle is dead.
    """
    folder = Path(state_dir) / "runs" / run
    folder.mkdir(parents=True, mode=0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for name in ("report", "data"):
            (folder / name).mkdir()
        yield folder, handle
    finally:
        os.close(handle)


def sweep_runs(state_dir: str) -> tuple[str, ...]:
    """Remove the folders and host traces of runs of which no process lives (their locks are free); return their ids."""
    swept: list[str] = []
    for folder in sorted((Path(state_dir) / "runs").glob("*")):
        if RUN_ID.fullmatch(folder.name) and _free(folder):
            remove(HostTraces(run=folder.name))
            shutil.rmtree(folder, ignore_errors=True)
            swept.append(folder.name)
    return tuple(swept)


def _free(folder: Path) -> bool:
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # Not made yet: another run is at this very point. It is found by a later sweep if that run died here.
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(handle)
