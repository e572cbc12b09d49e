"""Faults made of other faults: what each occurrence of a composite does, drawn (spec.md section 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cleanroom.errors import SpecError
from cleanroom.plan.model import FaultEvent
from cleanroom.plan.stream import Stream
from cleanroom.quantity import Duration
from cleanroom.spec.fault import MOST_TICKS, AtOffset, Fault
from cleanroom.spec.shapes.chaos import defaults_of, value_of
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One part of a composite: the fault, when it begins after the composite, and from which stream it draws."""

    fault: Fault
    offset: Duration
    stream: Stream
    index: int
    drawn: bool = True
    single: bool = False
    """Whether one of those whom its target names is drawn."""
    path: tuple[str, ...]
    """Ids of the composites around it, the outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What drawing the parts of a composite needs."""

    faults: Mapping[str, Fault]
    """Of the scenario, by id."""
    timeout: Duration
    """Of the scenario: nothing begins later."""
    draw: Callable[[Strike], FaultEvent]


def parts_of(fault: Fault, stream: Stream, path: tuple[str, ...], parts: Parts) -> tuple[FaultEvent, ...]:
    """Return what a composite fault does, as events whose moments count from its own begin; nothing for another fault.

    Raises `SpecError` for a fault that contains itself, a part that is not there, and too many ticks.
    """
    if not fault.kind.startswith("composite."):
        return ()
    if fault.id in path:
        cycle = " → ".join([*path[path.index(fault.id) :], fault.id])
        raise SpecError(f"{fault.at}: the faults are made of each other: {cycle}", remedy="take one of them out")
    drawing = _Drawing(fault=fault, stream=stream, path=(*path, fault.id), parts=parts)
    match fault.kind:
        case "composite.concurrent":
            return drawing.concurrent()
        case "composite.monkey":
            return drawing.monkey()
        case "composite.cascade":
            return drawing.cascade()
        case _:
            return drawing.sweep()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    fault: Fault
    stream: Stream
    path: tuple[str, ...]
    parts: Parts

    def concurrent(self) -> tuple[FaultEvent, ...]:
        """Strike with all of them at once, for as long as the composite says, if it does."""
        named = self.fault.parameters["faults"]
        assert isinstance(named, tuple)  # noqa: S101 -- the shape of `faults`
        return tuple(
            self._strike(self._within(self._named(str(name))), Duration(0), label=f"member/{name}", index=0)
            for name in named
        )

    def cascade(self) -> tuple[FaultEvent, ...]:
        """Strike the root alone: the dependents are watched."""
        root = str(self.fault.parameters["root"])
        struck = self.parts.faults.get(root) or self._of_kind("container.kill", Target(service=root))
        return (self._strike(self._within(struck), Duration(0), label="root", index=0),)

    def sweep(self) -> tuple[FaultEvent, ...]:
        """Return one event for each value: the scenario runs once with each of them."""
        name, parameter = str(self.fault.parameters["fault"]), str(self.fault.parameters["parameter"])
        values = self.fault.parameters["values"]
        assert isinstance(values, tuple)  # noqa: S101 -- the shape of `values`
        part = self._within(self._part(name))
        found = []
        for index, written in enumerate(values):
            assert isinstance(written, bool | int | float | str)  # noqa: S101 -- a scalar of YAML
            varied = {**part.parameters, parameter: value_of(part.kind, parameter, written)}
            case = replace(part, parameters=MappingProxyType(varied))
            found.append(self._strike(case, Duration(0), label=f"value/{index}", index=index))
        return tuple(found)

    def monkey(self) -> tuple[FaultEvent, ...]:
        """Return one event for each tick; what chance or `max_concurrent` decided against is kept, not drawn."""
        parameters = self.fault.parameters
        every, weights, rate = parameters["every"], parameters["weights"], parameters["rate"]
        assert isinstance(every, Duration)  # noqa: S101 -- the shapes of the parameters
        assert isinstance(weights, Mapping)  # noqa: S101
        assert isinstance(rate, int | float)  # noqa: S101
        ticks = self._ticks(every)
        names = sorted(weights)
        total = sum(float(weights[name]) for name in names)
        active: list[int] = []
        found = []
        for tick in range(ticks):
            now = tick * every.ns
            stream = self.stream.part(f"tick/{tick}")
            drawn = stream.part("rate").uniform() < rate
            left = stream.part("choice").uniform() * total
            chosen = names[-1]
            for name in names:
                left -= float(weights[name])
                if left < 0:
                    chosen = name
                    break
            part = self._part(chosen)
            if part.duration is None:
                # What strikes at once ends too: a service that was killed is started again at the fault's end.
                part = replace(part, duration=every, until_step="")
            active = [end for end in active if end > now]
            drawn = drawn and len(active) < int(str(parameters["max_concurrent"]))
            if drawn:
                active.append(now + (part.duration or every).ns)
            found.append(self._strike(part, Duration(now), label=f"tick/{tick}", index=tick, drawn=drawn))
        return tuple(found)

    def _ticks(self, every: Duration) -> int:
        moment = self.fault.moment
        begin = moment.offset.ns if isinstance(moment, AtOffset) else 0
        length = self.fault.duration.ns if self.fault.duration else max(0, self.parts.timeout.ns - begin)
        ticks = -(-length // every.ns)
        if ticks > MOST_TICKS:
            raise SpecError(
                f"{self.fault.at}: fault {self.fault.id!r} has {ticks} ticks, expected at most {MOST_TICKS}",
                remedy="give it a shorter `for`, or a longer `every`",
            )
        return ticks

    def _strike(self, fault: Fault, offset: Duration, *, label: str, index: int, drawn: bool = True) -> FaultEvent:
        own = fault.id not in self.parts.faults and fault.target is not None and not fault.target.any_of
        strike = Strike(
            fault=fault,
            offset=offset,
            stream=self.stream.part(label),
            index=index,
            drawn=drawn,
            single=own and self.fault.kind == "composite.monkey",
            path=self.path,
        )
        return self.parts.draw(strike)

    def _part(self, name: str) -> Fault:
        """Return the fault with this id, or one of this kind that strikes as the composite says."""
        if name in self.parts.faults:
            return self.parts.faults[name]
        if name not in FAULTS:
            raise SpecError(f"{self.fault.at}: fault {self.fault.id!r} names {name!r}, which is not there")
        return self._of_kind(name, self.fault.target)

    def _named(self, name: str) -> Fault:
        if name not in self.parts.faults:
            raise SpecError(f"{self.fault.at}: fault {self.fault.id!r} names {name!r}, which is not there")
        return self.parts.faults[name]

    def _of_kind(self, kind: str, target: Target | None) -> Fault:
        return Fault(
            id=f"{self.fault.id}/{kind}", kind=kind, target=target, parameters=defaults_of(kind),
            moment=AtOffset(offset=Duration(0)), backend=self.fault.backend, verify=self.fault.verify,
            verify_reason=self.fault.verify_reason, allow_inconclusive=self.fault.allow_inconclusive, at=self.fault.at,
        )  # fmt: skip

    def _within(self, part: Fault) -> Fault:
        """Return the part with the composite's window, if the composite has one."""
        if self.fault.duration is None and not self.fault.until_step:
            return part
        return replace(part, duration=self.fault.duration, until_step=self.fault.until_step)
