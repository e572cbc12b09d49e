"""A connection to a service whose every wait ends at one moment, and that keeps the facts of how it ended."""

from __future__ import annotations

import socket
import time
from typing import Any

from cleanroom.errors import CleanroomError, ExitCode


class OversizeError(CleanroomError):
    """A server that sends more in one answer than anybody keeps."""

    exit_code = ExitCode.FINDINGS


class Wire(socket.socket):
    """A TCP connection to an address (never a name); `deadline` is on `time.monotonic()`.

    A limit for each read would let a server that trickles go on for ever, so the limits that others set are not heard.
    """

    def __init__(self, deadline: float) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.deadline = deadline
        self.lost = ""
        """`timeout`, `closed` (by the other side) or `reset`, as soon as that has been seen."""
        self.budget = 0
        """How many more bytes may be received; 0 is without a limit. Each answer begins with a budget of its own."""

    def reach(self, address: str, port: int) -> None:
        """Connect; raises `OSError` with its errno, or `TimeoutError` at the deadline."""
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arm()
        self.connect((address, port))

    def _arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.lost = self.lost or "timeout"
            raise TimeoutError("out of time")
        super().settimeout(left)

    def settimeout(self, value: float | None) -> None:
        """Leave the deadline as it is: drivers set limits of their own before each read."""

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 - no name for it in 3.11
        """Receive before the deadline; raises `OversizeError` beyond the budget."""
        self._arm()
        try:
            count = super().recv_into(buffer, nbytes, flags)
        except OSError as err:
            self._note(err)
            raise
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
        self._arm()
        try:
            super().sendall(data, flags)
        except OSError as err:
            self._note(err)
            raise

    def _note(self, err: OSError) -> None:
        self.lost = self.lost or ("timeout" if isinstance(err, TimeoutError) else "reset")
