"""Places for one-shot containers in an environment (`run`, spec.md section 4)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import replace

from cleanroom.engine.images import normalised
from cleanroom.engine.ports import ContainerSpec
from cleanroom.engine.service import Placed, Placement, container_name, container_spec
from cleanroom.network.ports import Slot
from cleanroom.plan.model import Plan
from cleanroom.run.ports import Ports
from cleanroom.spec.service import Restart, Service
from cleanroom.spec.step import RunAction
from cleanroom.telemetry.variables import telemetry_variables

_HIGHEST = 254
_LOWEST = 10


class Shots:
    """Every one-shot container of one environment gets a name that its teardown knows, and an address of its own."""

    def __init__(self, ports: Ports, plan: Plan, slot: Slot, network: str) -> None:
        self._ports = ports
        self._plan = plan
        self._slot = slot
        self._network = network
        self._lock = threading.Lock()
        taken = set(plan.addresses.values())
        # Downwards from the end, round and round: whoever had a number the last time has ended long ago.
        self._hosts = itertools.cycle([n for n in range(_HIGHEST, _LOWEST - 1, -1) if n not in taken] or [0])
        self.names: set[str] = set()
        """Of all that were ever placed: an environment proves that none of them is left."""

    def place(self, placed: Mapping[str, Placed], action: RunAction, context: str) -> ContainerSpec:
        """Return how the container is to be made, with `context` as its `TRACEPARENT`; `placed` are the services."""
        model = placed.get(action.service) if action.service else None
        service = model.service if model is not None else Service(name=_name_of(action.image), image=action.image)
        endpoint = self._ports.telemetry.endpoint(self._slot.index, service.telemetry.protocol)
        with self._lock:
            name = container_name(self._ports.run_id, self._slot.index, service.name, self._ports.token())
            host = next(self._hosts)
            self.names.add(name)
        shot = replace(
            service,
            command=service.command if action.command is None else action.command,
            environment={**service.environment, "TRACEPARENT": context, **action.env},
            restart=Restart(),
        )
        placement = Placement(
            container=name,
            image=model.placement.image if model is not None else normalised(action.image),
            network=self._network,
            address=self._slot.address(host) if host else "",
            dns=(self._slot.gateway,),
            resolv_conf=self._ports.network.resolv_conf(self._slot.index),
            environment=telemetry_variables(shot, endpoint, self._plan.suite.otel.resource, self._plan.seed),
            cgroup_parent=self._ports.cgroup_parent,
        )
        return container_spec(Placed(service=shot, placement=placement))


def _name_of(image: str) -> str:
    """Return what a container of this image is called: the last word of its repository."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]
