"""The rungs of the family container."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.container.crash_loop import open_crash_loop
from cleanroom.faults.container.exit import open_exit
from cleanroom.faults.container.kill import open_kill
from cleanroom.faults.container.oom import open_oom
from cleanroom.faults.container.pause import open_pause
from cleanroom.faults.container.recreate import open_recreate
from cleanroom.faults.container.restart import open_restart
from cleanroom.faults.container.stop import open_stop
from cleanroom.faults.rung import Ladder, Rung

_PID = (needs.ENGINE, needs.PIDS)
LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="container.kill",
        rungs=(
            Rung(
                name="api", mechanism="the engine's kill", needs=(needs.ENGINE,), proof="container ended by the signal"
            ),
            Rung(
                name="pid",
                mechanism="a signal to the first process from our side, so that a restart policy acts",
                needs=_PID,
                proof="another process runs in its place",
            ),
        ),
        open=open_kill,
    ),
    Ladder(
        kind="container.stop",
        rungs=(
            Rung(
                name="api",
                mechanism="the engine's stop: signal, grace, KILL",
                needs=(needs.ENGINE,),
                proof="container ended; its exit code, and how long that took",
            ),
        ),
        open=open_stop,
    ),
    Ladder(
        kind="container.pause",
        rungs=(
            Rung(
                name="api",
                mechanism="the engine's pause: the kernel's freezer",
                needs=(needs.ENGINE, needs.FREEZER),
                proof="the freezer's state in the container's control group",
            ),
            Rung(
                name="signal",
                mechanism="SIGSTOP to every process from our side",
                needs=_PID,
                proof="the state of every process in /proc",
            ),
        ),
        open=open_pause,
    ),
    Ladder(
        kind="container.restart",
        rungs=(
            Rung(
                name="api",
                mechanism="the engine's stop and start",
                needs=(needs.ENGINE,),
                proof="exit code and start time of every round",
            ),
        ),
        open=open_restart,
    ),
    Ladder(
        kind="container.crash_loop",
        rungs=(
            Rung(
                name="api",
                mechanism="the engine's kill, and a start of ours",
                needs=(needs.ENGINE,),
                proof="exit code and start time of every round",
            ),
            Rung(
                name="pid",
                mechanism="a signal to the first process from our side, so that a restart policy acts",
                needs=_PID,
                proof="exit code and start time of every round",
            ),
        ),
        open=open_crash_loop,
    ),
    Ladder(
        kind="container.recreate",
        rungs=(
            Rung(
                name="api",
                mechanism="the engine's removal, and another container of the same declaration",
                needs=(needs.ENGINE,),
                proof="another container at the same address; which volumes it has",
            ),
        ),
        open=open_recreate,
    ),
    Ladder(
        kind="container.oom",
        rungs=(
            Rung(
                name="cgroup",
                mechanism="the memory limit of the container's group, and memory taken in it until the kernel kills",
                needs=(*_PID, needs.MEMORY),
                proof="oom_kill of the group",
            ),
        ),
        open=open_oom,
    ),
    Ladder(
        kind="container.exit",
        rungs=(
            Rung(
                name="entrypoint",
                mechanism="a program of ours before the command, which ends so many times and then is the command",
                needs=(*_PID, needs.X86),
                proof="exit codes by the engine",
            ),
        ),
        open=open_exit,
    ),
)
