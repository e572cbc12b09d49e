#!/usr/bin/env bash
# Builds cleanroom-action:dev (or $1), unless an image of exactly this content is there already.
# Needs an engine that answers (scripts/engine.sh up) and the docker client.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

TAG=${1:-cleanroom-action:dev}
cd "$ROOT"

content_hash() {
    find Dockerfile .dockerignore LICENSE entrypoint.py post-entrypoint.py collector/builder.yaml \
        requirements/runtime.lock kit cleanroom \
        -type f ! -name '*.py[co]' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

build() {
    local options=() name
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        [ -z "${!name:-}" ] || options+=(--build-arg "$name")
    done
    # The classic builder is there in every engine and client; BuildKit is not (Debian's client has no buildx).
    DOCKER_BUILDKIT=0 docker build --label "cleanroom.content=$CONTENT" --tag "$TAG" "${options[@]}" .
}

CONTENT=$(content_hash)
found=$(docker image inspect --format '{{index .Config.Labels "cleanroom.content"}}' "$TAG" 2>/dev/null || true)
if [ "$found" = "$CONTENT" ]; then
    say "==> Image $TAG is up to date"
    exit 0
fi
before=$(docker image inspect --format '{{.Id}}' "$TAG" 2>/dev/null || true)
step "Building image $TAG (about two minutes the first time)" build
# The image this one replaces goes, unless a container still has it; the builder's cache of the stages stays.
[ -z "$before" ] || docker image rm "$before" >/dev/null 2>&1 || say "    the image it replaces is still in use: $before"
