"""What a driver process has to do, and how it is handed over."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Any

from cleanroom.drive.workload.values import draw_all, weighted
from cleanroom.plan.stream import Stream
from cleanroom.spec.step import Step
from cleanroom.spec.workload import Workload

_LENGTH = 8
_NO_NAMES: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A workload, and those of its workers that one driver is.

    Operation `n` (from 0) is worker `n % workers`'s, whoever is free: what is done does not depend on timing.
    """

    workload: Workload
    mine: tuple[int, ...]
    """Numbers of this driver's workers, from 0."""
    stream: str
    """Name of the stream that everything is drawn from (`plan.stream`)."""
    addresses: Mapping[str, str]
    """Service → address."""
    folder: str = "."
    """Where the spec lies: files that an action names are relative to it."""
    known: Mapping[str, object] = field(default_factory=lambda: _NO_NAMES)
    """Names that templates know beside `worker` and `operation`."""
    trace: str = ""
    """The first 16 hex digits of the trace id of every operation."""

    def intended(self, number: int) -> int | None:
        """Return when operation `number` is to begin, in ns after the workload; None in a closed loop."""
        rate = self.workload.rate
        return None if rate is None else int(number * 10**9 / rate)

    @property
    def count(self) -> int | None:
        """How many operations are asked for; None: as many as there is time for."""
        work = self.workload
        if work.operations is not None:
            return work.operations
        if work.rate is None or work.duration is None:
            return None
        count = int(work.duration.ns * work.rate / 10**9)
        # Rounded either way: the last one is intended before the end, and the next one is not.
        while (self.intended(count) or 0) < work.duration.ns:
            count += 1
        while count and (self.intended(count - 1) or 0) >= work.duration.ns:
            count -= 1
        return count

    def step(self, number: int) -> Step:
        """Return what operation `number` does."""
        chosen, *others = self.workload.mix
        if others:
            weights = tuple(each.weight for each in self.workload.mix)
            chosen = self.workload.mix[weighted(self._of(number).part("mix"), weights)]
        return chosen.step

    def values(self, number: int) -> dict[str, Any]:
        """Return the values of `vars` for operation `number`."""
        return draw_all(self.workload.vars, self._of(number).part("vars"), number) if self.workload.vars else {}

    def jitter(self, number: int) -> Stream:
        """Return the stream of the pauses between an operation's attempts."""
        return self._of(number).part("retry")

    def trace_id(self, number: int) -> str:
        """Return the trace id of operation `number`: 32 hex digits."""
        return f"{self.trace}{number + 1:016x}"

    def _of(self, number: int) -> Stream:
        return Stream(self.stream).part(f"operation {number}")


def _read_only(found: dict[str, object]) -> Mapping[str, object]:
    return MappingProxyType(found)


def send_job(job: Job, file: IO[bytes]) -> None:
    """Write the job, its length first; raises `OSError`."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer)
    # Read-only mappings, of which the models are full, are nothing that pickle knows.
    pickler.dispatch_table = {
        **copyreg.dispatch_table, MappingProxyType: lambda found: (_read_only, (dict(found),)),
    }  # fmt: skip
    pickler.dump(job)
    file.write(len(buffer.getvalue()).to_bytes(_LENGTH, "big") + buffer.getvalue())
    file.flush()


def receive_job(file: IO[bytes]) -> Job:
    """Read what `send_job` wrote; raises `EOFError`. Only our own process is ever at the other end."""
    head = file.read(_LENGTH)
    data = file.read(int.from_bytes(head, "big"))
    if len(head) != _LENGTH or len(data) != int.from_bytes(head, "big"):
        raise EOFError("the job is not complete")
    job: Job = pickle.loads(data)  # noqa: S301 - as said above
    return job
