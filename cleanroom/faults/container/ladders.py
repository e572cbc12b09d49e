"""The rungs of the family container."""

from __future__ import annotations

from cleanroom.faults.container.kill import open_kill
from cleanroom.faults.rung import Ladder, Rung

LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="container.kill",
        rungs=(
            Rung(name="api", mechanism="the engine's kill", needs=("engine",), proof="container ended by the signal"),
            Rung(
                name="pid",
                mechanism="a signal to the first process from our side, so that a restart policy acts",
                needs=("engine", "shared pid namespace"),
                proof="another process runs in its place",
            ),
        ),
        open=open_kill,
    ),
)
