from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.engine.control import CONTROL_FD, MAX_LINE, REPLY_FD, LineReader, WorkerLink, encode
from cleanroom.errors import EngineError


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers())), st.integers(1, 7))
def test_messages_arrive_however_the_bytes_are_cut(messages: list[dict[str, str | int]], size: int):
    data = b"".join(encode(message) for message in messages)
    reader = LineReader()
    found = [m for at in range(0, len(data), size) for m in reader.feed(data[at : at + size])]
    assert found == messages
    assert reader.rest() == ""


def test_what_is_no_message_is_kept_as_text():
    assert LineReader().feed(b"Traceback\n[1]\n\n") == [{"text": "Traceback"}, {"text": "[1]"}]


def test_an_endless_line_is_refused():
    with pytest.raises(EngineError, match="without a line end"):
        LineReader().feed(b"x" * (MAX_LINE + 1))


@pytest.fixture
def link():
    up_read, up_write = os.pipe()
    down_read, down_write = os.pipe()
    made = WorkerLink.from_environment({CONTROL_FD: str(up_write), REPLY_FD: str(down_read)})
    yield made, up_read, down_write
    for descriptor in (up_read, up_write, down_read):
        os.close(descriptor)


def test_a_worker_asks_for_images_and_gets_the_answer(link):
    made, up_read, down_write = link
    os.write(down_write, encode({"do": "images", "loaded": ["a"], "absent": ["b"], "failed": {"c": "no"}}))
    reply = made.request_images({"a": "", "b": "", "c": "f"})
    assert (reply.loaded, reply.absent, reply.failed) == (("a",), ("b",), {"c": "no"})
    assert LineReader().feed(os.read(up_read, 4096)) == [{"event": "images", "wanted": {"a": "", "b": "", "c": "f"}}]
    os.close(down_write)


def test_a_worker_whose_launcher_is_gone_does_not_wait_for_images(link):
    made, _, down_write = link
    os.close(down_write)
    with pytest.raises(EngineError, match="ended while"):
        made.request_images({"a": ""})


def test_nothing_is_asked_where_nothing_is_wanted(link):
    made, up_read, down_write = link
    made.request_images({})
    os.set_blocking(up_read, False)
    with pytest.raises(BlockingIOError):
        os.read(up_read, 1)
    os.close(down_write)


def test_the_line_is_not_inherited_by_what_the_worker_starts(link):
    made, _, down_write = link
    assert not os.get_inheritable(made._control)
    assert not os.get_inheritable(made._reply)
    os.close(down_write)


def test_there_is_no_link_outside_of_a_cell():
    assert WorkerLink.from_environment({}) is None
