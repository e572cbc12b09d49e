"""Probes of a file inside a service's container, read from outside: no program of its image is needed."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
import time

from cleanroom.drive.answer import Fact
from cleanroom.engine.ports import ContainerState
from cleanroom.engine.processes import find
from cleanroom.quantity import Duration, Size
from cleanroom.spec.probe import FileProbe

_OPENAT2 = 437
_RESOLVE_IN_ROOT = 0x10
_CHUNK = 1 << 20
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_libc = ctypes.CDLL(None, use_errno=True)


def ask_file(state: ContainerState, probe: FileProbe, timeout: Duration) -> Fact:
    """Look at a file of a running container; its symbolic links lead where they lead inside."""
    if find(state.pid, state.id) is None:
        why = f"the container has no process whose files could be read (it is {state.status})"
        return Fact(present=False, error_type="not_started", why=why)
    try:
        root = os.open(f"/proc/{state.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return file_fact(root, probe, timeout)
        finally:
            os.close(root)
    except OSError as err:
        kind = "permission_denied" if err.errno in (errno.EACCES, errno.EPERM) else "not_started"
        return Fact(present=False, error_type=kind, why=f"{probe.path} cannot be looked at: {err.strerror}")


def file_fact(root: int, probe: FileProbe, timeout: Duration) -> Fact:
    """Return the fact about the file below the directory `root`; raises `OSError` for all but its absence."""
    flags = os.O_PATH if probe.what != "sha256" else os.O_RDONLY | os.O_NONBLOCK
    try:
        handle = _open_in_root(root, probe.path, flags | os.O_CLOEXEC)
    except OSError as err:
        if err.errno not in _ABSENT:
            raise
        if probe.what == "exists":
            return Fact(value=False)
        return Fact(present=False, error_type="not_found", why=f"there is no {probe.path}")
    try:
        if probe.what == "exists":
            return Fact(value=True)
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return Fact(present=False, error_type="not_found", why=f"{probe.path} is no regular file")
        if probe.what == "size":
            return Fact(value=Size(found.st_size))
        return _digest(handle, probe.path, timeout)
    finally:
        os.close(handle)


def _open_in_root(root: int, path: str, flags: int) -> int:
    """Open `path` as a process whose root directory is `root` would (openat2(2), RESOLVE_IN_ROOT)."""
    how = _How(flags=flags, resolve=_RESOLVE_IN_ROOT)
    handle = _libc.syscall(
        ctypes.c_long(_OPENAT2), ctypes.c_int(root), ctypes.c_char_p(os.fsencode(path)), ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )  # fmt: skip
    if handle < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return int(handle)


def _digest(handle: int, path: str, timeout: Duration) -> Fact:
    digest = hashlib.sha256()
    end = time.monotonic() + timeout.seconds
    while data := os.read(handle, _CHUNK):
        digest.update(data)
        if time.monotonic() > end:
            return Fact(present=False, error_type="timeout", why=f"{path} could not be read within {timeout}")
    return Fact(value=digest.hexdigest())
