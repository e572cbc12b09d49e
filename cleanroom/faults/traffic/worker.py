"""The process that decides what happens to packets: bound to the queues of the namespace of one container.

It is forked by `crew`. Its parent tells it the shapes; when its parent is gone it lets every held packet go, and ends.
"""

from __future__ import annotations

import fcntl
import heapq
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Protocol

from cleanroom.faults.traffic.decision import Decisions
from cleanroom.faults.traffic.netlink import Packet, PacketQueue
from cleanroom.faults.traffic.packet import flipped, header_of, matches
from cleanroom.faults.traffic.shape import Shape, Way

QUEUE_LENGTH = 65536
_DEVICE = b"eth0"
_GET_MTU = 0x8921
# One number per direction; the namespace is the container's own, so nobody else's queue is in the way.
QUEUES: Mapping[Way, int] = {"egress": 77, "ingress": 78}
# What we send ourselves carries this, so that it is not held a second time.
MARK = 0x636C72
# Rounds of taking in what still waits at the end; more would only serve a flood that nobody holds back any more.
_LAST_ROUNDS = 1024

Figures = dict[str, int | str]


class Outbox(Protocol):
    """Sends whole packets from the namespace."""

    @property
    def largest(self) -> int:
        """The bytes of the largest packet that it can send."""

    def send(self, packet: bytes) -> bool:
        """Send it; return whether the kernel took it."""


class Sender:
    """Sends whole IPv4 packets as if the namespace had: to others, or (of what came in) once more to itself."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        asked = fcntl.ioctl(self._socket, _GET_MTU, struct.pack("16si", _DEVICE, 0) + bytes(12))
        (self.largest,) = struct.unpack_from("i", asked, 16)

    def send(self, packet: bytes) -> bool:
        """Send it; return whether the kernel took it."""
        try:
            self._socket.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        except OSError:
            return False
        return True


class Lane:
    """One shape's decisions and what came of them."""

    def __init__(self, key: int, shape: Shape) -> None:
        self.key = key
        self.shape = shape
        self.decisions = Decisions(shape.effect, shape.stream)
        self.total = 0
        self.longest = 0
        self.early = 0

    def figures(self) -> Figures:
        """How many packets it was asked about, on how many it bit, and for how long it held them."""
        return {
            "packets": self.decisions.drawn, "bitten": self.decisions.bitten, "decisions": self.decisions.digest,
            "delay_total_ns": self.total, "delay_max_ns": self.longest, "released_early": self.early,
        }  # fmt: skip


@dataclass(slots=True)
class _Held:
    """A packet on its way through the queue; `payload` is what is sent or changed, empty for the kernel's own."""

    way: Way
    id: int
    arrived: int
    parts: dict[int, int] = field(default_factory=dict)
    """Nanoseconds for each lane that holds it."""
    payload: bytes = b""
    adopted: bool = False
    copies: list[bytes] = field(default_factory=list)

    @property
    def due(self) -> int:
        """When it may go, in nanoseconds of the monotonic clock."""
        return self.arrived + sum(self.parts.values())


class Holder:
    """Packets on their way through the queues, each until its drawn time has passed.

    A socket stops sending while the kernel sees its packets waiting on this machine (TCP small queues, send buffers),
    so that a mere delay would throttle it. What leaves late is therefore taken from the kernel, and sent when due.
    """

    def __init__(self, queues: Mapping[Way, PacketQueue], outbox: Outbox) -> None:
        self._queues = queues
        self._outbox = outbox
        self._lanes: list[Lane] = []
        self._held: list[tuple[int, int, _Held]] = []
        self._taken = 0
        self._lost = 0

    def reshape(self, shapes: Sequence[tuple[int, Shape]]) -> dict[int, Figures]:
        """Work with these shapes from now on; return the last figures of those that were there and are not any more.

        A packet that was held by one that is gone is held by the others for as long as they wanted.
        """
        keys = {key for key, _ in shapes}
        gone = {lane.key: lane for lane in self._lanes if lane.key not in keys}
        kept = {lane.key: lane for lane in self._lanes}
        self._lanes = [kept.get(key) or Lane(key, shape) for key, shape in shapes]
        again = []
        for _, number, held in self._held:
            for key in gone.keys() & held.parts.keys():
                gone[key].early += 1
                del held.parts[key]
            again.append((held.due, number, held))
        heapq.heapify(again)
        self._held = again
        self.release_due()
        return {key: lane.figures() for key, lane in gone.items()}

    def take(self, way: Way) -> int:
        """Decide about what waits in this direction's queue; return how many packets that were."""
        before = self._taken
        for packet in self._queues[way].receive():
            self._taken += 1
            self._admit(way, packet, time.monotonic_ns())
        return self._taken - before

    def _admit(self, way: Way, packet: Packet, now: int) -> None:
        held = _Held(way, packet.id, now)
        content, copies = packet.payload, 0
        header = header_of(content)
        for lane in self._lanes:
            if header is None or not matches(lane.shape.match, way, header):
                continue
            decision = lane.decisions.next()
            if decision.drop:
                self._queues[way].drop(packet.id)
                return
            if decision.delay_ns:
                held.parts[lane.key] = decision.delay_ns
                lane.total += decision.delay_ns
                lane.longest = max(lane.longest, decision.delay_ns)
            copies += decision.copy
            if decision.flip is not None:
                content = held.payload = flipped(content, decision.flip)
        held.copies = [content] * copies
        if not held.parts:
            self._release(held)
            return
        if header is not None and way == "egress" and self._takes(content):
            self._queues[way].drop(packet.id)
            held.adopted, held.payload = True, content
        heapq.heappush(self._held, (held.due, self._taken, held))

    def _takes(self, packet: bytes) -> bool:
        return len(packet) <= self._outbox.largest and len(self._held) < QUEUE_LENGTH

    def _release(self, held: _Held) -> None:
        if held.adopted:
            self._lost += not self._outbox.send(held.payload)
        else:
            self._queues[held.way].accept(held.id, held.payload)
        for copy in held.copies:
            self._lost += not self._outbox.send(copy)

    def release_due(self) -> None:
        """Let the packets go whose time has passed."""
        while self._held and self._held[0][0] <= time.monotonic_ns():
            self._release(heapq.heappop(self._held)[2])

    def wait(self) -> float | None:
        """Seconds until the next packet is due; None when none is held."""
        return max(0.0, (self._held[0][0] - time.monotonic_ns()) / 10**9) if self._held else None

    def figures(self) -> dict[int, Figures]:
        """Return the figures of each shape, so far."""
        return {lane.key: lane.figures() for lane in self._lanes}

    def dropped(self) -> int:
        """How many packets were lost that nobody had decided to lose."""
        return self._lost + sum(queue.dropped() for queue in self._queues.values())

    def finish(self) -> dict[int, Figures]:
        """Let everything go, what still waits in the queues too: nothing leads packets here any more."""
        found = self.reshape(())
        for _ in range(_LAST_ROUNDS):
            if not sum(self.take(way) for way in self._queues):
                break
        return found


def serve(parent: Connection, queues: Mapping[Way, PacketQueue], outbox: Outbox) -> None:
    """Decide about packets until the parent says that it is the end, or is gone.

    Messages of the parent: `("shapes", …)`, `("figures",)` and `("end",)`; each is answered with figures.
    """
    holder = Holder(queues, outbox)
    ways = {queue.fileno(): way for way, queue in queues.items()}
    while True:
        holder.release_due()
        readable, _, _ = select.select([*ways, parent.fileno()], [], [], holder.wait())
        for descriptor in ways.keys() & readable:
            holder.take(ways[descriptor])
        if parent.fileno() in readable and not _obey(parent, holder):
            return


def _obey(parent: Connection, holder: Holder) -> bool:
    """Do what the parent says; return whether to go on."""
    try:
        message = parent.recv()
        if message[0] == "shapes":
            parent.send((holder.reshape(message[1]), holder.dropped()))
        elif message[0] == "figures":
            parent.send((holder.figures(), holder.dropped()))
        else:
            parent.send((holder.finish(), holder.dropped()))
            return False
    except (EOFError, OSError):
        holder.finish()
        return False
    return True


def work(parent: Connection) -> None:
    """Bind the queues and serve; the first message to the parent says whether that was possible."""
    queues: dict[Way, PacketQueue] = {}
    try:
        outbox = Sender()
        for way, number in QUEUES.items():
            queues[way] = PacketQueue(number, QUEUE_LENGTH)
    except OSError as err:
        parent.send(str(err))
        return
    parent.send("")
    serve(parent, queues, outbox)
    for queue in queues.values():
        queue.close()
