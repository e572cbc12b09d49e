"""A directory served through FUSE over itself: what is asked passes through, unless it is struck.

No binding of the FUSE library fits: those with a wheel speak its path-based half, which gives files that are removed
while they are open hidden names in the service's directory; and a machine need not have the library at all.
"""

# ruff: noqa: PTH110 - paths are the target's, and many calls go by descriptor

from __future__ import annotations

import errno
import heapq
import os
import select
import stat
import time
from collections.abc import Callable
from typing import Any

from cleanroom.faults.filesystem import wire
from cleanroom.faults.filesystem.files import Files
from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.filesystem.strikes import Strikes
from cleanroom.faults.filesystem.system import mount_fuse, unmount
from cleanroom.faults.filesystem.wire import Request

DEVICE = "/dev/fuse"
_NUMBER = (10, 229)
_NAMED = {
    wire.OPEN: "open", wire.READ: "read", wire.WRITE: "write", wire.FSYNC: "fsync", wire.FSYNCDIR: "fsync",
    wire.CREATE: "create", wire.MKNOD: "create", wire.SYMLINK: "create", wire.LINK: "create", wire.RENAME: "rename",
    wire.RENAME2: "rename", wire.UNLINK: "unlink", wire.RMDIR: "unlink", wire.MKDIR: "mkdir", wire.READDIR: "readdir",
    wire.GETATTR: "stat",
}  # fmt: skip
_SILENT = (wire.FORGET, wire.BATCH_FORGET, wire.INTERRUPT)
_START = 10.0

Job = dict[str, Any]
Answer = Callable[[dict[str, Any]], None]


def prepare() -> dict[str, int]:
    """Open what is ours before the target's namespace is entered; raises `RefusedError` where there is no FUSE."""
    try:
        if not os.path.exists(DEVICE):
            os.mknod(DEVICE, stat.S_IFCHR | 0o600, os.makedev(*_NUMBER))
        device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as err:
        raise RefusedError(
            f"{DEVICE} cannot be opened: {err.strerror}",
            "the kernel needs fuse, and the machine or the cell must be allowed its device (10:229)",
        ) from err
    return {"device": device, "descriptors": os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)}


def hold(job: Job, answer: Answer) -> None:
    """Cover the directory, say so, and serve it until nobody has it open any more or the standard input ends."""
    path = job["real"]
    root = os.open(path, os.O_PATH | os.O_DIRECTORY)
    operations = frozenset(job["operations"])
    strikes = Strikes(operations, job["percent"], job["stream"])
    error = getattr(errno, job["errno"], None) if job.get("errno") else 0
    if error is None:
        raise RefusedError(f"the kernel has no error {job['errno']}")
    served = Served(job["device"], Files(root, job["descriptors"]), strikes, error, job.get("delay_ns", 0))
    try:
        mount_fuse(job["device"], path, os.fstat(root).st_mode)
    except OSError as err:
        raise RefusedError(f"FUSE cannot be mounted at {path}: {err.strerror}") from err
    try:
        served.begin()
    except RefusedError:
        unmount(path)
        raise
    answer({"done": {"process": os.getpid()}})
    served.serve(answer)


class Served:
    """The conversation with the kernel; one that is to be late waits in a heap, and the others go on."""

    def __init__(self, device: int, files: Files, strikes: Strikes, error: int, delay_ns: int) -> None:
        self._device, self._files, self._strikes = device, files, strikes
        self._error, self._delay_ns = error, delay_ns
        self._late: list[tuple[int, int, Request]] = []
        self._line = b""
        self._over = False

    def begin(self) -> None:
        """Answer the kernel's first message; raises `RefusedError` where it does not come or is too old."""
        if not select.select([self._device], [], [], _START)[0]:
            raise RefusedError("the kernel does not speak over its FUSE device")
        asked = wire.request(os.read(self._device, wire.BUFFER))
        try:
            body = wire.init_body(asked)
        except OSError as err:
            raise RefusedError(str(err.strerror), "the kernel must be 5.4 or newer") from err
        os.write(self._device, wire.reply(asked.unique, body))

    def serve(self, answer: Answer) -> None:
        """Answer the kernel and the parent until one of them is gone."""
        while not self._over:
            now = time.monotonic_ns()
            while self._late and self._late[0][0] <= now:
                self._act(heapq.heappop(self._late)[2])
            wait = max(0.0, (self._late[0][0] - now) / 10**9) if self._late else None
            ready, _, _ = select.select([self._device, 0], [], [], wait)
            if 0 in ready:
                self._listen(answer)
            if self._device in ready:
                self._read()
        answer({"done": self._strikes.figures()})

    def _listen(self, answer: Answer) -> None:
        data = os.read(0, 4096)
        if not data:
            # The kernel tells whoever still waits that nobody serves this any more.
            self._over = True
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            word, _, rest = line.partition(b" ")
            if word == b"ours":
                self._strikes.ours = int(rest)
            elif word == b"heal":
                self._strikes.healed = True
                # Who waits already has waited long enough.
                self._late = [(0, order, request) for _, order, request in self._late]
            answer({"done": self._strikes.figures()})

    def _read(self) -> None:
        try:
            data = os.read(self._device, wire.BUFFER)
        except OSError as err:
            if err.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                return
            # ENODEV: it is not mounted any more, and nobody has a file of it open.
            self._over = True
            return
        asked = wire.request(data)
        operation = _NAMED.get(asked.opcode, "")
        if asked.opcode == wire.SETATTR and asked.fields("I")[0] & wire.SET_SIZE:
            operation = "truncate"
        if operation and self._strikes.decide(operation, asked.process):
            if self._error:
                self._say(wire.reply(asked.unique, error=self._error))
                return
            heapq.heappush(self._late, (time.monotonic_ns() + self._delay_ns, asked.unique, asked))
            return
        self._act(asked)

    def _act(self, asked: Request) -> None:
        try:
            body = self._files.answer(asked)
        except OSError as err:
            answer = wire.reply(asked.unique, error=err.errno or errno.EIO)
        else:
            answer = wire.reply(asked.unique, body)
        if asked.opcode not in _SILENT:
            self._say(answer)

    def _say(self, answer: bytes) -> None:
        try:
            os.write(self._device, answer)
        except OSError as err:
            # ENOENT: whoever asked was interrupted and waits no longer.
            if err.errno not in (errno.ENOENT, errno.EINVAL):
                self._over = True
