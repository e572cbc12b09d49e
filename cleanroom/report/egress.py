"""Who tried to get out of the isolated network, over all iterations of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from cleanroom.report.model import RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Packets or questions of one service to one place; `service` is an address where no service has it."""

    suite: str
    service: str
    destination: str
    protocol: str
    port: int
    via: str
    name: str
    count: int = 0

    @property
    def whereto(self) -> str:
        """The destination in words."""
        port = f" port {self.port}" if self.port else ""
        asked = f" (name {self.name})" if self.name else ""
        return f"{self.destination} {self.protocol}{port}{asked}".strip()


def attempts(report: RunReport) -> tuple[Attempt, ...]:
    """Return every attempt, counted over all iterations, the most frequent first."""
    found: Counter[Attempt] = Counter()
    for pair in report.pairs:
        for _, scenario in pair.scenarios():
            names = {service.address: service.name for service in scenario.services}
            for drop in scenario.egress:
                attempt = Attempt(
                    suite=pair.name,
                    service=names.get(drop.source, drop.source),
                    destination=drop.destination,
                    protocol=drop.protocol,
                    port=drop.port,
                    via=drop.via,
                    name=drop.name,
                )
                found[attempt] += drop.count
    counted = (replace(attempt, count=count) for attempt, count in found.items())
    return tuple(sorted(counted, key=lambda a: (-a.count, a.suite, a.service, a.whereto)))
