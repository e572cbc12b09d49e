"""The engine of a worker inside a cell: a private dockerd on a data root proven to hold images only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cleanroom.engine.cache import CacheProof, empty_to_images
from cleanroom.engine.cell import RUNTIME, SOCKET, CellFacts
from cleanroom.engine.daemon import Daemon, DaemonOptions, start_dockerd
from cleanroom.engine.leftovers import HostTraces


@dataclass(slots=True, kw_only=True)
class PrivateEngine:
    """A running private engine; `after` is there once the block has ended, for a cached data root only."""

    daemon: Daemon
    before: CacheProof
    after: CacheProof | None = None


@contextmanager
def private_engine(facts: CellFacts) -> Iterator[PrivateEngine]:
    """Run the cell's own engine for the length of the block; emptied to images before and, where it is a cache, after.

    Raises `CapabilityError` without a dockerd, `EngineError` when it does not start or the cache cannot be emptied.
    """
    before = empty_to_images(facts.data_root)
    # In a container the cgroup tree is the container's; on a host it is everybody's.
    shared = HostTraces(run=facts.run) if facts.kind == "namespaces" else None
    options = DaemonOptions(
        data_root=facts.data_root,
        exec_root=f"{RUNTIME}/exec",
        socket=SOCKET,
        pidfile=f"{RUNTIME}/docker.pid",
        log=f"{RUNTIME}/dockerd.log",
        cgroup_parent=f"/{shared.cgroup}" if shared else "",
    )
    engine: PrivateEngine | None = None
    try:
        with start_dockerd(options) as daemon:
            engine = PrivateEngine(daemon=daemon, before=before)
            yield engine
    finally:
        # A run that failed leaves no more in a cache than one that passed.
        if facts.cache:
            after = empty_to_images(facts.data_root)
            if engine is not None:
                engine.after = after
