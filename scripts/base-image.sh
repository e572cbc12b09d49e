#!/usr/bin/env bash
# Makes sure the engine has debian:trixie-slim, the only image everything else is built from: pulled where a registry
# answers, else made from Debian packages. Needs an engine that answers (scripts/engine.sh up) and the docker client.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

IMAGE=debian:trixie-slim
PULL_SECONDS=${CLEANROOM_PULL_SECONDS:-30}
BUNDLE=/etc/ssl/certs/ca-certificates.crt
LOCAL_CAS=/usr/local/share/ca-certificates

pull() {
    # One quick question first: a registry that is not there can take minutes to say so.
    timeout "$PULL_SECONDS" docker pull --quiet "$IMAGE"
}

# What makes Debian's own slim image slim.
slim_options() {
    local path
    for path in doc man info locale lintian linda groff; do
        printf '%s\n' "--dpkgopt=path-exclude=/usr/share/$path/*"
    done
    printf '%s\n' '--dpkgopt=path-include=/usr/share/doc/*/copyright'
}

from_packages() {
    local options=() tarball=$BUILD/base.tar
    mapfile -t options < <(slim_options)
    # The machine's certificate authorities go in, so that pip, Go and apt work behind a proxy that has its own.
    if [ -r "$BUNDLE" ]; then
        [ ! -d "$LOCAL_CAS" ] || options+=("--customize-hook=sync-in $LOCAL_CAS $LOCAL_CAS")
        options+=("--customize-hook=upload $BUNDLE $BUNDLE")
    fi
    as_root rm -f "$tarball"
    # The host's own files of resolution and name are never the image's business.
    # shellcheck disable=SC2016 # mmdebstrap's own shell expands the hook's $1
    as_root mmdebstrap --variant=minbase --include=ca-certificates "${options[@]}" \
        --customize-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"' trixie "$tarball"
    docker import --change 'CMD ["bash"]' --change 'LABEL cleanroom.base=debian-packages' "$tarball" "$IMAGE"
    as_root rm -f "$tarball"
}

if docker image inspect "$IMAGE" >/dev/null 2>&1; then
    exit 0
fi
if (step "Pulling $IMAGE (at most $PULL_SECONDS s)" pull) 2>"$BUILD/logs/pull.txt"; then
    cat "$BUILD/logs/pull.txt" >&2
    exit 0
fi
say "No registry gave $IMAGE (details: $BUILD/logs/pull.txt); making it from Debian packages instead."
can_be_root || die "making $IMAGE needs root or sudo for mmdebstrap; or load it: docker load -i debian-trixie-slim.tar"
command -v mmdebstrap >/dev/null || apt_install mmdebstrap debian-archive-keyring
step "Making $IMAGE from Debian packages" from_packages
