"""The wall in the kernel: put up before any bridge exists, read, and taken down; fail-closed."""

from __future__ import annotations

from cleanroom.errors import NetworkError
from cleanroom.network.command import run, succeeds
from cleanroom.network.ports import Drop, Slot
from cleanroom.network.ruleset import (
    drop_key,
    parse_drops,
    render_flush,
    render_ingress,
    render_wall,
    table_name,
)

_REMEDY = "the run goes no further without its wall; `cleanroom doctor` says what this machine lacks"


class Firewall:
    """The nftables table of one run; every method raises NetworkError and works in the caller's network namespace."""

    def __init__(self, run_id: str, slots: tuple[Slot, ...]) -> None:
        self._run_id = run_id
        self._slots = slots
        # Totals only grow; what a slot's total was when it was opened is taken off.
        self._before: dict[int, int] = {}

    def install(self) -> None:
        """Put up the wall; the bridges must not exist yet."""
        self._apply(render_wall(self._run_id, self._slots))

    def watch_bridges(self) -> None:
        """Add the IPv6 wall on the bridges, which exist and are not up yet."""
        self._apply(render_ingress(self._run_id, self._slots))

    def forget(self, slot: int) -> None:
        """Forget the slot's drops."""
        self._apply(render_flush(self._run_id, slot))
        drops, total = parse_drops(self._listing(), slot)
        self._before[slot] = total - sum(drop.count for drop in drops)

    def drops(self, slot: int) -> tuple[Drop, ...]:
        """Return the slot's drops since `forget`, sorted.

        Packets that were dropped but found no room in the kernel's sets come as one Drop with empty addresses.
        """
        drops, unnamed = self._read(slot)
        if unnamed > 0:
            # A packet that came between the kernel's listing of sets and of counters looks unnamed, but only once.
            drops, unnamed = self._read(slot)
        if unnamed > 0:
            drops += (Drop(source="", destination="", protocol="unknown", port=0, count=unnamed),)
        return tuple(sorted(drops, key=drop_key))

    def _read(self, slot: int) -> tuple[tuple[Drop, ...], int]:
        drops, total = parse_drops(self._listing(), slot)
        return drops, total - self._before.get(slot, 0) - sum(drop.count for drop in drops)

    def _listing(self) -> str:
        return run(("nft", "-j", "list", "table", "inet", table_name(self._run_id)))

    def _apply(self, script: str) -> None:
        try:
            run(("nft", "-f", "-"), stdin=script)
        except NetworkError as err:
            raise NetworkError(f"the wall cannot be put up: {err.message}", remedy=_REMEDY) from err


def remove_wall(run_id: str) -> None:
    """Take the run's wall down; nothing happens when there is none. Raises NetworkError when it stays."""
    name = table_name(run_id)
    if succeeds(("nft", "list", "table", "inet", name)):
        run(("nft", "delete", "table", "inet", name))
