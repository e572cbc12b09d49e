from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.util.re import parse_env_headers

from cleanroom.spec.service import Service, Telemetry
from cleanroom.telemetry.variables import telemetry_variables

ENDPOINT = "http://10.213.0.1:4318"


def variables(resource=None, seed=42, **service):
    return telemetry_variables(Service(name="api", image="i", **service), ENDPOINT, resource or {}, seed)


def test_a_service_gets_the_standard_variables():
    assert variables({"tier": "x"}) == {
        "CLEANROOM_SEED": "42",
        "LC_ALL": "C.UTF-8",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_PROPAGATORS": "tracecontext,baggage",
        "OTEL_RESOURCE_ATTRIBUTES": "tier=x",
        "OTEL_SERVICE_NAME": "api",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
        "PYTHONHASHSEED": "42",
        "SOURCE_DATE_EPOCH": "315532800",
        "TZ": "UTC",
    }


def test_nothing_of_our_own_environment_gets_in(monkeypatch):
    before = variables()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "secret")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert variables() == before


def test_the_services_own_environment_wins():
    own = {"TZ": "Asia/Tokyo", "OTEL_SERVICE_NAME": "mine", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "PLAIN": "1"}
    assert {k: v for k, v in variables(environment=own).items() if k in own} == own


def test_the_suites_service_name_and_protocol_are_used():
    found = variables(telemetry=Telemetry(protocol="grpc", service_name="shop"))
    assert (found["OTEL_SERVICE_NAME"], found["OTEL_EXPORTER_OTLP_PROTOCOL"]) == ("shop", "grpc")


def test_without_injection_only_seed_zone_and_locale_remain():
    found = variables({"k": "v"}, telemetry=Telemetry(inject=False))
    assert sorted(found) == ["CLEANROOM_SEED", "LC_ALL", "PYTHONHASHSEED", "SOURCE_DATE_EPOCH", "TZ"]


def test_a_service_name_among_its_resource_attributes_is_not_overruled():
    found = variables(environment={"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine"})
    assert "OTEL_SERVICE_NAME" not in found


def test_resource_attributes_are_merged_key_by_key():
    found = variables({"a": "suite", "b": "suite"}, environment={"OTEL_RESOURCE_ATTRIBUTES": "a=own,c=own"})
    assert found["OTEL_RESOURCE_ATTRIBUTES"] == "b=suite,a=own,c=own"


@pytest.mark.parametrize(("seed", "hash_seed"), [(2**32 - 1, "4294967295"), (2**32, "0"), (2**64 + 7, "7")])
def test_large_seeds_stay_within_what_python_takes(seed, hash_seed):
    found = variables(seed=seed)
    assert (found["CLEANROOM_SEED"], found["PYTHONHASHSEED"]) == (str(seed), hash_seed)


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z.]{0,8}", fullmatch=True), st.text(min_size=1, max_size=20), min_size=1)
)
def test_an_sdk_reads_back_the_resource_that_was_meant(resource):
    encoded = variables(resource)["OTEL_RESOURCE_ATTRIBUTES"]
    assert encoded.isascii()
    stripped = {key: value.strip() for key, value in resource.items()}
    assert {k: v.strip() for k, v in parse_env_headers(encoded).items()} == stripped
