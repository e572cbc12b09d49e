"""`expect.resources`: each figure with its control; what was not measured never passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.quantity import Duration, Size
from cleanroom.run.record import ResourceRecord
from cleanroom.spec.expect import Expect
from cleanroom.spec.resilience import ResourceExpectation
from cleanroom.validate.resources import judge_resources
from cleanroom.validate.scenario import judge_expect
from tests.unit.validate.builders import AT, cmp, eq, record, rules, scene

USED = ResourceRecord(
    memory_peak=100, memory_peak_by="kernel", cpu_ns=2_000_000, open_files=12, memory_ready=40, memory_end=90, samples=7
)


def served(used=USED, name="order", **kw):
    (service,) = record().services
    return record(name, services=(replace(service, resources=used, **kw),))


def check(of=None, level="error", **kw):
    wanted = ResourceExpectation(service="api", level=level, at=AT, **kw)
    (found,) = judge_resources(of or scene(scenarios=(served(),)), (wanted,))
    return found


@pytest.mark.parametrize(("figure", "held", "wrong", "rule", "told"), [
    ("memory_peak", eq(Size(100)), cmp(lt=Size(100)), "resources.memory_peak", "100 bytes, by the kernel"),
    ("cpu_time", eq(Duration(2_000_000)), cmp(lt=Duration(2_000_000)), "resources.cpu_time", "2ms"),
    ("open_files", eq(12), cmp(lte=11), "resources.open_files", "12 in 7 looks"),
    ("growth", eq(Size(50)), cmp(lte=Size(49)), "resources.growth", "50 bytes, from 40 to 90"),
    ("restarts", eq(0), cmp(gte=1), "resources.restarts", "0"),
    ("oom_killed", False, True, "resources.oom_killed", "false"),
])  # fmt: skip
def test_each_figure_holds_and_breaks(figure, held, wrong, rule, told):
    good = check(**{figure: held})
    assert (rules(good), good.note, good.name) == ([], told, f"resources api {figure}")
    broken = check(**{figure: wrong})
    assert (rules(broken), broken.findings[0].found) == ([rule], told)


@pytest.mark.parametrize("figure", ["memory_peak", "cpu_time", "open_files", "growth"])
@pytest.mark.parametrize("used", [None, ResourceRecord(missing="its control group cannot be seen"), ResourceRecord()])
def test_what_was_not_measured_breaks(figure, used):
    broken = check(scene(scenarios=(served(used),)), **{figure: cmp(exists=False)})
    assert rules(broken) == [f"resources.{figure}"]
    assert broken.findings[0].found.startswith("unknown: ")


def test_a_service_without_a_record_breaks():
    assert rules(check(scene(scenarios=(record(services=()),)), restarts=eq(0))) == ["resources.restarts"]


def test_an_end_that_nobody_saw_may_have_been_by_the_kernel():
    unseen = scene(scenarios=(served(replace(USED, ends_unseen=2)),))
    assert check(unseen, oom_killed=False).inconclusive.startswith("it was started again 2 times")
    assert rules(check(unseen, oom_killed=True)) == ["resources.oom_killed"]
    unwatched = scene(scenarios=(served(None),))
    assert check(unwatched, oom_killed=False).inconclusive == "it was not watched: nothing was measured"
    killed = scene(scenarios=(served(replace(USED, ends_unseen=2, oom_killed=True)),))
    assert rules(check(killed, oom_killed=True)) == []
    assert rules(check(scene(scenarios=(served(oom_killed=True),)), oom_killed=False)) == ["resources.oom_killed"]


def test_each_environment_is_judged_once():
    small, large = served(name="small"), served(replace(USED, memory_peak=300), name="large")
    broken = check(scene(scenarios=(small, large)), memory_peak=cmp(lte=Size(200)))
    assert broken.findings[0].found == "scenario large: 300 bytes, by the kernel"
    assert check(scene(scenarios=(small, small), shared=True), memory_peak=eq(Size(100))).note.count("bytes") == 1


def test_the_level_is_kept_and_it_is_part_of_what_a_spec_expects():
    wanted = ResourceExpectation(service="api", restarts=eq(1), level="warning", id="calm", at=AT)
    (found,) = judge_expect(scene(scenarios=(served(),)), Expect(resources=(wanted,), at=AT))
    assert (found.name, found.findings[0].level) == ("resources calm api restarts", "warning")
