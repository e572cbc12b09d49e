from __future__ import annotations

import pytest

from cleanroom.errors import NetworkError
from cleanroom.network.command import run, succeeds


def test_a_failing_command_is_quoted_with_its_own_words():
    with pytest.raises(NetworkError, match=r"ended with 3: no such thing"):
        run(("sh", "-c", "echo no such thing >&2; exit 3"))


def test_a_missing_command_says_what_to_install():
    with pytest.raises(NetworkError, match="apt-get install"):
        run(("cleanroom-no-such-command",))


def test_standard_input_and_output_are_carried():
    assert run(("cat",), stdin="words") == "words"
    assert succeeds(("true",))
    assert not succeeds(("false",))
