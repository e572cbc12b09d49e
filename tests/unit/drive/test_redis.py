from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.redis import MAX_REPLY, EndError, ErrorReply, GarbageError, Replies, encode
from cleanroom.drive.wire import OversizeError
from cleanroom.text import clean

TEXT = st.text(st.characters(codec="utf-8"), max_size=30).filter(lambda text: clean(text) == text)
REPLIES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | TEXT | TEXT.map(lambda text: ErrorReply(text.replace("\n", " "))),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


def written(reply):
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, ErrorReply):
        return b"-" + reply.message.encode() + b"\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, str):
        return b"$%d\r\n%b\r\n" % (len(reply.encode()), reply.encode())
    return b"*%d\r\n" % len(reply) + b"".join(written(item) for item in reply)


def reader(data, size=1 << 16):
    chunks = iter([data[at : at + size] for at in range(0, len(data), size)])
    return Replies(lambda _most: next(chunks, b""))


@given(replies=st.lists(REPLIES, max_size=4), size=st.integers(1, 20))
def test_replies_are_read_however_they_are_cut(replies, size):
    source = reader(b"".join(written(reply) for reply in replies), size)
    assert [source.next() for _ in replies] == replies


@given(st.binary(max_size=60))
def test_garbage_ends_in_a_known_way(data):
    source = reader(data)
    try:
        for _ in range(len(data) + 1):
            source.next()
    except (GarbageError, OversizeError, EndError):
        return
    raise AssertionError("a reader never ends without an error")


@given(reply=REPLIES, data=st.data())
def test_a_reply_that_is_cut_short_is_an_end(reply, data):
    whole = written(reply)
    with pytest.raises(EndError):
        reader(whole[: data.draw(st.integers(0, len(whole) - 1))]).next()


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", GarbageError, "HTTP/1.1 400"),
        (b":1x\r\n", GarbageError, "stands where a number must"),
        (b"$1\r\nabc", GarbageError, "does not end where its length says"),
        (b"$%d\r\n" % (MAX_REPLY + 1), OversizeError, "more than 16 MiB"),
        (b"*99999999\r\n", OversizeError, "99999999 elements"),
        (b"*1\r\n" * 100, OversizeError, "levels"),
        (b"+" + b"a" * (1 << 18), GarbageError, "a line is longer"),
        (b"*900000\r\n" + b"$1048576\r\n" + b"a" * (1 << 20), EndError, "ended"),
        (b"*900000\r\n" + (b"$1048576\r\n" + b"a" * (1 << 20) + b"\r\n") * 17, OversizeError, "larger than 16 MiB"),
    ],
)
def test_what_is_too_much_or_no_resp_is_told(data, error, said):
    with pytest.raises(error, match=said):
        reader(data).next()


def test_bytes_that_are_no_text_are_kept_as_escapes():
    assert reader(b"$2\r\n\xff\x41\r\n").next() == "\\xffA"


def test_a_command_is_an_array_of_texts():
    assert encode(["SET", "a b", "\u00e9"]) == b"*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$2\r\n\xc3\xa9\r\n"
