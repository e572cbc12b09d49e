from __future__ import annotations

import json

from cleanroom.network.bridge import free_bases, intruders, make_slots


def routes(*destinations: tuple[str, str]) -> str:
    return json.dumps([{"dst": dst, "dev": dev} for dst, dev in destinations])


def test_the_usual_base_comes_first_where_it_is_free():
    assert free_bases(routes(("default", "eth0"), ("192.168.1.0/24", "eth0")), "ab12")[0] == 213


def test_a_default_route_in_halves_takes_no_base():
    assert free_bases(routes(("0.0.0.0/1", "tun0"), ("128.0.0.0/1", "tun0")), "ab12")[0] == 213


def test_a_base_that_meets_a_route_is_not_offered():
    found = free_bases(routes(("10.213.7.1", "eth1"), ("10.0.0.0/9", "vpn")), "ab12")
    assert 213 not in found
    assert min(found) == 128


def test_runs_look_for_another_base_in_different_orders():
    taken = routes(("10.213.0.0/24", "clr-0001-0"))
    assert free_bases(taken, "0001")[0] != free_bases(taken, "0002")[0]


def test_no_base_is_left_when_all_of_ten_is_routed():
    assert free_bases(routes(("10.0.0.0/8", "vpn")), "ab12") == ()


def test_another_runs_bridge_in_our_range_is_noticed_and_our_own_is_not():
    slots = make_slots("ab12", 213, 1)
    assert intruders(routes(("10.213.0.0/24", "clr-ab12-0"), ("default", "eth0")), slots) == ()
    both = routes(("10.213.0.0/24", "clr-ab12-0"), ("10.213.0.0/24", "clr-cd34-0"))
    assert intruders(both, slots) == ("clr-cd34-0",)


def test_slots_have_interface_names_that_the_kernel_takes():
    slots = make_slots("ab12", 213, 64)
    assert all(len(slot.bridge) <= 15 for slot in slots)
    assert slots[3].gateway == "10.213.3.1"
    assert slots[3].address(10) == "10.213.3.10"
