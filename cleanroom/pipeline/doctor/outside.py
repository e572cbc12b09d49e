"""Doctor from outside: what the machine offers to a launcher, and what a real cell on it says of itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cleanroom.engine.conversation import Interrupt
from cleanroom.engine.launcher import LaunchOptions, launch
from cleanroom.engine.modes import Facts, choose_mode, gather_facts
from cleanroom.errors import CleanroomError
from cleanroom.pipeline.doctor.findings import Diagnosis, Finding, decode

_TOLD = 2000


def diagnose_outside(environment: Mapping[str, str]) -> tuple[Diagnosis, ...]:
    """Return what the machine offers to a launcher."""
    facts: Facts = gather_facts(environment)
    found = [
        Diagnosis(
            name="docker engine", works=not facts.engine_trouble, seen=facts.engine_trouble or "answers",
            remedy="" if not facts.engine_trouble else "start an engine, or set DOCKER_HOST to its address",
        ),
        Diagnosis(
            name="private engine (--engine own)", works=facts.root and facts.dockerd and facts.unshare and facts.linux,
            seen=f"root: {_yes(facts.root)}, dockerd: {_yes(facts.dockerd)}, unshare: {_yes(facts.unshare)}",
            remedy="" if facts.root and facts.dockerd else "run as root, with Docker Engine (Debian: docker.io)",
        ),
    ]  # fmt: skip
    try:
        mode = choose_mode("auto", facts)
    except CleanroomError as err:
        found.append(Diagnosis(name="engine mode auto", works=False, seen=err.message, remedy=err.remedy))
    else:
        found.append(Diagnosis(name="engine mode auto", works=True, seen=f"takes {mode}"))
    return tuple(found)


@dataclass(slots=True)
class _Lines:
    """What a cell writes: findings go to `hear` as they come, everything else is kept."""

    hear: Callable[[Finding], None]
    found: list[Finding] = field(default_factory=list)
    strange: bytes = b""
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                finding = decode(line.decode("utf-8", "replace"))
            except ValueError:
                self.strange = (self.strange + line + b"\n")[-_TOLD:]
            else:
                self.found.append(finding)
                self.hear(finding)


def examine_cell(
    image: str, engine: str, worker: tuple[str, ...], hear: Callable[[Finding], None]
) -> tuple[Finding, ...]:
    """Examine a real cell of `image`, made for this and gone afterwards; `hear` gets each finding as it comes.

    `worker` are the options of `cleanroom doctor` for the inside. The last finding, `cell`, says whether it could be
    made and ended as it should.
    """
    lines = _Lines(hear)
    try:
        mode = choose_mode(engine, gather_facts(os.environ))
        with tempfile.TemporaryDirectory(prefix="cleanroom-doctor-") as folder:
            result = launch(
                mode,
                LaunchOptions(
                    workspace=folder, worker=("-m", "cleanroom.cli.main", "doctor", "--inside", *worker),
                    out=f"{folder}/out", sink=lines.take, image=image, cache=False, interrupt=Interrupt(),
                ),
            )  # fmt: skip
    except CleanroomError as err:
        cell = Diagnosis(name="cell", works=False, seen=str(err), remedy="build the image: `make image`")
    else:
        trouble = [f"it ended with {result.exit_code}"] if result.exit_code else []
        trouble += [f"it left {', '.join(result.left)}"] if result.left else []
        said = " ".join(lines.strange.decode("utf-8", "replace").split())
        trouble += [f"it said: {said}"] if trouble and said else []
        cell = Diagnosis(
            name="cell", works=not trouble, seen="; ".join(trouble) or f"made with {result.privilege or mode}",
            remedy="" if not trouble else "see what it said; `cleanroom run` would fail in the same way",
        )  # fmt: skip
    hear(cell)
    return (*lines.found, cell)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
