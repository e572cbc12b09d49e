"""Processes of ours that make, write, rename and remove files below a directory, and count what they did."""

# ruff: noqa: PTH102, PTH104, PTH108, PTH112 - paths are the target's, and many calls go by descriptor

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from typing import Any

from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.filesystem.shadow import remove_tree

MOST_FILES = 1_000_000
_BYTES = 512
# A file system that we would fill by more than this share would be another fault.
_SHARE = 0.5
_COUNTS = ("made", "written", "renamed", "removed")

Job = dict[str, Any]
Answer = Callable[[dict[str, Any]], None]


def hold(job: Job, answer: Answer) -> None:
    """Work until the standard input ends; a line there is answered by the counts until then."""
    path = os.path.realpath(job["path"])
    if not os.path.isdir(path):
        raise RefusedError(f"there is no directory {path} in the container")
    _check(path, job["workers"] * job["files"])
    place = f"{path}/.cleanroom-{job['token']}"
    os.mkdir(place, 0o700)
    workers = {}
    try:
        for number in range(job["workers"]):
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                _work(f"{place}/{number}", job["files"], writer)
            os.close(writer)
            workers[child] = reader
        answer({"done": {"real": path, "place": place}})
        totals = _serve(workers, answer)
    finally:
        for child in workers:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        remove_tree(place)
    answer({"done": {**totals, "left": int(os.path.lexists(place))}})


def look(job: Job) -> dict[str, Any]:
    """Count the files that are there now."""
    found = 0
    place = f"{os.path.realpath(job['path'])}/.cleanroom-{job['token']}"
    for _, _, names in os.walk(place):
        found += len(names)
    return {"files": found, "there": int(os.path.lexists(place))}


def _check(path: str, files: int) -> None:
    if files > MOST_FILES:
        raise RefusedError(f"{files} files at once are more than {MOST_FILES}")
    free = os.statvfs(path)
    if free.f_files and files > free.f_favail * _SHARE:
        raise RefusedError(f"there is room for {free.f_favail} files, and {files} would take most of it")
    if files * max(free.f_frsize, _BYTES) > free.f_bavail * free.f_frsize * _SHARE:
        raise RefusedError(f"{files} files would take most of the room that is left below {path}")


def _serve(workers: dict[int, int], answer: Answer) -> dict[str, Any]:
    """Add up what the workers say; when the input ends let each finish its round, and check that it adds up."""
    counts: dict[int, dict[str, int]] = {reader: dict.fromkeys(_COUNTS, 0) for reader in workers.values()}
    partial = dict.fromkeys(counts, b"")
    open_, failure, ending = set(counts), "", False
    while open_:
        ready, _, _ = select.select([*open_, *([] if ending else [0])], [], [])
        for reader in ready:
            data = os.read(reader, 65536)
            if reader == 0:
                if data:
                    answer({"done": _sum(counts)})
                    continue
                ending = True
                for child in workers:
                    os.kill(child, signal.SIGTERM)
                continue
            if not data:
                open_.discard(reader)
                os.close(reader)
                continue
            *lines, partial[reader] = (partial[reader] + data).split(b"\n")
            for line in lines:
                said = json.loads(line)
                failure = failure or said.pop("failure", "")
                counts[reader] = said["counts"]
    totals = _sum(counts)
    return {**totals, "reconciled": totals["made"] == totals["removed"] and not failure, "failure": failure}


def _sum(counts: dict[int, dict[str, int]]) -> dict[str, int]:
    return {name: sum(one[name] for one in counts.values()) for name in _COUNTS}


def _work(place: str, files: int, writer: int) -> None:
    """Go round after round until SIGTERM, and tell the counts after each; never returns."""
    wanted = True

    def end(_number: int, _frame: object) -> None:
        nonlocal wanted
        wanted = False

    signal.signal(signal.SIGTERM, end)
    os.close(0)
    counts, failure = dict.fromkeys(_COUNTS, 0), ""
    try:
        os.mkdir(place, 0o700)
        while wanted:
            _round(place, files, counts, lambda: wanted)
            os.write(writer, json.dumps({"counts": counts}).encode() + b"\n")
    except OSError as err:
        failure = f"{err.strerror}: {err.filename}"
    os.write(writer, json.dumps({"counts": counts, "failure": failure}).encode() + b"\n")
    os._exit(0)


def _round(place: str, files: int, counts: dict[str, int], wanted: Callable[[], bool]) -> None:
    names: list[str] = []
    for number in range(files):
        if not wanted():
            break
        name = f"{place}/{number}"
        file = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        names.append(name)
        counts["made"] += 1
        try:
            os.write(file, b"x" * _BYTES)
        finally:
            os.close(file)
        counts["written"] += 1
        os.rename(name, f"{name}.new")
        names[-1] = f"{name}.new"
        counts["renamed"] += 1
    for name in names:
        os.unlink(name)
        counts["removed"] += 1
