"""The output of a container: its bounded end, and a thread that follows it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from cleanroom.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker.types.daemon import CancellableStream

    from cleanroom.engine.wire import Wire

_JOIN_S: Final = 5.0


def read_tail(wire: Wire, container: str, max_bytes: int) -> bytes:
    """Return the last `max_bytes` of a container's output, both streams in the order the engine received them."""
    kept = bytearray()
    with wire.api(f"read the log of container {container}") as api:
        # A line has at least one byte: this many lines hold the bytes that are wanted, and the engine skips the rest.
        for chunk in api.logs(container, stream=True, follow=False, tail=max(1, max_bytes)):
            kept += chunk
            del kept[: max(0, len(kept) - max_bytes)]
    return bytes(kept)


def follow(wire: Wire, container: str, sink: Callable[[bytes], None]) -> Callable[[], None]:
    """Call `sink` with a container's output from its start, in a thread, until it ends; return what ends it sooner.

    Raises `EngineError` here when the container does not exist; a connection that breaks later ends the thread.
    """
    following = _Following(wire, container, sink)
    following.start()
    following.opened.wait()
    if following.error is not None:
        following.join()
        raise following.error
    return following.stop


class _Following(threading.Thread):
    def __init__(self, wire: Wire, container: str, sink: Callable[[bytes], None]) -> None:
        super().__init__(name=f"log-{container[:20]}", daemon=True)
        self._wire, self._container, self._sink = wire, container, sink
        self._stopped = threading.Event()
        self._stream: CancellableStream[bytes] | None = None
        self.opened = threading.Event()
        self.error: EngineError | None = None
        """Why the log could not be opened; a connection that breaks after that is the end of the output."""

    def run(self) -> None:
        try:
            with self._wire.api(f"follow the log of container {self._container}") as api:
                self._stream = api.logs(self._container, stream=True, follow=True)
                self.opened.set()
                for chunk in self._stream:
                    if self._stopped.is_set():
                        break
                    self._sink(chunk)
                # The stream has used its connection up: the next borrower of the client opens another.
                self._hang_up()
                api.close()
        except EngineError as err:
            if not self.opened.is_set():
                self.error = err
        finally:
            self.opened.set()

    def stop(self) -> None:
        self._stopped.set()
        self._hang_up()
        self.join(timeout=_JOIN_S)

    def _hang_up(self) -> None:
        if self._stream is not None:
            # OSError, AttributeError: the response has been read to its end, its socket is gone already.
            with contextlib.suppress(OSError, AttributeError):
                self._stream.close()
