"""The messages of the kernel's FUSE protocol (fuse.h, version 7.31 and up): as much as a passthrough needs."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

HEADER = struct.Struct("=IIQQIIII")
_REPLY = struct.Struct("=IiQ")
_ATTRIBUTES = struct.Struct("=QQQQQQIIIIIIIIII")
_INIT_OUT = struct.Struct("=IIIIHHIIHHII24x")
_ENTRY = struct.Struct("=QQQQII")
_ATTRIBUTES_HEAD = struct.Struct("=QII")
_DIRECTORY_ENTRY = struct.Struct("=QQII")
OPENED = struct.Struct("=QII")
STATFS = struct.Struct("=QQQQQIIII24x")

MAJOR, MINOR = 7, 36
OLDEST_MINOR = 31
MAX_WRITE = 128 * 1024
BUFFER = MAX_WRITE + 64 * 1024
_BIG_WRITES, _INIT_EXT = 1 << 5, 1 << 30
_MAP_DIRECT = 1 << 4  # of the second word of flags: files that are read directly can be mapped all the same
DIRECT_IO = 1
"""Of an opened file: its pages are not cached, so that every read and write comes to us."""

LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK = 1, 2, 3, 4, 5, 6
MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, OPEN = 8, 9, 10, 11, 12, 13, 14
READ, WRITE, STATFS_, RELEASE, FSYNC = 15, 16, 17, 18, 20
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR = 25, 26, 27, 28, 29, 30
CREATE, INTERRUPT, DESTROY, BATCH_FORGET, FALLOCATE, RENAME2, LSEEK = 35, 36, 38, 42, 43, 45, 46

SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME = 1, 2, 4, 8, 16, 32
SET_HANDLE, SET_ATIME_NOW, SET_MTIME_NOW = 64, 128, 256


@dataclass(frozen=True, slots=True)
class Request:
    """One message of the kernel's; `user`, `group` and `process` are of whoever asks."""

    opcode: int
    unique: int
    node: int
    user: int
    group: int
    process: int
    body: bytes

    def fields(self, form: str) -> tuple[int, ...]:
        """Return the numbers at the beginning of the body."""
        return struct.unpack_from("=" + form, self.body)

    def names(self, skip: int = 0) -> list[bytes]:
        """Return the names that follow `skip` bytes of numbers."""
        return self.body[skip:].split(b"\0")[:-1]


def request(data: bytes) -> Request:
    """Return the message."""
    length, opcode, unique, node, user, group, process, _ = HEADER.unpack_from(data)
    return Request(opcode, unique, node, user, group, process, data[HEADER.size : length])


def reply(unique: int, body: bytes = b"", error: int = 0) -> bytes:
    """Return the answer to a message; `error` is an errno."""
    return _REPLY.pack(_REPLY.size + len(body), -error, unique) + body


def init_body(asked: Request) -> bytes:
    """Return what we want of the kernel; raises `OSError` where it is too old."""
    major, minor, readahead, flags = asked.fields("IIII")
    if (major, minor) < (MAJOR, OLDEST_MINOR):
        raise OSError(71, f"the kernel speaks FUSE {major}.{minor}")
    second = asked.fields("IIIII")[4] if flags & _INIT_EXT and minor >= MINOR else 0
    wanted = flags & (_BIG_WRITES | _INIT_EXT)
    return _INIT_OUT.pack(
        MAJOR, min(minor, MINOR), readahead, wanted, 16, 12, MAX_WRITE, 1, 0, 0, second & _MAP_DIRECT, 0
    )  # fmt: skip


def attributes(found: os.stat_result) -> bytes:
    """Return the attributes of a file as the kernel wants them."""
    times = [divmod(ns, 10**9) for ns in (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)]
    return _ATTRIBUTES.pack(
        found.st_ino, found.st_size, found.st_blocks, *(max(0, whole) for whole, _ in times), *(ns for _, ns in times),
        found.st_mode, found.st_nlink, found.st_uid, found.st_gid, _device(found.st_rdev), found.st_blksize, 0,
    )  # fmt: skip


def _device(number: int) -> int:
    """Return a device number in the kernel's own 32 bits."""
    major, minor = os.major(number), os.minor(number)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def device_of(number: int) -> int:
    """Return the device number that the kernel wrote in 32 bits."""
    return os.makedev((number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00))


def attributes_body(found: os.stat_result) -> bytes:
    """Return the answer to a question for attributes; they are never cached."""
    return _ATTRIBUTES_HEAD.pack(0, 0, 0) + attributes(found)


def entry_body(node: int, found: os.stat_result) -> bytes:
    """Return the answer to a name; it is never cached."""
    return _ENTRY.pack(node, 0, 0, 0, 0, 0) + attributes(found)


def directory_body(entries: list[tuple[int, int, bytes]], offset: int, size: int) -> bytes:
    """Return as many entries (inode, type, name) from `offset` on as fit into `size` bytes."""
    found = bytearray()
    for index, (inode, kind, name) in enumerate(entries[offset:], offset + 1):
        one = _DIRECTORY_ENTRY.pack(inode, index, len(name), kind) + name
        one += bytes(-len(one) % 8)
        if len(found) + len(one) > size:
            break
        found += one
    return bytes(found)
