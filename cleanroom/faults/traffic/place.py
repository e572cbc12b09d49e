"""The network namespace of one container, held open, with what all the faults that are active there share."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from cleanroom.errors import CapabilityError, NetworkError
from cleanroom.network.namespace import in_namespace

Result = TypeVar("Result")
Estate = TypeVar("Estate")


class Inside(Protocol):
    """Where a mechanism works."""

    def do(self, function: Callable[[], Result]) -> Result:
        """Return `function()`, called inside the namespace."""


class Common(Inside, Protocol):
    """Where a mechanism works that the faults there share."""

    @property
    def descriptor(self) -> int:
        """An open descriptor of the namespace."""

    @property
    def lock(self) -> threading.RLock:
        """Held while what the faults share is changed."""

    def shared(self, kind: type[Estate]) -> Estate:
        """Return the one object of this class that all the faults in the namespace share."""


class _Commons:
    """What belongs to a namespace as long as anybody holds it open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.estates: dict[type[Any], Any] = {}
        self.holders = 0


_commons: dict[tuple[int, int], _Commons] = {}
_opening = threading.Lock()


class Place:
    """A namespace that stays, with what was put there, until `close`, whatever becomes of the container meanwhile."""

    def __init__(self, path: str) -> None:
        """Open the namespace at `path`; raises `CapabilityError` when it is ours."""
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as err:
            raise NetworkError(f"the network namespace {path} cannot be opened: {err.strerror}") from err
        # Also closes what its owner forgets; the kernel hands an identity out again only after that.
        self._finish = weakref.finalize(self, _release, self.descriptor, None)
        found = os.fstat(self.descriptor)
        identity = (found.st_dev, found.st_ino)
        if Path(path).samefile("/proc/self/ns/net"):
            raise CapabilityError(
                "the service shares the network of this program, so a fault on it would strike the program too",
                remedy="give the service a network of its own",
            )
        with _opening:
            self._mine = _commons.setdefault(identity, _Commons())
            self._mine.holders += 1
        self._finish.detach()
        self._finish = weakref.finalize(self, _release, self.descriptor, identity)

    @property
    def lock(self) -> threading.RLock:
        """Held while what the faults share is changed."""
        return self._mine.lock

    def do(self, function: Callable[[], Result]) -> Result:
        """Return `function()`, called inside the namespace from a thread of its own."""
        return in_namespace(f"/proc/self/fd/{self.descriptor}", function)

    def shared(self, kind: type[Estate]) -> Estate:
        """Return the one object of this class that all the faults in the namespace share."""
        with self.lock:
            return cast("Estate", self._mine.estates.setdefault(kind, kind()))

    def close(self) -> None:
        """Let go of the namespace; safe to call twice."""
        self._finish()


def _release(descriptor: int, identity: tuple[int, int] | None) -> None:
    with _opening:
        if identity is not None and (mine := _commons.get(identity)) is not None:
            mine.holders -= 1
            if not mine.holders:
                del _commons[identity]
    with contextlib.suppress(OSError):  # nothing can be done about a descriptor that does not close
        os.close(descriptor)
