# shellcheck shell=bash
# Sourced by the other scripts: messages, timed steps, root.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/.build
# Daemons and mmdebstrap live in sbin, which a plain user's PATH does not name.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
mkdir -p "$BUILD/logs"

say() { printf '%s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# step TEXT COMMAND...: says what is done and how long it took; the command's output goes to a log under .build/logs, whose
# end is shown when the command fails.
step() {
    local text=$1 log began status=0
    shift
    log=$BUILD/logs/$(printf '%s' "$text" | tr -cs 'A-Za-z0-9.' '-').log
    began=${EPOCHREALTIME/[.,]/}
    printf '==> %s\n' "$text" >&2
    "$@" >"$log" 2>&1 </dev/null || status=$?
    local took=$(((${EPOCHREALTIME/[.,]/} - began) / 100000))
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$log" >&2
        die "$text: exit $status after $((took / 10)).$((took % 10)) s; all of its output: $log"
    fi
    printf '    done in %d.%d s\n' $((took / 10)) $((took % 10)) >&2
}

can_be_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null || return 1
    # A terminal can answer a password prompt, a pipeline cannot.
    [ -t 0 ] || sudo -n true 2>/dev/null
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# apt_install PACKAGE...: installs without recommended packages and without starting any service of theirs.
apt_install() {
    command -v apt-get >/dev/null || die "cannot install $*: this is not a Debian or Ubuntu machine; install it by hand"
    can_be_root || die "cannot install $* without root or sudo; ask an administrator for: apt-get install $*"
    step "Installing $*" apt_install_quietly "$@"
}

apt_install_quietly() {
    local policy=/usr/sbin/policy-rc.d made=no status=0
    if [ ! -e "$policy" ]; then
        # Debian's own switch for "install, but start nothing": there may be no init here, and we start our own engine.
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 0755 "$policy"
        made=yes
    fi
    {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" || {
            as_root apt-get update &&
                as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
        }
    } || status=$?
    [ "$made" = no ] || as_root rm -f "$policy"
    return "$status"
}
