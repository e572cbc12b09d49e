"""The kernel's calls for file systems that Python has no name for; each raises `OSError`."""

from __future__ import annotations

import ctypes
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
# The same numbers on every architecture: they are younger than the common table.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD = -100
_CLONE_NEWNS = 0x00020000
_OPEN_TREE_CLONE, _AT_RECURSIVE, _AT_EMPTY_PATH = 1, 0x8000, 0x1000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_ATTRIBUTE_READ_ONLY = 1
_NO_SUID, _NO_DEVICES = 2, 4
_DETACH, _NO_FOLLOW = 2, 8
_NO_REPLACE = 1
_KEEP_CAPABILITIES = 8
_CAPABILITY_VERSION = 0x20080522


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def enter_mounts(namespace: int) -> None:
    """Enter the mount namespace behind a descriptor: its root becomes ours. The process must have one thread."""
    _checked(_LIBC.setns(namespace, _CLONE_NEWNS))
    os.chdir("/")


def cover_read_only(path: str) -> None:
    """Mount `path`, with all that is mounted below it, over itself and read-only: at no moment it is there writable."""
    tree = _checked(
        _LIBC.syscall(
            _OPEN_TREE, _AT_FDCWD, os.fsencode(path), _OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC | _AT_EMPTY_PATH
        )
    )
    try:
        attributes = struct.pack("=QQQQ", _ATTRIBUTE_READ_ONLY, 0, 0, 0)
        flags = _AT_EMPTY_PATH | _AT_RECURSIVE
        _checked(_LIBC.syscall(_MOUNT_SETATTR, tree, b"", flags, attributes, ctypes.c_size_t(len(attributes))))
        _checked(_LIBC.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH))
    finally:
        os.close(tree)


def mount_fuse(device: int, path: str, mode: int) -> None:
    """Mount what is served over the open `/dev/fuse` at `path`; modes are checked by the kernel, for every user."""
    options = f"fd={device},rootmode={mode:o},user_id=0,group_id=0,allow_other,default_permissions"
    flags = ctypes.c_ulong(_NO_SUID | _NO_DEVICES)
    _checked(_LIBC.mount(b"cleanroom", os.fsencode(path), b"fuse.cleanroom", flags, options.encode()))


def unmount(path: str) -> None:
    """Take away the topmost mount at `path`; whoever has a file open in it keeps it."""
    _checked(_LIBC.umount2(os.fsencode(path), _DETACH | _NO_FOLLOW))


def rename_anew(source: str, target: str) -> None:
    """Rename, and raise `FileExistsError` where there is a `target` already."""
    _checked(_LIBC.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _NO_REPLACE))


def become(user: int, group: int, groups: list[int], capabilities: int) -> None:
    """Take on these credentials for good, with exactly these effective capabilities."""
    _checked(_LIBC.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0))
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _checked(_LIBC.capset(header, struct.pack("=6I", low, low, 0, high, high, 0)))
