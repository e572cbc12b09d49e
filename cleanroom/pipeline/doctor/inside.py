"""Doctor inside a cell: needs tried, prospects drawn, and, where it is asked for, faults proven; one finding a line."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cleanroom.engine.cell import RUNTIME, CellFacts
from cleanroom.engine.client import DockerEngine
from cleanroom.engine.identity import RUN_LABEL
from cleanroom.engine.ports import Inventory
from cleanroom.engine.private import private_engine
from cleanroom.errors import CapabilityError, CleanroomError, UsageError
from cleanroom.network.session import NetworkOptions, open_network
from cleanroom.pipeline.doctor.findings import LEFT, Diagnosis, Finding
from cleanroom.pipeline.doctor.laboratory import open_laboratory
from cleanroom.pipeline.doctor.prospects import prospects
from cleanroom.pipeline.doctor.proving import prove
from cleanroom.pipeline.doctor.trials import examine

_RUN: Final = 4


def examine_inside(facts: CellFacts | None, asked: Sequence[str] | None, tell: Callable[[Finding], None]) -> None:
    """Tell everything that is found; `asked` are the faults to prove, None for none.

    Raises `UsageError` outside of a cell, and what making the network of the throw-away containers raises.
    """
    if facts is None:
        raise UsageError("this part of doctor is started by `cleanroom doctor`, inside a cell")
    # Whoever ends us lets everything be taken away first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _engine(facts) as (engine, trouble):
        found = examine(engine, trouble)
        for one in found:
            tell(one)
        known = {one.kind: one for one in prospects({one.name: one for one in found})}
        for prospect in known.values():
            tell(prospect)
        if asked is None:
            return
        if engine is None:
            raise CapabilityError(f"nothing can be proven without an engine: {trouble}")
        directory = _directory(facts)
        options = NetworkOptions(
            run_id=facts.run[:_RUN], slots=1, directory=directory, in_cell=facts.kind == "container"
        )
        before = engine.inventory()
        with (
            open_network(options) as network,
            open_laboratory(engine, network, facts.run[:_RUN], directory / "clocks") as place,
        ):
            for trial in prove(place, asked, known):
                tell(trial)
        tell(_left(engine.inventory().minus(before)))


def _left(left: Inventory) -> Diagnosis:
    names = (*left.containers, *left.networks, *left.volumes)
    return Diagnosis(name=LEFT, works=left.empty, seen=", ".join(names) or "nothing")


@contextmanager
def _engine(facts: CellFacts) -> Iterator[tuple[DockerEngine | None, str]]:
    """Start the cell's own engine; without it there is the reason why not."""
    labels = {RUN_LABEL: facts.run}
    if facts.kind == "host":
        with DockerEngine(os.environ.get("DOCKER_HOST", ""), labels=labels) as engine:
            yield engine, ""
        return
    entered = private_engine(facts)
    try:
        private = entered.__enter__()
    except CleanroomError as err:
        yield None, err.message
        return
    try:
        with DockerEngine(private.daemon.address, labels=labels) as engine:
            yield engine, ""
    finally:
        entered.__exit__(None, None, None)


def _directory(facts: CellFacts) -> Path:
    """Make a directory that the engine sees as well."""
    made = Path(RUNTIME if facts.kind != "host" else facts.report, "doctor")
    made.mkdir(parents=True, exist_ok=True)
    return made
