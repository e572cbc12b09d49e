"""A private engine in a network namespace that has a docker0: whose it is is not asked, it stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from pathlib import Path
from cleanroom.engine import daemon
base = sys.argv[1]
if sys.argv[2] == "careless":
    daemon.default_bridge = lambda: "none"
options = daemon.DaemonOptions(data_root=base + "/d", exec_root=base + "/e", socket=base + "/s", pidfile=base + "/p",
    log=base + "/l")
with daemon.start_dockerd(options) as engine:
    engine.check_alive()
    print("docker0", Path("/sys/class/net/docker0").exists())
"""
PREPARE = (
    "mkdir -p /run/containerd /run/docker && mount -t tmpfs t /run/containerd && mount -t tmpfs t /run/docker "
    '&& mount -t sysfs s /sys && ip link add docker0 type bridge && exec "$0" -c "$1" "$2" "$3"'
)


@pytest.mark.parametrize(("how", "left"), [("ours", "docker0 True"), ("careless", "docker0 False")])
def test_docker0_survives_ours_and_would_not_survive_an_engine_without_a_bridge(how: str, left: str, tmp_path: Path):
    namespaces = ("unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")
    done = subprocess.run(
        (*namespaces, "sh", "-c", PREPARE, sys.executable, SCRIPT, str(tmp_path), how),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CLEANROOM_RUN": "0123abcd"},
    )
    assert left in done.stdout, done.stderr
