"""The rungs of the family network."""

from __future__ import annotations

from cleanroom.faults.network import blackhole, connection_limit, disconnect, partition, port_exhaustion, refuse
from cleanroom.faults.network.latency import open_latency
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
)
