"""A cell runs a nested engine without privilege, opens nothing, learns no secret, and keeps images only."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import Launched, drop_cache, existing, worker

LOOK = """
    import json
    rows = [row.split() for name in ("tcp", "tcp6") for row in open("/proc/net/" + name).readlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A"]
    say("listening " + json.dumps(listening))
    say("environment " + json.dumps(sorted(os.environ)))
    say("secret " + str(any("s3cret" in v for v in os.environ.values())))
    say("forward " + open("/proc/sys/net/ipv4/ip_forward").read().strip())
    say("spec " + Path(facts.workspace, "spec.txt").read_text())
    try:
        Path(facts.workspace, "new").write_text("x")
        say("workspace writable")
    except OSError as err:
        say("workspace read-only")
    Path(facts.report, "report.json").write_text("{}")
    sys.exit(7)
"""
LISTEN = (
    """
    import socket
    held = socket.create_server(("127.0.0.1", 0))
"""
    + LOOK
)


def said(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start).strip()


def test_a_cell_runs_an_engine_without_privilege_and_hands_the_report_out(tmp_path: Path):
    launched = Launched("cell", tmp_path, code=worker(LOOK))
    text = launched.finish()
    assert "result 7 capabilities () ()" in text, text
    assert int(said(text, "engine ").split(".")[0]) >= 26
    assert said(text, "listening ") == "[]"
    assert said(text, "forward ") == "0"
    assert said(text, "secret ") == "False"
    assert "ACTIONS_" not in said(text, "environment ")
    assert said(text, "spec ") == "hello"
    assert "workspace read-only" in text
    assert (launched.out / "report.json").read_text() == "{}"
    assert existing(launched.run) == []


def test_the_look_for_listeners_sees_one(tmp_path: Path):
    text = Launched("cell", tmp_path, code=worker(LISTEN)).finish()
    assert said(text, "listening ") != "[]"


def test_namespaces_run_an_engine_and_hand_the_report_out(tmp_path: Path):
    launched = Launched("own", tmp_path, code=worker(LOOK))
    text = launched.finish()
    assert "result 7 root () ()" in text, text
    assert said(text, "secret ") == "False"
    assert said(text, "spec ") == "hello"
    assert "workspace read-only" in text
    assert (launched.out / "report.json").read_text() == "{}"
    assert existing(launched.run) == []


@pytest.mark.parametrize("mode", ["cell", "own"])
def test_a_cache_keeps_images_and_nothing_else_even_after_a_kill(mode: str, tmp_path: Path):
    scope = f"test {tmp_path}"
    try:
        first = Launched(mode, tmp_path, code=worker("sys.exit(0)"), scope=scope)
        assert "importing" in first.finish()
        killed = Launched(mode, tmp_path, code=worker(), scope=scope)
        killed.wait_for("running")
        killed.kill()
        third = Launched(mode, tmp_path, code=worker("sys.exit(0)"), scope=scope)
        text = third.finish()
        # Not imported again: the image is there; the container called `inner` is not, or it could not be created.
        assert "importing" not in text, text
        assert "result 0 " in text, text
        if mode == "cell":
            assert int(said(text, "before ").split()[0]) > 0, "the killed run must have left something to remove"
        assert said(text, "before ").endswith("False")
    finally:
        drop_cache(scope)


@pytest.mark.parametrize("mode", ["cell", "own"])
def test_a_cache_in_use_is_not_used_twice(mode: str, tmp_path: Path):
    scope = f"test {tmp_path}"
    try:
        holder = Launched(mode, tmp_path, code=worker(), scope=scope)
        holder.wait_for("running")
        second = Launched(mode, tmp_path, code=worker("sys.exit(0)"), scope=scope)
        text = second.finish()
        assert "importing" in text
        assert "in use by another run" in text
        holder.kill()
    finally:
        drop_cache(scope)


@pytest.mark.parametrize("mode", ["cell", "own"])
def test_an_interrupt_stops_the_worker_within_the_runners_budget_and_keeps_its_report(mode: str, tmp_path: Path):
    code = worker(
        "Path(facts.report, 'partial').write_text('x')\n"
        "    try:\n        say('waiting'); time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        say('stopping'); sys.exit(130)"
    )
    launched = Launched(mode, tmp_path, code=code)
    launched.wait_for("waiting")
    begun = time.monotonic()
    launched.process.send_signal(signal.SIGINT)
    text = launched.finish()
    assert time.monotonic() - begun < 7.5
    assert "stopping" in text
    assert "result 130 " in text
    assert (launched.out / "partial").exists()
    assert existing(launched.run) == []


def test_a_worker_that_ignores_the_interrupt_is_killed_within_the_budget(tmp_path: Path):
    code = worker("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); say('waiting'); time.sleep(60)")
    launched = Launched("cell", tmp_path, code=code)
    launched.wait_for("waiting")
    begun = time.monotonic()
    launched.process.send_signal(signal.SIGINT)
    assert "result 130 " in launched.finish()
    assert time.monotonic() - begun < 7.5
    assert existing(launched.run) == []
