from __future__ import annotations

import pytest

from cleanroom.report.console import LiveConsole, PlainConsole, event_line, render_console
from cleanroom.run.events import Event
from tests.unit.report import runs


@pytest.mark.parametrize("kind", ["pass", "fail", "inconclusive", "error", "invalid", "nothing", "gated"])
def test_the_whole_result(kind, snapshot):
    assert render_console(runs.ALL[kind](), "cleanroom-report") == snapshot


def test_the_result_of_a_hostile_run_has_no_control_characters_and_no_command():
    text = render_console(runs.hostile())
    assert not [c for c in text if c != "\n" and ord(c) < 32]
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]


def test_findings_are_told_by_position_rule_expected_and_found():
    assert (
        "checkout.cleanroom.yaml:41:9 spans.count expected at least 1 span INSERT orders, found 0 spans"
        in render_console(runs.failing())
    )


def event(**fields):
    return Event(
        **{
            "kind": "step",
            "text": "POST /orders",
            "suite": "s",
            "iteration": 0,
            "scenario": "a",
            "subject": "place",
            **fields,
        }
    )


def test_a_line_tells_where_what_and_how_long():
    assert event_line(event(seconds=0.5, ok=False)) == "[s · iteration 1 · a] FAIL step place: POST /orders (0.50 s)"


def test_a_line_says_nothing_twice():
    assert (
        event_line(Event(kind="phase", text="images", subject="images", seconds=1, ok=True))
        == "ok phase images (1.00 s)"
    )
    assert event_line(Event(kind="step", text="", subject="greet", seconds=0, ok=True)) == "ok step greet (0.00 s)"


def test_a_log_gets_a_line_when_a_step_ends_and_when_a_phase_begins():
    written = []
    console = PlainConsole(written.append)
    console(event())
    console(event(seconds=0.1, ok=True))
    console(Event(kind="phase", text="starting the engine"))
    assert written == ["[s · iteration 1 · a] ok step place: POST /orders (0.10 s)\n", "starting the engine\n"]


def screen(written):
    """What a terminal shows after these writes."""
    lines = [""]
    for chunk in written:
        text = chunk
        while text.startswith("\x1b["):
            up = int(text[2 : text.index("A")])
            text = text[text.index("A") + 1 :].removeprefix("\r\x1b[J")
            lines = [*lines[: len(lines) - 1 - up], ""]
        for character in text:
            if character == "\n":
                lines.append("")
            else:
                lines[-1] += character
    return lines[:-1]


def test_a_terminal_shows_what_is_under_way_and_keeps_what_failed():
    written = []
    console = LiveConsole(written.append)
    console(event())
    console(event(subject="pay"))
    assert len(screen(written)) == 2
    console(event(seconds=0.1, ok=True))
    assert [line for line in screen(written) if "pay" in line] == screen(written)
    console(event(subject="pay", seconds=0.2, ok=False))
    assert screen(written) == ["[s · iteration 1 · a] FAIL step pay: POST /orders (0.20 s)"]


def test_a_terminal_is_left_clean():
    written = []
    console = LiveConsole(written.append)
    for number in range(30):
        console(event(subject=f"step-{number}"))
    assert len(screen(written)) == 9
    console.close()
    assert screen(written) == []


def test_no_service_can_write_to_the_terminal():
    written = []
    LiveConsole(written.append)(event(text="\x1b[2J\x1b]0;pwned\x07 hi"))
    assert written == ["[s · iteration 1 · a] step place: hi\n"]


def test_a_fault_is_shown_while_it_stands_and_when_it_is_over():
    struck = {"kind": "fault", "subject": "slow", "text": "network.latency on db"}
    plain, live = [], []
    for console in (PlainConsole(plain.append), LiveConsole(live.append)):
        console(event(**struck))
        console(event(**struck, seconds=1.5, ok=True))
    assert plain == [
        "[s · iteration 1 · a] fault slow: network.latency on db\n",
        "[s · iteration 1 · a] ok fault slow: network.latency on db (1.50 s)\n",
    ]
    assert "fault slow: network.latency on db" in live[0]
    assert "fault slow" not in live[1]
