"""A program of a few bytes that ends with a code so many times, and then becomes the command that it was given.

It is made here, for Linux on x86-64, because an image need not have anything that could do it: no shell, no libc. What
it counts by are files: each start takes one away and ends; when none is left, it executes its arguments.
"""

from __future__ import annotations

import io
import struct
import tarfile
from typing import Final

FOLDER: Final = "/.cleanroom-exit"
PROGRAM: Final = f"{FOLDER}/run"
MACHINE: Final = "x86_64"

_BASE: Final = 0x400000
_HEADERS: Final = 64 + 56
_X86_64: Final = 62
_UNLINK, _EXECVE, _EXIT = 87, 59, 60
_NOT_EXECUTED: Final = 127
_NAME_BYTES: Final = 32


def count_file(number: int) -> str:
    """Return the path of the file that the start with this number (from 0) takes away."""
    return f"{FOLDER}/{number:04d}"


def program(code: int, times: int) -> bytes:
    """Return the executable file: ends with `code` (0 to 255) as long as it finds a file, at most `times` times."""
    loop = b"".join((
        b"\x48\x89\xdf",  # mov rdi, rbx           the path
        b"\xb8" + struct.pack("<I", _UNLINK), b"\x0f\x05",
        b"\x48\x85\xc0",  # test rax, rax
    ))  # fmt: skip
    onward = b"\x48\x83\xc3" + bytes([_NAME_BYTES]) + b"\xff\xcd"  # add rbx, …; dec ebp
    execute = b"".join((
        b"\x49\x8b\x04\x24",      # mov rax, [r12]         argc
        b"\x49\x8b\x7c\x24\x10",  # mov rdi, [r12+16]      argv[1]
        b"\x49\x8d\x74\x24\x10",  # lea rsi, [r12+16]      argv from there on
        b"\x49\x8d\x54\xc4\x10",  # lea rdx, [r12+rax*8+16] the environment
        b"\xb8" + struct.pack("<I", _EXECVE), b"\x0f\x05",
        b"\xbf" + struct.pack("<I", _NOT_EXECUTED),
        b"\xeb\x05",              # past the next instruction
    ))  # fmt: skip
    end = b"\xbf" + struct.pack("<I", code) + b"\xb8" + struct.pack("<I", _EXIT) + b"\x0f\x05"
    found = b"\x74" + bytes([len(onward) + 2 + len(execute)])  # jz: a file was there
    back = b"\x75" + struct.pack("b", -(len(loop) + len(found) + len(onward) + 2))  # jnz: to the next file
    body = loop + found + onward + back + execute + end
    start = b"\x49\x89\xe4"  # mov r12, rsp
    # lea rbx, [rip+…]: the table stands behind the code; mov ebp, times.
    start += b"\x48\x8d\x1d" + struct.pack("<i", 5 + len(body)) + b"\xbd" + struct.pack("<I", times)
    table = b"".join(count_file(number).encode().ljust(_NAME_BYTES, b"\0") for number in range(times))
    return _elf(start + body + table)


def _elf(content: bytes) -> bytes:
    size = _HEADERS + len(content)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH", 2, _X86_64, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + content


def archive(code: int, times: int) -> bytes:
    """Return the tar to unpack at `/`: the program and its files, in a folder that every user may change."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo(FOLDER.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o777
        tar.addfile(folder)
        _add(tar, PROGRAM, program(code, times), 0o755)
        for number in range(times):
            _add(tar, count_file(number), b"", 0o644)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))
