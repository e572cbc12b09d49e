"""What rungs need of a machine, of the action's image or of a service: one word for each, for all families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ENGINE = "engine"
PIDS = "shared pid namespace"
MOUNTS = "mount namespaces"
MOUNT_SETATTR = "kernel mount_setattr"
FUSE = "/dev/fuse"
LIMITS = "prlimit of others"
SYSCTL = "/proc/sys writable"
FREEZER = "cgroup freezer"
CPU = "cgroup cpu"
MEMORY = "cgroup memory"
PROCESSES = "cgroup pids"
IO = "cgroup io"
X86 = "x86-64"
TC = "tc"
NETEM = "kernel sch_netem"
HTB = "kernel sch_htb"
IFB = "kernel ifb"
IPTABLES = "iptables"
NFQUEUE = "kernel nfnetlink_queue"
NFT = "nft"
TABLES = "kernel nf_tables"
CONNECTIONS = "kernel nft_connlimit"
NETDEV = "kernel nf_tables of netdev"
NUMGEN = "kernel nft_numgen"
REDIRECT = "kernel nft_redir"
REJECT = "kernel nft_reject"
KIT = "libfaketime"
GLIBC = "programs of glibc 2.34 or newer"
SIZED = "a file system of the service's own, with a size"
SQL = "a way into the database that the spec itself uses"
PASSWORDS = "a user there who may read and set passwords"
REDIS = "a server that speaks Redis' protocol"
RABBIT = "rabbitmqctl in the target's image"
HEALTH = "a health check of the image that names a program"
COMMANDS = "commands of the spec's own"

NFT_RULES = (NFT, TABLES, REJECT)
PROXY = (NFT, TABLES, REDIRECT, REJECT)
EMULATOR = (TC, HTB, NETEM)
QUEUE = (IPTABLES, NFQUEUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One word: what to do where it is missing, and who decides whether it is there."""

    remedy: str
    by_service: bool = False
    """Only the services of a spec have it or not: no machine can be asked."""


_CGROUP = "run in a cell (--engine cell) or as root (--engine own), on a kernel with this controller"
_OURS = "use an engine on this machine, in a cell (--engine cell) or of the run's own (--engine own)"
NEEDS: Mapping[str, Need] = MappingProxyType({
    ENGINE: Need(remedy="the cell's own dockerd must start: its image has it (`make image`)"),
    PIDS: Need(remedy=_OURS),
    MOUNTS: Need(remedy="CAP_SYS_ADMIN and CAP_SYS_CHROOT are needed: run in a cell, or as root"),
    MOUNT_SETATTR: Need(remedy="a kernel of 5.12 or newer is needed"),
    FUSE: Need(remedy="load fuse on the host (modprobe fuse), and let the cell open /dev/fuse"),
    LIMITS: Need(remedy="CAP_SYS_PTRACE is needed: run in a cell, or as root"),
    SYSCTL: Need(remedy="/proc/sys must not be read-only: run in a cell, or as root"),
    FREEZER: Need(remedy=_CGROUP),
    CPU: Need(remedy=_CGROUP),
    MEMORY: Need(remedy=_CGROUP),
    PROCESSES: Need(remedy=_CGROUP),
    IO: Need(remedy=_CGROUP),
    X86: Need(remedy="the program before the command is made for x86-64 alone"),
    TC: Need(remedy="install iproute2"),
    NETEM: Need(remedy="load it on the host (modprobe sch_netem; Ubuntu: linux-modules-extra)"),
    HTB: Need(remedy="load it on the host (modprobe sch_htb)"),
    IFB: Need(remedy="load it on the host (modprobe ifb); only `direction` ingress or both with tc needs it"),
    IPTABLES: Need(remedy="install iptables"),
    NFQUEUE: Need(remedy="load xt_NFQUEUE and nfnetlink_queue on the host"),
    NFT: Need(remedy="install nftables"),
    TABLES: Need(remedy="load nf_tables on the host; the isolated network needs it as well"),
    CONNECTIONS: Need(remedy="load nft_connlimit on the host"),
    NETDEV: Need(remedy="a kernel of 5.16 or newer with CONFIG_NETFILTER_EGRESS is needed"),
    NUMGEN: Need(remedy="load nft_numgen on the host"),
    REDIRECT: Need(remedy="load nft_redir and nf_nat on the host"),
    REJECT: Need(remedy="load nft_reject_inet on the host"),
    KIT: Need(remedy="it comes with the action's image: run with --engine cell"),
    GLIBC: Need(remedy="static programs and those of another libc keep the machine's clock", by_service=True),
    SIZED: Need(remedy="give the service a `tmpfs`", by_service=True),
    SQL: Need(remedy="ask the database something by `sql`, best in its `ready`", by_service=True),
    PASSWORDS: Need(remedy="let the spec ask as such a user", by_service=True),
    REDIS: Need(remedy="aim the fault at such a service", by_service=True),
    RABBIT: Need(remedy="aim the fault at a service of RabbitMQ", by_service=True),
    HEALTH: Need(remedy="aim the fault at a service with such a check", by_service=True),
    COMMANDS: Need(remedy="the services must have the programs that the commands name", by_service=True),
})  # fmt: skip
"""Every word that a rung may use, in the order in which `doctor` tells of them."""
