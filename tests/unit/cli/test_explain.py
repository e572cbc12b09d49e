from __future__ import annotations

import argparse

import pytest

from cleanroom.cli import explain
from cleanroom.errors import ExitCode, UsageError
from cleanroom.spec.comparator import COMPARISONS
from cleanroom.spec.language.codes import CODES
from cleanroom.spec.language.vocabulary import variants_in
from cleanroom.spec.lint.registry import RULES as LINT_RULES
from cleanroom.spec.shapes.suite import SUITE
from cleanroom.validate.rules import RULES

FAULTS = [name for variants in variants_in(SUITE) for name in variants.records]


def call(name):
    parser = argparse.ArgumentParser()
    explain.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["explain", name])
    return arguments.call(arguments)


@pytest.mark.parametrize("name", sorted({*FAULTS, *COMPARISONS, *CODES, *RULES, *LINT_RULES}))
def test_every_fault_comparator_problem_and_rule_is_explained(name, capsys):
    assert call(name) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("services.db.ready", "services.<name>.ready\n"),
        ("scenarios[0].steps[1].http.port", "scenarios[].steps[].http.port\n"),
        ("expect.graph.edges", "expect.graph.edges\n"),
        ("network.latency.jitter", "jitter of the fault network.latency\n"),
        ("frozen", "frozen: a word of services.<name>.clock\n"),
    ],
)
def test_a_path_of_a_spec_is_explained(name, told, capsys):
    assert call(name) == 0
    assert told in capsys.readouterr().out


def test_what_nobody_knows_is_a_usage_error_that_names_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean network\.latency") as raised:
        call("network.latncy")
    assert raised.value.exit_code == ExitCode.USAGE


def test_what_nobody_knows_is_shown_safely():
    with pytest.raises(UsageError) as raised:
        call("\x1b[31mnothing\x07")
    assert "\x1b" not in str(raised.value)
    assert "\x07" not in str(raised.value)
