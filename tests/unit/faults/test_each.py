from __future__ import annotations

import pytest

from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import Evidence
from cleanroom.faults.each import EachTarget, open_each
from tests.unit.faults.scenes import Engine, Time, context, event


class Part:
    """A fault on one target that does what the test says."""

    def __init__(self, target, log, *, breaks="", holds=True, lapsed=""):
        self.target, self._log, self._breaks, self._holds, self._lapsed = target, log, breaks, holds, lapsed

    def _do(self, what):
        self._log.append((what, self.target))
        if self._breaks == what:
            raise EngineError(f"{what} broke")

    def inject(self):
        self._do("inject")

    def verify(self):
        return Evidence(holds=self._holds, facts={"n": 1}, reason="" if self._holds else "no effect")

    def revert(self):
        self._do("revert")

    def verify_reversal(self):
        return Evidence(holds=self._holds, facts={"after": 0}, lapsed=self._lapsed)


def fault(*parts, heals=""):
    return EachTarget("sql", parts, context(Engine(Time(), "a", "b")), heals=heals)


def test_evidence_of_all_targets_is_needed_and_named():
    good = fault(Part("a", []), Part("b", []))
    good.inject()
    assert good.verify() == Evidence(holds=True, facts={"a.n": 1, "b.n": 1})
    bad = fault(Part("a", []), Part("b", [], holds=False, lapsed="gone"))
    bad.inject()
    assert (bad.verify().holds, bad.verify().reason) == (False, "b: no effect")
    assert (bad.verify_reversal().holds, bad.verify_reversal().lapsed) == (False, "b: gone")


def test_a_fault_that_struck_nobody_is_no_fault():
    empty = fault()
    empty.inject()
    assert not empty.verify().holds


def test_what_was_begun_is_reverted_in_reverse_order_whatever_fails():
    log = []
    broken = fault(Part("a", log), Part("b", log, breaks="inject"), Part("c", log))
    with pytest.raises(EngineError, match="inject broke"):
        broken.inject()
    assert not broken.verify().holds
    broken.revert()
    assert log == [("inject", "a"), ("inject", "b"), ("revert", "b"), ("revert", "a")]
    stuck = fault(Part("a", log), Part("b", log, breaks="revert"))
    stuck.inject()
    log.clear()
    with pytest.raises(EngineError, match="b: revert broke"):
        stuck.revert()
    assert log == [("revert", "b"), ("revert", "a")]


def test_another_backend_is_refused_by_name():
    with pytest.raises(CapabilityError, match=r"database\.lock has no backend 'proxy'") as caught:
        open_each(event("database.lock", "a", backend="proxy"), context(Engine(Time(), "a")), "sql", Part)
    assert "auto or sql" in caught.value.remedy


def test_only_what_heals_recovers():
    quiet, heals = fault(Part("a", [])), fault(Part("a", []), heals="heal")
    assert (quiet.recovery(), heals.recovery()) == (None, None)
    for one in (quiet, heals):
        one.inject()
        one.revert()
    assert quiet.recovery() is None
    assert heals.recovery().strategy == "heal"
