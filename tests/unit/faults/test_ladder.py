from __future__ import annotations

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.container.kill import Kill
from cleanroom.faults.ladder import LADDERS, open_fault
from cleanroom.faults.network.latency import Latency
from cleanroom.spec.shapes.fault_table import FAULTS
from tests.unit.faults.scenes import Engine, Time, context, event, kill, latency


@pytest.mark.parametrize(("made", "kind"), [(kill("db"), Kill), (latency("db"), Latency)])
def test_a_fault_is_opened_by_its_kind(made, kind):
    assert isinstance(open_fault(made, context(Engine(Time(), "db"))), kind)


@pytest.mark.parametrize("kind", ["network.unheard_of", "network", "kill", ""])
def test_a_fault_without_a_ladder_is_refused_by_name(kind):
    with pytest.raises(CapabilityError, match=f"{kind} is not available"):
        open_fault(event(kind, "db"), context(Engine(Time(), "db")))


@pytest.mark.parametrize("made", [kill("db", backend="rocket"), latency("db", backend="rocket")])
def test_a_rung_that_does_not_exist_is_refused_by_name(made):
    with pytest.raises(CapabilityError, match="no backend 'rocket'") as caught:
        open_fault(made, context(Engine(Time(), "db")))
    assert "auto" in caught.value.remedy


def test_every_fault_that_run_carries_out_has_a_ladder_with_the_rungs_of_the_language_and_no_other_has():
    available = {kind: known.rungs for kind, known in FAULTS.items() if known.available}
    assert {ladder.kind: tuple(rung.name for rung in ladder.rungs) for ladder in LADDERS} == available
