"""What passes through a covered directory: the files under it, by descriptors, as the kernel numbers them."""

from __future__ import annotations

import errno
import os
import resource
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass

from cleanroom.faults.filesystem import wire
from cleanroom.faults.filesystem.wire import Request

ROOT = 1
# What belongs to the open that we make, not to the file: the kernel did the rest of it already.
_NOT_OURS = os.O_CREAT | os.O_EXCL | os.O_NOCTTY | os.O_TRUNC | os.O_DIRECT | os.O_NOFOLLOW


@dataclass(slots=True)
class _Node:
    descriptor: int
    key: tuple[int, int]
    known: int


class Files:
    """The tree below a directory, which is open as `root`; `descriptors` is our own `/proc/self/fd`."""

    def __init__(self, root: int, descriptors: int) -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        found = os.fstat(root)
        self._descriptors = descriptors
        self._nodes = {ROOT: _Node(root, (found.st_dev, found.st_ino), 1)}
        self._by_key = {(found.st_dev, found.st_ino): ROOT}
        self._next = ROOT + 1
        self._lists: dict[int, list[tuple[int, int, bytes]]] = {}
        self._do: dict[int, Callable[[Request], bytes]] = {
            wire.LOOKUP: self._lookup, wire.FORGET: self._forget, wire.BATCH_FORGET: self._forget_many,
            wire.GETATTR: self._attributes, wire.SETATTR: self._set, wire.READLINK: self._readlink,
            wire.SYMLINK: self._symlink, wire.MKNOD: self._mknod, wire.MKDIR: self._mkdir,
            wire.UNLINK: lambda asked: self._remove(asked, os.unlink),
            wire.RMDIR: lambda asked: self._remove(asked, os.rmdir),
            wire.RENAME: lambda asked: self._rename(asked, 8), wire.RENAME2: lambda asked: self._rename(asked, 16),
            wire.LINK: self._link, wire.OPEN: self._open, wire.READ: self._read, wire.WRITE: self._write,
            wire.STATFS_: self._statfs, wire.RELEASE: self._release, wire.FSYNC: self._fsync, wire.FLUSH: _nothing,
            wire.OPENDIR: self._opendir, wire.READDIR: self._readdir, wire.RELEASEDIR: self._release,
            wire.FSYNCDIR: self._fsync, wire.CREATE: self._create, wire.DESTROY: _nothing, wire.INTERRUPT: _nothing,
            wire.LSEEK: self._seek, wire.FALLOCATE: self._allocate,
        }  # fmt: skip

    def answer(self, asked: Request) -> bytes:
        """Do what was asked; raises `OSError`, also for what a passthrough does not know."""
        act = self._do.get(asked.opcode)
        if act is None:
            raise OSError(errno.ENOSYS, "not known")
        return act(asked)

    def _at(self, asked: Request) -> int:
        return self._nodes[asked.node].descriptor

    def _reopen(self, node: int, flags: int) -> int:
        """Open the file itself, whatever name it has now."""
        return os.open(str(self._nodes[node].descriptor), flags | os.O_CLOEXEC, dir_fd=self._descriptors)

    def _entry(self, parent: int, name: bytes) -> bytes:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        found = os.fstat(descriptor)
        key = (found.st_dev, found.st_ino)
        number = self._by_key.get(key)
        if number is None:
            number, self._next = self._next, self._next + 1
            self._nodes[number], self._by_key[key] = _Node(descriptor, key, 0), number
        else:
            os.close(descriptor)
        self._nodes[number].known += 1
        return wire.entry_body(number, found)

    def _lookup(self, asked: Request) -> bytes:
        return self._entry(self._at(asked), asked.names()[0])

    def _drop(self, number: int, times: int) -> None:
        node = self._nodes.get(number)
        if node is None or number == ROOT:
            return
        node.known -= times
        if node.known <= 0:
            os.close(node.descriptor)
            del self._nodes[number], self._by_key[node.key]

    def _forget(self, asked: Request) -> bytes:
        self._drop(asked.node, asked.fields("Q")[0])
        return b""

    def _forget_many(self, asked: Request) -> bytes:
        count = asked.fields("I")[0]
        numbers = asked.fields(f"II{2 * count}Q")[2:]
        for number, times in zip(numbers[::2], numbers[1::2], strict=True):
            self._drop(number, times)
        return b""

    def _attributes(self, asked: Request) -> bytes:
        return wire.attributes_body(os.fstat(self._at(asked)))

    def _set(self, asked: Request) -> bytes:
        (valid, _, handle, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, user, group, _) = asked.fields(
            "IIQQQQQQIIIIIIII"
        )
        own, place = str(self._nodes[asked.node].descriptor), self._descriptors
        if valid & (wire.SET_UID | wire.SET_GID):
            os.chown(own, user if valid & wire.SET_UID else -1, group if valid & wire.SET_GID else -1, dir_fd=place)
        if valid & wire.SET_MODE:
            os.chmod(own, stat.S_IMODE(mode), dir_fd=place)
        if valid & wire.SET_SIZE:
            file = handle if valid & wire.SET_HANDLE else self._reopen(asked.node, os.O_WRONLY)
            try:
                os.ftruncate(file, size)
            finally:
                if not valid & wire.SET_HANDLE:
                    os.close(file)
        if valid & (wire.SET_ATIME | wire.SET_MTIME):
            self._set_times(own, valid, (atime * 10**9 + atime_ns, mtime * 10**9 + mtime_ns))
        return self._attributes(asked)

    def _set_times(self, own: str, valid: int, times: tuple[int, int]) -> None:
        was = os.stat(own, dir_fd=self._descriptors)
        now = time.time_ns()
        atime = was.st_atime_ns if not valid & wire.SET_ATIME else now if valid & wire.SET_ATIME_NOW else times[0]
        mtime = was.st_mtime_ns if not valid & wire.SET_MTIME else now if valid & wire.SET_MTIME_NOW else times[1]
        os.utime(own, ns=(atime, mtime), dir_fd=self._descriptors)

    def _readlink(self, asked: Request) -> bytes:
        return os.readlink(b"", dir_fd=self._at(asked))

    def _owned(self, asked: Request, name: bytes) -> bytes:
        """Give what was just made to whoever asked for it, and return its entry."""
        parent = self._at(asked)
        above = os.fstat(parent)
        group = above.st_gid if above.st_mode & stat.S_ISGID else asked.group
        made = os.stat(name, dir_fd=parent, follow_symlinks=False)
        os.chown(name, asked.user, group, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISLNK(made.st_mode) and made.st_mode & (stat.S_ISUID | stat.S_ISGID):
            os.chmod(name, stat.S_IMODE(made.st_mode), dir_fd=parent)
        return self._entry(parent, name)

    def _symlink(self, asked: Request) -> bytes:
        name, target = asked.names()[:2]
        os.symlink(target, name, dir_fd=self._at(asked))
        return self._owned(asked, name)

    def _mknod(self, asked: Request) -> bytes:
        mode, device, umask, _ = asked.fields("IIII")
        name = asked.names(16)[0]
        os.mknod(name, mode & ~umask, wire.device_of(device), dir_fd=self._at(asked))
        return self._owned(asked, name)

    def _mkdir(self, asked: Request) -> bytes:
        mode, umask = asked.fields("II")
        name = asked.names(8)[0]
        os.mkdir(name, mode & ~umask, dir_fd=self._at(asked))
        return self._owned(asked, name)

    def _remove(self, asked: Request, how: Callable[..., None]) -> bytes:
        how(asked.names()[0], dir_fd=self._at(asked))
        return b""

    def _rename(self, asked: Request, skip: int) -> bytes:
        if skip > 8 and asked.fields("QI")[1]:  # noqa: PLR2004 - the longer form has flags
            raise OSError(errno.EINVAL, "no flags")
        source, target = asked.names(skip)[:2]
        new = self._nodes[asked.fields("Q")[0]].descriptor
        os.rename(source, target, src_dir_fd=self._at(asked), dst_dir_fd=new)
        return b""

    def _link(self, asked: Request) -> bytes:
        name = asked.names(8)[0]
        own = str(self._nodes[asked.fields("Q")[0]].descriptor)
        os.link(own, name, src_dir_fd=self._descriptors, dst_dir_fd=self._at(asked), follow_symlinks=True)
        return self._entry(self._at(asked), name)

    def _open(self, asked: Request) -> bytes:
        return wire.OPENED.pack(self._reopen(asked.node, asked.fields("I")[0] & ~_NOT_OURS), wire.DIRECT_IO, 0)

    def _create(self, asked: Request) -> bytes:
        flags, mode, umask, _ = asked.fields("IIII")
        name = asked.names(16)[0]
        keep = flags & ~_NOT_OURS | flags & os.O_EXCL | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(name, keep, mode & ~umask, dir_fd=self._at(asked))
        try:
            entry = self._owned(asked, name)
        except OSError:
            os.close(handle)
            raise
        return entry + wire.OPENED.pack(handle, wire.DIRECT_IO, 0)

    def _read(self, asked: Request) -> bytes:
        handle, offset, size = asked.fields("QQI")
        return os.pread(handle, size, offset)

    def _write(self, asked: Request) -> bytes:
        handle, offset, size = asked.fields("QQI")
        return (os.pwrite(handle, asked.body[40 : 40 + size], offset)).to_bytes(4, "little") + bytes(4)

    def _statfs(self, asked: Request) -> bytes:
        found = os.fstatvfs(self._at(asked))
        return wire.STATFS.pack(
            found.f_blocks, found.f_bfree, found.f_bavail, found.f_files, found.f_ffree, found.f_bsize,
            found.f_namemax, found.f_frsize, 0,
        )  # fmt: skip

    def _release(self, asked: Request) -> bytes:
        handle = asked.fields("Q")[0]
        self._lists.pop(handle, None)
        os.close(handle)
        return b""

    def _fsync(self, asked: Request) -> bytes:
        handle, flags = asked.fields("QI")
        (os.fdatasync if flags & 1 else os.fsync)(handle)
        return b""

    def _opendir(self, asked: Request) -> bytes:
        return wire.OPENED.pack(self._reopen(asked.node, os.O_RDONLY | os.O_DIRECTORY), 0, 0)

    def _readdir(self, asked: Request) -> bytes:
        handle, offset, size = asked.fields("QQI")
        if not offset or handle not in self._lists:
            with os.scandir(handle) as entries:
                found = [(one.inode(), _kind(one), os.fsencode(one.name)) for one in entries]
            self._lists[handle] = [(1, stat.S_IFDIR >> 12, b"."), (1, stat.S_IFDIR >> 12, b".."), *found]
        return wire.directory_body(self._lists[handle], offset, size)

    def _seek(self, asked: Request) -> bytes:
        handle, offset, whence = asked.fields("QQI")
        return os.lseek(handle, offset, whence).to_bytes(8, "little")

    def _allocate(self, asked: Request) -> bytes:
        handle, offset, length, mode = asked.fields("QQQI")
        if mode:
            raise OSError(errno.EOPNOTSUPP, "only plain allocation")
        os.posix_fallocate(handle, offset, length)
        return b""


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK >> 12
    return (stat.S_IFDIR if entry.is_dir(follow_symlinks=False) else stat.S_IFREG if entry.is_file() else 0) >> 12


def _nothing(_asked: Request) -> bytes:
    return b""
