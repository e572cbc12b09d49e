from __future__ import annotations

import pytest

from cleanroom.trace.digest import trace_digest
from cleanroom.trace.noise import learn_noise
from cleanroom.trace.normalise import NormaliseOptions, normalise
from tests.unit.trace.spans import system

INSERT = "cleanroom.iteration > cleanroom.step:place > POST /orders > INSERT orders"


def learned(traces, **options):
    wanted = NormaliseOptions(**options)
    return learn_noise(
        [normalise(trace, wanted) for trace in traces],
        lambda index, rules: normalise(traces[index], rules.added_to(wanted)),
    )


def test_noise_that_one_run_never_shows_is_learned_from_several():
    monday, tuesday = [system(day="mon", n=n) for n in range(3)], [system(day="tue", n=0)] * 3
    found = learned([*monday, *tuesday])
    assert [(each.path, each.attribute, each.iterations) for each in found.noise] == [
        (INSERT, "attributes.day", 3),
        (INSERT, "attributes.n", 2),
    ]
    assert found.noise[1].values == ("0", "1", "2")
    assert found.proposal.rules.text == "drop: [day, n]"
    assert [each.attribute for each in learned(monday).noise] == ["attributes.n"]
    options = found.proposal.rules.added_to(NormaliseOptions())
    assert len({trace_digest(normalise(trace, options)) for trace in (*monday, *tuesday)}) == 1


def test_equal_runs_teach_nothing():
    found = learned([system(n=1)] * 6)
    assert (found.iterations, found.noise, found.proposal) == (6, (), None)


def test_what_the_system_did_is_told_and_no_rule_offered():
    found = learned([system(error="x"), system(error="y")])
    assert [each.attribute for each in found.noise] == ["attributes.error"]
    assert found.proposal.rules is None
    assert "what the system did" in found.proposal.obstacle


def test_runs_under_different_rules_are_not_comparable():
    one, other = normalise(system(), NormaliseOptions()), normalise(system(), NormaliseOptions(drop=("a",)))
    with pytest.raises(ValueError, match="not comparable"):
        learn_noise([one, other], lambda _index, _rules: one)
