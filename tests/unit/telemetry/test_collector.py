from __future__ import annotations

import json

import pytest

from cleanroom.clock import Deadline
from cleanroom.telemetry.collector import Counters, SlotAddress, collector_config, parse_counters, poll

EXPOSITION = """\
# HELP otelcol_receiver_accepted_spans Number of spans successfully pushed into the pipeline. [Alpha]
# TYPE otelcol_receiver_accepted_spans counter
otelcol_receiver_accepted_spans{receiver="otlp/slot1",transport="grpc"} 3
otelcol_receiver_accepted_spans{receiver="otlp/slot1",transport="http"} 4
otelcol_receiver_accepted_spans{receiver="otlp/slot10",transport="http"} 1000
otelcol_receiver_accepted_log_records{receiver="otlp/slot1",transport="http"} 5
otelcol_receiver_refused_spans{receiver="otlp/slot1",transport="http"} 2
otelcol_receiver_failed_spans{receiver="otlp/slot1",transport="http"} 0
otelcol_receiver_refused_metric_points{receiver="otlp/slot1",transport="http"} 1
otelcol_exporter_sent_spans{exporter="otlp_http/slot1"} 7
otelcol_exporter_sent_log_records{exporter="otlp_http/slot1"} 1e+06
otelcol_exporter_send_failed_spans{exporter="otlp_http/slot1"} 2
otelcol_processor_accepted_spans{processor="memory_limiter"} 99
"""


class Stepping:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.time = 0.0
        self.pauses = []

    def now_ns(self):
        return int(self.time * 10**9)

    def monotonic(self):
        return self.time

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.time += seconds


def test_the_configuration_is_this(snapshot):
    slots = [SlotAddress(0, "10.213.0.1"), SlotAddress(3, "10.213.3.1")]
    assert collector_config(slots, receiver_port=40000, metrics_port=40001) == snapshot


def test_no_pipeline_joins_two_slots_or_buffers():
    slots = [SlotAddress(i, f"10.213.{i}.1") for i in range(8)]
    config = json.loads(collector_config(slots, receiver_port=1, metrics_port=2))
    pipelines = config["service"]["pipelines"]
    assert len(pipelines) == 24
    for name, pipeline in pipelines.items():
        slot = name.partition("/")[2]
        assert pipeline["receivers"] == [f"otlp/{slot}"]
        assert pipeline["exporters"] == [f"otlp_http/{slot}"]
        assert "batch" not in pipeline["processors"]
    for exporter in config["exporters"].values():
        assert exporter["sending_queue"] == exporter["retry_on_failure"] == {"enabled": False}


def test_counters_are_summed_over_transports_and_signals_of_one_slot():
    assert parse_counters(EXPOSITION, 1) == Counters(accepted=12, sent=1000007, lost=3)
    assert parse_counters(EXPOSITION, 10) == Counters(accepted=1000)
    assert parse_counters(EXPOSITION, 0) == Counters()


def test_counters_since_an_earlier_moment():
    now, before = Counters(accepted=9, sent=8, lost=7), Counters(accepted=3, sent=3, lost=3)
    assert now.since(before) == Counters(accepted=6, sent=5, lost=4)


@pytest.mark.parametrize("answers", [1, 2, 20])
def test_polling_begins_fast_and_slows_down(answers):
    clock = Stepping()
    left = iter(range(answers - 1, -1, -1))
    assert poll(Deadline.after(clock, 10), lambda: next(left) == 0)
    assert len(clock.pauses) == answers - 1
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[:1] in ([], [0.005])
    assert max(clock.pauses, default=0) <= 0.1


def test_polling_ends_with_the_deadline():
    clock = Stepping()
    assert not poll(Deadline.after(clock, 1.0), lambda: False)
    assert clock.time == pytest.approx(1.0)
