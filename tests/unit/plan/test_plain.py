from __future__ import annotations

import pytest

from cleanroom.plan.plain import plain
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.fault import AtManual, AtStep, Target
from cleanroom.spec.service import Service
from cleanroom.spec.source import Position
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText


def test_values_become_json():
    value = {"d": Duration(5), "s": Size(6), "r": Rate(7), "t": (1, None, True, 0.5), "big": 2**60}
    expected = {"d": {"ns": 5}, "s": {"bytes": 6}, "r": {"bits": 7}, "t": [1, None, True, 0.5], "big": str(2**60)}
    assert plain(value) == expected


def test_classes_are_told_apart_and_positions_left_out():
    assert plain(AtManual()) == {"is": "AtManual"}
    assert plain(AtStep(moment="before", step="x")) == {
        "is": "AtStep",
        "moment": "before",
        "step": "x",
        "offset": {"ns": 0},
    }
    assert plain(Service(name="x", image="i", at=Position("f", 1, 1))) == plain(Service(name="x", image="i"))


@pytest.mark.parametrize("value", [object(), b"x", {1}, Target])
def test_what_is_no_value_of_a_spec_is_refused(value):
    with pytest.raises(TypeError, match="is not a value of a spec"):
        plain(value)


def test_an_open_template_is_what_is_known_of_it_so_that_another_variable_is_another_plan():
    of_run = Expression("captured.id", frozenset({"captured"}), {})
    assert plain(RuntimeText("/{{ vars.p }}/{{ captured.id }}", ("/orders/", of_run))) == "/orders/{{ captured.id }}"
    bound = Expression("captured.id ~ vars.p", frozenset({"captured"}), {"vars": {"p": 1}})
    assert plain(RuntimeText("{{ captured.id ~ vars.p }}", (bound,))) == {
        "template": "{{ captured.id ~ vars.p }}",
        "given": {"vars": {"p": 1}},
    }
