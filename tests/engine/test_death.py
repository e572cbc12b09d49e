"""SIGKILL of the launcher at any moment leaves nothing, and the next run works (both kinds of cell)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import Launched, existing, gone_within, worker

MOMENTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2)
BEFORE_START = """
import cleanroom.engine.raw as raw
raw.RawEngine.start = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("mode", ["cell", "own"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_launcher_killed_early_leaves_nothing(mode: str, moment: float, tmp_path: Path):
    launched = Launched(mode, tmp_path, code=worker())
    time.sleep(moment)
    launched.kill()
    # Beyond the three seconds for which a request may still be in flight, nothing may appear either.
    assert gone_within(launched.run, 10) == []
    time.sleep(1)
    assert existing(launched.run) == []


@pytest.mark.parametrize("mode", ["cell", "own"])
@pytest.mark.parametrize("line", ["worker", "engine", "running"])
def test_a_launcher_killed_at_a_known_stage_leaves_nothing_and_the_next_run_works(mode: str, line: str, tmp_path: Path):
    launched = Launched(mode, tmp_path, code=worker())
    launched.wait_for(line)
    assert existing(launched.run), "the look for leftovers must see a run that is alive"
    launched.kill()
    assert gone_within(launched.run, 10) == []
    again = Launched(mode, tmp_path, code=worker("sys.exit(0)"))
    assert "result 0 " in again.finish()
    assert existing(again.run) == []


def test_a_cell_that_was_created_and_never_started_is_removed(tmp_path: Path):
    launched = Launched("cell", tmp_path, code=worker(), patch=BEFORE_START)
    launched.process.wait(30)
    launched.process.stdout.close()
    assert launched.process.returncode == -9
    assert any("engine:" in name for name in existing(launched.run)), "the launcher died before it had created anything"
    assert gone_within(launched.run, 10) == []
