#!/usr/bin/env bash
# Fills .build/venv from a lock: venv.sh runtime|dev|bench. Does nothing when it holds that lock already.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

SET=${1:-}
LOCK=$ROOT/requirements/$SET.lock
[ -f "$LOCK" ] || die "usage: venv.sh runtime|dev|bench"
VENV=$BUILD/venv

# good PYTHON: does it start (a version manager's shim may not) and is it new enough?
good() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

pick_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && good "$name"; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    return 1
}

create() {
    "$PYTHON" -m venv --clear "$VENV"
    # The checkout itself is what runs: its folder goes on the venv's path instead of a copy.
    printf '%s\n' "$ROOT" >"$(echo "$VENV"/lib/python3*/site-packages)/checkout.pth"
    printf '#!%s\nimport sys\nfrom cleanroom.cli.main import main\nsys.exit(main())\n' \
        "$VENV/bin/python" >"$VENV/bin/cleanroom"
    chmod 0755 "$VENV/bin/cleanroom"
}

install() {
    "$VENV/bin/pip" --disable-pip-version-check install --require-hashes --no-deps --requirement "$LOCK"
    sha256sum <"$LOCK" >"$VENV/$SET.stamp"
}

# holds SET: the stamp of that lock, or of a later one in the chain that contains it.
holds() {
    local name
    for name in "$@"; do
        [ "$(cat "$VENV/$name.stamp" 2>/dev/null)" != "$(sha256sum <"$ROOT/requirements/$name.lock")" ] || return 0
    done
    return 1
}

case $SET in
runtime) holders=(runtime dev bench) ;;
dev) holders=(dev bench) ;;
*) holders=("$SET") ;;
esac
if [ -x "$VENV/bin/python" ] && good "$VENV/bin/python" && holds "${holders[@]}"; then
    exit 0
fi
if ! { [ -x "$VENV/bin/python" ] && good "$VENV/bin/python"; }; then
    if ! PYTHON=$(pick_python); then
        # Ubuntu 22.04 has an older python3 and a newer one beside it.
        apt_install python3.11 python3.11-venv
        PYTHON=$(pick_python) || die "no Python 3.11 or newer: install one (python3.11, python3.12 or python3.13)"
    fi
    if ! "$PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv"
    fi
    step "Making a virtual environment ($("$PYTHON" --version))" create
fi
step "Installing the locked $SET packages" install
