"""What is due at moments: one thread waits for all of it, so that what is only planned costs next to nothing."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from cleanroom.clock import Clock, Deadline, SystemClock


class Agenda:
    """Runs work when it is due, each in a thread of its own, so that none delays another; begins at the first entry.

    `clock` is the machine's: threads really wait.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._closed = False
        self._waiting: threading.Thread | None = None
        self._running: list[threading.Thread] = []

    @property
    def closed(self) -> bool:
        """Whether nothing begins any more."""
        return self._closed

    def after(self, seconds: float, work: Callable[[], object]) -> None:
        """Run `work` in so many seconds; at once, and beside the caller, for none."""
        with self._changed:
            if self._closed:
                return
            if seconds <= 0:
                self._begin(work)
                return
            heapq.heappush(self._due, (self._clock.monotonic() + seconds, next(self._numbers), work))
            if self._waiting is None:
                self._waiting = threading.Thread(target=self._wait, name="agenda", daemon=True)
                self._waiting.start()
            self._changed.notify()

    def close(self) -> None:
        """Begin nothing any more."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait until all that has begun has ended, or so many seconds have passed."""
        deadline = Deadline.after(self._clock, seconds)
        with self._changed:
            threads = [*self._running, *([self._waiting] if self._waiting is not None else [])]
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(deadline.remaining())

    def _wait(self) -> None:
        with self._changed:
            while not self._closed:
                if not self._due:
                    self._changed.wait()
                    continue
                left = self._due[0][0] - self._clock.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                self._begin(heapq.heappop(self._due)[2])

    def _begin(self, work: Callable[[], object]) -> None:
        self._running = [thread for thread in self._running if thread.is_alive()]
        thread = threading.Thread(target=work, name="chaos", daemon=True)
        thread.start()
        self._running.append(thread)
