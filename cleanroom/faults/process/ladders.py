"""The rungs of the family process: what is done to processes needs nothing of the image, so `exec` is none of them."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.process.crowded import open_fork_bomb, open_zombies
from cleanroom.faults.process.signal import open_signal
from cleanroom.faults.rung import Ladder, Rung

_PID = (needs.ENGINE, needs.PIDS)
LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="process.signal",
        rungs=(
            Rung(
                name="pid",
                mechanism="a signal from our side to each process whose command line matches",
                needs=_PID,
                proof="each process ended, stopped, or has a handler and nothing pending, by /proc",
            ),
        ),
        open=open_signal,
    ),
    Ladder(
        kind="process.zombies",
        rungs=(
            Rung(
                name="pid",
                mechanism="children of a process of ours in the container's pid namespace, which nobody waits for",
                needs=(*_PID, needs.PROCESSES),
                proof="processes in state Z in that namespace",
            ),
        ),
        open=open_zombies,
    ),
    Ladder(
        kind="process.fork_bomb",
        rungs=(
            Rung(
                name="cgroup",
                mechanism="pids.max of the container's group, and processes of ours in it until it refuses",
                needs=(*_PID, needs.PROCESSES),
                proof="pids.current at the limit, and refusals counted in pids.events",
            ),
        ),
        open=open_fork_bomb,
    ),
)
