from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Children that take their time to end, as on a machine that has none for them.
SLOW = """
import os, time
from cleanroom.faults.process import crowd
leave = os._exit
def slowly(code):
    time.sleep(0.3)
    leave(code)
os._exit = slowly
crowd.crowd({"do": "end", "count": 3}, 0, 1)
"""


def state(pid: str) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def test_the_crowd_says_that_it_is_there_when_all_of_it_are_zombies():
    with subprocess.Popen((sys.executable, "-c", SLOW), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as leader:
        assert leader.stdin is not None
        assert leader.stdout is not None
        assert b'"made": 3' in leader.stdout.read(1) + leader.stdout.read1(200)
        children = Path(f"/proc/{leader.pid}/task/{leader.pid}/children").read_text(encoding="ascii").split()
        states = [state(child) for child in children]
        leader.stdin.close()
        assert states == ["Z", "Z", "Z"]
        assert leader.wait(20) == 0
