"""A file without a name that takes the room of a file system, and goes away with the process that holds it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from cleanroom.faults.resource.stress.place import Folder
from cleanroom.faults.resource.stress.task import RefusedError

_OFTEN = 0.1
_TRIES = 20
_WRITE = 1 << 20


class Ballast:
    """Keeps `leave` bytes, or what `percent` in use leaves, free: what is given back meanwhile is taken as well."""

    def __init__(
        self, *, path: str, own: list[str], others: Mapping[str, str], spare: int,
        leave: int = 0, percent: float | None = None,
    ) -> None:  # fmt: skip
        self._folder = Folder(path, tuple(own), others)
        self._spare = spare
        self._leave = leave
        self._percent = percent
        self._file: int | None = None
        self._held = 0
        self._block = 1

    def begin(self) -> dict[str, object]:
        """Fill it, and try to write more than is left."""
        room = self._folder.room()
        self._block = room.f_frsize
        if not room.f_blocks:
            raise RefusedError(f"{self._folder.path} has no size: it would fill the machine")
        if self._percent is not None:
            self._leave = int(room.f_blocks * room.f_frsize * (1 - self._percent / 100))
        free = room.f_bfree * room.f_frsize
        if free <= self._leave:
            raise RefusedError(f"{self._folder.path} has {free} bytes left already, which is not more than asked")
        if free - self._leave > self._spare:
            raise RefusedError(
                f"{self._folder.path} has {free >> 20} MiB left, and the machine can spare {self._spare >> 20} MiB"
            )
        self._file = self._folder.nameless()
        self._fill()
        return {"free_before": free, **self.look(), "write": self._try(), "wanted": self._leave}

    def _fill(self) -> None:
        assert self._file is not None  # noqa: S101 - made by `begin`
        for _ in range(_TRIES):
            short = (self._folder.room().f_bfree - self._leave // self._block) * self._block
            if short <= 0:
                return
            try:
                os.posix_fallocate(self._file, self._held, short)
            except OSError as err:
                # Somebody took some of it in between: look again.
                if err.errno != errno.ENOSPC:
                    raise
                continue
            self._held += short

    def _try(self) -> str:
        """Return the error of writing one block more than is left, in a file that goes away at once."""
        handle = self._folder.nameless()
        try:
            left = self._leave + self._block
            while left > 0:
                left -= os.write(handle, b"\0" * min(left, _WRITE))
        except OSError as err:
            return errno.errorcode.get(err.errno or 0, str(err))
        finally:
            os.close(handle)
        return ""

    def look(self) -> dict[str, object]:
        """Say how much is left, of how much, and how much we hold."""
        room = self._folder.room()
        size = room.f_blocks * room.f_frsize
        return {"free": room.f_bfree * room.f_frsize, "size": size, "ballast": self._held}

    def tick(self) -> float | None:
        """Take what was given back."""
        self._fill()
        return _OFTEN

    def end(self) -> dict[str, object]:
        """Give it back."""
        during = self._folder.room()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        after = self._folder.room()
        self._folder.close()
        given = (after.f_bfree - during.f_bfree) * after.f_frsize
        return {"free_after": after.f_bfree * after.f_frsize, "given_back": given, "ballast": self._held}
