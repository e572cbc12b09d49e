from __future__ import annotations

from cleanroom.drive.act import carry_out
from cleanroom.drive.reach import Limits
from cleanroom.engine.ports import ContainerSpec
from cleanroom.quantity import Duration
from cleanroom.spec.query import ExecAction, HttpAction
from tests.fakes import FakeContainer, FakeEngine, result
from tests.unit.drive.scenes import reach_of

LIMITS = Limits(timeout=Duration(10**9))


def test_a_command_gets_the_context_of_the_step():
    engine = FakeEngine()
    spec = ContainerSpec(name="c", image="i", labels={"cleanroom.service": "db"})
    engine.containers["c"] = FakeContainer(id="c", spec=spec, status="running")
    engine.answer = lambda _service, spec: result(stdout=spec.environment["TRACEPARENT"].encode() + b"\n")
    got = carry_out(reach_of({"db": ("c", "")}, engine), ExecAction(service="db", command=("x",)), LIMITS, "00-a-b-01")
    assert (got.stdout, got.value, got.error_type) == ("00-a-b-01\n", "00-a-b-01", "")


def test_a_request_that_cannot_be_made_is_a_result():
    reach = reach_of({"api": ("c", "127.0.0.1")})
    assert carry_out(reach, HttpAction(service="api", port=1), LIMITS, "").error_type == "connection_refused"
