"""Faults on processor time: processes of ours that burn it, and a smaller quota."""

from __future__ import annotations

import math
import os
import time
from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.resource.group import Change, Group, Setting
from cleanroom.faults.resource.stressor import Stressor, start
from cleanroom.faults.resource.strike import Strike, Target, rung_of
from cleanroom.plan.model import FaultEvent

# Five periods of a worker's duty, and of a quota.
_WINDOW = 0.5
_SHARE = 0.8
_PROBE = 3.0
# The kernel's limits for a quota and its period, in µs.
_LEAST_QUOTA = 1000
_LONGEST_PERIOD = 1_000_000


class Burn:
    """Workers of ours in the target's groups."""

    takes = ""

    def __init__(self, target: Target, workers: int, load: float) -> None:
        self._target = target
        self._workers = workers
        self._load = load
        self._stressor: Stressor | None = None

    def apply(self) -> None:
        """Start them."""
        controllers = ("cpu", "cpuacct", "cpuset") if self._target.group.version == 1 else ("cpu",)
        self._stressor = start(
            "burn", {"workers": self._workers, "load": self._load},
            groups=self._target.group.places(*controllers), watch=self._target.pid,
        )  # fmt: skip

    def proof(self) -> Evidence:
        """Hold when they ran or waited for a processor as asked, and their time counts as the target's."""
        assert self._stressor is not None  # noqa: S101 - applied
        group = self._target.group
        used, (limited, _) = group.cpu_ns(), group.throttled()
        before = self._stressor.look()
        time.sleep(_WINDOW)
        after = self._stressor.look()
        used, limited = group.cpu_ns() - used, group.throttled()[0] - limited
        ran, waited, passed = (_grown(before, after, key) for key in ("ran_ns", "waited_ns", "at_ns"))
        wanted = passed * self._workers * self._load / 100
        facts: dict[str, Json] = {
            "workers": self._workers, "demand": round((ran + waited) / max(1, wanted), 3), "ran_ms": ran / 10**6,
            "waited_ms": waited / 10**6, "group_ms": used / 10**6, "measured_ms": passed / 10**6, "throttled": limited,
        }  # fmt: skip
        asked = ran + waited >= _SHARE * wanted or limited > 0
        holds = asked and ran > 0 and used >= _SHARE * ran
        reason = "" if holds else f"the workers asked for {(ran + waited) / 1e6:.0f} ms of {wanted / 1e6:.0f} ms"
        return Evidence(holds=holds, facts=facts, reason=reason)

    def take_back(self) -> None:
        """End them."""
        if self._stressor is not None:
            self._stressor.end()

    def residue(self) -> Evidence:
        """Hold when they are gone."""
        return ended(self._stressor)


class Throttle:
    """A quota on the target's group."""

    takes = "cpus"

    def __init__(self, target: Target, cpus: float) -> None:
        self._target = target
        self._cpus = cpus
        self._setting: Setting | None = None
        self._before = (0, 0)

    def apply(self) -> None:
        """Set it; raises `CapabilityError` where it would be no restriction."""
        group = self._target.group
        known = group.cpus()
        have = min(known or math.inf, len(os.sched_getaffinity(0)))
        if have <= self._cpus:
            raise CapabilityError(
                f"{self._target.name} has {have:g} CPUs, so {self._cpus:g} would take nothing away",
                remedy="ask for fewer",
            )
        self._before = group.throttled()
        self._setting = Setting(group, quota_changes(group, self._cpus))
        self._setting.apply()

    def proof(self) -> Evidence:
        """Hold when processor time ran out: of the target by itself, else while a process of ours burns beside it."""
        group = self._target.group
        times, waited = self._before
        facts: dict[str, Json] = {"cpus": group.cpus()}
        burner = None
        if group.throttled()[0] == times:
            controllers = ("cpu", "cpuacct") if group.version == 1 else ("cpu",)
            burner = start(
                "burn", {"workers": math.ceil(self._cpus) + 1, "load": 100}, groups=group.places(*controllers),
                watch=self._target.pid,
            )  # fmt: skip
        facts["throttled_by_itself"] = burner is None
        end = time.monotonic() + _PROBE
        try:
            while group.throttled()[0] == times and time.monotonic() < end:
                time.sleep(0.02)
            begun, used = time.monotonic_ns(), group.cpu_ns()
            time.sleep(_WINDOW)
            facts["cpus_used"] = round((group.cpu_ns() - used) / (time.monotonic_ns() - begun), 3)
        finally:
            if burner is not None:
                burner.end()
        now, longer = group.throttled()
        facts |= {"nr_throttled": now - times, "throttled_ms": (longer - waited) / 10**6}
        holds = now > times and longer > waited
        reason = "" if holds else "its processor time never ran out, though a process of ours burnt it"
        return Evidence(holds=holds, facts=facts, reason=reason)

    def take_back(self) -> None:
        """Put the old quota back."""
        if self._setting is not None:
            self._setting.restore()

    def residue(self) -> Evidence:
        """Hold when the old quota is there."""
        facts: dict[str, Json] = {}
        if self._target.group.same():
            now, waited = self._target.group.throttled()
            facts = {"nr_throttled": now - self._before[0], "throttled_ms": (waited - self._before[1]) / 10**6}
        return restored(self._setting, facts)


def quota_changes(group: Group, cpus: float) -> tuple[Change, ...]:
    """Return what to write for so many CPUs; raises `CapabilityError` for less than the kernel can count."""
    quota_before, period_before = group.cpu_quota()
    period = period_before if cpus * period_before >= _LEAST_QUOTA else _LONGEST_PERIOD
    quota = round(cpus * period)
    if quota < _LEAST_QUOTA:
        raise CapabilityError(f"the kernel cannot give less than {_LEAST_QUOTA / _LONGEST_PERIOD} CPUs")
    if group.version > 1:
        file = group.file("cpu", "", "cpu.max")
        old = f"{'max' if quota_before is None else quota_before} {period_before}"
        return (Change(file=file, value=f"{quota} {period}", back=old),)
    files = group.file("cpu", "cpu.cfs_period_us", ""), group.file("cpu", "cpu.cfs_quota_us", "")
    old_quota = "-1" if quota_before is None else str(quota_before)
    return (
        Change(file=files[0], value=str(period), back=str(period_before)),
        Change(file=files[1], value=str(quota), back=old_quota),
    )


def ended(stressor: Stressor | None) -> Evidence:
    """Hold when the process is gone; say when it did not last."""
    if stressor is None:
        return Evidence(holds=True)
    if stressor.alive:
        return Evidence(holds=False, reason="the process of the fault still runs")
    why = stressor.figures.get("ended", "killed")
    lapsed = {"asked": "", "container": "the service ended under the fault"}.get(str(why), "")
    if why == "killed":
        lapsed = "the process of the fault was killed"
    facts = {key: value for key, value in stressor.figures.items() if key != "ended"}
    return Evidence(holds=True, facts=facts, lapsed=lapsed)


def restored(setting: Setting | None, facts: dict[str, Json] | None = None) -> Evidence:
    """Hold when the files have their old values; say when somebody changed ours."""
    left = setting.leftovers() if setting is not None else ()
    lapsed = setting.lapsed if setting is not None else ""
    return Evidence(holds=not left, facts=facts or {}, reason="; ".join(left), lapsed=lapsed)


def _grown(before: dict[str, Json], after: dict[str, Json], key: str) -> int:
    return cast("int", after[key]) - cast("int", before[key])


def open_cpu_stress(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    backend = rung_of(event, "stressor")
    workers, load = int(cast("int", event.parameters["workers"])), float(cast("float", event.parameters["load"]))
    return Strike(event, context, backend, lambda target: Burn(target, workers, load))


def open_cpu_throttle(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    cpus = float(cast("float", event.parameters["cpus"]))
    return Strike(event, context, rung_of(event, "cgroup"), lambda target: Throttle(target, cpus))
