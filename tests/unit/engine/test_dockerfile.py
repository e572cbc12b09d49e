from __future__ import annotations

import pytest

from cleanroom.engine.dockerfile import base_images
from cleanroom.errors import EngineError


def bases(content: str, target: str = "", **args: str) -> tuple[str, ...]:
    return base_images(content, args=args, target=target)


def test_one_stage_needs_its_base() -> None:
    assert bases("FROM debian:trixie-slim\nRUN true\n") == ("debian:trixie-slim",)


def test_stages_of_the_file_and_scratch_are_not_images() -> None:
    content = "FROM golang:1 AS Build\nFROM build AS test\nFROM scratch\nCOPY --from=build /a /a\nCOPY --from=0 /b /b\n"
    assert bases(content) == ("golang:1",)


def test_an_image_that_files_are_copied_from_is_needed() -> None:
    assert bases("from a:1\ncopy --chown=1:1 --from=b:2 /x /x\n") == ("a:1", "b:2")


def test_a_stage_name_counts_only_after_its_stage() -> None:
    assert bases("FROM base\nFROM other AS base\n") == ("base", "other")


@pytest.mark.parametrize(
    ("line", "args", "expected"),
    [
        ("FROM debian:$V", {}, "debian:12"),
        ("FROM debian:${V}", {"V": "13"}, "debian:13"),
        ("FROM debian:${W:-11}", {}, "debian:11"),
        ("FROM debian${V:+:slim}", {}, "debian:slim"),
        ('FROM --platform=linux/amd64 "debian:1"', {}, "debian:1"),
    ],
)
def test_arguments_before_the_first_stage_are_substituted(line: str, args: dict[str, str], expected: str) -> None:
    assert bases(f"ARG V=12\nARG W\n{line}\n", **args) == (expected,)


def test_an_argument_inside_a_stage_does_not_reach_the_next_from() -> None:
    with pytest.raises(EngineError, match="Dockerfile:3"):
        bases("FROM a\nARG V=1\nFROM ${V}\n")


def test_comments_directives_and_continuations_are_understood() -> None:
    content = "# escape=`\n# a comment\nFROM `\n# inside\n\n  debian:1 `\n  AS x\nRUN echo FROM nothing\n"
    assert bases(content) == ("debian:1",)


def test_stages_after_the_target_are_not_needed() -> None:
    content = "FROM a AS one\nFROM b AS two\nFROM c AS three\n"
    assert bases(content, target="two") == ("a", "b")
    assert bases(content, target="0") == ("a",)
    assert bases(content) == ("a", "b", "c")


def test_a_file_without_from_is_refused() -> None:
    with pytest.raises(EngineError, match="no FROM"):
        bases("RUN true\n")
