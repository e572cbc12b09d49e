"""Who reads the keys of each fault: rows of `evidence`, a table for each family."""

from __future__ import annotations

OF_ALL = {
    "id": "run/occurrence:Occurrence._begin fault.id",
    "fault": "faults/ladder:open_fault event.fault.kind",
    "target": "plan/timeline:_Drawing._targets fault.target",
    "at": "plan/timeline:_moment fault.moment",
    "probability": "plan/timeline:_Drawing._event fault.probability",
    "repeat": "plan/timeline:_Drawing.plan fault.repeat",
    "verify": "validate/occurrence:Occurrence.unproven self.event.fault.verify",
    "verify_reason": "validate/faults:_judge_one fault.verify_reason",
    "allow_inconclusive": "validate/faults:_judge_one fault.allow_inconclusive",
    "for": "run/chaos:Chaos._start occurrence.event.fault.duration",
    "until": "run/chaos:Chaos.before_step occurrence.event.fault.until_step",
}
PINNED = {**OF_ALL, "backend": "faults/rung:pinned event.fault.backend"}
INSTANT = {name: reader for name, reader in PINNED.items() if name not in ("for", "until")}
"""Of a fault that has no window."""
CONTAINER: dict[str, dict[str, str]] = {
    "the fault container.kill": {
        **OF_ALL,
        "backend": "faults/container/kill:open_kill event.fault.backend",
        "signal": "faults/container/kill:Kill.__init__ event.parameters",
        "revive": "faults/container/kill:strategies_of event.parameters",
    },
    "the fault container.stop": {**PINNED, "grace": "faults/container/stop:Stop.__init__ event.parameters"},
    "the fault container.pause": PINNED,
    "the fault container.restart": {
        **INSTANT,
        "times": "faults/container/restart:Restart.__init__ event.parameters",
        "grace": "faults/container/restart:Restart.__init__ event.parameters",
    },
    "the fault container.crash_loop": {
        **PINNED,
        "every": "faults/container/crash_loop:CrashLoop.__init__ event.parameters",
        "times": "faults/container/crash_loop:CrashLoop.__init__ event.parameters",
    },
    "the fault container.recreate": {
        **INSTANT,
        "keep_volumes": "faults/container/recreate:Recreate.__init__ event.parameters",
    },
    "the fault container.exit": {
        **PINNED,
        "code": "faults/container/exit:Exit.__init__ event.parameters",
        "times": "faults/container/exit:Exit.__init__ event.parameters",
    },
    "the fault container.oom": {**PINNED, "memory": "faults/container/oom:Oom.__init__ event.parameters"},
}
PROCESS: dict[str, dict[str, str]] = {
    "the fault process.signal": {
        **PINNED,
        **dict.fromkeys(("match", "signal", "count"), "faults/process/signal:Signal.__init__ event.parameters"),
    },
    "the fault process.zombies": {**PINNED, "count": "faults/process/crowded:Crowded.__init__ event.parameters"},
    "the fault process.fork_bomb": {**PINNED, "pids": "faults/process/crowded:Crowded.__init__ event.parameters"},
}
EMULATED = {
    **OF_ALL,
    "between": "faults/network/emulated:Emulated._shape fault.between",
    "direction": "faults/network/emulated:Emulated._shape fault.direction",
    "ports": "faults/network/emulated:Emulated._shape fault.ports",
    "protocol": "faults/network/emulated:Emulated._shape fault.protocol",
    "backend": "faults/network/emulated:Emulated.__init__ fault.backend",
}
"""Of what is done to packets in the container's own namespace."""
NETWORK: dict[str, dict[str, str]] = {
    "the fault network.latency": {
        **EMULATED,
        **dict.fromkeys(
            ("delay", "jitter", "distribution", "correlation"), "faults/network/latency:delay_of event.parameters"
        ),
    },
    "the fault network.loss": {
        **EMULATED,
        **dict.fromkeys(("percent", "every", "gilbert"), "faults/network/loss:loss_of event.parameters"),
    },
    "the fault network.loss.gilbert": {
        "p": "faults/traffic/decision:_Chain.next self._effect.p",
        "r": "faults/traffic/decision:_Chain.next self._effect.r",
        "good": "faults/traffic/decision:_Chain.next self._effect.good",
        "bad": "faults/traffic/decision:_Chain.next self._effect.bad",
    },
    "the fault network.corrupt": {**EMULATED, "percent": "faults/network/corrupt:open_corrupt event.parameters"},
    "the fault network.duplicate": {**EMULATED, "percent": "faults/network/duplicate:open_duplicate event.parameters"},
    "the fault network.reorder": {
        **EMULATED,
        **dict.fromkeys(("percent", "gap", "delay"), "faults/network/reorder:open_reorder event.parameters"),
    },
    "the fault network.bandwidth": {
        **EMULATED,
        **dict.fromkeys(("rate", "burst"), "faults/network/bandwidth:rate_of event.parameters"),
    },
    "the fault network.flap": {
        **EMULATED,
        **dict.fromkeys(("up", "down"), "faults/network/flap:open_flap event.parameters"),
    },
}
_BY_RULES = {
    **PINNED,
    "between": "faults/network/matching:peers_of fault.between",
    "ports": "faults/network/matching:packets fault.ports",
    "protocol": "faults/network/matching:packets fault.protocol",
}
_REFUSED = {
    **_BY_RULES,
    "ports": "faults/network/matching:openings fault.ports",
    "protocol": "faults/network/matching:openings fault.protocol",
}
NETWORK |= {
    "the fault network.blackhole": {**_BY_RULES, "direction": "faults/network/matching:hooks fault.direction"},
    "the fault network.refuse": {**_REFUSED, "direction": "faults/network/refuse:rule_refuse fault.direction"},
    "the fault network.connection_limit": {
        **_REFUSED,
        "direction": "faults/network/refuse:ends fault.direction",
        "max": "faults/network/connection_limit:most_of event.parameters",
    },
    "the fault network.partition": {
        **_BY_RULES,
        "between": "faults/network/partition:sides fault.between",
        "direction": "faults/network/partition:lost_pairs event.fault.direction",
        "groups": "faults/network/partition:sides event.parameters",
        "one_way": "faults/network/partition:lost_pairs event.parameters",
    },
    "the fault network.disconnect": PINNED,
    "the fault network.port_exhaustion": {
        **PINNED,
        "leave": "faults/network/port_exhaustion:PortExhaustion.__init__ event.parameters",
    },
}
_OF_NAMES = {
    **PINNED,
    **dict.fromkeys(("names", "percent"), "faults/dns/names:NameTrouble.__init__ event.parameters"),
}
DNS: dict[str, dict[str, str]] = {
    "the fault dns.nxdomain": _OF_NAMES,
    "the fault dns.servfail": _OF_NAMES,
    "the fault dns.timeout": _OF_NAMES,
    "the fault dns.delay": {**_OF_NAMES, "delay": "faults/dns/names:NameTrouble.__init__ event.parameters"},
    "the fault dns.spoof": {**_OF_NAMES, "address": "faults/dns/names:NameTrouble._rule self._event.parameters"},
}
_STREAMS = {"reset": ("after",), "slow_close": ("delay",), "slice": ("size", "delay"), "limit_data": ("bytes",)}
NETWORK |= {
    f"the fault network.{name}": {
        **PINNED,
        "between": "faults/proxy/fault:ProxyFault._lead fault.between",
        "direction": "faults/proxy/fault:ProxyFault._job self._event.fault.direction",
        "ports": "faults/proxy/fault:ProxyFault._lead fault.ports",
        "protocol": "faults/proxy/fault:open_proxy fault.protocol",
        **dict.fromkeys(parameters, f"faults/network/{name}:deed_of event.parameters"),
    }
    for name, parameters in _STREAMS.items()
}
_REQUESTS = {
    "abort": ("after",),
    "delay": ("delay", "jitter"),
    "status": ("code", "retry_after"),
    "body": ("replace", "truncate"),
    "headers": ("set", "remove"),
    "fail_first": ("count", "code"),
    "rate_limit": ("rate", "burst"),
}
HTTP: dict[str, dict[str, str]] = {
    f"the fault http.{name}": {
        **PINNED,
        **dict.fromkeys(("route", "percent"), "faults/http/deeds:_whom event.parameters"),
        **dict.fromkeys(parameters, f"faults/http/deeds:{name}_of event.parameters"),
    }
    for name, parameters in _REQUESTS.items()
}
_BACKEND = "faults/resource/strike:rung_of event.fault.backend"


def _resource(kind: str, reader: str, *parameters: str) -> dict[str, dict[str, str]]:
    read = dict.fromkeys(parameters, f"faults/resource/{reader} event.parameters")
    return {f"the fault resource.{kind}": {**OF_ALL, "backend": _BACKEND, **read}}


RESOURCE: dict[str, dict[str, str]] = {
    **_resource("cpu_stress", "cpu:open_cpu_stress", "workers", "load"),
    **_resource("cpu_throttle", "cpu:open_cpu_throttle", "cpus"),
    **_resource("memory_pressure", "memory:open_memory_pressure", "size", "percent", "ramp"),
    **_resource("memory_limit", "memory:open_memory_limit", "memory"),
    **_resource("memory_leak", "memory:open_memory_leak", "step", "every"),
    **_resource("disk_full", "disk:open_disk_full", "path", "leave", "percent"),
    **_resource("inode_exhaustion", "disk:open_inode_exhaustion", "path", "leave"),
    **_resource("fd_exhaustion", "processes:open_fd_exhaustion", "leave"),
    **_resource("pids_limit", "processes:open_pids_limit", "max"),
    **_resource("io_throttle", "io:open_io_throttle", "read", "write"),
    **_resource("file_size", "processes:open_file_size", "max"),
}
_PATH = "faults/filesystem/base:OnPath.__init__ event.parameters"


def _filesystem(kind: str, reader: str, *parameters: str) -> dict[str, dict[str, str]]:
    read = dict.fromkeys(parameters, f"faults/filesystem/{reader}")
    backend = "faults/filesystem/base:backend_of event.fault.backend"
    return {f"the fault filesystem.{kind}": {**OF_ALL, "backend": backend, "path": _PATH, **read}}


_CHANGED = "change:Change._do self._event.parameters"
_COVERED = "covered:Covered.__init__ event.parameters"
_HELD = "held:Held._job self._event.parameters"
FILESYSTEM: dict[str, dict[str, str]] = {
    **_filesystem("read_only", _CHANGED),
    **_filesystem("permission", _CHANGED, "mode", "owner"),
    **_filesystem("missing", _CHANGED),
    **_filesystem("corrupt", _CHANGED, "offset", "bytes", "truncate"),
    **_filesystem("symlink", _CHANGED, "kind"),
    **_filesystem("unlink_open", _CHANGED),
    **_filesystem("io_error", _COVERED, "operations", "errno", "percent"),
    **_filesystem("io_delay", _COVERED, "operations", "delay"),
    **_filesystem("lock", _HELD, "kind"),
    **_filesystem("churn", _HELD, "workers", "files"),
}
_ALTERED = {**OF_ALL, "backend": "faults/clock/alter:opener.open_clock event.fault.backend"}
CLOCK: dict[str, dict[str, str]] = {
    "the fault clock.skew": {**_ALTERED, "offset": "faults/clock/alter:Skew.tell self._event.parameters"},
    "the fault clock.jump": {
        **_ALTERED,
        "offsets": "faults/clock/alter:Jump.__init__ event.parameters",
        "every": "faults/clock/alter:Jump.__init__ event.parameters",
    },
    "the fault clock.rate": {**_ALTERED, "rate": "faults/clock/alter:Rate.tell self._event.parameters"},
    "the fault clock.freeze": {**_ALTERED, "parameters": "faults/clock/alter:Freeze.tell self._event.parameters"},
    "the fault clock.freeze.parameters": {"at": "faults/clock/alter:Freeze.tell self._event.parameters"},
}
DEPENDENCY: dict[str, dict[str, str]] = {
    "the fault dependency.down": {**PINNED, "mode": "faults/dependency/down:open_down event.parameters"},
    "the fault dependency.unhealthy": PINNED,
}
DATABASE: dict[str, dict[str, str]] = {
    "the fault database.lock": {
        **OF_ALL,
        "backend": "faults/each:open_each event.fault.backend",
        "table": "faults/database/lock:TableLock.__init__ event.parameters",
        "mode": "faults/database/lock:TableLock.__init__ event.parameters",
    },
    "the fault database.kill_sessions": {
        **INSTANT,
        "backend": "faults/each:open_each event.fault.backend",
        **dict.fromkeys(
            ("count", "percent", "match"), "faults/database/kill_sessions:KilledSessions.__init__ event.parameters"
        ),
    },
    "the fault database.exhaust_connections": {
        **OF_ALL,
        "backend": "faults/each:open_each event.fault.backend",
        "leave": "faults/database/connections:HeldConnections.__init__ event.parameters",
    },
    "the fault database.pause_replay": {**OF_ALL, "backend": "faults/each:open_each event.fault.backend"},
    "the fault database.promote": {**INSTANT, "backend": "faults/each:open_each event.fault.backend"},
}
CACHE: dict[str, dict[str, str]] = {
    "the fault cache.flush": {**INSTANT, "backend": "faults/each:open_each event.fault.backend"},
    "the fault cache.maxmemory": {
        **OF_ALL,
        "backend": "faults/each:open_each event.fault.backend",
        "memory": "faults/cache/maxmemory:LessMemory.__init__ event.parameters",
        "policy": "faults/cache/maxmemory:LessMemory.__init__ event.parameters",
    },
    "the fault cache.slow": {
        **OF_ALL,
        "backend": "faults/network/emulated:Emulated.__init__ fault.backend",
        "delay": "faults/cache/slow:open_slow event.parameters",
    },
}
BROKER: dict[str, dict[str, str]] = {
    "the fault broker.memory_alarm": {**OF_ALL, "backend": "faults/each:open_each event.fault.backend"},
    "the fault broker.delete_queue": {
        **INSTANT,
        "backend": "faults/each:open_each event.fault.backend",
        "queue": "faults/broker/delete_queue:DeletedQueue.__init__ event.parameters",
    },
}
CREDENTIALS: dict[str, dict[str, str]] = {
    "the fault credentials.rotate": {
        **OF_ALL,
        "backend": "faults/each:open_each event.fault.backend",
        "user": "faults/credentials/rotate:RotatedPassword.__init__ event.parameters",
    },
}
CUSTOM: dict[str, dict[str, str]] = {
    "the fault custom": {
        **OF_ALL,
        "backend": "faults/custom/commands:open_custom event.fault.backend",
        "inject": "faults/custom/commands:_exec event.parameters",
        "verify": "faults/custom/commands:Commands.__init__ event.parameters",
        "revert": "faults/custom/commands:_exec event.parameters",
    },
}
_COMPOSITE = {
    **{name: reader for name, reader in OF_ALL.items() if name != "target"},
    "fault": "run/chaos:Chaos._occurrence event.fault.kind",
    "backend": "plan/composite:_Drawing._of_kind self.fault.backend",
}
COMPOSITE: dict[str, dict[str, str]] = {
    "the fault composite.monkey": {
        **_COMPOSITE,
        "target": "plan/composite:_Drawing._part self.fault.target",
        **dict.fromkeys(
            ("rate", "every", "weights", "max_concurrent"), "plan/composite:_Drawing.monkey self.fault.parameters"
        ),
    },
    "the fault composite.concurrent": {
        **_COMPOSITE,
        "faults": "plan/composite:_Drawing.concurrent self.fault.parameters",
    },
    "the fault composite.sweep": {
        **_COMPOSITE,
        "target": "plan/composite:_Drawing._part self.fault.target",
        "parameters": "plan/composite:_Drawing.sweep self.fault.parameters",
    },
    "the fault composite.sweep.parameters": {
        **dict.fromkeys(("fault", "parameter", "values"), "plan/composite:_Drawing.sweep self.fault.parameters"),
        "slope": "validate/sweep:_judge sweep.parameters",
    },
    "the fault composite.cascade": {
        **_COMPOSITE,
        "root": "plan/composite:_Drawing.cascade self.fault.parameters",
        **dict.fromkeys(("dependents", "delay"), "run/composite:Composite._watch_hops self.event.parameters"),
    },
}
FAULTS = {
    **CONTAINER,
    **PROCESS,
    **NETWORK,
    **DNS,
    **HTTP,
    **RESOURCE,
    **FILESYSTEM,
    **CLOCK,
    **DEPENDENCY,
    **DATABASE,
    **CACHE,
    **BROKER,
    **CREDENTIALS,
    **CUSTOM,
    **COMPOSITE,
}
