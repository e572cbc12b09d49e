from __future__ import annotations

import logging
import threading

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cleanroom.clock import SystemClock
from cleanroom.errors import TelemetryError
from cleanroom.telemetry import selftrace
from cleanroom.telemetry.inbox import Inbox
from cleanroom.telemetry.receiver import loopback_route, runner_path, serve
from cleanroom.telemetry.selftrace import SelfTrace

ENVIRONMENT = "suite.0"


class Clock(SystemClock):
    """The real clock with wall-clock time that moves by 10 ns a reading."""

    def __init__(self):
        self.ns = 1000

    def now_ns(self):
        self.ns += 10
        return self.ns


@pytest.fixture
def inbox():
    box = Inbox((0,), SystemClock(), 1 << 22)
    box.admit_runner(ENVIRONMENT)
    return box


@pytest.fixture
def trace(inbox):
    with serve("127.0.0.1", 0, loopback_route(inbox)) as port:
        one = SelfTrace(
            f"http://127.0.0.1:{port}{runner_path(ENVIRONMENT)}",
            {"host.role": "cell"},
            {"cleanroom.suite": "shop", "cleanroom.iteration": 3},
            Clock(),
        )
        yield one
        one.close()


def arrived(inbox):
    spans = {}
    for payload in inbox.payloads(ENVIRONMENT):
        for resource in ExportTraceServiceRequest.FromString(payload.body).resource_spans:
            names = {a.key: a.value.string_value for a in resource.resource.attributes}
            assert names == {"service.name": "cleanroom", "host.role": "cell"}
            spans |= {span.name: span for scope in resource.scope_spans for span in scope.spans}
    return spans


def attributes(span):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def test_spans_arrive_with_parents_times_and_common_attributes(trace, inbox):
    with (
        trace.span("cleanroom.iteration", {"index": 3, "seed": 42}) as iteration,
        trace.span("cleanroom.scenario", {"cleanroom.scenario": "buy"}, parent=iteration) as scenario,
        trace.span("cleanroom.step:order", {"type": "http"}, parent=scenario) as step,
    ):
        step.set({"attempts": 1})
        scenario.set({"outcome": "passed", "degraded": False})
    trace.flush()
    found = arrived(inbox)
    assert set(found) == {"cleanroom.iteration", "cleanroom.scenario", "cleanroom.step:order"}
    step_span = found["cleanroom.step:order"]
    assert step_span.trace_id.hex() == iteration.trace_id == step.trace_id
    assert step_span.parent_span_id.hex() == scenario.span_id
    assert found["cleanroom.iteration"].parent_span_id == b""
    assert attributes(step_span) == {
        "cleanroom.suite": "shop",
        "cleanroom.iteration": 3,
        "cleanroom.scenario": "buy",
        "type": "http",
        "attempts": 1,
    }
    assert "cleanroom.scenario" not in attributes(found["cleanroom.iteration"])
    assert (
        found["cleanroom.iteration"].start_time_unix_nano
        < step_span.start_time_unix_nano
        < step_span.end_time_unix_nano
    )
    assert step_span.status.code == 0


def test_a_fault_window_has_the_times_it_was_given(trace, inbox):
    with trace.span("cleanroom.iteration") as iteration, trace.span("cleanroom.scenario", parent=iteration) as scenario:
        fault = trace.start("cleanroom.chaos.container.kill", {"fault.id": "k"}, parent=scenario, start_ns=5)
        fault.event("injected", {"evidence.pid": 7}, at_ns=6)
        fault.error("its effect could not be verified")
        fault.error("a later word")
        fault.end(9)
    trace.flush()
    span = arrived(inbox)["cleanroom.chaos.container.kill"]
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (5, 9)
    assert [(e.name, e.time_unix_nano) for e in span.events] == [("injected", 6)]
    assert (span.status.code, span.status.message) == (2, "its effect could not be verified")


def test_an_exception_marks_the_span_and_goes_on(trace, inbox):
    with pytest.raises(KeyError), trace.span("cleanroom.iteration"):
        raise KeyError("gone")
    trace.flush()
    assert arrived(inbox)["cleanroom.iteration"].status.message == "KeyError: 'gone'"


@pytest.mark.parametrize(
    ("name", "given"),
    [("cleanroom.invented", {}), ("GET /", {}), ("cleanroom.iteration", {"invented": 1}), ("cleanroom.scenario", {})],
)
def test_what_the_registry_lacks_is_refused_and_never_sent(trace, inbox, name, given):
    with pytest.raises(ValueError, match="registry"), trace.span(name, given):
        pytest.fail("the block must not run")
    trace.flush()
    assert inbox.payloads(ENVIRONMENT) == ()


def test_later_attributes_and_events_are_held_to_the_registry_too(trace):
    with trace.span("cleanroom.iteration") as span:
        with pytest.raises(ValueError, match="registry"):
            span.set({"invented": 1})
        with pytest.raises(ValueError, match="registry"):
            span.event("injected")


def test_a_parent_of_another_trace_is_refused(trace):
    other = SelfTrace("http://127.0.0.1:9", {}, {}, SystemClock())
    with pytest.raises(ValueError, match="another trace"):
        trace.start("cleanroom.scenario", parent=other.start("cleanroom.iteration"))
    other.close()


def test_a_span_that_has_ended_cannot_change(trace):
    span = trace.start("cleanroom.iteration")
    span.end()
    for change in (span.end, lambda: span.set({"index": 1}), lambda: span.error("late")):
        with pytest.raises(ValueError, match="ended already"):
            change()


def test_traceparents_have_the_w3c_form_and_issued_traces_are_fresh(trace):
    with trace.span("cleanroom.iteration") as span:
        assert span.traceparent == f"00-{span.trace_id}-{span.span_id}-01"
    issued = [trace.issue_trace() for _ in range(50)]
    assert len({trace_id for trace_id, _ in issued} | {span.trace_id}) == 51
    for trace_id, traceparent in issued:
        version, inside, parent, flags = traceparent.split("-")
        assert (version, inside, len(trace_id), len(parent), flags) == ("00", trace_id, 32, 16, "01")


def test_threads_may_share_a_trace(trace, inbox):
    with trace.span("cleanroom.iteration") as iteration, trace.span("cleanroom.scenario", parent=iteration) as scenario:

        def work(number):
            for n in range(100):
                with trace.span(f"cleanroom.step:{number}.{n}", parent=scenario):
                    pass

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    trace.flush()
    assert len(arrived(inbox)) == 802


def test_flush_raises_when_nobody_takes_the_spans_and_keeps_them(trace, inbox, monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL)
    trace.start("cleanroom.iteration").end()
    monkeypatch.setattr(inbox, "_max_bytes", 0)
    with pytest.raises(TelemetryError, match="1 of the runner's own spans"):
        trace.flush()
    monkeypatch.undo()
    trace.flush()
    assert set(arrived(inbox)) == {"cleanroom.iteration"}


def test_otel_variables_of_our_own_process_have_no_say(inbox, monkeypatch):
    with serve("127.0.0.1", 0, loopback_route(inbox)) as port:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.role=stranger")
        monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "0")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        endpoint = f"http://127.0.0.1:{port}{runner_path(ENVIRONMENT)}"
        trace = SelfTrace(endpoint, {"host.role": "cell"}, {"cleanroom.suite": "shop"}, SystemClock())
        trace.start("cleanroom.iteration", {"index": 1}).end()
        trace.flush()
        trace.close()
    assert attributes(arrived(inbox)["cleanroom.iteration"]) == {"cleanroom.suite": "shop", "index": 1}


def test_a_disabled_sdk_is_an_error_not_an_empty_trace(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    trace = SelfTrace("http://127.0.0.1:9", {}, {}, SystemClock())
    with pytest.raises(TelemetryError, match="OTEL_SDK_DISABLED"):
        trace.start("cleanroom.iteration")
    trace.close()


def test_the_module_leaves_no_global_provider_behind(trace):
    from opentelemetry import trace as api  # noqa: PLC0415 - the state at this very moment

    trace.start("cleanroom.iteration").end()
    assert isinstance(api.get_tracer_provider(), api.ProxyTracerProvider)
    assert selftrace.SCOPE == "cleanroom"
