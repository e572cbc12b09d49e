"""Another wall clock for the processes of a container: libfaketime, told by a file what to say, and what it then says.

The library comes from the image's kit and is preloaded by the programs of a container; it reads its control file again
every second, so that a clock can be changed while they run (`set_clock`). The monotonic clock stays the machine's. What
the library reaches is measured, never assumed: by a reading through the container's own C library, and by a look at
what each of its processes has loaded.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.clock import Clock, Deadline
from cleanroom.engine.ports import Engine, ExecSpec, Mount
from cleanroom.engine.processes import Process, members
from cleanroom.errors import CapabilityError, EngineError, InconclusiveError
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockRate, ClockSetting, FrozenClock, RealClock

KIT: Final = Path("/opt/cleanroom/kit/clock")
LIBRARY: Final = "libfaketime.so.1"
_KIT_INSIDE: Final = "/.cleanroom/clock"
_CONTROL_INSIDE: Final = "/.cleanroom/clock-control"
_CONTROL: Final = "clock"
_PROC: Final = Path("/proc")
_INIT: Final = frozenset({"docker-init", "tini"})
_GO: Final = b"\xff Go buildinf:"
_PATIENCE: Final = 10.0
_PAUSE: Final = 0.1
_READINGS: Final = 5
TOLERANCE_NS: Final = 10**6
"""How far a clock may be from what was asked: libfaketime counts in doubles, and a wall clock is slewed."""
RATE_TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the C library of a container said of time.

    `offset_ns` is its wall clock minus the machine's, give or take `slack_ns`; `rate` is how far the wall clock went
    for each nanosecond of the monotonic one, as the least and the most that the reading allows.
    """

    wall_ns: int
    offset_ns: int
    slack_ns: int
    rate: tuple[float, float]
    frozen: bool
    monotonic: bool
    """Whether its monotonic clock is the machine's."""


def clock_mounts(directory: Path) -> tuple[Mount, ...]:
    """Return what a container with a clock of its own sees: the kit and its control file, both read-only.

    Raises `CapabilityError` where there is no kit.
    """
    if not (KIT / LIBRARY).is_file():
        raise CapabilityError(
            f"no clock of a service can be altered here: there is no {KIT / LIBRARY}",
            remedy="it comes with the action's image: run with --engine cell, or leave `clock` and `freeze_clock` out",
        )
    return (
        Mount(source=str(KIT), target=_KIT_INSIDE),
        Mount(source=str(directory), target=_CONTROL_INSIDE),
    )


def clock_variables(setting: ClockSetting, own: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that preload the library; a service's `own` LD_PRELOAD is kept behind it."""
    preload = [f"{_KIT_INSIDE}/{LIBRARY}", *([own["LD_PRELOAD"]] if own.get("LD_PRELOAD") else [])]
    variables = {
        "LD_PRELOAD": ":".join(preload),
        "FAKETIME_TIMESTAMP_FILE": f"{_CONTROL_INSIDE}/{_CONTROL}",
        "FAKETIME_FMT": "%s",
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    if not isinstance(setting, ClockRate):
        # Processes of one service share a beginning by it, which only a rate counts from; PostgreSQL has trouble with
        # the semaphore that it takes.
        variables["FAKETIME_DISABLE_SHM"] = "1"
    return variables


def set_clock(directory: Path, setting: ClockSetting, begin_ns: int) -> None:
    """Write the control file in `directory`; processes that run see it within a second. `begin_ns` is of the run."""
    write_control(directory, _words(setting, begin_ns))


def write_control(directory: Path, words: str) -> None:
    """Write the library's own words into the control file in `directory`, all at once."""
    directory.mkdir(parents=True, exist_ok=True)
    # Whatever umask we run under, a service of any user reads it.
    directory.chmod(0o755)
    text = directory / f".{_CONTROL}"
    text.write_text(words + "\n", encoding="ascii")
    text.chmod(0o644)
    text.replace(directory / _CONTROL)


def _words(setting: ClockSetting, begin_ns: int) -> str:
    match setting:
        case FrozenClock():
            return str(begin_ns // 10**9)
        case ClockRate():
            return f"+0 x{setting.rate:.9f}"
        case _:
            return offset_words(offset_of(setting, begin_ns))


def offset_words(offset_ns: int) -> str:
    """Return what makes a clock be so far ahead, in the library's words."""
    whole, rest = divmod(abs(offset_ns), 10**9)
    return f"{'-' if offset_ns < 0 else '+'}{whole}.{rest:09d}"


def offset_of(setting: ClockSetting, begin_ns: int) -> int:
    """Return by how many nanoseconds the clock is to be ahead, when the environment began at `begin_ns`."""
    match setting:
        case ClockAt(at=at):
            return at.ns - begin_ns
        case ClockOffset(offset=offset):
            return offset.ns
        case _:
            return 0


def read_clock(engine: Engine, container: str, clock: Clock) -> Reading:
    """Read the time through the container's own C library; raises `InconclusiveError` where it has none that can.

    A reading that was held up says little: it is taken again, a few times, and the closest one counts.
    """
    found = [_read_once(engine, container, clock)]
    while found[-1].slack_ns > TOLERANCE_NS and len(found) < _READINGS:
        found.append(_read_once(engine, container, clock))
    return min(found, key=lambda reading: reading.slack_ns)


def _read_once(engine: Engine, container: str, clock: Clock) -> Reading:
    before = int(clock.monotonic() * 10**9)
    spec = ExecSpec(command=(f"{_KIT_INSIDE}/read_clock",), timeout=Duration(20 * 10**9))
    result = engine.execute(container, spec)
    ahead = _ahead(clock)
    after = int(clock.monotonic() * 10**9) + 1
    try:
        (one, wall, two), (three, later, four) = (
            (int(number) for number in line.split()) for line in result.stdout.decode("ascii").splitlines()
        )
    except ValueError:
        said = (result.stderr + result.stdout).decode("utf-8", "replace").strip()
        raise InconclusiveError(
            f"the time inside cannot be read: {said[:200] or f'exit code {result.exit_code}'}",
            remedy="its image needs glibc 2.34 or newer: a clock cannot be altered under another C library",
        ) from None
    return Reading(
        wall_ns=wall,
        offset_ns=wall - (one + two) // 2 - ahead,
        slack_ns=(two - one + 1) // 2,
        rate=((later - wall) / max(1, four - one), (later - wall) / max(1, three - two)),
        frozen=wall == later,
        monotonic=before <= one <= two <= three <= four <= after,
    )


def _ahead(clock: Clock) -> int:
    """Return by how many nanoseconds the machine's wall clock is ahead of its monotonic one: the least interrupted."""
    tries = []
    for _ in range(5):
        before, wall, after = int(clock.monotonic() * 10**9), clock.now_ns(), int(clock.monotonic() * 10**9)
        tries.append((after - before, wall - (before + after) // 2))
    return min(tries)[1]


def misses(setting: ClockSetting, reading: Reading, begin_ns: int) -> str:
    """Return in which way a reading is not what was asked for; empty where it is."""
    if not reading.monotonic:
        return "its monotonic clock is not the machine's"
    low, high = reading.rate
    match setting:
        case FrozenClock():
            wanted = begin_ns // 10**9 * 10**9
            stands = reading.frozen and reading.wall_ns == wanted
            return "" if stands else f"it reads {reading.wall_ns} ns, and should stand at {wanted} ns"
        case ClockRate(rate=rate):
            holds = low * (1 - RATE_TOLERANCE) <= rate <= high * (1 + RATE_TOLERANCE)
            return "" if holds else f"it runs {low:.3f} to {high:.3f} times as fast, and should run {rate:g} times"
        case _:
            wanted = 0 if isinstance(setting, RealClock) else offset_of(setting, begin_ns)
            far = reading.offset_ns - wanted
            return (
                ""
                if abs(far) <= TOLERANCE_NS + reading.slack_ns
                else f"it is {far / 10**6:.3f} ms from where it should be"
            )


def unreached(container: str, clock: Clock) -> tuple[str, ...]:
    """Return each process of the container (full id) that the library does not reach, with the reason, by pid.

    A process that has just been started is given time to load it.
    """
    deadline = Deadline.after(clock, _PATIENCE)
    while True:
        found = {process: why for process in members(container) if (why := _why_unreached(process))}
        final = any(not waiting for _, waiting in found.values())
        if not found or final or deadline.expired():
            return tuple(
                f"process {process.pid} ({_program(process.pid)}) {why}"
                for process, (why, _) in sorted(found.items(), key=lambda item: item[0].pid)
            )
        clock.sleep(_PAUSE)


def _program(pid: int) -> str:
    try:
        return str((_PROC / str(pid) / "exe").readlink())
    except OSError:
        return "a process that has ended"


def _why_unreached(process: Process) -> tuple[str, bool] | None:
    """Return why a process keeps the machine's time, and whether a later look may say otherwise; None: it does not."""
    if Path(_program(process.pid)).name in _INIT:
        # The engine's own, which only waits for the service.
        return None
    try:
        maps = (_PROC / str(process.pid) / "maps").read_text("utf-8", "replace")
        go = bool(maps) and _is_go(process.pid)
    except (OSError, ValueError):
        return None
    if not maps or (LIBRARY in maps and not go):
        return None
    never = {
        "is written in Go, which asks the kernel itself": go,
        "uses the C library musl": "ld-musl" in maps,
        "is linked statically": "/ld-linux" not in maps and "/ld-2." not in maps,
    }
    for why, holds in never.items():
        if holds:
            return why, False
    return "has not loaded it: it cleared LD_PRELOAD, has raised privileges, or its glibc is older than 2.34", True


def _is_go(pid: int) -> bool:
    with (_PROC / str(pid) / "exe").open("rb") as program, mmap.mmap(program.fileno(), 0, prot=mmap.PROT_READ) as text:
        at = text.find(_GO)
        # The linker aligns it; a program that only speaks of it need not.
        while at >= 0 and at % 16:
            at = text.find(_GO, at + 1)
        return at >= 0


def prove(engine: Engine, container: str, setting: ClockSetting, begin_ns: int, clock: Clock) -> Reading:
    """Return a reading that is what was asked for, of a container whose every process the library reaches.

    Raises `InconclusiveError` by name otherwise.
    """
    if engine.inspect(container).status != "running":
        raise InconclusiveError(
            "it has ended, so its clock cannot be measured any more", remedy="leave its clock as it is (clock: real)"
        )
    missed = unreached(container, clock)
    if missed:
        raise InconclusiveError(
            f"its clock cannot be altered: {'; '.join(missed)}",
            remedy="leave its clock as it is (clock: real), or use a program that asks glibc for the time",
        )
    try:
        reading = read_clock(engine, container, clock)
    except EngineError as err:
        raise InconclusiveError(f"its clock could not be measured: {err.message}") from err
    wrong = misses(setting, reading, begin_ns)
    if wrong:
        raise InconclusiveError(f"its clock is not what was asked for: {wrong}")
    return reading
