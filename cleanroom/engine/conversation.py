"""The launcher's side of a cell: relays its output, serves its wishes, fetches its report."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cleanroom.engine.control import LineReader, Message, SeedReply, encode
from cleanroom.errors import CapabilityError, CleanroomError, EngineError, ExitCode

# From the first interrupt to the moment when what there is of a report is taken and the cell is removed: the runner
# sends
# SIGTERM after 7.5 s and SIGKILL 2.5 s later.
INTERRUPT_LIMIT = 6.0
_TAIL = 40


class Transport(Protocol):
    """A running cell: its two outputs apart, and its input, whose end is its death."""

    def frames(self) -> Iterator[tuple[bool, bytes]]:
        """Yield (is it the control line, bytes) until the cell has ended."""

    def send(self, data: bytes) -> None:
        """Write to its input; raises `OSError` when it is gone."""

    def close(self) -> None:
        """Let its input end."""


@dataclass(slots=True)
class Interrupt:
    """The switch that a signal handler pulls: once and the cell is asked to stop, twice and it is killed."""

    count: int = 0
    _listener: Callable[[int], None] | None = None

    def fire(self) -> None:
        """Pull the switch; safe in a signal handler and in any thread."""
        self.count += 1
        if self._listener:
            self._listener(self.count)

    def listen(self, listener: Callable[[int], None] | None) -> None:
        """Call `listener` with the count now, if it was pulled already, and on every pull from now on."""
        self._listener = listener
        if listener and self.count:
            listener(self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What a conversation does with what it hears."""

    sink: Callable[[bytes], None]
    seed: Callable[[Mapping[str, str]], SeedReply]
    fetch: Callable[[], None]
    """Fetch the report; called once, when the worker has finished or its time is over."""
    kill: Callable[[], None]
    """End the cell at once, from any thread."""


@dataclass(slots=True)
class Conversation:
    """One cell from `ready` to its end."""

    transport: Transport
    hooks: Hooks
    interrupt: Interrupt
    exit_code: int | None = None
    notes: list[str] = field(default_factory=list)
    ready: Message | None = None
    _tail: list[str] = field(default_factory=list)
    _fetched: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _reader: LineReader = field(default_factory=LineReader)
    _frames: Iterator[tuple[bool, bytes]] | None = None

    def wait_ready(self) -> None:
        """Return when the cell has prepared itself.

        Raises `CapabilityError` when it could not, `EngineError` when it ended before it said so.
        """
        self._frames = self.transport.frames()
        for control, data in self._frames:
            if not control:
                self.hooks.sink(data)
                continue
            for message in self._reader.feed(data):
                self._hear(message)
            if self.ready:
                return
        raise EngineError(f"the cell ended before it was ready: {self._said()}")

    def run(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> int:
        """Start the worker and serve it until the cell has ended; return the worker's exit code.

        An interrupted run is `ExitCode.INTERRUPTED`. Raises `EngineError` when the cell ends before its worker has.
        """
        self._send({"do": "start", "argv": list(argv), "env": dict(environment)})
        self.interrupt.listen(self._interrupted)
        try:
            for control, data in self._frames or ():
                if not control:
                    self.hooks.sink(data)
                    continue
                for message in self._reader.feed(data):
                    self._hear(message)
        finally:
            self.interrupt.listen(None)
            for thread in self._threads:
                thread.join(timeout=10)
        if self.interrupt.count:
            return int(ExitCode.INTERRUPTED)
        if self.exit_code is None:
            raise EngineError(f"the cell ended before its worker had finished: {self._said()}")
        return self.exit_code

    def _hear(self, message: Message) -> None:
        event = message.get("event")
        if event == "ready":
            self.ready = message
        elif event == "broken":
            raise CapabilityError(str(message.get("message")))
        elif event == "note":
            self.notes.append(str(message.get("message")))
        elif event == "images":
            wanted = message.get("wanted")
            self._in_thread(self._seed, {str(k): str(v) for k, v in wanted.items()} if isinstance(wanted, dict) else {})
        elif event == "finished":
            code = message.get("exit_code")
            self.exit_code = code if isinstance(code, int) else int(ExitCode.ENGINE)
            # In a thread: the worker's last output is still on its way, and must not wait for the report.
            self._in_thread(self._finish)
        else:
            self._tail = [*self._tail, str(message.get("text", message))][-_TAIL:]

    def _seed(self, wanted: Mapping[str, str]) -> None:
        try:
            reply = self.hooks.seed(wanted)
        except CleanroomError as err:
            reply = SeedReply(failed=dict.fromkeys(wanted, err.message))
        self._send(
            {
                "do": "images",
                "loaded": list(reply.loaded),
                "current": list(reply.current),
                "absent": list(reply.absent),
                "failed": dict(reply.failed),
            }
        )

    def _finish(self) -> None:
        self._fetch_once()
        self._send({"do": "bye"})

    def _fetch_once(self) -> None:
        with self._lock:
            if self._fetched:
                return
            self._fetched = True
            try:
                self.hooks.fetch()
            except CleanroomError as err:
                self.notes.append(f"the report could not be fetched: {err.message}")

    def _interrupted(self, count: int) -> None:
        if count == 1:
            self._send({"do": "interrupt"})
            # Not joined at the end: the run may well be over long before.
            timer = threading.Timer(INTERRUPT_LIMIT, self._time_is_over)
            timer.daemon = True
            timer.start()
        else:
            self._in_thread(self.hooks.kill)

    def _time_is_over(self) -> None:
        if self.exit_code is None:
            self._fetch_once()
            self.hooks.kill()

    def _send(self, message: Message) -> None:
        with contextlib.suppress(OSError):  # it has ended; the end of its output says so
            self.transport.send(encode(message))

    def _in_thread(self, call: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=call, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _said(self) -> str:
        said = "\n".join((*self._tail, self._reader.rest())).strip()
        return said or "it said nothing"
