from __future__ import annotations

import pytest

from cleanroom.faults import needs
from cleanroom.faults.ladder import LADDERS
from cleanroom.faults.needs import NEEDS
from cleanroom.pipeline.doctor.findings import Diagnosis, Prospect, Refusal, Trial, decode, encode, render
from cleanroom.pipeline.doctor.prospects import prospects

ALL = (
    Diagnosis(name="tc", works=False, seen="not on PATH", remedy="install it"),
    Prospect(kind="a.b", rung="r", provided=("a server",), refusals=(Refusal(rung="q", reason="x", remedy="y"),)),
    Prospect(kind="composite.x", parts=True),
    Trial(kind="a.b", promised=True, rung="r", proven=True, inject_ms=1, verify_ms=2, revert_ms=3),
    Trial(kind="a.c", promised=True, reason="no effect"),
)


def needed(*missing: str) -> dict[str, Diagnosis]:
    return {
        name: Diagnosis(
            name=name, works=name not in missing, seen="works" if name not in missing else "refused by the kernel",
            remedy=need.remedy if name in missing else "",
        )
        for name, need in NEEDS.items() if not need.by_service
    }  # fmt: skip


@pytest.mark.parametrize("finding", ALL)
def test_a_finding_leaves_the_cell_as_one_line_and_is_the_same_outside(finding):
    line = encode(finding)
    assert line.count("\n") == 1
    assert decode(line) == finding


@pytest.mark.parametrize("line", ["", "warning: x", "[]", "{}", '{"Diagnosis": {}}', '{"Other": {}}', "3", "null"])
def test_anything_else_is_no_finding(line):
    with pytest.raises(ValueError):
        decode(line)


def test_the_whole_output(snapshot):
    missing = (needs.NETEM, needs.FUSE, needs.FREEZER, needs.NFT)
    found = needed(*missing)
    assert render((*found.values(), *prospects(found), *ALL)) == snapshot


def test_every_fault_has_one_row_and_everything_works_where_nothing_is_missing():
    found = prospects(needed())
    assert [one.kind for one in found] == [ladder.kind for ladder in LADDERS]
    assert all(one.works and not one.refusals for one in found)
    for one, ladder in zip(found, LADDERS, strict=True):
        assert one.rung == (ladder.rungs[0].name if ladder.rungs else "")


def test_the_next_rung_is_taken_with_the_reason_and_the_remedy_of_the_one_above():
    (latency,) = (one for one in prospects(needed(needs.NETEM)) if one.kind == "network.latency")
    assert latency.rung == "nfqueue"
    assert latency.refusals == (Refusal(rung="netem", reason=f"lacks {needs.NETEM}", remedy=NEEDS[needs.NETEM].remedy),)


def test_a_fault_with_no_rung_says_why_of_each():
    (latency,) = (one for one in prospects(needed(needs.TC, needs.IPTABLES)) if one.kind == "network.latency")
    assert not latency.works
    assert [one.rung for one in latency.refusals] == ["netem", "nfqueue"]
    assert all(one.remedy for one in latency.refusals)


def test_each_need_is_missed_by_exactly_those_that_have_it():
    for need in needed():
        struck = {one.kind for one in prospects(needed(need)) if one.refusals}
        assert struck == {ladder.kind for ladder in LADDERS if ladder.rungs and need in ladder.rungs[0].needs}


def test_what_the_services_decide_is_said_to_be_so():
    (rotate,) = (one for one in prospects(needed()) if one.kind == "credentials.rotate")
    assert rotate.provided == (needs.SQL, needs.PASSWORDS)
