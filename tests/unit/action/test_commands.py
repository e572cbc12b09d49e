from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.action.commands import Commands, Relay
from tests.unit.action.runner import obeyed
from tests.unit.report.runs import HOSTILE


def test_the_runner_obeys_nothing_that_is_said():
    written = []
    Commands(written.append).say(HOSTILE)
    assert obeyed("".join(written)) == []
    assert obeyed(HOSTILE) != []


@given(
    st.lists(st.one_of(st.binary(max_size=9), st.sampled_from([b"::error::", b"\r", b"\n", b"##[", b"x::", b"\xff"])))
)
def test_the_runner_obeys_nothing_that_is_relayed_however_it_is_cut(chunks):
    written = []
    relay = Relay(Commands(written.append))
    for chunk in chunks:
        relay.feed(chunk)
    relay.flush()
    assert obeyed("".join(written)) == []


def test_a_relay_says_each_line_once_and_holds_no_endless_one():
    written = []
    relay = Relay(Commands(written.append))
    relay.feed(b"one\ntw")
    relay.feed(b"o\n")
    relay.feed(b"x" * 20_000)
    assert "".join(written) == "one\ntwo\n" + "x" * 20_000 + "\n"


def test_groups_are_closed_and_hearing_comes_back_whatever_happens():
    written = []
    commands = Commands(written.append)

    def run():
        with commands.group("run\n::error::x"), commands.deaf():
            commands.say("service says")
            written.append("::error::not obeyed\n")
            raise KeyError

    with pytest.raises(KeyError):
        run()
    written.append("::notice::obeyed\n")
    names = [name for name, _ in obeyed("".join(written))]
    assert names == ["group", "stop-commands", "endgroup", "notice"]


def test_a_secret_is_masked_with_each_of_its_lines():
    written = []
    Commands(written.append).mask("one%\ntwo")
    assert written == ["::add-mask::one%25%0Atwo\n", "::add-mask::one%25\n", "::add-mask::two\n"]
    Commands(written.append).mask("")
    assert len(written) == 3
