"""Work inside another network namespace, from a thread that is thrown away afterwards."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from cleanroom.errors import NetworkError

_CLONE_NEWNET = 0x40000000
Result = TypeVar("Result")


def namespace_of_pid(pid: int) -> str:
    """Return the path of the network namespace of the process `pid` (as this process numbers it)."""
    return f"/proc/{pid}/ns/net"


def in_namespace(netns_path: str, function: Callable[[], Result]) -> Result:
    """Return `function()`, called in a fresh thread that has entered the network namespace at `netns_path`.

    The calling thread's namespace never changes. Sockets that the function makes, and processes and threads that it
    starts, belong to that namespace and may outlive the call. What the function raises is raised here; raises
    NetworkError when the namespace cannot be entered (its process is gone, no CAP_SYS_ADMIN).
    """
    visit = _Visit(netns_path, function)
    thread = threading.Thread(target=visit.run, name=f"in {netns_path}", daemon=True)
    thread.start()
    thread.join()
    if visit.error is not None:
        raise visit.error
    return visit.results[0]


class _Visit(Generic[Result]):
    def __init__(self, path: str, function: Callable[[], Result]) -> None:
        self.path = path
        self.function = function
        self.results: list[Result] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            _enter(self.path)
            self.results.append(self.function())
        except BaseException as err:  # noqa: BLE001 - carried to the calling thread, which raises it
            self.error = err


def _enter(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(descriptor)
        finally:
            os.close(descriptor)
    except OSError as err:
        raise NetworkError(
            f"cannot enter the network namespace {path}: {err.strerror}",
            remedy="its process may have ended; entering needs root (CAP_SYS_ADMIN)",
        ) from err


def _setns(descriptor: int) -> None:
    if sys.version_info >= (3, 12):
        os.setns(descriptor, os.CLONE_NEWNET)
    elif ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
