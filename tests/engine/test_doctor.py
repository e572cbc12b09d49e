"""Doctor on this machine: what it says of every fault, and that it is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import ROOT

from cleanroom.faults.ladder import LADDERS
from cleanroom.faults.needs import NEEDS
from cleanroom.pipeline.doctor.examples import EXAMPLES

FEW = ("network.latency", "container.pause", "http.status", "clock.skew", "dns.spoof", "filesystem.missing")


def doctor(*options: str, patience: float) -> tuple[int, str]:
    done = subprocess.run(
        (sys.executable, "-u", "-m", "cleanroom.cli.main", "doctor", *options),
        cwd=ROOT, capture_output=True, text=True, timeout=patience, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def rows(text: str) -> dict[str, str]:
    """What begins with ok or no: the words by name, the first of each."""
    found: dict[str, str] = {}
    for mark, rest in re.findall(r"^(ok|no)  (.+)$", text, re.MULTILINE):
        name, _, words = rest.partition("  ")
        found.setdefault(name, f"{mark} {words.strip()}")
    return found


def proven(text: str) -> dict[str, str]:
    return rows(text.partition("proven in throw-away containers\n")[2])


def test_every_need_and_every_fault_is_told_of():
    code, text = doctor(patience=200)
    assert code == 0, text
    found = rows(text)
    assert {name for name, need in NEEDS.items() if not need.by_service} <= set(found), text
    assert {ladder.kind for ladder in LADDERS} <= set(found), text
    assert found["engine"].startswith("ok")
    assert found["cell"].startswith("ok")


@pytest.mark.full
def test_some_faults_are_proven():
    code, text = doctor("--probe", ",".join(FEW), patience=280)
    assert code == 0, text
    assert set(proven(text)) == {*FEW, "left behind", "cell"}, text
    assert all(words.startswith("ok") for words in proven(text).values()), text


@pytest.mark.full
@pytest.mark.timeout(900)
def test_every_fault_that_needs_no_special_server_is_proven():
    code, text = doctor("--probe", patience=880)
    assert code == 0, text
    assert set(proven(text)) >= set(EXAMPLES), text
