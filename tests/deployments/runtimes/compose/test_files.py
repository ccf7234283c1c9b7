"""What is made of a team's compose file, by value."""

from dataclasses import replace
from typing import Any

import pytest

from deployments.runtimes.compose.files import (
    Names,
    Settled,
    one_shot_file,
    shared_file,
    singleton_file,
    slot_file,
    task_file,
    veil,
)
from deployments.runtimes.compose.judge import SHARED_CAPABILITIES, Reach
from deployments.runtimes.compose.model import read_stack
from gates.compose_roles import Role
from host.errors import ConfigError

OWNER = {"slipway.home": "h", "slipway.environment": "production"}


def model(**services: Any) -> dict[str, Any]:
    """Return what `docker compose config` prints, in short."""
    web = {
        "image": "sha256:abc",
        "container_name": "web",
        "build": {"context": "."},
        "labels": {"slipway.role": "slot"},
        "ports": [{"target": 8000, "published": "80", "mode": "ingress"}],
        "depends_on": {"db": {"condition": "service_healthy"}},
        "networks": {"default": {"ipv4_address": "10.0.0.9", "aliases": ["app"]}},
        "environment": {"TOKEN": None, "DSN": f"db://{veil('TOKEN')}@db", "PRICE": "a$$b", "COLOR": "red"},
        "volumes": [
            {"type": "volume", "source": "uploads", "target": "/data"},
            {"type": "bind", "source": "/src/conf", "target": "/conf"},
        ],
        "secrets": [{"source": "token"}],
    }
    db = {
        "image": "postgres:16",
        "labels": {"slipway.role": "shared"},
        "networks": {"default": None},
        "volumes": [{"type": "volume", "source": "data", "target": "/var/lib"}],
    }
    return {
        "services": {"web": web, "db": db, **services},
        "networks": {"default": {"name": "shop_default"}, "inner": {"name": "shop_inner", "internal": True}},
        "volumes": {"uploads": {"name": "shop_uploads"}, "data": {"name": "shop_data"}},
        "secrets": {"token": {"name": "shop_token", "file": "/by/hand"}},
    }


def settled() -> Settled:
    names = Names("shop", OWNER)
    return Settled(names, "sha256:new", "d1", {"COLOR": "blue $1"}, {"token": "/place/secrets/token"})


REACH = Reach("shop", "/src")


def stack(**services: Any) -> Any:
    return read_stack(model(**services), "compose.yml", REACH)


def test_a_slot_is_fixed_to_nothing_but_its_port() -> None:
    file = slot_file(stack(), settled(), "blue", 4711, 30)
    assert file["name"] == "shop-blue" and list(file["services"]) == ["web-blue"]
    web = file["services"]["web-blue"]
    assert not {"container_name", "build", "depends_on"} & web.keys()
    assert web["image"] == "sha256:new"
    assert web["ports"] == [
        {"mode": "host", "target": 8000, "published": "4711", "host_ip": "127.0.0.1", "protocol": "tcp"}
    ]
    assert web["networks"] == {"default": {"aliases": ["app"]}}
    assert file["networks"] == {"default": {"name": "shop_default", "external": True}}
    assert file["volumes"] == {"uploads": {"name": "shop_uploads", "external": True}}


def test_a_slot_is_limited_and_hardened_unless_the_team_says_otherwise() -> None:
    web = slot_file(stack(), settled(), "blue", 1, 30)["services"]["web-blue"]
    assert (web["mem_limit"], web["cpus"], web["pids_limit"]) == ("512m", 1.0, 512)
    assert web["read_only"] and web["tmpfs"] == ["/tmp"] and web["cap_drop"] == ["ALL"]
    assert web["security_opt"] == ["no-new-privileges:true"] and web["restart"] == "unless-stopped"
    assert web["stop_grace_period"] == "30s" and web["logging"]["driver"] == "json-file"
    given = model()["services"]["web"]
    given |= {"mem_limit": "1", "cpus": 2, "restart": "always", "stop_grace_period": "5s", "tmpfs": ["/tmp:size=1m"]}
    given["labels"] = {"slipway.role": "slot", "slipway.writable": "true"}
    web = slot_file(stack(web=given), settled(), "blue", 1, 30)["services"]["web-blue"]
    assert (web["mem_limit"], web["cpus"], web["restart"], web["stop_grace_period"]) == ("1", 2, "always", "5s")
    assert "read_only" not in web and web["tmpfs"] == ["/tmp:size=1m"]


def test_limits_that_are_missing_are_written_in_the_form_of_the_others() -> None:
    """Compose refuses a service that has `pids_limit` beside `deploy.resources.limits`."""
    deploy = {"replicas": 1, "resources": {"limits": {"memory": "1", "cpus": "2"}, "reservations": {"memory": "1"}}}
    limited = {**model()["services"]["web"], "deploy": deploy}
    web = slot_file(stack(web=limited), settled(), "blue", 1, 30)["services"]["web-blue"]
    assert not {"mem_limit", "cpus", "pids_limit"} & web.keys()
    limits = {"memory": "1", "cpus": "2", "pids": 512}
    assert web["deploy"] == {"replicas": 1, "resources": {"limits": limits, "reservations": {"memory": "1"}}}
    reserved = {**model()["services"]["web"], "deploy": {"resources": {"reservations": {"memory": "1"}}}}
    web = slot_file(stack(web=reserved), settled(), "blue", 1, 30)["services"]["web-blue"]
    assert (web["mem_limit"], web["cpus"], web["pids_limit"]) == ("512m", 1.0, 512)
    assert web["deploy"] == reserved["deploy"]


def test_no_service_gets_new_privileges() -> None:
    db = {**model()["services"]["db"], "security_opt": ["no-new-privileges"]}
    assert shared_file(stack(db=db), settled())["services"]["db"]["security_opt"] == ["no-new-privileges:true"]
    with pytest.raises(ConfigError, match="service db: security_opt: no-new-privileges:false"):
        stack(db={**db, "security_opt": ["no-new-privileges:false"]})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, list(SHARED_CAPABILITIES)),
        ({"cap_drop": ["cap_kill", "NET_RAW"]}, [one for one in SHARED_CAPABILITIES if one != "KILL"]),
        ({"cap_drop": ["ALL"]}, []),
        ({"cap_drop": ["all"], "cap_add": ["CAP_CHOWN", "setuid"]}, ["CHOWN", "SETUID"]),
    ],
)
def test_a_shared_service_has_the_capabilities_of_a_database_at_most(given: Any, kept: list[str]) -> None:
    db = shared_file(stack(db={**model()["services"]["db"], **given}), settled())["services"]["db"]
    assert (db["cap_drop"], db.get("cap_add", [])) == (["ALL"], kept)


def test_the_artifacts_own_files_are_mounted_read_only() -> None:
    web = slot_file(stack(), replace(settled(), source="/src"), "blue", 1, 30)["services"]["web-blue"]
    assert web["volumes"][1]["read_only"] and web["volumes"][1]["bind"] == {"create_host_path": False}
    assert "read_only" not in web["volumes"][0]


def test_secrets_stay_references_and_settings_come_from_outside() -> None:
    file = slot_file(stack(), settled(), "blue", 1, 30)
    said = file["services"]["web-blue"]["environment"]
    assert said == {"TOKEN": "${TOKEN}", "DSN": "db://${TOKEN}@db", "PRICE": "a$$b", "COLOR": "blue $$1"}
    assert file["secrets"] == {"token": {"file": "/place/secrets/token"}}


def test_a_setting_reaches_every_container_of_the_app_and_a_secret_those_that_name_it() -> None:
    names_none = {"image": "x", "labels": {"slipway.role": "slot"}}
    made = stack(helper=names_none, clock={**names_none, "labels": {"slipway.role": "singleton"}})
    slot = slot_file(made, settled(), "blue", 1, 30)["services"]
    clock = singleton_file(made, settled(), 30)["services"]["clock"]
    once = one_shot_file(made, settled(), "clock", 30)["services"]["clock"]
    assert slot["helper-blue"]["environment"] == clock["environment"] == once["environment"] == {"COLOR": "blue $$1"}
    assert slot["web-blue"]["environment"]["TOKEN"] == "${TOKEN}" and "secrets" not in slot["helper-blue"]
    assert "environment" not in shared_file(made, settled())["services"]["db"]


def test_services_of_a_slot_keep_their_names_among_themselves() -> None:
    helper = {
        "image": "x",
        "labels": {"slipway.role": "slot"},
        "networks": {"inner": None},
        "depends_on": {"web": {"condition": "service_started"}, "db": {"condition": "service_started"}},
    }
    file = slot_file(stack(helper=helper), settled(), "green", 1, 30)
    assert list(file["services"]) == ["web-green", "helper-green"]
    assert file["services"]["helper-green"]["networks"] == {"inner": None, "slot": {"aliases": ["helper"]}}
    assert file["services"]["helper-green"]["depends_on"] == {"web-green": {"condition": "service_started"}}
    assert file["networks"]["slot"] == {"labels": OWNER}
    assert file["x-internal-networks"] == ["shop_inner"]


def test_shared_services_are_as_the_team_wrote_them() -> None:
    db = {**model()["services"]["db"], "ports": [{"target": 5432, "published": "5432", "host_ip": "127.0.0.1"}]}
    file = shared_file(stack(db=db), settled())
    assert file["name"] == "shop-shared" and list(file["services"]) == ["db"]
    assert "read_only" not in file["services"]["db"]
    assert file["services"]["db"]["ports"] == [{"target": 5432, "published": "5432", "host_ip": "127.0.0.1"}]
    assert file["volumes"] == {"data": {"name": "shop_data", "external": True}}


def test_singletons_and_one_off_containers_publish_nothing() -> None:
    clock = {"image": "x", "labels": {"slipway.role": "singleton"}, "ports": [{"target": 1, "published": "1"}]}
    file = singleton_file(stack(clock=clock), settled(), 30)
    assert file["name"] == "shop-singleton" and "ports" not in file["services"]["clock"]
    task = task_file(stack(), settled(), ("migrate", "$HOME"), {"PGOPTIONS": "-c x=1"})["services"]["task"]
    assert task["command"] == ["migrate", "$$HOME"] and task["restart"] == "no" and "ports" not in task
    assert task["environment"]["PGOPTIONS"] == "-c x=1" and task["healthcheck"] == {"disable": True}


def test_every_container_is_known_by_label() -> None:
    for file in (slot_file(stack(), settled(), "blue", 1, 1), shared_file(stack(), settled())):
        for service in file["services"].values():
            assert service["labels"].items() >= OWNER.items()
            assert service["labels"]["slipway.digest"] == "d1"


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("privileged", True, "privileged"),
        ("cap_add", ["NET_ADMIN"], "cap_add"),
        ("devices", [{"source": "/dev/kvm"}], "devices"),
        ("network_mode", "host", 'network_mode "host"'),
        ("network_mode", "container:db", 'network_mode "container:db"'),
        ("pid", "host", 'pid "host"'),
        ("ipc", "host", 'ipc "host"'),
        ("volumes_from", ["db"], "volumes_from"),
        ("security_opt", ["seccomp:unconfined"], "seccomp:unconfined"),
        ("security_opt", ["apparmor:mine", "no-new-privileges:true"], "apparmor:mine"),
        ("security_opt", ["no-new-privileges=false"], "no-new-privileges=false"),
        ("scale", 0, "0 replicas"),
        ("deploy", {"replicas": 0}, "0 replicas"),
        ("volumes", [{"type": "bind", "source": "/src/../etc", "target": "/x"}], "it mounts"),
        ("volumes", [{"type": "bind", "source": "/srcs", "target": "/x"}], "it mounts /srcs"),
        ("volumes", [{"type": "bind", "source": "/src/docker.sock", "target": "/x"}], "it mounts"),
        ("labels", {}, "no label"),
        ("labels", {"slipway.role": "slot", "slipway.port": "0"}, 'got "0"'),
        ("labels", {"slipway.role": "slot", "slipway.port": "x"}, 'got "x"'),
        ("ports", [], "none has a port"),
        ("ports", [{"target": 1}, {"target": 2}], "web has several ports"),
        ("deploy", {"replicas": 2}, "2 replicas"),
    ],
)
def test_what_cannot_be_released_is_named(key: str, value: object, why: str) -> None:
    with pytest.raises(ConfigError, match="compose.yml: ") as raised:
        stack(web={**model()["services"]["web"], key: value})
    assert why in str(raised.value)


def test_a_named_folder_of_the_host_may_be_mounted() -> None:
    web = {**model()["services"]["web"], "volumes": [{"type": "bind", "source": "/data/up", "target": "/x"}]}
    assert read_stack(model(web=web), "compose.yml", Reach("shop", "/src", ["/data"])).roles["web"] is Role.SLOT


def test_shared_services_are_held_to_the_same_list() -> None:
    db = {**model()["services"]["db"], "network_mode": "host", "cap_add": ["NET_ADMIN"], "privileged": True}
    with pytest.raises(ConfigError) as raised:
        stack(db={**db, "pid": "host", "devices": ["/dev/kvm"]})
    for why in ("privileged", 'network_mode "host"', "cap_add NET_ADMIN", 'pid "host"', "devices"):
        assert f"service db: {why}" in str(raised.value)


def test_a_label_says_which_of_two_ports_is_the_public_one() -> None:
    other = {"labels": {"slipway.role": "slot"}, "expose": ["9000"]}
    with pytest.raises(ConfigError, match="other, web have ports"):
        stack(other=other)
    labelled = {"labels": {"slipway.role": "slot", "slipway.port": "9001"}, "expose": ["9000"]}
    assert (stack(other=labelled).public, stack(other=labelled).port) == ("other", 9001)


def test_several_replicas_of_a_singleton_are_refused() -> None:
    with pytest.raises(ConfigError, match="service clock: 3 replicas of a singleton"):
        stack(clock={"labels": {"slipway.role": "singleton"}, "scale": 3})
