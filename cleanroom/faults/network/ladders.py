"""The rungs of the family network."""

from __future__ import annotations

from cleanroom.faults.network import (
    bandwidth,
    blackhole,
    connection_limit,
    corrupt,
    disconnect,
    duplicate,
    flap,
    latency,
    limit_data,
    loss,
    partition,
    port_exhaustion,
    refuse,
    reorder,
    reset,
    slow_close,
)
from cleanroom.faults.network.slice import LADDER as SLICE
from cleanroom.faults.rung import Ladder

LADDERS: tuple[Ladder, ...] = (
    latency.LADDER,
    loss.LADDER,
    corrupt.LADDER,
    duplicate.LADDER,
    reorder.LADDER,
    bandwidth.LADDER,
    partition.LADDER,
    disconnect.LADDER,
    refuse.LADDER,
    blackhole.LADDER,
    connection_limit.LADDER,
    port_exhaustion.LADDER,
    reset.LADDER,
    slow_close.LADDER,
    SLICE,
    limit_data.LADDER,
    flap.LADDER,
)
