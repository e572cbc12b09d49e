"""The driver processes of a workload, seen from the run: started, begun together, listened to, ended by their pids."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Final

from cleanroom.drive.workload.driver import LOST
from cleanroom.drive.workload.job import Job, send_job
from cleanroom.drive.workload.operation import MOST_VALUE, Operations
from cleanroom.engine.child import child_environment, child_python
from cleanroom.text import tail

MOST_DRIVERS: Final = 4
_LAST_WORDS = 2000
_TOO_LONG = b" " * (MOST_VALUE + 1)


class Rows:
    """Takes the rows of all drivers into one journal; monotonic times become times since the epoch."""

    def __init__(self, offset_ns: int) -> None:
        """`offset_ns` is what has to be added to `time.monotonic_ns()`."""
        self.operations = Operations()
        self.offset_ns = offset_ns
        self._lock = threading.Lock()

    def take(self, rows: Sequence[Any]) -> None:
        """Add rows as a driver sends them."""
        offset = self.offset_ns
        with self._lock:
            for worker, name, intended, start, end, outcome, error, attempts, value in rows:
                text = b"" if value is None else _TOO_LONG if value == LOST else value.encode()
                self.operations.append_row(
                    (worker, name, intended + offset, start + offset, end + offset), (outcome, error, attempts), text
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a driver ended: `failure` is (error type, one line)."""

    cpu_ns: int = 0
    failure: tuple[str, str] = ("", "")


class Driver:
    """One process; every method may be called when it is gone."""

    def __init__(self, module: str, job: Job, rows: Rows, news: Callable[[], None]) -> None:
        """Start it; `news` is called whenever it is ready or has ended. Raises `OSError`."""
        self.workers = job.mine
        self._rows = rows
        self._news = news
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            (*child_python(), "-m", module), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words,
            # A signal that the terminal sends to all is the run's to hear: it stops its drivers.
            env=child_environment({}), start_new_session=True,
        )  # fmt: skip
        self.ready = False
        self.done: Done | None = None
        self._thread = threading.Thread(target=self._listen, args=(job,), name=f"driver-{self.pid}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def say(self, word: str) -> None:
        """Send one line."""
        if self._process.stdin is not None:
            with suppress(OSError, ValueError):
                self._process.stdin.write(word.encode() + b"\n")
                self._process.stdin.flush()

    def end(self) -> None:
        """Kill it unless it has ended, and give everything back."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._thread.join()
        for file in (self._process.stdin, self._process.stdout, self._words):
            if file is not None:
                with suppress(OSError):
                    file.close()

    def _listen(self, job: Job) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        assert self._process.stdout is not None  # noqa: S101 - as above
        done: Done | None = None
        garbled = ""
        try:
            send_job(job, self._process.stdin)
            for line in self._process.stdout:
                message = json.loads(line)
                if "rows" in message:
                    self._rows.take(message["rows"])
                elif "ready" in message:
                    self.ready = True
                    self._news()
                else:
                    kind, words = message["done"]["failure"]
                    done = Done(cpu_ns=message["done"]["cpu_ns"], failure=(kind, words))
        except Exception as err:  # noqa: BLE001 - it ended while it was spoken to, or in the middle of a line
            garbled = f"{type(err).__name__}: {err}"
        self.done = done or Done(failure=("engine", self._obituary(garbled)))
        self._news()

    def _obituary(self, garbled: str) -> str:
        """Say how a driver ended that was not done."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.returncode
        how = f"exited with {code}" if code is not None and code >= 0 else "still runs"
        if code is not None and code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, self._words.tell() - _LAST_WORDS))
        said = tail(self._words.read(), _LAST_WORDS).strip().splitlines()
        last = said[-1] if said else garbled
        return f"the driver process {self.pid} {how} before its {len(self.workers)} workers were done" + (
            f": {last}" if last else ""
        )


def split(workers: int, processes: int) -> tuple[tuple[int, ...], ...]:
    """Return the workers of each process: neighbours sit apart, so that their schedules do."""
    return tuple(tuple(range(first, workers, processes)) for first in range(min(workers, processes)))


def how_many(workers: int) -> int:
    """Return how many processes drive so many workers: no more than there are CPUs to run them."""
    return max(1, min(workers, len(os.sched_getaffinity(0)), MOST_DRIVERS))


def offset_of(now_ns: int) -> int:
    """Return what has to be added to `time.monotonic_ns()` for the wall clock's `now_ns`."""
    return now_ns - time.monotonic_ns()
