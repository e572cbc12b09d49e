"""Suites for tests of the plan."""

from __future__ import annotations

from types import MappingProxyType

from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtOffset, Fault, Target
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.step import SleepAction, Step
from cleanroom.spec.suite import Suite

MS = 10**6


def fault(name, target=None, **fields):
    values = {
        "kind": "network.latency",
        "target": target or Target(service="db"),
        "parameters": MappingProxyType({"delay": Duration(500 * MS)}),
        "moment": AtOffset(offset=Duration(2000 * MS)),
        **fields,
    }
    return Fault(id=name, **values)


def scenario(name, *chaos):
    return Scenario(name=name, steps=(Step(name="place", action=SleepAction(duration=Duration(1))),), chaos=chaos)


def suite(*scenarios, services=("db", "api", "web"), **fields):
    values = {"services": tuple(Service(name=name, image=name) for name in services), "scenarios": scenarios, **fields}
    return Suite(name="checkout", file="checkout.cleanroom.yaml", **values)
