"""Keys of the Compose specification that have no counterpart in a spec: which of them change nothing, which do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cleanroom.spec.compose.spot import Spot
from cleanroom.spec.document import Entry
from cleanroom.spec.problem import nearest

_HOST = "a service has nothing of the machine's own"
_NAMES = "services are known by their names only"
_ROOT_OF_TRUST = "every image is of the engine's own platform, from where the run takes it"
_SWARM = "it places services in a swarm, and there is none"
_RESERVATION = "it reserves or weighs and limits nothing"

HARMLESS: Mapping[str, str] = MappingProxyType({
    "container_name": "containers have names of their own; other services reach this one by its service name",
    "ports": "services reach each other on every port, and nothing is published to the machine",
    "expose": "services reach each other on every port",
    "networks": "each environment has one network, without a way out",
    "platform": _ROOT_OF_TRUST,
    "pull_policy": _ROOT_OF_TRUST,
    "logging": "output is recorded by the run",
    "attach": "output is recorded by the run",
    "stdin_open": "nobody types into a service",
    "tty": "nobody types into a service",
    "annotations": "nothing reads them",
    "develop": "sources do not change during a run",
    "mem_reservation": _RESERVATION,
    "cpu_shares": _RESERVATION,
    "mem_swappiness": _RESERVATION,
})  # fmt: skip
REFUSED: Mapping[str, str] = MappingProxyType({
    "blkio_config": "there is no limit of block devices",
    "cgroup": _HOST,
    "cgroup_parent": _HOST,
    "cpu_count": "write cpus",
    "cpu_percent": "write cpus",
    "cpu_period": "write cpus",
    "cpu_quota": "write cpus",
    "cpu_rt_period": "there is no real-time scheduling",
    "cpu_rt_runtime": "there is no real-time scheduling",
    "cpuset": "services are not bound to processors",
    "credential_spec": _HOST,
    "device_cgroup_rules": _HOST,
    "devices": _HOST,
    "dns": "names are answered by the run's own resolver",
    "dns_opt": "names are answered by the run's own resolver",
    "dns_search": "names are answered by the run's own resolver",
    "domainname": _NAMES,
    "external_links": "nothing outside of the environment can be reached",
    "extra_hosts": _NAMES,
    "gpus": _HOST,
    "group_add": "a process has the groups of its user",
    "ipc": _HOST,
    "isolation": "there is one kind of isolation, that of the run",
    "label_file": "write labels",
    "mac_address": "addresses are given by the run",
    "memswap_limit": "write limits: {swap: …} in the spec",
    "models": "there are no models",
    "network_mode": "each environment has one network, and every service is in it",
    "oom_kill_disable": "a service that exceeds its memory is killed",
    "oom_score_adj": "a service that exceeds its memory is killed",
    "pid": _HOST,
    "post_start": "write a step",
    "pre_stop": "write a step",
    "privileged": "no service may reach the cell that it runs in",
    "provider": "a service is a container",
    "read_only": "the root file system of a service can be written",
    "runtime": "there is one runtime, that of the run",
    "security_opt": "the security profile is that of the engine",
    "shm_size": "the size of /dev/shm is that of the engine; a tmpfs at another path can be given",
    "storage_opt": "there is no limit of storage; a tmpfs has a size",
    "sysctls": "kernel parameters are those of the run",
    "use_api_socket": _HOST,
    "userns_mode": _HOST,
    "uts": _HOST,
    "volumes_from": "name the volume in both services",
})  # fmt: skip
_DEPLOY = MappingProxyType({
    "endpoint_mode": _SWARM, "labels": _SWARM, "placement": _SWARM, "rollback_config": _SWARM,
    "update_config": _SWARM, "mode": _SWARM,
})  # fmt: skip
_BUILD = MappingProxyType({
    "cache_from": "images are built with the run's own cache",
    "cache_to": "images are built with the run's own cache",
    "no_cache": "images are built with the run's own cache",
    "pull": "images are built with the run's own cache",
    "tags": "built images are named by the run",
    "provenance": "nothing reads it",
    "sbom": "nothing reads it",
    "labels": "nothing reads them",
    "platforms": _ROOT_OF_TRUST,
})  # fmt: skip
_BUILD_REFUSED = MappingProxyType({
    "additional_contexts": "a build has one context",
    "dockerfile_inline": "write the Dockerfile to a file in the context",
    "entitlements": "a build has no more rights than a service",
    "extra_hosts": "a build has no network of its own making",
    "isolation": "there is one kind of isolation, that of the run",
    "network": "a build has no network of its own making",
    "privileged": "a build has no more rights than a service",
    "secrets": "a build has no secrets",
    "shm_size": "the size of /dev/shm is that of the engine",
    "ssh": "a build has no secrets",
    "ulimits": "a build has no limits of its own",
})  # fmt: skip
_HARMLESS_IN = {"": HARMLESS, "deploy": _DEPLOY, "build": _BUILD}
_REFUSED_IN = {"": REFUSED, "deploy": MappingProxyType({}), "build": _BUILD_REFUSED}


def drop(one: Entry, spot: Spot, block: str, taken: frozenset[str]) -> None:
    """List a key that is not taken over, of a service or of its `block`: as harmless, as refused, or as unknown."""
    harmless, refused = _HARMLESS_IN[block], _REFUSED_IN[block]
    if one.key.startswith("x-"):
        return
    if one.key in harmless:
        spot.note(one.at, harmless[one.key])
    elif one.key in refused:
        spot.refuse(one.at, refused[one.key])
    else:
        close = nearest(one.key, {*taken, *harmless, *refused})
        spot.refuse(one.at, "it is no key of Compose" + (f"; did you mean {close}?" if close else ""))
