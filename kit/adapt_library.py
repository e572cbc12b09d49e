"""Fit Debian's libfaketime for services: `adapt_library.py LIBRARY OUTPUT`, at the image's build.

- It asks for glibc 2.38, for nothing but the C23 names of strtol, strtoll and sscanf, which differ in how they read
  `0b`. Services come with older ones: those three are bound to their old names, and the version is no longer asked
  for. What is then asked for is 2.34, of 2021.
- It shortens waits when the clock's rate is altered, whatever it is told of monotonic time. The functions that wait for
  a length of time are hidden in it, so that programs find those of their C library.

Elf64, little-endian; standard library only.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_TOO_NEW = b"GLIBC_2.38"
_STAND_IN = b"GLIBC_2.34"
_PREFIX = b"__isoc23_"
WAITS = frozenset(
    (
        b"alarm",
        b"epoll_pwait",
        b"epoll_wait",
        b"nanosleep",
        b"poll",
        b"ppoll",
        b"pselect",
        b"select",
        b"sleep",
        b"usleep",
    )
)
"""What waits for a length of time; what waits until a moment of the wall clock must stay."""
_STRTAB, _SYMTAB, _VERNEED, _VERNEEDNUM, _VERSYM = 5, 6, 0x6FFFFFFE, 0x6FFFFFFF, 0x6FFFFFF0
_LOAD, _DYNAMIC = 1, 2


def _text(data: bytes, at: int) -> bytes:
    return data[at : data.index(b"\0", at)]


def _tables(data: bytes) -> dict[int, int]:
    """Return the dynamic table: addresses as offsets in the file (the tables lie in the first segment)."""
    start, size, number = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", data, start + size * index) for index in range(number)]
    first = next(header for header in headers if header[0] == _LOAD)
    dynamic = next(header for header in headers if header[0] == _DYNAMIC)
    if first[2] != first[3]:
        raise SystemExit("the first segment does not lie where it is loaded")
    return dict(struct.unpack_from("<QQ", data, dynamic[2] + at) for at in range(0, dynamic[5], 16))


def _versions(data: bytes, tables: dict[int, int]) -> dict[bytes, tuple[int, int]]:
    """Return each version that is asked for: its number, and where its entry lies."""
    found: dict[bytes, tuple[int, int]] = {}
    at = tables[_VERNEED]
    for _ in range(tables[_VERNEEDNUM]):
        _, count, _, aux, following = struct.unpack_from("<HHIII", data, at)
        entry = at + aux
        for _ in range(count):
            _, _, number, name, more = struct.unpack_from("<IHHII", data, entry)
            found[_text(data, tables[_STRTAB] + name)] = (number, entry)
            entry += more
        at += following
    return found


def lowered(data: bytes) -> bytes:
    """Return the library asking for no version above 2.34; ends the program when it is another library."""
    tables, patched = _tables(data), bytearray(data)
    versions = _versions(data, tables)
    if _TOO_NEW not in versions:
        return data
    oldest = versions.get(b"GLIBC_2.2.5") or versions[b"GLIBC_2.17"]
    number, entry = versions[_TOO_NEW]
    for index, symbol, name in _symbols(data, tables):
        (version,) = struct.unpack_from("<H", data, tables[_VERSYM] + 2 * index)
        if version != number:
            continue
        if not name.startswith(_PREFIX):
            raise SystemExit(f"{name!r} has no older name")
        (place,) = struct.unpack_from("<I", data, symbol)
        struct.pack_into("<I", patched, symbol, place + len(_PREFIX))
        struct.pack_into("<H", patched, tables[_VERSYM] + 2 * index, oldest[0])
    stand_in = versions[_STAND_IN][1]
    digest, name_at = struct.unpack_from("<I", data, stand_in)[0], struct.unpack_from("<I", data, stand_in + 8)[0]
    struct.pack_into("<I", patched, entry, digest)
    struct.pack_into("<I", patched, entry + 8, name_at)
    return bytes(patched)


def without_waits(data: bytes) -> bytes:
    """Return the library with its own `WAITS` out of sight: a name that does not fit its hash is never found."""
    patched = bytearray(data)
    hidden = set()
    for _, symbol, name in _symbols(data, _tables(data)):
        place, _, _, section = struct.unpack_from("<IBBH", data, symbol)
        if name in WAITS and section:
            struct.pack_into("<I", patched, symbol, place + 1)
            hidden.add(name)
    if b"poll" not in hidden or b"nanosleep" not in hidden:
        raise SystemExit("this library has no functions that wait: is it libfaketime?")
    return bytes(patched)


def _symbols(data: bytes, tables: dict[int, int]) -> Iterator[tuple[int, int, bytes]]:
    """Yield each symbol: index, where it lies, name. GNU ld writes the strings just after the symbols."""
    strings, symbols = tables[_STRTAB], tables[_SYMTAB]
    for index in range((strings - symbols) // 24):
        symbol = symbols + 24 * index
        yield index, symbol, _text(data, strings + struct.unpack_from("<I", data, symbol)[0])


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(without_waits(lowered(Path(sys.argv[1]).read_bytes())))
