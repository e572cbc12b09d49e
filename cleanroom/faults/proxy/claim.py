"""The network namespace of one container, held open for the proxy of one fault at a time."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from cleanroom.errors import CapabilityError, NetworkError
from cleanroom.network.namespace import in_namespace

Result = TypeVar("Result")

_claims: set[tuple[int, int]] = set()
_claiming = threading.Lock()


class Inside(Protocol):
    """Where the proxy and its rules are."""

    def do(self, function: Callable[[], Result]) -> Result:
        """Return `function()`, called inside the namespace."""


class Claimed:
    """A namespace that stays until `close`, whatever becomes of the container; two proxies would strike each other."""

    def __init__(self, path: str) -> None:
        """Open and claim it; raises `CapabilityError` when it is ours or claimed, `NetworkError` when it is gone."""
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as err:
            raise NetworkError(f"the network namespace {path} cannot be opened: {err.strerror}") from err
        # Also closes what its owner forgets; the kernel hands an identity out again only after that.
        self._finish = weakref.finalize(self, _release, self._descriptor, None)
        found = os.fstat(self._descriptor)
        identity = (found.st_dev, found.st_ino)
        if Path(path).samefile("/proc/self/ns/net"):
            raise CapabilityError(
                "the service shares the network of this program, so a fault on it would strike the program too",
                remedy="give the service a network of its own",
            )
        with _claiming:
            if identity in _claims:
                raise CapabilityError(
                    "another fault leads the connections of the same service through a proxy already",
                    remedy="end the first before the second starts (`for:` or `until:`)",
                )
            _claims.add(identity)
        self._finish.detach()
        self._finish = weakref.finalize(self, _release, self._descriptor, identity)

    def do(self, function: Callable[[], Result]) -> Result:
        """Return `function()`, called inside the namespace from a thread of its own."""
        return in_namespace(f"/proc/self/fd/{self._descriptor}", function)

    def close(self) -> None:
        """Let go of the namespace; safe to call twice."""
        self._finish()


def _release(descriptor: int, identity: tuple[int, int] | None) -> None:
    with _claiming:
        if identity is not None:
            _claims.discard(identity)
    with contextlib.suppress(OSError):  # nothing can be done about a descriptor that does not close
        os.close(descriptor)
