"""ATTACKS 6: the compose file of the app's repository is the host."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.environment import Environment
from deployments.runtimes.compose import files
from deployments.runtimes.compose.files import veil
from deployments.runtimes.compose.runtime import ComposeRuntime
from deployments.runtimes.compose.shown import without_secrets
from deployments.runtimes.layout import Installed
from evidence.bundle import Bundle, Image, Run
from gates.compose_roles import Role
from host.errors import ConfigError
from host.home import CHECKOUT, Home
from settings.targets import Target

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")

CANARY = "canary-of-another-place"
IMAGE = "sha256:" + "1" * 64
SETTINGS = """\
PORT=8080
RUNTIME=compose
PROJECT=shop
STRATEGY=blue-green
REQUIRED_GATES=
APP_REGION=eu
SECRET_TOKEN=generated
"""
WEB = {"image": "${SLIPWAY_IMAGE}", "labels": {"slipway.role": "slot"}, "expose": ["8000"]}
DB = {"image": "postgres:16", "labels": {"slipway.role": "shared"}}


@dataclass
class Stranger:
    """An app whose repository holds what a stranger wrote, and the environment that would release it."""

    directory: Path
    more: str = ""

    @property
    def source(self) -> Path:
        return self.installed.source

    @property
    def installed(self) -> Installed:
        image = Image(id=IMAGE, compose={"production": "compose.yml"})
        bundle = Bundle(
            app="shop",
            commit="c" * 40,
            version="1",
            python="3.11",
            source="0" * 64,
            lock="0" * 64,
            wheels={},
            image=image,
            run=Run(command=("python",)),
        )
        return Installed("d" * 64, bundle, self.home.root / "installed")

    @property
    def home(self) -> Home:
        return Home(self.directory / "home")

    def write(self, name: str, content: Any) -> Path:
        """Write a file of the repository."""
        file = self.source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return file

    def runtime(self) -> ComposeRuntime:
        config = self.directory / "config"
        config.mkdir(exist_ok=True)
        (config / "production.env").write_text(SETTINGS + self.more)
        return ComposeRuntime(Environment.open(Target("production"), "shop", self.home, config))

    def files(self, content: Any) -> dict[str, Any]:
        """Return the files that would run. Raises ConfigError."""
        self.write("compose.yml", content)
        runtime, installed = self.runtime(), self.installed
        stack = runtime.stack(installed)
        settled = runtime.settled(installed, stack)
        made = [files.slot_file(stack, settled, "blue", 4711, 30), files.singleton_file(stack, settled, 30)]
        made += [files.shared_file(stack, settled)] if stack.services(Role.SHARED) else []
        return {one["name"]: one for one in made}

    def refused(self, content: Any) -> str:
        """Return why a file is refused; the canary is nowhere in what is said."""
        with pytest.raises(ConfigError) as raised:
            reached = self.files(content)
            assert CANARY not in str(reached), "the canary was reached"
        assert CANARY not in str(raised.value)
        return str(raised.value)

    def with_web(self, **keys: Any) -> str:
        return self.refused({"services": {"web": {**WEB, **keys}}})


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    return Stranger(tmp_path)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of the host's, as a key or .env is."""
    file = tmp_path / "outside" / "secret.env"
    file.parent.mkdir()
    file.write_text(f"KEY={CANARY}\n")
    return file


HOST_KEYS: dict[str, Any] = {
    "pid": "host",
    "uts": "host",
    "ipc": "host",
    "network_mode": "host",
    "cap_add": ["ALL", "NET_ADMIN"],
    "devices": ["/dev/sda"],
    "device_cgroup_rules": ["a *:* rwm"],
    "security_opt": ["seccomp:unconfined"],
    "runtime": "other",
    "cgroup_parent": "/",
    "cgroup": "host",
    "group_add": ["docker"],
    "userns_mode": "host",
    "privileged": True,
    "credential_spec": {"file": "c.json"},
    "volumes_from": ["web"],
    "external_links": ["prefect"],
    "annotations": {"run.oci.keep_original_groups": "1"},
    "blkio_config": {"weight": 300},
    "storage_opt": {"size": "1G"},
    "oom_kill_disable": True,
    "oom_score_adj": -900,
    "sysctls": {"net.ipv4.ip_forward": 1},
    "ulimits": {"rtprio": 99},
    "logging": {"driver": "syslog", "options": {"syslog-address": "unix:///run/x"}},
    "cpu_rt_runtime": 950000,
}


def test_no_role_gets_the_host(stranger: Stranger) -> None:
    attacked = {**DB, **HOST_KEYS, "volumes": ["/:/host"]}
    services = {f"a-{role}": {**attacked, "labels": {"slipway.role": str(role)}} for role in Role}
    said = stranger.refused({"services": {"web": WEB, **services}})
    for name in services:
        for key in HOST_KEYS:
            assert f"service {name}: {key}" in said, key
        assert f"service {name}: it mounts / of the host" in said


def test_keys_that_are_not_known_are_refused_before_compose_reads_them(stranger: Stranger) -> None:
    """Compose of this host may know none of them, and another one all."""
    keys = {
        "use_api_socket": True,
        "gpus": "all",
        "provider": {"type": "evil"},
        "pre_stop": [{"command": ["x"]}],
        "models": {"llm": {}},
        "a_key_of_tomorrow": 1,
    }
    said = stranger.refused({"services": {"web": {**keys, **WEB}}})
    for key in keys:
        assert f"service web: {key}: not allowed; " in said
    assert "compose.yml:3: service web: use_api_socket" in said


def test_a_known_key_may_hide_nothing_below_it(stranger: Stranger) -> None:
    said = stranger.with_web(
        deploy={"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}},
        networks={"default": {"driver_opts": {"x": "y"}}},
        tmpfs=["/run:dev,suid"],
        labels={"slipway.role": "slot", "slipway.router": "x", "com.docker.compose.project": "other"},
        user="00:0",
        volumes=[{"type": "bind", "source": ".", "target": "/x", "bind": {"propagation": "rshared"}}],
    )
    for why in (
        "deploy.resources.reservations.devices",
        "networks.default.driver_opts",
        "the option dev",
        "labels.slipway.router",
        "labels.com.docker.compose.project",
        "user 00:0",
        "bind.propagation",
    ):
        assert why in said, why


def test_no_service_joins_the_network_of_another(stranger: Stranger) -> None:
    networks = {"a": "container:prefect", "b": "service:web", "c": "bridge", "d": "other_default"}
    services = {name: {**DB, "network_mode": network} for name, network in networks.items()}
    said = stranger.refused({"services": {"web": WEB, **services}})
    for name, network in networks.items():
        assert f'service {name}: network_mode "{network}"' in said


def test_an_env_file_of_the_host_is_not_read(stranger: Stranger, outside: Path) -> None:
    stranger.source.mkdir(parents=True)
    (stranger.source / "link.env").symlink_to(outside)
    (stranger.source / "link").symlink_to(outside.parent)
    names = [str(outside), "../../../../outside/secret.env", "link.env", "./x/../link/secret.env", "~/secret.env"]
    services: dict[str, Any] = {}
    for name in names:
        for given in (name, [name], [{"path": name, "required": False}]):
            services[f"s{len(services)}"] = {**WEB, "env_file": given}
    said = stranger.refused({"services": {"web": WEB, **services}})
    for index, name in enumerate(services):
        assert f"service {name}: env_file: {names[index // 3]}" in said


def test_variables_do_not_name_what_is_read(stranger: Stranger, outside: Path) -> None:
    stranger.more = f"APP_WHERE={outside}\n"
    said = stranger.refused(
        {
            "services": {"web": {**WEB, "env_file": "${WHERE}", "extends": {"file": "$WHERE", "service": "x"}}},
            "configs": {"c": {"file": "${WHERE:-x}"}},
            "include": ["${WHERE}"],
        }
    )
    for key in ("service web: env_file", "service web: extends.file", "config c: file", "include.0"):
        assert f"{key}: $" in said, key


def test_nothing_outside_of_the_artifact_is_read(stranger: Stranger, outside: Path) -> None:
    other = outside.with_name("other.yml")
    other.write_text(yaml.safe_dump({"services": {"x": {**WEB, "environment": {"KEY": CANARY}}}}))
    for path in (str(other), "../../../../outside/other.yml"):
        said = stranger.refused(
            {
                "include": [path, {"path": path}, {"path": ["compose.yml", path]}],
                "services": {
                    "web": {**WEB, "extends": {"file": path, "service": "x"}, "label_file": path, "secrets": ["k"]},
                    "a": {**WEB, "build": path},
                    "b": {**WEB, "build": {"context": ".", "dockerfile": path, "additional_contexts": {"x": path}}},
                },
                "configs": {"k": {"file": path}},
                "secrets": {"k": {"file": path}},
            }
        )
        for key in (
            "include.0",
            "include.1",
            "include.2",
            "service web: extends.file",
            "service web: label_file",
            "service a: build.context",
            "service b: build.dockerfile",
            "service b: build.additional_contexts.x",
            "config k: file",
            "secret k: file",
        ):
            assert f"{key}: {path} is outside of the artifact" in said, key


def test_addresses_are_not_fetched(stranger: Stranger) -> None:
    said = stranger.refused(
        {
            "include": ["https://evil.example/c.yml", "oci://evil.example/c", "git@evil.example:x"],
            "services": {"web": {**WEB, "build": {"context": "https://evil.example/x.git", "ssh": ["default"]}}},
        }
    )
    for address in ("https://evil.example/c.yml", "oci://evil.example/c", "git@evil.example:x", "x.git"):
        assert address in said
    assert "build.ssh: not allowed" in said


def test_a_wrong_form_reads_nothing_either(stranger: Stranger, outside: Path) -> None:
    path = str(outside)
    said = stranger.refused(
        {
            "include": {"path": [[path]]},
            "services": {
                "web": {**WEB, "extends": [path], "env_file": [[path]], "build": [path], "configs": path},
                "other": [path],
            },
            "configs": [{"file": path}],
            "secrets": {"k": path, "j": {"environment": [path]}},
        }
    )
    for key in ("include.0", "service web: extends", "service web: env_file", "service web: build", "service other"):
        assert f"{key}" in said, key
    assert "configs: expected a mapping" in said and "secret k: expected a mapping" in said


HIDDEN = {
    "an anchor": """
x-a: &a {image: "${SLIPWAY_IMAGE}", labels: {slipway.role: slot}, expose: [8000], env_file: OUTSIDE}
services: {web: *a}
""",
    "a merge key": """
x-a: &a {env_file: OUTSIDE}
services: {web: {<<: *a, image: "${SLIPWAY_IMAGE}", labels: {slipway.role: slot}, expose: [8000]}}
""",
    "a list of merge keys": """
x-a: &a {privileged: false}
x-b: &b {env_file: [OUTSIDE]}
services: {web: {<<: [*a, *b], image: "${SLIPWAY_IMAGE}", labels: {slipway.role: slot}, expose: [8000]}}
""",
    "an escaped key": """
services: {web: {"env\\u005ffile": OUTSIDE, image: "${SLIPWAY_IMAGE}", labels: {slipway.role: slot}, expose: [8000]}}
""",
    "an extended file": "services: {web: {extends: {file: base.yml, service: web}}}\n",
    "an included file": "include: [sub/inc.yml]\nservices: {web: {image: x, labels: {slipway.role: slot}}}\n",
}


@pytest.mark.parametrize("way", HIDDEN)
def test_a_path_is_seen_wherever_it_hides(stranger: Stranger, outside: Path, way: str) -> None:
    service = {**WEB, "env_file": str(outside)}
    stranger.write("base.yml", {"services": {"web": {"extends": "deep"}, "deep": service}})
    stranger.write("sub/inc.yml", {"services": {"other": service}})
    assert f"{outside} is outside of the artifact" in stranger.refused(HIDDEN[way].replace("OUTSIDE", str(outside)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: {web: {env_file: a}}\nservices: {web: {}}\n", "compose.yml:2: the key services stands twice"),
        ("services:\n  web:\n    env_file: !reset null\n", "compose.yml:3: the tag !reset"),
        ("services: !override {web: {}}\n", "compose.yml:1: the tag !override"),
        ("services: {}\n---\ninclude: [/etc/x.yml]\n", "2 documents"),
        ("services: &a {web: *a}\n", "levels"),
        ("\ufeffservices: {web: {\x01: 1}}", "it is not YAML"),
        ("[" * 10_000, "levels"),
        ("services: {? [a] : b}", "a key is no text"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(stranger: Stranger, text: str, why: str) -> None:
    assert why in stranger.refused(text)


def test_an_alias_bomb_does_not_go_off(stranger: Stranger) -> None:
    lines = ["a0: &a0 [" + ",".join("x" * 10) + "]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "values" in stranger.refused("\n".join(lines))


def test_variables_of_the_host_are_not_told(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", f"/{CANARY}")
    stranger.write("app.env", "A=${DOCKER_CONFIG}\nPATH\n")
    said = stranger.with_web(
        env_file="app.env", environment=["HOME", "B=$DOCKER_CONFIG"], hostname="${PATH:-x}", command="echo $$HOME"
    )
    for why in ("app.env: DOCKER_CONFIG", "app.env: PATH", "HOME is the host's", "hostname: PATH is the host's"):
        assert why in said, why
    assert "command" not in said


def test_no_env_file_of_the_app_steers_compose(stranger: Stranger, outside: Path) -> None:
    evil = stranger.write("evil.yml", {"services": {"evil": {**WEB, "env_file": str(outside)}}})
    stranger.write(".env", f"COMPOSE_FILE={evil}\nCOMPOSE_ENV_FILES={outside}\nDOCKER_HOST=tcp://evil:1\nTAG=9\n")
    made = stranger.files({"services": {"web": {**WEB, "hostname": "h"}}})
    assert list(made["shop-blue"]["services"]) == ["web-blue"]
    assert ".env: TAG: this file is not read" in stranger.with_web(hostname="${TAG:-8}")
    assert "KEY: set nowhere" in stranger.with_web(hostname="${KEY}")


def test_configs_are_of_the_artifact(stranger: Stranger) -> None:
    stranger.home.keys.mkdir(parents=True)
    (stranger.home.keys / "evidence.key").write_text(CANARY)
    stranger.source.mkdir(parents=True)
    (stranger.source / "link").symlink_to(stranger.home.keys / "evidence.key")
    configs: dict[str, Any] = {
        "a": {"file": "/var/run/docker.sock"},
        "b": {"file": "link"},
        "c": {"file": "../../../keys/evidence.key"},
        "d": {"environment": "PREFECT_API_AUTH_STRING"},
        "e": {"environment": "HOME"},
    }
    for more in ({}, {"f": {"external": True}}, {"g": {"template_driver": "golang", "content": "x"}}):
        model = {"services": {"web": {**WEB, "configs": [*configs, *more]}}, "configs": {**configs, **more}}
        said = stranger.refused(model)
        for name in {**configs, **more}:
            assert f"config {name}: " in said


def test_volumes_and_networks_of_others_are_refused(stranger: Stranger) -> None:
    service = {**DB, "volumes": ["aa:/a", "bb:/b", "cc:/c"], "networks": ["n", "o"]}
    model = {
        "services": {"web": WEB, "x": service, "y": {**service, "labels": {"slipway.role": "slot"}}},
        "volumes": {
            "aa": {"name": "shop-staging_database"},
            "bb": {"external": True, "name": "slipway-prefect-server-x_database"},
            "cc": {"driver_opts": {"type": "none", "o": "bind", "device": "/etc"}},
        },
        "networks": {"n": {"external": True, "name": "host"}, "o": {"driver": "macvlan"}},
    }
    said = stranger.refused(model)
    for why in (
        "volume aa: the volume shop-staging_database is not of the project shop; add volume/shop-staging_database to",
        "volume bb: the volume slipway-prefect-server-x_database",
        "volume cc: driver_opts: it mounts /etc",
        "network n: the network host",
        'network o: driver "macvlan"',
    ):
        assert why in said, why


def test_a_volume_is_no_mount_in_disguise(stranger: Stranger) -> None:
    stranger.more = "COMPOSE_BINDS=/data\n"
    disguises = (
        {"type": "bind", "o": "rbind", "device": "/"},
        {"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/x"},
        {"type": "ext4", "device": "/dev/sda1"},
        {"type": "none", "o": "bind,suid", "device": "/data"},
        {"type": "none", "o": "bind", "device": "/data/../etc"},
        {"type": "overlay", "o": "lowerdir=/,upperdir=/x,workdir=/y", "device": "overlay"},
    )
    volumes = {f"v{number}": {"driver_opts": options} for number, options in enumerate(disguises)}
    web = {**WEB, "volumes": [f"{name}:/{name}" for name in volumes]}
    said = stranger.refused({"services": {"web": web}, "volumes": volumes})
    for name in volumes:
        assert f"volume {name}: driver_opts" in said


def test_binds_of_shared_services_are_named_too_and_lead_nowhere_else(stranger: Stranger, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "keys").symlink_to(stranger.home.root)
    (data / "sock").symlink_to("/var/run/docker.sock")
    stranger.more = f"COMPOSE_BINDS={data},{stranger.home.root},{tmp_path}\n"
    (data / "$x").symlink_to(stranger.home.root)
    (data / "round").symlink_to(data / "round")
    mounts = [
        f"{data}/keys:/a",
        f"{data}/$$x:/g",
        f"{data}/round:/h",
        f"{data}/sock:/b",
        f"{stranger.home.root}/keys:/c",
        f"{tmp_path}:/d",
        "/data2:/e",
    ]
    said = stranger.refused({"services": {"web": WEB, "db": {**DB, "volumes": [*mounts, f"{data}/../x:/f"]}}})
    for source in [one.rpartition(":")[0] for one in mounts]:
        assert f"service db: it mounts {source} of the host" in said, source


@pytest.mark.parametrize(
    ("port", "named"),
    [
        ("5432:5432", "port/5432"),
        ("5432", "port/5432"),
        ("0.0.0.0:15432:5432", "port/15432"),
        ("[::]:15432:5432", "port/15432"),
        ("10.0.0.1:80:5432/udp", "port/80"),
        ("8000-8001:5432-5433", "port/8000"),
        ({"target": 5432, "published": "4200", "mode": "host"}, "port/4200"),
        ({"target": 5432, "host_ip": "::"}, "port/5432"),
    ],
)
def test_a_shared_service_listens_on_this_host_alone(stranger: Stranger, port: Any, named: str) -> None:
    said = stranger.refused({"services": {"web": WEB, "db": {**DB, "ports": [port]}}})
    assert f"name {named}" in said and "127.0.0.1:" in said
    stranger.more = f"COMPOSE_EXTERNAL={named},port/8001\n"
    assert stranger.files({"services": {"web": WEB, "db": {**DB, "ports": [port]}}})["shop-shared"]


@pytest.mark.parametrize("port", ["127.0.0.1:5432:5432", "127.0.0.1::5432", "[::1]:5432:5432"])
def test_a_shared_service_may_listen_on_the_loopback(stranger: Stranger, port: str) -> None:
    made = stranger.files({"services": {"web": WEB, "db": {**DB, "ports": [port]}}})
    assert made["shop-shared"]["services"]["db"]["ports"]


def test_no_secret_decides_about_what_was_checked(stranger: Stranger) -> None:
    stranger.more = "COMPOSE_BINDS=/data\n"
    said = stranger.with_web(
        user="${TOKEN}",
        image="x:${TOKEN}",
        volumes=[{"type": "bind", "source": "/data/${TOKEN}", "target": "/x"}],
        hostname="${TOKEN:-x}",
        command=["run", "${TOKEN}"],
    )
    for key in ("user", "image", "volumes", "hostname"):
        assert f"service web: {key}: TOKEN is a secret" in said, key
    assert "command" not in said.split("may stand in")[0]


@pytest.mark.parametrize(
    "text",
    [
        'A="\\$$DOCKER_CONFIG"',
        'B="\\$${DOCKER_CONFIG}"',
        "\ufeffDOCKER_CONFIG",
        "X=1\rDOCKER_CONFIG\r",
        "A=${X:-$DOCKER_CONFIG}",
        "A=${X:-${DOCKER_CONFIG}}",
    ],
)
def test_a_file_of_variables_gets_none_of_the_docker_commands(stranger: Stranger, text: str) -> None:
    stranger.write("a.env", f"{text}\n")
    said = stranger.refused({"services": {"web": {**WEB, "env_file": "a.env"}}})
    assert "DOCKER_CONFIG is the host's" in said


def test_nobody_can_write_what_stands_for_a_secret(stranger: Stranger) -> None:
    """A folder of a name that is exchanged after the check for "${Q}", which is nothing: "..", or for what is ours."""
    mark = f"from {veil.__module__} import veil; print(veil('Q'))"
    other = subprocess.run([sys.executable, "-c", mark], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    elsewhere = other.stdout.strip()
    assert elsewhere != veil("Q") and len(elsewhere) > 40
    for guess in (elsewhere, "__slipway_secret_Q__", "__slipway__Q__"):
        stranger.write(f".{guess}./.{guess}./keys/evidence.key", "harmless")
        web = {**WEB, "configs": ["c"], "environment": {"A": guess.replace("Q", "HOME")}}
        config = f"./.{guess}./.{guess}./keys/evidence.key"
        made = stranger.files({"services": {"web": web}, "configs": {"c": {"file": config}}})["shop-blue"]
        assert made["configs"]["c"]["file"] == str(stranger.source / config)
        assert made["services"]["web-blue"]["environment"]["A"] == guess.replace("Q", "HOME")


def test_what_the_environment_names_is_let_through(stranger: Stranger, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    stranger.more = f"COMPOSE_BINDS={data}\nCOMPOSE_EXTERNAL=volume/backups, network/edge\n"
    made = stranger.files(
        {
            "services": {
                "web": {**WEB, "volumes": ["bb:/b", "dd:/d", f"{data}:/e"], "networks": ["edge"], "configs": ["r", "t"]}
            },
            "volumes": {
                "bb": {"external": True, "name": "backups"},
                "dd": {"driver_opts": {"type": "none", "o": "bind", "device": str(data)}},
            },
            "networks": {"edge": {"external": True}},
            "configs": {"r": {"environment": "REGION"}, "t": {"content": "token=${TOKEN}"}},
        }
    )["shop-blue"]
    assert made["x-existing"] == ["network/edge", "volume/backups"]
    assert made["x-volume-options"] == {"shop_dd": {"type": "none", "o": "bind", "device": str(data)}}
    assert made["configs"] == {"r": {"content": "eu"}, "t": {"content": "token=${TOKEN}"}}


ORDINARY = """
x-common: &common
  restart: unless-stopped
  init: true
  logging: {driver: json-file, options: {max-size: 10m, max-file: "3"}}
  stop_grace_period: 30s
  x-note: for people
x-environment: &environment
  REGION: ${REGION}
  LOG_LEVEL: ${LOG_LEVEL:-info}
services:
  web:
    <<: *common
    build:
      context: .
      dockerfile: docker/Dockerfile
      args: {PYTHON: "3.11"}
      target: web
    image: ${SLIPWAY_IMAGE}
    labels: {slipway.role: slot, traefik.enable: "false"}
    command: [gunicorn, "-b", "0.0.0.0:8000", app:app]
    ports: ["8000:8000"]
    env_file: [config/app.env]
    environment:
      <<: *environment
      TOKEN: ${TOKEN}
    depends_on:
      db: {condition: service_healthy}
      redis: {condition: service_started}
    healthcheck:
      test: [CMD-SHELL, curl -f http://localhost:8000/health || exit 1]
      interval: 10s
      timeout: 3s
      retries: 3
      start_period: 20s
    deploy:
      replicas: 1
      resources:
        limits: {cpus: "0.50", memory: 256M}
        reservations: {memory: 128M}
      restart_policy: {condition: on-failure, max_attempts: 3}
      update_config: {order: start-first}
    ulimits: {nofile: {soft: 20000, hard: 40000}, nproc: 65535}
    extra_hosts: ["host.docker.internal:host-gateway"]
    tmpfs: ["/run:size=64m,mode=1777"]
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: ["no-new-privileges:true"]
    volumes:
      - ./config:/etc/shop:ro
      - type: volume
        source: uploads
        target: /uploads
    networks: {front: {aliases: [app]}, back: {}}
    configs: [{source: app_config, target: /etc/app.ini, mode: 0440}]
    secrets: [token]
    develop: {watch: [{path: ., action: sync, target: /app}]}
  worker:
    extends: {file: docker/base.yml, service: worker}
    labels: [slipway.role=singleton]
    depends_on: [redis]
    networks: [back]
  db:
    <<: *common
    image: postgres:16
    labels: {slipway.role: shared}
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/token}
    secrets: [{source: token, target: token, mode: 0400}]
    volumes: ["database:/var/lib/postgresql/data", "./docker/init.sql:/docker-entrypoint-initdb.d/init.sql:ro"]
    shm_size: 128m
    ports: ["127.0.0.1:5432:5432"]
    healthcheck: {test: [CMD, pg_isready], interval: 5s}
    networks: [back]
  redis:
    <<: *common
    image: redis:7
    labels: {slipway.role: shared}
    command: redis-server --save 60 1
    sysctls: {net.core.somaxconn: 1024}
    networks: [back]
  adminer:
    image: adminer
    labels: {slipway.role: shared}
    profiles: [debug]
    ports: ["8081:8080"]
volumes: {database: , uploads: {driver: local}}
networks: {front: , back: {internal: true, ipam: {config: [{subnet: 10.99.0.0/24}]}}}
configs: {app_config: {file: ./config/app.ini}}
secrets: {token: {file: ./secrets/token}}
"""


def test_an_ordinary_project_is_accepted(stranger: Stranger) -> None:
    """A guard that refuses everything is none."""
    stranger.write("config/app.env", "FEATURE=on\nGREETING='hello world'\n")
    stranger.write("config/app.ini", "[app]\n")
    stranger.write("docker/init.sql", "select 1;\n")
    stranger.write("docker/more.env", "QUEUE=mail\n")
    worker = {"image": "${SLIPWAY_IMAGE}", "command": "celery worker", "env_file": "more.env", "volumes": ["./x:/x"]}
    stranger.write("docker/base.yml", {"services": {"worker": worker, "unused": {"privileged": True, "links": ["x"]}}})
    made = stranger.files(ORDINARY)
    web = made["shop-blue"]["services"]["web-blue"]
    assert web["environment"] == {
        "FEATURE": "on",
        "GREETING": "hello world",
        "REGION": "eu",
        "LOG_LEVEL": "info",
        "TOKEN": "${TOKEN}",
    }
    assert web["volumes"][0]["source"] == str(stranger.source / "config") and web["volumes"][0]["read_only"]
    assert made["shop-blue"]["configs"] == {"app_config": {"file": str(stranger.source / "config" / "app.ini")}}
    assert web["cap_add"] == ["NET_BIND_SERVICE"] and "develop" not in web and "x-note" not in web
    worker = made["shop-singleton"]["services"]["worker"]
    assert worker["environment"] == {"QUEUE": "mail", "REGION": "eu"}
    assert worker["volumes"][0]["source"] == str(stranger.source / "docker" / "x")
    assert set(made["shop-shared"]["services"]) == {"db", "redis"}


def test_a_file_of_the_repository_may_be_included(stranger: Stranger) -> None:
    stranger.write("extra/mail.env", "MAIL=yes\n")
    stranger.write(
        "extra/mail.yml",
        {"services": {"mail": {**DB, "image": "mail:1", "env_file": "mail.env", "volumes": ["./m:/m"]}}},
    )
    stranger.write("extra/.env", "COMPOSE_PROJECT_NAME=other\nIMAGE=evil\n")
    for include in ("extra/mail.yml", {"path": ["extra/mail.yml"], "project_directory": "extra"}):
        made = stranger.files({"include": [include], "services": {"web": WEB}})
        mail = made["shop-shared"]["services"]["mail"]
        assert mail["environment"] == {"MAIL": "yes"}
        assert mail["volumes"][0]["source"] == str(stranger.source / "extra" / "m")
    stranger.write("extra/mail.yml", {"services": {"mail": {**DB, "image": "${IMAGE:-mail}"}}})
    assert ".env: IMAGE: this file is not read" in stranger.refused(
        {"include": ["extra/mail.yml"], "services": {"web": WEB}}
    )


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        ("PASSWORD=pa$word-of-ours", "a.env:1", "PASSWORD"),
        ("# ours\nA=1\nPASSWORD='x'\nOTHER=\"pa${word-of-ours\"", "a.env:4", "OTHER"),
        ("DSN=db://u:pa$WORD1@db", "a.env:1", "DSN"),
    ],
)
def test_a_sign_in_a_file_of_variables_names_file_and_key(stranger: Stranger, text: str, place: str, key: str) -> None:
    stranger.write("a.env", f"{text}\n")
    said = stranger.with_web(env_file="a.env")
    assert f"service web: env_file: {place}: {key}: " in said and "single quotes" in said and "$$" in said
    assert "APP_word" not in said and "word-of-ours" not in said and "set nowhere" not in said


def test_a_sign_in_the_file_itself_names_its_place(stranger: Stranger) -> None:
    said = stranger.with_web(environment={"PASSWORD": "pa$word"}, hostname="x${REGIO}", domainname="$lower")
    assert 'environment.PASSWORD: a "$" begins a variable that is set nowhere; write $$' in said and "word;" not in said
    assert "compose.yml:10: service web: hostname: REGIO: set nowhere; set APP_REGIO" in said
    assert 'service web: domainname: a "$" begins a variable' in said and "APP_lower" not in said


def test_what_compose_says_of_a_file_shows_no_value(stranger: Stranger) -> None:
    stranger.write("a.env", "PASSWORD=my-plain-secret\nA='it'$my-plain-secret\n")
    said = stranger.with_web(env_file="a.env")
    assert "compose refuses it" in said and "my-plain" not in said and "secret" not in said
    said = stranger.with_web(environment={"DB_PASSWORD": "my-plain-secret"}, cpus="my-plain-secret")
    assert "compose refuses it" in said and "my-plain" not in said


def test_what_is_printed_to_be_read_shows_no_value(stranger: Stranger) -> None:
    stranger.write("settings.env", "POSTGRES_PASSWORD=plain-secret-value\nLEVEL=info\n")
    stranger.write("compose.yml", {"services": {"web": {**WEB, "env_file": ["settings.env"]}}})
    runtime, installed = stranger.runtime(), stranger.installed
    stack = runtime.stack(installed)
    file = files.slot_file(stack, runtime.settled(installed, stack), "blue", 4711, 30)
    assert "plain-secret-value" in runtime.projects.text(file)
    shown = runtime.projects.text(without_secrets(file))
    assert "plain-secret-value" not in shown and "LEVEL: info" in shown and "POSTGRES_PASSWORD: '***'" in shown
