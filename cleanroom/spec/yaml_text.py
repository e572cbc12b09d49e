"""Plain values as YAML that the loader reads back as the same values."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

WIDTH = 120


def yaml_text(value: Mapping[str, Any]) -> str:
    """Return a mapping of plain values as YAML in block style, keys in their order."""
    from ruamel.yaml import YAML  # noqa: PLC0415 -- 30 ms that other commands need not pay
    from ruamel.yaml.representer import SafeRepresenter  # noqa: PLC0415

    class Representer(SafeRepresenter):
        """Every value in full where it stands: what stands twice is no alias, and lines of text stay lines."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002
            return True

    def text(representer: SafeRepresenter, data: str) -> Any:  # noqa: ANN401 -- ruamel's nodes have no types
        tag = "tag:yaml.org,2002:str"
        style = None if data.isprintable() else "|" if _is_block(data) else '"'
        return representer.represent_scalar(tag, data, style=style)

    def number(representer: SafeRepresenter, data: float) -> Any:  # noqa: ANN401
        return representer.represent_scalar("tag:yaml.org,2002:float", repr(data))

    Representer.add_representer(str, text)
    Representer.add_representer(float, number)
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares it None
    yaml.width = WIDTH
    out = io.StringIO()
    yaml.dump(_plain(value), out)
    return out.getvalue()


def _is_block(text: str) -> bool:
    """Whether text reads best as a literal block, and a literal block can hold it."""
    lines = text.split("\n")
    printable = all(line.isprintable() and line == line.rstrip() for line in lines)
    return len(lines) > 1 and text.strip("\n") != "" and printable and not text.startswith((" ", "\n"))


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return the value in dicts, lists and exact `str`: subclasses have no representer."""
    if isinstance(value, Mapping):
        return {str.__str__(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str.__str__(value) if isinstance(value, str) else value
