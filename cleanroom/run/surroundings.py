"""What an environment gives its services besides their spec: clocks of their own, and what this iteration varies.

Both are proven once the services are ready, from inside their processes, and what was found goes into the record.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from cleanroom.engine.clock import Reading, clock_mounts, clock_variables, prove, set_clock
from cleanroom.engine.clock_control import ClockControl, control_variables
from cleanroom.engine.ports import Mount
from cleanroom.engine.service import Placement, Started
from cleanroom.engine.surroundings import ZONES, surroundings
from cleanroom.errors import CapabilityError, CleanroomError, InconclusiveError
from cleanroom.plan.model import Plan
from cleanroom.plan.surroundings import LOCALE, Variation, clock_faults, clock_of, start_waves, variation, varied
from cleanroom.run.ports import Ports
from cleanroom.run.record import ClockRecord
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockRate, ClockSetting, FrozenClock, RealClock
from cleanroom.spec.service import Service

LOCALES: Final = Path("/opt/cleanroom/kit/locale")
_ZONES: Final = Path(ZONES)
_THREADS: Final = 8


class Surroundings:
    """The clocks and the varied nuisance of one environment."""

    def __init__(self, ports: Ports, plan: Plan, scene: tuple[int, str], environment: str) -> None:
        """`scene` is the 0-based iteration, and the scenario or `suite`."""
        self._ports = ports
        self._plan = plan
        self._directory = ports.controls / f"{ports.run_id}-{environment}".replace("/", "_")
        self._begin_ns = 0
        self._looked_at = varied(plan.suite)
        self._clock_faults = clock_faults(plan, scene[1])
        self.waves = start_waves(plan, scene[1], scene[0])
        self.variation: Variation | None = variation(plan, scene[1], scene[0])
        self.clocks: dict[str, ClockRecord] = {}
        """What each altered clock was measured to be, by service."""
        self.found: dict[str, Mapping[str, str]] = {}
        """What each service's process was found to have, by service; only where the suite varies anything."""

    def begin(self) -> None:
        """Take the environment's beginning, from which its clocks count, and tell each of them what to say."""
        self._begin_ns = self._ports.clock.now_ns()
        for service in self._plan.suite.services:
            setting = self._setting(service)
            if not isinstance(setting, RealClock) or service.name in self._clock_faults:
                set_clock(self._directory / service.name, setting, self._begin_ns)

    @property
    def controls(self) -> Mapping[str, ClockControl]:
        """The clocks that faults can alter, by service: those that were prepared for it when the service started."""
        return {
            service.name: ClockControl(self._directory / service.name, self._setting(service), self._begin_ns)
            for service in self._plan.suite.services
            if service.name in self._clock_faults
        }

    def end(self) -> None:
        """Take the control files away."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def hostname(self, service: Service) -> str:
        """Return the host name of a service's container."""
        drawn = self.variation.hostnames.get(service.name, "") if self.variation is not None else ""
        return drawn or service.hostname or service.name

    def placed(self, service: Service, placement: Placement) -> Placement:
        """Return the placement with the service's clock, its time zone and what varies; raises `CapabilityError`."""
        overrides: dict[str, str] = {}
        mounts: list[Mount] = []
        zone = service.timezone
        chosen = self.variation
        if chosen is not None and chosen.nuisance == "timezone":
            overrides["TZ"] = zone = chosen.value
        elif zone != "UTC" and "TZ" not in service.environment:
            overrides["TZ"] = zone
        if chosen is not None and chosen.nuisance == "locale":
            overrides |= {"LC_ALL": chosen.value, "LANG": chosen.value}
            mounts += _locale()
        setting, faults = self._setting(service), self._clock_faults.get(service.name, frozenset())
        if not isinstance(setting, RealClock) or faults:
            variables = clock_variables(setting, service.environment)
            overrides |= control_variables(variables, faults) if faults else variables
            mounts += clock_mounts(self._directory / service.name)
        return replace(
            placement,
            overrides=overrides,
            mounts=tuple(mounts),
            files=_zone(zone),
            hostname=self.hostname(service),
            cpuset=_cpuset(chosen) if chosen is not None and chosen.nuisance == "cpus" else "",
        )

    def prove(self, started: Mapping[str, Started]) -> None:
        """Measure every clock and all that varies, from inside; raises `InconclusiveError` by name."""
        services = {service.name: service for service in self._plan.suite.services}
        todo = [
            partial(act, services[name], started[name])
            for name in sorted(started)
            for act, wanted in (
                (self._prove_clock, not isinstance(self._setting(services[name]), RealClock)),
                (self._look, self._looked_at or services[name].timezone != "UTC"),
            )
            if wanted
        ]
        if todo:
            with ThreadPoolExecutor(max_workers=_THREADS) as pool:
                list(pool.map(lambda act: act(), todo))

    def _setting(self, service: Service) -> ClockSetting:
        return clock_of(self._plan.suite, service)

    def _prove_clock(self, service: Service, started: Started) -> None:
        setting = self._setting(service)
        try:
            reading = prove(self._ports.engine, started.container, setting, self._begin_ns, self._ports.clock)
        except InconclusiveError as err:
            raise _named(service, err) from err
        self.clocks[service.name] = clock_record(setting, reading)

    def _look(self, service: Service, started: Started) -> None:
        try:
            found = surroundings(self._ports.engine, started.container, init=service.init)
        except InconclusiveError as err:
            # A service that is ready when it has ended leaves nothing to look at; the others are.
            if self._ports.engine.inspect(started.container).status == "running":
                raise _named(service, err) from err
            return
        self.found[service.name] = found
        wanted = self.variation.value if self._varies("timezone") and self.variation else service.timezone
        if (self._varies("timezone") or "TZ" not in service.environment) and found["timezone"] != wanted:
            raise _named(service, InconclusiveError(f"its time zone is {found['timezone']}, and should be {wanted}"))

    def _varies(self, nuisance: str) -> bool:
        return self.variation is not None and self.variation.nuisance == nuisance


def clock_record(setting: ClockSetting, reading: Reading) -> ClockRecord:
    """Return what is kept of a clock that was set and measured; the rate of a frozen one is 0."""
    kind, asked = _asked(setting)
    low, high = reading.rate
    return ClockRecord(
        setting=kind, asked=asked, offset_ns=reading.offset_ns, slack_ns=reading.slack_ns,
        rate=0.0 if reading.frozen else round((low + high) / 2, 3),
    )  # fmt: skip


def _asked(setting: ClockSetting) -> tuple[Literal["frozen", "at", "offset", "rate"], str]:
    match setting:
        case FrozenClock():
            return "frozen", "frozen"
        case ClockAt(at=at):
            return "at", f"at {at}"
        case ClockOffset(offset=offset):
            return "offset", f"offset {offset}"
        case ClockRate(rate=rate):
            return "rate", f"rate {rate:g}"
        case RealClock():
            raise ValueError("the machine's own clock has no record")


def _named(service: Service, err: CleanroomError) -> InconclusiveError:
    return InconclusiveError(f"{service.at}: service {service.name}: {err.message}", remedy=err.remedy)


def _zone(zone: str) -> dict[str, bytes]:
    """Return the zone's own data as a file: few images have any. Raises `CapabilityError` for an unknown zone."""
    if zone == "UTC":
        return {}
    path = _ZONES / zone
    if not path.is_file():
        raise CapabilityError(f"the time zone {zone} is not known here", remedy="correct its name, or install tzdata")
    return {f"{ZONES}/{zone}": path.read_bytes()}


def _locale() -> tuple[Mount, ...]:
    """Return the locale's own data, where the kit has it: a program with data of its own needs none."""
    name = LOCALE.replace("UTF-8", "utf8")
    folder = LOCALES / name
    return (Mount(source=str(folder), target=f"/usr/lib/locale/{name}"),) if folder.is_dir() else ()


def _cpuset(chosen: Variation) -> str:
    """Return the one CPU that services see; raises `InconclusiveError` where there is no other."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:  # noqa: PLR2004 - one and another
        raise InconclusiveError("cpus cannot vary: this machine has one CPU", remedy="take cpus out of `vary`")
    return str(cpus[chosen.pick % len(cpus)])
