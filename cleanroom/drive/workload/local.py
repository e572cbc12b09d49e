"""Workers that are threads of the run's own process: what they do (commands, containers) goes through the engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cleanroom.drive.workload.crew import Crew, Judge, Row, Session
from cleanroom.drive.workload.driver import GIVEN_UP_S
from cleanroom.drive.workload.drivers import Done, Rows
from cleanroom.drive.workload.operation import MOST_VALUE

if TYPE_CHECKING:
    from cleanroom.drive.workload.job import Job

_LOOK_S = 0.05


class LocalDriver:
    """All workers of a workload; nothing of them is left running but what cannot be cut, and that has a time limit."""

    def __init__(
        self, job: Job, rows: Rows, news: Callable[[], None], open_session: Callable[[], Session], judge: Judge
    ) -> None:
        self.workers = job.mine
        self.ready = False
        self.done: Done | None = None
        self._rows = rows
        self._news = news
        self._crew = Crew(job, open_session, judge, self._emit)
        self._thread = threading.Thread(target=self._work, name="workload", daemon=True)
        self._thread.start()

    def say(self, word: str) -> None:
        """Do as a driver process does when it gets this line."""
        name, _, rest = word.partition(" ")
        if name == "begin":
            self._crew.begin(int(rest))
        elif name == "stop":
            self._crew.stop()

    def end(self) -> None:
        """Begin nothing more, and wait for the end as long as operations are given to it."""
        self._crew.stop()
        self._thread.join(2 * GIVEN_UP_S)

    def _emit(self, row: Row) -> None:
        if self.done is not None:
            # It was under way when it was given up, and counted as such.
            return
        value = row[-1]
        text = None if value is None else json.dumps(value, ensure_ascii=False)
        if text is not None and len(text) > MOST_VALUE:
            text = " " * (MOST_VALUE + 1)
        self._rows.take([(*row[:-1], text)])

    def _work(self) -> None:
        self._crew.prepare()
        self.ready = True
        self._news()
        given_up: list[Row] = []
        stopped_at = 0.0
        while not self._crew.join(_LOOK_S):
            if self._crew.stopped:
                stopped_at = stopped_at or time.monotonic()
                if time.monotonic() - stopped_at > GIVEN_UP_S:
                    given_up = self._crew.unfinished()
                    break
        for row in given_up:
            self._emit(row)
        self.done = Done(failure=self._crew.failure)
        self._news()
