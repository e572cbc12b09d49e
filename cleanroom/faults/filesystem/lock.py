"""A lock on a file of the target, held by a process of ours until its standard input ends."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from typing import Any

from cleanroom.faults.filesystem.refusal import RefusedError

Job = dict[str, Any]


def _take(job: Job, file: int) -> None:
    if job["kind"] == "flock":
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _open(job: Job) -> int:
    # A record lock that excludes others needs a file that is open for writing.
    return os.open(job["path"], (os.O_RDWR if job["kind"] == "fcntl" else os.O_RDONLY) | os.O_NOCTTY | os.O_NONBLOCK)


def hold(job: Job, answer: Callable[[dict[str, Any]], None]) -> None:
    """Take the lock, say so with the file's identity, and wait until nobody wants it any more."""
    file = _open(job)
    try:
        _take(job, file)
    except BlockingIOError as err:
        raise RefusedError(f"somebody else has a lock on {job['path']}", "end that first, or strike later") from err
    found = os.fstat(file)
    answer({"done": {"inode": found.st_ino, "device": found.st_dev}})
    while sys.stdin.buffer.read(4096):
        pass
    os.close(file)
    answer({"done": {}})


def attempt(job: Job) -> dict[str, Any]:
    """Return whether another process of ours is refused the lock now, and by which error."""
    file = _open(job)
    try:
        _take(job, file)
    except BlockingIOError:
        return {"second": "EWOULDBLOCK"}
    finally:
        os.close(file)
    return {"second": "ok"}
