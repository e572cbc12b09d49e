"""What exists in an engine, and what is left of a run: the evidence behind "nothing left behind"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cleanroom.clock import Deadline
from cleanroom.engine.ports import Engine, Inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cleanroom.clock import Clock
    from cleanroom.quantity import Duration

DEFAULT_NETWORKS: Final = frozenset({"bridge", "host", "none"})
_POLL_S: Final = 0.05


def inventory_of(
    containers: Iterable[Mapping[str, Any]], networks: Iterable[Mapping[str, Any]], volumes: Iterable[Mapping[str, Any]]
) -> Inventory:
    """Return the inventory in the engine's lists (JSON), less its default networks; a nameless container is its id."""

    def container(item: Mapping[str, Any]) -> str:
        names = item.get("Names") or ()
        return str(names[0]).lstrip("/") if names else str(item["Id"])

    return Inventory(
        containers=tuple(sorted(container(item) for item in containers)),
        networks=tuple(sorted(str(n["Name"]) for n in networks if n["Name"] not in DEFAULT_NETWORKS)),
        volumes=tuple(sorted(str(volume["Name"]) for volume in volumes)),
    )


def take_inventory(engine: Engine) -> Inventory:
    """Return everything that exists in `engine`; raises `EngineError`."""
    return engine.inventory()


def leftovers(engine: Engine, before: Inventory, *, clock: Clock, timeout: Duration) -> Inventory:
    """Return what exists beyond `before`, looking again until nothing does or `timeout` has passed.

    An engine removes auto-removed containers and their volumes after it reported their end, so the first look
    may still see them.
    """
    deadline = Deadline.after(clock, timeout.seconds)
    while True:
        left = take_inventory(engine).minus(before)
        if left.empty or deadline.expired():
            return left
        clock.sleep(min(_POLL_S, deadline.remaining()))
