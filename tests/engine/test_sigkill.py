"""SIGKILL of `cleanroom run` at any moment: within ten seconds nothing of the run exists, and the next run works."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import drop_cache, existing
from remains import host_rules, loose_cables, names, remains
from runs import IMAGE, Started, cleanroom, descendants, owned_by, start, until, write

LIMIT = 10
# As long as a request of a dead launcher may still be in flight: what appears after that is left for good.
IN_FLIGHT = 3

BUSY = f"""
cleanroom: 1
meta: {{name: busy}}
services:
  one: {{image: "{IMAGE}", command: [sleep, infinity]}}
  two: {{image: "{IMAGE}", command: [sleep, infinity]}}
scenarios:
  - name: it is slow and then dead
    steps:
      - {{name: say, exec: {{service: one, command: [echo, hi]}}}}
      - {{name: hold, sleep: 3s}}
      - {{name: work, exec: {{service: two, command: "sleep 1"}}}}
    chaos:
      - {{id: slow, fault: network.latency, target: two, delay: 100ms, at: {{after_step: say}}, for: 2s}}
expect: {{hermeticity: {{egress: none, leaks: none}}}}
determinism: {{iterations: 2}}
"""
NEXT = f"""
cleanroom: 1
meta: {{name: next}}
services:
  one: {{image: "{IMAGE}", command: [sleep, infinity]}}
scenarios:
  - name: it works
    steps:
      - {{name: say, exec: {{service: one, command: [echo, hi]}}, expect: {{stdout: "hi\\n"}}}}
expect: {{hermeticity: {{egress: none, leaks: none}}}}
determinism: {{iterations: 1}}
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """When the launcher is killed: `seconds` after its start, or after a line of its output."""

    name: str
    line: str = ""
    seconds: float = 0.0
    arguments: tuple[str, ...] = ()

    def wait(self, run: Started) -> None:
        if self.line:
            run.wait_for(self.line)
        time.sleep(self.seconds)


DEFAULT = (
    Moment("as the cell is being made", seconds=0.6),
    Moment("as images are copied", line="phase images", seconds=0.2, arguments=("--image-cache", "off")),
    Moment("as services start", line="iteration 1] running", seconds=0.3),
    Moment("during a fault", line="step say", seconds=1.0),
)
MORE = (
    Moment("at once"),
    Moment("as modules load", seconds=0.3),
    Moment("before the engine", seconds=1.0),
    Moment("as the engine starts", line="phase engine"),
    Moment("as the network is made", line="phase network"),
    Moment("during the proof", line="phase proof", seconds=0.5),
    Moment("during a step", line="step hold"),
    Moment("as services stop", line="step work"),
    Moment("as it cleans up", line="phase cleanup"),
    Moment("as the report is fetched", line="reports "),
)
MOMENTS = [
    *(pytest.param(moment, id=moment.name) for moment in DEFAULT),
    *(pytest.param(moment, id=moment.name, marks=pytest.mark.full) for moment in MORE),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for all runs, so that they share the image cache, as the runs of a user do."""
    folder = tmp_path_factory.mktemp("killed")
    write(folder, "busy", BUSY)
    write(folder, "next", NEXT)
    yield folder
    drop_cache(str(folder))


def arguments(mode: str, workspace: Path) -> tuple[str, ...]:
    return ("--engine", mode, "--state-dir", str(workspace / "state"))


@pytest.mark.parametrize("mode", ["cell", "own"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_left_of_a_killed_run_and_the_next_one_works(
    mode: str, moment: Moment, workspace: Path, tmp_path: Path, docker_host: str
):
    before = host_rules() | loose_cables()
    chosen = ("busy.cleanroom.yaml", *arguments(mode, workspace), *moment.arguments)
    with start(*chosen, out=tmp_path, cwd=workspace) as run:
        pid = run.process.pid
        moment.wait(run)
        runs = names(pid, docker_host, workspace)
        alive = [found for name in runs for found in existing(name)]
        below = descendants(pid)
        assert seen(moment, mode, alive), f"what is under way must be seen, or the look proves nothing: {alive}"
        run.process.kill()
        killed = time.monotonic()
    left: list[str] = []

    def gone() -> bool:
        nonlocal left
        runs.update(names(pid, docker_host, workspace))
        left = remains(runs, docker_host, pid)
        left += [f"process {child}" for child in below if Path(f"/proc/{child}/stat").exists()]
        return not left

    assert until(gone, LIMIT), f"{left} is left after {time.monotonic() - killed:.0f} s; it had {alive}"
    time.sleep(max(0.0, killed + IN_FLIGHT - time.monotonic()))
    assert gone(), f"{left} came after the launcher's death"
    assert until(lambda: not (host_rules() | loose_cables()) - before, LIMIT), host_rules() | loose_cables()

    ran = cleanroom("next.cleanroom.yaml", *arguments(mode, workspace), out=tmp_path, cwd=workspace)
    assert ran.code == 0, ran.said
    assert ran.report["engine"]["mode"] == mode
    assert owned_by(docker_host, ran.pid) == ()
    assert list((workspace / "state" / "runs").glob("*")) == [], "the next run sweeps what the dead one left on disk"


def seen(moment: Moment, mode: str, alive: list[str]) -> bool:
    """Whether the look for what is left sees, before the kill, what there must be at that moment."""
    wanted = {"engine:"} if mode == "cell" else {"process:"}
    if mode == "own" and moment.name == "during a fault":
        wanted = {"process:", "host: link", "host: table", "host: cgroup"}
    return not moment.line or all(any(found.startswith(kind) for found in alive) for kind in wanted)
