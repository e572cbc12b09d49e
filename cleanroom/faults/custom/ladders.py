"""The rungs of the family custom."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.custom.commands import open_custom
from cleanroom.faults.rung import Ladder, Rung

LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="custom",
        rungs=(
            Rung(
                name="exec", mechanism="commands of the spec in its services", needs=(needs.ENGINE, needs.COMMANDS),
                proof="a command of the spec that exits with 0 while the fault is there, and only then",
            ),
        ),
        open=open_custom,
    ),
)  # fmt: skip
