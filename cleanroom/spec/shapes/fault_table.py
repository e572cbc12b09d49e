"""The one table of faults (spec.md section 8): drives parsing, checks, documentation and schema."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.shapes.fault_composite import COMPOSITE, CUSTOM
from cleanroom.spec.shapes.fault_container import CONTAINER, PROCESS
from cleanroom.spec.shapes.fault_network import NETWORK
from cleanroom.spec.shapes.fault_resource import CLOCK, FILESYSTEM, RESOURCE
from cleanroom.spec.shapes.fault_service import BROKER, CACHE, CREDENTIALS, DATABASE, DEPENDENCY, DNS, HTTP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.shapes.fault_kind import Kind

FAULTS: Mapping[str, Kind] = MappingProxyType({
    **CONTAINER, **PROCESS, **NETWORK, **DNS, **HTTP, **RESOURCE, **FILESYSTEM, **CLOCK, **DEPENDENCY, **DATABASE,
    **CACHE, **BROKER, **CREDENTIALS, **CUSTOM, **COMPOSITE,
})  # fmt: skip
"""`family.fault` (and `custom`) to what the language says of it, in the order of spec.md."""
