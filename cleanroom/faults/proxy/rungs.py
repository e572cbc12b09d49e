"""The rung of every fault that the transparent proxy does."""

from __future__ import annotations

from cleanroom.faults import needs
from cleanroom.faults.rung import Rung

PROXY = Rung(
    name="proxy",
    mechanism="new connections are led by nftables to a proxy of ours in the target's namespace, which passes them on",
    needs=needs.PROXY,
    proof="what a connection of ours through the proxy sees, and how much of the real traffic was struck",
)
