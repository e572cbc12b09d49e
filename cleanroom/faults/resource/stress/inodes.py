"""A file system in memory that may have no more files than it has.

To make them would take some millions of files: a file system in memory has room for as many as half of the machine's
pages. So its own limit is moved to where its files are.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Mapping

from cleanroom.faults.resource.stress.place import Folder
from cleanroom.faults.resource.stress.task import RefusedError

_FSPICK, _FSCONFIG = 433, 431  # the same on every architecture
_CLOEXEC, _EMPTY_PATH = 0x1, 0x8
_SET_STRING, _RECONFIGURE = 1, 7
_OFTEN = 0.1
MOST = 500
"""How many may be left: as many are made to prove it."""


class Inodes:
    """Leaves room for `leave` files; `limit` is the number of files that an earlier job of this kind must give back."""

    def __init__(
        self, *, path: str, own: list[str], others: Mapping[str, str], leave: int = 0, limit: int = 0
    ) -> None:  # fmt: skip
        self._folder = Folder(path, tuple(own), others)
        self._leave = leave
        self._limit = limit
        self._back = bool(limit)

    def begin(self) -> dict[str, object]:
        """Move the limit, and try to make more files than there is room for."""
        room = self._folder.room()
        if self._back:
            return {}
        if not room.f_files:
            raise RefusedError(f"{self._folder.path} has no limit of files that could be moved")
        if room.f_ffree <= self._leave:
            raise RefusedError(f"{self._folder.path} has room for {room.f_ffree} files, which is not more than asked")
        self._limit = room.f_files
        try:
            self._tighten()
            made, refusal = self._try()
        except OSError:
            self.end()
            raise
        found = {"files_before": room.f_files - room.f_ffree, "limit_before": room.f_files, **self.look()}
        return {**found, "made": made, "create": refusal}

    def _tighten(self) -> None:
        room = self._folder.room()
        if room.f_ffree > self._leave:
            self._move(room.f_files - room.f_ffree + self._leave)

    def _move(self, limit: int) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        handle = library.syscall(_FSPICK, self._folder.handle, b"", _CLOEXEC | _EMPTY_PATH)
        if handle < 0:
            raise _last(f"the options of {self._folder.path} cannot be reached")
        try:
            value = str(limit).encode()
            if library.syscall(_FSCONFIG, handle, _SET_STRING, b"nr_inodes", value, 0) or library.syscall(
                _FSCONFIG, handle, _RECONFIGURE, None, None, 0
            ):
                raise _last(f"the number of files of {self._folder.path} cannot be limited to {limit}")
        finally:
            os.close(handle)

    def _try(self) -> tuple[int, str]:
        made: list[int] = []
        try:
            while len(made) <= self._leave:
                made.append(self._folder.nameless())
        except OSError as err:
            return len(made), errno.errorcode.get(err.errno or 0, str(err))
        finally:
            for handle in made:
                os.close(handle)
        return len(made), ""

    def look(self) -> dict[str, object]:
        """Say how many files there is room for, and of how many."""
        room = self._folder.room()
        return {"files_free": room.f_ffree, "limit": room.f_files}

    def tick(self) -> float | None:
        """Take the room of what was removed meanwhile."""
        if self._back:
            return None
        self._tighten()
        return _OFTEN

    def end(self) -> dict[str, object]:
        """Put the limit back."""
        if self._limit:
            self._move(self._limit)
        found = self.look()
        self._folder.close()
        return {"limit_after": found["limit"], "files_free_after": found["files_free"]}


def _last(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
