"""A network namespace held open from outside, by as many as like to: for work that disturbs nobody else's."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cleanroom.errors import CapabilityError, NetworkError
from cleanroom.network.namespace import in_namespace

Result = TypeVar("Result")


class Handle:
    """A namespace that stays, with what was put there, until `close`, whatever becomes of its process meanwhile."""

    def __init__(self, path: str) -> None:
        """Open the namespace at `path`; raises `NetworkError`, and `CapabilityError` when it is our own."""
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as err:
            raise NetworkError(f"the network namespace {path} cannot be opened: {err.strerror}") from err
        # Also closes what its owner forgets.
        self._finish = weakref.finalize(self, _close, self._descriptor)
        if os.path.samestat(os.fstat(self._descriptor), Path("/proc/self/ns/net").stat()):
            self.close()
            raise CapabilityError(
                "the service shares the network of this program, so a fault on it would strike the program too",
                remedy="give the service a network of its own",
            )

    def do(self, function: Callable[[], Result]) -> Result:
        """Return `function()`, called inside the namespace from a thread of its own."""
        return in_namespace(f"/proc/self/fd/{self._descriptor}", function)

    def close(self) -> None:
        """Let go of the namespace; safe to call twice."""
        self._finish()


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # nothing can be done about a descriptor that does not close
        os.close(descriptor)
