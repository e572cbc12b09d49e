"""`dependency.unhealthy`: the program of the container's own health check is not there, until the engine gives it up.

The service runs on. Refused where the program cannot be told from a shell's words, or where the service runs it too.
"""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from cleanroom.canonical import Json
from cleanroom.engine.ports import ContainerState, HealthCheck
from cleanroom.engine.processes import members
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.filesystem.change import Change
from cleanroom.faults.recovery import recover
from cleanroom.faults.rung import pinned
from cleanroom.faults.victim import visible_pid
from cleanroom.plan.model import FaultEvent

_RUNG = "files"
_PAUSE = 0.05
# How long a scenario may be kept waiting for an engine that asks only now and then.
_MOST = 60.0
# What an engine on a busy machine takes to start a check, besides its interval.
_SLACK = 5.0
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "env"})
_BUILT_IN = frozenset(
    {
        "test", "[", "[[", "echo", "exit", "true", "false", "kill", "cd", "read", "printf", ":", "if", "for", "while",
        "until", "case", "!", "export", "set", "command", "eval",
    }
)  # fmt: skip
_GRAMMAR = frozenset("$`(){};|&<>*?~")
_CLEARER = 'name one program in the check: HEALTHCHECK CMD ["/usr/bin/check"]'


@dataclass(slots=True)
class _Patient:
    """One target: its check, where the check's program is, and who hides it."""

    name: str
    container: str
    check: HealthCheck
    program: str
    hidden: Change
    facts: dict[str, Json] = field(default_factory=dict)

    @property
    def patience(self) -> float:
        """The seconds in which the engine must have noticed."""
        return (self.check.interval + _SLACK) + (self.check.retries - 1) * self.check.interval


class Unhealthy:
    """The fault; every target is struck on its own, and each must become unhealthy."""

    backend = _RUNG

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._patients: list[_Patient] = []
        self._struck: list[_Patient] = []
        self._ended = 0.0

    def inject(self) -> None:
        """Hide the program of every target's check; raises `CapabilityError` before anything is hidden."""
        self._patients = [self._patient(name) for name in self._event.targets]
        for patient in self._patients:
            self._struck.append(patient)
            patient.hidden.inject()

    def _patient(self, name: str) -> _Patient:
        container = self._context.containers[name].id
        check = self._context.engine.health_check(container)
        if check is None:
            raise CapabilityError(f"{name}: its image has no health check", remedy="leave the fault out, or add one")
        state = self._context.engine.inspect(container)
        program = find(program_of(name, check), check.path, Path(f"/proc/{visible_pid(state)}/root"), name)
        _refuse_the_services_own(name, container, program, state)
        # The path of `filesystem.missing`, which knows how to hide and bring back.
        parameters = MappingProxyType({"path": program})
        fault = replace(self._event.fault, kind="filesystem.missing", parameters=parameters)
        event = replace(self._event, fault=fault, targets=(name,), parameters=parameters)
        patient = _Patient(name, container, check, program, Change(event, self._context, _RUNG))
        if patient.patience > _MOST:
            raise CapabilityError(
                f"{name}: its check runs every {check.interval:g}s and must fail {check.retries} times: "
                "that is too late",
                remedy=f"give the image a check that fails within {_MOST:g}s (HEALTHCHECK --interval --retries)",
            )
        before, _ = self._await(patient, "healthy", patient.patience)
        if before != "healthy":
            raise CapabilityError(f"{name}: it is {before} without the fault", remedy="strike it once it is healthy")
        patient.facts |= {"check": shlex.join(check.words), "before": before}
        return patient

    def _await(self, patient: _Patient, wanted: str, patience: float) -> tuple[str, float]:
        """Return the last health that the engine reported, and the seconds that it took."""
        clock, begun = self._context.clock, self._context.clock.monotonic()
        while True:
            state = self._context.engine.inspect(patient.container)
            took = clock.monotonic() - begun
            if state.health == wanted or took > patience or state.status not in ("running", "paused"):
                return state.health, took
            clock.sleep(_PAUSE)

    def verify(self) -> Evidence:
        """Hold when the program is not there, the engine says unhealthy, and the service runs on."""
        facts: dict[str, Json] = {}
        wrong = []
        for patient in self._struck:
            gone = patient.hidden.verify()
            health, took = self._await(patient, "unhealthy", patient.patience)
            status = self._context.engine.inspect(patient.container).status
            patient.facts |= {"health": health, "unhealthy_after_ms": round(took * 1000), "status": status}
            facts |= {**gone.facts, **{f"{patient.name}.{key}": value for key, value in patient.facts.items()}}
            if health != "unhealthy":
                wrong.append(f"{patient.name}: the engine says {health}, not unhealthy, after {took:.1f}s")
            elif status != "running":
                wrong.append(f"{patient.name}: it is {status}")
            elif not gone.holds:
                wrong.append(gone.reason)
        return Evidence(holds=bool(self._struck) and not wrong, facts=facts, reason="; ".join(wrong))

    def revert(self) -> None:
        """Bring every program back; all are tried, whatever fails."""
        failures = []
        for patient in reversed(self._struck):
            try:
                patient.hidden.revert()
            except EngineError as err:
                failures.append(err.message)
        self._ended = self._ended or self._context.clock.monotonic()
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when the program is what it was, and the engine says healthy of every target that still runs."""
        facts: dict[str, Json] = {}
        wrong, lapses = [], []
        for patient in self._struck:
            back = patient.hidden.verify_reversal()
            facts |= back.facts
            wrong += [] if back.holds else [back.reason]
            lapses += [back.lapsed] if back.lapsed else []
            if self._context.engine.inspect(patient.container).status == "running":
                health, took = self._await(patient, "healthy", patient.check.interval + patient.check.timeout + _SLACK)
                facts |= {f"{patient.name}.health": health, f"{patient.name}.healthy_after_ms": round(took * 1000)}
                wrong += [] if health == "healthy" else [f"{patient.name}: the engine still says {health}"]
        return Evidence(holds=not wrong, facts=facts, reason="; ".join(wrong), lapsed="; ".join(lapses))

    def recovery(self) -> Recovery | None:
        """How long after its end every target was ready again."""
        return recover(self._context, [one.name for one in self._struck], self._ended, "heal") if self._struck else None


def program_of(name: str, check: HealthCheck) -> str:
    """Return the program that a check starts; raises `CapabilityError` where it cannot be told, or is a shell."""
    words = check.words
    if check.shell:
        try:
            words = tuple(word for word in shlex.split(check.words[0]) if word != "exec")
        except ValueError:
            words = ()
        while words and "=" in words[0]:
            words = words[1:]
    program = words[0] if words else ""
    said = " ".join(check.words)
    if not program or (check.shell and (program in _BUILT_IN or _GRAMMAR & set(program))):
        raise CapabilityError(
            f"{name}: its health check is {said!r} for a shell, without a program to hide", remedy=_CLEARER
        )
    if PurePosixPath(program).name in _SHELLS:
        raise CapabilityError(
            f"{name}: its health check starts with {program}, which services need too", remedy=_CLEARER
        )
    return program


def find(program: str, path: tuple[str, ...], root: Path, name: str) -> str:
    """Return where a program is inside a container; raises `CapabilityError` where it is nowhere."""
    places = (
        [program] if program.startswith("/") else [f"{place}/{program}" for place in path] if "/" not in program else []
    )
    for place in places:
        # A link that leads out of here leads somewhere inside: it is there, and can be hidden.
        if os.path.lexists(f"{root}{place}"):
            return place
    raise CapabilityError(
        f"{name}: {program}, the program of its health check, is not in the container", remedy=_CLEARER
    )


def _refuse_the_services_own(name: str, container: str, program: str, state: ContainerState) -> None:
    with suppress(OSError):
        found = Path(f"/proc/{state.pid}/root{program}").stat()
        for process in members(container):
            with suppress(OSError):
                running = Path(f"/proc/{process.pid}/exe").stat()
                if (running.st_dev, running.st_ino) == (found.st_dev, found.st_ino):
                    raise CapabilityError(
                        f"{name}: its health check is {program}, which the service runs too", remedy=_CLEARER
                    )


def open_unhealthy(event: FaultEvent, context: FaultContext) -> Unhealthy:
    """Return the fault; raises `CapabilityError` for another rung."""
    pinned(event, _RUNG)
    return Unhealthy(event, context)
