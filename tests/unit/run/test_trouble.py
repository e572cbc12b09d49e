"""Errors as values."""

from __future__ import annotations

from cleanroom.errors import EngineError, ExitCode, TelemetryError
from cleanroom.run.trouble import trouble_of
from cleanroom.spec.source import NOWHERE, Position


def test_an_error_of_ours_keeps_its_code_its_words_and_its_place():
    trouble = trouble_of(EngineError("specs/a.cleanroom.yaml:4:3: image x is missing", remedy="build it"))
    assert trouble.exit_code == ExitCode.ENGINE
    assert trouble.at == Position("specs/a.cleanroom.yaml", 4, 3)
    assert trouble.message == "image x is missing"
    assert trouble.remedy == "build it"
    assert trouble_of(TelemetryError("at 10:15:20: gone")).at == NOWHERE


def test_the_place_in_the_words_is_nearer_than_the_one_that_is_given():
    given = Position("b.cleanroom.yaml", 9, 1)
    assert trouble_of(EngineError("a.cleanroom.yaml:4:3: no"), given).at == Position("a.cleanroom.yaml", 4, 3)
    assert trouble_of(EngineError("no"), given).at == given


def test_a_defect_is_engine_trouble_and_says_where_it_came_from():
    def broken() -> None:
        raise KeyError("slot")

    try:
        broken()
    except KeyError as err:
        trouble = trouble_of(err)
    assert trouble.exit_code == ExitCode.ENGINE
    assert "KeyError: 'slot'" in trouble.message
    assert "in broken" in trouble.message
