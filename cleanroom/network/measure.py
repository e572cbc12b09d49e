"""Round trips measured from a network namespace to an address: evidence for faults, taken outside the services."""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections.abc import Callable

from cleanroom.clock import Clock, Deadline, SystemClock
from cleanroom.errors import NetworkError
from cleanroom.network.namespace import in_namespace
from cleanroom.network.ports import Rtt
from cleanroom.quantity import Duration

_SYSTEM = SystemClock()
_MAX_PACKETS = 1000


def tcp_rtt(
    netns: str | None, address: str, port: int, samples: int, timeout: Duration, *, clock: Clock = _SYSTEM
) -> Rtt:
    """Measure `samples` TCP handshakes, one after the other, from the namespace at `netns` (None: the caller's).

    A port that refuses is a round trip too. A handshake that takes longer than `timeout` is lost. Raises NetworkError
    when the namespace cannot be entered or nothing can be sent at all (no route).
    """
    return _series(netns, samples, timeout, lambda: _handshake(address, port, timeout, clock))


def icmp_rtt(netns: str | None, address: str, samples: int, timeout: Duration, *, clock: Clock = _SYSTEM) -> Rtt:
    """Measure `samples` ICMP echoes, one after the other, from the namespace at `netns` (None: the caller's).

    Needs CAP_NET_RAW. Raises NetworkError as `tcp_rtt` does.
    """
    numbers = iter(range(1, samples + 1))
    return _series(netns, samples, timeout, lambda: _echo(address, next(numbers), timeout, clock))


def _series(netns: str | None, samples: int, timeout: Duration, once: Callable[[], int | None]) -> Rtt:
    def measure() -> tuple[int | None, ...]:
        return tuple(once() for _ in range(samples))

    try:
        found = measure() if netns is None else in_namespace(netns, measure)
    except OSError as err:
        raise NetworkError(f"cannot measure a round trip: {err}") from err
    times = tuple(t for t in found if t is not None)
    return Rtt(samples=times, lost=samples - len(times), timeout=timeout)


def _elapsed_ns(clock: Clock, start: float) -> int:
    return round((clock.monotonic() - start) * 10**9)


def _handshake(address: str, port: int, timeout: Duration, clock: Clock) -> int | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout.seconds)
        start = clock.monotonic()
        try:
            sock.connect((address, port))
        except ConnectionRefusedError:
            return _elapsed_ns(clock, start)
        except OSError as err:
            if _is_loss(err):
                return None
            raise
        return _elapsed_ns(clock, start)


def _is_loss(error: OSError) -> bool:
    """Whether nobody answered: in time, or (nobody holds the address any more) the neighbour discovery."""
    return isinstance(error, TimeoutError) or error.errno == errno.EHOSTUNREACH


def _echo(address: str, number: int, timeout: Duration, clock: Clock) -> int | None:
    # The thread, not the process: several faults may measure the same address at once.
    marker = struct.pack("!HH", threading.get_native_id() & 0xFFFF, number)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.connect((address, 0))
        start = clock.monotonic()
        deadline = Deadline.after(clock, timeout.seconds)
        sock.send(_echo_request(marker))
        for _ in range(_MAX_PACKETS):
            if deadline.expired():
                return None
            sock.settimeout(deadline.remaining())
            try:
                packet = sock.recv(4096)
            except OSError as err:
                if _is_loss(err):
                    return None
                raise
            header = (packet[0] & 15) * 4
            if packet[header] == 0 and packet[header + 4 : header + 8] == marker:
                return _elapsed_ns(clock, start)
    return None


def _echo_request(marker: bytes) -> bytes:
    words = struct.unpack("!4H", struct.pack("!BBH", 8, 0, 0) + marker)
    total = sum(words)
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBH", 8, 0, ~(total + (total >> 16)) & 0xFFFF) + marker
