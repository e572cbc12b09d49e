"""`docker exec` with a timeout that ends the whole process group, bounded streams and standard input."""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cleanroom.engine import processes
from cleanroom.engine.ports import ExecResult
from cleanroom.engine.stream import CHUNK, STDERR, Frames, open_stream
from cleanroom.errors import EngineError

if TYPE_CHECKING:
    from cleanroom.engine.ports import ExecSpec
    from cleanroom.engine.wire import Wire

_POLL_S: Final = 0.02
_FIRST_POLL_S: Final = 0.001
_LAST_POLL_S: Final = 0.1
# A daemon that the command left behind may hold its output open: after the command's own end this much more is read.
_LINGER_S: Final = 0.5
# Until SIGKILL has taken effect; a frozen (paused) container keeps it pending, so the wait is bounded.
_DEATH_S: Final = 5.0
_CHECK_S: Final = 1.0
# How long the engine may take from accepting a command to its first process, on a machine that is busy.
_BIRTH_S: Final = 60.0
# How long a process that the engine has named may stay invisible here.
_SIGHT_S: Final = 5.0


def run_exec(wire: Wire, container: str, spec: ExecSpec) -> ExecResult:
    """Run `spec` in a running container and wait for it; raises `EngineError` when the engine cannot.

    A command that cannot be started ends with the engine's 126 or 127 and its words in the output. Processes that the
    command turned into daemons before the timeout (own session, parent gone) are not part of its group.
    """
    began = time.monotonic_ns()
    with wire.api(f"prepare a command in container {container}") as api:
        exec_id = str(
            api.exec_create(
                container,
                list(spec.command),
                stdin=spec.stdin is not None,
                user=spec.user,
                environment=dict(spec.environment) or None,
                workdir=spec.working_dir or None,
            )["Id"]
        )
    with wire.translated(f"run a command in container {container}"):
        session = _Session.open(wire, exec_id, spec)
        try:
            timed_out, killed = session.run(began)
        finally:
            session.close()
    return ExecResult(
        exit_code=session.exit_code,
        stdout=bytes(session.stdout.kept),
        stderr=bytes(session.stderr.kept),
        truncated=session.stdout.cut or session.stderr.cut,
        timed_out=timed_out,
        killed=killed,
        duration_ns=time.monotonic_ns() - began,
        terminated_ns=session.terminated - began if session.terminated else 0,
        killed_ns=session.killed - began if session.killed else 0,
    )


@dataclass(slots=True)
class _Stream:
    limit: int
    kept: bytearray = field(default_factory=bytearray)
    cut: bool = False

    def feed(self, data: bytes) -> None:
        room = self.limit - len(self.kept)
        self.kept += data[:room]
        self.cut = self.cut or len(data) > room


class _Session:
    """The connection of one running exec."""

    def __init__(self, wire: Wire, exec_id: str, spec: ExecSpec, raw: socket.socket) -> None:
        self._wire, self._exec_id, self._spec, self._raw = wire, exec_id, spec, raw
        self._unsent = memoryview(spec.stdin or b"")
        self._frames = Frames()
        self._state: dict[str, Any] = {}
        self._leader: processes.Process | None = None
        self._ended = False
        self.exit_code: int | None = None
        self.terminated, self.killed = 0, 0
        self._selector = selectors.DefaultSelector()
        self.stdout, self.stderr = _Stream(spec.max_bytes), _Stream(spec.max_bytes)

    @classmethod
    def open(cls, wire: Wire, exec_id: str, spec: ExecSpec) -> _Session:
        """Start the exec and return its session; raises `EngineError` with the engine's words."""
        request = f"POST /exec/{exec_id}/start"
        raw, frames = open_stream(wire, f"run {spec.command[0]}", request, {"Detach": False, "Tty": False})
        session = cls(wire, exec_id, spec, raw)
        session._frames = frames
        session._feed(b"")
        raw.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if spec.stdin is not None else 0)
        session._selector.register(raw, events)
        return session

    def close(self) -> None:
        self._selector.close()
        self._raw.close()

    def run(self, began: int) -> tuple[bool, bool]:
        """Relay until the command ends or its time is over; return (timed out, killed)."""
        deadline = (began + self._spec.timeout.ns) / 1e9
        next_check, pause = time.monotonic() + _CHECK_S, _FIRST_POLL_S
        while (now := time.monotonic()) < deadline:
            if self._ended:
                # The end of the output is not the end of the command: it may have closed its streams and gone on.
                if self._finished():
                    return False, False
                time.sleep(min(pause, deadline - now))
                pause = min(2 * pause, _LAST_POLL_S)
                continue
            ended = self._relay(min(deadline, next_check) - now)
            if not ended and time.monotonic() >= next_check:
                if self._finished():
                    self._drain()
                    return False, False
                next_check = time.monotonic() + _CHECK_S
        return True, self._end()

    def _end(self) -> bool:
        """End the whole group and return whether SIGKILL was needed."""
        group = self._group(frozenset())
        self.terminated = time.monotonic_ns() if group else 0
        processes.send(group, signal.SIGTERM)
        grace_over = time.monotonic() + self._spec.grace.seconds
        while group and time.monotonic() < grace_over:
            self._relay(_POLL_S)
            group = self._group(group)
        death = time.monotonic() + _DEATH_S
        while group and time.monotonic() < death:
            # Again and again: a process that forks while it is being killed must not get away.
            self.killed = self.killed or time.monotonic_ns()
            processes.send(group, signal.SIGKILL)
            self._relay(_POLL_S)
            group = self._group(group)
        self._drain()
        while not self._finished() and time.monotonic() < death:
            time.sleep(_POLL_S)
        return bool(self.killed)

    def _group(self, known: frozenset[processes.Process]) -> frozenset[processes.Process]:
        """Return the living members of the group: those known before, and those found now."""
        if self._leader is None:
            self._leader = self._find_leader()
        if self._leader is None:
            return frozenset()
        return processes.group_of(self._leader, known)

    def _find_leader(self) -> processes.Process | None:
        """Return the command's first process, None when the command has ended."""
        began, named = time.monotonic(), 0.0
        while not self._finished():
            pid, container = int(self._state.get("Pid") or 0), str(self._state.get("ContainerID", ""))
            leader = processes.find(pid, container)
            if leader is not None:
                return leader
            now = time.monotonic()
            named = named or (now if pid else 0.0)
            if (named and now >= named + _SIGHT_S) or now >= began + _BIRTH_S:
                what = f"process {pid} is not visible here" if pid else "process was not started in time"
                raise EngineError(
                    f"a command in container {container[:12]} ran into its timeout and cannot be ended: "
                    f"the engine's {what}",
                    remedy="run in the engine mode `cell` or `own`, or as root on the machine of the engine",
                )
            # A timeout can strike before the engine has got as far as starting the process.
            self._relay(_POLL_S)
        return None

    def _relay(self, timeout: float) -> bool:
        """Move bytes for at most `timeout` seconds, returning early after any; True once the output has ended."""
        if self._ended:
            time.sleep(max(0.0, timeout))
            return True
        for _, events in self._selector.select(max(0.0, timeout)):
            if events & selectors.EVENT_WRITE:
                self._write()
            if events & selectors.EVENT_READ:
                try:
                    data = self._raw.recv(CHUNK)
                except BlockingIOError:
                    continue
                except ConnectionResetError:
                    data = b""
                self._ended = not data
                self._feed(data)
        return self._ended

    def _write(self) -> None:
        try:
            sent = self._raw.send(self._unsent[:CHUNK]) if self._unsent else 0
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # The command ended without reading all of its input: its exit code tells the story.
            sent = len(self._unsent)
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            # OSError: the other end is gone already, which closes its side as well.
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_WR)
            self._selector.modify(self._raw, selectors.EVENT_READ)

    def _feed(self, data: bytes) -> None:
        for stream, payload in self._frames.feed(data):
            (self.stderr if stream == STDERR else self.stdout).feed(payload)

    def _drain(self) -> None:
        limit = time.monotonic() + _LINGER_S
        while not self._ended and (left := limit - time.monotonic()) > 0:
            self._relay(left)

    def _finished(self) -> bool:
        """Ask the engine whether the command has ended, and keep its exit code when it has."""
        try:
            with self._wire.api("look at a running command") as api:
                self._state = dict(api.exec_inspect(self._exec_id))
        except EngineError as err:
            # The container was removed while the command ran, and the engine forgot both.
            if "no such exec" in err.message.lower():
                return True
            raise
        code = self._state.get("ExitCode")
        # An engine accepts a command before it starts it: until then it does not run and has no exit code, which is
        # no end. Where it gives up before the start, it closes the stream and never says a code.
        if self._state.get("Running") or (code is None and not self._ended):
            return False
        self.exit_code = None if code is None else int(code)
        return True
