"""The rungs of the family clock."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.clock.alter import RUNG, Freeze, Jump, Rate, Skew, opener
from cleanroom.faults.rung import Ladder, Rung

_KINDS = (("skew", Skew), ("jump", Jump), ("rate", Rate), ("freeze", Freeze))

LADDERS: tuple[Ladder, ...] = tuple(
    Ladder(
        kind=f"clock.{kind}",
        rungs=(
            Rung(
                name=RUNG,
                mechanism="libfaketime, preloaded when the service starts, told by a control file of the service's own",
                needs=(needs.ENGINE, needs.PIDS, needs.KIT, needs.GLIBC),
                proof="the time read inside through the C library, before, during and after",
            ),
        ),
        open=opener(make),
    )
    for kind, make in _KINDS
)
