from __future__ import annotations

import json

import pytest

from cleanroom.engine.control import SeedReply
from cleanroom.engine.conversation import Conversation, Hooks, Interrupt
from cleanroom.errors import CapabilityError, EngineError, ExitCode


class Cell:
    """A transport that plays a script and remembers what it was told."""

    def __init__(self, *script):
        self.script = script
        self.told: list[dict] = []

    def frames(self):
        for item in self.script:
            if callable(item):
                item()
            elif isinstance(item, dict):
                yield True, json.dumps(item).encode() + b"\n"
            else:
                yield item

    def send(self, data):
        self.told.append(json.loads(data))

    def close(self):
        pass


def conversation(cell, interrupt=None):
    heard = {"out": b"", "fetched": 0, "killed": 0}

    def sink(data):
        heard["out"] += data

    hooks = Hooks(
        sink=sink,
        seed=lambda wanted: SeedReply(loaded=tuple(wanted)),
        fetch=lambda: heard.update(fetched=heard["fetched"] + 1),
        kill=lambda: heard.update(killed=heard["killed"] + 1),
    )
    return Conversation(cell, hooks, interrupt or Interrupt()), heard


READY = {"event": "ready"}


def finished(code):
    return {"event": "finished", "exit_code": code}


def test_output_is_relayed_the_report_fetched_and_the_cell_dismissed():
    cell = Cell(READY, (False, b"one "), finished(1), (False, b"two"))
    talk, heard = conversation(cell)
    talk.wait_ready()
    assert talk.run(("python",), {"A": "b"}) == 1
    assert heard == {"out": b"one two", "fetched": 1, "killed": 0}
    assert cell.told[0] == {"do": "start", "argv": ["python"], "env": {"A": "b"}}
    assert cell.told[-1] == {"do": "bye"}


def test_wanted_images_are_answered():
    cell = Cell(READY, {"event": "images", "wanted": {"a": ""}}, finished(0))
    talk, _ = conversation(cell)
    talk.wait_ready()
    talk.run(("p",), {})
    assert {"do": "images", "loaded": ["a"], "current": [], "absent": [], "failed": {}} in cell.told


def test_a_cell_that_cannot_prepare_itself_says_why():
    talk, _ = conversation(Cell({"event": "broken", "message": "mount failed"}))
    with pytest.raises(CapabilityError, match="mount failed"):
        talk.wait_ready()


def test_a_cell_that_ends_early_is_an_error_with_its_last_words():
    talk, _ = conversation(Cell((True, b"Traceback: boom\n")))
    with pytest.raises(EngineError, match="boom"):
        talk.wait_ready()
    talk, _ = conversation(Cell(READY, (True, b"Killed")))
    talk.wait_ready()
    with pytest.raises(EngineError, match="Killed"):
        talk.run(("p",), {})


def test_the_first_interrupt_asks_and_the_second_kills():
    interrupt = Interrupt()
    cell = Cell(READY, interrupt.fire, (False, b"x"), interrupt.fire, finished(0))
    talk, heard = conversation(cell, interrupt)
    talk.wait_ready()
    assert talk.run(("p",), {}) == ExitCode.INTERRUPTED
    assert {"do": "interrupt"} in cell.told
    assert heard["killed"] == 1


def test_an_interrupt_before_the_start_is_not_lost():
    interrupt = Interrupt()
    interrupt.fire()
    cell = Cell(READY, finished(0))
    talk, _ = conversation(cell, interrupt)
    talk.wait_ready()
    assert talk.run(("p",), {}) == ExitCode.INTERRUPTED
    assert {"do": "interrupt"} in cell.told
