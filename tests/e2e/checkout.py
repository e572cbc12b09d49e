"""A checkout of this repository as a workflow has it: the files that git knows, and the specs of these tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPECS = Path(__file__).parent / "specs"
PLACE = "examples/e2e"
_GIT = ("git", "-c", "safe.directory=*", "-c", "user.name=e2e", "-c", "user.email=e2e@example.com")


def copy_checkout(target: Path, repository: str) -> None:
    """Copy the working tree into `target` and make it a clone of `repository` (owner/name)."""
    listed = _git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    shutil.copytree(SPECS, target / PLACE)
    _git(target, "init", "--quiet", "--initial-branch=main")
    _git(target, "commit", "--quiet", "--allow-empty", "--message=e2e")
    _git(target, "remote", "add", "origin", f"https://github.com/{repository}")


def _git(folder: Path, *arguments: str) -> str:
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = (*_GIT, "-C", str(folder), *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environ).stdout
