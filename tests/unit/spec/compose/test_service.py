from __future__ import annotations

import pytest

from cleanroom.spec.compose.unsupported import REFUSED


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ("command: run --x 'a b'", {"command": ["run", "--x", "a b"]}),
        ("command: [run, 1]", {"command": ["run", "1"]}),
        ("command: echo $$HOME", {"command": ["echo", "$HOME"]}),
        ("command:", {}),
        ("entrypoint: /x y", {"entrypoint": ["/x", "y"]}),
        (
            "environment: {A: 1, B: true, C: 1.10, D: x, E: ''}",
            {"environment": {"A": 1, "B": True, "C": "1.10", "D": "x", "E": ""}},
        ),
        ("environment: [A=1, B=x=y, C=]", {"environment": {"A": "1", "B": "x=y", "C": ""}}),
        ("user: 1000", {"user": "1000"}),
        ("working_dir: /srv", {"working_dir": "/srv"}),
        ("hostname: db", {"hostname": "db"}),
        ("stop_signal: SIGINT", {"stop_signal": "SIGINT"}),
        ("stop_grace_period: 1m30s", {"stop_grace": "1m30s"}),
        ("init: true", {"init": True}),
        ("labels: [a=b, c]", {"labels": {"a": "b", "c": ""}}),
        ("labels: {a: 1}", {"labels": {"a": "1"}}),
        ("restart: no", {}),
        ("restart: always", {"restart": {"policy": "always"}}),
        ("restart: unless-stopped", {"restart": {"policy": "always"}}),
        ("restart: on-failure", {"restart": {"policy": "on-failure"}}),
        ("restart: on-failure:3", {"restart": {"policy": "on-failure", "max": 3}}),
        ("mem_limit: 512m", {"limits": {"memory": "512MiB"}}),
        ("mem_limit: 1000", {"limits": {"memory": 1000}}),
        ("mem_limit: 1gb", {"limits": {"memory": "1GiB"}}),
        ("cpus: '0.5'", {"limits": {"cpus": 0.5}}),
        ("cpus: 2.0", {"limits": {"cpus": 2}}),
        ("pids_limit: 10", {"limits": {"pids": 10}}),
        ("pids_limit: -1", {}),
        ("ulimits: {nofile: 100}", {"limits": {"nofile": 100}}),
        ("ulimits: {nofile: {soft: 10, hard: 20}}", {"limits": {"nofile": 20}}),
        (
            "deploy: {resources: {limits: {cpus: '0.25', memory: 64M, pids: 5}}}",
            {"limits": {"cpus": 0.25, "memory": "64MiB", "pids": 5}},
        ),
        ("deploy: {replicas: 3}", {"replicas": 3}),
        ("deploy: {replicas: 1}", {}),
        ("scale: 2", {"replicas": 2}),
        (
            "deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
            {"restart": {"policy": "on-failure", "max": 2}},
        ),
        ("deploy: {restart_policy: {condition: none}}", {}),
        ("tmpfs: /run", {"tmpfs": {"/run": "64MiB"}}),
        ("tmpfs: ['/run:size=10m,noexec', /tmp]", {"tmpfs": {"/run": "10MiB", "/tmp": "64MiB"}}),
        ("volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1024}}]", {"tmpfs": {"/t": "1KiB"}}),
        ("volumes: [/data]", {}),
        ("cap_drop: [ALL]\ncap_add: [CAP_NET_BIND_SERVICE]", {"capabilities": ["NET_BIND_SERVICE"]}),
        ("cap_add: [CHOWN]", {}),
        ("expose: [80]", {"ready": [{"tcp": 80}]}),
        ("ports: ['127.0.0.1:8080:80/tcp', '53:53/udp']", {"ready": [{"tcp": 80}]}),
        ("ports: ['53:53/udp']", {}),
        ("ports: [{target: 81, protocol: tcp}]", {"ready": [{"tcp": 81}]}),
        ("healthcheck: {test: curl -f x}", {"ready": [{"exec": ["sh", "-c", "curl -f x"]}], "ready_timeout": "180s"}),
        ("healthcheck: {test: [CMD, a, b], interval: 1s, timeout: 1s}", {"ready": [{"exec": ["a", "b"]}]}),
        (
            "healthcheck: {test: [CMD-SHELL, a b], interval: 10s, timeout: 5s, retries: 4, start_period: 30s}",
            {"ready": [{"exec": ["sh", "-c", "a b"]}], "ready_timeout": "90s"},
        ),
        ("healthcheck: {disable: true}\nexpose: [80]", {"ready": [{"tcp": 80}]}),
        ("healthcheck: {test: [NONE]}", {}),
        ("container_name: x\nlogging: {driver: none}\nplatform: linux/amd64\nx-more: {a: b}", {}),
    ],
)  # fmt: skip
def test_what_is_taken(project, keys, taken):
    assert project.service(f"image: i\n{keys}") == ({"image": "i", **taken}, {})


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_what_cannot_be_taken_is_refused_by_name(project, key):
    assert set(project.service(f"image: i\n{key}: x")[1]) == {key}


@pytest.mark.parametrize(
    ("keys", "name", "reason"),
    [
        ("environment: [TOKEN]", "environment.TOKEN", "no value"),
        ("environment: {TOKEN: }", "environment.TOKEN", "no value"),
        ("comand: x", "comand", "did you mean command?"),
        ("command: []", "command", "cannot be taken away"),
        ("hostname: a.b", "hostname", "not one name"),
        ("links: ['a:b']", "links[0]", "known by their names only"),
        ("ulimits: {nproc: 5}", "ulimits.nproc", "only nofile"),
        ("deploy: {resources: {limits: {devices: []}}}", "deploy.resources.limits.devices", "no such limit"),
        ("deploy: {replicas: 0}", "deploy.replicas", "at least one"),
        ("deploy: {bogus: 0}", "deploy.bogus", "no key of Compose"),
        ("cap_add: [SYS_ADMIN]", "cap_add[0]", "no service can have SYS_ADMIN"),
        ("cap_add: [ALL]", "cap_add[0]", "no service can have ALL"),
        ("tmpfs: '/run:mode=1777'", "tmpfs", "the option"),
        ("volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "volumes[0]", "engine of the machine"),
        ("volumes: ['/etc:/etc:ro']", "volumes[0]", "outside the repository"),
        ("volumes: ['~/x:/x']", "volumes[0]", "outside the repository"),
        ("volumes: ['../x:/x']", "volumes[0]", "outside the repository"),
        ("volumes: ['./none:/x']", "volumes[0]", "there is no"),
        ("volumes: [{type: npipe, source: x, target: /x}]", "volumes[0]", "of the type"),
        ("volumes: ['x']", "volumes[0]", "absolute path"),
        ("networks: {n: {aliases: [x]}}", "networks.n.aliases", "known by its name"),
        ("networks: {n: {ipv4_address: 10.0.0.2}}", "networks.n.ipv4_address", "known by its name"),
        ("network_mode: host", "network_mode", "one network"),
        ("healthcheck: {interval: 1s}", "healthcheck", "of the image is not known"),
        ("build: {context: ., ssh: [default]}", "build.ssh", "no secrets"),
        ("build: {context: ., dockerfile_inline: FROM x}", "build.dockerfile_inline", "write the Dockerfile"),
        ("build: {context: ., args: [TOKEN]}", "build.args.TOKEN", "no value"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_says_why(project, keys, name, reason):
    refused = project.service(f"image: i\n{keys}")[1]
    assert set(refused) == {name}
    assert reason in refused[name]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("services: {a: {}}", ("compose.yaml:1:15", "missing-key")),
        ("services: [a]", ("compose.yaml:1:11", "wrong-type")),
        ("version: '3'", ("compose.yaml:1:1", "missing-key")),
        ("services: {}", ("compose.yaml:1:11", "empty-list")),
        ("services: {a: {image: !reset x}}", ("compose.yaml:1:23", "custom-tag")),
        ("services: {a: {image: '${X:?}'}}", ("compose.yaml:1:23", "interpolation")),
        ("services: {a: {image: i, command: 'a \"b'}}", ("compose.yaml:1:35", "wrong-value")),
        ("services: {a: {image: i, restart: never}}", ("compose.yaml:1:35", "wrong-type")),
        ("services: {a: {image: i, mem_limit: big}}", ("compose.yaml:1:37", "wrong-type")),
        ("services: {a: {image: i, depends_on: [b]}}", ("compose.yaml:1:39", "unknown-service")),
        ("services: {a: {image: i, depends_on: {a: {condition: x}}}}", ("compose.yaml:1:54", "wrong-type")),
        ("services: {a: {image: i, env_file: none.env}}", ("compose.yaml:1:36", "missing-path")),
        ("services: {a: {image: i, env_file: ../x.env}}", ("compose.yaml:1:36", "outside")),
        ("services: {a: {build: 'https://x/y.git'}}", ("compose.yaml:1:23", "outside")),
        ("services: {a: {image: i, secrets: [s]}}", ("compose.yaml:1:36", "unknown-name")),
        ("services: {a: {image: i, volumes: ['v:/v']}}", ("compose.yaml:1:36", "unknown-name")),
        ("services: {a: {extends: a, image: i}}", ("compose.yaml:1:16", "dependency-cycle")),
        ("services: {a: {extends: b}}", ("compose.yaml:1:16", "unknown-service")),
        ("services: {a: {extends: {file: x.yaml}}}", ("compose.yaml:1:25", "missing-key")),
        ("services: {a: {image: i}", ("compose.yaml:1:25", "yaml-syntax")),
    ],
)
def test_what_makes_the_file_invalid_stands_where_it_is(project, text, problem):
    found = project.problems(text)
    assert problem in found
    assert len(found) <= 2


def test_paths_are_relative_to_the_file_they_stand_in(project):
    project.write("sub/x.conf", "hello\n")
    project.write("sub/base.yaml", "services: {b: {build: ./app, volumes: ['./x.conf:/x.conf'], env_file: v.env}}")
    project.write("sub/v.env", "A=1\n")
    made, refused = project.services("services: {a: {extends: {file: sub/base.yaml, service: b}}}")
    assert made == {
        "a": {"build": {"context": "./sub/app"}, "environment": {"A": "1"}, "files": {"/x.conf": "hello\n"}}
    }
    assert refused == {}


def test_a_folder_is_a_volume_and_so_is_what_is_no_text(project):
    project.write("data/x", "")
    (project.root / "binary").write_bytes(b"\xff\x00")
    made, _ = project.service("image: i\nvolumes: ['./data:/data:ro', './binary:/b']")
    assert made["volumes"] == [
        {"source": "./data", "target": "/data"},
        {"source": "./binary", "target": "/b", "read_only": False},
    ]


def test_a_volume_of_two_services_is_one_of_the_environment(project):
    made, _ = project.services("""
        services:
          a: {image: i, volumes: ["Data:/x", "own:/y"]}
          b: {image: i, volumes: [{type: volume, source: Data, target: /z, read_only: true}]}
        volumes: {Data: , own: }
        """)
    assert made["a"]["volumes"] == [{"name": "data", "target": "/x"}]
    assert made["b"]["volumes"] == [{"name": "data", "target": "/z"}]


def test_a_volume_that_is_not_the_runs_own_is_refused(project):
    _, refused = project.services("""
        services:
          a: {image: i, volumes: ["x:/x", "y:/y"]}
        volumes: {x: {external: true}, y: {driver_opts: {type: nfs}}}
        """)
    assert set(refused) == {"volumes.x.external", "volumes.y.driver_opts"}


def test_configs_and_secrets_are_files(project):
    project.write("key.txt", "k")
    made, refused = project.services("""
        services:
          a: {image: i, configs: [{source: c, target: /etc/c}, d], secrets: [s]}
        configs: {c: {content: "x = $$1"}, d: {external: true}}
        secrets: {s: {file: ./key.txt}}
        """)
    assert made["a"]["files"] == {"/etc/c": "x = $1", "/run/secrets/s": "k"}
    assert set(refused) == {"configs.d.external"}


def test_a_service_that_ends_is_ready_when_it_has(project):
    made, _ = project.services("""
        services:
          migrate: {image: i, healthcheck: {test: x}, expose: [80]}
          api: {image: i, depends_on: {migrate: {condition: service_completed_successfully}}}
        """)
    assert made == {
        "migrate": {"image": "i", "ready": [{"exit": 0}]},
        "api": {"image": "i", "depends_on": ["migrate"]},
    }


def test_health_that_only_the_image_knows_is_refused(project):
    _, refused = project.services("""
        services:
          db: {image: i, expose: [5432]}
          api: {image: i, depends_on: {db: {condition: service_healthy}}}
        """)
    assert "write what it is ready by" in refused["services.db.healthcheck"]


def test_a_link_without_an_alias_is_an_order_of_starting(project):
    made, refused = project.services("services: {a: {image: i, links: [b]}, b: {image: i}}")
    assert made["a"] == {"image": "i", "depends_on": ["b"]}
    assert refused == {}


def test_variables_come_from_the_file_beside_and_an_unset_one_is_named(project):
    project.write(".env", "TAG=7\nTOKEN=t\n")
    made, refused = project.services("services: {a: {image: 'i:$TAG$NONE', environment: [TOKEN]}}")
    assert made == {"a": {"image": "i:7", "environment": {"TOKEN": "t"}}}
    assert set(refused) == {"variables.NONE"}
    assert project.load("services: {a: {image: 'i:$TAG'}}").variables == ("TAG",)


def test_the_environment_is_stronger_than_env_files_and_the_last_file_is_the_strongest(project):
    project.write("a.env", "A=a\nB=a\nC=a\n")
    project.write("b.env", "B=b\nC=b\n")
    made, _ = project.service("image: i\nenvironment: {C: c}\nenv_file: [a.env, b.env]")
    assert made["environment"] == {"C": "c", "A": "a", "B": "b"}


def test_profiles_and_names_choose_services(project):
    text = "services: {a: {image: i, depends_on: [b]}, b: {image: i}, c: {image: i, profiles: [p]}}"
    assert list(project.services(text)[0]) == ["a", "b"]
    assert list(project.services(text, profiles=("p",))[0]) == ["a", "b", "c"]
    assert list(project.services(text, profiles=("*",))[0]) == ["a", "b", "c"]
    assert list(project.services(text, names=("c",))[0]) == ["c"]
    assert list(project.services(text, names=("a",))[0]) == ["a", "b"]
    assert list(project.services(text, names=("a",), known=frozenset({"b"}))[0]) == ["a"]
    assert project.problems(text, names=("d",)) == [("compose.yaml:1:1", "unknown-service")]


def test_extending_lays_mappings_and_lists_over_each_other_and_replaces_the_rest(project):
    made, _ = project.services("""
        services:
          base:
            image: i
            command: one
            environment: [A=1, B=1]
            tmpfs: ["/a:size=1m"]
            depends_on: [x]
            deploy: {resources: {limits: {memory: 64m, cpus: 1}}}
          a:
            extends: base
            command: two
            environment: {B: 2}
            tmpfs: ["/b:size=1m"]
            depends_on: {y: {condition: service_started}}
            deploy: {resources: {limits: {memory: 128m}}}
          x: {image: i}
          y: {image: i}
        """)
    assert made["a"] == {
        "image": "i",
        "command": ["two"],
        "environment": {"A": "1", "B": 2},
        "depends_on": ["x", "y"],
        "tmpfs": {"/a": "1MiB", "/b": "1MiB"},
        "limits": {"memory": "128MiB", "cpus": 1},
    }


def test_what_is_mounted_below_a_mounted_folder_is_refused(project):
    project.write("app/x", "")
    assert set(project.service("image: i\nvolumes: ['./app:/app', /app/node_modules]")[1]) == {"volumes[1]"}


@pytest.mark.parametrize(
    ("top", "name"),
    [
        ("include: [x.yaml]", "include"),
        ("models: {}", "models"),
        ("volume: {}", "volume"),
        ("networks: {n: {external: true}}", "networks.n.external"),
    ],
)
def test_what_stands_at_the_top_and_cannot_be_taken(project, top, name):
    assert set(project.services(f"services: {{a: {{image: i}}}}\n{top}")[1]) == {name}
