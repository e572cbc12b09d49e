"""Workflows run by act, and what it says of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# A job's container needs bash and tail only, and this image is the base of everything here.
JOB_IMAGE = "debian:trixie-slim"


@dataclass(frozen=True, slots=True)
class Acted:
    """One run of act: its exit code and its log."""

    code: int
    log: str

    def section(self, name: str, stage: str = "Main") -> str:
        """What was said from the start of a step's stage until the next one starts."""
        parts = re.split(r"(?m)^(?=\[[^\]]*\] ⭐ Run )", self.log)
        found = [part for part in parts if part.partition("⭐ Run ")[2].startswith(f"{stage} {name}\n")]
        assert len(found) == 1, f"{stage} {name}: {len(found)} sections in\n{self.log}"
        return found[0]

    def commands(self, name: str) -> list[str]:
        """Every command that act obeyed while a step ran: the lines that it marks, apart from its own."""
        marked = re.findall(r"(?m)^\[[^\]]*\]   [^\s|]+  (::.*)$", self.section(name))
        return [line for line in marked if not line.startswith("::set-output:: ")]

    def summary(self, name: str) -> str:
        """The job summary that a step wrote."""
        found = re.search(r"(?s) Summary - (.*?)(?=^\[|\Z)", self.section(name), re.MULTILINE)
        assert found, self.section(name)
        return found[1]


def act(checkout: Path, workflow: dict[str, object], cache: Path, timeout: float) -> Acted:
    """Run a workflow in a checkout, its container with the checkout mounted; at most `timeout` seconds."""
    file = checkout / ".github" / "workflows" / "e2e.yml"
    file.write_text(json.dumps(workflow))
    docker_host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    command = (
        Path(sys.executable).with_name("act"), "push", "--workflows", file, "--platform", f"ubuntu-latest={JOB_IMAGE}",
        "--bind", "--rm", "--pull=false", "--no-cache-server", "--container-daemon-socket", docker_host,
    )  # fmt: skip
    # Nothing else of this environment: act hands its own on.
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(cache),
        "XDG_CACHE_HOME": str(cache),
        "DOCKER_HOST": docker_host,
        "ACT_DISABLE_VERSION_CHECK": "1",
    }
    log = cache / "act.log"
    with log.open("wb") as sink:
        client = subprocess.Popen(
            command, cwd=checkout, env=environ, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
        try:
            code = client.wait(timeout)
        except subprocess.TimeoutExpired:
            client.kill()
            client.wait(10)
            raise AssertionError(f"not done after {timeout} s:\n{log.read_text(errors='replace')}") from None
    return Acted(code, log.read_text(errors="replace"))
