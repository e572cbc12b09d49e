"""Bytes passed on between two sockets, and what a fault on the stream does to them on the way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Protocol

from cleanroom.faults.proxy.tally import Tally
from cleanroom.faults.proxy.wire import Wire


class CutError(Exception):
    """The connection ends here, by the fault; `abrupt`: by a reset."""

    def __init__(self, *, abrupt: bool) -> None:
        super().__init__("cut")
        self.abrupt = abrupt


class Release:
    """The end of the fault: what waits goes on at once, and nothing is struck any more."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def given(self) -> bool:
        """Whether the fault has ended."""
        return self._event.is_set()

    def give(self) -> None:
        """End the fault."""
        self._event.set()

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or until the fault's end."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._event.wait()


class Treatment(Protocol):
    """What is done to the struck directions of one connection."""

    async def opened(self) -> None:
        """Before anything passes; raises `CutError`."""

    async def pass_on(self, data: bytes, sink: Wire) -> None:
        """Hand `data` on in the fault's way; raises `CutError`."""

    async def closing(self) -> None:
        """Before an end is passed on."""


class Untouched:
    """Nothing is done."""

    async def opened(self) -> None:
        """Pass."""

    async def pass_on(self, data: bytes, sink: Wire) -> None:
        """Hand it on."""
        await sink.write(data)

    async def closing(self) -> None:
        """Pass."""


class Cut(Untouched):
    """Exactly so many bytes pass, then the connection ends: `network.reset` and `network.limit_data`."""

    def __init__(self, limit: int, release: Release, tally: Tally, *, abrupt: bool) -> None:
        self._left = limit
        self._limit = limit
        self._release = release
        self._tally = tally
        self._abrupt = abrupt
        self._counted = False

    async def opened(self) -> None:
        """End it at once when nothing may pass."""
        if not self._left and not self._release.given:
            self._strike()

    async def pass_on(self, data: bytes, sink: Wire) -> None:
        """Hand on what may pass."""
        if self._release.given:
            return await sink.write(data)
        passing = data[: self._left]
        # Taken before it is written: the other direction counts on while this one waits.
        self._left -= len(passing)
        await sink.write(passing)
        if not self._left:
            await sink.settled()
            self._strike()
        return None

    def _strike(self) -> None:
        if not self._counted:
            # Both directions may come to the limit at once.
            self._counted = True
            self._tally.struck += 1
            self._tally.measured(self._limit)
        raise CutError(abrupt=self._abrupt)


class Slice(Untouched):
    """Pieces of at most `size` bytes, `delay` apart: `network.slice`."""

    def __init__(self, size: int, delay: float, release: Release, tally: Tally) -> None:
        self._size = size
        self._delay = delay
        self._release = release
        self._tally = tally
        self._due = 0.0
        self._counted = False

    async def pass_on(self, data: bytes, sink: Wire) -> None:
        """Hand it on piece by piece; the rest at once when the fault ends."""
        for start in range(0, len(data), self._size):
            early = self._due - time.monotonic()
            await self._release.sleep(early)
            if self._release.given:
                return await sink.write(data[start:])
            piece = data[start : start + self._size]
            await sink.write(piece)
            self._due = time.monotonic() + self._delay
            self._tally.measured(len(piece))
            # What came in small pieces by itself, and was not held back, is as it would have been.
            if not self._counted and (len(piece) < len(data) or early > 0):
                self._counted = True
                self._tally.struck += 1
        return None


class SlowClose(Untouched):
    """An end is passed on after a time: `network.slow_close`."""

    def __init__(self, delay: float, release: Release, tally: Tally) -> None:
        self._delay = delay
        self._release = release
        self._tally = tally
        self._counted = False

    async def closing(self) -> None:
        """Hold the end back."""
        if self._release.given:
            return
        began = time.monotonic()
        await self._release.sleep(self._delay)
        self._tally.measured(round((time.monotonic() - began) * 10**9))
        if not self._counted:
            self._counted = True
            self._tally.struck += 1


@dataclass(slots=True)
class Flow:
    """One direction of a connection."""

    source: Wire
    sink: Wire
    treatment: Treatment
    egress: bool
    """Whether it is what the target sends."""

    def count(self, size: int, tally: Tally) -> None:
        """Count bytes that were read."""
        if self.egress:
            tally.egress += size
        else:
            tally.ingress += size


async def _pump(flow: Flow, tally: Tally) -> None:
    while data := await flow.source.read():
        flow.count(len(data), tally)
        await flow.treatment.pass_on(data, flow.sink)
    await flow.treatment.closing()
    flow.sink.finish()


async def relay(flows: tuple[Flow, Flow], tally: Tally) -> None:
    """Pass bytes on both ways until both sides have ended; a reset of one side is one of the other."""
    wires = (flows[0].source, flows[1].source)
    try:
        for flow in flows:
            await flow.treatment.opened()
        async with asyncio.TaskGroup() as group:
            for flow in flows:
                group.create_task(_pump(flow, tally))
    except* CutError as cut:
        if any(isinstance(one, CutError) and one.abrupt for one in cut.exceptions):
            for wire in wires:
                wire.reset()
        else:
            await asyncio.gather(*(wire.bow_out() for wire in wires))
    except* OSError:
        for wire in wires:
            wire.reset()
    finally:
        for wire in wires:
            wire.close()
