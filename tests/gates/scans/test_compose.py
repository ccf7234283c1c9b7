import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.scans.compose import judge_compose
from gates.scans.compose_keys import SERVICE, TOP
from gates.scans.compose_reach import FALSE
from gates.scans.compose_tree import files_of
from gates.scans.dockerfiles.judge import ImageRules
from gates.scans.outcome import ReportError
from tests.growth import assert_in_proportion

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
        ({"privileged": "yes"}, "compose-privileged"),
        ({"privileged": "True "}, "compose-privileged"),
        ({"privileged": 1}, "compose-privileged"),
        ({"privileged": "${P:-true}"}, "compose-privileged"),
        ({"privileged": "${P}"}, "compose-privileged"),
        ({"post_start": [{"command": "x", "privileged": True}]}, "compose-privileged"),
        ({"pre_stop": [{"command": "x", "user": "root"}]}, "compose-root"),
        ({"build": {"context": ".", "privileged": True}}, "compose-privileged"),
        ({"build": {"context": ".", "entitlements": ["security.insecure"]}}, "compose-privileged"),
        ({"build": {"context": ".", "network": "host"}}, "compose-host-network"),
        ({"build": {"context": "/etc"}}, "compose-host-file"),
        ({"build": {"context": "../.."}}, "compose-host-file"),
        ({"devices": ["/dev/sda:/dev/sda"]}, "compose-device"),
        ({"device_cgroup_rules": ["a *:* rwm"]}, "compose-device"),
        ({"gpus": "all"}, "compose-device"),
        (
            {
                "deploy": {
                    "resources": {
                        "limits": {"memory": "1g", "cpus": "1"},
                        "reservations": {"devices": [{"capabilities": ["gpu"]}]},
                    }
                }
            },
            "compose-device",
        ),
        ({"cgroup_parent": "/"}, "compose-host-cgroup"),
        ({"runtime": "sysbox-runc"}, "compose-runtime"),
        ({"group_add": ["docker"]}, "compose-group"),
        ({"credential_spec": {"file": "x"}}, "compose-host-file"),
        ({"provider": {"type": "x"}}, "compose-provider"),
        ({"use_api_socket": True}, "compose-host-mount"),
        ({"volumes_from": ["other"]}, "compose-volumes-from"),
        ({"oom_kill_disable": True}, "compose-oom"),
        ({"oom_score_adj": -900}, "compose-oom"),
        ({"cgroup": "host"}, "compose-host-cgroup"),
        ({"uts": "host"}, "compose-host-uts"),
        ({"userns_mode": "host"}, "compose-host-userns"),
        ({"network_mode": "container:prefect"}, "compose-host-network"),
        ({"pid": "container:prefect"}, "compose-host-pid"),
        ({"network_mode": "${MODE:-host}"}, "compose-host-network"),
        ({"network_mode": "${MODE}"}, "compose-host-network"),
        ({"ipc": "odd"}, "compose-host-ipc"),
        ({"cap_add": ["SYS_RAWIO"]}, "compose-capability"),
        ({"cap_add": ["cap_bpf"]}, "compose-capability"),
        ({"cap_add": ["SYS_TIME"]}, "compose-capability"),
        ({"cap_add": ["A_CAPABILITY_OF_TOMORROW"]}, "compose-capability"),
        ({"user": "00:0"}, "compose-root"),
        ({"user": 0}, "compose-root"),
        ({"user": "+0"}, "compose-root"),
        ({"security_opt": ["no-new-privileges", "systempaths=unconfined"]}, "compose-unconfined"),
        ({"security_opt": ["no-new-privileges", "label:disable"]}, "compose-unconfined"),
        ({"security_opt": ["no-new-privileges", "apparmor=Unconfined"]}, "compose-unconfined"),
        ({"security_opt": ["no-new-privileges", "seccomp:./mine.json"]}, "compose-security-option"),
        ({"volumes": ["//:/x"]}, "compose-host-mount"),
        ({"volumes": ["../../..:/x"]}, "compose-host-mount"),
        ({"volumes": ["/etc/shadow:/x:ro"]}, "compose-host-mount"),
        ({"volumes": ["/etc/ssl/../shadow:/x"]}, "compose-host-mount"),
        ({"volumes": ["/var/lib/docker/volumes/x/_data:/x"]}, "compose-host-mount"),
        ({"volumes": ["/usr/:/x"]}, "compose-host-mount"),
        ({"volumes": ["/dev/./:/x"]}, "compose-host-mount"),
        ({"volumes": ["${WHERE:-${THERE:-/etc}}/:/x"]}, "compose-host-mount"),
        ({"volumes": ["${HOME}/.ssh:/x"]}, "compose-host-mount"),
        ({"volumes": ["$HOME:/x"]}, "compose-host-mount"),
        ({"volumes": ["$PWD/../up:/x"]}, "compose-host-mount"),
        ({"volumes": [{"type": "bind", "source": "${W:-/run/}", "target": "/x"}]}, "compose-host-mount"),
        ({"volumes": ["${WHERE}:/x"]}, "compose-unknown-mount"),
        ({"volumes": ["${WHERE}/data:/x"]}, "compose-unknown-mount"),
        ({"volumes": ["/${WHERE}:/x"]}, "compose-unknown-mount"),
        ({"env_file": "/etc/shop.env"}, "compose-host-file"),
        ({"env_file": "${WHERE}"}, "compose-unknown-file"),
        ({"env_file": "$HOME/x"}, "compose-host-file"),
        ({"env_file": "${PWD}/../x"}, "compose-host-file"),
        ({"env_file": "${WHERE:+/etc/x}"}, "compose-host-file"),
        ({"volumes": ["${WHERE:+/etc}:/x"]}, "compose-host-mount"),
        ({"volumes": ["${WHERE+/etc}:/x"]}, "compose-host-mount"),
        ({"volumes": ["${WHERE:+$THERE}:/x"]}, "compose-unknown-mount"),
        ({"build": "/etc"}, "compose-host-file"),
        ({"build": "${WHERE}"}, "compose-unknown-file"),
        ({"build": {"additional_contexts": {"a": "/etc"}}}, "compose-host-file"),
        ({"build": {"additional_contexts": ["a=../up"]}}, "compose-host-file"),
        ({"build": {"additional_contexts": {"a": "${WHERE}"}}}, "compose-unknown-file"),
        ({"build": {"context": "api", "dockerfile": "../../x"}}, "compose-host-file"),
        ({"build": {"dockerfile": "/etc/x"}}, "compose-host-file"),
        ({"build": {"context": ".", "target": "$STAGE"}}, "compose-unknown-target"),
        ({"env_file": [{"path": "~/x.env"}]}, "compose-host-file"),
        ({"label_file": ["../../x"]}, "compose-host-file"),
        ({"mem_limit": "0", "cpus": 1, "deploy": None}, "compose-no-memory-limit"),
        ({"mem_limit": "0b", "cpus": 1, "deploy": None}, "compose-no-memory-limit"),
        ({"mem_limit": -1, "cpus": 1, "deploy": None}, "compose-no-memory-limit"),
        ({"deploy": {"resources": {"limits": {"memory": "0.0g", "cpus": "1"}}}}, "compose-no-memory-limit"),
        ({"deploy": {"resources": {"limits": {"memory": "1g", "cpus": "0"}}}}, "compose-no-cpu-limit"),
        ({"a_key_of_tomorrow": 1}, "compose-unknown-key"),
        ({"healthcheck": {"test": "x", "when": "y"}}, "compose-unknown-key"),
        ({"deploy": {"resources": {"limits": {"memory": "1g", "cpus": "1", "disk": "1"}}}}, "compose-unknown-key"),
    ],
)
def test_each_fault_is_found_alone(change: dict[str, Any], rule: str) -> None:
    assert rules(change) == {rule}


@pytest.mark.parametrize(
    "volume",
    [
        "./conf:/c",
        "conf:/c",
        "/srv/data:/d",
        "/etcetera:/e",
        "/var/lib/shop:/s",
        "/etc/localtime:/etc/localtime:ro",
        "/etc/ssl/certs/:/c:ro",
        "$PWD/conf:/c",
        "${PWD}/conf:/c",
        "${WHERE:-./conf}:/c",
        "/usrdata:/u",
        {"type": "volume", "source": "${NAME}", "target": "/x"},
        {"type": "tmpfs", "target": "/tmp"},
    ],
)
def test_other_folders_may_be_mounted(volume: Any) -> None:
    assert rules({"volumes": [volume]}) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"privileged": "no"},
        {"privileged": False, "user": "10001:10001"},
        {"network_mode": "none"},
        {"network_mode": "service:other", "pid": "service:other"},
        {"ipc": "shareable", "cgroup": "private"},
        {"cap_add": ["NET_BIND_SERVICE", "cap_chown"]},
        {"devices": [], "group_add": [], "x-mine": {"privileged": True}},
        {"env_file": ["./a.env", {"path": "b.env", "required": False}, "$PWD/c.env", "${WHERE:-d.env}"]},
        {"build": {"context": "api", "dockerfile": "../x", "target": "${STAGE:-production}"}},
        {"build": {"additional_contexts": {"a": "./a", "b": "docker-image://x", "c": "https://example.org/c.git"}}},
        {"build": "https://example.org/x.git"},
        {"build": {"context": ".", "dockerfile": "Dockerfile", "args": {"A": "b"}, "network": "none"}},
        {"oom_score_adj": 500, "post_start": [{"command": "x", "user": "app"}]},
        {"cpu_quota": 50000, "deploy": {"resources": {"limits": {"memory": "1g"}}}},
        {"healthcheck": {"test": ["CMD", "x"], "interval": "1s", "x-why": 1}},
    ],
)
def test_what_gives_nothing_of_the_host_is_quiet(change: dict[str, Any]) -> None:
    assert rules(change) == set()


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


def test_lists_of_what_is_extended_are_put_together() -> None:
    base = {"volumes": ["/:/host"], "cap_add": ["SYS_ADMIN"], "deploy": {"labels": {"a": "b"}}}
    app = {**GOOD, "extends": "base", "cap_add": ["NET_BIND_SERVICE"]}
    (found,) = [judge_compose("c.yml", {"c.yml": {"services": {"app": app, "base": base}}}, ImageRules())]
    assert {one.rule for one in found if "service app" in one.message} == {"compose-host-mount", "compose-capability"}


def test_what_stands_beside_the_services_is_looked_at() -> None:
    def judged(**top: Any) -> list[str]:
        document = {"services": {"a": GOOD}, **top}
        return [one.rule for one in judge_compose("c.yml", {"c.yml": document}, ImageRules())]

    assert judged(configs={"c": {"file": "/etc/shadow"}}) == ["compose-host-file"]
    assert judged(configs={"c": {"file": "${WHERE}"}, "d": {"file": "${WHERE:-d}"}}) == ["compose-unknown-file"]
    assert judged(secrets={"c": {"file": "~/.ssh/id"}, "d": {"file": "./d"}}) == ["compose-host-file"]
    assert judged(sevices={}) == ["compose-unknown-key"]
    assert judged(volumes={"v": {"driver_opts": {"device": "${WHERE:-/root}/"}}}) == ["compose-host-mount"]
    assert judged(volumes={"v": {"driver_opts": {"device": "${WHERE}"}}}) == ["compose-unknown-mount"]
    assert judged(volumes={"v": {"driver_opts": {"type": "nfs", "device": ":/x"}}}, name="x", version="3") == []


def test_a_finding_says_where_its_service_stands() -> None:
    document = {"services": {"a": {**GOOD, "privileged": True}}}
    (found,) = judge_compose("c.yml", {"c.yml": document}, ImageRules(), {"a": 7})
    assert (found.file, found.line) == ("c.yml", 7)


KEYS = st.sampled_from([*SERVICE, *TOP, "source", "target", "type", "path", "limits", "memory", "file", "service"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["${A:-/etc}", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(), inner, max_size=5),
    max_leaves=15,
)


@pytest.mark.fuzz
@given(st.dictionaries(KEYS, VALUES, max_size=6), st.dictionaries(KEYS, VALUES, max_size=3))
@settings(deadline=None)
def test_any_document_is_judged_or_an_error(service: dict[str, Any], top: dict[str, Any]) -> None:
    for document in ({"services": {"a": {**GOOD, **service}}}, {**top, "services": {"a": service}}, top):
        try:
            files_of("d/c.yml", document)
            for one in judge_compose("d/c.yml", {"d/c.yml": document}, ImageRules()):
                assert one.rule.startswith("compose-")
        except ReportError:
            pass


@pytest.mark.fuzz
@given(VALUES, st.sampled_from(["privileged", "use_api_socket", "oom_kill_disable"]))
@settings(deadline=None)
def test_what_is_not_false_is_found(value: Any, key: str) -> None:
    found = rules({key: value})
    assert bool(found) == (value is not None and str(value).strip().lower() not in FALSE) or "$" in str(value)


def test_more_services_take_longer_in_proportion() -> None:
    def prepared(many: int) -> Callable[[], object]:
        services = {f"s{number}": {"image": "x", "volumes": ["/etc:/x"], "extends": "base"} for number in range(many)}
        documents = {"c.yml": {"services": {**services, "base": GOOD}}}
        found = judge_compose("c.yml", documents, ImageRules())
        assert sum(one.rule == "compose-host-mount" for one in found) == many
        return lambda: list(judge_compose("c.yml", documents, ImageRules()))

    assert_in_proportion(prepared, 200, 2_000)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"services": []},
        {"services": {"a": "b"}},
        {"services": {"a": {"extends": "a"}}},
        {"services": {f"s{n}": {"extends": f"s{n + 1}"} for n in range(60)} | {"s60": {}}},
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


def latest(web: dict[str, Any], image: str) -> set[str]:
    """Return the services that are told of the tag latest: a web that is built, and one that runs an image."""
    services = {"web": {**GOOD, **web}, "worker": {**GOOD, "image": image}}
    found = judge_compose("compose.yml", {"compose.yml": {"services": services}}, ImageRules())
    return {one.message.split(":")[0] for one in found if one.rule in ("compose-latest", "compose-unpinned")}


@pytest.mark.parametrize(
    ("web", "image"),
    [
        ({"build": ".", "image": "example/shop"}, "example/shop:latest"),
        ({"build": ".", "image": "example/shop:latest"}, "docker.io/example/shop"),
        ({"build": ".", "image": "example/shop:${TAG:-latest}"}, "example/shop"),
        ({"build": ".", "image": "example/shop:$TAG"}, "example/shop:$TAG"),
        ({"build": {"context": ".", "tags": ["example/shop:edge"]}}, "example/shop:edge"),
    ],
)
def test_the_own_image_by_its_tag_is_no_tag_that_moves(web: dict[str, Any], image: str) -> None:
    assert latest(web, image) == set()


@pytest.mark.parametrize(
    ("web", "image"),
    [
        ({"build": ".", "image": "example/shop"}, "example/other:latest"),
        ({"build": ".", "image": "example/shop"}, "ghcr.io/example/shop"),
        ({"image": GOOD["image"]}, "app:latest"),
        ({"build": None, "image": GOOD["image"]}, "app"),
        ({"build": ["odd"], "image": ["odd"]}, "app"),
    ],
)
def test_another_image_by_a_tag_that_moves_is_found(web: dict[str, Any], image: str) -> None:
    assert "service worker" in latest(web, image)
