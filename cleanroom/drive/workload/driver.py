"""A driver process: workers, and a conversation with the run that started it.

To it: the job, then a line for each word: `begin <ns>` (on the machine's monotonic clock), `stop`. The end of its input
ends it at once, operations and all. From it, a line of JSON each: `{"ready": pid}`, `{"rows": [...]}` while it works,
and at the end `{"done": {"cpu_ns": …, "failure": [error type, one line]}}`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final

from cleanroom.canonical import Json
from cleanroom.drive.workload.crew import Crew, Judge, Row, Session
from cleanroom.drive.workload.job import Job, receive_job
from cleanroom.drive.workload.operation import MOST_VALUE

PAUSE_S: Final = 0.1
"""Between two deliveries: a driver that is killed takes no more than this with it."""
GIVEN_UP_S: Final = 1.0
"""How long operations under way are waited for after `stop`."""
_SET_TIMERSLACK = 29
_GARBAGE = 50_000
LOST: Final = 1
"""Stands for a value that is too long to be kept."""


def serve(source: BinaryIO, sink: BinaryIO, open_session: Callable[[Job], Callable[[], Session]], judge: Judge) -> None:
    """Do one job; returns when it is done, and ends the process when the run has gone away."""
    job = receive_job(source)
    _be_quick()
    rows: deque[Row] = deque()
    crew = Crew(job, open_session(job), judge, rows.append)
    crew.prepare()
    _say(sink, {"ready": os.getpid()})
    listener = threading.Thread(target=_listen, args=(source, crew), name="listener", daemon=True)
    listener.start()
    stopped_at = 0.0
    cpu_began = time.process_time_ns()
    while not crew.join(PAUSE_S):
        _deliver(sink, rows)
        if crew.stopped:
            stopped_at = stopped_at or time.monotonic()
            if time.monotonic() - stopped_at > GIVEN_UP_S:
                rows.extend(crew.unfinished())
                break
    _deliver(sink, rows)
    _say(sink, {"done": {"cpu_ns": time.process_time_ns() - cpu_began, "failure": list(crew.failure)}})


def _be_quick() -> None:
    """Let threads wake up when they are to, and nothing be looked through that was there before the workload."""
    ctypes.CDLL(None).prctl(_SET_TIMERSLACK, 1, 0, 0, 0)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE, 50, 1000)


def _listen(source: BinaryIO, crew: Crew) -> None:
    for line in source:
        word, _, rest = line.decode("ascii").strip().partition(" ")
        if word == "begin":
            crew.begin(int(rest))
        elif word == "stop":
            crew.stop()
    # Nobody listens any more: a workload that goes on without its run would be traffic from nowhere.
    os._exit(1)


def _deliver(sink: BinaryIO, rows: deque[Row]) -> None:
    batch = [rows.popleft() for _ in range(len(rows))]
    if batch:
        _say(sink, {"rows": [(*row[:-1], _text(row[-1])) for row in batch]})


def _text(value: Json) -> Json:
    """Return the value as JSON, None for none, `LOST` for one that is too long."""
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text.encode("utf-8", "replace")) <= MOST_VALUE else LOST


def _say(sink: BinaryIO, message: Mapping[str, object]) -> None:
    sink.write(json.dumps(message).encode() + b"\n")
    sink.flush()
