"""Many small packets at once from a network namespace to an address, and what came back of them, in its order.

ICMP echoes, or TCP segments that open nothing: the program that listens never sees them. Whoever answers is the kernel
of the other side, and what is measured is the way there and back.
"""

from __future__ import annotations

import secrets
import select
import socket
import struct
from dataclasses import dataclass
from typing import NamedTuple, Self

from cleanroom.clock import Clock, Deadline, SystemClock
from cleanroom.errors import NetworkError
from cleanroom.network.namespace import in_namespace
from cleanroom.quantity import Duration

_SYSTEM = SystemClock()
_BUFFER = 1 << 24
_ICMP_PAYLOAD = bytes(range(32))
_ECHO_REPLY, _ECHO = 0, 8
_SYN, _ACK = 2, 16
# Above what the kernel hands out: nobody listens there as a rule; where somebody does, he is asked for nothing. Each
# question is a conversation of its own, because the kernel drops what it cannot yet tell to be part of one it knows.
_FIRST_CLOSED, _CLOSED = 61001, 4000
_SHORTEST_TCP = 20
_BURST = 32
_PAUSE = 0.004
_AFTERMATH = 0.05
_MOST = 1 << 16


class Arrival(NamedTuple):
    """An answer: the number of its question, and whether it is what was asked for, bit by bit."""

    number: int
    intact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Volley:
    """What came back of `sent` questions, in the order of arrival."""

    sent: int
    arrivals: tuple[Arrival, ...]

    @property
    def answered(self) -> int:
        """How many questions had an intact answer."""
        return len({a.number for a in self.arrivals if a.intact})

    @property
    def lost(self) -> int:
        """How many questions had no intact answer."""
        return self.sent - self.answered

    @property
    def damaged(self) -> int:
        """How many answers were not what was sent."""
        return sum(not a.intact for a in self.arrivals)

    @property
    def duplicated(self) -> int:
        """How many questions had more than one answer."""
        numbers = [a.number for a in self.arrivals if a.intact]
        return len({n for n in numbers if numbers.count(n) > 1}) if len(numbers) > len(set(numbers)) else 0

    @property
    def overtaken(self) -> int:
        """How many answers came before that to an earlier question."""
        first = list(dict.fromkeys(a.number for a in self.arrivals if a.intact))
        count, lowest = 0, self.sent
        for number in reversed(first):
            count += number > lowest
            lowest = min(lowest, number)
        return count


def volley(
    netns: str | None, address: str, count: int, patience: Duration, *, port: int | None = None, clock: Clock = _SYSTEM
) -> Volley:
    """Send `count` packets from the namespace at `netns` (None: the caller's), as fast as they go.

    With `port` they are TCP segments from that port (0: any), else ICMP echoes. `patience` is how long the last answer
    may take. Needs CAP_NET_RAW; raises `NetworkError` when the namespace cannot be entered or nothing can be sent.
    """

    def measure() -> Volley:
        with _Echoes(address) if port is None else _Segments(address, port) as probe:
            return _fire(probe, count, patience, clock)

    try:
        return measure() if netns is None else in_namespace(netns, measure)
    except OSError as err:
        raise NetworkError(f"cannot send packets to {address}: {err}") from err


def _fire(probe: _Probe, count: int, patience: Duration, clock: Clock) -> Volley:
    arrivals: list[Arrival] = []
    for number in range(count):
        probe.send(number)
        if number % _BURST == _BURST - 1:
            # No faster than this: the other side's kernel answers from a small buffer.
            select.select([probe.socket], [], [], _PAUSE)
            arrivals.extend(probe.take())
    deadline = Deadline.after(clock, patience.seconds)
    while not deadline.expired() and len(arrivals) < _MOST:
        complete = len({a.number for a in arrivals if a.intact}) == count
        # A duplicate follows its original at once.
        if not select.select([probe.socket], [], [], _AFTERMATH if complete else deadline.remaining())[0]:
            break
        arrivals.extend(a for a in probe.take() if a.number < count)
    return Volley(sent=count, arrivals=tuple(arrivals))


class _Probe:
    """A raw socket for one kind of question."""

    def __init__(self, address: str, protocol: int) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), _BUFFER)
        self.socket.connect((address, 0))
        self.socket.settimeout(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def question(self, number: int) -> bytes:
        raise NotImplementedError

    def answer(self, body: bytes) -> Arrival | None:
        raise NotImplementedError

    def send(self, number: int) -> None:
        while True:
            try:
                self.socket.send(self.question(number))
            except BlockingIOError:
                select.select([], [self.socket], [], 1.0)
                continue
            return

    def take(self) -> list[Arrival]:
        """Return the answers that are there."""
        found = []
        for _ in range(_MOST):
            try:
                packet = self.socket.recv(4096)
            except BlockingIOError:
                break
            arrival = self.answer(packet[(packet[0] & 15) * 4 :])
            if arrival is not None:
                found.append(arrival)
        return found


class _Echoes(_Probe):
    def __init__(self, address: str) -> None:
        super().__init__(address, socket.IPPROTO_ICMP)
        self._mark = secrets.token_bytes(6)
        self._first = secrets.randbits(16)

    def _message(self, kind: int, number: int) -> bytes:
        rest = struct.pack("!HH", (self._first + number) & 0xFFFF, number) + self._mark + _ICMP_PAYLOAD
        return struct.pack("!BBH", kind, 0, checksum(struct.pack("!BBH", kind, 0, 0) + rest)) + rest

    def question(self, number: int) -> bytes:
        return self._message(_ECHO, number)

    def answer(self, body: bytes) -> Arrival | None:
        if len(body) < len(self._message(_ECHO_REPLY, 0)) or body[0] == _ECHO:
            return None
        identity, number = struct.unpack_from("!HH", body, 4)
        # Any one bit may be wrong: whose it is can be seen in two places.
        if identity != (self._first + number) & 0xFFFF and body[8:14] != self._mark:
            return None
        return Arrival(number, intact=body == self._message(_ECHO_REPLY, number))


class _Segments(_Probe):
    def __init__(self, address: str, port: int) -> None:
        super().__init__(address, socket.IPPROTO_TCP)
        self._port = port or _FIRST_CLOSED + secrets.randbelow(_CLOSED)
        self._base = secrets.randbits(31)
        source = self.socket.getsockname()[0]
        self._pseudo = socket.inet_aton(source) + socket.inet_aton(address)

    def _sum(self, segment: bytes) -> int:
        return checksum(self._pseudo + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment)) + segment)

    def question(self, number: int) -> bytes:
        there = _FIRST_CLOSED + number % _CLOSED

        def made(total: int) -> bytes:
            ports = struct.pack("!HH", self._port, there)
            return ports + struct.pack("!IIBBHHH", self._base + number, 0, 5 << 4, _SYN, 1024, total, 0)

        return made(self._sum(made(0)))

    def answer(self, body: bytes) -> Arrival | None:
        if len(body) < _SHORTEST_TCP:
            return None
        source, here, _, acknowledged, _, flags = struct.unpack_from("!HHIIBB", body)
        number = acknowledged - 1 - self._base
        if not 0 <= number < _MOST or not (here == self._port or source == _FIRST_CLOSED + number % _CLOSED):
            return None
        return Arrival(number, intact=bool(flags & _ACK) and self._sum(body) == 0)


def checksum(data: bytes) -> int:
    """Return the internet checksum; 0 over data that holds the right one."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
