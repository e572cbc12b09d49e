"""A connection to a service whose every wait ends at one moment, and that keeps the facts of how it ended."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from cleanroom.drive.lost import StoppedError
from cleanroom.errors import CleanroomError, ExitCode

if TYPE_CHECKING:
    from cleanroom.drive.reach import Stopping

LOOK = 0.2
"""Seconds from one look at whether the run is to stop to the next."""
_T = TypeVar("_T")


class OversizeError(CleanroomError):
    """A server that sends more in one answer than anybody keeps."""

    exit_code = ExitCode.FINDINGS


class Wire(socket.socket):
    """A TCP connection to an address (never a name); `deadline` is on `time.monotonic()`.

    A limit for each read would let a server that trickles go on for ever, so the limits that others set are not heard.
    Every wait ends soon after `stop` is requested, too.
    """

    def __init__(self, deadline: float, stop: Stopping | None = None) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.deadline = deadline
        self._stop = stop
        self.lost = ""
        """`timeout`, `stopped`, `closed` (by the other side) or `reset`, as soon as that has been seen."""
        self.budget = 0
        """How many more bytes may be received; 0 is without a limit. Each answer begins with a budget of its own."""

    def reach(self, address: str, port: int) -> None:
        """Connect; raises `OSError` with its errno, `StoppedError`, or `TimeoutError` at the deadline."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().settimeout(0)
        number = self.connect_ex((address, port))
        if number == errno.EINPROGRESS:
            poll = select.poll()
            poll.register(self, select.POLLOUT)
            while not poll.poll(self._patience() * 1000):
                pass
            number = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))

    def _patience(self) -> float:
        """Return how many seconds to wait now; raises `StoppedError`, or `TimeoutError` at the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.lost = self.lost or "timeout"
            raise TimeoutError("out of time")
        if self._stop is None:
            return left
        if self._stop.requested:
            self.lost = self.lost or "stopped"
            raise StoppedError("the run is to stop")
        return min(left, LOOK)

    def settimeout(self, value: float | None) -> None:
        """Leave the deadline as it is: drivers set limits of their own before each read."""

    def _before_the_deadline(self, act: Callable[[], _T]) -> _T:
        """Return what `act` does on the socket as soon as it can be done."""
        while True:
            super().settimeout(self._patience())
            try:
                return act()
            except OSError as err:
                # One without an errno is the end of our own patience.
                if isinstance(err, TimeoutError) and err.errno is None:
                    continue
                self.lost = self.lost or "reset"
                raise

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - no name for it in 3.11
        """Receive before the deadline; raises `OversizeError` beyond the budget."""
        receive = super().recv_into
        count = self._before_the_deadline(lambda: receive(buffer, nbytes, flags))
        if count == 0:
            self.lost = self.lost or "closed"
        if self.budget:
            self.budget -= count
            if self.budget <= 0:
                raise OversizeError("the answer was given up: it is larger than what is kept of one")
        return count

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive before the deadline; empty at the end."""
        buffer = bytearray(bufsize)
        return bytes(buffer[: self.recv_into(buffer, bufsize, flags)])

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401 - as above
        """Send before the deadline."""
        send = super().send
        rest = memoryview(data)
        while rest:
            piece = rest
            rest = rest[self._before_the_deadline(lambda: send(piece, flags)) :]  # noqa: B023 - called at once
