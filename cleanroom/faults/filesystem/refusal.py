"""Why a job cannot be done as it was asked, in words for people; the parent makes a `CapabilityError` of it."""

from __future__ import annotations


class RefusedError(Exception):
    """What was asked cannot be done here."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy
