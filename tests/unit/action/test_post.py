from __future__ import annotations

import pytest

from cleanroom.action import post
from cleanroom.engine.sweep import Swept
from cleanroom.errors import EngineError

ME, STEP = "a" * 64, "b" * 64


class Engine:
    """An engine with one container, that of the step."""

    def __init__(self, labels):
        self.labels = labels
        self.removed = []
        self.closed = False

    def inspect(self, container):
        return {"Name": "/step", "Config": {"Labels": self.labels}} if container == STEP else None

    def remove(self, container):
        self.removed.append(container)
        return True

    def close(self):
        self.closed = True


@pytest.fixture
def engine(monkeypatch):
    def install(labels):
        made = Engine(labels)
        monkeypatch.setattr(post, "RawEngine", lambda: made)
        monkeypatch.setattr(post, "find_self", lambda _: {"Id": ME})
        monkeypatch.setattr(post, "sweep", lambda *_: Swept(removed=("cleanroom-cell-x",)))
        return made

    return install


def test_an_orphaned_step_goes_first_and_then_what_lost_its_owner(engine, capsys):
    made = engine({"cleanroom.image": "true"})
    assert post.main({"STATE_container": STEP}) == 0
    assert made.removed == [STEP]
    assert made.closed
    assert "step, cleanroom-cell-x" in capsys.readouterr().out


def test_a_container_that_is_not_ours_is_left_alone_whatever_the_state_says(engine):
    made = engine({"other": "x"})
    assert post.clean_up(STEP) == ("cleanroom-cell-x",)
    assert made.removed == []


def test_the_post_stage_never_removes_itself(engine):
    made = engine({"cleanroom.image": "true"})
    post.clean_up(ME)
    assert made.removed == []


def test_a_dead_engine_fails_nothing_and_is_said(monkeypatch, capsys):
    def refuse():
        raise EngineError("no engine\n::error::x")

    monkeypatch.setattr(post, "RawEngine", refuse)
    assert post.main({}) == 0
    assert "\n::error" not in capsys.readouterr().out
    assert post.own_container() == ""
