"""Keeps foreign firewalls out of what stays on a slot's bridge.

With br_netfilter loaded, the kernel shows bridged frames to iptables as if they were routed. A Docker engine on the
same machine (or ufw) sets the FORWARD policy to DROP there, and containers of one slot could not reach each other.
The per-bridge switch cannot turn that off while the namespace-wide one is on.
"""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from cleanroom.network.command import run, succeeds
from cleanroom.network.ports import Slot

_SWITCHES = (
    Path("/proc/sys/net/bridge/bridge-nf-call-iptables"),
    Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
    Path("/proc/sys/net/bridge/bridge-nf-call-arptables"),
)
_LIST = ("iptables", "-w", "5", "-S", "FORWARD")


def free_passage(slots: tuple[Slot, ...], *, in_cell: bool) -> None:
    """Let frames between the ports of one bridge pass; raises NetworkError when iptables refuses.

    In a cell the namespace is ours: bridged frames are taken out of iptables' sight. On a bare machine that switch is
    somebody else's, so each bridge gets an accept rule as Docker gives its own bridges; `close_passage` takes it out.
    """
    if in_cell:
        for switch in _SWITCHES:
            # Absent: br_netfilter is not loaded. Read-only: no iptables rules exist in a cell, so nothing is blocked.
            with contextlib.suppress(OSError):
                switch.write_text("0", encoding="ascii")
        return
    if not _frames_are_shown() or not succeeds(_LIST):
        return
    for slot in slots:
        run(("iptables", "-w", "5", "-I", "FORWARD", "1", "-i", slot.bridge, "-o", slot.bridge, "-j", "ACCEPT"))


def _frames_are_shown() -> bool:
    try:
        return _SWITCHES[0].read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def close_passage(run_id: str) -> None:
    """Take out the accept rules of the run; nothing happens when there are none."""
    listing = run(_LIST) if succeeds(_LIST) else ""
    for rule in rules_of(run_id, listing):
        run(("iptables", "-w", "5", "-D", *rule))


def rules_of(run_id: str, listing: str) -> tuple[tuple[str, ...], ...]:
    """Return the run's rules in what `iptables -S` printed, each as the arguments of `-D`."""
    rules = (shlex.split(line) for line in listing.splitlines())
    prefix = f"clr-{run_id}-"
    return tuple(
        tuple(rule[1:]) for rule in rules if rule[:1] == ["-A"] and any(word.startswith(prefix) for word in rule)
    )
