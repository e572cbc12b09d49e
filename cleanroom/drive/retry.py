"""The pauses between attempts, and which failures are tried again (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.plan.stream import Stream, stream_digest
from cleanroom.quantity import Duration
from cleanroom.spec.retry import Retry


def retry_stream(seed: int, scenario: str, step: str) -> Stream:
    """Return the stream of a step's jitter: the same numbers in every iteration."""
    # No fault can have such an id: it begins with a letter and has no colon.
    return Stream(stream_digest(seed, scenario, f"step:{step}", 0)).part("retry")


def pauses(retry: Retry, stream: Stream) -> Iterator[Duration]:
    """Yield the pause before the second attempt, the third, and so on, without end."""
    longest = retry.max.ns
    wanted = float(retry.initial.ns)
    while True:
        share = 1.0 - retry.jitter * stream.uniform()
        yield Duration(int(min(wanted, longest) * share))
        wanted = min(wanted * retry.factor, float(longest))


def is_tried_again(retry: Retry, error_type: str, allow: tuple[str, ...]) -> bool:
    """Whether a failure of this type is tried again; what the step allows only where `on` names it."""
    if retry.on:
        return error_type in retry.on
    return bool(error_type) and error_type not in allow
