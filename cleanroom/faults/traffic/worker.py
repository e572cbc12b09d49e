"""The process that holds packets back: bound to a queue of the network namespace that it was started in.

Started as `python -m cleanroom.faults.traffic.worker` with one JSON argument; prints `{"ready": true}` when bound. When
its standard input ends (which also happens when its parent dies) it lets every held packet go and prints figures.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import select
import socket
import sys
import time

from cleanroom.faults.traffic.draw import DelayDraws
from cleanroom.faults.traffic.netlink import Packet, PacketQueue
from cleanroom.faults.traffic.shape import Delay
from cleanroom.quantity import Duration

QUEUE_LENGTH = 65536
# What we send ourselves carries this, so that it is not held a second time.
MARK = 0x636C72
_TCP = 6
# Rounds of taking in what still waits at the end; more would only serve a flood that nobody holds back any more.
_LAST_ROUNDS = 1024


class Sender:
    """Sends whole IPv4 packets from the namespace, as its own would leave it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)

    def send(self, packet: bytes) -> bool:
        """Send it; return whether the kernel took it."""
        try:
            self._socket.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
        except OSError:
            return False
        return True


class Holder:
    """Packets on their way through the queue, each until its drawn time has passed; figures of all of them.

    A connection stops sending while the kernel sees its packets waiting on this machine (TCP small queues), so that a
    mere delay would throttle it. With a `sender`, TCP packets are therefore taken from the kernel and sent when due.
    """

    def __init__(self, queue: PacketQueue, draws: DelayDraws, sender: Sender | None = None) -> None:
        self._queue = queue
        self._draws = draws
        self._sender = sender
        self._held: list[tuple[int, int, Packet]] = []
        self._total = 0
        self._longest = 0
        self._lost = 0

    def take(self) -> int:
        """Hold what waits in the queue; return how many packets that were."""
        before = self._draws.drawn
        for packet in self._queue.receive():
            arrived = time.monotonic_ns()
            delay = self._draws.next()
            self._total += delay
            self._longest = max(self._longest, delay)
            heapq.heappush(self._held, (arrived + delay, self._draws.drawn, self._adopt(packet)))
        return self._draws.drawn - before

    def _adopt(self, packet: Packet) -> Packet:
        """Take a TCP packet from the kernel where we can send it ourselves; leave any other with the kernel."""
        if self._sender is None or packet.payload[9:10] != bytes([_TCP]) or len(self._held) >= QUEUE_LENGTH:
            return Packet(packet.id, b"")
        self._queue.drop(packet.id)
        return packet

    def _release(self) -> None:
        packet = heapq.heappop(self._held)[2]
        if not packet.payload:
            self._queue.accept(packet.id)
        elif self._sender is not None and not self._sender.send(packet.payload):
            self._lost += 1

    def release_due(self) -> None:
        """Let the packets go whose time has passed."""
        while self._held and self._held[0][0] <= time.monotonic_ns():
            self._release()

    def wait(self) -> float | None:
        """Seconds until the next packet is due; None when none is held."""
        return max(0.0, (self._held[0][0] - time.monotonic_ns()) / 10**9) if self._held else None

    def release_all(self) -> int:
        """Let every packet go, in the order in which they were due; return how many that were."""
        count = len(self._held)
        while self._held:
            self._release()
        return count

    def figures(self) -> dict[str, int]:
        """How many packets were held, and for how long."""
        return {
            "packets": self._draws.drawn,
            "delay_total_ns": self._total,
            "delay_max_ns": self._longest,
            "dropped": self._lost + self._queue.dropped(),
        }


def serve(queue: PacketQueue, draws: DelayDraws, sender: Sender | None = None) -> dict[str, int]:
    """Hold each packet for its drawn time until standard input ends; return the figures."""
    holder = Holder(queue, draws, sender)
    while True:
        holder.release_due()
        readable, _, _ = select.select([queue, sys.stdin], [], [], holder.wait())
        if queue in readable:
            holder.take()
        if sys.stdin in readable:
            break
    early = holder.release_all()
    # The rules are gone by now; what still waits in the socket would be dropped with it.
    for _ in range(_LAST_ROUNDS):
        if not holder.take():
            break
        early += holder.release_all()
    return {**holder.figures(), "released_early": early}


def main() -> int:
    """Run the worker; the exit code is 0 unless the queue could not be bound."""
    job = json.loads(sys.argv[1])
    try:
        sender = Sender() if job["resend"] else None
        queue = PacketQueue(job["queue"], QUEUE_LENGTH, copies=job["resend"])
    except OSError as err:
        print(json.dumps({"ready": False, "error": str(err)}), flush=True)  # noqa: T201 - its protocol
        return 1
    delay = Delay(
        delay=Duration(job["delay_ns"]), jitter=Duration(job["jitter_ns"]),
        distribution=job["distribution"], correlation=job["correlation"],
    )  # fmt: skip
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - its protocol
    figures = serve(queue, DelayDraws(delay, job["stream"]), sender)
    queue.close()
    # Nobody may be there to read it: then there is nobody to tell, either.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(figures), flush=True)  # noqa: T201 - its protocol
    return 0


if __name__ == "__main__":
    sys.exit(main())
