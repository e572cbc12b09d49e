"""Two network namespaces on one wire; the second, `far`, is the one that a test disturbs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom.faults.traffic.place import Place
from cleanroom.network.command import run
from cleanroom.network.guest import Guest, blank_namespace
from cleanroom.network.measure import icmp_rtt, tcp_rtt
from cleanroom.quantity import Duration

TIMEOUT = Duration(10 * 10**9)
MS = 10**6


@dataclass(frozen=True)
class Wire:
    near: Guest
    far: Guest
    place: Place

    def tcp_ms(self, port: int = 9, samples: int = 5) -> list[float]:
        return [t / MS for t in tcp_rtt(self.near.path, self.far.address, port, samples, TIMEOUT).samples]

    def icmp_ms(self, samples: int = 5) -> list[float]:
        return [t / MS for t in icmp_rtt(self.near.path, self.far.address, samples, TIMEOUT).samples]

    def rules(self) -> str:
        return self.far.run(("iptables", "-t", "mangle", "-S"))

    def bound_queues(self) -> str:
        return self.place.do(lambda: Path("/proc/thread-self/net/netfilter/nfnetlink_queue").read_text())

    def handed_over(self) -> int:
        """How many packets the kernel has given to workers (eighth column)."""
        return sum(int(line.split()[7]) for line in self.bound_queues().splitlines())

    def disciplines(self) -> str:
        return self.far.run(("tc", "qdisc", "show", "dev", "eth0"))


@contextmanager
def open_wire() -> Iterator[Wire]:
    with ExitStack() as stack:
        near, far = (Guest(pid=stack.enter_context(blank_namespace()), address=f"10.99.0.{host}") for host in (1, 2))
        ends = ("name", "eth0", "netns", str(far.pid))
        run(("ip", "link", "add", "eth0", "netns", str(near.pid), "type", "veth", "peer", *ends))
        for guest in (near, far):
            # Without an IPv6 address the kernel says nothing by itself: every packet is the test's.
            guest.run(("ip", "link", "set", "eth0", "addrgenmode", "none"))
            guest.run(("ip", "address", "add", f"{guest.address}/24", "dev", "eth0"))
            guest.run(("ip", "link", "set", "eth0", "up"))
        for guest, other in ((near, far), (far, near)):
            guest.run(("ip", "neigh", "replace", other.address, "dev", "eth0", "lladdr", _hardware(other)))
        place = Place(far.path)
        yield Wire(near=near, far=far, place=place)
        place.close()


def _hardware(guest: Guest) -> str:
    words = guest.run(("ip", "-o", "link", "show", "eth0")).split()
    return words[words.index("link/ether") + 1]


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether the process does anything; one that is dead and not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kernel_has_netem() -> bool:
    """Ask the kernel itself, past the code under test."""
    with blank_namespace() as pid:
        argv = (
            "nsenter",
            f"--net=/proc/{pid}/ns/net",
            "tc",
            "qdisc",
            "add",
            "dev",
            "lo",
            "root",
            "netem",
            "delay",
            "1ms",
        )
        return subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0
