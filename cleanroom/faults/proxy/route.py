"""Which requests a fault of the family http strikes: a glob over paths, with or without a method before it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Route:
    """`*`, `/orders*` or `POST /orders*`: `*` is any number of characters, `?` is one; both may stand for a `/`."""

    method: str
    path: re.Pattern[str]

    def matches(self, method: str, target: str) -> bool:
        """Whether a request for `target`, as it stands in the request line, is one of these; a query is no part."""
        path = urlsplit(target).path if not target.startswith("/") else target.partition("?")[0].partition("#")[0]
        return self.method in ("", method) and self.path.fullmatch(path or "/") is not None


def parse_route(text: str) -> Route:
    """Return the route that `text` writes."""
    method, _, glob = text.rpartition(" ")
    expression = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in glob)
    return Route(method, re.compile(expression, re.DOTALL))
