"""The figures of a scenario's workloads on its span and as measurements; they are computed further up."""

from __future__ import annotations

from cleanroom.run.ports import Ports
from cleanroom.run.record import ScenarioRecord
from cleanroom.run.tracing import OpenSpan, Tracer


def tell_figures(ports: Ports, tracer: Tracer, opened: OpenSpan, record: ScenarioRecord) -> None:
    """Put each figure onto the open span of the scenario, and measure it."""
    readings = ports.figures(record)
    if readings:
        opened.set({f"figure.{one.journal}.{one.figure}": one.value for one in readings})
    for one in readings:
        tracer.measure(
            f"cleanroom.resilience.{one.figure}", one.unit, one.value,
            {"cleanroom.scenario": record.name, "cleanroom.journal": one.journal},
        )  # fmt: skip
