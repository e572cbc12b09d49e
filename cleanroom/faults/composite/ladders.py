"""The rungs of the family composite."""

from __future__ import annotations

from cleanroom.faults.rung import Ladder

LADDERS: tuple[Ladder, ...] = ()
