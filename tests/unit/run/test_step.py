from __future__ import annotations

import pytest

from cleanroom.drive.result import ActionResult
from cleanroom.quantity import Duration
from cleanroom.run.step import MAX_TEXT, Timed, at_path, record_of, service_of, skipped, type_of
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.query import ExecAction, HttpAction
from cleanroom.spec.step import HealAction, InjectAction, SleepAction, Step, StepExpect
from tests.unit.run.worlds import AT, exec_step
from tests.unit.validate.builders import cmp, eq

ERRORS = (
    "exit_code", "timeout", "killed", "oom_killed", "container_killed", "network_failure", "connection_refused",
    "connection_reset", "dns_failure", "tls", "http_status", "not_found", "permission_denied", "not_started", "engine",
)  # fmt: skip


def judged(result: ActionResult, expect: StepExpect | None = None, **step):
    return record_of(exec_step("a", expect=expect, **step), Timed(result, 10, 20))


def broken(result: ActionResult, **expect) -> list[str]:
    return [b.what for b in judged(result, StepExpect(**expect)).breaches]


def test_a_step_without_expect_passes_when_its_action_did():
    record = judged(ActionResult(exit_code=0, stdout="hello", stderr="careful"))
    assert (record.outcome, record.reason, record.stdout, record.stderr) == ("passed", "", "hello", "careful")
    assert (record.start_ns, record.end_ns, record.at) == (10, 20, AT)


@pytest.mark.parametrize("error", ERRORS)
def test_a_step_without_expect_fails_with_any_error_unless_it_is_allowed(error):
    result = ActionResult(error_type=error, message="it went wrong")
    record = judged(result)
    assert (record.outcome, record.reason, record.error_type, record.breaches) == ("failed", "it went wrong", error, ())
    assert judged(result, allow=(error,)).outcome == "passed"
    assert judged(result, allow=tuple(e for e in ERRORS if e != error)).outcome == "failed"


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_that_expect_does_not_speak_of_fails_the_step(error):
    record = judged(ActionResult(error_type=error, message="it went wrong", stdout="x"), StepExpect(stdout=eq("x")))
    assert record.outcome == "failed"
    assert [(b.what, b.expected, b.found) for b in record.breaches] == [("error", "no error", "it went wrong")]


@pytest.mark.parametrize("error", ERRORS)
def test_an_expected_error_type_is_the_expectation(error):
    result = ActionResult(error_type=error, message="it went wrong")
    assert judged(result, StepExpect(error_type=eq(error))).outcome == "passed"
    assert broken(result, error_type=eq("another")) == ["error_type"]
    assert broken(result, error_type=cmp(exists=False)) == ["error_type"]
    assert broken(ActionResult(exit_code=0), error_type=eq(error)) == ["error_type"]


def test_no_error_is_no_error_type():
    assert broken(ActionResult(exit_code=0), error_type=cmp(exists=False)) == []
    assert broken(ActionResult(exit_code=0), error_type=cmp(exists=True)) == ["error_type"]


@pytest.mark.parametrize(
    ("error", "code", "spoken"),
    [
        ("exit_code", 3, True), ("not_found", 127, True), ("permission_denied", 126, True), ("killed", 137, True),
        ("oom_killed", 137, False), ("container_killed", 137, False), ("timeout", 137, False),
    ],
)  # fmt: skip
def test_an_expected_exit_code_speaks_of_the_command_s_own_end_only(error, code, spoken):
    result = ActionResult(error_type=error, message="it went wrong", exit_code=code)
    assert judged(result, StepExpect(exit_code=eq(code))).outcome == ("passed" if spoken else "failed")
    assert broken(result, exit_code=eq(0))[0] == "exit_code"


def test_an_expected_status_speaks_of_statuses_only():
    assert broken(ActionResult(error_type="http_status", status=404), status=eq(404)) == []
    assert broken(ActionResult(error_type="http_status", status=404), status=eq(200)) == ["status"]
    refused = ActionResult(error_type="connection_refused", message="the connection was refused")
    record = judged(refused, StepExpect(status=eq(200)))
    assert [b.what for b in record.breaches] == ["status"]
    assert record.breaches[0].found == "nothing (connection_refused: the connection was refused)"
    assert judged(refused, StepExpect(status=cmp(exists=False))).outcome == "failed"


def test_what_is_expected_and_not_there_breaks():
    nothing = ActionResult()
    for what in ("exit_code", "stdout", "stderr", "status", "body"):
        assert broken(nothing, **{what: cmp(ne="something")}) == [what]
    assert broken(nothing, headers={"X-A": eq("1")}) == ["headers.X-A"]
    assert broken(nothing, json={"a": eq(1)}) == ["json.a"]


def test_every_breach_is_told_with_what_was_found_and_where_the_expectation_stands():
    comparator = Comparator(tests=(("eq", "b"),), at=AT)
    record = judged(ActionResult(exit_code=2, stdout="a"), StepExpect(exit_code=eq(0), stdout=comparator))
    assert [(b.what, b.found) for b in record.breaches] == [("exit_code", "2"), ("stdout", "'a'")]
    assert record.breaches[1].at == AT
    assert "exit_code: expected 0, found 2" in record.reason


def test_headers_are_found_in_any_case():
    result = ActionResult(headers={"content-type": "text/html"})
    assert broken(result, headers={"Content-Type": cmp(starts_with="text/")}) == []


def test_durations_are_compared():
    result = ActionResult(duration_ns=5 * 10**6)
    assert broken(result, duration=cmp(lt=Duration(6 * 10**6))) == []
    assert broken(result, duration=cmp(lt=Duration(5 * 10**6))) == ["duration"]


@pytest.mark.parametrize(
    ("path", "value"),
    [("$", {"a": [{"b": 1}, None]}), ("a", [{"b": 1}, None]), ("a[0].b", 1), ("$.a[0].b", 1), ("a[1]", None)],
)
def test_json_paths(path, value):
    assert at_path({"a": [{"b": 1}, None]}, path) == (value, True)


@pytest.mark.parametrize("path", ["b", "a[2]", "a.b", "[0]", "a[0].b.c", "a[0][0]"])
def test_json_paths_that_lead_nowhere(path):
    assert at_path({"a": [{"b": 1}, None]}, path) == (None, False)


def test_a_null_is_there_and_a_body_that_is_no_json_has_nothing():
    assert broken(ActionResult(json=None, has_json=True), json={"$": eq(None)}) == []
    assert broken(ActionResult(json=None, has_json=False), json={"$": eq(None)}) == ["json.$"]


@pytest.mark.parametrize("what", ["stdout", "stderr", "body"])
def test_a_cut_text_is_evidence_only_of_what_holds_of_any_beginning(what):
    cut = ActionResult(**{what: "abc"}, truncated=(what,))
    assert broken(cut, **{what: cmp(contains="b")}) == []
    assert broken(cut, **{what: cmp(starts_with="a")}) == []
    for comparator in (cmp(not_contains="error"), eq("abc"), cmp(matches="c$"), cmp(length=3), cmp(ne="x")):
        assert broken(cut, **{what: comparator}) == [what]
        assert broken(ActionResult(**{what: "abc"}, truncated=("other",)), **{what: cmp(ne="x")}) == []


def test_a_cut_body_is_no_json():
    cut = ActionResult(body="{}", json={}, has_json=True, truncated=("body",))
    assert broken(cut, json={"a": cmp(exists=False)}) == ["json.a"]
    assert broken(cut, json={"$": eq({})}) == ["json.$"]


def test_output_is_bounded():
    record = judged(ActionResult(exit_code=0, stdout="x" * (MAX_TEXT + 9), stderr="y" * (MAX_TEXT + 9)))
    assert (len(record.stdout), len(record.stderr)) == (MAX_TEXT, MAX_TEXT)
    assert record.stdout.endswith("…")


@pytest.mark.parametrize(
    ("action", "kind", "service"),
    [
        (ExecAction(service="db", command=("a",)), "exec", "db"),
        (HttpAction(service="api"), "http", "api"),
        (SleepAction(duration=Duration(1)), "sleep", ""),
        (InjectAction(fault="f"), "inject", ""),
        (HealAction(fault="f"), "heal", ""),
    ],
)
def test_the_kinds_of_steps(action, kind, service):
    step = Step(name="a", action=action)
    assert (type_of(step), service_of(step)) == (kind, service)
    record = skipped(step, "why")
    assert (record.outcome, record.reason, record.type) == ("skipped", "why", kind)
