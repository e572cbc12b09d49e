"""The rungs of the family network."""

from __future__ import annotations

from cleanroom.faults.network import (
    blackhole,
    connection_limit,
    disconnect,
    limit_data,
    partition,
    port_exhaustion,
    refuse,
    reset,
    slow_close,
)
from cleanroom.faults.network.latency import open_latency
from cleanroom.faults.network.slice import LADDER as SLICE
from cleanroom.faults.rung import Ladder, Rung

LADDERS: tuple[Ladder, ...] = (
    Ladder(
        kind="network.latency",
        rungs=(
            Rung(
                name="netem",
                mechanism="tc qdisc netem with a seed on the target's interface",
                needs=("tc", "kernel sch_netem"),
                proof="round trip measured across the link",
            ),
            Rung(
                name="nfqueue",
                mechanism="iptables NFQUEUE in the target's namespace and our queue, delays by packet index",
                needs=("iptables", "kernel nfnetlink_queue"),
                proof="round trip measured across the link",
            ),
        ),
        open=open_latency,
    ),
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
)
