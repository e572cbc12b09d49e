from __future__ import annotations

import pytest

from cleanroom.errors import InterruptedRunError
from cleanroom.run.stop import Stop


def test_the_flag_is_raised_once_and_tells_in_reverse_order():
    stop, heard = Stop(), []
    stop.register(lambda: heard.append("first"))
    stop.register(lambda: heard.append("second"))
    stop.check()
    assert not stop.wait(0)
    stop.request()
    stop.request()
    assert heard == ["second", "first"]
    assert stop.requested
    assert stop.wait(0)
    with pytest.raises(InterruptedRunError):
        stop.check()


def test_who_comes_late_is_told_at_once():
    stop, heard = Stop(), []
    stop.request()
    stop.register(lambda: heard.append("late"))
    assert heard == ["late"]


def test_who_is_gone_is_not_told():
    stop, heard = Stop(), []
    forget = stop.register(lambda: heard.append("gone"))
    forget()
    forget()
    stop.request()
    assert heard == []


def test_a_callback_may_look_at_the_flag():
    stop, heard = Stop(), []
    stop.register(lambda: heard.append(stop.requested))
    stop.request()
    assert heard == [True]
