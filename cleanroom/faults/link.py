"""The way to a service that a fault on it is measured over, from outside the service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cleanroom.network.measure import icmp_rtt, tcp_rtt
from cleanroom.network.ports import Rtt
from cleanroom.quantity import Duration

# At once: a long delay is waited for once, not once per sample; few enough for the shortest of backlogs.
_TOGETHER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """From `netns` (None: our own namespace, on the bridge's gateway) to `address`; `port` 0 is an ICMP echo."""

    address: str
    netns: str | None = None
    port: int = 0

    @property
    def name(self) -> str:
        """What is measured, for a report: `tcp/5432` or `icmp`."""
        return f"tcp/{self.port}" if self.port else "icmp"

    def measure(self, samples: int, timeout: Duration) -> Rtt:
        """Return that many round trips, up to five of them under way at once; raises `NetworkError`."""
        with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="round trip") as pool:
            found = tuple(pool.map(lambda _: self._once(timeout), range(samples)))
        times = tuple(time for one in found for time in one.samples)
        return Rtt(samples=times, lost=samples - len(times), timeout=timeout)

    def _once(self, timeout: Duration) -> Rtt:
        if self.port:
            return tcp_rtt(self.netns, self.address, self.port, 1, timeout)
        return icmp_rtt(self.netns, self.address, 1, timeout)
