"""A run without an outer container: the supervisor in namespaces of its own (`own`), or beside us (`host`)."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cleanroom.engine.cache import LockedCache, locked_folder
from cleanroom.engine.cell import RUNTIME, SUPERVISOR, worker_environment
from cleanroom.engine.child import child_environment, child_python
from cleanroom.engine.control import SeedReply
from cleanroom.engine.conversation import Conversation, Hooks
from cleanroom.engine.identity import new_run_id, this_process
from cleanroom.engine.launcher import LaunchOptions, LaunchResult
from cleanroom.engine.leftovers import HostTraces, remove
from cleanroom.engine.modes import default_state_dir
from cleanroom.engine.raw import RawEngine
from cleanroom.engine.runs import locked_run, sweep_runs
from cleanroom.engine.seed import serve
from cleanroom.engine.sweep import left_of_run, sweep
from cleanroom.engine.unixhttp import load_images
from cleanroom.engine.workspace import REPORT_LIMIT, Selection, pack, unpack
from cleanroom.errors import EngineError

# --kill-child: whoever kills unshare kills the namespace. Propagation private: no mount of ours is seen outside.
_UNSHARE = ("unshare", "--pid", "--mount", "--fork", "--kill-child=KILL", "--mount-proc", "--propagation", "private")
_END_LIMIT = 20.0


class Pipes:
    """A cell made of a process: its outputs and its input are pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise EngineError("the supervisor was started without its three pipes")
        self._input = process.stdin
        self._outputs = {process.stdout.fileno(): False, process.stderr.fileno(): True}

    def frames(self) -> Iterator[tuple[bool, bytes]]:
        """Yield (is it the control line, bytes) until both outputs have ended."""
        poll = select.poll()
        for descriptor in self._outputs:
            poll.register(descriptor, select.POLLIN | select.POLLHUP)
        open_ones = set(self._outputs)
        while open_ones:
            for descriptor, _ in poll.poll():
                data = os.read(descriptor, 1 << 16)
                if data:
                    yield self._outputs[descriptor], data
                else:
                    poll.unregister(descriptor)
                    open_ones.discard(descriptor)

    def send(self, data: bytes) -> None:
        """Write to its input; raises `OSError` when it is gone."""
        self._input.write(data)
        self._input.flush()

    def close(self) -> None:
        """Let its input end: the supervisor kills everything."""
        with contextlib.suppress(OSError):  # it is gone already
            self._input.close()

    def end(self) -> None:
        """Let its input end, wait for it, and kill it when it does not end by itself."""
        self.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # then it is killed
            self.process.wait(_END_LIMIT)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@dataclass(frozen=True, slots=True)
class SocketSink:
    """The nested engine of a cell made of namespaces: its socket, seen through the mount namespace of the process."""

    path: str

    def load(self, archive: Iterable[bytes]) -> None:
        """Load an archive; raises `EngineError`."""
        load_images(self.path, archive)


@dataclass(slots=True)
class ProcessRun:
    """One run in a cell made of namespaces (`own`), or with a supervisor only (`host`)."""

    options: LaunchOptions
    kind: Literal["namespaces", "host"]
    run: str = field(default_factory=new_run_id)
    notes: list[str] = field(default_factory=list)

    def go(self) -> LaunchResult:
        """Run the worker; everything of the run is gone when this returns, or is named in `left`.

        Raises `EngineError` when the supervisor fails, `UsageError` for a bad environment.
        """
        environment = worker_environment(self.options.environment)
        state = self.options.state_dir or default_state_dir(os.environ)
        with ExitStack() as stack:
            swept = (*sweep_runs(state), *self._sweep_engine())
            folder, lock = stack.enter_context(locked_run(state, self.run))
            cache = stack.enter_context(locked_folder(state, self.options.cache_scope)) if self._wants_cache else None
            if self._wants_cache and cache is None:
                self.notes.append("the image cache is in use by another run: this one has a fresh data root")
            pipes = Pipes(self._spawn(folder, lock, cache))
            stack.callback(pipes.end)
            conversation = Conversation(pipes, self._hooks(pipes, folder), self.options.interrupt)
            conversation.wait_ready()
            code = conversation.run((*child_python(), *self.options.worker), environment)
            pipes.end()
            left = remove(HostTraces(run=self.run))
            left += self._left_in_engine() if self.kind == "host" else ()
        shutil.rmtree(folder, ignore_errors=True)
        return LaunchResult(
            run=self.run,
            exit_code=code,
            privilege="root",
            cache=cache.data_root if cache else "",
            notes=(*self.notes, *conversation.notes),
            swept=swept,
            left=(*left, *((str(folder),) if folder.exists() else ())),
        )

    @property
    def _wants_cache(self) -> bool:
        return self.options.cache and self.kind == "namespaces"

    def _spawn(self, folder: Path, lock: int, cache: LockedCache | None) -> subprocess.Popen[bytes]:
        facts = {
            "CLEANROOM_CELL": self.kind,
            "CLEANROOM_RUN": self.run,
            "CLEANROOM_CACHE": Path(cache.data_root).parent.name if cache else "",
            "CLEANROOM_PRIVILEGE": "root",
        }
        if self.kind == "namespaces":
            prefix: tuple[str, ...] = _UNSHARE
            facts |= {
                "CLEANROOM_HOST_DATA": cache.data_root if cache else str(folder / "data"),
                "CLEANROOM_HOST_REPORT": str(folder / "report"),
                "CLEANROOM_HOST_WORKSPACE": self.options.workspace,
                "CLEANROOM_DATA_ROOT": f"{RUNTIME}/data",
                "CLEANROOM_REPORT": f"{RUNTIME}/report",
                "CLEANROOM_WORKSPACE": f"{RUNTIME}/workspace",
            }
        else:
            prefix = ()
            facts |= {"CLEANROOM_REPORT": str(folder / "report"), "CLEANROOM_WORKSPACE": self.options.workspace}
            names = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
            facts |= {name: os.environ[name] for name in names if name in os.environ}
            if self.options.engine:
                facts["DOCKER_HOST"] = self.options.engine
        # The supervisor keeps copies of the locks: they are held until the last process of the run is dead.
        handles = (lock, cache.handle) if cache else (lock,)
        return subprocess.Popen(
            (*prefix, *child_python(), *SUPERVISOR, self.kind),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=child_environment(facts),
            pass_fds=handles,
            start_new_session=True,
        )

    def _hooks(self, pipes: Pipes, folder: Path) -> Hooks:
        report = str(folder / "report")
        return Hooks(
            sink=self.options.sink,
            seed=lambda wanted: self._seed(f"/proc/{pipes.process.pid}/root{RUNTIME}/docker.sock", wanted),
            fetch=lambda: _copy_report(report, self.options),
            kill=pipes.close,
        )

    def _seed(self, socket: str, wanted: Mapping[str, str]) -> SeedReply:
        try:
            engine = RawEngine(self.options.engine, timeout=600)
        except EngineError:
            # A bare machine: there is no other engine, so it has none of them.
            return SeedReply(absent=tuple(sorted(wanted)))
        try:
            return serve(wanted, engine, SocketSink(socket))
        finally:
            engine.close()

    def _sweep_engine(self) -> tuple[str, ...]:
        if self.kind != "host":
            return ()
        engine = RawEngine(self.options.engine)
        try:
            return sweep(engine, this_process()).removed
        finally:
            engine.close()

    def _left_in_engine(self) -> tuple[str, ...]:
        engine = RawEngine(self.options.engine)
        end = time.monotonic() + _END_LIMIT
        try:
            while (left := left_of_run(engine, self.run)) and time.monotonic() < end:
                time.sleep(0.1)
            return left
        finally:
            engine.close()


def _copy_report(report: str, options: LaunchOptions) -> None:
    unpack(pack(report, "report", Selection(limit=REPORT_LIMIT)), options.out, 1, options.owner_ids)
