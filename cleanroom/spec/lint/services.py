"""Rules about services, images, variables and names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cleanroom.spec.document import Scalar
from cleanroom.spec.lint.rule import Remark
from cleanroom.spec.lint.subject import Subject, child, entries, entry_of, matches, tables, walk, word, words_in

_SECRET = re.compile(r"(?i)pass(word|wd|phrase)|secret|token|api_?key|private_?key|credential")
_NOT_SECRET = re.compile(r"(?i)_(file|path|ttl|url|header|name|policy|length|method)$")
_VARIABLE = re.compile(r"\bvars\s*(?:\.\s*(\w+)|\[\s*(['\"])(.+?)\2\s*\])")
_ANY_USE = re.compile(r"\bvars\b")


def unpinned_image(subject: Subject) -> Iterator[Remark]:
    """Yield images that name no version."""
    for entry in subject.services():
        image = entry_of(entry.value, "image")
        name = word(image.value) if image else ""
        tag = _tag(name)
        if image and name and "@" not in name and tag in ("", "latest"):
            yield image.value.at, f"the image {name} names no version: it is whatever was pushed last"


def image_by_tag(subject: Subject) -> Iterator[Remark]:
    """Yield images with a tag and without a digest."""
    for entry in subject.services():
        image = entry_of(entry.value, "image")
        name = word(image.value) if image else ""
        if image and "@" not in name and _tag(name) not in ("", "latest"):
            yield image.value.at, f"the image {name} is pinned by its tag only, and a tag can be moved"


def _tag(image: str) -> str:
    # The part behind the last slash: a colon before it belongs to the registry's port.
    return image.rpartition("/")[2].partition(":")[2]


def unused_service(subject: Subject) -> Iterator[Remark]:
    """Yield services that nothing in the spec names."""
    services = subject.services()
    if len(services) < 2:  # noqa: PLR2004 -- the only service is what the spec is about
        return
    for entry in services:
        # Service names stand in URLs and in lists, too: any word of the rest of the file counts as a use.
        pattern = re.compile(rf"(?<![\w-]){re.escape(entry.key)}(?![\w-])")
        others = [other.value for other in services if other.key != entry.key]
        rest = [top.value for top in subject.document.entries if top.key not in ("services", "meta", "vars")]
        if not any(pattern.search(text) for node in (*others, *rest) for text in words_in(node)):
            yield entry.at, f"nothing uses the service {entry.key}: no step, fault, dependency or expectation names it"


def literal_secret(subject: Subject) -> Iterator[Remark]:
    """Yield secrets that are written into the spec."""
    for service in subject.services():
        for table in (child(service.value, "environment"), child(child(service.value, "build"), "args")):
            for entry in entries(table):
                text = entry.value.text if isinstance(entry.value, Scalar) else ""
                if not text or not _SECRET.search(entry.key) or _NOT_SECRET.search(entry.key):
                    continue
                if _is_written(subject, entry.value.at.line, entry.key):
                    yield entry.at, f"{entry.key} of {service.key} holds its secret in the spec"


def _is_written(subject: Subject, line: int, key: str) -> bool:
    """Whether the value stands in the file as it is; the nodes hold what templates made of theirs."""
    lines = subject.text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    return "{{" not in written.partition(key)[2] and "{{" not in written.partition(":")[2]


def open_egress(subject: Subject) -> Iterator[Remark]:
    """Yield ways out of the environment."""
    allow = entry_of(child(subject.document.get("network"), "egress"), "allow")
    if allow is not None:
        yield allow.at, "services may reach the world outside, whose answers this spec does not control"


def unused_variable(subject: Subject) -> Iterator[Remark]:
    """Yield variables that no template uses."""
    uses = [match[1] or match[3] for match in _VARIABLE.finditer(subject.text)]
    templates = re.findall(r"\{[{%].*?[%}]\}", subject.text, re.DOTALL)
    if sum(len(_ANY_USE.findall(text)) for text in templates) > sum(len(_VARIABLE.findall(text)) for text in templates):
        return  # `vars` as a whole, or by a name that is only known when it is rendered
    for entry in entries(subject.document.get("vars")):
        if entry.key not in uses:
            yield entry.at, f"no template uses the variable {entry.key}"


def unused_anchor(subject: Subject) -> Iterator[Remark]:
    """Yield anchors without an alias."""
    for name, line, column in subject.unused_anchors:
        yield subject.place(line, column), f"no alias refers to the anchor &{name}"


def missing_description(subject: Subject) -> Iterator[Remark]:
    """Yield the suite when it does not say what it is for."""
    if not word(child(subject.document.get("meta"), "description")):
        yield subject.document.key_at("meta"), "the suite does not say what it shows (meta.description)"


def unknown_selected_service(subject: Subject) -> Iterator[Remark]:
    """Yield `service` selectors that name no service of this spec."""
    if subject.document.get("compose") is not None:
        return  # the services of a Compose file have names that are not in this file
    known = set()
    for entry in subject.services():
        known.add(entry.key)
        known.add(word(child(child(entry.value, "telemetry"), "service_name")))
        known.update(word(found.value) for found in walk(entry.value) if found.key == "OTEL_SERVICE_NAME")
        replicas = child(entry.value, "replicas")
        count = replicas.value if isinstance(replicas, Scalar) and isinstance(replicas.value, int) else 0
        known.update(f"{entry.key}-{number + 1}" for number in range(min(count, 100)))
        if any("OTEL_RESOURCE_ATTRIBUTES" in text for text in words_in(entry.value)):
            return  # a service may call itself anything there
    for expect in subject.expects():
        for key in ("spans", "intervals", "rate", "concurrency"):
            for item in tables(child(expect.value, key)):
                for selectors in (item, child(item, "spans")):
                    found = entry_of(selectors, "service")
                    name = word(found.value) if found else ""
                    if found and name and not matches(name, tuple(known)):
                        yield found.value.at, f"no service of this spec is called {name}"
