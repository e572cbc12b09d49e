from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import BuildSpec, ContainerSpec, ExecSpec
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration

Run = Callable[..., str]
FOREVER = ("sleep", "300")
# A child and a grandchild that ignore TERM; each writes its name to the log every 50 ms for as long as it lives.
STUBBORN = """
trap '' TERM
sh -c "trap '' TERM; sh -c \\"trap '' TERM; while :; do echo grandchild >> /tmp/beat; sleep 0.05; done\\" & wait" &
while :; do sleep 0.05; done
"""


def ms(count: int) -> Duration:
    return Duration(count * 10**6)


def said(engine: DockerEngine, container: str, *command: str) -> str:
    return engine.execute(container, ExecSpec(command=command)).stdout.decode()


def processes(engine: DockerEngine, container: str) -> str:
    script = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done"
    return said(engine, container, "sh", "-c", script)


def until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def test_a_container_is_created_started_stopped_and_removed(
    engine: DockerEngine, run: Run, api: docker.APIClient, token: str
) -> None:
    container = run(*FOREVER, start=False, hostname="db", labels={"a": "b"})
    assert engine.inspect(container).status == "created"
    engine.start(container)
    state = engine.inspect(container)
    assert (state.status, state.pid > 0, state.oom_killed) == ("running", True, False)
    assert said(engine, container, "hostname") == "db\n"
    labels = api.inspect_container(container)["Config"]["Labels"]
    assert (labels["a"], labels["cleanroom.test"]) == ("b", token)
    assert engine.wait(container, ms(50)) is None
    engine.stop(container, Duration(2 * 10**9))
    assert engine.inspect(container).status == "exited"
    assert engine.wait(container, ms(1000)) == 143
    engine.remove(container)
    engine.remove(container)
    with pytest.raises(EngineError, match="No such container"):
        engine.inspect(container)


def test_a_fine_grace_ends_in_sigkill_and_a_willing_service_is_not_killed(engine: DockerEngine, run: Run) -> None:
    stubborn = run("sh", "-c", "trap '' TERM; touch /ok; while :; do sleep 0.05; done", init=False)
    willing = run(
        "sh", "-c", "trap 'exit 7' INT; touch /ok; while :; do sleep 0.05; done", stop_signal="SIGINT", init=False
    )
    for container in (stubborn, willing):
        until(lambda c=container: engine.execute(c, ExecSpec(command=("test", "-e", "/ok"))).exit_code == 0)
        engine.stop(container, ms(700))
    assert engine.inspect(stubborn).exit_code == 137
    assert engine.inspect(willing).exit_code == 7


def test_anonymous_volumes_go_with_their_container(engine: DockerEngine, run: Run, api: docker.APIClient) -> None:
    container = run(*FOREVER, start=False)
    body = {"Image": "debian:trixie-slim", "Cmd": ["true"], "Volumes": {"/data": {}}}
    other = api.create_container_from_config(body)["Id"]
    volume = api.inspect_container(other)["Mounts"][0]["Name"]
    assert volume in engine.inventory().volumes
    engine.remove(other)
    engine.remove(container)
    assert volume not in engine.inventory().volumes


def test_files_are_in_place_and_the_directories_of_the_image_keep_their_modes(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER, files={"/etc/app/x.toml": b"x = 1", "/tmp/raw": b"\xff\x00", "/var/run/pid": b"1"})
    assert said(engine, container, "cat", "/etc/app/x.toml", "/run/pid") == "x = 11"
    assert engine.execute(container, ExecSpec(command=("cat", "/tmp/raw"))).stdout == b"\xff\x00"
    stat = said(engine, container, "stat", "-c", "%a %u %n", "/tmp", "/etc/app", "/etc/app/x.toml")
    assert stat == "1777 0 /tmp\n755 0 /etc/app\n644 0 /etc/app/x.toml\n"


def test_limits_reach_the_engine_and_the_process(engine: DockerEngine, run: Run, api: docker.APIClient) -> None:
    container = run(
        *FOREVER, cpus=0.5, memory=64 << 20, memory_swap=64 << 20, pids=50, nofile=123, tmpfs={"/scratch": 1 << 20}
    )
    host = api.inspect_container(container)["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (5 * 10**8, 64 << 20, 50)
    assert said(engine, container, "sh", "-c", "ulimit -n") == "123\n"
    full = engine.execute(container, ExecSpec(command=("sh", "-c", "head -c 2000000 /dev/zero > /scratch/x")))
    assert b"No space left" in full.stderr


def test_an_out_of_memory_kill_is_seen(engine: DockerEngine, run: Run) -> None:
    eat = "x=$(head -c 200000000 /dev/zero | tr '\\0' a); echo ${#x}"
    container = run("sh", "-c", eat, memory=16 << 20, memory_swap=16 << 20, init=False)
    assert engine.wait(container, Duration(30 * 10**9)) != 0
    assert engine.inspect(container).oom_killed


def test_the_restart_policy_brings_a_service_back_but_not_after_stop(engine: DockerEngine, run: Run) -> None:
    container = run("sh", "-c", "sleep 0.1; exit 1", restart_policy="on-failure", restart_max=2)
    until(lambda: engine.inspect(container).status == "exited")
    assert engine.inspect(container).restart_count == 2
    assert engine.inspect(container).exit_code == 1


def test_logs_hold_both_streams_in_order_and_are_cut_at_the_front(engine: DockerEngine, run: Run) -> None:
    container = run(
        "sh", "-c", "for i in 1 2 3; do echo out$i; sleep 0.05; echo err$i >&2; sleep 0.05; done; printf '\\377'"
    )
    assert engine.wait(container, Duration(10 * 10**9)) == 0
    assert engine.logs(container) == b"out1\nerr1\nout2\nerr2\nout3\nerr3\n\xff"
    assert engine.logs(container, 8) == b"3\nerr3\n\xff"


def test_logs_are_followed_from_the_start_until_told_to_stop(engine: DockerEngine, run: Run) -> None:
    container = run("sh", "-c", "echo first; while :; do sleep 0.05; echo more; done")
    seen = bytearray()
    stop = engine.follow_logs(container, seen.extend)
    until(lambda: seen.count(b"more\n") >= 2)
    assert seen.startswith(b"first\n")
    stop()
    length = len(seen)
    until(lambda: len(engine.logs(container)) > length + 20)
    assert len(seen) == length
    assert not [t for t in threading.enumerate() if t.name.startswith("log-")]


def test_following_the_log_of_no_container_is_an_error(engine: DockerEngine) -> None:
    with pytest.raises(EngineError, match="No such container"):
        engine.follow_logs("nonesuch", bytearray().extend)


def test_a_command_has_streams_apart_input_environment_user_and_directory(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER)
    script = "cat; echo $A >&2; id -un >&2; pwd >&2; printf '\\377\\376'; exit 3"
    found = engine.execute(
        container,
        ExecSpec(
            command=("sh", "-c", script),
            stdin=b"\x00in\xff",
            environment={"A": "b c"},
            user="nobody",
            working_dir="/var",
        ),
    )
    assert found.stdout == b"\x00in\xff\xff\xfe"
    assert found.stderr == b"b c\nnobody\n/var\n"
    assert (found.exit_code, found.truncated, found.timed_out, found.killed) == (3, False, False, False)


def test_output_is_bounded_each_stream_for_itself_and_the_command_still_ends(engine: DockerEngine, run: Run) -> None:
    script = "head -c 3000000 /dev/zero; head -c 10 /dev/zero >&2"
    found = engine.execute(run(*FOREVER), ExecSpec(command=("sh", "-c", script), max_bytes=1000))
    assert (len(found.stdout), len(found.stderr), found.truncated, found.exit_code) == (1000, 10, True, 0)


def test_large_input_that_nobody_reads_does_not_block(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER)
    assert engine.execute(container, ExecSpec(command=("true",), stdin=b"x" * 5_000_000)).exit_code == 0
    counted = engine.execute(container, ExecSpec(command=("wc", "-c"), stdin=b"x" * 5_000_000))
    assert counted.stdout == b"5000000\n"


def test_a_command_that_closes_its_streams_is_waited_for(engine: DockerEngine, run: Run) -> None:
    found = engine.execute(run(*FOREVER), ExecSpec(command=("sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 4")))
    assert found.exit_code == 4
    assert found.duration_ns > 4 * 10**8


@pytest.mark.parametrize("command", [("nonesuch",), ("/etc/passwd",)])
def test_a_command_that_cannot_be_started_ends_with_the_engines_code_and_words(
    engine: DockerEngine, run: Run, command: tuple[str]
) -> None:
    found = engine.execute(run(*FOREVER), ExecSpec(command=command))
    assert found.exit_code in (126, 127)
    assert b"exec" in found.stdout + found.stderr


def test_the_timeout_ends_the_whole_group_also_those_who_ignore_term(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER)
    found = engine.execute(container, ExecSpec(command=("sh", "-c", STUBBORN), timeout=ms(800), grace=ms(200)))
    assert (found.timed_out, found.killed, found.exit_code) == (True, True, 137)
    assert "trap" not in processes(engine, container)
    beats = said(engine, container, "wc", "-l", "/tmp/beat")
    time.sleep(0.3)
    assert said(engine, container, "wc", "-l", "/tmp/beat") == beats, "the grandchild still writes"


def test_without_the_kill_the_stubborn_group_survives(
    engine: DockerEngine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.engine.processes.send", lambda _processes, _signal: None)
    monkeypatch.setattr("cleanroom.engine.execute._DEATH_S", 0.3)
    container = run(*FOREVER)
    found = engine.execute(container, ExecSpec(command=("sh", "-c", STUBBORN), timeout=ms(800), grace=ms(200)))
    assert found.timed_out
    assert "grandchild" in processes(engine, container)


def test_a_willing_command_is_ended_by_term_alone(engine: DockerEngine, run: Run) -> None:
    found = engine.execute(run(*FOREVER), ExecSpec(command=FOREVER, timeout=ms(300)))
    assert (found.timed_out, found.killed, found.exit_code) == (True, False, 143)


def test_a_timeout_that_strikes_before_the_command_runs_ends_it_too(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER)
    for microseconds in (0, 1, 20_000):
        spec = ExecSpec(command=("sleep", "77"), timeout=Duration(microseconds * 1000), grace=ms(500))
        assert engine.execute(container, spec).timed_out
    assert "sleep 77" not in processes(engine, container)


def test_a_command_whose_container_dies_says_so(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER)
    killer = threading.Timer(0.3, engine.kill, [container])
    killer.start()
    found = engine.execute(container, ExecSpec(command=FOREVER))
    killer.join()
    assert (found.exit_code, found.timed_out) == (137, False)
    with pytest.raises(EngineError, match="is not running"):
        engine.execute(container, ExecSpec(command=("true",)))


def test_a_name_that_is_taken_is_an_error_with_a_remedy(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER, start=False)
    with pytest.raises(EngineError, match="is already in use") as caught:
        run(*FOREVER, name=engine.inspect(container).name)
    assert "remove" in caught.value.remedy


def test_a_missing_image_is_an_error_with_a_remedy(engine: DockerEngine) -> None:
    with pytest.raises(EngineError, match="No such image: nonesuch:1") as caught:
        engine.create(ContainerSpec(name="clr-test-none", image="nonesuch:1"))
    assert "image" in caught.value.remedy
    assert (engine.has_image("nonesuch:1"), engine.image_id("nonesuch:1")) == (False, "")


def test_a_missing_program_is_an_error_with_a_remedy(engine: DockerEngine, run: Run) -> None:
    container = run("nonesuch", start=False, init=False)
    with pytest.raises(EngineError, match="executable file not found") as caught:
        engine.start(container)
    assert "command" in caught.value.remedy


def test_a_dead_engine_and_an_address_that_is_no_socket_are_errors_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"Cannot connect to the Docker engine at unix://.*No such file") as caught:
        DockerEngine(f"unix://{tmp_path}/none.sock", labels={}).version()
    assert "DOCKER_HOST" in caught.value.remedy
    with pytest.raises(EngineError, match="expected a unix socket"):
        DockerEngine("tcp://198.51.100.1:2375", labels={})


def test_a_network_gives_the_wanted_address_and_leaves_the_inventory_when_removed(
    engine: DockerEngine, run: Run, token: str
) -> None:
    name, bridge = f"clr-test-{token}", f"clr-t{token}"
    before = engine.inventory()
    engine.create_network(name, bridge=bridge, subnet="10.213.250.0/24", gateway="10.213.250.1")
    try:
        assert engine.inventory().minus(before).networks == (name,)
        container = run(*FOREVER, network=name, address="10.213.250.10")
        assert engine.inspect(container).address == "10.213.250.10"
        with pytest.raises(EngineError, match="active endpoints"):
            engine.remove_network(name)
        engine.remove(container)
    finally:
        engine.remove_network(name)
    engine.remove_network(name)
    assert engine.inventory().minus(before).networks == ()


def test_many_threads_share_one_engine(engine: DockerEngine, run: Run) -> None:
    container = run(*FOREVER)
    found: list[bytes] = []

    def work(index: int) -> None:
        found.append(engine.execute(container, ExecSpec(command=("echo", str(index)))).stdout)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f"{index}\n".encode() for index in range(8))


def write_context(root: Path, dockerfile: str) -> BuildSpec:
    root.mkdir()
    (root / "Dockerfile").write_text(dockerfile)
    (root / "hello").write_text("hello")
    return BuildSpec(tag="cleanroom-test/build:1", context=str(root), args={"WHO": "you"}, target="run")


GOOD = """FROM debian:trixie-slim AS base
ARG WHO=me
RUN echo $WHO > /who
FROM base AS run
COPY hello /hello
FROM base AS never
RUN false
"""


def test_an_image_is_built_up_to_its_target_and_again_from_its_layers(
    engine: DockerEngine, run: Run, api: docker.APIClient, tmp_path: Path
) -> None:
    spec = write_context(tmp_path / "c", GOOD)
    lines: list[str] = []
    try:
        image = engine.build(spec, lines.append)
        assert engine.image_id(spec.tag) == image
        assert any("Step" in line for line in lines)
        lines.clear()
        assert engine.build(spec, lines.append) == image
        assert sum("Using cache" in line for line in lines) == 3
        assert said(engine, run(*FOREVER, image=spec.tag), "cat", "/who", "/hello") == "you\nhello"
    finally:
        for container in api.containers(all=True, filters={"ancestor": spec.tag}):
            engine.remove(container["Id"])
        api.remove_image(spec.tag)


def test_a_failing_build_ends_with_the_end_of_its_log(engine: DockerEngine, tmp_path: Path) -> None:
    spec = write_context(tmp_path / "c", "FROM debian:trixie-slim AS run\nRUN echo so it began; nonesuch-program\n")
    before = engine.inventory()
    with pytest.raises(EngineError, match=r"returned a non-zero code: 127(.|\n)*so it began(.|\n)*not found") as caught:
        engine.build(spec, lambda _line: None)
    assert spec.context in caught.value.message
    assert engine.inventory().minus(before).containers == ()


def test_a_build_without_its_dockerfile_or_of_nonsense_is_an_error(engine: DockerEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="there is no Dockerfile"):
        engine.build(BuildSpec(tag="cleanroom-test/none:1", context=str(tmp_path)), lambda _line: None)
    with pytest.raises(EngineError, match=r"(?i)unknown instruction"):
        engine.build(write_context(tmp_path / "c", "FROM debian:trixie-slim\nNONSENSE\n"), lambda _line: None)
