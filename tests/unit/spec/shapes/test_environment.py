from __future__ import annotations

import pytest

from cleanroom.quantity import Duration, Size
from cleanroom.spec.environment import Cleanup, EnvironmentLimits, Network, Outside
from cleanroom.spec.shapes.environment import cleanup, limits, network, outside
from tests.unit.spec.shapes.reading import accepted, deferred, read

ALL_LIMITS = "{cpus: 1.5, memory: 2GiB, containers: 10, duration: 2m}"


def test_limits_of_an_environment_are_unlimited_unless_they_are_given():
    assert accepted(limits, "{}") == EnvironmentLimits()
    assert accepted(limits, ALL_LIMITS) == EnvironmentLimits(
        cpus=1.5, memory=Size(2 * 2**30), containers=10, duration=Duration(120 * 10**9)
    )


def test_run_refuses_each_limit_by_name():
    words = [word for _, word in deferred(limits, ALL_LIMITS)]
    assert words == ['"cpus" in it', '"memory" in it', '"containers" in it', '"duration" in it']


def test_cleanup_has_thirty_seconds_unless_it_is_given_others():
    assert accepted(cleanup, "{}") == Cleanup(timeout=Duration(30 * 10**9))
    assert accepted(cleanup, "{timeout: 1s}") == Cleanup(timeout=Duration(10**9))
    assert deferred(cleanup, "{timeout: 1s}") == [(3, '"timeout" in it')]


@pytest.mark.parametrize(
    ("source", "expected", "later"),
    [
        ("{}", Network(), []),
        ("{egress: none}", Network(), []),
        ("{mtu: 1400}", Network(mtu=1400), [(3, '"mtu" in it')]),
        (
            '{egress: {allow: ["api.example.com:443", "10.0.0.1:80"]}}',
            Network(allow=(Outside("api.example.com", 443), Outside("10.0.0.1", 80))),
            [(12, '"allow" in it.egress')],
        ),
    ],
)
def test_nothing_leaves_the_network_except_to_what_is_allowed(source, expected, later):
    assert accepted(network, source) == expected
    assert deferred(network, source) == later


@pytest.mark.parametrize(
    ("shape", "source", "found"),
    [
        (limits, "{cpus: 0}", ("wrong-value", 2, 9)),
        (limits, "{memory: 0}", ("wrong-value", 2, 11)),
        (limits, "{memory: much}", ("wrong-value", 2, 11)),
        (limits, "{containers: 0}", ("wrong-value", 2, 15)),
        (limits, "{duration: 0s}", ("wrong-value", 2, 13)),
        (limits, "{pids: 5}", ("unknown-key", 2, 3)),
        (cleanup, "{timeout: 0}", ("wrong-value", 2, 12)),
        (cleanup, "[]", ("wrong-type", 2, 2)),
        (network, "{mtu: 100}", ("wrong-value", 2, 8)),
        (network, "{mtu: 65536}", ("wrong-value", 2, 8)),
        (network, "{egress: all}", ("wrong-value", 2, 11)),
        (network, "{egress: {}}", ("missing-key", 2, 11)),
        (network, "{egress: {allow: []}}", ("empty-list", 2, 19)),
        (network, '{egress: {allow: ["a:1", "a:1"]}}', ("duplicate-destination", 2, 27)),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(shape, source, found):
    assert read(shape, source).found == [found]


def test_an_address_of_version_six_stands_in_brackets():
    destination = accepted(outside, '"[2001:db8::1]:443"')
    assert destination == Outside("2001:db8::1", 443)
    assert str(destination) == "[2001:db8::1]:443"
    assert str(Outside("api.example.com", 443)) == "api.example.com:443"


@pytest.mark.parametrize(
    "text",
    [
        "api.example.com",
        "*.example.com:443",
        "api.example.com:0",
        "api:65536",
        "a_b:1",
        "[::g]:1",
        "[12]:1",
        ":80",
        "a:",
    ],
)
def test_a_destination_is_one_host_and_one_port(text):
    assert read(outside, f'"{text}"').found == [("wrong-value", 2, 2)]
    assert read(outside, "443").found == [("wrong-type", 2, 2)]
