"""Something done again and again beside the steps, in a thread that never outlives its block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cleanroom.drive.reach import Stopping
from cleanroom.quantity import Duration


@contextmanager
def repeating(act: Callable[[], None], interval: Duration, stop: Stopping) -> Iterator[None]:
    """Call `act` at once and then with `interval` between the end of one call and the next, while the block runs.

    The last call ends before the block is left. What `act` raises is raised when the block is left.
    """
    ended = threading.Event()
    failed: list[BaseException] = []

    def loop() -> None:
        try:
            while True:
                act()
                if ended.wait(interval.seconds) or stop.requested:
                    return
        except BaseException as err:  # noqa: BLE001 - it is raised again in the thread that waits for this one
            failed.append(err)

    thread = threading.Thread(target=loop, name="repeating", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed:
        raise failed[0]
