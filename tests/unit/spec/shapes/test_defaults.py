from __future__ import annotations

import dataclasses

import pytest

from cleanroom.spec.contract import Contract
from cleanroom.spec.determinism import Buckets, Determinism, Normalize
from cleanroom.spec.environment import Cleanup, EnvironmentLimits, Network
from cleanroom.spec.mock import CassetteMock, Match, Reply, Route
from cleanroom.spec.otel import CollectorConfig, Forward, Otel, Settle
from cleanroom.spec.service import Build, Limits, Restart, Service, Telemetry
from cleanroom.spec.shapes.record import records_in
from cleanroom.spec.shapes.suite import SUITE
from cleanroom.spec.suite import ComposeSource, Report, Suite
from cleanroom.spec.volume import BindVolume
from tests.unit.spec.shapes.reading import accepted

MODELS = {
    "": Suite,
    "meta": Suite,
    "limits": EnvironmentLimits,
    "network": Network,
    "cleanup": Cleanup,
    "report": Report,
    "compose": ComposeSource,
    "contracts": Contract,
    "otel": Otel,
    "otel.collector": CollectorConfig,
    "otel.settle": Settle,
    "otel.forward": Forward,
    "determinism": Determinism,
    "determinism.normalize": Normalize,
    "determinism.normalize.durations": Buckets,
    "services.<name>": Service,
    "services.<name>.build": Build,
    "services.<name>.limits": Limits,
    "services.<name>.telemetry": Telemetry,
    "services.<name>.restart": Restart,
    "services.<name>.volumes[]": BindVolume,
    "services.<name>.mock": CassetteMock,
    "services.<name>.mock.routes[]": Route,
    "services.<name>.mock.routes[].when": Match,
    "a reply": Reply,
}
RECORDS = {record.place: record for record in records_in(SUITE)}
ABSENT = (None, "", 0, (), {})


def default_of(field):
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory()


def keys():
    """Yield each key that may be left out and that a model has a field for."""
    for place, model in MODELS.items():
        fields = {field.name: field for field in dataclasses.fields(model)}
        record = RECORDS[place]
        for name, key in record.keys.items():
            if name in fields and name not in record.required:
                yield pytest.param(key, default_of(fields[name]), id=f"{place}.{name}")


@pytest.mark.parametrize(("key", "expected"), list(keys()))
def test_the_documented_default_is_that_of_the_model(key, expected):
    if key.default:
        assert accepted(key.shape, key.default) == expected
    else:
        assert expected in ABSENT


@pytest.mark.parametrize("place", MODELS)
def test_every_example_and_every_default_is_taken(place):
    for key in RECORDS[place].keys.values():
        for source in filter(None, (key.example, key.default)):
            accepted(key.shape, source)
