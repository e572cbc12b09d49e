"""Operations of ours below a covered directory: which of them failed, and how long they took."""

# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH112, PTH120, PTH208 - paths are the target's, and many calls go by descriptor

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

ROUNDS = 400
PATIENCE = 20.0
"""Seconds after which no further round begins."""

Job = dict[str, Any]


def probe(job: Job) -> dict[str, Any]:
    """Go through all operations, again and again until one that was asked for is struck; say how each went.

    A job has `operations`, and either `errno` (a name) or `delay_ns`.
    """
    told: dict[str, dict[str, float]] = {}
    errors: list[str] = []
    began = time.monotonic()
    for number in range(job.get("rounds", ROUNDS)):
        for name, act in _script(f"{job['real']}/.cleanroom-{job['token']}-{number}"):
            seconds, error = _timed(act)
            one = told.setdefault(name, {"tried": 0, "struck": 0, "longest_ms": 0.0, "shortest_ms": 1e9})
            one["tried"] += 1
            one["longest_ms"] = max(one["longest_ms"], round(seconds * 1000, 3))
            one["shortest_ms"] = min(one["shortest_ms"], round(seconds * 1000, 3))
            struck = error == job["errno"] if job.get("errno") else seconds * 10**9 >= job["delay_ns"]
            one["struck"] += int(struck)
            if error and error != job.get("errno"):
                errors.append(f"{name}: {error}")
        if any(one["struck"] for one in told.values()) or time.monotonic() - began > PATIENCE:
            break
    return {"operations": told, "errors": errors[:5]}


def _timed(act: Callable[[], object]) -> tuple[float, str]:
    began, error = time.monotonic(), ""
    try:
        act()
    except OSError as err:
        error = errno.errorcode.get(err.errno or 0, str(err.errno))
    return time.monotonic() - began, error


def _script(path: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each operation by its name; one whose file could not be made is left out."""
    files: list[int] = []
    yield "create", lambda: files.append(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if files:
        yield "write", lambda: os.pwrite(files[0], b"x", 0)
        yield "fsync", lambda: os.fsync(files[0])
        yield "read", lambda: os.pread(files[0], 1, 0)
        yield "truncate", lambda: os.ftruncate(files[0], 0)
        yield "stat", lambda: os.fstat(files[0])
        yield "open", lambda: os.close(os.open(path, os.O_RDONLY))
        yield "rename", lambda: os.rename(path, f"{path}.new")
        yield "unlink", lambda: os.unlink(f"{path}.new" if os.path.lexists(f"{path}.new") else path)
        os.close(files[0])
    yield "mkdir", lambda: os.mkdir(f"{path}.directory")
    if os.path.isdir(f"{path}.directory"):
        yield "unlink", lambda: os.rmdir(f"{path}.directory")
    yield "readdir", lambda: os.listdir(os.path.dirname(path))
