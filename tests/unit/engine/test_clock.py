"""Clocks of services: what is written for libfaketime, what is made of what a container says, whom it cannot reach."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.engine import clock as clocks
from cleanroom.engine import processes
from cleanroom.engine.clock import (
    Reading,
    clock_mounts,
    clock_variables,
    misses,
    offset_of,
    prove,
    read_clock,
    set_clock,
    unreached,
)
from cleanroom.engine.ports import ContainerSpec
from cleanroom.errors import CapabilityError, EngineError, InconclusiveError
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockRate, FrozenClock, RealClock
from cleanroom.spec.instant import Instant
from tests.fakes import FakeClock, FakeEngine, result

SECOND = 10**9
MS = 10**6
BEGIN = 1_700_000_000 * SECOND + 250 * MS
AHEAD = ClockOffset(offset=Duration(3600 * SECOND))
CONTAINER = "c1a0" * 16


def written(folder: Path) -> str:
    return (folder / "clock").read_text(encoding="ascii")


# What is written


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (FrozenClock(), "1700000000\n"),
        (ClockRate(rate=2.5), "+0 x2.500000000\n"),
        (AHEAD, "+3600.000000000\n"),
        (ClockOffset(offset=Duration(-1)), "-0.000000001\n"),
        (ClockOffset(offset=Duration(-90 * SECOND - MS)), "-90.001000000\n"),
        (ClockAt(at=Instant(BEGIN + SECOND)), "+1.000000000\n"),
        (ClockAt(at=Instant(BEGIN - SECOND)), "-1.000000000\n"),
    ],
)
def test_the_control_file_says_what_is_asked_for(tmp_path: Path, setting: Any, words: str):
    set_clock(tmp_path / "api", setting, BEGIN)
    assert written(tmp_path / "api") == words


def test_a_control_file_is_replaced_as_a_whole_and_every_user_may_read_it(tmp_path: Path):
    folder = tmp_path / "environment" / "api"
    set_clock(folder, AHEAD, BEGIN)
    with (folder / "clock").open(encoding="ascii") as before:
        set_clock(folder, FrozenClock(), BEGIN)
        assert before.read() == "+3600.000000000\n", "who reads it meanwhile reads one or the other"
    assert written(folder) == "1700000000\n"
    assert [path.name for path in folder.iterdir()] == ["clock"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "clock").stat().st_mode) == 0o644


@given(st.integers(-(10**19), 10**19))
def test_an_offset_is_written_to_the_nanosecond(ns: int):
    sign, rest = (text := clocks._words(ClockOffset(offset=Duration(ns)), BEGIN))[0], text[1:]
    whole, _, part = rest.partition(".")
    assert len(part) == 9
    assert (int(whole) * SECOND + int(part)) * (-1 if sign == "-" else 1) == ns


def test_an_instant_is_an_offset_from_the_beginning():
    assert offset_of(ClockAt(at=Instant(BEGIN + 5)), BEGIN) == 5
    assert offset_of(RealClock(), BEGIN) == 0


def test_the_library_goes_before_a_services_own_preload():
    variables = clock_variables(AHEAD, {"LD_PRELOAD": "/lib/own.so", "OTHER": "x"})
    assert variables["LD_PRELOAD"] == "/.cleanroom/clock/libfaketime.so.1:/lib/own.so"
    assert "OTHER" not in variables
    assert clock_variables(AHEAD, {})["LD_PRELOAD"] == "/.cleanroom/clock/libfaketime.so.1"


def test_only_a_rate_shares_its_beginning_between_processes():
    assert clock_variables(AHEAD, {})["FAKETIME_DISABLE_SHM"] == "1"
    assert "FAKETIME_DISABLE_SHM" not in clock_variables(ClockRate(rate=2), {})


def test_without_a_kit_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clocks, "KIT", tmp_path)
    with pytest.raises(CapabilityError, match=r"there is no .*libfaketime"):
        clock_mounts(tmp_path / "control")
    (tmp_path / clocks.LIBRARY).touch()
    found = [(mount.source, mount.target) for mount in clock_mounts(tmp_path / "control")]
    assert found == [(str(tmp_path), "/.cleanroom/clock"), (str(tmp_path / "control"), "/.cleanroom/clock-control")]


# What a container says


class Inside:
    """An engine whose container reads its clock: `offset` ahead, `rate` times as fast, each reading taking `took`."""

    def __init__(self, clock: FakeClock, *, offset: int = 0, rate: float = 1.0, took: tuple[int, ...] = (2,)) -> None:
        self.clock, self.offset, self.rate = clock, offset, rate
        self.took = list(took)
        self.status = "running"
        self.monotonic = 0
        self.stdout: bytes | None = None
        self.stderr = b""
        self.asked = 0

    def inspect(self, _container: str) -> Any:
        engine = FakeEngine(networks={"n"})
        made = engine.create(ContainerSpec(name="a", image="i", network="n"))
        if self.status == "running":
            engine.start(made)
        return engine.inspect(made)

    def execute(self, _container: str, _spec: Any) -> Any:
        self.asked += 1
        if self.stdout is not None:
            return result(1, self.stdout, self.stderr)
        took = self.took.pop(0) if len(self.took) > 1 else self.took[0]
        one = int(self.clock.monotonic() * SECOND) + self.monotonic
        wall = one + took // 2 + self.offset
        later = wall + int(self.rate * 10 * MS)
        # The clock of the tests goes on by a millisecond with each look at it.
        self.clock.sleep(0.02)
        lines = (one, wall, one + took), (one + 10 * MS, later, one + 10 * MS + took)
        return result(0, "\n".join(" ".join(str(number) for number in line) for line in lines).encode())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_reading_tells_offset_rate_and_how_exactly(clock: FakeClock):
    reading = read_clock(Inside(clock, offset=3600 * SECOND, rate=1.0), CONTAINER, clock)
    assert abs(reading.offset_ns - 3600 * SECOND) < 2 * MS
    assert reading.slack_ns == 1
    low, high = reading.rate
    assert low <= 1.0 <= high
    assert reading.monotonic
    assert not reading.frozen


def test_a_reading_that_was_held_up_is_taken_again_and_the_closest_counts(clock: FakeClock):
    inside = Inside(clock, took=(50 * MS, 8 * MS, 4, 2))
    assert read_clock(inside, CONTAINER, clock).slack_ns == 2
    assert inside.asked == 3


def test_readings_that_are_all_held_up_end(clock: FakeClock):
    inside = Inside(clock, took=(9 * MS, 7 * MS, 8 * MS))
    assert read_clock(inside, CONTAINER, clock).slack_ns == 7 * MS // 2
    assert inside.asked == 5


@pytest.mark.parametrize("ahead", [-SECOND, SECOND])
def test_a_monotonic_clock_that_is_not_the_machines_is_seen(clock: FakeClock, ahead: int):
    inside = Inside(clock)
    inside.monotonic = ahead
    reading = read_clock(inside, CONTAINER, clock)
    assert not reading.monotonic
    assert misses(ClockOffset(offset=Duration(0)), reading, BEGIN) == "its monotonic clock is not the machine's"


@pytest.mark.parametrize(
    ("stdout", "stderr", "said"),
    [
        (b"", b"version `GLIBC_2.34' not found", "GLIBC_2.34"),
        (b"", b"", "exit code 1"),
        (b"1 2 3\n", b"", "1 2 3"),
        (b"1 2 3\n4 5\n", b"", "1 2 3"),
        (b"1 2 x\n4 5 6\n", b"", "1 2 x"),
        (b"\xff", b"", "exit code 1|�"),
    ],
)
def test_what_is_no_reading_is_told(clock: FakeClock, stdout: bytes, stderr: bytes, said: str):
    inside = Inside(clock)
    inside.stdout, inside.stderr = stdout, stderr
    with pytest.raises(InconclusiveError, match=said) as caught:
        read_clock(inside, CONTAINER, clock)
    assert "glibc 2.34" in caught.value.remedy


# Whether it is what was asked for


def reading(**fields: Any) -> Reading:
    values = {"wall_ns": BEGIN, "offset_ns": 0, "slack_ns": 0, "rate": (1.0, 1.0), "frozen": False, "monotonic": True}
    return Reading(**{**values, **fields})


STANDS = reading(wall_ns=1_700_000_000 * SECOND, frozen=True, rate=(0.0, 0.0))


@pytest.mark.parametrize(
    ("setting", "found", "wrong"),
    [
        (FrozenClock(), STANDS, ""),
        (FrozenClock(), reading(wall_ns=STANDS.wall_ns), "should stand at"),
        (FrozenClock(), reading(wall_ns=STANDS.wall_ns + SECOND, frozen=True), "should stand at"),
        (ClockRate(rate=3), reading(rate=(2.98, 3.02)), ""),
        (ClockRate(rate=3), reading(rate=(2.9, 2.96)), "runs 2.900 to 2.960 times as fast, and should run 3 times"),
        (ClockRate(rate=3), reading(rate=(3.05, 3.1)), "should run 3 times"),
        (AHEAD, reading(offset_ns=3600 * SECOND + MS), ""),
        (AHEAD, reading(offset_ns=3600 * SECOND + 2 * MS), "2.000 ms from where it should be"),
        (AHEAD, reading(offset_ns=3600 * SECOND + 2 * MS, slack_ns=MS), ""),
        (AHEAD, reading(), "-3600000.000 ms from where it should be"),
        (RealClock(), reading(), ""),
        (RealClock(), reading(offset_ns=SECOND), "1000.000 ms"),
        (ClockAt(at=Instant(BEGIN + 5 * SECOND)), reading(offset_ns=5 * SECOND), ""),
        (ClockAt(at=Instant(BEGIN + 5 * SECOND)), reading(offset_ns=4 * SECOND), "-1000.000 ms"),
    ],
)
def test_a_clock_is_what_was_asked_for_or_it_is_said_how_not(setting: Any, found: Reading, wrong: str):
    said = misses(setting, found, BEGIN)
    assert wrong in said
    assert bool(said) == bool(wrong)


# Whom the library reaches

GLIBC = "7f00 r-xp /usr/lib/x86_64-linux-gnu/libc.so.6\n7f01 r-xp /lib64/ld-linux-x86-64.so.2\n"
LOADED = GLIBC + "7f02 r-xp /.cleanroom/clock/libfaketime.so.1\n"
GO = b"\xff Go buildinf:"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of our own, in which every process is of the container."""
    folder = tmp_path / "proc"
    folder.mkdir()
    monkeypatch.setattr(clocks, "_PROC", folder)
    monkeypatch.setattr(processes, "_PROC", folder)
    return folder


def process(proc: Path, pid: int, maps: str, *, program: str = "app", text: bytes = b"\x7fELF") -> None:
    here = proc / str(pid)
    here.mkdir()
    (here / "stat").write_text(f"{pid} (app) S 1 {pid} {pid} " + "0 " * 15 + "77 0\n", encoding="ascii")
    (here / "cgroup").write_text(f"0::/cleanroom/{CONTAINER}\n", encoding="ascii")
    (here / "maps").write_text(maps, encoding="ascii")
    binary = proc.parent / f"{pid}" / program
    binary.parent.mkdir()
    binary.write_bytes(text)
    (here / "exe").symlink_to(binary)


@pytest.mark.parametrize(
    ("maps", "text", "why"),
    [
        (LOADED, b"\x7fELF", ""),
        # Compiled Go with a C library loads it, and asks the kernel all the same.
        (LOADED, bytes(32) + GO, "is written in Go, which asks the kernel itself"),
        (LOADED, bytes(33) + GO, ""),
        (LOADED, bytes(33) + GO + bytes(1) + GO, "is written in Go"),
        ("7f r-xp /lib/ld-musl-x86_64.so.1\n", b"\x7fELF", "uses the C library musl"),
        ("7f r-xp /app\n", b"\x7fELF", "is linked statically"),
        (GLIBC, b"\x7fELF", "has not loaded it"),
        ("", b"\x7fELF", ""),
    ],
)
def test_a_process_that_keeps_the_machines_time_is_told_with_the_reason(proc: Path, maps: str, text: bytes, why: str):
    process(proc, 40, maps, text=text)
    found = unreached(CONTAINER, FakeClock())
    assert bool(found) == bool(why)
    if why:
        assert why in found[0]
        assert found[0].startswith(f"process 40 ({proc.parent}/40/app) ")


def test_the_engines_own_process_is_nobodys(proc: Path):
    process(proc, 40, "7f r-xp /sbin/docker-init\n", program="docker-init")
    process(proc, 41, LOADED)
    assert unreached(CONTAINER, FakeClock()) == ()


def test_a_process_of_somebody_else_is_not_looked_at(proc: Path):
    process(proc, 40, "7f r-xp /app\n")
    assert unreached("beef" * 16, FakeClock()) == ()


def test_a_process_that_has_just_begun_is_given_time_to_load_it(proc: Path):
    process(proc, 40, GLIBC)

    class Loading(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            (proc / "40" / "maps").write_text(LOADED, encoding="ascii")

    assert unreached(CONTAINER, Loading()) == ()


def test_what_can_never_load_it_is_not_waited_for(proc: Path):
    process(proc, 39, GLIBC)
    process(proc, 40, "7f r-xp /app\n")

    class Awake(FakeClock):
        def sleep(self, seconds: float) -> None:
            raise AssertionError(f"there is nothing to wait {seconds} s for")

    assert [line.split()[1] for line in unreached(CONTAINER, Awake())] == ["39", "40"]


# The proof


def test_a_clock_that_is_what_was_asked_for_is_proven(clock: FakeClock, proc: Path):
    process(proc, 40, LOADED)
    setting = ClockOffset(offset=Duration(3600 * SECOND))
    # Its own reading of the machine's clocks lies within a tick of the fake one.
    inside = Inside(clock, offset=3600 * SECOND, took=(4 * MS,))
    assert abs(prove(inside, CONTAINER, setting, BEGIN, clock).offset_ns - 3600 * SECOND) < 4 * MS


def test_a_clock_that_is_not_is_no_proof(clock: FakeClock, proc: Path):
    process(proc, 40, LOADED)
    with pytest.raises(InconclusiveError, match="its clock is not what was asked for: it is -3600"):
        prove(Inside(clock), CONTAINER, AHEAD, BEGIN, clock)


def test_a_process_out_of_reach_is_no_proof(clock: FakeClock, proc: Path):
    process(proc, 40, "7f r-xp /app\n")
    with pytest.raises(InconclusiveError, match=r"cannot be altered: process 40 .* is linked statically"):
        prove(Inside(clock, offset=3600 * SECOND), CONTAINER, AHEAD, BEGIN, clock)


@pytest.mark.usefixtures("proc")
def test_a_service_that_has_ended_is_no_proof(clock: FakeClock):
    inside = Inside(clock)
    inside.status = "exited"
    with pytest.raises(InconclusiveError, match="it has ended"):
        prove(inside, CONTAINER, AHEAD, BEGIN, clock)


@pytest.mark.usefixtures("proc")
def test_an_engine_that_fails_is_no_proof(clock: FakeClock, monkeypatch: pytest.MonkeyPatch):
    inside = Inside(clock)

    def gone(*_: Any) -> Any:
        raise EngineError("the engine is gone")

    monkeypatch.setattr(inside, "execute", gone)
    with pytest.raises(InconclusiveError, match="could not be measured: the engine is gone"):
        prove(inside, CONTAINER, AHEAD, BEGIN, clock)
