from __future__ import annotations

import runpy
import sys
import types
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).parents[2] / "entrypoint.py"


@pytest.fixture
def shells(monkeypatch):
    """Stands in for the two shells and says which one was called with what."""
    calls = []
    line = types.ModuleType("cleanroom.cli.main")
    line.main = lambda argv: calls.append(("cli", argv)) or 3
    action = types.ModuleType("cleanroom.action.main")
    action.main = lambda: calls.append(("action", None)) or 6
    monkeypatch.setitem(sys.modules, "cleanroom.cli.main", line)
    monkeypatch.setitem(sys.modules, "cleanroom.action.main", action)
    return calls


@pytest.mark.parametrize(
    ("argv", "code", "call"),
    [([], 6, ("action", None)), (["plan", "a.cleanroom.yaml"], 3, ("cli", ["plan", "a.cleanroom.yaml"]))],
)
def test_the_process_ends_with_the_exit_code_of_the_shell_its_arguments_ask_for(monkeypatch, shells, argv, code, call):
    monkeypatch.setattr(sys, "argv", ["/entrypoint.py", *argv])
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(ENTRYPOINT), run_name="__main__")
    assert ending.value.code == code
    assert shells == [call]


def test_a_python_that_is_too_old_is_refused_before_the_package_is_imported(monkeypatch, shells, capsys):
    main = runpy.run_path(str(ENTRYPOINT), run_name="entrypoint")["main"]
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    assert main([]) == 2
    assert "needs Python 3.11 or newer, this is 3.10.4" in capsys.readouterr().err
    assert shells == []
