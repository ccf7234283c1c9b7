"""The container scan: Dockerfiles by hadolint, and the built image without running it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deployments.environment import images_run
from gates.check import Check, Outcome
from gates.scans.container import FileSystem, judge_image, of_image, read_trivy
from gates.scans.debian import Package, pending, read_packages
from gates.scans.image_packages import judge_packages
from gates.scans.linters import read_hadolint
from gates.scans.outcome import ReportError, ScanOutcome
from gates.scans.policy import Policy
from host.errors import ConfigError, ToolError
from host.home import CHECKOUT
from settings.toml_files import read_rules
from tasks.scans import Reads, Scan, Subject
from tasks.scans.files import named, read_text
from tasks.scans.image import Image, read_image, save_image
from tasks.scans.keys import content, contents, host_program, lock_contents, our_program
from tasks.scans.packages.debian_archive import KEYRING, security_archive, security_versions
from tasks.scans.policy import DOCKERFILES, built_dockerfiles, dockerfiles
from tasks.scans.tools import (
    installed,
    look_at_part,
    output_folder,
    read_output,
    run_tool,
    scan_parts,
    scanner,
    scratch,
)

TOOL_TIMEOUT_S = 300
CANARY = "FROM debian:latest\n"
CANARY_NAME = "Dockerfile.canary"
HADOLINT_RULES = CHECKOUT / "config" / "hadolint.yaml"


def scan_container(subject: Subject, policy: Policy | None = None) -> Check:
    """Look at the commit's Dockerfiles and at the built images. Safe to repeat.

    Not applicable when there is neither. An image is exported from a container that is never started. Each tool and
    each answer of the network has its own time limit; connections to the archive are tried three times.
    """
    image = subject.image
    try:
        files, unused = dockerfiles(subject)
        if not files and image is None:
            reason = "its artifact is a bundle, not an image, and " + (unused or ("the commit has no Dockerfile",))[0]
            return Check(name="container", outcome=Outcome.NOT_APPLICABLE, reason=reason)
        rules = policy or read_rules(Policy, "policy")
    except ConfigError as error:
        return Check(name="container", outcome=Outcome.NO_VERDICT, reason=str(error))
    parts = {"Dockerfiles": lambda: _dockerfiles(subject, files)}
    if image is not None:
        parts |= {
            "the image": lambda: _image(subject, image, rules),
            "the image with trivy": lambda: _trivy(subject, image),
        }
    for name, other in subject.others.items():
        parts |= {
            f"the image of {name}": partial(_other, name, partial(_image, subject, other, rules)),
            f"the image of {name} with trivy": partial(_other, name, partial(_trivy, subject, other)),
        }
    return scan_parts("container", "hadolint, own rules", parts)


def _other(name: str, look: Callable[[], ScanOutcome]) -> ScanOutcome:
    outcome = look()
    examined = tuple(f"{name}: {one}" for one in outcome.examined)
    return replace(outcome, findings=of_image(outcome.findings, name), examined=examined)


def _dockerfiles(subject: Subject, files: Mapping[str, Path]) -> ScanOutcome:
    if not files:
        return ScanOutcome(examined=("no Dockerfile",))
    work = scratch(subject, "container")
    texts = {name: read_text(path, name) for name, path in files.items()} | {CANARY_NAME: CANARY}
    # copies: a Dockerfile of this repository ({release}/...) lies where no sandbox sees it
    copies = {name: work / str(number) / "Dockerfile" for number, name in enumerate(texts)}
    for name, copy in copies.items():
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(texts[name], encoding="utf-8")
    paths = {str(copy): name for name, copy in copies.items()}
    argv = [str(scanner("hadolint")), "--format", "json", "--no-fail", "--disable-ignore-pragma"]
    rules = work / HADOLINT_RULES.name
    rules.write_bytes(HADOLINT_RULES.read_bytes())
    argv += ["--config", str(rules), *paths]
    output = run_tool(
        argv,
        workspace=subject.workspace,
        out=output_folder(work),
        reads=(subject.tree, work),
        timeout_s=TOOL_TIMEOUT_S,
        exits=(0,),
    )
    reported, problems = read_hadolint(output, paths, texts)
    findings = tuple(finding for finding in reported if finding.file != CANARY_NAME)
    if len(findings) == len(reported):
        raise ReportError("hadolint did not find the canary, a line that must be found")
    return ScanOutcome(findings, tuple(problems), (f"{len(files)} Dockerfiles",))


def _image(subject: Subject, name: str, rules: Policy) -> ScanOutcome:
    image = read_image(name)
    findings = judge_image(_shown(name), image.inspected, image.history, image.files, rules.images)
    examined = f"{image.files.files} files of the image ({image.files.size / 1e6:.0f} MB)"
    updates = look_at_part("pending security updates", lambda: _updates(subject, image))
    packages = look_at_part("Python packages of the image", lambda: _packages(subject, name, image))
    return ScanOutcome(tuple(findings), examined=(examined,)) + updates + packages


def _packages(subject: Subject, name: str, image: Image) -> ScanOutcome:
    """Hold the Python packages that are in the image against the locks that everything else was scanned by."""
    found = image.files.python
    if not found:
        return ScanOutcome(notes=("the image has no metadata of Python packages to be held against the locks",))
    locked: dict[str, set[str]] = {}
    for lock in subject.pipeline.locks.shipped:
        for package in subject.locks.read(lock).packages:
            locked.setdefault(package.name, set()).add(package.version)
    findings = judge_packages(_shown(name), found, locked)
    return ScanOutcome(tuple(findings), examined=(f"{len(found)} Python packages against the locks",))


def _updates(subject: Subject, image: Image) -> ScanOutcome:
    """Return the pending security updates of the image's packages. Another system's packages only Trivy can look up."""
    packages = _debian_packages(image.files)
    if packages is None:
        system = _release(image.files).get("ID", "unknown")
        if "etc/alpine-release" not in image.files.texts and system == "unknown":
            return ScanOutcome(examined=("no packages of a system",))
        note = f"the image is {system[:40]}: its packages are looked up by trivy alone"
        return (
            ScanOutcome(notes=(note,))
            if installed("trivy")
            else ScanOutcome(problems=(f"{note}, which is not installed",))
        )
    archive = security_archive(subject.pipeline.scans.debian_security_url)
    codename = _release(image.files).get("VERSION_CODENAME", "")
    available, note = security_versions(archive, codename, image.inspected.Architecture, datetime.now(UTC), KEYRING)
    examined = f"{len(packages)} Debian packages against {len(available)} of {codename}-security"
    return ScanOutcome(tuple(pending(packages, available, "")), (), (examined,), (note,) if note else ())


def _debian_packages(files: FileSystem) -> list[Package] | None:
    """Return the Debian packages of an image, None when it is no Debian."""
    if _release(files).get("ID") != "debian":
        return None
    texts = [text for path, text in files.texts.items() if path.startswith("var/lib/dpkg/status")]
    packages = [package for text in texts for package in read_packages(text, installed=True)]
    if not packages:
        raise ReportError("the image says that it is Debian and lists no packages")
    return packages


def _release(files: FileSystem) -> Mapping[str, str]:
    text = files.texts.get("etc/os-release") or files.texts.get("usr/lib/os-release", "")
    rows = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in rows}


def _shown(image: str) -> str:
    """Return an image's name for a finding: a digest differs with every build, and findings must not."""
    return "" if image.startswith("sha256:") else image.partition("@")[0]


def _trivy(subject: Subject, image: str) -> ScanOutcome:
    program = installed("trivy")
    if program is None:
        if subject.pipeline.scans.require_trivy:
            raise ToolError("trivy is not installed, and [scans] require_trivy wants it")
        return ScanOutcome(
            notes=("trivy is not installed here: packages of other ecosystems in the image were not looked at",)
        )
    work = scratch(subject, "container/trivy")
    archive = work / "image.tar"
    save_image(image, archive)
    out = output_folder(work)
    report = out / "trivy.json"
    # 10 tells findings from trivy's own errors, which end with 1: a missing database among them.
    argv = [str(program), "image", "--quiet", "--format", "json", "--output", str(report), "--exit-code", "10"]
    argv += ["--scanners", "vuln", "--skip-version-check", "--input", str(archive)]
    run_tool(
        argv,
        workspace=subject.workspace,
        out=out,
        reads=(work,),
        timeout_s=TOOL_TIMEOUT_S,
        exits=(0, 10),
        network=True,  # its database of vulnerabilities
    )
    archive.unlink()
    examined, findings = read_trivy(read_output(report, "trivy"), _shown(image))
    return ScanOutcome(tuple(findings), examined=(examined,))


def _reads(subject: Subject) -> Reads:
    image, settings = subject.pipeline.image, subject.pipeline.scans
    dockerfile = contents(subject, (image.dockerfile,)) if image else {}
    try:
        archive = security_archive(settings.debian_security_url)
    except ToolError:
        archive = "none"
    rules, programs = content(HADOLINT_RULES), (our_program("hadolint"), host_program("trivy"))
    locks = lock_contents(subject, subject.pipeline.locks.shipped) if subject.image else {}
    parts = (dockerfile, rules, subject.image, dict(subject.others), archive, settings.require_trivy, programs)
    files = list(subject.workspace.source.files)
    built = [name for name in built_dockerfiles(subject) if name in files]
    return Reads([*dict.fromkeys([*named(files, DOCKERFILES), *built])], (*parts, images_run(), locks))


SCAN = Scan("container", scan_container, _reads)
