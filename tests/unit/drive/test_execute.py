from __future__ import annotations

import pytest

from cleanroom.drive.execute import run_exec
from cleanroom.drive.reach import Limits
from cleanroom.engine.ports import ContainerSpec
from cleanroom.errors import EngineError
from cleanroom.quantity import Duration
from cleanroom.spec.query import ExecAction
from tests.fakes import FakeContainer, FakeEngine, result
from tests.unit.drive.scenes import reach_of

LIMITS = Limits(timeout=Duration(7 * 10**9), grace=Duration(10**9))


def world(status: str = "running", **kw) -> FakeEngine:
    engine = FakeEngine()
    spec = ContainerSpec(name="c", image="i", labels={"cleanroom.service": "db"})
    engine.containers["c"] = FakeContainer(id="fa4e", spec=spec, status=status, **kw)
    return engine


def run(engine, **action):
    reach = reach_of({"db": ("c", "")}, engine)
    return run_exec(reach, ExecAction(service="db", command=("psql",), **action), LIMITS, "tp")


def ending(*args, **kw):
    engine = world()
    engine.answer = lambda *_: result(*args, **kw)
    return run(engine)


def test_what_the_step_says_is_what_the_engine_is_asked():
    engine = world()
    asked = []
    engine.answer = lambda _service, spec: asked.append(spec) or result(stdout=b"1\n", stderr=b"note\n")
    got = run(engine, user="postgres", env={"A": "1"}, stdin="grüße", working_dir="/tmp")
    (spec,) = asked
    assert (spec.command, spec.user, spec.working_dir, spec.stdin) == (("psql",), "postgres", "/tmp", "grüße".encode())
    assert spec.environment == {"A": "1", "TRACEPARENT": "tp"}
    assert (spec.timeout, spec.grace) == (LIMITS.timeout, LIMITS.grace)
    assert (got.exit_code, got.stdout, got.stderr, got.error_type, got.duration_ns) == (0, "1\n", "note\n", "", 5)


def test_without_input_there_is_none():
    engine = world()
    engine.answer = lambda _service, spec: result(0 if spec.stdin is None else 9)
    assert run(engine).exit_code == 0


@pytest.mark.parametrize(
    ("code", "kind"), [(0, ""), (1, "exit_code"), (255, "exit_code"), (126, "permission_denied"), (127, "not_found")]
)
def test_exit_codes(code, kind):
    got = ending(code)
    assert (got.exit_code, got.error_type) == (code, kind)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (b'OCI runtime exec failed: ... exec: "x": executable file not found in $PATH: unknown', "not_found"),
        (b"OCI runtime exec failed: ... stat /x: no such file or directory: unknown", "not_found"),
        (b'OCI runtime exec failed: ... exec: "/x": permission denied: unknown', "permission_denied"),
        (b"sh: x: no such file or directory", "permission_denied"),
    ],
)
def test_an_engine_s_126_for_a_missing_program_is_told_from_one_that_may_not_run(words, kind):
    assert ending(126, stdout=words).error_type == kind


def test_a_timeout_outranks_the_exit_code_that_it_caused():
    got = ending(143, timed_out=True)
    assert (got.error_type, got.killed) == ("timeout", False)
    got = ending(137, timed_out=True, killed=True)
    assert (got.error_type, got.killed) == ("timeout", True)


@pytest.mark.parametrize("code", [137, None])
@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ({}, "killed"),
        ({"oom_killed": True}, "oom_killed"),
        ({"status": "exited", "exit_code": 137}, "container_killed"),
        ({"status": "exited", "oom_killed": True}, "oom_killed"),
    ],
)
def test_who_killed_a_command_is_asked_of_the_engine(code, state, kind):
    engine = world()

    def answer(*_):
        for name, value in state.items():
            setattr(engine.containers["c"], name, value)
        return result(code)

    engine.answer = answer
    assert run(engine).error_type == kind


@pytest.mark.parametrize(("refused", "kind"), [(False, "container_killed"), (True, "not_started")])
def test_an_engine_that_hears_of_the_command_first_is_given_time_to_hear_of_its_container(refused, kind):
    class Late(FakeEngine):
        def wait(self, container, timeout):
            self.containers["c"].status = "exited"
            return super().wait(container, timeout)

    engine = Late(containers=world().containers)

    def answer(*_):
        if refused:
            raise EngineError("no such process")
        return result(137)

    engine.answer = answer
    assert run(engine).error_type == kind


@pytest.mark.parametrize("status", ["exited", "dead", "restarting"])
def test_a_container_that_does_not_run_cannot_start_a_command(status):
    assert run(world(status, exit_code=3)).error_type == "not_started"


def test_an_engine_that_fails_is_said_with_its_words():
    engine = world()
    engine.crash_at, engine.crash = 0, "before"
    got = run(engine)
    assert (got.error_type, got.message) == ("engine", "call 0 (execute) failed")


@pytest.mark.parametrize("code", [137, None])
def test_an_engine_that_is_gone_raises_nothing(code):
    engine = world()
    engine.crash_at, engine.crash = 0, "dead"
    assert run(engine).error_type == "engine"
    engine = world()
    engine.answer = lambda *_: result(code)
    engine.crash_at, engine.crash = 1, "dead"
    assert run(engine).error_type == "engine"


def test_output_is_made_safe():
    got = ending(stdout=b"\xff\x1b[31mred\x00", stderr=b"::error::x\r\n")
    assert (got.stdout, got.stderr) == ("\ufffdred\ufffd", "::error::x\n")


def test_the_stream_that_was_cut_is_named():
    assert ending(stdout=b"x" * 9, truncated=True).truncated == ("stdout",)
    assert ending(stdout=b"x", stderr=b"y" * 9, truncated=True).truncated == ("stderr",)
    assert ending(stdout=b"x" * 9, stderr=b"y" * 9, truncated=True).truncated == ("stdout", "stderr")
    assert ending(stdout=b"x" * 9).truncated == ()


def test_errors_of_other_kinds_are_not_hidden():
    engine = world()

    def answer(*_):
        raise ZeroDivisionError

    engine.answer = answer
    with pytest.raises(ZeroDivisionError):
        run(engine)
