"""Probes of what the engine says of a service's container: its state, its health, its end, its output."""

from __future__ import annotations

import re

from cleanroom.drive.answer import Fact
from cleanroom.engine.ports import ContainerState, Engine
from cleanroom.spec.probe import ContainerProbe, LogProbe

LOG_BYTES = 1 << 20
OVER = frozenset({"exited", "dead", "removing"})


def container_fact(state: ContainerState, what: str) -> Fact:
    """Return one fact of the container; the exit code of one that has not ended is no value."""
    if what == "exit_code" and state.status not in OVER:
        return Fact(present=False, why=f"the container has not ended: it is {state.status}")
    facts: dict[str, object] = {
        "state": state.status,
        "health": state.health,
        "restarts": state.restart_count,
        "oom_killed": state.oom_killed,
        "exit_code": state.exit_code,
    }
    why = "its image has no health check" if what == "health" and state.health == "none" else ""
    return Fact(value=facts[what], why=why)


def ask_container(engine: Engine, container: str, probe: ContainerProbe) -> Fact:
    """Ask the engine; raises `EngineError`."""
    return container_fact(engine.inspect(container), probe.what)


def ask_log(engine: Engine, container: str, probe: LogProbe) -> Fact:
    """Count the lines of the output in which the pattern is found; of a long output, of its last MiB.

    Raises `EngineError`.
    """
    said = engine.logs(container, LOG_BYTES)
    pattern = re.compile(probe.matches)
    lines = said.decode("utf-8", "replace").splitlines()
    cut = ("log",) if len(said) >= LOG_BYTES else ()
    return Fact(value=sum(1 for line in lines if pattern.search(line)), truncated=cut)
