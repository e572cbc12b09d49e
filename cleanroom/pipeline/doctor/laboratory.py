"""Throw-away containers of the probe's image on a network of their own, and what faults need to work on them."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cleanroom.clock import Clock, Deadline, SystemClock
from cleanroom.drive.reach import Container, Reach
from cleanroom.engine.client import DockerEngine
from cleanroom.engine.clock import clock_mounts, clock_variables, set_clock
from cleanroom.engine.clock_control import ClockControl, control_variables
from cleanroom.engine.ports import ContainerSpec
from cleanroom.errors import EngineError
from cleanroom.faults.base import FaultContext
from cleanroom.network.contact import contact
from cleanroom.network.ports import Network, Slot
from cleanroom.pipeline.probe import IMAGE, OURS, make_probe_image, our_python
from cleanroom.quantity import Duration
from cleanroom.run.stop import Stop
from cleanroom.spec.clock_setting import RealClock

TARGET: Final = "target"
PEER: Final = "peer"
PORT: Final = 8080
FOLDER: Final = "/tmp/in"  # noqa: S108 - inside the container
FILE: Final = "/tmp/file"  # noqa: S108 - as above
SIZED: Final = "/data"
_HOSTS: Final = {TARGET: 10, PEER: 11}
_MEMORY: Final = 128 << 20
_DISK: Final = 4 << 20
_READY: Final = 10.0
_ONCE: Final = Duration(10**9)
_REQUESTS: Final = 2
_ASK: Final = 3.0
_READ: Final = 1 << 16
_USER: Final = 1000
# Answers every connection, as a server of HTTP does; keeps a file open; ends when it is told to. Not root, whom modes
# and owners do not bind.
_SERVICE: Final = f"""
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.makedirs({FOLDER!r}, exist_ok=True)
held = open({FILE!r}, "w")
held.write("x" * 1000)
held.flush()
for path in ({FILE!r}, {FOLDER!r}):
    os.chown(path, {_USER}, {_USER})
os.setgroups([])
os.setgid({_USER})
os.setuid({_USER})
server = socket.create_server(("", {PORT}), backlog=64)
while True:
    client, _ = server.accept()
    try:
        client.settimeout(2)
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    except OSError:
        pass
    client.close()
"""


@dataclass(slots=True)
class Laboratory:
    """A target and a peer, as services of an environment; replaced by new ones whenever `renew` is called."""

    engine: DockerEngine
    network: Network
    name: str
    directory: Path
    """Where the control files of clocks are; the engine sees it too."""
    clock: Clock = field(default_factory=SystemClock)
    _specs: dict[str, ContainerSpec] = field(default_factory=dict)
    _containers: dict[str, Container] = field(default_factory=dict)
    _clocks: dict[str, ClockControl] = field(default_factory=dict)
    _prepared: str | None = None

    @property
    def slot(self) -> Slot:
        """The one slot of its network."""
        return self.network.slots()[0]

    def ready(self, clock_fault: str) -> FaultContext:
        """Return what a fault may use; makes other containers where those there have no clock for it."""
        if self._prepared != clock_fault:
            self.renew(clock_fault)
        return FaultContext(
            engine=self.engine, clock=self.clock, slot=self.slot, containers=self._containers, revive=self._revive,
            policy_restarts=dict.fromkeys(_HOSTS, False), recreate=self._recreate, reach=self._reach,
            clocks=self._clocks, names=self.network,
        )  # fmt: skip

    def use(self) -> None:
        """Ask the target something twice, as a client does, whatever comes of it: some faults strike traffic alone."""
        for _ in range(_REQUESTS):
            with suppress(OSError), socket.create_connection((self.slot.address(_HOSTS[TARGET]), PORT), _ASK) as sock:
                sock.sendall(b"GET /doctor HTTP/1.1\r\nHost: target\r\nConnection: close\r\n\r\n")
                while sock.recv(_READ):
                    pass

    def renew(self, clock_fault: str = "") -> None:
        """Put new containers in the place of those there are; raises `EngineError` when they do not answer."""
        self.remove()
        began = self.clock.now_ns()
        for name, host in _HOSTS.items():
            spec = self._spec(name, host)
            if clock_fault and name == TARGET:
                spec = self._with_clock(spec, clock_fault, began)
            self._specs[name] = spec
            container = self.engine.create(spec)
            self._containers[name] = Container(service=name, id=container, address=spec.address, ports=(PORT,))
            self.engine.start(container)
        for name in _HOSTS:
            self._await(name)
        self._prepared = clock_fault

    def remove(self) -> None:
        """Remove what there is."""
        self._prepared = None
        self._clocks.clear()
        self._containers.clear()
        for spec in self._specs.values():
            self.engine.remove(spec.name)
        self._specs.clear()

    def _spec(self, name: str, host: int) -> ContainerSpec:
        address = self.slot.address(host)
        return ContainerSpec(
            name=f"{self.name}-{name}-{secrets.token_hex(4)}", image=IMAGE, entrypoint=our_python(_SERVICE),
            mounts=(OURS,), network=self.name, address=address, dns=(self.slot.gateway,), init=False,
            memory=_MEMORY, memory_swap=_MEMORY, tmpfs={SIZED: _DISK}, labels={"cleanroom.service": name},
        )  # fmt: skip

    def _with_clock(self, spec: ContainerSpec, fault: str, began_ns: int) -> ContainerSpec:
        folder = self.directory / TARGET
        set_clock(folder, RealClock(), began_ns)
        self._clocks[TARGET] = ClockControl(folder, RealClock(), began_ns)
        variables = control_variables(clock_variables(RealClock(), {}), frozenset({fault}))
        return replace(spec, environment=variables, mounts=(*spec.mounts, *clock_mounts(folder)))

    def _revive(self, service: str) -> None:
        container = self._containers[service]
        if self.engine.inspect(container.id).status != "running":
            self.engine.start(container.id)
        self._await(service)

    def _recreate(
        self, service: str, *, keep_volumes: bool, change: Callable[[ContainerSpec], ContainerSpec] = lambda spec: spec
    ) -> Container:
        del keep_volumes  # they have none
        self.engine.remove(self._containers[service].id)
        made = self.engine.create(change(self._specs[service]))
        self._containers[service] = replace(self._containers[service], id=made)
        return self._containers[service]

    def _reach(self) -> Reach:
        return Reach(engine=self.engine, containers=self._containers, clock=self.clock, stop=Stop())

    def _await(self, service: str) -> None:
        self.network.forget(self.slot.index, self._containers[service].address)
        deadline = Deadline.after(self.clock, _READY)
        while contact("tcp", self._containers[service].address, PORT, _ONCE) != "open":
            if deadline.expired():
                log = self.engine.logs(self._containers[service].id)[-500:].decode("utf-8", "replace")
                raise EngineError(f"the throw-away container {service} does not answer: {log}")
            self.clock.sleep(0.02)


@contextmanager
def open_laboratory(engine: DockerEngine, network: Network, run: str, directory: Path) -> Iterator[Laboratory]:
    """Make its network in the first slot; all of it is gone at the end."""
    made = Laboratory(engine, network, f"clr-{run}-doctor-{secrets.token_hex(4)}", directory)
    make_probe_image(engine)
    with ExitStack() as stack:
        names: Mapping[str, str] = {name: made.slot.address(host) for name, host in _HOSTS.items()}
        network.open(made.slot.index, names)
        stack.callback(network.close, made.slot.index)
        stack.callback(engine.remove_network, made.name)
        engine.create_network(made.name, bridge=made.slot.bridge, subnet=made.slot.subnet, gateway=made.slot.gateway)
        stack.callback(made.remove)
        yield made
