from __future__ import annotations

import pytest

from cleanroom import errors
from cleanroom.errors import CleanroomError, ExitCode

CODES = {
    "UsageError": 2, "SpecError": 3, "EngineError": 4, "NetworkError": 4, "CapabilityError": 4, "TelemetryError": 5,
    "InconclusiveError": 6, "InterruptedRunError": 130,
}  # fmt: skip


def leaves(kind: type[CleanroomError]) -> set[type[CleanroomError]]:
    return {kind}.union(*(leaves(k) for k in kind.__subclasses__() if k.__module__ == errors.__name__))


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_each_error_has_its_exit_code(name, code):
    assert getattr(errors, name)("x").exit_code == code


def test_no_error_is_a_pass_and_none_is_forgotten():
    found = leaves(CleanroomError) - {CleanroomError}
    assert {k.__name__ for k in found} == set(CODES)
    assert all(k.exit_code is not ExitCode.PASS for k in found)


def test_an_error_says_what_to_do():
    assert str(errors.UsageError("wrong")) == "wrong"
    err = errors.EngineError("gone", remedy="bring it back")
    assert (err.message, err.remedy, str(err)) == ("gone", "bring it back", "gone\n  what to do: bring it back")


def test_the_codes_are_those_of_the_documentation():
    assert {c.name: int(c) for c in ExitCode} == {
        "PASS": 0, "FINDINGS": 1, "USAGE": 2, "INVALID_SPEC": 3, "ENGINE": 4, "TELEMETRY": 5, "INCONCLUSIVE": 6,
        "INTERRUPTED": 130,
    }  # fmt: skip
