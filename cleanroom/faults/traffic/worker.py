"""The process that holds packets back: bound to a queue of the network namespace it was started in, fed by the kernel.

Started as `python -m cleanroom.faults.traffic.worker` with one JSON argument; prints `{"ready": true}` when bound, a line of
figures when its standard input ends (which is also what happens when its parent dies), and lets every held packet go then.
"""

from __future__ import annotations

import heapq
import json
import select
import sys
import time

from cleanroom.faults.traffic.draw import DelayDraws
from cleanroom.faults.traffic.netlink import PacketQueue
from cleanroom.faults.traffic.shape import Delay
from cleanroom.quantity import Duration

QUEUE_LENGTH = 65536


def serve(queue: PacketQueue, draws: DelayDraws) -> dict[str, int]:
    """Hold each packet for its drawn time until standard input ends; return the figures."""
    held: list[tuple[int, int, int]] = []
    total = 0
    longest = 0
    while True:
        now = time.monotonic_ns()
        while held and held[0][0] <= now:
            _, _, packet = heapq.heappop(held)
            queue.accept(packet)
        timeout = max(0.0, (held[0][0] - time.monotonic_ns()) / 10**9) if held else None
        readable, _, _ = select.select([queue, sys.stdin], [], [], timeout)
        if queue in readable:
            arrived = time.monotonic_ns()
            for packet in queue.receive():
                delay = draws.next()
                total += delay
                longest = max(longest, delay)
                heapq.heappush(held, (arrived + delay, draws.drawn, packet))
        if sys.stdin in readable:
            break
    for _, _, packet in held:
        queue.accept(packet)
    return {"packets": draws.drawn, "delay_total_ns": total, "delay_max_ns": longest, "released_early": len(held)}


def main() -> int:
    """Run the worker; the exit code is 0 unless the queue could not be bound."""
    job = json.loads(sys.argv[1])
    try:
        queue = PacketQueue(job["queue"], QUEUE_LENGTH)
    except OSError as err:
        print(json.dumps({"ready": False, "error": str(err)}), flush=True)  # noqa: T201 - its protocol
        return 1
    delay = Delay(
        delay=Duration(job["delay_ns"]), jitter=Duration(job["jitter_ns"]),
        distribution=job["distribution"], correlation=job["correlation"],
    )  # fmt: skip
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - its protocol
    figures = serve(queue, DelayDraws(delay, job["stream"]))
    print(json.dumps(figures), flush=True)  # noqa: T201 - its protocol
    queue.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
