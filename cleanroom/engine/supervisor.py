"""The first process of a cell: prepares it, starts the worker, reaps, and ends everything when the launcher is gone.

Called as `python -m cleanroom.engine.supervisor container|namespaces|host`; `control` has the messages.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cleanroom.engine.control import CONTROL_FD, REPLY_FD, LineReader, Message, encode
from cleanroom.engine.leftovers import HostTraces, remove
from cleanroom.engine.prepare import lock_workspace, prepare_container, prepare_namespaces, unmount_below
from cleanroom.engine.thaw import thaw
from cleanroom.errors import CleanroomError, EngineError

# After `interrupt` the worker has this long for its teardown and partial reports. The workflow runner grants 7.5 s in
# all,
# and the report has to be copied out as well.
INTERRUPT_GRACE = 5.0
# How long the report waits to be fetched after `finished`.
FETCH_LIMIT = 60.0
KILLED = 137
_REAP_LIMIT = 5.0


@dataclass(slots=True)
class Supervisor:
    """The state of one supervisor; `cleanup` is called when no process of the cell lives any more."""

    kind: str
    cleanup: Callable[[], None]
    worker: subprocess.Popen[bytes] | None = None
    reply: int = -1
    finished: bool = False
    kill_at: float = float("inf")
    reader: LineReader = field(default_factory=LineReader)

    def loop(self) -> int:
        """Serve until the launcher says `bye` or is gone, whichever comes first; return the exit code."""
        wakeup_read, wakeup_write = os.pipe()
        os.set_blocking(wakeup_write, False)
        signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.end(KILLED))
        # A terminal's ^C goes to the launcher, which says what is to be done. Not SIG_IGN: the worker would inherit it.
        signal.signal(signal.SIGINT, lambda *_: None)
        poll = select.poll()
        poll.register(0, select.POLLIN | select.POLLHUP)
        poll.register(wakeup_read, select.POLLIN)
        while True:
            left = self.kill_at - time.monotonic()
            for descriptor, _ in poll.poll(None if left == float("inf") else max(0, int(left * 1000) + 1)):
                data = os.read(descriptor, 1 << 16)
                if descriptor == 0:
                    if not data:
                        return self.end(KILLED)
                    for message in self.reader.feed(data):
                        if self.obey(message):
                            return self.end(0)
            self.reap()
            if time.monotonic() >= self.kill_at:
                if self.finished:
                    return self.end(0)
                self.kill_worker()

    def obey(self, message: Message) -> bool:
        """Do what one message says; True for `bye`."""
        action = message.get("do")
        if action == "start" and self.worker is None:
            self.start(message)
        elif action == "images" and self.reply >= 0:
            with contextlib.suppress(OSError):  # the worker died while it was waiting; its end is told by `finished`
                os.write(self.reply, encode(message))
        elif action == "interrupt" and self.worker:
            if not self.finished:
                self.worker.send_signal(signal.SIGINT)
                self.kill_at = min(self.kill_at, time.monotonic() + INTERRUPT_GRACE)
        elif action == "bye":
            return True
        return False

    def start(self, message: Message) -> None:
        """Start the worker in a session of its own, with both its outputs on our standard output."""
        argv, environment = _command(message)
        control = os.dup(2)
        reply_read, self.reply = os.pipe()
        lines = {CONTROL_FD: str(control), REPLY_FD: str(reply_read)}
        try:
            if self.kind == "container":
                lock_workspace(os.environ["CLEANROOM_WORKSPACE"])
            self.worker = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=1,
                stderr=1,
                env={**os.environ, **environment, **lines},
                pass_fds=(control, reply_read),
                start_new_session=True,
            )
        except (OSError, CleanroomError) as err:
            os.write(1, f"cleanroom: the worker cannot be started: {err}\n".encode())
            self.tell({"event": "finished", "exit_code": int(EngineError.exit_code)})
            self.finished, self.kill_at = True, time.monotonic() + FETCH_LIMIT
        finally:
            os.close(control)
            os.close(reply_read)

    def reap(self) -> None:
        """Collect what died: as the first process of a PID namespace everything orphaned is ours."""
        if self.worker and not self.finished and (code := self.worker.poll()) is not None:
            self.finished, self.kill_at = True, time.monotonic() + FETCH_LIMIT
            self.tell({"event": "finished", "exit_code": code if code >= 0 else 128 - code})
        while True:
            try:
                pid, _ = (
                    os.waitpid(-1, os.WNOHANG)
                    if self.finished or self.worker is None
                    else _reap_others(self.worker.pid)
                )
            except ChildProcessError:
                return
            if pid == 0:
                return

    def kill_worker(self) -> None:
        """SIGKILL the worker: it had its time."""
        self.kill_at = float("inf")
        if self.worker:
            self.worker.kill()

    def end(self, code: int) -> int:
        """Kill every other process, clean up, and end this process with `code`; never returns."""
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):  # we are alone
                os.kill(-1, signal.SIGKILL)
            thaw()
            _reap_all()
        elif self.worker:
            with contextlib.suppress(ProcessLookupError):  # already dead
                os.killpg(self.worker.pid, signal.SIGKILL)
            self.worker.wait()
        try:
            self.cleanup()
        finally:
            # No interpreter shutdown: a thread or a buffered stream must not keep a dead cell alive.
            os._exit(code)

    @staticmethod
    def tell(message: Message) -> None:
        """Send one event to the launcher."""
        with contextlib.suppress(OSError):  # it is gone, and the end of our input says so
            os.write(2, encode(message))


def run_supervisor(argv: Sequence[str]) -> int:
    """Be the first process of a cell of the kind that `argv` names until it ends; return the exit code."""
    kind = argv[0] if argv else ""
    environment = dict(os.environ)
    try:
        found, cleanup = _prepare(kind, environment)
    except (CleanroomError, OSError, KeyError) as err:
        Supervisor.tell({"event": "broken", "message": str(err)})
        return int(EngineError.exit_code)
    Supervisor.tell({"event": "ready", "cgroups": found})
    return Supervisor(kind, cleanup).loop()


def _prepare(kind: str, environment: Mapping[str, str]) -> tuple[str, Callable[[], None]]:
    if kind == "container":
        for name in ("CLEANROOM_REPORT", "CLEANROOM_WORKSPACE"):
            Path(environment[name]).mkdir(parents=True, exist_ok=True)
        Path("/run/cleanroom").mkdir(parents=True, exist_ok=True)
        # The namespaces end with us, and with them everything in them.
        return prepare_container(), lambda: None
    if kind == "namespaces":
        runtime = "/run/cleanroom"
        binds = {"report": environment["CLEANROOM_HOST_REPORT"], "data": environment["CLEANROOM_HOST_DATA"]}
        found = prepare_namespaces(runtime, binds, environment.get("CLEANROOM_HOST_WORKSPACE", ""))
        return found, lambda: _clean_host(environment, f"{runtime}/data")
    if kind == "host":
        return "host", lambda: _clean_labels(environment["CLEANROOM_RUN"])
    raise EngineError(f"a supervisor is called with container, namespaces or host, not {kind!r}")


def _clean_host(environment: Mapping[str, str], data_root: str) -> None:
    """Remove what the dead processes left on the host, and leave the data root as the next run expects it."""
    from cleanroom.engine.cache import empty_to_images, wipe  # noqa: PLC0415 - only at the end

    left = remove(HostTraces(run=environment["CLEANROOM_RUN"]))
    if left:
        Supervisor.tell({"event": "note", "message": f"could not be removed: {', '.join(left)}"})
    # The dead engine's mounts are in this namespace, and emptying a folder must not empty what is mounted in it.
    unmount_below(data_root)
    if environment.get("CLEANROOM_CACHE"):
        empty_to_images(data_root)
    else:
        wipe(data_root)


def _clean_labels(run: str) -> None:
    from cleanroom.engine.sweep import remove_run  # noqa: PLC0415 - only at the end

    try:
        remove_run("", run)
    finally:
        # Last: containers hold on to interfaces.
        remove(HostTraces(run=run))


def _command(message: Message) -> tuple[list[str], dict[str, str]]:
    argv, environment = message.get("argv"), message.get("env")
    if not isinstance(argv, list) or not argv or not isinstance(environment, dict):
        raise EngineError("the start message carries no command")
    return [str(part) for part in argv], {str(name): str(value) for name, value in environment.items()}


def _reap_others(worker: int) -> tuple[int, int]:
    """Collect one dead child that is not the worker, whose exit code `Popen.poll` needs; (0, 0) when there is none."""
    found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None or found.si_pid == worker:
        return 0, 0
    return os.waitpid(found.si_pid, os.WNOHANG)


def _reap_all() -> None:
    """Wait until all children are dead, bounded: the kernel finishes what is left when the first process ends."""
    end = time.monotonic() + _REAP_LIMIT
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.005)
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(run_supervisor(sys.argv[1:]))
