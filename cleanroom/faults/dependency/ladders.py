"""The rungs of the family dependency."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.dependency.down import open_down
from cleanroom.faults.dependency.unhealthy import open_unhealthy
from cleanroom.faults.rung import Ladder, Rung

LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="dependency.down",
        rungs=(
            Rung(
                name="api",
                mechanism="the engine's kill (mode kill) or pause (mode pause)",
                needs=(needs.ENGINE,),
                proof="container ended by the signal, or the freezer's state",
            ),
            Rung(
                name="nftables",
                mechanism="reject (mode refuse) or drop (mode blackhole) at the service's input",
                needs=needs.NFT_RULES,
                proof="packets counted by the rule, and a contact of ours that is refused or gets no answer",
            ),
        ),
        open=open_down,
    ),
    Ladder(
        kind="dependency.unhealthy",
        rungs=(
            Rung(
                name="files",
                mechanism="the program of the container's health check has another name, as with filesystem.missing",
                needs=(needs.ENGINE, needs.PIDS, needs.MOUNTS, needs.HEALTH),
                proof="the engine's word: healthy before, unhealthy in it, healthy after",
            ),
        ),
        open=open_unhealthy,
    ),
)
