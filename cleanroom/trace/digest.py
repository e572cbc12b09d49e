"""The published digests of an iteration: SHA-256 over RFC 8785 bytes, in three parts and as one (spec.md section 7)."""

from __future__ import annotations

import hashlib

from cleanroom.canonical import Json, digest
from cleanroom.trace.forest import encoded
from cleanroom.trace.normalise import NormalisedTrace

DIGEST_SCHEMA = 1


def trace_digest(normalised: NormalisedTrace) -> str:
    """Return the digest of the normalised spans alone: `[[depth, span], …]` in canonical pre-order."""
    whole = hashlib.sha256(b"[")
    separator = b""
    for depth, text in encoded(normalised.spans):
        whole.update(b"%b[%d,%b]" % (separator, depth, text))
        separator = b","
    whole.update(b"]")
    return "sha256:" + whole.hexdigest()


def outcome_digest(outcome: Json) -> str:
    """Return the digest of step outcomes and verdicts; `outcome` holds no time and no id. Raises `ValueError`."""
    return digest(outcome)


def iteration_digest(*, rule_set: str, trace: str, schedule: str, outcome: str) -> str:
    """Return the one digest of an iteration from its parts (each `sha256:…`) and the rule set they were made under."""
    return digest(
        {"schema": DIGEST_SCHEMA, "rule_set": rule_set, "trace": trace, "schedule": schedule, "outcome": outcome}
    )
