from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.drive.reach import Container
from cleanroom.engine.ports import Command, ContainerSpec
from cleanroom.errors import CapabilityError
from cleanroom.faults.container import exit as exits
from cleanroom.faults.container.exit import found_program, leftovers, open_exit
from cleanroom.faults.container.wrapper import PROGRAM
from tests.unit.faults.scenes import NEVER, Engine, Time, context, event

COMMAND = Command(words=("server", "--port", "1"), path=("/usr/bin", "/opt/bin"))


class Ending(Engine):
    """An engine whose containers end with `code` as long as there is one, and run from then on."""

    def __init__(self, *codes: int) -> None:
        super().__init__(Time(), "db")
        self.codes = list(codes)
        self.made: list[ContainerSpec] = []
        self.unpacked: list[str] = []

    def command(self, container: str) -> Command:
        assert container in self.states
        return COMMAND

    def unpack(self, container: str, archive: bytes) -> None:
        assert archive
        self.unpacked.append(container)

    def start(self, container: str) -> None:
        self.time.sleep(0.1)
        self.begin(container)
        if self.codes:
            self.time.sleep(0.1)
            self.end(container, self.codes.pop(0))

    def recreate(self, service: str, *, keep_volumes: bool, change=lambda spec: spec) -> Container:
        assert keep_volumes
        self.made.append(change(ContainerSpec(name=service, image="i", command=("other",))))
        self.states[service] = replace(
            self.states[service], status="created", pid=0, started_at=NEVER, finished_at=NEVER
        )
        return Container(service=service, id=service, address="10.0.0.10")


@pytest.fixture(autouse=True)
def machine(monkeypatch) -> None:
    monkeypatch.setattr(exits.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(exits, "visible_pid", lambda state: state.pid)
    monkeypatch.setattr(exits, "found_program", lambda command, _: f"/usr/bin/{command.words[0]}")


def opened(engine: Ending, **parameters: object):
    ground = replace(context(engine), recreate=engine.recreate)
    return open_exit(event("container.exit", "db", parameters={"code": 7, "times": 1, **parameters}), ground)


def test_a_service_without_a_policy_is_started_until_it_has_ended_so_often():
    engine = Ending(7, 7)
    fault = opened(engine, times=2)
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.facts["db.exit_codes"], engine.unpacked) == (True, "7, 7", ["db"])
    assert (engine.made[0].entrypoint, engine.made[0].command) == ((PROGRAM, "/usr/bin/server"), ("--port", "1"))
    fault.revert()
    fault.revert()
    assert (engine.revived, len(engine.made)) == (["db"], 1)
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, "")
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("start", True)


@pytest.mark.parametrize("codes", [(1,), (7, 0)])
def test_another_code_is_no_evidence(codes):
    engine = Ending(*codes)
    fault = opened(engine, times=len(codes))
    fault.inject()
    effect = fault.verify()
    assert not effect.holds
    assert effect.reason.endswith(f"not {len(codes)} times with 7")


def test_a_start_that_ends_nothing_is_no_evidence_and_did_not_last():
    engine = Ending()
    fault = opened(engine)
    fault.inject()
    assert fault.verify().reason == "db ended with no code, not 1 times with 7"
    fault.revert()
    assert fault.verify_reversal().lapsed == "db ended so 0 times, not 1"


def test_a_count_that_was_not_used_up_goes_with_its_container():
    engine = Ending(7)
    fault = opened(engine, times=2)
    fault.inject()
    engine.end("db", 7)
    fault.revert()
    assert (len(engine.made), engine.made[1].entrypoint) == (2, None)


def test_another_architecture_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(exits.platform, "machine", lambda: "aarch64")
    with pytest.raises(CapabilityError, match="x86_64, and this machine is aarch64"):
        opened(Ending(7))


def test_a_program_is_found_as_the_engine_finds_it(tmp_path):
    (tmp_path / "7/root/opt/bin").mkdir(parents=True)
    (tmp_path / "7/root/opt/bin/server").symlink_to("/nowhere/here")
    assert found_program(COMMAND, 7, tmp_path) == "/opt/bin/server"
    assert found_program(replace(COMMAND, words=("./run",)), 7, tmp_path) == "./run"
    with pytest.raises(CapabilityError, match="other is in none of /usr/bin:/opt/bin"):
        found_program(replace(COMMAND, words=("other",)), 7, tmp_path)


def test_what_is_left_to_count_is_seen_from_outside(tmp_path):
    engine = Engine(Time(), "db")
    folder = tmp_path / "100/root/.cleanroom-exit"
    assert leftovers(engine.states["db"], tmp_path) == []
    folder.mkdir(parents=True)
    for name in ("run", "0001"):
        (folder / name).touch()
    assert leftovers(engine.states["db"], tmp_path) == ["0001"]
    assert leftovers(engine.states["db"], tmp_path, remove=True) == ["0001"]
    assert [one.name for one in folder.iterdir()] == ["run"]


def test_a_link_in_a_container_leads_to_none_of_our_files(tmp_path):
    engine = Engine(Time(), "db")
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "0001").touch()
    root = tmp_path / "100/root"
    root.mkdir(parents=True)
    (root / ".cleanroom-exit").symlink_to(ours)
    assert leftovers(engine.states["db"], tmp_path, remove=True) == []
    assert (ours / "0001").exists()
