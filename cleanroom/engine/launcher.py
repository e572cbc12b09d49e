"""A run seen from outside: a cell is made, given the workspace, served, and gone, its report in our hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cleanroom.engine import cell
from cleanroom.engine.cache import cache_volume
from cleanroom.engine.control import SeedReply
from cleanroom.engine.conversation import Conversation, Hooks, Interrupt
from cleanroom.engine.identity import ROLE_LABEL, RUN_LABEL, Owner, new_run_id, runner_labels, this_process
from cleanroom.engine.modes import find_self
from cleanroom.engine.raw import CONFLICT, EngineRefusalError, RawEngine, Stream
from cleanroom.engine.seed import serve
from cleanroom.engine.sweep import left_of_run, sweep
from cleanroom.engine.thaw import dying, thawing
from cleanroom.engine.watcher import Watcher
from cleanroom.engine.workspace import WORKSPACE_LIMIT, Selection, pack, unpack
from cleanroom.errors import CapabilityError, EngineError, ExitCode

_GONE_LIMIT = 15.0
_HOLDER_LIMIT = 8.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """What is to be run, and where."""

    workspace: str
    """Absolute path of the folder that the worker sees, read-only."""
    worker: tuple[str, ...]
    """What follows the Python interpreter: `("-m", "cleanroom", "run", …)`."""
    out: str
    """Folder that the report is written to; must not be needed by the worker."""
    sink: Callable[[bytes], None]
    """Gets the worker's output, both streams, as it comes."""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """All that the worker's environment has besides the facts of its cell."""
    image: str = ""
    """The cell's image; "" for the image of the container that we run in."""
    engine: str = ""
    """Address of the outer engine; "" for what DOCKER_HOST says."""
    exclude: tuple[str, ...] = (".git",)
    cache: bool = True
    cache_scope: str = ""
    state_dir: str = ""
    workspace_limit: int = WORKSPACE_LIMIT
    owner_ids: tuple[int, int] | None = None
    """(uid, gid) that the report's files get; None for our own."""
    interrupt: Interrupt = field(default_factory=Interrupt)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchResult:
    """How a run ended, seen from outside."""

    run: str
    exit_code: int
    privilege: str = ""
    cache: str = ""
    """The image cache that was used, "" for a fresh data root."""
    notes: tuple[str, ...] = ()
    """What the report must say: fallbacks, leftovers, what could not be done."""
    swept: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """What of the run still exists after it, the cache apart; must be empty."""
    seconds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class _Cell:
    """A created cell and how it came to be."""

    id: str
    spec: cell.CellSpec
    conversation: Conversation


@dataclass(slots=True)
class CellRun:
    """One run in a cell that is a container."""

    options: LaunchOptions
    run: str = field(default_factory=new_run_id)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def go(self) -> LaunchResult:
        """Run the worker in a cell; everything of the run is gone when this returns, or is named in `left`.

        Raises `EngineError` when the engine or the cell fails, `UsageError` for a workspace that cannot be packed.
        """
        started = time.monotonic()
        environment = cell.worker_environment(self.options.environment)
        workspace = pack(
            self.options.workspace,
            cell.WORKSPACE.lstrip("/"),
            Selection(exclude=self.options.exclude, limit=self.options.workspace_limit),
        )
        with ExitStack() as stack:
            engine = RawEngine(self.options.engine)
            stack.callback(engine.close)
            me = find_self(engine)
            owner = this_process(str(me.get("Id", "")))
            swept = sweep(engine, owner)
            stack.enter_context(Watcher(self.run, self.options.engine))
            made = self._make(engine, self._spec(engine, owner, me))
            stack.callback(engine.remove, made.id)
            self._lap("cell ready", started)
            started = time.monotonic()
            engine.put_archive(made.id, "/", workspace)
            self._lap("workspace copied", started)
            started = time.monotonic()
            first = int((engine.inspect(made.id) or {"State": {"Pid": 0}})["State"]["Pid"])
            stack.enter_context(thawing(made.id, lambda: dying(first, made.id)))
            code = made.conversation.run((*cell.PYTHON, *self.options.worker), environment)
            self._lap("worker", started)
            started = time.monotonic()
            left = self._wait_gone(engine, made)
            self._lap("cell gone", started)
        return LaunchResult(
            run=self.run,
            exit_code=code,
            privilege=made.spec.privilege,
            cache=made.spec.cache,
            notes=(*self.notes, *made.conversation.notes),
            swept=swept.removed,
            left=left,
            seconds=MappingProxyType(self.seconds),
        )

    def _spec(self, engine: RawEngine, owner: Owner, me: Mapping[str, Any]) -> cell.CellSpec:
        image = self.options.image or str(me.get("Image", ""))
        if not image or engine.image(image) is None:
            raise EngineError(
                f"the engine lacks the cell's image: {image or 'none is named, and we are no container of it'}",
                remedy="build it with `make image`, or name one that is there in CLEANROOM_IMAGE",
            )
        cache = cache_volume(self.options.cache_scope) if self.options.cache else ""
        if cache:
            engine.ensure_volume(cache, {ROLE_LABEL: "cache"})
        labels = (me.get("Config") or {}).get("Labels") or {}
        return cell.CellSpec(run=self.run, image=image, owner=owner, cache=cache, labels=runner_labels(labels))

    def _make(self, engine: RawEngine, spec: cell.CellSpec) -> _Cell:
        """Create and start a cell: with explicit capabilities, or privileged where they do not do."""
        try:
            return self._start(engine, spec)
        except (EngineRefusalError, CapabilityError) as err:
            self.notes.append(
                f"the cell is privileged: with the explicit capabilities it could not start ({err.message})"
            )
            self._remove(engine, spec)
            first = err
        try:
            return self._start(engine, replace(spec, privilege="privileged"))
        except (EngineRefusalError, CapabilityError) as second:
            raise EngineError(
                f"no cell could be started: with explicit capabilities {first.message}; privileged {second.message}",
                remedy="`cleanroom doctor` says what this machine can do; with root, --engine own needs no cell",
            ) from first

    def _start(self, engine: RawEngine, spec: cell.CellSpec) -> _Cell:
        spec, container = self._create(engine, spec)
        try:
            stream: Stream = engine.attach(container)
            engine.start(container)
            hooks = Hooks(
                sink=self.options.sink,
                seed=lambda wanted: self._seed(container, wanted),
                fetch=lambda: self._fetch(container),
                kill=lambda: self._kill(container),
            )
            conversation = Conversation(stream, hooks, self.options.interrupt)
            conversation.wait_ready()
        except BaseException:
            engine.remove(container)
            raise
        return _Cell(container, spec, conversation)

    def _create(self, engine: RawEngine, spec: cell.CellSpec) -> tuple[cell.CellSpec, str]:
        """Create the container; its name locks the cache: where a living run has it, this one gets a fresh volume."""
        end = time.monotonic() + _HOLDER_LIMIT
        while True:
            try:
                return spec, engine.create(cell.container_name(spec), cell.create_body(spec))
            except EngineRefusalError as err:
                if err.status != CONFLICT or not spec.cache:
                    raise
                holder = engine.inspect(cell.cache_holder(spec.cache))
                # One that does not run is on its way out.
                if (holder and holder["State"]["Running"]) or time.monotonic() > end:
                    self.notes.append(
                        f"the image cache {spec.cache} is in use by another run: this one has a fresh volume"
                    )
                    spec = replace(spec, cache="")
            time.sleep(_PAUSE)

    def _seed(self, container: str, wanted: Mapping[str, str]) -> SeedReply:
        engine = RawEngine(self.options.engine, timeout=600)
        try:
            return serve(wanted, engine, ExecSink(engine, container))
        finally:
            engine.close()

    def _fetch(self, container: str) -> None:
        engine = RawEngine(self.options.engine)
        try:
            unpack(engine.get_archive(container, cell.REPORT), self.options.out, 1, self.options.owner_ids)
        finally:
            engine.close()

    def _kill(self, container: str) -> None:
        engine = RawEngine(self.options.engine)
        try:
            engine.remove(container)
        finally:
            engine.close()

    def _remove(self, engine: RawEngine, spec: cell.CellSpec) -> None:
        end = time.monotonic() + _GONE_LIMIT
        while left_of_run(engine, spec.run) and time.monotonic() < end:
            for found in engine.containers({"label": [f"{RUN_LABEL}={spec.run}"]}):
                engine.remove(str(found["Id"]))
            time.sleep(_PAUSE)

    def _wait_gone(self, engine: RawEngine, made: _Cell) -> tuple[str, ...]:
        """Wait until the engine has removed the cell and its volume; return what is still there after 15 s."""
        engine.remove(made.id)
        end = time.monotonic() + _GONE_LIMIT
        while True:
            left = left_of_run(engine, self.run)
            if not left or time.monotonic() > end:
                return left
            time.sleep(_PAUSE)

    def _lap(self, name: str, since: float) -> None:
        self.seconds[name] = time.monotonic() - since


@dataclass(frozen=True, slots=True)
class ExecSink:
    """The nested engine of a cell that is a container: reached through a process started in the cell."""

    engine: RawEngine
    container: str

    def load(self, archive: Iterable[bytes]) -> None:
        """Stream an archive into the nested engine; raises `EngineError` with its words."""
        execution, stream = self.engine.execute(self.container, (*cell.PYTHON, "-m", "cleanroom.engine.seed"))
        try:
            try:
                for chunk in archive:
                    stream.send(chunk)
                stream.end_input()
            except OSError:
                # The process in the cell ended early: what it said is read below.
                said = b"".join(data for _, data in stream.frames())
                raise EngineError(
                    f"copying images into the cell broke off: {said.decode('utf-8', 'replace').strip()}"
                ) from None
            said = b"".join(data for _, data in stream.frames())
        finally:
            stream.close()
        if (code := self.engine.exit_code(execution)) != 0:
            raise EngineError(
                f"the nested engine refused the images (exit code {code}): {said.decode('utf-8', 'replace').strip()}"
            )


def launch(mode: str, options: LaunchOptions) -> LaunchResult:
    """Run a worker in a cell of the kind that `mode` names: `cell`, `own` (namespaces) or `host` (none).

    Raises `EngineError` when that cannot be done, `UsageError` for a bad workspace or environment.
    """
    if options.interrupt.count:
        return LaunchResult(run="", exit_code=int(ExitCode.INTERRUPTED))
    if not Path(options.workspace).is_absolute():
        raise EngineError(f"the workspace must be an absolute path, not {options.workspace}")
    if mode == "cell":
        return CellRun(options).go()
    from cleanroom.engine.namespaces import ProcessRun  # noqa: PLC0415 - it imports this module's values

    return ProcessRun(options, kind="host" if mode == "host" else "namespaces").go()
