"""Short trials of a limit from inside its group: done at once, and over."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import tempfile
import time
from collections.abc import Callable

from cleanroom.faults.resource.stress.task import RefusedError, end_children, fork_bound

_BLOCK = 1 << 16
_READ = 1 << 20


class Trial:
    """What all trials are: over when they have begun."""

    def look(self) -> dict[str, object]:
        """Nothing stands."""
        return {}

    def tick(self) -> float | None:
        """Nothing is due."""
        return None

    def end(self) -> dict[str, object]:
        """Nothing is held."""
        return {}


class Forks(Trial):
    """Starts processes until the kernel refuses one, `most` at most; all are ended at once."""

    def __init__(self, most: int) -> None:
        self._most = most

    def begin(self) -> dict[str, object]:
        """Return how many could be started, and the error of the one that could not."""
        children: list[int] = []
        refusal = ""
        try:
            while len(children) < self._most and not refusal:
                pid = fork_bound()
                if pid == 0:
                    while True:
                        signal.pause()
                children.append(pid)
        except OSError as err:
            refusal = errno.errorcode.get(err.errno or 0, str(err))
        finally:
            end_children(children)
        return {"started": len(children), "error": refusal}


class Blocks(Trial):
    """Writes and reads a file without a name, past the page cache, on the file system of `folder`."""

    def __init__(self, folder: str, write: int, read: int) -> None:
        self._folder = folder
        self._sizes = {"write": write, "read": read}

    def begin(self) -> dict[str, object]:
        """Return the bytes per second of each."""
        handle = os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_DIRECT, 0o600)
        try:
            block = mmap.mmap(-1, _BLOCK)
            block.write(b"x" * _BLOCK)
            wanted = self._sizes["write"] // _BLOCK
            # Of a hole nothing would be read.
            written = wanted or 1
            found = {"write": _speed(lambda at: os.pwritev(handle, [block], at * _BLOCK), written)}
            if reads := self._sizes["read"] // _BLOCK:
                found["read"] = _speed(lambda at: os.preadv(handle, [block], at % written * _BLOCK), reads)
            return {name: speed for name, speed in found.items() if self._sizes[name]}
        finally:
            os.close(handle)


def _speed(act: Callable[[int], int], count: int) -> int:
    begun = time.monotonic()
    for number in range(count):
        act(number)
    return round(count * _BLOCK / max(1e-9, time.monotonic() - begun))


class Cached(Trial):
    """Reads `size` bytes of a file of holes: page cache that counts for the group, and can be dropped at any time."""

    def __init__(self, folder: str, size: int) -> None:
        self._size = size
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open until the end

    def begin(self) -> dict[str, object]:
        """Return how many bytes were read; they stay in the cache, as far as there is room, while the file is open."""
        # A file system that is memory itself has nothing to keep in a cache.
        if _is_memory(self._file.fileno()):
            raise RefusedError("the folder for temporary files is in memory: reading there fills no cache")
        self._file.truncate(self._size)
        done = 0
        buffer = bytearray(_READ)
        while done < self._size:
            count = self._file.readinto(buffer)
            if not count:
                break
            done += count
        return {"read": done}

    def end(self) -> dict[str, object]:
        """Close the file, which has no name."""
        self._file.close()
        return {}


def _is_memory(handle: int) -> bool:
    device = os.fstat(handle).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - read as it is
        lines = [line.split() for line in file]
    return any(words[2] == wanted and words[words.index("-") + 1] in ("tmpfs", "ramfs") for words in lines)
