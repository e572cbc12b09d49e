"""The probe: tries every way out from inside a container. Standard library only; runs as the text of a script.

`main` takes a JSON plan {"attempts": [{protocol, destination, port, name, timeout in s}]} and prints a JSON list of
{protocol, destination, port, outcome, detail} for each, in that order. What an outcome means is judged by `proof`.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

_ICMP_ECHO = {socket.AF_INET: 8, socket.AF_INET6: 128}
_ICMP_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _target(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    if ":" not in address:
        return address, port
    scope = next((i for i, name in socket.if_nameindex() if name != "lo"), 0) if address.startswith("fe80:") else 0
    return address, port, 0, scope


def _tcp(address: str, port: int, timeout: float) -> tuple[str, str]:
    with socket.socket(_family(address), socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(_target(address, port))
        return "connected", ""


def _udp(address: str, port: int, timeout: float) -> tuple[str, str]:
    with socket.socket(_family(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect(_target(address, port))
        sock.send(b"cleanroom probe")
        return "answered", f"{len(sock.recv(4096))} bytes"


def _checksum(data: bytes) -> int:
    total = int(sum(struct.unpack(f"!{len(data) // 2}H", data)))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _icmp(address: str, _port: int, timeout: float) -> tuple[str, str]:
    family = _family(address)
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    marker = os.getpid() & 0xFFFF
    body = struct.pack("!BBHHH", _ICMP_ECHO[socket.AddressFamily(family)], 0, 0, marker, 1)
    if family == socket.AF_INET:
        body = body[:2] + struct.pack("!H", _checksum(body)) + body[4:]
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        sock.settimeout(timeout)
        sock.connect(_target(address, 0))
        sock.send(body)
        for _ in range(100):
            packet = sock.recv(4096)
            reply = packet[(packet[0] & 15) * 4 :] if family == socket.AF_INET else packet
            if reply[0] == _ICMP_REPLY[socket.AddressFamily(family)] and reply[4:6] == body[4:6]:
                return "answered", "echo reply"
    return "silent", "no echo reply among 100 packets"


def _dns(server: str, port: int, timeout: float, name: str) -> tuple[str, str]:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    query = struct.pack("!HHHHHH", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect((server, port))
        sock.send(query)
        return "answered", sock.recv(4096).hex()


def _outcome(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "silent"
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "refused"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "unreachable"
    return "not sent"


def attempt(what: dict[str, str | int | float]) -> dict[str, str | int]:
    """Try one way and return it with `outcome` and `detail`; never raises OSError."""
    protocol, address, port = str(what["protocol"]), str(what["destination"]), int(what["port"])
    timeout = float(what["timeout"])
    try:
        if protocol == "dns":
            outcome, detail = _dns(address, port, timeout, str(what["name"]))
        else:
            outcome, detail = {"tcp": _tcp, "udp": _udp, "icmp": _icmp, "icmpv6": _icmp}[protocol](
                address, port, timeout
            )
    except OSError as err:
        outcome, detail = _outcome(err), str(err)
    return {"protocol": protocol, "destination": address, "port": port, "outcome": outcome, "detail": detail}


def main(plan: str) -> None:
    """Try everything in `plan` at once and print what happened, as JSON."""
    everything = json.loads(plan)["attempts"]
    with ThreadPoolExecutor(max_workers=len(everything)) as pool:
        print(json.dumps(list(pool.map(attempt, everything))))  # noqa: T201 - standard output is its result
