"""The removal of what earlier runs of ours left in an engine: only what provably has no owner any more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.engine.identity import OWNER_LABEL, ROLE_LABEL, RUN_LABEL, Owner, decode_owner, provably_dead, run_filter
from cleanroom.engine.raw import EngineRefusalError, RawEngine

# How long the engine may still be working on a request of a launcher that is dead already.
_IN_FLIGHT = 3.0
_PAUSE = 0.25
# Against an engine that lists for ever what it says it has removed.
_BOUND = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep removed and what it left alone because its owner may live: container names."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def abandoned(owner: Owner | None, observer: Owner, *, running: bool, home: bool | None) -> bool:
    """Whether something with this owner may be removed. Pure but for the look at the owner's process.

    `home` is whether the container that the owner lives in runs (None: it lives in none). Proofs, in this order: the
    owner's container is gone; the owner's process is dead (same boot, same PID namespace); the machine has been
    started again since and the thing does not run. Everything else is left alone.
    """
    if owner is None:
        return False
    if home is not None:
        return not home
    dead = provably_dead(owner, observer)
    if dead is not None:
        return dead
    return owner.boot != observer.boot and not running


def sweep(engine: RawEngine, observer: Owner) -> Swept:
    """Remove what dead runs left: cells, and in `host` mode their containers, networks and volumes."""
    removed: list[str] = []
    left: list[str] = []
    dead_runs: set[str] = set()
    for found in engine.containers(run_filter()):
        labels: Mapping[str, str] = found.get("Labels") or {}
        owner = decode_owner(labels.get(OWNER_LABEL, ""))
        home = _home(engine, owner)
        name = _name(found)
        if abandoned(owner, observer, running=found.get("State") == "running", home=home):
            engine.remove(str(found["Id"]))
            removed.append(name)
            dead_runs.add(labels.get(RUN_LABEL, ""))
        else:
            left.append(name)
    alive = {str((entry.get("Labels") or {}).get(RUN_LABEL)) for entry in engine.containers(run_filter())}
    for entry in (*engine.networks(run_filter()), *engine.volumes(run_filter())):
        labels = entry.get("Labels") or {}
        owner = decode_owner(labels.get(OWNER_LABEL, ""))
        run = labels.get(RUN_LABEL, "")
        if labels.get(ROLE_LABEL) == "cache" or run in alive:
            continue
        if run in dead_runs or abandoned(owner, observer, running=False, home=_home(engine, owner)):
            (engine.remove_network if "Id" in entry else engine.remove_volume)(str(entry["Name"]))
            removed.append(str(entry["Name"]))
    return Swept(removed=tuple(sorted(removed)), left=tuple(sorted(left)))


def remove_run(address: str, run: str) -> tuple[str, ...]:
    """Remove everything that carries the label of `run`, and keep looking until nothing has appeared for three seconds.

    For the time after the launcher's death: the engine may still be creating what it asked for last. Returns what was
    removed; raises `EngineRefusalError` when the engine does not answer.
    """
    removed: list[str] = []
    quiet_since = time.monotonic()
    engine = RawEngine(address)
    try:
        while time.monotonic() - quiet_since < _IN_FLIGHT and len(removed) < _BOUND:
            if found := _remove_once(engine, run):
                removed += found
                quiet_since = time.monotonic()
            time.sleep(_PAUSE)
    finally:
        engine.close()
    return tuple(removed)


def left_of_run(engine: RawEngine, run: str) -> tuple[str, ...]:
    """Return what exists of a run in an engine, its cache apart: names of containers, networks and volumes."""
    chosen = run_filter(run)
    return (
        *(_name(found) for found in engine.containers(chosen)),
        *(str(found["Name"]) for found in engine.networks(chosen)),
        *(str(found["Name"]) for found in engine.volumes(chosen)),
    )


def _remove_once(engine: RawEngine, run: str) -> list[str]:
    chosen = run_filter(run)
    removed = [_name(found) for found in engine.containers(chosen) if engine.remove(str(found["Id"]))]
    removed += [str(found["Name"]) for found in engine.networks(chosen) if engine.remove_network(str(found["Id"]))]
    return removed + [
        str(found["Name"]) for found in engine.volumes(chosen) if engine.remove_volume(str(found["Name"]))
    ]


def _home(engine: RawEngine, owner: Owner | None) -> bool | None:
    if owner is None or not owner.container:
        return None
    try:
        found = engine.inspect(owner.container)
    except EngineRefusalError:
        # It could not say; nothing is proven.
        return True
    return bool(found and found["State"]["Running"])


def _name(found: Mapping[str, Any]) -> str:
    names = found.get("Names") or [found["Id"]]
    return str(names[0]).lstrip("/")
