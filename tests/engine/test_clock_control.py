"""A clock that is altered while its service runs: one process, one control file, and what the process then says."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import LABEL
from runs import IMAGE, until

from cleanroom.engine.clock import clock_variables
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockSetting, FrozenClock
from cleanroom.spec.instant import Instant

HOUR = 3600
BEGIN = 1_900_000_000
INSIDE = "/.cleanroom"
# One process for good: bash asks the C library for the time itself.
SERVICE = r"while :; do printf '%s %(%s)T\n' $$ -1; sleep 0.1; done"
# As the runner does it, with the code of the image.
ALTER = """
import sys
from pathlib import Path
from cleanroom.engine.clock import set_clock
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, FrozenClock
from cleanroom.spec.instant import Instant
set_clock(Path("/control"), eval(sys.argv[1]), int(sys.argv[2]))
"""


class Service:
    """A service with a clock of its own, and somebody who alters it: containers that share a volume."""

    def __init__(self, api: docker.APIClient, controller: str, service: str) -> None:
        self._api, self._controller, self._service = api, controller, service

    def alter(self, setting: ClockSetting) -> None:
        code, said = execute(self._api, self._controller, "python3", "-c", ALTER, repr(setting), str(BEGIN * 10**9))
        assert code == 0, said

    def run(self, *command: str) -> tuple[int, str]:
        return execute(self._api, self._service, *command)

    def says(self) -> tuple[int, int]:
        """The process, and by how many seconds its time is ahead of this machine's, by its last line."""
        now = time.time()
        line = self._api.logs(self._service, tail=1).decode().split()
        return int(line[0]), round(int(line[1]) - now)

    def reads(self) -> int:
        return int(self._api.logs(self._service, tail=1).decode().split()[1])

    def follows(self, ahead: int) -> bool:
        """Whether it comes to be so far ahead; half a minute of a slow machine is no other clock."""
        return bool(until(lambda: abs(self.says()[1] - ahead) < 30, 60))


@pytest.fixture(scope="module")
def service(docker_host: str, token: str) -> Iterator[Service]:
    api = docker.APIClient(docker_host, version="auto", timeout=120)
    name = f"clr-test-{token}-{secrets.token_hex(4)}"
    made: list[str] = []

    def start(image: str, command: list[str], **settings: object) -> str:
        host = api.create_host_config(network_mode="none", init=True, binds=settings.pop("binds"))
        container = api.create_container(
            image, entrypoint=command, host_config=host, labels={LABEL: token}, **settings
        )["Id"]
        made.append(container)
        api.start(container)
        return container

    ours = os.environ.get("CLEANROOM_IMAGE", "cleanroom-action:dev")
    try:
        for volume in ("kit", "control"):
            api.create_volume(f"{name}-{volume}", labels={LABEL: token})
        shared = [f"{name}-kit:/kit", f"{name}-control:/control"]
        copied = "cp -r /opt/cleanroom/kit/clock/. /kit && touch /kit/copied && exec sleep 3600"
        controller = start(ours, ["/bin/sh", "-c", copied], binds=shared)
        found = Service(api, controller, "")
        found.alter(ClockOffset(offset=Duration(HOUR * 10**9)))
        assert until(lambda: execute(api, controller, "test", "-e", "/kit/copied")[0] == 0, 60)
        variables = clock_variables(ClockOffset(offset=Duration(0)), {})
        binds = [f"{name}-kit:{INSIDE}/clock:ro", f"{name}-control:{INSIDE}/clock-control:ro"]
        running = start(IMAGE, ["/bin/bash", "-c", SERVICE], binds=binds, environment=variables)
        assert until(lambda: api.logs(running, tail=1).endswith(b"\n"), 60)
        yield Service(api, controller, running)
    finally:
        for container in made:
            api.remove_container(container, force=True)
        for volume in ("kit", "control"):
            api.remove_volume(f"{name}-{volume}", force=True)
        api.close()


def execute(api: docker.APIClient, container: str, *command: str) -> tuple[int, str]:
    made = api.exec_create(container, list(command))["Id"]
    said = api.exec_start(made).decode("utf-8", "replace")
    return int(api.exec_inspect(made)["ExitCode"]), said


def test_a_running_process_follows_its_control_file(service: Service):
    process, _ = service.says()
    for ahead in (HOUR, -2 * HOUR, 0, 48 * HOUR):
        service.alter(ClockOffset(offset=Duration(ahead * 10**9)))
        assert service.follows(ahead), ahead
    at = Instant((BEGIN + HOUR) * 10**9)
    service.alter(ClockAt(at=at))
    assert service.follows(HOUR), "an instant is an offset from the beginning of the environment"
    service.alter(FrozenClock())
    assert until(lambda: service.reads() == BEGIN, 60)
    assert service.says()[0] == process, "it is one process all along"


def test_nothing_is_followed_that_nobody_wrote(service: Service):
    """The control: what the test above waits for does not come by itself."""
    service.alter(ClockOffset(offset=Duration(5 * HOUR * 10**9)))
    assert service.follows(5 * HOUR)
    assert not until(lambda: abs(service.says()[1] - 6 * HOUR) < 30, 3)


def test_a_service_cannot_write_its_control_file(service: Service):
    code, said = service.run("/bin/sh", "-c", f"echo +1 > {INSIDE}/clock-control/clock")
    assert code != 0
    assert "Read-only file system" in said
