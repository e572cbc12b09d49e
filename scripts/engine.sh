#!/usr/bin/env bash
# The Docker engine that everything here uses: the one that answers, else a private one of this checkout.
#   engine.sh up     make one answer (installs Debian's docker.io where there is none; needs root or sudo for that)
#   engine.sh env    print the export line of the one that answers: eval "$(scripts/engine.sh env)"
#   engine.sh down   stop the private one, if this checkout started one
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

ENGINE=$BUILD/engine
ID=$(printf '%s' "$ROOT" | sha256sum | cut -c1-8)
BRIDGE=eng-$ID
PIDFILE=$ENGINE/dockerd.pid
# A socket's path may have 107 bytes, and dockerd puts sockets of its own 44 bytes deeper.
SOCKETS=$ENGINE
[ ${#ENGINE} -le 60 ] || SOCKETS=/run/cleanroom-$ID
SOCKET=$SOCKETS/docker.sock
DEFAULT=unix:///var/run/docker.sock

# answers URL: does an engine answer there, within 5 s?
answers() {
    case $1 in
    unix://*) [ -S "${1#unix://}" ] || return 1 ;;
    esac
    if command -v docker >/dev/null; then
        timeout 5 docker --host "$1" version >/dev/null 2>&1
    else
        # No client installed yet: ask a local socket by hand.
        case $1 in unix://*) ;; *) return 1 ;; esac
        timeout 5 python3 - "${1#unix://}" 2>/dev/null <<'PYTHON'
import socket, sys
link = socket.socket(socket.AF_UNIX)
link.settimeout(4)
link.connect(sys.argv[1])
link.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
sys.exit(0 if b" 200 " in link.recv(4096) else 1)
PYTHON
    fi
}

# context_host: where `docker context use` points, which is how rootless engines and desktops are found.
context_host() {
    command -v docker >/dev/null || return 0
    (unset DOCKER_HOST && timeout 5 docker context inspect --format '{{.Endpoints.docker.Host}}') 2>/dev/null || true
}

# find_engine: prints the address of the first engine that answers.
find_engine() {
    local host
    for host in "${DOCKER_HOST:-}" "$DEFAULT" "$(context_host)" "unix://$SOCKET"; do
        if [ -n "$host" ] && answers "$host"; then
            printf '%s\n' "$host"
            return 0
        fi
    done
    return 1
}

# gone PID: has it ended? A dying process loses its command line before it ends, and a zombie has ended.
gone() {
    [ ! -d "/proc/$1" ] || grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

# ours: prints the pid of the private dockerd; false when it is gone.
ours() {
    local pid
    pid=$(cat "$PIDFILE" 2>/dev/null) || return 1
    # Numbers are used again, command lines are not.
    [ -n "$pid" ] && tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$PIDFILE" && printf '%s\n' "$pid"
}

# free_range: prints the first two numbers of a /16 that no route of this machine touches.
free_range() {
    ip -4 -o route show table all | python3 -c '
import ipaddress, sys
taken = []
for line in sys.stdin:
    for word in line.split():
        try:
            taken.append(ipaddress.ip_network(word, strict=False))
            break
        except ValueError:
            continue
taken = [net for net in taken if net.prefixlen > 0]
choices = [f"172.{n}" for n in range(31, 19, -1)] + [f"10.{n}" for n in range(213, 253)]
free = [c for c in choices if not any(net.overlaps(ipaddress.ip_network(f"{c}.0.0/16")) for net in taken)]
sys.exit("no free /16 for the private engine: every candidate has a route") if not free else print(free[0])'
}

make_bridge() {
    # A bridge of our own: docker0 may belong to another engine, and two engines on one bridge fight over its address.
    if ! ip link show "$BRIDGE" >/dev/null 2>&1; then
        as_root ip link add "$BRIDGE" type bridge
        as_root ip address add "$1.0.1/24" dev "$BRIDGE"
    fi
    as_root ip link set "$BRIDGE" up
}

bridge_range() {
    ip -4 -o address show dev "$BRIDGE" 2>/dev/null | sed -n 's|.* inet \([0-9]*\.[0-9]*\)\..*|\1|p'
}

launch() {
    local range tries
    range=$(bridge_range)
    [ -n "$range" ] || range=$(free_range)
    make_bridge "$range"
    as_root mkdir -p "$ENGINE/data" "$SOCKETS"
    as_root rm -f "$PIDFILE"
    # Its own session and no inherited files: it outlives make, and a lock or a pipe of ours is not held open by it.
    # No --default-address-pool: with it dockerd deletes docker0, whoever's that is, each time it starts again.
    # Names of its own in containerd: dockerd uses the system's containerd where one runs.
    as_root setsid --fork nohup dockerd \
        --data-root "$ENGINE/data" --exec-root "$SOCKETS/exec" --host "unix://$SOCKET" --pidfile "$PIDFILE" \
        --group "$(id -gn)" --bridge "$BRIDGE" \
        --containerd-namespace "cleanroom-$ID" --containerd-plugins-namespace "cleanroom-$ID-plugins" \
        >"$ENGINE/dockerd.log" 2>&1 </dev/null 8>&- 9>&-
    for ((tries = 0; tries < 300; tries++)); do
        if answers "unix://$SOCKET"; then
            return 0
        fi
        if ((tries > 20)) && ! ours >/dev/null; then
            break
        fi
        sleep 0.1
    done
    tail -n 25 "$ENGINE/dockerd.log" >&2
    return 1
}

up() {
    local host missing=()
    mkdir -p "$ENGINE"
    exec 9>"$BUILD/engine.lock"
    flock --wait 180 9 || die "another process has been starting the engine of this checkout for 3 minutes"
    if host=$(find_engine); then
        [ -z "${DOCKER_HOST:-}" ] || [ "$host" = "$DOCKER_HOST" ] ||
            say "DOCKER_HOST=$DOCKER_HOST does not answer; using $host instead"
        command -v docker >/dev/null || install_client
        return 0
    fi
    [ "$(uname -s)" = Linux ] ||
        die "no Docker engine answers, and only on Linux can one be started here; start yours, or set DOCKER_HOST"
    can_be_root ||
        die "no Docker engine answers (DOCKER_HOST, $DEFAULT), and without root or sudo none can be started;" \
            "start one, or set DOCKER_HOST, or run this as root"
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v ip >/dev/null || missing+=(iproute2)
    command -v iptables >/dev/null || missing+=(iptables)
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
    command -v docker >/dev/null || install_client
    [ "$SOCKETS" = "$ENGINE" ] || say "$ENGINE is too long a path for a socket: the engine's sockets are in $SOCKETS"
    step "Starting a private Docker engine (make engine-down stops it)" launch
}

# drop_rules: dockerd leaves its rules for a bridge in the machine's packet filter when it ends; ours name our bridge.
drop_rules() {
    local tool table rule
    for tool in iptables ip6tables; do
        command -v "$tool" >/dev/null || continue
        for table in filter nat; do
            as_root "$tool" --wait --table "$table" --list-rules 2>/dev/null | { grep -F -- " $BRIDGE " || true; } |
                while read -ra rule; do
                    as_root "$tool" --wait --table "$table" --delete "${rule[@]:1}" </dev/null
                done
        done
    done
}

# unmount: dockerd leaves mounts of its own (a network namespace) when it ends; the folder could not be removed with them.
unmount() {
    local point
    awk -v one="$ENGINE/" -v two="$SOCKETS/" 'index($5, one) == 1 || index($5, two) == 1 { print $5 }' \
        /proc/self/mountinfo | sort --reverse | while read -r point; do
        as_root umount --lazy "$point" </dev/null
    done
}

install_client() {
    # Debian 12 has the client inside docker.io, Debian 13 in a package of its own.
    if apt-cache show docker-cli >/dev/null 2>&1; then apt_install docker-cli; else apt_install docker.io; fi
}

down() {
    local pid tries
    if pid=$(ours); then
        as_root kill -TERM "$pid"
        for ((tries = 0; tries < 200; tries++)); do
            ! gone "$pid" || break
            sleep 0.1
        done
        gone "$pid" || die "the private engine (pid $pid) does not stop within 20 s; its log: $ENGINE/dockerd.log"
        say "==> Stopped the private Docker engine; its images stay in $ENGINE/data until make clean"
    fi
    unmount
    if command -v ip >/dev/null && ip link show "$BRIDGE" >/dev/null 2>&1; then
        drop_rules
        as_root ip link delete "$BRIDGE"
    fi
    [ "$SOCKETS" = "$ENGINE" ] || as_root rm -rf "$SOCKETS"
}

case ${1:-} in
up) up ;;
env)
    host=$(find_engine) || die "no Docker engine answers; run: make engine-up"
    printf "export DOCKER_HOST='%s'\n" "$host"
    ;;
down) down ;;
*) die "usage: engine.sh up|env|down" ;;
esac
