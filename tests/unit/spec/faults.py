"""Entries of `chaos`, read from their text, for tests of faults."""

from __future__ import annotations

from cleanroom.quantity import Duration
from cleanroom.spec.checks.chaos import check_chaos
from cleanroom.spec.document import read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.reference import items_at, text_at
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.shapes.chaos import fault
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.step import InjectAction, SleepAction, Step

SECOND = Duration(10**9)
SERVICES = {
    "db": Service(name="db", image="db", replicas=3, labels={"tier": "storage"}),
    "api": Service(name="api", image="api"),
    "web": Service(name="web", image="web"),
    "pay": Service(name="pay", mock=object()),
    "broken": None,
}


def read(text):
    """Return the fault that `text` is, or None, and the log."""
    log = ProblemLog("x.cleanroom.yaml", text.splitlines())
    node = read_document(text, log)
    try:
        return fault(node, Place(log, "chaos[0]")), log
    except RefusedError:
        return None, log


def codes(log):
    return [problem.code for problem in log.sorted()]


def checked(*entries, steps=("place", "check"), injects=(), services=SERVICES, timeout=Duration(60 * 10**9)):
    """Return the log of a scenario with these entries of chaos, all of them readable."""
    lines = ["steps:", *(f"  - {{name: {step}, sleep: 1s}}" for step in steps)]
    lines += [f"  - {{name: inject {name}, inject: {name}}}" for name in injects]
    lines += ["chaos:", *(f"  - {entry}" for entry in entries)]
    text = "\n".join(lines)
    log = ProblemLog("x.cleanroom.yaml", text.splitlines())
    document = read_document(text, log)
    faults = tuple(fault(node, Place(log, "chaos")) for node in items_at(document, "chaos"))
    assert not log.found, log.found
    made = tuple(
        Step(name=text_at(node, "name"), action=InjectAction(fault=text_at(node, "inject")))
        if text_at(node, "inject")
        else Step(name=text_at(node, "name"), action=SleepAction(duration=SECOND))
        for node in items_at(document, "steps")
    )
    check_chaos(Scenario(name="s", steps=made, chaos=faults, timeout=timeout), document, services, log)
    return log
