"""What a runner of workflows does with a container action, for what act cannot do: signals, file commands, mounts.

Follows actions/runner: DockerCommandManager (`docker run`), ContainerActionHandler (mounts), ProcessInvoker (signals).
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.action.runner import read_file_command

IMAGE = os.environ.get("CLEANROOM_IMAGE", "cleanroom-action:dev")
# Signal, and how long the runner's client may take to end after it.
PATIENCE = ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5))


@dataclass
class Step:
    """One stage of the action: the runner's client that runs its container, and the files they share."""

    name: str
    client: subprocess.Popen[bytes]
    log_file: Path
    files: Mapping[str, Path]

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def outputs(self) -> dict[str, str]:
        return read_file_command(self.files["GITHUB_OUTPUT"].read_text())

    @property
    def state(self) -> dict[str, str]:
        return read_file_command(self.files["GITHUB_STATE"].read_text())

    @property
    def summary(self) -> str:
        return self.files["GITHUB_STEP_SUMMARY"].read_text()

    def wait(self, timeout: float) -> int:
        return self.client.wait(timeout)

    def wait_for(self, text: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while text not in self.log:
            assert self.client.poll() is None, f"ended with {self.client.returncode} before {text!r}:\n{self.log}"
            assert time.monotonic() < end, f"no {text!r} within {timeout} s:\n{self.log}"
            time.sleep(0.05)

    def cancel(self) -> str:
        """Cancel as the runner does; returns the signal after which its client ended."""
        for number, patience in PATIENCE:
            self.client.send_signal(number)
            try:
                self.client.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            return number.name
        self.client.kill()
        self.client.wait(10)
        return signal.SIGKILL.name


@dataclass
class Runner:
    """A runner with one job in one repository; `work` is its folder, the checkout lies in it."""

    work: Path
    repository: str
    docker_host: str
    started: list[Step] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        name = self.repository.partition("/")[2]
        return self.work / name / name

    @property
    def mounts(self) -> tuple[tuple[Path | str, str], ...]:
        temp = self.work / "_temp"
        return (
            (self.docker_host.removeprefix("unix://"), "/var/run/docker.sock"),
            (temp, "/github/runner_temp"),
            (temp / "_github_home", "/github/home"),
            (temp / "_github_workflow", "/github/workflow"),
            (temp / "_runner_file_commands", "/github/file_commands"),
            (self.workspace, "/github/workspace"),
        )

    def start(
        self, inputs: Mapping[str, str], *, env: Mapping[str, str] | None = None, entrypoint: str = "/entrypoint.py"
    ) -> Step:
        """Start a stage; `env` is what the workflow and the runner's own services add."""
        assert self.docker_host.startswith("unix://"), "these tests mount the engine's socket"
        for source, _ in self.mounts[1:]:
            Path(source).mkdir(parents=True, exist_ok=True)
        key = secrets.token_hex(6)
        commands = self.work / "_temp" / "_runner_file_commands"
        files = {
            "GITHUB_OUTPUT": commands / f"set_output_{key}",
            "GITHUB_STATE": commands / f"save_state_{key}",
            "GITHUB_STEP_SUMMARY": commands / f"step_summary_{key}",
        }
        for file in files.values():
            file.touch()
        values = {
            **(env or {}),
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            **{name: f"/github/file_commands/{file.name}" for name, file in files.items()},
            "HOME": "/github/home",
            "GITHUB_WORKSPACE": "/github/workspace",
            "GITHUB_REPOSITORY": self.repository,
            "RUNNER_TEMP": "/github/runner_temp",
            "RUNNER_WORKSPACE": str(self.workspace.parent),
        }
        name = f"e2e_{self.workspace.name}_{key}"
        command = ["docker", "--host", self.docker_host, "run", "--name", name, "--label", key[:6]]
        command += ["--workdir", "/github/workspace", "--rm"]
        command += [part for variable in values for part in ("-e", variable)]
        command += ["-e", "GITHUB_ACTIONS=true", "-e", "CI=true", "--entrypoint", entrypoint]
        command += [part for source, place in self.mounts for part in ("-v", f"{source}:{place}")]
        log = self.work / f"{name}.log"
        with log.open("wb") as sink:
            client = subprocess.Popen(
                [*command, IMAGE], env={"PATH": os.environ["PATH"], **values}, stdin=subprocess.DEVNULL, stdout=sink,
                stderr=sink, cwd=self.work,
            )  # fmt: skip
        step = Step(name, client, log, files)
        self.started.append(step)
        return step

    def post(self, main: Step, timeout: float = 60) -> str:
        """Run the post stage that belongs to a step and return its log; it must succeed."""
        state = {f"STATE_{name}": value for name, value in main.state.items()}
        step = self.start({}, env=state, entrypoint="/post-entrypoint.py")
        assert step.wait(timeout) == 0, step.log
        return step.log

    def close(self) -> None:
        """End every client that still runs."""
        for step in self.started:
            if step.client.poll() is None:
                step.client.kill()
                step.client.wait(10)
