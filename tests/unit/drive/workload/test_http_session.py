from __future__ import annotations

import pytest

from cleanroom.drive.reach import Limits
from cleanroom.drive.workload.http_session import MAX_BODY, HttpSession
from cleanroom.quantity import Duration
from cleanroom.spec.query import HttpAction
from tests.unit.drive.workload.servers import serving

LONG = Limits(timeout=Duration(20 * 10**9))
SHORT = Limits(timeout=Duration(150 * 10**6))
CONTEXT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.fixture
def session():
    found = HttpSession({"api": "127.0.0.1"})
    yield found
    found.close()


def ask(session, server, limits=LONG, **fields):
    return session.perform(HttpAction(service="api", port=server.port, **fields), limits, CONTEXT)


def test_a_connection_is_kept_and_the_request_is_as_a_step_sends_it(server, session):
    for number in range(3):
        found = ask(session, server, path=f"/päth {number}?a=b", query={"c": "d e"}, headers={"X-Who": "me"})
        assert (found.status, found.error_type, found.value) == (200, "", {"path": f"/p%C3%A4th%20{number}?a=b&c=d+e"})
        assert found.duration_ns > 0
    assert len({asked[4] for asked in server.asked}) == 1
    method, _, headers, body, _ = server.asked[0]
    assert (method, body, headers["Host"]) == ("GET", b"", f"api:{server.port}")
    assert (headers["traceparent"], headers["X-Who"], headers["User-Agent"]) == (CONTEXT, "me", "cleanroom")


def test_bodies_are_sent_as_json_form_and_text(server, session):
    ask(session, server, method="POST", json={"a": [1]}, has_json=True)
    ask(session, server, method="POST", form={"a": "b c"})
    ask(session, server, method="POST", body="täxt")
    ask(session, server, method="POST")
    sent = [(asked[2].get("Content-Type"), asked[3]) for asked in server.asked]
    assert sent == [
        ("application/json", b'{"a": [1]}'), ("application/x-www-form-urlencoded", b"a=b+c"),
        (None, "täxt".encode()), (None, b""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body"), [("/chunked", "one two"), ("/end", "until the end"), ("/status/204", "")],
)  # fmt: skip
def test_answers_end_as_their_heads_say(path, body, server, session):
    for _ in range(2):
        assert ask(session, server, path=path).body == body
    assert ask(session, server, method="HEAD", path="/").body == ""
    assert ask(session, server, path="/").status == 200


def test_an_error_status_is_an_error_with_its_answer(server, session):
    found = ask(session, server, path="/status/503")
    assert (found.error_type, found.status, found.message) == ("http_status", 503, "the answer was 503")


def test_redirects_are_followed_inside_only(server, session):
    assert ask(session, server, path="/to/there").value == {"path": "/there"}
    assert ask(session, server, path="/to/there", follow=False).status == 302
    assert ask(session, server, path="/to/to/to/there", method="POST", body="x").value == {"path": "/there"}
    assert server.asked[-1][0] == "GET"
    found = ask(session, server, path="/out")
    assert found.error_type == "network_failure"
    assert "out of the environment" in found.message


def test_a_large_body_is_cut_and_said_to_be(server, session):
    found = ask(session, server, path=f"/big/{MAX_BODY + 5}")
    assert (len(found.body), found.truncated) == (MAX_BODY, ("body",))
    assert ask(session, server, path="/after").value == {"path": "/after"}
    assert ask(session, server, path=f"/big/{MAX_BODY}").truncated == ()


def test_what_goes_wrong_has_a_type(server, session):
    assert ask(session, server, SHORT, path="/slow/5").error_type == "timeout"
    assert ask(session, server, path="/cut").error_type == "connection_reset"
    assert ask(session, server, path="/garbage").error_type == "network_failure"
    bad = ask(session, server, headers={"X-Bad": "a\r\nHost: other"})
    assert "was not sent" in bad.message
    assert ask(session, server, path="/after").status == 200


def test_a_connection_that_the_server_has_ended_is_made_anew(server, session):
    assert ask(session, server, path="/end").status == 200
    assert ask(session, server, path="/").status == 200


def test_nobody_listening_is_a_refusal(session):
    with serving() as server:
        pass
    assert ask(session, server).error_type == "connection_refused"
