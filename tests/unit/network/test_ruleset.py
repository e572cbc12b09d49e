from __future__ import annotations

import json

import pytest

from cleanroom.errors import NetworkError
from cleanroom.network.bridge import make_slots
from cleanroom.network.ports import Drop
from cleanroom.network.ruleset import parse_drops, render_flush, render_ingress, render_wall

SLOTS = make_slots("ab12", 213, 2)


def listing(**sets: list[dict[str, object]]) -> str:
    kinds = ("ports", "others", "ports6", "others6")
    objects: list[object] = [{"metainfo": {"json_schema_version": 1}}]
    objects += [{"set": {"name": f"slot0_{kind}", **({"elem": sets[kind]} if kind in sets else {})}} for kind in kinds]
    objects.append({"counter": {"name": "slot0_total", "packets": 9, "bytes": 540}})
    return json.dumps({"nftables": objects})


def element(count: int, *key: object) -> dict[str, object]:
    return {"elem": {"val": {"concat": list(key)}, "counter": {"packets": count, "bytes": 60 * count}}}


def test_the_wall_is_rendered_as_agreed(snapshot):
    assert render_wall("ab12", SLOTS) == snapshot


def test_the_ingress_chains_are_rendered_as_agreed(snapshot):
    assert render_ingress("ab12", SLOTS) == snapshot


def test_each_slot_may_reach_its_own_gateway_only():
    accepted = [line for line in render_wall("ab12", SLOTS).splitlines() if "accept" in line and "saddr" in line]
    assert accepted
    assert all(("10.213.0." in line) != ("10.213.1." in line) for line in accepted)


def test_forgetting_one_slot_leaves_the_other_alone():
    assert "slot1_" in render_flush("ab12", 1)
    assert "slot0_" not in render_flush("ab12", 1)


def test_drops_name_source_destination_protocol_port_and_count():
    text = listing(
        ports=[element(3, "10.213.0.10", "203.0.113.1", "tcp", 443), element(1, "10.213.0.10", "203.0.113.1", 17, 53)],
        others=[element(2, "10.213.0.10", "203.0.113.1", "icmp")],
        others6=[element(1, "2001:db8:1::10", "2001:db8::1", "ipv6-icmp")],
    )
    drops, total = parse_drops(text, 0)
    assert total == 9
    assert drops == (
        Drop(source="10.213.0.10", destination="203.0.113.1", protocol="icmp", port=0, count=2),
        Drop(source="10.213.0.10", destination="203.0.113.1", protocol="tcp", port=443, count=3),
        Drop(source="10.213.0.10", destination="203.0.113.1", protocol="udp", port=53, count=1),
        Drop(source="2001:db8:1::10", destination="2001:db8::1", protocol="icmpv6", port=0, count=1),
    )


def test_a_wall_that_dropped_nothing_has_no_drops():
    assert parse_drops(listing(), 0) == ((), 9)


@pytest.mark.parametrize("text", ["", "{}", '{"nftables": []}', '{"nftables": [{"set": {"name": "other"}}]}', "[]"])
def test_a_listing_without_the_walls_sets_is_an_error_and_not_an_absence_of_drops(text):
    with pytest.raises(NetworkError):
        parse_drops(text, 0)
