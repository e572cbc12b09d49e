"""One run's isolated network from beginning to end: the wall first, then what it guards, and all of it gone again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cleanroom.errors import NetworkError
from cleanroom.network import bridge
from cleanroom.network.firewall import Firewall, remove_wall
from cleanroom.network.name_fault import NameRule, NameStrike
from cleanroom.network.passage import close_passage, free_passage
from cleanroom.network.ports import Drop, Slot
from cleanroom.network.resolver import Resolver, resolv_conf
from cleanroom.network.ruleset import drop_key

_RUN_ID = re.compile(r"[0-9a-f]{4}")
_MAX_SLOTS = 64
_MAX_BASES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """How the network of a run is to be made.

    `run_id` is four lower-case hex digits; `slots` 1 to 64; `directory` exists on the engine's file system and gets the
    resolv.conf files; `in_cell` says that the whole network namespace is ours.
    """

    run_id: str
    slots: int
    directory: Path
    in_cell: bool


@contextlib.contextmanager
def open_network(options: NetworkOptions) -> Iterator[Session]:
    """Make the network in the caller's network namespace and remove all of it at the end.

    Raises NetworkError, with nothing left behind, when any part of it cannot be made.
    """
    if not _RUN_ID.fullmatch(options.run_id) or not 1 <= options.slots <= _MAX_SLOTS:
        raise NetworkError(
            f"a network needs a run id of 4 hex digits and 1 to {_MAX_SLOTS} slots, "
            f"got {options.run_id!r} and {options.slots}"
        )
    with ExitStack() as stack:
        stack.callback(remove_leftovers, options.run_id)
        remove_leftovers(options.run_id)
        slots, firewall = _walled_slots(options)
        free_passage(slots, in_cell=options.in_cell)
        resolvers = []
        for slot in slots:
            resolver = Resolver(slot.gateway, subnet=slot.subnet)
            stack.callback(resolver.stop)
            resolver.start()
            resolvers.append(resolver)
        yield Session(slots, firewall, tuple(resolvers), _write_files(slots, options))


def _walled_slots(options: NetworkOptions) -> tuple[tuple[Slot, ...], Firewall]:
    for base in bridge.free_bases(bridge.current_routes(), options.run_id)[:_MAX_BASES]:
        slots = bridge.make_slots(options.run_id, base, options.slots)
        firewall = Firewall(options.run_id, slots)
        firewall.install()
        if options.in_cell:
            _stop_forwarding()
            bridge.hold_metadata_address(options.run_id)
        bridge.create_bridges(slots)
        firewall.watch_bridges()
        bridge.raise_bridges(slots)
        if not bridge.intruders(bridge.current_routes(), slots):
            return slots, firewall
        # Another run took the same addresses between our look and our claim; both step aside, in different orders.
        remove_leftovers(options.run_id)
    raise NetworkError(
        "no free address range 10.n.0.0/16 for the isolated network",
        remedy="routes of this machine cover all of 10.0.0.0/8; run in a cell (--engine cell)",
    )


def _stop_forwarding() -> None:
    # Read-only in some cells; the wall's forward hook drops the same packets.
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0", encoding="ascii")


def _write_files(slots: tuple[Slot, ...], options: NetworkOptions) -> tuple[Path, ...]:
    paths = tuple(options.directory / f"resolv-{slot.index}.conf" for slot in slots)
    try:
        for slot, path in zip(slots, paths, strict=True):
            path.write_text(resolv_conf(slot.gateway), encoding="ascii")
            path.chmod(0o644)
    except OSError as err:
        raise NetworkError(f"cannot write {err.filename}: {err.strerror}") from err
    return paths


def remove_leftovers(run_id: str) -> None:
    """Remove everything that a run with this id has left in the caller's network namespace; safe to call twice.

    The wall goes last: no bridge is ever without it.
    """
    bridge.remove_bridges(run_id)
    close_passage(run_id)
    remove_wall(run_id)


class Session:
    """The network of a run (ports.Network); safe to use from several threads, one per slot."""

    def __init__(
        self, slots: tuple[Slot, ...], firewall: Firewall, resolvers: tuple[Resolver, ...], files: tuple[Path, ...]
    ) -> None:
        self._slots = slots
        self._firewall = firewall
        self._resolvers = resolvers
        self._files = files

    def slots(self) -> tuple[Slot, ...]:
        """Return the slots; their bridges are up behind the wall."""
        return self._slots

    def open(self, slot: int, names: Mapping[str, str]) -> None:
        """Let the slot's resolver answer `names` (service name → address) and nothing else; forget earlier drops."""
        self._firewall.forget(slot)
        self._resolvers[slot].set_names(names)

    def strike_names(self, slot: int, rule: NameRule) -> NameStrike:
        """Let the slot's resolver answer by the rule from now on; of several the first one that strikes counts."""
        return self._resolvers[slot].strike(rule)

    def calm_names(self, slot: int, strike: NameStrike) -> None:
        """Let it answer by that rule no more; safe to call twice."""
        self._resolvers[slot].calm(strike)

    def strikes(self, slot: int) -> tuple[NameStrike, ...]:
        """Return by which rules it answers."""
        return self._resolvers[slot].strikes

    def resolv_conf(self, slot: int) -> str:
        """Return the path of the slot's resolv.conf."""
        return str(self._files[slot])

    def forget(self, slot: int, address: str) -> None:
        """Find anew who has `address` on the slot; raises NetworkError."""
        bridge.forget_neighbour(self._slots[slot], address)

    def drops(self, slot: int) -> tuple[Drop, ...]:
        """Return what was dropped or denied on the slot since `open`, sorted."""
        return tuple(sorted((*self._firewall.drops(slot), *self._resolvers[slot].refusals()), key=drop_key))

    def close(self, slot: int) -> tuple[Drop, ...]:
        """Return the drops and let the slot's resolver answer nothing."""
        found = self.drops(slot)
        self._resolvers[slot].set_names({})
        return found
