"""How many bits a second a link carries: a connection of ours across it, as fast as it goes."""

from __future__ import annotations

import contextlib
import socket
import threading

from cleanroom.clock import Clock, Deadline, SystemClock
from cleanroom.errors import NetworkError
from cleanroom.network.namespace import in_namespace

_SYSTEM = SystemClock()
_TIMEOUT = 10.0
_CHUNK = 1 << 16
# Less under way than any queue holds: nothing is lost, and what arrives does so evenly.
WINDOW = 1 << 16
# Beyond what the machine allows programs by themselves (Linux's number where Python does not name it).
_BUFFER = getattr(socket, "SO_RCVBUFFORCE", 33)
# Of 1514 bytes of a frame 1448 are data: Ethernet, IPv4, TCP with time stamps.
_FRAME, _DATA = 1514, 1448


def transfer(  # noqa: PLR0913 - both ends and what flows between them
    inside: str, outside: str | None, address: str, *, out: bool, port: int, seconds: float, skip: int = 0,
    window: int = WINDOW, clock: Clock = _SYSTEM,
) -> float:  # fmt: skip
    """Return the bits a second, on the wire, that went between the namespace `inside` (at `address`) and `outside`.

    `out`: what `inside` sends, else what it gets. `port` is our own port outside (0: any). Counting begins when `skip`
    bytes have arrived, and lasts for `seconds`; no more than `window` bytes are under way. Raises `NetworkError` when
    no connection comes about.
    """
    try:
        near, far = _connected(inside, outside, address, port, window)
    except OSError as err:
        raise NetworkError(f"no connection to {address} to measure with: {err}") from err
    with near, far:
        source, sink = (near, far) if out else (far, near)
        sending = threading.Thread(target=lambda: _pour(source), name="transfer", daemon=True)
        sending.start()
        try:
            return _count(sink, seconds, skip, clock)
        except OSError as err:
            raise NetworkError(f"nothing came across the link to {address}: {err}") from err
        finally:
            for end in (near, far):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            sending.join(_TIMEOUT)


def _connected(
    inside: str, outside: str | None, address: str, port: int, window: int
) -> tuple[socket.socket, socket.socket]:
    """Return both ends: the one inside the namespace first."""
    with in_namespace(inside, lambda: socket.create_server((address, 0))) as server:
        server.settimeout(_TIMEOUT)
        server.setsockopt(socket.SOL_SOCKET, _BUFFER, window)

        def connect() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            made.settimeout(_TIMEOUT)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, _BUFFER, window)
            try:
                if port:
                    made.bind(("", port))
                made.connect((address, server.getsockname()[1]))
            except BaseException:
                made.close()
                raise
            return made

        far = connect() if outside is None else in_namespace(outside, connect)
        try:
            near, _ = server.accept()
        except BaseException:
            far.close()
            raise
    near.settimeout(_TIMEOUT)
    for end in (near, far):
        # Gone at the end, with what it has not sent: a reset instead of a long goodbye.
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes((1, 0, 0, 0, 0, 0, 0, 0)))
    return near, far


def _pour(source: socket.socket) -> None:
    data = bytes(_CHUNK)
    with contextlib.suppress(OSError):  # the other end has had enough
        while True:
            source.sendall(data)


def _count(sink: socket.socket, seconds: float, skip: int, clock: Clock) -> float:
    skipped = 0
    while skipped < skip:
        skipped += _received(sink)
    # From an arrival to an arrival: each brings what its interval carried.
    _received(sink)
    began = clock.monotonic()
    deadline = Deadline.after(clock, seconds)
    count, last = 0, began
    while not deadline.expired():
        count += _received(sink)
        last = clock.monotonic()
    return count * 8 * _FRAME / _DATA / max(last - began, 1e-9)


def _received(sink: socket.socket) -> int:
    count = len(sink.recv(_CHUNK))
    if not count:
        raise ConnectionResetError("the connection ended")
    return count
