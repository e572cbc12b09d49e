from __future__ import annotations

import pytest

from cleanroom.cli.main import main
from cleanroom.cli.noise import noise_lines
from cleanroom.trace.noise import Learned, Noise
from cleanroom.trace.proposal import Proposal
from tests.unit.pipeline.journals import contents, recorded
from tests.unit.run import worlds


def stored(folder, monkeypatch, **attributes):
    """A run whose services say something that they say in no other run."""
    with monkeypatch.context() as patch:
        made = worlds.span
        patch.setattr(worlds, "span", lambda *a, **kw: made(*a, attrs=attributes, **kw))
        recorded(folder)


def test_what_differed_between_stored_runs_is_offered_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    for name, node in (("a", "n-17"), ("b", "n-99"), ("c", "n-17")):
        stored(tmp_path / name, monkeypatch, node=node)
    before = contents(tmp_path)
    assert main(["noise", *(str(tmp_path / name) for name in "abc")]) == 1
    out = capsys.readouterr().out
    assert "places differ" in out
    assert "INSERT orders, attributes.node: n-17 / n-99" in out
    assert out.endswith("if they may differ: normalize: {drop: [node]}\n")
    assert contents(tmp_path) == before


def test_equal_runs_are_exit_code_0(tmp_path, monkeypatch, capsys):
    for name in "ab":
        stored(tmp_path / name, monkeypatch, node="n")
    assert main(["noise", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "iterations, all equal" in capsys.readouterr().out


def test_a_folder_without_a_run_is_exit_code_2(tmp_path, capsys):
    assert main(["noise", str(tmp_path)]) == 2
    assert "cleanroom:" in capsys.readouterr().err


@pytest.mark.parametrize("obstacle", ["what the system did\n::error::x"])
def test_no_rule_is_told_with_its_reason_on_one_line(obstacle):
    noise = Noise(path="a\nb", attribute="", classification="extra span", iterations=1, values=("", "x"))
    lines = list(noise_lines("s", Learned(iterations=2, noise=(noise,) * 60, proposal=Proposal(obstacle=obstacle))))
    assert lines[1].strip() == "extra span in 1: a b: nothing / x"
    assert lines[-2].strip() == "10 more"
    assert lines[-1].strip() == "no rule is offered: what the system did ::error::x"
