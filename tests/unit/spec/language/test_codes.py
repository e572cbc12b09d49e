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
    """The modules that report problems: the names that lint reports are its rules."""
    return [path for path in sorted(SPEC.rglob("*.py")) if not {"language", "lint"} & set(path.parts)]


def texts(node):
    """The texts that an expression can be; both arms of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return []


def parameters(function):
    """The parameters of a function with their places in a call and their defaults."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    if positional and positional[0].arg == "self":
        positional, defaults = positional[1:], defaults[1:]
    rows = [
        (argument.arg, place, default)
        for place, (argument, default) in enumerate(zip(positional, defaults, strict=True))
    ]
    return rows + [(a.arg, None, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]


class Reported:
    """The codes that a package reports, those too that functions are told as arguments."""

    def __init__(self, trees):
        self.codes = set()
        self._calls = []
        for tree in trees:
            self._functions(tree, ())
        for call, around in self._calls:
            self._call(call, around)

    def _functions(self, node, around):
        for child in ast.iter_child_nodes(node):
            inside = around
            if isinstance(child, (ast.FunctionDef, ast.Lambda)):
                inside = (*around, child)
                self.codes.update(code for name, _, d in parameters(child) if name == "code" for code in texts(d))
            if isinstance(child, ast.Call):
                self._calls.append((child, inside))
            self._functions(child, inside)

    def _call(self, call, around):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in _REPORTERS and call.args:
            self.codes.update(self._values(call.args[0], around))
        for keyword in call.keywords:
            if keyword.arg == "code":
                self.codes.update(self._values(keyword.value, around))

    def _values(self, node, around):
        if isinstance(node, ast.JoinedStr):
            made = [""]
            for part in node.values:
                ends = texts(part) if isinstance(part, ast.Constant) else self._values(part.value, around)
                made = [start + end for start in made for end in ends]
            return made
        if isinstance(node, ast.Name):
            return self._told(node.id, around)
        return texts(node)

    def _told(self, name, around):
        """What callers give to the parameter `name` of the innermost function that has one."""
        for function in reversed(around):
            for parameter, place, default in parameters(function):
                if parameter == name:
                    return [*texts(default), *self._given(getattr(function, "name", ""), name, place)]
        return []

    def _given(self, function, name, place):
        for call, around in self._calls:
            if getattr(call.func, "attr", getattr(call.func, "id", "")) != function or not function:
                continue
            given = [keyword.value for keyword in call.keywords if keyword.arg == name]
            given += call.args[place : place + 1] if place is not None else []
            for value in given:
                # A function that passes its own parameter on is asked for what it was told itself.
                itself = around and isinstance(value, ast.Name) and getattr(around[-1], "name", "") == function
                yield from () if itself else self._values(value, around)


@pytest.fixture(scope="module")
def reported():
    found = Reported([ast.parse(path.read_text(encoding="utf-8")) for path in sources()]).codes
    assert {"unknown-key", "wrong-type", "unknown-service", "duplicate-step"} <= found, "the search finds too little"
    return found


def test_every_code_that_is_reported_is_registered(reported):
    assert sorted(reported - CODES.keys()) == []


def test_every_registered_code_is_reported_somewhere(reported):
    assert sorted(CODES.keys() - reported) == []


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
