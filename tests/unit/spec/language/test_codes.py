"""Every code that the package `cleanroom.spec` can report stands in the registry, and none other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cleanroom.spec.language.codes import CHAPTERS, CODES

SPEC = Path(__file__).parents[4] / "cleanroom" / "spec"
_REPORTERS = {"report", "_report"}


def sources():
    return [path for path in sorted(SPEC.rglob("*.py")) if "language" not in path.parts]


def constants(node):
    """The texts that an expression can be: both arms of a choice, an f-string as a pattern."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.escape(node.value)]
    if isinstance(node, ast.IfExp):
        return constants(node.body) + constants(node.orelse)
    if isinstance(node, ast.JoinedStr):
        parts = (constants(part)[0] if isinstance(part, ast.Constant) else "[a-z-]+" for part in node.values)
        return ["".join(parts)]
    return []


def reported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in _REPORTERS and node.args:
                yield from constants(node.args[0])
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from constants(keyword.value)
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
            arguments = node.args
            named = [*zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
            positional = arguments.posonlyargs + arguments.args
            named += zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
            for argument, default in named:
                if argument.arg == "code":
                    yield from constants(default)


def test_every_code_that_is_reported_is_registered():
    missing = {
        f"{pattern} ({path.name})"
        for path in sources()
        for pattern in reported(ast.parse(path.read_text(encoding="utf-8")))
        if not any(re.fullmatch(pattern, code) for code in CODES)
    }
    assert not missing


def test_every_registered_code_is_reported_somewhere():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources()]
    texts = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    patterns = [pattern for tree in trees for pattern in reported(tree) if "[a-z-]+" in pattern]
    unused = {
        code for code in CODES if code not in texts and not any(re.fullmatch(pattern, code) for pattern in patterns)
    }
    assert not unused


@pytest.mark.parametrize("code", CODES)
def test_a_code_says_what_it_is_what_it_means_and_what_to_do(code):
    row = CODES[code]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert row.summary
    assert not row.summary.endswith(".")
    assert row.meaning.endswith(".")
    assert row.remedy.endswith(".")


def test_no_code_stands_in_two_chapters():
    assert sum(len(codes) for codes in CHAPTERS.values()) == len(CODES)
