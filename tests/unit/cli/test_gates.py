from __future__ import annotations

import argparse

import pytest

from cleanroom.cli.gates import add_gates, gates_of
from cleanroom.errors import UsageError
from cleanroom.quantity import Duration
from cleanroom.run.pass_rate import PassRate


def read(*words):
    parser = argparse.ArgumentParser()
    add_gates(parser)
    return gates_of(parser.parse_args(words))


def test_without_arguments_nothing_is_limited():
    assert read() == {"pass_rates": (), "max_failures": None, "budget": None, "tier_timeouts": {}}


def test_every_argument_is_read():
    found = read(
        "--min-pass-rate", "85", "--min-pass-rate", "smoke=100", "--budget", "10m", "--tier-timeout", "smoke=60s"
    )
    assert found["pass_rates"] == (PassRate(least=8500), PassRate(least=10000, tag="smoke"))
    assert found["budget"] == Duration(600 * 10**9)
    assert found["tier_timeouts"] == {"smoke": Duration(60 * 10**9)}
    assert read("--fail-fast")["max_failures"] == 1
    assert read("--fail-fast", "--max-failures", "1")["max_failures"] == 1
    assert read("--max-failures", "3")["max_failures"] == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--min-pass-rate", "0"), "--min-pass-rate '0': expected a percentage"),
        (("--min-pass-rate", "1", "--min-pass-rate", "2"), "given twice"),
        (("--max-failures", "0"), "expected at least 1"),
        (("--fail-fast", "--max-failures", "2"), "contradict each other"),
        (("--budget", "soon"), "--budget 'soon' is not a duration"),
        (("--budget", "0s"), "nothing could ever start"),
        (("--tier-timeout", "nightly=1s"), "expected one of smoke, full, weekly"),
        (("--tier-timeout", "smoke=x"), "--tier-timeout 'x' is not a duration"),
        (("--tier-timeout", "smoke=0"), "expected a time above 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, told):
    with pytest.raises(UsageError) as refused:
        read(*words)
    assert told in str(refused.value)
