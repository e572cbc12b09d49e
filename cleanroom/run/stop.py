"""The request to stop: asked once, seen by every part of a run at its next safe point."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cleanroom.errors import InterruptedRunError


class Stop:
    """A flag that is raised at most once, with callbacks that unblock whoever waits."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._next = 0

    @property
    def requested(self) -> bool:
        """Whether the run has been asked to stop."""
        return self._event.is_set()

    def request(self) -> None:
        """Raise the flag and run every callback once, in reverse order of registration."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            callbacks = [self._callbacks[key] for key in sorted(self._callbacks, reverse=True)]
        for callback in callbacks:
            callback()

    def register(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run `callback` when the flag is raised (at once when it is already); returns the function that forgets it."""
        with self._lock:
            key = self._next
            self._next += 1
            self._callbacks[key] = callback
            raised = self._event.is_set()
        if raised:
            callback()

        def forget() -> None:
            with self._lock:
                self._callbacks.pop(key, None)

        return forget

    def check(self) -> None:
        """Raise `InterruptedRunError` when the run has been asked to stop."""
        if self._event.is_set():
            raise InterruptedRunError("the run was interrupted")

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds`; return whether the run has been asked to stop."""
        return self._event.wait(seconds)
