"""A directory in a container's mount namespace, and whether its file system is one that may be filled."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

from cleanroom.faults.resource.stress.task import RefusedError

_NEW_MOUNTS = 0x00020000


def enter(pid: int) -> None:
    """Move this process, which has one thread, into the mount namespace of `pid`; raises OSError."""
    handle = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, _NEW_MOUNTS):
            number = ctypes.get_errno()
            raise OSError(number, f"the mount namespace of process {pid} cannot be entered: {os.strerror(number)}")
    finally:
        os.close(handle)


class Folder:
    """An open directory; `own` are the file systems (`major:minor`) of the container's own, `others` says of whom."""

    def __init__(self, path: str, own: tuple[str, ...], others: Mapping[str, str]) -> None:
        self.path = path
        self.handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        device = os.fstat(self.handle).st_dev
        name = f"{os.major(device)}:{os.minor(device)}"
        if name not in own:
            self.close()
            raise RefusedError(f"{path} is on {others.get(name, 'a file system that is not known')}")

    def room(self) -> os.statvfs_result:
        """Return how full the file system is."""
        return os.fstatvfs(self.handle)

    def nameless(self) -> int:
        """Return a new file that nobody can see and that goes away when it is closed."""
        return os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=self.handle)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.handle)
