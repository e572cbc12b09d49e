"""A network namespace on a slot's bridge: what a container is to the network, without an engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cleanroom.errors import NetworkError
from cleanroom.network.command import run, succeeds
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.network.ports import Slot

_PROBE_HOST = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A namespace that lives as long as the process `pid`; its interface `eth0` has `address`."""

    pid: int
    address: str

    @property
    def path(self) -> str:
        """The namespace's path, for `in_namespace`."""
        return namespace_of_pid(self.pid)

    def run(self, argv: tuple[str, ...], *, stdin: str = "") -> str:
        """Return what `argv` prints inside; raises NetworkError when it fails."""
        return run(("nsenter", f"--net={self.path}", *argv), stdin=stdin)


@contextmanager
def blank_namespace() -> Iterator[int]:
    """Make a network namespace with nothing but `lo` (up); yields the pid of the process that holds it open."""
    argv = ("unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        try:
            ready = holder.stdout.readline() if holder.stdout else b""
            if ready != b"ready\n":
                words = holder.stderr.read().decode(errors="replace").strip() if holder.stderr else ""
                raise NetworkError(f"cannot make a network namespace: {words}", remedy="root (CAP_SYS_ADMIN) is needed")
            yield holder.pid
        finally:
            # The namespace goes with the process.
            holder.kill()


@contextmanager
def attach(slot: Slot, host: int) -> Iterator[Guest]:
    """Attach a new namespace to the slot's bridge as host number `host`, with a default route to the gateway."""
    address, port = slot.address(host), f"{slot.bridge}g{host}"
    with blank_namespace() as pid:
        guest = Guest(pid=pid, address=address)
        run(("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(pid)))
        run(("ip", "link", "set", port, "addrgenmode", "none"))
        run(("ip", "link", "set", port, "master", slot.bridge, "up"))
        try:
            guest.run(("ip", "address", "add", f"{address}/24", "dev", "eth0"))
            guest.run(("ip", "link", "set", "eth0", "up"))
            guest.run(("ip", "route", "add", "default", "via", slot.gateway))
            yield guest
        finally:
            # The kernel clears a dead namespace away in its own time; the bridge's port goes now.
            succeeds(("ip", "link", "delete", port))


class NamespaceProbe:
    """A ProbeRunner without an engine: this program's own Python in a namespace on the slot's bridge."""

    def run(self, script: str, slot: Slot) -> str:
        """Run `script` there and return its standard output; raises NetworkError."""
        with attach(slot, _PROBE_HOST) as guest:
            return guest.run((sys.executable, "-I", "-"), stdin=script)
