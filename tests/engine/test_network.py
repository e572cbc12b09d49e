"""The isolated network on the real kernel, in namespaces of the test's own: the machine's network is not touched."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from dnslib import DNSRecord

from cleanroom.errors import NetworkError
from cleanroom.network.bridge import forget_neighbour
from cleanroom.network.guest import Guest, NamespaceProbe, attach, blank_namespace
from cleanroom.network.measure import icmp_rtt, tcp_rtt
from cleanroom.network.namespace import in_namespace, namespace_of_pid
from cleanroom.network.passage import close_passage
from cleanroom.network.ports import Drop, Slot
from cleanroom.network.proof import prove
from cleanroom.network.session import NetworkOptions, Session, open_network, remove_leftovers
from cleanroom.quantity import Duration

SHORT = 0.3
SECOND = Duration(10**9)
Result = TypeVar("Result")


@dataclass
class Cell:
    """A network namespace that stands for a cell, and what a test has opened in it."""

    pid: int
    stack: ExitStack
    directory: Path

    def do(self, function: Callable[[], Result]) -> Result:
        return in_namespace(namespace_of_pid(self.pid), function)

    def run(self, *argv: str, stdin: str = "") -> str:
        command = ("nsenter", f"--net={namespace_of_pid(self.pid)}", *argv)
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=30).stdout

    def network(self, *, in_cell: bool = True) -> Session:
        options = NetworkOptions(run_id="ab12", slots=2, directory=self.directory, in_cell=in_cell)
        return self.do(lambda: self.stack.enter_context(open_network(options)))

    def attach(self, slot: Slot, host: int = 10) -> Guest:
        return self.do(lambda: self.stack.enter_context(attach(slot, host)))

    def objects(self) -> list[str]:
        links = [link["ifname"] for link in json.loads(self.run("ip", "-j", "link")) if link]
        tables = [line for line in self.run("nft", "list", "tables").splitlines() if "cleanroom" in line]
        rules = [line for line in self.run("iptables", "-S", "FORWARD").splitlines() if "clr-" in line]
        return [name for name in links if name.startswith("clr-")] + tables + rules


@pytest.fixture
def cell(tmp_path) -> Iterator[Cell]:
    with blank_namespace() as pid:
        made = Cell(pid, ExitStack(), tmp_path)
        yield made
        made.do(made.stack.close)
        assert made.objects() == []


def connect(source: Guest, address: str, port: int, *, bind_port: int = 0) -> str:
    def dial() -> str:
        with closing(socket.socket()) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("0.0.0.0", bind_port))
            sock.settimeout(SHORT)
            try:
                sock.connect((address, port))
            except OSError as err:
                return type(err).__name__
            return "connected"

    return in_namespace(source.path, dial)


def listen(where: Guest, port: int) -> socket.socket:
    return in_namespace(where.path, lambda: socket.create_server(("0.0.0.0", port)))


def look_up(asker: Guest, server: str, name: str, *, tcp: bool = False) -> DNSRecord:
    reply = in_namespace(asker.path, lambda: DNSRecord.question(name).send(server, 53, tcp=tcp, timeout=2))
    return DNSRecord.parse(reply)


def send_udp(source: Guest, address: str, port: int, times: int = 1) -> None:
    def send() -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            for _ in range(times):
                sock.sendto(b"out", (address, port))

    in_namespace(source.path, send)


def find(drops: tuple[Drop, ...], destination: str, protocol: str, port: int = 0) -> list[Drop]:
    return [d for d in drops if (d.destination, d.protocol, d.port) == (destination, protocol, port)]


def test_containers_of_a_slot_reach_each_other_and_nothing_is_dropped(cell):
    network = cell.network()
    first, second = cell.attach(network.slots()[0], 10), cell.attach(network.slots()[0], 11)
    network_open(cell, network, {})
    with listen(second, 8080):
        assert connect(first, second.address, 8080) == "connected"
        assert connect(second, second.address, 8080) == "connected"
    assert in_namespace(first.path, lambda: icmp_rtt(None, second.address, 1, SECOND)).lost == 0
    assert drops_of(cell, network) == ()


def test_the_gateways_hardware_address_stays_as_containers_come_and_go(cell):
    network = cell.network()
    slot = network.slots()[0]
    found = set()
    for hosts in ((), (10,), (11, 12), ()):
        with ExitStack() as guests:
            for host in hosts:
                cell.do(lambda h=host, g=guests: g.enter_context(attach(slot, h)))
            found.add(json.loads(cell.run("ip", "-j", "link", "show", slot.bridge))[0]["address"])
            cell.do(guests.close)
    assert found == {"02:42:0a:d5:00:01"}


def network_open(cell: Cell, network: Session, names: dict[str, str]) -> None:
    cell.do(lambda: network.open(0, names))


def drops_of(cell: Cell, network: Session) -> tuple[Drop, ...]:
    return cell.do(lambda: network.drops(0))


def test_a_neighbour_that_died_can_be_forgotten(cell):
    slot = cell.network().slots()[0]
    cell.attach(slot)
    assert cell.do(lambda: icmp_rtt(None, slot.address(10), 1, SECOND)).samples
    assert "lladdr" in cell.run("ip", "neigh", "show", "to", slot.address(10), "dev", slot.bridge)

    cell.do(lambda: forget_neighbour(slot, slot.address(10)))

    assert "lladdr" not in cell.run("ip", "neigh", "show", "to", slot.address(10), "dev", slot.bridge)
    assert cell.do(lambda: icmp_rtt(None, slot.address(10), 1, SECOND)).samples
    with pytest.raises(NetworkError):
        cell.do(lambda: forget_neighbour(Slot(index=9, bridge="clr-none", subnet="", gateway=""), "10.0.0.1"))


def test_otlp_and_dns_reach_the_own_gateway_and_nothing_else_does(cell):
    network = cell.network()
    slot, other = network.slots()
    guest = cell.attach(slot)
    network_open(cell, network, {"db": guest.address})
    with ExitStack() as stack:
        for gateway in (slot.gateway, other.gateway):
            for port in (4317, 4318, 22, 9999):
                server = cell.do(lambda g=gateway, p=port: socket.create_server((g, p)))
                stack.enter_context(server)
        assert connect(guest, slot.gateway, 4317) == "connected"
        assert connect(guest, slot.gateway, 4318) == "connected"
        assert str(look_up(guest, slot.gateway, "DB.").rr[0].rdata) == guest.address
        assert str(look_up(guest, slot.gateway, "db", tcp=True).rr[0].rdata) == guest.address
        assert drops_of(cell, network) == ()
        for address, port in ((slot.gateway, 22), (slot.gateway, 9999), (other.gateway, 4318), (other.gateway, 4317)):
            assert connect(guest, address, port) == "TimeoutError"
            assert find(drops_of(cell, network), address, "tcp", port)


def test_an_attempt_is_recorded_with_source_destination_protocol_port_and_count(cell):
    network = cell.network()
    guest, neighbour = cell.attach(network.slots()[0], 10), cell.attach(network.slots()[1], 10)
    network_open(cell, network, {})
    send_udp(guest, "203.0.113.1", 123, times=3)
    send_udp(neighbour, "198.51.100.1", 123)
    assert connect(guest, "169.254.169.254", 80) == "TimeoutError"
    assert in_namespace(guest.path, lambda: icmp_rtt(None, "203.0.113.1", 2, Duration(10**8))).lost == 2
    assert in_namespace(guest.path, lambda: icmp_rtt(None, network.slots()[0].gateway, 1, Duration(10**8))).lost == 1
    drops = drops_of(cell, network)
    assert find(drops, "203.0.113.1", "udp", 123) == [
        Drop(source=guest.address, destination="203.0.113.1", protocol="udp", port=123, count=3)
    ]
    assert find(drops, "203.0.113.1", "icmp")[0].count == 2
    assert find(drops, network.slots()[0].gateway, "icmp")[0].count == 1
    assert find(drops, "169.254.169.254", "tcp", 80)
    assert {d.source for d in drops} == {guest.address}
    other = cell.do(lambda: network.drops(1))
    assert [(d.source, d.destination) for d in other] == [(neighbour.address, "198.51.100.1")]


def test_opening_a_slot_forgets_what_was_dropped_on_it_only(cell):
    network = cell.network()
    for slot in network.slots():
        send_udp(cell.attach(slot), "203.0.113.1", 123)
    network_open(cell, network, {})
    assert drops_of(cell, network) == ()
    assert cell.do(lambda: network.drops(1)) != ()


def test_a_source_address_that_is_not_of_the_slot_is_dropped_and_recorded(cell):
    network = cell.network()
    slot = network.slots()[0]
    guest = cell.attach(slot)
    network_open(cell, network, {})
    guest.run(("ip", "address", "add", "198.51.100.7/32", "dev", "lo"))

    def spoof() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("198.51.100.7", 0))
            sock.sendto(b"out", (slot.gateway, 53))

    in_namespace(guest.path, spoof)
    assert [(d.source, d.port) for d in drops_of(cell, network)] == [("198.51.100.7", 53)]


def test_ipv6_is_dropped_and_recorded(cell):
    network = cell.network()
    slot = network.slots()[0]
    guest = cell.attach(slot)
    network_open(cell, network, {})
    mac = json.loads(cell.run("ip", "-j", "link", "show", slot.bridge))[0]["address"]
    guest.run(("ip", "address", "add", "2001:db8:1::10/64", "dev", "eth0", "nodad"))
    guest.run(("ip", "neighbour", "add", "2001:db8:1::1", "lladdr", mac, "dev", "eth0"))
    guest.run(("ip", "-6", "route", "add", "default", "via", "2001:db8:1::1"))
    send_udp(guest, "2001:db8::1", 53, times=2)
    assert drops_of(cell, network) == (
        Drop(source="2001:db8:1::10", destination="2001:db8::1", protocol="udp", port=53, count=2),
    )


def test_what_the_kernel_of_a_container_says_on_its_own_is_nobodys_attempt(cell):
    network = cell.network()
    guest = cell.attach(network.slots()[0])
    network_open(cell, network, {})
    # Neighbour and router discovery of the new address, an ARP question, and a broadcast stay on the link.
    guest.run(("ip", "address", "add", "fe80::5/64", "dev", "eth0"))
    guest.run((sys.executable, "-c", BROADCAST))
    assert drops_of(cell, network) == ()


BROADCAST = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for address in ("10.213.0.255", "255.255.255.255", "224.0.0.251"):
    s.sendto(b"hello", (address, 5353))
"""


def test_our_own_connections_into_a_slot_work_both_ways_and_are_not_recorded(cell):
    network = cell.network()
    slot = network.slots()[0]
    guest = cell.attach(slot)
    network_open(cell, network, {})
    with listen(guest, 8080) as server:
        client = cell.do(lambda: socket.create_connection((guest.address, 8080), timeout=2))
        with client, server.accept()[0] as service:
            service.sendall(b"x" * 100_000)
            service.shutdown(socket.SHUT_WR)
            assert sum(len(part) for part in iter(lambda: client.recv(65536), b"")) == 100_000
        assert len(cell.do(lambda: tcp_rtt(None, guest.address, 8080, 3, SECOND)).samples) == 3
    # Nobody listens any more: the refusal comes back too.
    assert len(cell.do(lambda: tcp_rtt(None, guest.address, 8080, 1, SECOND)).samples) == 1
    assert len(cell.do(lambda: icmp_rtt(None, guest.address, 3, SECOND)).samples) == 3
    assert drops_of(cell, network) == ()


def test_a_service_cannot_use_its_own_port_to_reach_ours(cell):
    network = cell.network()
    slot = network.slots()[0]
    guest = cell.attach(slot)
    network_open(cell, network, {})
    with cell.do(lambda: socket.create_server((slot.gateway, 9999))):
        assert connect(guest, slot.gateway, 9999, bind_port=8080) == "TimeoutError"
    assert find(drops_of(cell, network), slot.gateway, "tcp", 9999)


def test_a_denied_name_is_recorded_with_its_asker(cell):
    network = cell.network()
    slot = network.slots()[0]
    guest = cell.attach(slot)
    network_open(cell, network, {"db": guest.address})
    look_up(guest, slot.gateway, "www.example.com")
    assert drops_of(cell, network) == (
        Drop(
            source=guest.address, destination=slot.gateway, protocol="dns", port=53, count=1,
            via="resolver", name="www.example.com",
        ),
    )  # fmt: skip
    assert cell.do(lambda: network.close(0))
    assert look_up(guest, slot.gateway, "db").rr == []
    assert Path(network.resolv_conf(0)).read_text().startswith(f"nameserver {slot.gateway}\n")


def test_the_proof_holds_behind_the_wall_and_shows_what_the_wall_saw(cell):
    network = cell.network()
    proof = cell.do(lambda: prove(network, NamespaceProbe()))
    assert proof.ways_out == 0
    assert proof.dropped >= 15
    assert {v.protocol for v in proof.vectors} == {"tcp", "udp", "icmp", "icmpv6", "dns"}


def test_the_proof_uses_a_collector_that_listens_already(cell):
    network = cell.network()
    with cell.do(lambda: socket.create_server((network.slots()[0].gateway, 4318))):
        assert cell.do(lambda: prove(network, NamespaceProbe())).ways_out == 0


def outside_world(cell: Cell) -> Guest:
    """Put a host that holds 203.0.113.1 behind the cell, which forwards to it: what the wall is there against."""
    outside = cell.stack.enter_context(blank_namespace())
    cell.run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", str(outside))
    cell.run("ip", "address", "add", "198.51.100.253/30", "dev", "out0")
    cell.run("ip", "link", "set", "out0", "up")
    cell.run("ip", "route", "add", "203.0.113.0/24", "via", "198.51.100.254")
    cell.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    host = Guest(pid=outside, address="198.51.100.254")
    for address in ("198.51.100.254/30", "203.0.113.1/32"):
        host.run(("ip", "address", "add", address, "dev", "eth0"))
    host.run(("ip", "link", "set", "eth0", "up"))
    host.run(("ip", "route", "add", "default", "via", "198.51.100.253"))
    return host


def test_without_the_wall_the_proof_finds_the_ways_out(cell):
    network = cell.network()
    outside_world(cell)
    assert cell.do(lambda: prove(network, NamespaceProbe())).ways_out == 0
    for chain in ("prerouting", "forward", "slot0_ingress"):
        cell.run("nft", "flush", "chain", "inet", "cleanroom_ab12", chain)
    proof = cell.do(lambda: prove(network, NamespaceProbe()))
    found = {(v.protocol, v.destination) for v in proof.vectors if v.open}
    for way in (("tcp", "203.0.113.1"), ("udp", "203.0.113.1"), ("icmp", "203.0.113.1"), ("icmp", "169.254.169.254")):
        assert way in found
    slot, other = network.slots()
    assert {("tcp", slot.gateway), ("udp", slot.gateway), ("tcp", other.gateway)} <= found
    assert proof.dropped == 0


def test_the_second_wall_holds_when_the_first_is_gone(cell):
    network = cell.network()
    outside_world(cell)
    cell.run("nft", "flush", "chain", "inet", "cleanroom_ab12", "prerouting")
    proof = cell.do(lambda: prove(network, NamespaceProbe()))
    found = {v.destination for v in proof.vectors if v.open}
    assert network.slots()[0].gateway in found
    assert "203.0.113.1" not in found


def test_nobody_outside_gets_in(cell):
    network = cell.network()
    outside = outside_world(cell)
    guest = cell.attach(network.slots()[0])
    with listen(guest, 8080):
        assert connect(outside, guest.address, 8080) == "TimeoutError"
        cell.run("nft", "flush", "chain", "inet", "cleanroom_ab12", "forward")
        cell.run("nft", "flush", "chain", "inet", "cleanroom_ab12", "prerouting")
        assert connect(outside, guest.address, 8080) == "connected"


class Routeless:
    """Runs the probe where it has no route to the wall: nothing it tries can prove anything."""

    def run(self, script: str, slot: Slot) -> str:
        with attach(slot, 250) as guest:
            guest.run(("ip", "route", "delete", "default"))
            return guest.run((sys.executable, "-I", "-"), stdin=script)


def test_a_probe_that_cannot_try_proves_nothing(cell):
    network = cell.network()
    with pytest.raises(NetworkError, match="nothing to show"):
        cell.do(lambda: prove(network, Routeless()))


def test_a_probe_that_is_on_no_network_proves_nothing(cell):
    network = cell.network()

    class Elsewhere:
        def run(self, script: str, slot: Slot) -> str:
            with blank_namespace() as pid:
                return Guest(pid=pid, address=slot.address(9)).run((sys.executable, "-I", "-"), stdin=script)

    with pytest.raises(NetworkError, match="cannot reach OTLP"):
        cell.do(lambda: prove(network, Elsewhere()))


def test_a_foreign_firewall_that_drops_forwarded_packets_does_not_part_a_slot(cell):
    cell.run("iptables", "-P", "FORWARD", "DROP")
    cell.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
    network = cell.network(in_cell=False)
    first, second = cell.attach(network.slots()[0], 10), cell.attach(network.slots()[0], 11)
    network_open(cell, network, {})
    with listen(second, 8080):
        assert connect(first, second.address, 8080) == "connected"
        assert drops_of(cell, network) == ()
        assert cell.do(lambda: prove(network, NamespaceProbe())).ways_out == 0
        # The control: it is our rule that lets it pass.
        cell.do(lambda: close_passage("ab12"))
        assert connect(first, second.address, 8080) == "TimeoutError"


def test_in_a_cell_bridged_frames_are_hidden_from_iptables(cell):
    cell.run("iptables", "-P", "FORWARD", "DROP")
    cell.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
    network = cell.network()
    first, second = cell.attach(network.slots()[0], 10), cell.attach(network.slots()[0], 11)
    with listen(second, 8080):
        assert connect(first, second.address, 8080) == "connected"
        cell.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
        assert connect(first, second.address, 8080) == "TimeoutError"


def test_without_the_wall_there_is_no_bridge(cell, tmp_path, monkeypatch):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "ip").symlink_to("/usr/sbin/ip")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tools))
        with pytest.raises(NetworkError, match="the wall cannot be put up"):
            cell.network()
    assert cell.objects() == []


def test_a_taken_dns_port_ends_it_with_nothing_left(cell):
    with cell.do(lambda: socket.create_server(("0.0.0.0", 53))):
        with pytest.raises(NetworkError, match="resolver cannot listen"):
            cell.network()
        assert cell.objects() == []


def test_an_address_range_in_use_is_left_alone(cell):
    cell.run("ip", "route", "add", "blackhole", "10.213.4.0/24")
    assert not cell.network().slots()[0].subnet.startswith("10.213.")


def test_what_a_killed_run_left_is_removed(cell):
    script = (
        "import pathlib, time\n"
        "from cleanroom.network.session import NetworkOptions, open_network\n"
        f"directory = pathlib.Path({str(cell.directory)!r})\n"
        "options = NetworkOptions(run_id='ab12', slots=2, directory=directory, in_cell=False)\n"
        "with open_network(options):\n    print('up', flush=True)\n    time.sleep(60)\n"
    )
    cell.run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
    argv = ("nsenter", f"--net={namespace_of_pid(cell.pid)}", sys.executable, "-c", script)
    repository = Path(__file__).parents[2]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=repository) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        os.kill(process.pid, signal.SIGKILL)
    assert len(cell.objects()) == 5
    cell.do(lambda: remove_leftovers("ab12"))
    assert cell.objects() == []
    cell.do(lambda: remove_leftovers("ab12"))


@pytest.mark.parametrize(("run_id", "slots"), [("", 1), ("xyz1", 1), ("ab12", 0), ("ab12", 65)])
def test_impossible_options_are_refused(tmp_path, run_id, slots):
    options = NetworkOptions(run_id=run_id, slots=slots, directory=tmp_path, in_cell=True)
    with pytest.raises(NetworkError, match="4 hex digits"), open_network(options):
        pass
