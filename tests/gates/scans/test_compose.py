import copy
from typing import Any

import pytest

from gates.scans.compose import judge_compose
from gates.scans.dockerfile import ImageRules
from gates.scans.outcome import ReportError

GOOD: dict[str, Any] = {
    "image": "app@sha256:" + "ab" * 32,
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "ports": ["127.0.0.1:8080:80", "${BIND:-127.0.0.1}:81:81", "[::1]:82:82", {"target": 80, "host_ip": "127.0.0.1"}],
    "volumes": ["data:/data", {"type": "volume", "source": "data", "target": "/d"}],
    "deploy": {"resources": {"limits": {"memory": "256M", "cpus": "0.5"}}},
}


def rules(change: dict[str, Any], without: str = "") -> set[str]:
    service = {**copy.deepcopy(GOOD), **change}
    service.pop(without, None)
    found = judge_compose("compose.yml", {"compose.yml": {"services": {"app": service}}}, ImageRules())
    return {one.rule for one in found}


def test_a_hardened_service_raises_nothing() -> None:
    assert rules({}) == set()
    assert rules({"mem_limit": "1g", "cpus": 1}, without="deploy") == set()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"privileged": True}, "compose-privileged"),
        ({"network_mode": "host"}, "compose-host-network"),
        ({"pid": "host"}, "compose-host-pid"),
        ({"ipc": "host"}, "compose-host-ipc"),
        ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]}, "compose-host-mount"),
        ({"volumes": [{"type": "bind", "source": "/", "target": "/host"}]}, "compose-host-mount"),
        ({"volumes": ["/etc/:/x"]}, "compose-host-mount"),
        ({"volumes": ["/root/.ssh:/x"]}, "compose-host-mount"),
        ({"volumes": ["/home/x:/x:ro"]}, "compose-host-mount"),
        ({"volumes": ["//etc//passwd:/x"]}, "compose-host-mount"),
        ({"volumes": ["/srv/../etc:/x"]}, "compose-host-mount"),
        ({"volumes": ["/var:/x"]}, "compose-host-mount"),
        ({"volumes": ["/srv/engine/docker.sock:/x"]}, "compose-host-mount"),
        ({"volumes": ["~/.ssh:/x"]}, "compose-host-mount"),
        ({"volumes": ["../up:/x"]}, "compose-host-mount"),
        ({"volumes": ["./a/../../up:/x"]}, "compose-host-mount"),
        ({"volumes": ["${WHERE:-/etc}:/x"]}, "compose-host-mount"),
        ({"volumes": [{"type": "bind", "source": "/proc/1", "target": "/x"}]}, "compose-host-mount"),
        ({"volumes": [{"type": "bind", "source": "x/../..", "target": "/x"}]}, "compose-host-mount"),
        ({"cap_add": ["CAP_SYS_ADMIN"]}, "compose-capability"),
        ({"cap_add": ["ALL"]}, "compose-capability"),
        ({"user": "0:0"}, "compose-root"),
        ({"security_opt": ["no-new-privileges", "seccomp=unconfined"]}, "compose-unconfined"),
        ({"ports": ["8080:80"]}, "compose-public-port"),
        ({"ports": [80]}, "compose-public-port"),
        ({"ports": ["0.0.0.0:80:80"]}, "compose-public-port"),
        ({"ports": [{"target": 80, "published": 80}]}, "compose-public-port"),
        ({"deploy": {"resources": {"limits": {"cpus": "1"}}}}, "compose-no-memory-limit"),
        ({"deploy": {"resources": {"limits": {"memory": "1G"}}}}, "compose-no-cpu-limit"),
        ({"cap_drop": ["NET_RAW"]}, "compose-capabilities"),
        ({"security_opt": []}, "compose-new-privileges"),
        ({"read_only": False}, "compose-writable"),
        ({"image": "app"}, "compose-latest"),
        ({"image": "app:latest"}, "compose-latest"),
        ({"image": "app:${TAG:-latest}"}, "compose-latest"),
        ({"image": "app:1"}, "compose-unpinned"),
    ],
)
def test_each_fault_is_found_alone(change: dict[str, Any], rule: str) -> None:
    assert rules(change) == {rule}


@pytest.mark.parametrize(
    "volume",
    ["./conf:/c", "conf:/c", "/srv/data:/d", "/etcetera:/e", "/var/lib/shop:/s", "/etc/localtime:/etc/localtime:ro"],
)
def test_other_folders_may_be_mounted(volume: str) -> None:
    assert rules({"volumes": [volume]}) == set()


def test_a_file_in_a_folder_may_mount_what_is_beside_it() -> None:
    service = {**GOOD, "volumes": ["../conf:/c"]}
    judged = {
        file: judge_compose(file, {file: {"services": {"a": service}}}, ImageRules()) for file in ("d/c.yml", "c.yml")
    }
    assert [len(found) for found in judged.values()] == [0, 1]


def test_a_named_volume_that_is_a_folder_of_the_host_is_found() -> None:
    def judged(device: str) -> list[str]:
        volume = {"driver_opts": {"type": "none", "o": "bind", "device": device}}
        document = {"services": {"a": GOOD}, "volumes": {"v": volume, "w": None}}
        return [one.rule for one in judge_compose("c.yml", {"c.yml": document}, ImageRules())]

    assert judged("/etc/") == ["compose-host-mount"] and judged("/srv/data") == []


def test_a_file_that_only_changes_a_service_lacks_nothing() -> None:
    def judged(service: dict[str, Any]) -> set[str]:
        return {one.rule for one in judge_compose("c.yml", {"c.yml": {"services": {"app": service}}}, ImageRules())}

    assert judged({"environment": {"A": "b"}}) == set()
    assert judged({"privileged": True}) == {"compose-privileged"}


def test_what_is_extended_counts() -> None:
    documents = {
        "d/base.yml": {"services": {"base": GOOD}},
        "d/c.yml": {"services": {"app": {"extends": {"file": "base.yml", "service": "base"}, "image": "app:1.2.3"}}},
    }
    assert judge_compose("d/c.yml", documents, ImageRules()) == []


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"services": []},
        {"services": {"a": "b"}},
        {"services": {"a": {"extends": "a"}}},
        {"services": {"a": {"extends": {"file": "none.yml", "service": "x"}}}},
    ],
)
def test_what_is_no_compose_file_is_an_error(document: Any) -> None:
    with pytest.raises(ReportError):
        judge_compose("c.yml", {"c.yml": document}, ImageRules())


@pytest.mark.parametrize(
    "key", ["ports", "volumes", "deploy", "cap_add", "security_opt", "user", "image", "privileged"]
)
def test_values_of_any_kind_do_not_crash(key: str) -> None:
    for value in (None, 1, "x", [], [None], [[]], {}, {"a": []}, True):
        judge_compose("c.yml", {"c.yml": {"services": {"a": {**GOOD, key: value}}}}, ImageRules())
