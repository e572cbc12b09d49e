from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.errors import CapabilityError
from cleanroom.faults.traffic.shape import (
    Bandwidth,
    Corrupt,
    Delay,
    Duplicate,
    Effect,
    Every,
    Flap,
    Gilbert,
    Loss,
    Match,
    Reorder,
    Shape,
)
from cleanroom.faults.traffic.tree import changes, compile_tree, filters, netem, queue_bytes
from cleanroom.quantity import Duration

MS = 10**6
STREAM = "00000000000000ff" + "ab" * 24
EGRESS = Match(direction="egress")
WEB = Match(direction="egress", protocol="tcp", ports=(80,), peers=("10.0.0.7",))
RATE = Bandwidth(bits=10**6, burst=2500)
LATE = Delay(delay=Duration(50 * MS))


def shape(effect: Effect, match: Match = EGRESS, stream: str = STREAM) -> Shape:
    return Shape(match=match, effect=effect, stream=stream)


def commands(*shapes: Shape) -> list[str]:
    return [" ".join(one) for one in changes((), compile_tree(shapes))]


def test_the_commands_of_whole_trees(snapshot):
    jittered = Delay(
        delay=Duration(50 * MS), jitter=Duration(1_500), distribution="normal", correlation=25.0
    )  # fmt: skip
    assert {
        "nothing": commands(),
        "late": commands(shape(LATE)),
        "late by chance": commands(shape(jittered)),
        "loss": commands(shape(Loss(percent=5.0))),
        "bursts": commands(shape(Gilbert(p=5.0, r=30.0, good=1.0, bad=90.0))),
        "reorder": commands(shape(Reorder(percent=25.0, gap=5, delay=Duration(10 * MS)))),
        "rate of what comes in": commands(shape(RATE, Match(direction="ingress", ports=(80,)))),
        "all at once": commands(
            *(shape(one, WEB) for one in (LATE, Loss(percent=1.0), Corrupt(percent=2.0), Duplicate(percent=3.0), RATE))
        ),
        "two parts": commands(
            shape(LATE, Match(direction="both", ports=(80,))), shape(RATE, Match(direction="egress", ports=(90,)))
        ),
    } == snapshot


def test_which_packets_a_filter_takes(snapshot):
    assert {
        "all": filters(EGRESS),
        "tcp": filters(Match(direction="egress", protocol="tcp")),
        "a port": filters(Match(direction="ingress", ports=(53,))),
        "a port of peers": filters(Match(direction="ingress", protocol="udp", ports=(53,), peers=("10.0.0.1",))),
        "peers": filters(Match(direction="egress", peers=("10.0.0.1", "10.0.0.2"))),
    } == snapshot


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ((shape(RATE), shape(RATE)), "two rates at once"),
        ((shape(LATE), shape(LATE)), "two of delay"),
        ((shape(LATE), shape(Reorder(percent=5.0, gap=1, delay=Duration(MS)))), "two of delay"),
        ((shape(Loss(percent=5.0)), shape(Gilbert(p=5.0, r=5.0))), "two of loss"),
        ((shape(Every(nth=5)),), "has no every"),
        ((shape(Flap(up=Duration(1), down=Duration(1))),), "has no flap"),
        ((shape(Delay(delay=Duration(1), jitter=Duration(3 * 10**9))),), "jitter of more than"),
        ((shape(LATE), shape(RATE, WEB)), "packets in common"),
        ((shape(LATE, Match(direction="both")), shape(RATE, Match(direction="ingress", ports=(1,)))), "in common"),
    ],
)
def test_what_one_tree_cannot_do_is_refused(shapes, words):
    with pytest.raises(CapabilityError, match=words):
        compile_tree(shapes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"ports": (80,)}, {"ports": (90,)}),
        ({"protocol": "tcp"}, {"protocol": "udp"}),
        ({"peers": ("10.0.0.1",)}, {"peers": ("10.0.0.2",)}),
    ],
)
def test_parts_that_have_no_packet_in_common_stand_beside_each_other(one, other):
    tree = compile_tree(
        [shape(RATE, Match(direction="egress", **one)), shape(LATE, Match(direction="egress", **other))]
    )
    assert sum(node.kind == "class" for node in tree) == 2


def test_each_direction_is_a_tree_of_its_own():
    """The same packets have a rate on their way out and another on their way in."""
    compile_tree([shape(RATE, EGRESS), shape(Bandwidth(bits=5, burst=1600), Match(direction="ingress"))])


def test_a_single_fault_has_its_own_seed_and_two_have_one_of_both():
    alone, other = shape(Loss(percent=5.0)), shape(Corrupt(percent=5.0), stream="cd" * 32)
    assert netem([alone])[-2:] == ("seed", "255")
    assert netem([alone, other]) == netem([alone, other])
    assert netem([alone, other])[-1] not in (netem([alone])[-1], netem([other])[-1])
    assert "seed" not in netem([shape(LATE)])


def test_what_stays_is_left_alone_and_what_changes_keeps_its_place():
    first = compile_tree([shape(RATE, WEB)])
    both = compile_tree([shape(RATE, WEB), shape(LATE, WEB)])
    added = [" ".join(one) for one in changes(first, both)]
    # The same class; its plain queue gives place to an emulator, with another handle: at once, or not at all.
    assert [one.split()[:3] for one in added] == [["tc", "qdisc", "replace"]]
    assert " netem " in added[0]
    louder = compile_tree([shape(RATE, WEB), shape(Delay(delay=Duration(99 * MS)), WEB)])
    assert [one[:3] for one in changes(both, louder)] == [("tc", "qdisc", "change")]
    assert changes(both, both) == ()


effects = st.sampled_from([LATE, Loss(percent=3.0), Corrupt(percent=3.0), Duplicate(percent=3.0), RATE])
matches = st.builds(
    Match,
    direction=st.sampled_from(["egress", "ingress", "both"]),
    protocol=st.sampled_from(["tcp", "udp", "any"]),
    ports=st.sampled_from([(), (80,), (90, 91), (100,)]),
    peers=st.sampled_from([(), ("10.0.0.1",), ("10.0.0.2", "10.0.0.3")]),
)


@given(st.lists(st.builds(shape, effects, matches), min_size=1, max_size=5), st.data())
@settings(max_examples=150)
def test_a_tree_is_made_changed_and_taken_away_without_a_rest(shapes, data):
    """Each command names what is there when it deletes or changes, and what is not there when it adds."""
    possible: list[Shape] = []
    for one in shapes:
        try:
            compile_tree([*possible, one])
        except CapabilityError:
            continue
        possible.append(one)
    part = [one for one in possible if data.draw(st.booleans())]
    there: set[tuple[str, ...]] = set()
    trees = [(), compile_tree(possible), compile_tree(part), compile_tree(possible), ()]
    for before, after in itertools.pairwise(trees):
        known = {(n.kind, *n.where) for n in (*before, *after)}
        for command in changes(before, after):
            kind, verb, *rest = command[1:]
            if verb == "set":
                continue
            (name,) = {k for k in known if k[0] == kind and tuple(rest[: len(k) - 1]) == k[1:]}
            if verb == "add":
                assert name not in there
                there.add(name)
            elif verb == "del":
                there.remove(name)
            else:
                assert name in there
    assert there == set()


def test_a_queue_holds_what_a_connection_sends_at_once():
    assert queue_bytes(RATE) == 1 << 17
    assert queue_bytes(Bandwidth(bits=10**8, burst=1)) == 2_500_000
