import json
from typing import Any

import pytest

from gates.scans.container import Config, FileSystem, Inspected, holds_secret, judge_image, may_be_secret, read_trivy
from gates.scans.outcome import ReportError
from gates.scans.policy import Images

GOOD = {"User": "10001", "Healthcheck": {"Test": ["CMD", "true"]}, "Env": ["PATH=/bin", "TOKEN_FILE=/run/token"]}
RULES = Images(max_mb=1, setuid=("usr/bin/su",))


def rules(config: dict[str, Any] | None = None, history: tuple[str, ...] = (), **files: Any) -> set[str]:
    image = Inspected(Id="sha256:" + "a" * 64, Architecture="amd64", Config=Config(**{**GOOD, **(config or {})}))
    system = FileSystem(**{"files": 1, "size": 1_000_000, "setuid": ("usr/bin/su",), **files})
    found = judge_image("app", image, history, system, RULES)
    assert "hunter2" not in str(found)
    return {one.rule for one in found}


def test_a_good_image_raises_nothing() -> None:
    assert rules() == set()


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"User": ""}, "container-root"),
        ({"User": None}, "container-root"),
        ({"User": "0:5"}, "container-root"),
        ({"User": "root"}, "container-root"),
        ({"Healthcheck": None}, "no-healthcheck"),
        ({"Healthcheck": {"Test": ["NONE"]}}, "no-healthcheck"),
        ({"Env": ["API_TOKEN=hunter2"]}, "secret-in-image"),
        ({"Env": ["DSN=postgres://u:hunter2@db/x"]}, "secret-in-image"),
        ({"ExposedPorts": {"22/tcp": {}}}, "exposed-port"),
    ],
)
def test_each_fault_of_the_configuration_is_found_alone(config: dict[str, Any], rule: str) -> None:
    assert rules(config) == {rule}


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        ({"setuid": ("usr/bin/own",)}, "setuid"),
        ({"secrets": ("app/key.pem",)}, "secret-file"),
        ({"size": 1_000_001}, "image-size"),
        ({"programs": ("usr/bin/gcc",)}, "build-tools"),
        ({"programs": ("usr/bin/apt-get",)}, "package-managers"),
        ({"history": ("|1 TOKEN=hunter2 /bin/sh -c make",)}, "secret-in-history"),
    ],
)
def test_each_fault_of_the_files_is_found_alone(files: dict[str, Any], rule: str) -> None:
    assert rules(**files) == {rule}


def test_a_name_with_uid_0_is_root() -> None:
    passwd = "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:1:1::/:/bin/sh\n"
    assert rules({"User": "toor"}, texts={"etc/passwd": passwd}) == {"container-root"}
    assert rules({"User": "app"}, texts={"etc/passwd": passwd}) == set()


@pytest.mark.parametrize(
    ("path", "head", "secret"),
    [
        ("app/tls.pem", b"-----BEGIN " + b"PRIVATE KEY-----", True),
        ("etc/ssl/certs/ca.pem", b"-----BEGIN CERTIFICATE-----", False),
        ("root/.npmrc", b"//r/:_authToken=x", True),
        ("root/.npmrc", b"audit=false", False),
        ("app/.env", b"SECRET=x", True),
        ("home/a/.netrc", b"machine a login b password c", True),
    ],
)
def test_a_secret_file_has_its_name_and_its_content(path: str, head: bytes, secret: bool) -> None:
    assert (may_be_secret(path) and holds_secret(head)) is secret


def test_other_names_are_not_opened() -> None:
    assert not may_be_secret("usr/lib/python3/site.py")


VULNERABLE = {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", "Severity": "CRITICAL"}


def trivy(*found: object, **more: object) -> bytes:
    return json.dumps({"SchemaVersion": 2, "Results": [{"Target": "a", "Vulnerabilities": found}], **more}).encode()


def test_trivys_findings_with_their_severities() -> None:
    examined, found = read_trivy(trivy(VULNERABLE, {**VULNERABLE, "Severity": "UNKNOWN"}), "app")
    assert [str(one.severity) for one in found] == ["critical", "high"]
    assert examined == "1 targets with trivy"


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"garbage", trivy()[:-3], trivy(Results=[]), trivy(Results=None), trivy(SchemaVersion=1), trivy({})],
)
def test_a_trivy_report_over_nothing_is_an_error(text: bytes) -> None:
    with pytest.raises(ReportError):
        read_trivy(text, "app")
