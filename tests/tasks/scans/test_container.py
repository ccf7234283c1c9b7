import io
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import docker
from gates.check import Check, Outcome
from gates.scans.policy import Images, Policy
from settings.targets import Target
from tasks.scans import container
from tasks.scans.container import scan_container
from tests.corpus import Corpus
from tests.tasks.scans.commits import FAILURES, commit, program, subject_of

GOOD = 'FROM debian:12.5-slim\nHEALTHCHECK CMD ["true"]\nUSER 10001\n'
RULES = Policy(images=Images(max_mb=500, setuid=()))


@pytest.fixture(autouse=True)
def _images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_RUNTIME", "compose")


def scanned(tmp_path: Path, files: dict[str, str], image: str | None = None, **more: object) -> Check:
    repository = tmp_path / "app"
    commit(repository, {"a.py": "1\n", **files})
    subject = subject_of(repository, tmp_path / "work", image=image, scans=more)
    return scan_container(subject, RULES)


def test_without_dockerfile_and_image_it_is_not_applicable(tmp_path: Path) -> None:
    check = scanned(tmp_path, {})
    assert (check.outcome, check.findings) == (Outcome.NOT_APPLICABLE, ())


def test_a_dockerfile_that_nothing_is_built_of_is_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Target.all():
        monkeypatch.setenv(f"SLIPWAY_{name.value.upper()}_RUNTIME", "process")
    check = scanned(tmp_path, {"Dockerfile": "FROM debian:latest\n", "docs/Dockerfile": "FRM x\n"})
    assert (check.outcome, check.findings) == (Outcome.NOT_APPLICABLE, ())
    assert "left out: Dockerfile, docs/Dockerfile: no environment has RUNTIME=compose" in check.reason


PLANTED = {
    "latest": ("FROM debian:latest\n", "DL3007"),
    "root again": (GOOD + "USER root\n", "DL3002"),
    "sudo": (GOOD + "RUN sudo true\n", "DL3004"),
    "told to look away": ("# hadolint ignore=DL3007\nFROM debian:latest\n", "DL3007"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_plant_in_a_dockerfile_is_found(tmp_path: Path, corpus: Corpus, name: str) -> None:
    text, rule = PLANTED[name]
    check = scanned(tmp_path, {"Dockerfile": text, ".hadolint.yaml": f"ignored: [{rule}]\n"})
    found = {one.rule for one in check.findings}
    corpus.record("container", found=int(rule in found), planted=1)
    assert (check.outcome, rule in found) == (Outcome.PASSED, True)


def test_a_clean_dockerfile_raises_nothing(tmp_path: Path, corpus: Corpus) -> None:
    check = scanned(tmp_path, {"Dockerfile": GOOD})
    corpus.record("container", found=0, planted=0, false=len(check.findings), clean=1)
    assert (check.outcome, check.findings, check.examined) == (Outcome.PASSED, (), "1 Dockerfiles")


def test_a_dockerfile_of_the_release_repository_is_looked_at(tmp_path: Path) -> None:
    repository = tmp_path / "app"
    commit(repository, {"a.py": "1\n"})
    named = {"dockerfile": "{release}/docker/Dockerfile", "compose": {"production": "compose.yml"}}
    check = scan_container(subject_of(repository, tmp_path / "work", image_section=named), RULES)
    assert (check.outcome, check.examined) == (Outcome.PASSED, "1 Dockerfiles"), check.reason


def test_a_dockerfile_that_cannot_be_parsed_is_no_verdict(tmp_path: Path) -> None:
    check = scanned(tmp_path, {"Dockerfile": "FRM x\n"})
    assert (check.outcome, "cannot parse Dockerfile" in check.reason) == (Outcome.NO_VERDICT, True)


@pytest.mark.parametrize("failure", [*FAILURES, "is absent"])
def test_a_hadolint_that_fails_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    tool = tmp_path / "hadolint" if failure == "is absent" else program(tmp_path, FAILURES[failure], "hadolint")
    monkeypatch.setenv("SLIPWAY_HADOLINT", str(tool))
    monkeypatch.setattr(container, "TOOL_TIMEOUT_S", 1)
    check = scanned(tmp_path, {"Dockerfile": GOOD})
    assert (check.outcome, "hadolint" in check.reason) == (Outcome.NO_VERDICT, True)


def test_an_engine_that_is_not_there_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    check = scanned(tmp_path, {}, image="sha256:" + "a" * 64)
    assert (check.outcome, "Docker engine" in check.reason) == (Outcome.NO_VERDICT, True)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_trivy_that_fails_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("SLIPWAY_TRIVY", str(program(tmp_path, FAILURES[failure], "trivy")))
    monkeypatch.setattr(container, "TOOL_TIMEOUT_S", 1)
    check = scanned(tmp_path, {}, "sha256:" + "a" * 64)
    assert check.outcome is Outcome.NO_VERDICT
    assert "the image with trivy could not be looked at" in check.reason


STATUS = "Package: openssl\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: amd64\n"
ROOT_IMAGE = """FROM {base}
ARG BUILD_TOKEN
ENV DB_PASSWORD=abcdefgh
COPY status /var/lib/dpkg/status
COPY key.pem /app/key.pem
RUN true $BUILD_TOKEN && cp /bin/true /app/own && chmod 4755 /app/own && ln -s /bin/true /usr/local/bin/gcc
"""
CLEAN_IMAGE = 'FROM scratch\nCOPY app /app\nHEALTHCHECK CMD ["/app"]\nUSER 10001\n'


@pytest.fixture(scope="module")
def images(docker_client: docker.DockerClient) -> Iterator[dict[str, str]]:
    """Two tiny images, built here: one with every fault, one with none."""
    mark = uuid.uuid4().hex[:8]
    files = {"status": STATUS, "key.pem": "-----BEGIN " + "PRIVATE KEY-----\n", "app": "x"}
    base = "debian:bookworm-slim"
    made = {
        name: build(docker_client, text, files, f"slipway-test-{mark}-{name}", base)
        for name, text in {"bad": ROOT_IMAGE.format(base=base), "clean": CLEAN_IMAGE}.items()
    }
    yield made
    for image in made.values():
        docker_client.images.remove(image, force=True)


def build(client: docker.DockerClient, text: str, files: dict[str, str], tag: str, base: str) -> str:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, content in {**files, "Dockerfile": text}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    context.seek(0)
    arguments = {"BUILD_TOKEN": "abcdefgh"} if base in text else {}
    built, _ = client.images.build(
        fileobj=context, custom_context=True, tag=tag, buildargs=arguments, rm=True, timeout=120
    )
    return str(built.id)


@pytest.mark.docker
def test_every_fault_of_a_built_image_is_found_without_running_it(
    tmp_path: Path, images: dict[str, str], docker_client: docker.DockerClient, corpus: Corpus
) -> None:
    check = scanned(tmp_path, {}, image=images["bad"], debian_security_url="http://127.0.0.1:1")
    wanted = {
        "container-root",
        "no-healthcheck",
        "secret-in-image",
        "secret-in-history",
        "secret-file",
        "setuid",
        "build-tools",
        "package-managers",
    }
    found = {one.rule for one in check.findings}
    corpus.record("container", found=len(found & wanted), planted=len(wanted))
    assert wanted <= found
    assert "abcdefgh" not in check.model_dump_json()
    # The archive cannot be reached: that is not "no updates pending".
    assert check.outcome is Outcome.NO_VERDICT
    assert "pending security updates could not be looked at" in check.reason
    assert docker_client.containers.list(all=True, filters={"label": "slipway.scan", "ancestor": images["bad"]}) == []


@pytest.mark.docker
def test_every_image_of_the_artifact_is_looked_at_and_findings_say_whose_they_are(
    tmp_path: Path, images: dict[str, str]
) -> None:
    repository = tmp_path / "app"
    commit(repository, {"app.py": ""})
    subject = subject_of(repository, tmp_path / "work", image=images["bad"])
    both = replace(subject, others={"edge": images["bad"], "docs": images["clean"]})
    check = scan_container(both, RULES)
    roots = {one.file: one.fingerprint for one in check.findings if one.rule == "container-root"}
    assert set(roots) == {"", "image edge"} and len(set(roots.values())) == 2
    alone = scan_container(replace(subject, workspace=replace(subject.workspace, root=tmp_path / "alone")), RULES)
    assert roots[""] in {one.fingerprint for one in alone.findings}  # what was accepted of it is accepted still
    assert "edge: " in check.examined and "docs: " in check.examined
    gone = scan_container(replace(both, others={"edge": "sha256:" + "f" * 64}), RULES)
    assert gone.outcome is Outcome.NO_VERDICT and "the image of edge could not be looked at" in gone.reason


@pytest.mark.docker
def test_a_clean_image_raises_nothing(tmp_path: Path, images: dict[str, str], corpus: Corpus) -> None:
    check = scanned(tmp_path, {}, image=images["clean"])
    corpus.record("container", found=0, planted=0, false=len(check.findings), clean=1)
    assert (check.outcome, check.findings) == (Outcome.PASSED, ()), check.reason


@pytest.mark.docker
@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("open(sys.argv[sys.argv.index('--output') + 1], 'w').write(GOOD); sys.exit(10)", Outcome.PASSED),
        ("sys.exit(1)", Outcome.NO_VERDICT),
        ("sys.exit(0)", Outcome.NO_VERDICT),
        ("open(sys.argv[sys.argv.index('--output') + 1], 'w').write('{}')", Outcome.NO_VERDICT),
    ],
)
def test_trivy_is_asked_where_it_is_installed(
    tmp_path: Path, images: dict[str, str], monkeypatch: pytest.MonkeyPatch, body: str, outcome: Outcome
) -> None:
    found = '{"VulnerabilityID": "CVE-1", "PkgName": "a", "Severity": "HIGH"}'
    report = f'GOOD = \'{{"SchemaVersion": 2, "Results": [{{"Target": "a", "Vulnerabilities": [{found}]}}]}}\'\n'
    monkeypatch.setenv("SLIPWAY_TRIVY", str(program(tmp_path, report + body, "trivy")))
    check = scanned(tmp_path, {}, images["clean"])
    assert check.outcome is outcome
    assert [one.rule for one in check.findings] == (["CVE-1"] if outcome is Outcome.PASSED else [])


@pytest.mark.docker
def test_trivy_can_be_required(tmp_path: Path, images: dict[str, str]) -> None:
    check = scanned(tmp_path, {}, image=images["clean"], require_trivy=True)
    assert (check.outcome, "require_trivy" in check.reason) == (Outcome.NO_VERDICT, True)


@pytest.mark.docker
def test_an_image_that_is_not_there_is_no_verdict(tmp_path: Path, docker_client: docker.DockerClient) -> None:
    assert docker_client.ping()
    check = scanned(tmp_path, {}, image="sha256:" + "f" * 64)
    assert (check.outcome, "engine cannot show the image" in check.reason) == (Outcome.NO_VERDICT, True)


@pytest.mark.docker
def test_what_the_image_has_and_no_lock_names_is_found(tmp_path: Path, docker_client: docker.DockerClient) -> None:
    files = {f"{name}.dist-info/METADATA": "x" for name in ("flask-3.0.3", "requests-2.0", "pip-24.0")}
    text = 'FROM scratch\nCOPY . /app/lib/python3.11/site-packages\nHEALTHCHECK CMD ["/app"]\nUSER 10001\n'
    image = build(docker_client, text, files, f"slipway-test-{uuid.uuid4().hex[:8]}", "no base")
    try:
        lock = f"flask==3.0.3 --hash=sha256:{'0' * 64}\n"
        check = scanned(tmp_path, {"requirements.lock": lock}, image=image)
    finally:
        docker_client.images.remove(image, force=True)
    assert [(one.rule, one.package) for one in check.findings] == [("package-not-locked", "requests")]
    assert "3 Python packages against the locks" in check.examined
