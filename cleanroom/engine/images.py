"""The images that suites need, and how they get into the engine: already there, seeded, pulled, built."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cleanroom.canonical import digest
from cleanroom.engine import archive
from cleanroom.engine.control import SeedReply
from cleanroom.engine.dockerfile import base_images
from cleanroom.engine.ports import BuildSpec, Engine
from cleanroom.engine.ready import prefix
from cleanroom.engine.wire import remedy_for
from cleanroom.errors import EngineError
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.spec.step import RunAction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cleanroom.spec.service import Build, Service
    from cleanroom.spec.suite import Suite

BUILD_REPOSITORY: Final = "cleanroom-build"
_PULLS: Final = 3
_FULL: Final = "no space left on device"
_KEY_LENGTH: Final = 16


class ImageEngine(Engine, Protocol):
    """An engine that can tell equal images apart from those that only have the same name."""

    def image_fingerprint(self, reference: str) -> str:
        """Return a text that is equal for equal images in any two engines, "" when the image is not there."""


class Seeder(Protocol):
    """Copies images of the outer engine (`WorkerLink.request_images`); raises `EngineError`."""

    def __call__(self, wanted: Mapping[str, str]) -> SeedReply:
        """Copy what is missing or differs of `wanted`: reference → fingerprint of what is here, "" for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNeed:
    """One image that has to be in the engine: by `reference`, or built from `build` (whose tag is filled in later)."""

    key: str
    """What `prepare_images` files its result under; `image_key` of a service."""
    users: tuple[str, ...]
    """Who needs it, for messages: `service db`, `the build of service api`."""
    at: Position = NOWHERE
    reference: str = ""
    build: BuildSpec | None = None
    bases: tuple[str, ...] = ()
    """References that the build begins from; each is a need of its own."""
    label: str = ""
    """`<suite>-<service>` of a build's first user, as it stands in the tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How images may be brought; `auth` maps a registry ("" = the engine's default) to what its pull needs."""

    seed: Seeder | None = None
    auth: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    log: Callable[[str], None] = lambda _line: None


def normalised(reference: str) -> str:
    """Return the reference with its tag spelled out: without one, an engine copies every tag of the repository."""
    last = reference.rpartition("/")[2]
    return reference if "@" in last or ":" in last else f"{reference}:latest"


def registry_of(reference: str) -> str:
    """Return the registry in a reference, "" for the engine's default one."""
    head, slash, _ = reference.partition("/")
    return head if slash and ("." in head or ":" in head or head == "localhost") else ""


def image_key(service: Service) -> str:
    """Return the key of a service's image: the normalised reference, or a hash of how it is built."""
    return _build_key(service.build) if service.build else normalised(service.image)


def required_images(suites: Sequence[Suite], root: Path) -> tuple[ImageNeed, ...]:
    """Return every image that the suites need, bases of builds included, each once, in order of appearance.

    `root` is the workspace. Raises `EngineError` with the position of a build whose Dockerfile cannot be read.
    """
    needs: dict[str, ImageNeed] = {}

    def add(need: ImageNeed) -> None:
        known = needs.get(need.key)
        users = dict.fromkeys((*known.users, *need.users)) if known else need.users
        needs[need.key] = replace(known or need, users=tuple(users))

    for suite in suites:
        for service in suite.services:
            user = f"service {service.name}"
            if service.build is None:
                reference = normalised(service.image)
                add(ImageNeed(key=reference, reference=reference, users=(user,), at=service.at))
                continue
            need = _build_need(suite, service, service.build, root)
            for base in need.bases:
                add(ImageNeed(key=base, reference=base, users=(f"the build of {user}",), at=service.at))
            add(need)
        for scenario in suite.scenarios:
            for step in scenario.all_steps():
                if isinstance(step.action, RunAction) and step.action.image:
                    reference = normalised(step.action.image)
                    add(ImageNeed(key=reference, reference=reference, users=(f"step {step.name}",), at=step.at))
    return tuple(needs.values())


def prepare_images(engine: ImageEngine, needs: Sequence[ImageNeed], how: Preparation) -> Mapping[str, str]:
    """Bring every needed image into the engine; return key → the reference to run.

    Order: already there, seeded from the outer engine, pulled; then builds, skipped when context, Dockerfile,
    arguments, target and bases are those of an earlier one. Raises one `EngineError` that names everything missing.
    """
    named = [need for need in needs if need.build is None]
    refused = _seed(engine, named, how) if how.seed else {}
    missing = [need for need in named if not engine.has_image(need.reference)]
    with ThreadPoolExecutor(max_workers=_PULLS) as pool:
        failures = [words for words in pool.map(lambda need: _pull(engine, need, how, refused), missing) if words]
    if failures:
        words = "\n".join(failures)
        raise EngineError(
            words,
            # A full disk shows itself in whichever way was tried first; nothing else that is said then matters.
            remedy=remedy_for(_FULL)
            if _FULL in words.lower()
            else "build or load the image into the Docker engine beforehand, correct its name in the spec, or give "
            "credentials with the input registry-auth",
        )
    ready = {need.key: need.reference for need in named}
    for need in needs:
        if need.build is not None:
            ready[need.key] = _built(engine, need, need.build, how.log)
    return ready


def build_tag(need: ImageNeed, build: BuildSpec, bases: Mapping[str, str]) -> str:
    """Return the stable tag of a build; `bases` maps each base to its image id. Raises `EngineError`."""
    root = Path(build.context)
    entries = archive.context_entries(root, build.dockerfile)
    content = digest(
        {
            "context": archive.context_hash(root, entries),
            "dockerfile": build.dockerfile,
            "args": dict(build.args),
            "target": build.target,
            "bases": dict(bases),
        }
    )
    return f"{BUILD_REPOSITORY}/{need.label}:{content.removeprefix('sha256:')[:_KEY_LENGTH]}"


def _build_key(build: Build) -> str:
    how = digest(
        {"context": build.context, "dockerfile": build.dockerfile, "args": dict(build.args), "target": build.target}
    )
    return f"build:{how.removeprefix('sha256:')[:_KEY_LENGTH]}"


def _build_need(suite: Suite, service: Service, build: Build, root: Path) -> ImageNeed:
    context = (root / build.context).resolve()
    dockerfile = (context / build.dockerfile).resolve()
    where = f"{prefix(service.at)}service {service.name}"
    if not (context.is_relative_to(root.resolve()) and dockerfile.is_relative_to(context)):
        raise EngineError(
            f"{where}: the build of {build.context} ({build.dockerfile}) leaves the repository or its context",
            remedy="keep `build.context` inside the repository and `build.dockerfile` inside the context",
        )
    try:
        content = dockerfile.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise EngineError(
            f"{where}: cannot read {build.dockerfile} of the build context {build.context}: {err}",
            remedy="correct `build.context` (relative to the repository's root) or `build.dockerfile`",
        ) from err
    try:
        bases = base_images(content, args=build.args, target=build.target, name=build.dockerfile)
    except EngineError as err:
        raise EngineError(f"{where}: {err.message}", remedy=err.remedy) from err
    return ImageNeed(
        key=_build_key(build),
        users=(f"service {service.name}",),
        at=service.at,
        build=BuildSpec(
            tag="", context=str(context), dockerfile=build.dockerfile, args=build.args, target=build.target
        ),
        bases=tuple(normalised(base) for base in bases),
        label=f"{_slug(suite.name)}-{_slug(service.name)}",
    )


def _slug(name: str) -> str:
    """Return `name` as a component of a repository's name, which knows few characters; a hash keeps others apart."""
    kept = "".join(c if c.isascii() and (c.islower() or c.isdigit()) else "-" for c in name.lower())[:40]
    plain = "-".join(part for part in kept.split("-") if part)
    return plain if plain == name else "-".join(filter(None, (plain, hashlib.sha256(name.encode()).hexdigest()[:8])))


def _seed(engine: ImageEngine, named: Sequence[ImageNeed], how: Preparation) -> Mapping[str, str]:
    """Copy what the outer engine has; return reference → why it could not be copied, for what may still be pulled."""
    # A copy loses the digest by which the spec names such an image, so it can only be pulled.
    by_tag = [need for need in named if "@" not in need.reference]
    wanted = {need.reference: engine.image_fingerprint(need.reference) for need in by_tag}
    if how.seed is None or not wanted:
        return {}
    reply = how.seed(wanted)
    for reference in reply.loaded:
        how.log(f"{reference}: copied from the outer engine")
    stale = sorted(reference for reference in reply.failed if wanted.get(reference))
    if stale:
        # Never run what the caller has replaced meanwhile: a pass of the old image would be a false one.
        raise EngineError(
            f"cannot copy {', '.join(stale)} from the outer engine, and what is here differs: {reply.failed[stale[0]]}",
            remedy="run again; `cleanroom cache` clears the image cache",
        )
    return reply.failed


def _pull(engine: ImageEngine, need: ImageNeed, how: Preparation, refused: Mapping[str, str]) -> str:
    """Pull a missing image; return what went wrong, "" when it is there now."""
    how.log(f"{need.reference}: pulling")
    try:
        engine.pull(need.reference, how.auth.get(registry_of(need.reference)))
    except EngineError as err:
        users = ", ".join(need.users)
        copied = (
            f"; copying it from the outer engine failed: {refused[need.reference]}" if need.reference in refused else ""
        )
        return f"{prefix(need.at)}image {need.reference} for {users} is missing: {err.message}{copied}"
    return ""


def _built(engine: ImageEngine, need: ImageNeed, build: BuildSpec, log: Callable[[str], None]) -> str:
    try:
        tag = build_tag(need, build, {base: engine.image_id(base) for base in need.bases})
        if engine.has_image(tag):
            log(f"{tag}: unchanged, not built again")
            return tag
        engine.build(replace(build, tag=tag), log)
    except EngineError as err:
        raise EngineError(f"{prefix(need.at)}{', '.join(need.users)}: {err.message}", remedy=err.remedy) from err
    return tag
