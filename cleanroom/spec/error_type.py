"""The closed set of error types: how a step, an operation or a statement can fail (spec.md section 4)."""

from __future__ import annotations

import re

ERROR_TYPES = (
    "exit_code", "timeout", "killed", "oom_killed", "container_killed", "network_failure", "connection_refused",
    "connection_reset", "dns_failure", "tls", "http_status", "redis", "not_found", "permission_denied", "not_started",
    "engine",
)  # fmt: skip
"""All but those of SQL, which carry the server's own code."""
SQL_ERROR = r"sql:(?:[0-9A-Z]{5}|[1-9][0-9]{0,4})"
"""`sql:` and an SQLSTATE (PostgreSQL) or a number (MySQL)."""
_SQL_ERROR = re.compile(SQL_ERROR)


def is_error_type(name: str) -> bool:
    """Whether `name` is an error type."""
    return name in ERROR_TYPES or _SQL_ERROR.fullmatch(name) is not None
