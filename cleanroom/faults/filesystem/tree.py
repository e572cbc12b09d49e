"""The files of one target as its own processes see them: a mount namespace held open, and jobs done inside it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from cleanroom.engine.child import child_environment, child_python
from cleanroom.engine.ports import ContainerState, Engine
from cleanroom.engine.processes import members
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.victim import visible_pid

TIMEOUT = 60.0
_END = 10.0
_PROC = Path("/proc")
_INIT = frozenset({"docker-init", "tini"})

_claims: set[tuple[str, PurePosixPath]] = set()
_claiming = threading.Lock()

Job = Mapping[str, Any]


class Worker:
    """A process of ours in the target's mount namespace, and what it answers."""

    def __init__(self, namespace: int, keep: int, target: str) -> None:
        self._target = target
        given = [namespace, *([keep] if keep >= 0 else [])]
        try:
            self.process = subprocess.Popen(
                [*child_python(), "-m", "cleanroom.faults.filesystem.worker", *map(str, given)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=given, cwd="/",
                env=child_environment({}), start_new_session=True,
            )  # fmt: skip
        except OSError as err:
            raise EngineError(f"the process that works in the files of {target} cannot be started: {err}") from err

    def say(self, line: str) -> None:
        """Send one line; a worker that is gone is seen by its answer."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line.encode("utf-8", "surrogateescape") + b"\n")
            self.process.stdin.flush()

    def answer(self, timeout: float = TIMEOUT) -> dict[str, Any]:
        """Return its next answer; raises `CapabilityError` for a refusal, `EngineError` for anything else."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            why = "said nothing in time" if not ready else f"died: {self._last_words()}"
            raise EngineError(f"the process that works in the files of {self._target} {why}")
        said = json.loads(line)
        if "refused" in said:
            raise CapabilityError(f"{self._target}: {said['refused']}", remedy=said.get("remedy", ""))
        if "error" in said:
            raise EngineError(f"{self._target}: {said['error']}")
        done: dict[str, Any] = said["done"]
        return done

    def _last_words(self) -> str:
        stderr = self.process.stderr
        lines = stderr.read().decode("utf-8", "replace").strip().splitlines() if stderr is not None else []
        return lines[-1] if lines else "without a word"

    def end(self) -> int | None:
        """End its input and wait; return its exit code before that, None when it still ran."""
        early = self.process.poll()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(_END)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return early


class Tree:
    """One target's files, claimed for one fault below one path; what was opened is closed by `close`."""

    def __init__(
        self, name: str, engine: Engine, container: str, path: str, current: Callable[[], str] | None = None
    ) -> None:
        """Open and claim; `current` is the service's container whenever it is asked for: another may take its place.

        Raises `CapabilityError` where it cannot be seen, or another fault is at work on the path.
        """
        self.name = name
        self._engine = engine
        self._current = current or (lambda: container)
        self.state: ContainerState = engine.inspect(container)
        self._namespace = _open_namespace(self.state)
        self.container = self.state.id
        claim = (self.container, PurePosixPath(path))
        self._finish = weakref.finalize(self, _release, self._namespace, None)
        with _claiming:
            for owner, other in _claims:
                if owner == claim[0] and (other in (claim[1], *claim[1].parents) or claim[1] in other.parents):
                    raise CapabilityError(
                        f"another fault is at work on {other} of {name}, and {path} is the same or one holds the other",
                        remedy="end the first before the second starts (`for:` or `until:`)",
                    )
            _claims.add(claim)
        self._finish.detach()
        self._finish = weakref.finalize(self, _release, self._namespace, claim)

    def now(self) -> str:
        """Return what became of the container: same, restarted, gone, or its status where it does not run."""
        try:
            found = self._engine.inspect(self.container)
        except EngineError:
            return "gone"
        if found.status not in ("running", "paused"):
            return found.status
        return "same" if found.started_at == self.state.started_at else "restarted"

    def successor(self) -> ContainerState | None:
        """Return the container that runs in the place of the one that was struck, where that one is gone."""
        found = self._current()
        if found == self.container:
            return None
        try:
            state = self._engine.inspect(found)
        except EngineError:
            return None
        return state if state.id != self.container and state.status == "running" else None

    def start(self, keep: int = -1) -> Worker:
        """Start a worker that has no job yet: in the files as they are now, where the container was started anew.

        Where another has taken its place, in the files of that one: it may have been given the same volumes.
        """
        now = self.now()
        successor = self.successor() if now == "gone" else None
        if now != "restarted" and successor is None:
            return Worker(self._namespace, keep, self.name)
        descriptor = _open_namespace(successor or self._engine.inspect(self.container))
        try:
            return Worker(descriptor, keep, self.name)
        finally:
            os.close(descriptor)

    def do(self, act: str, job: Job, keep: int = -1) -> dict[str, Any]:
        """Return what a job came to; raises `CapabilityError` or `EngineError`."""
        worker = self.start(keep)
        try:
            worker.say(json.dumps({**job, "act": act}))
            return worker.answer()
        finally:
            worker.end()

    def hold(self, act: str, job: Job) -> Worker:
        """Return a worker that holds something, and what it said first stands in `held`."""
        worker = self.start()
        worker.say(json.dumps({**job, "act": act}))
        return worker

    def processes(self) -> tuple[int, ...]:
        """Return the service's processes, without the engine's own init."""
        found = []
        for process in members(self.container):
            with contextlib.suppress(OSError):
                if (_PROC / str(process.pid) / "exe").readlink().name not in _INIT:
                    found.append(process.pid)
        return tuple(sorted(found))

    def users(self) -> list[dict[str, Any]]:
        """Return the different credentials of the service's processes."""
        found: dict[str, dict[str, Any]] = {}
        for pid in self.processes():
            with contextlib.suppress(OSError, KeyError):
                one = credentials((_PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace"))
                found.setdefault(one["name"], one)
        return [found[name] for name in sorted(found)]

    def mounted(self, path: str) -> tuple[int, ...]:
        """Return the numbers of what is mounted at `path` in the running container, the topmost last."""
        pid = visible_pid(self._engine.inspect(self.container))
        return mounts_at((_PROC / str(pid) / "mountinfo").read_text("utf-8", "surrogateescape"), path)

    def openers(self, inodes: list[list[int]]) -> tuple[int, int]:
        """Return how many descriptors the service has of these (device, inode), and how many of a name that is gone."""
        wanted = {(device, inode) for device, inode in inodes}
        having = deleted = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                for entry in (_PROC / str(pid) / "fd").iterdir():
                    with contextlib.suppress(OSError):
                        found = entry.stat()
                        if (found.st_dev, found.st_ino) in wanted:
                            having += 1
                            deleted += str(entry.readlink()).endswith(" (deleted)")
        return having, deleted

    def close(self) -> None:
        """Let go of the namespace and the path; safe to call twice."""
        self._finish()


def credentials(status: str) -> dict[str, Any]:
    """Return what /proc/PID/status says of a process's user; raises KeyError where it says nothing."""
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    user, group = int(fields["Uid"].split()[1]), int(fields["Gid"].split()[1])
    groups = [int(one) for one in fields.get("Groups", "").split()]
    capabilities = int(fields["CapEff"], 16)
    return {"name": f"{user}:{group}", "uid": user, "gid": group, "groups": groups, "capabilities": capabilities}


def mounts_at(mountinfo: str, path: str) -> tuple[int, ...]:
    """Return the mount numbers at `path`, in the order of the file: the topmost comes last."""
    found = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        place = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        if place == path:
            found.append(int(fields[0]))
    return tuple(found)


def _open_namespace(state: ContainerState) -> int:
    path = f"/proc/{visible_pid(state)}/ns/mnt"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as err:
        raise EngineError(f"the files of {state.name} cannot be reached: {err.strerror}") from err
    try:
        # Asked again with the namespace in hand: the number may have passed to another process in between.
        visible_pid(state)
        ours = Path(path).samefile("/proc/self/ns/mnt")
    except (OSError, CapabilityError):
        os.close(descriptor)
        raise
    if ours:
        os.close(descriptor)
        raise CapabilityError(f"{state.name} shares the file system of this program")
    return descriptor


def _release(descriptor: int, claim: tuple[str, PurePosixPath] | None) -> None:
    with _claiming:
        if claim is not None:
            _claims.discard(claim)
    with contextlib.suppress(OSError):  # nothing can be done about a descriptor that does not close
        os.close(descriptor)
