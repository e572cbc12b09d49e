"""Linux capabilities: those that a service may have, and why it may not have the others (spec.md section 2)."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

ALLOWED: Final = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MKNOD", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT", "SYS_NICE",
)  # fmt: skip
"""What stays inside a container's own namespaces."""
_KERNEL: Final = "it reaches the kernel that all containers share"
_AUDIT: Final = "the audit log is the machine's"
_FILES: Final = "it opens files of the cell by their handles, outside every mount"
_POLICY: Final = "the security policy is the machine's"
_PROCESSES: Final = "it reads and steers processes, those of the runner that inject faults among them"
REFUSED: Final = MappingProxyType({
    "AUDIT_CONTROL": _AUDIT,
    "AUDIT_READ": _AUDIT,
    "BLOCK_SUSPEND": "it keeps the machine from sleeping",
    "BPF": _KERNEL,
    "CHECKPOINT_RESTORE": _PROCESSES,
    "DAC_READ_SEARCH": _FILES,
    "MAC_ADMIN": _POLICY,
    "MAC_OVERRIDE": _POLICY,
    "NET_ADMIN": "it takes network faults and the proof of isolation away",
    "PERFMON": _KERNEL,
    "SYSLOG": _KERNEL,
    "SYS_ADMIN": "it mounts, enters namespaces and reaches the cell",
    "SYS_BOOT": "it restarts the machine",
    "SYS_MODULE": _KERNEL,
    "SYS_PACCT": "process accounting is the machine's",
    "SYS_PTRACE": _PROCESSES,
    "SYS_RAWIO": "it reaches the machine's devices",
    "SYS_RESOURCE": "it lifts the limits of the service",
    "SYS_TIME": "it sets the machine's clock; use clock",
    "SYS_TTY_CONFIG": "it reaches the machine's terminals",
    "WAKE_ALARM": "it wakes the machine",
})  # fmt: skip
"""What reaches the cell, the machine or the evidence, and how."""
