from __future__ import annotations

from dataclasses import replace

from cleanroom.engine.payload import command_of, container_body, network_body, state_of, volumes_of
from cleanroom.engine.ports import ContainerSpec, Mount


def test_what_is_left_open_is_left_to_the_image() -> None:
    body = container_body(ContainerSpec(name="n", image="i"), {"cleanroom.run": "r"})
    assert not {"Cmd", "Entrypoint", "Hostname", "User", "WorkingDir", "StopSignal", "NetworkingConfig"} & set(body)
    assert body["HostConfig"]["NetworkMode"] == "none"
    assert not {"Memory", "NanoCpus", "PidsLimit", "Ulimits", "Mounts", "Tmpfs", "CapAdd"} & set(body["HostConfig"])


def test_the_runs_labels_win_over_those_of_the_spec() -> None:
    spec = ContainerSpec(name="n", image="i", labels={"cleanroom.run": "forged", "a": "b"})
    assert container_body(spec, {"cleanroom.run": "r"})["Labels"] == {"cleanroom.run": "r", "a": "b"}


def test_an_empty_command_is_not_the_images_command() -> None:
    body = container_body(ContainerSpec(name="n", image="i", command=(), entrypoint=("sh",)), {})
    assert (body["Cmd"], body["Entrypoint"]) == ([], ["sh"])


def test_network_address_mounts_and_policy_are_spelled_as_the_engine_wants_them() -> None:
    spec = ContainerSpec(
        name="n",
        image="i",
        network="net",
        address="198.51.100.10",
        mounts=(Mount(source="/a", target="/b"),),
        restart_policy="always",
        restart_max=3,
        cpus=0.1,
        memory_swap=0,
    )
    body = container_body(spec, {})
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"net": {"IPAMConfig": {"IPv4Address": "198.51.100.10"}}}}
    host = body["HostConfig"]
    assert host["Mounts"] == [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]
    assert host["RestartPolicy"] == {"Name": "always", "MaximumRetryCount": 0}
    assert (host["NanoCpus"], host["MemorySwap"]) == (100_000_000, 0)


def test_a_network_is_isolated_and_bound_to_its_bridge() -> None:
    body = network_body("n", {}, bridge="clr-0", subnet="198.51.100.0/24", gateway="198.51.100.1", mtu=1400)
    assert body["enable_ipv6"] is False
    assert body["options"] == {
        "com.docker.network.bridge.name": "clr-0",
        "com.docker.network.bridge.enable_ip_masquerade": "false",
        "com.docker.network.driver.mtu": "1400",
    }
    assert body["ipam"]["Config"] == [{"Subnet": "198.51.100.0/24", "Gateway": "198.51.100.1"}]


def test_a_state_survives_what_an_engine_leaves_out() -> None:
    state = state_of({"Id": "1", "Name": "/n", "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True}})
    assert (state.name, state.status, state.exit_code, state.oom_killed) == ("n", "exited", 137, True)
    assert (state.pid, state.address, state.restart_count) == (0, "", 0)


def test_what_a_container_executes_and_its_volumes_are_those_that_the_engine_tells():
    found = {
        "Path": "server", "Args": ["--port", "1"], "Config": {"Env": ["A=b", "PATH=/one:/two"]},
        "Mounts": [{"Type": "volume", "Name": "v1", "Destination": "/data"}, {"Type": "bind", "Destination": "/etc/x"}],
    }  # fmt: skip
    assert command_of(found).words == ("server", "--port", "1")
    assert command_of(found).path == ("/one", "/two")
    assert command_of({"Path": "server", "Config": {}}).path[-1] == "/bin"
    assert volumes_of(found) == {"/data": "v1"}


def test_a_container_can_have_the_volumes_of_another():
    spec = ContainerSpec(name="n", image="i", volumes_from="c0ffee")
    assert container_body(spec, {})["HostConfig"]["VolumesFrom"] == ["c0ffee"]
    assert "VolumesFrom" not in container_body(replace(spec, volumes_from=""), {})["HostConfig"]
