"""Other bytes in a file, or less of it; what was there is kept on our side, and put back where nobody wrote since."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any

from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.traffic.draw import uniforms

_CHUNK = 1 << 20
# A mask of 0 would change nothing: every byte is another one.
_NEVER_ZERO = bytes([1, *range(1, 256)])
# Of bytes that somebody else wrote, as many may be ours by chance: a 255th of them.
_CHANCE = 64
_CHANCE_FLOOR = 4

Job = dict[str, Any]


class Corrupt:
    """The deed; `keep` in a job is a file of ours, open for reading and writing."""

    def apply(self, job: Job) -> dict[str, Any]:
        """Keep what will be gone, then change it."""
        path = os.path.realpath(job["path"])
        file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            was = os.fstat(file)
            if not stat.S_ISREG(was.st_mode):
                raise RefusedError(f"{path} is not a regular file")
            begin, end = _span(job, was.st_size, path)
            _copy(file, begin, end, job["keep"])
            state: dict[str, Any] = {"real": path, "begin": begin, "end": end, "inode": was.st_ino,
                                     "times": [was.st_atime_ns, was.st_mtime_ns]}  # fmt: skip
            if job.get("truncate") is None:
                _change(file, begin, end, job["keep"], job["stream"])
            else:
                state["prefix"] = _digest(file, 0, begin)
                os.ftruncate(file, begin)
            os.fsync(file)
            now = os.fstat(file)
            return {**state, "size": now.st_size, "mtime": now.st_mtime_ns}
        finally:
            os.close(file)

    def look(self, job: Job) -> dict[str, Any]:
        """Read it anew."""
        state = job["state"]
        file = os.open(state["real"], os.O_RDONLY)
        try:
            size = os.fstat(file).st_size
            if job.get("truncate") is not None:
                holds, facts = size == state["begin"], {"size": size, "cut_off": state["end"] - state["begin"]}
            else:
                ours = _ours(file, job)
                count = state["end"] - state["begin"]
                holds = ours == count
                facts = {"offset": state["begin"], "changed": ours, "bytes": count}
        finally:
            os.close(file)
        return {"holds": holds, "reason": "" if holds else "what we wrote is not there any more", "facts": facts}

    def undo(self, job: Job) -> dict[str, Any]:
        """Put back what was there, unless somebody wrote there since."""
        state = job["state"]
        try:
            file = os.open(state["real"], os.O_RDWR)
        except FileNotFoundError:
            return {"rewritten": "removed"}
        try:
            now = os.fstat(file)
            if now.st_ino != state["inode"]:
                return {"rewritten": "replaced"}
            if not self._untouched(file, job):
                return {"rewritten": "written"}
            _put_back(file, state["begin"], job["keep"])
            if now.st_mtime_ns == state["mtime"]:
                os.utime(file, ns=(state["times"][0], state["times"][1]))
            os.fsync(file)
        finally:
            os.close(file)
        return {}

    def _untouched(self, file: int, job: Job) -> bool:
        state = job["state"]
        if job.get("truncate") is not None:
            same = os.fstat(file).st_size == state["begin"]
            return same and _digest(file, 0, state["begin"]) == str(state["prefix"])
        return _ours(file, job) == int(state["end"]) - int(state["begin"])

    def gone(self, job: Job) -> dict[str, Any]:
        """Whether nothing of ours is left, and nothing that we took is missing."""
        state = job["state"]
        try:
            file = os.open(state["real"], os.O_RDONLY)
        except FileNotFoundError:
            return {"holds": True, "reason": "", "facts": {"open": "ENOENT"}}
        try:
            reason = self._left(file, job) if os.fstat(file).st_ino == state["inode"] else ""
        finally:
            os.close(file)
        return {"holds": not reason, "reason": reason, "facts": {}}

    def _left(self, file: int, job: Job) -> str:
        state = job["state"]
        count = state["end"] - state["begin"]
        if job.get("truncate") is None:
            ours = _ours(file, job)
            few = 0 if ours == count else count // _CHANCE + _CHANCE_FLOOR
            return f"{ours} of the {count} bytes that we changed are still so" if count and ours > few else ""
        size = os.fstat(file).st_size
        appended = size > state["begin"] > 0 and _digest(file, 0, state["begin"]) == state["prefix"]
        restored = size >= state["end"] and _same(file, state["begin"], job["keep"])
        if restored or not count or (size != state["begin"] and not appended):
            return ""
        return f"{count} bytes that were cut off are not put back: the service wrote to the file since"


def _span(job: Job, size: int, path: str) -> tuple[int, int]:
    if job.get("truncate") is not None:
        if job["truncate"] >= size:
            raise RefusedError(f"{path} has {size} bytes, so nothing is cut off at {job['truncate']}")
        return job["truncate"], size
    count = job["bytes"]
    begin = job.get("offset")
    if begin is None:
        begin = int(uniforms(job["stream"], 0)[0] * max(1, size - count + 1))
    if begin + count > size:
        raise RefusedError(f"{path} has {size} bytes: there are no {count} to change at {begin}")
    return begin, begin + count


def _masked(data: bytes, stream: str, index: int) -> bytes:
    mask = hashlib.shake_256(f"{stream}/{index}".encode()).digest(len(data)).translate(_NEVER_ZERO)
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(data), "big")


def _chunks(begin: int, end: int) -> list[tuple[int, int]]:
    return [(at, min(_CHUNK, end - at)) for at in range(begin, end, _CHUNK)]


def _copy(file: int, begin: int, end: int, keep: int) -> None:
    for at, count in _chunks(begin, end):
        os.pwrite(keep, os.pread(file, count, at), at - begin)


def _change(file: int, begin: int, end: int, keep: int, stream: str) -> None:
    for index, (at, count) in enumerate(_chunks(begin, end)):
        os.pwrite(file, _masked(os.pread(keep, count, at - begin), stream, index), at)


def _put_back(file: int, begin: int, keep: int) -> None:
    for at, count in _chunks(0, os.fstat(keep).st_size):
        os.pwrite(file, os.pread(keep, count, at), begin + at)


def _ours(file: int, job: Job) -> int:
    """Return how many bytes are as we made them."""
    begin, end, same = job["state"]["begin"], job["state"]["end"], 0
    for index, (at, count) in enumerate(_chunks(begin, end)):
        wanted = _masked(os.pread(job["keep"], count, at - begin), job["stream"], index)
        same += sum(map(int.__eq__, wanted, os.pread(file, count, at)))
    return same


def _same(file: int, begin: int, keep: int) -> bool:
    chunks = _chunks(0, os.fstat(keep).st_size)
    return all(os.pread(file, count, begin + at) == os.pread(keep, count, at) for at, count in chunks)


def _digest(file: int, begin: int, end: int) -> str:
    found = hashlib.sha256()
    for at, count in _chunks(begin, end):
        found.update(os.pread(file, count, at))
    return found.hexdigest()
