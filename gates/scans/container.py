"""What a built image is and holds, against the policy. It was never run: its configuration and its files were read."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pydantic import ConfigDict, Field

from gates.documents import Foreign
from gates.findings import Finding, Severity, fingerprint, make_finding
from gates.scans.dockerfiles.judge import is_root
from gates.scans.image_packages import Installed
from gates.scans.outcome import ReportError, read_report
from gates.scans.policy import Images
from gates.scans.secret_names import looks_secret

_BUILD_ARGUMENT = re.compile(r"\b([A-Za-z_]\w*)=(\S+)")
SECRET_FILES = tuple(
    (
        "*.pem *.key *id_rsa *id_dsa *id_ecdsa *id_ed25519 *.p12 *.pfx *.jks *.keystore *.env */.env.* *.netrc "
        "*.pgpass *.npmrc *.pypirc */.aws/credentials */.docker/config.json */.kube/config "
        "*/.git-credentials *.git/config"
    ).split()
)
# Files that only say something when their content does: certificates are .pem too.
PRIVATE = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY|_authToken\s*=\s*\S|aws_secret_access_key|\"auth\"\s*:\s*\"\S"
    rb"|(password|secret|token)\s*[=: ]\s*\S|://[^/\s:@]+:[^/\s@]+@",
    re.IGNORECASE,
)
BUILD_TOOLS = ("gcc", "g++", "cc", "clang", "make", "cmake", "cargo", "rustc", "go", "javac", "git", "curl", "wget")
PACKAGE_MANAGERS = ("apt-get", "apk", "dnf", "yum", "pip", "pip3", "npm", "uv", "conda")
PROGRAM_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/local/go/bin")


class _Section(Foreign, of="the engine's inspect, and Trivy's report"):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Config(_Section):
    """An image's configuration, as the engine tells it."""

    User: str | None = ""
    Env: tuple[str, ...] | None = ()
    Healthcheck: dict[str, object] | None = None
    ExposedPorts: dict[str, object] | None = None


class Inspected(_Section):
    """What the engine says of an image."""

    Id: str = Field(pattern="^sha256:[0-9a-f]{64}$")
    Architecture: str
    Config: Config


@dataclass(frozen=True)
class FileSystem:
    """What an image's exported files say. Sizes in bytes; paths without a leading slash.

    `secrets` are files with a private content; `texts` the few files that were read; `python` the Python packages.
    """

    files: int
    size: int
    setuid: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    python: tuple[Installed, ...] = ()


_Row = tuple[str, Severity, str, str]


def judge_image(name: str, image: Inspected, history: Sequence[str], files: FileSystem, rules: Images) -> list[Finding]:
    """Judge an image by its configuration, the commands that made it (`history`), and its files."""
    rows = [*_configured(image.Config, files), *_baked(image.Config, history), *_held(files, rules)]
    return [
        make_finding("image", rule, severity, message, name, key=("image", rule, subject))
        for rule, severity, message, subject in dict.fromkeys(rows)
    ]


def of_image(findings: Iterable[Finding], name: str) -> tuple[Finding, ...]:
    """Return findings as those of one of several images, by its name: what one has is not accepted in another."""
    return tuple(
        one.model_copy(update={"file": f"image {name}", "fingerprint": fingerprint(one.fingerprint, name)})
        for one in findings
    )


def _configured(config: Config, files: FileSystem) -> Iterator[_Row]:
    user = config.User or ""
    if is_root(user) or _uid(user.partition(":")[0], files) == "0":
        why = f"runs as {user}, which is root" if user else "names no USER and so runs as root"
        yield "container-root", Severity.HIGH, f"the image {why}", "user"
    test = (config.Healthcheck or {}).get("Test")
    if not test or test == ["NONE"]:
        yield "no-healthcheck", Severity.LOW, "the image has no HEALTHCHECK", "healthcheck"
    for port in config.ExposedPorts or {}:
        if port.partition("/")[0] in ("22", "23", "2375", "3389"):
            yield "exposed-port", Severity.MEDIUM, f"the image exposes port {port}", port


def _uid(user: str, files: FileSystem) -> str:
    """Return the uid of a name by the image's own etc/passwd, "" when it has none."""
    for line in files.texts.get("etc/passwd", "").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == user:
            return fields[2]
    return ""


def _baked(config: Config, history: Sequence[str]) -> Iterator[_Row]:
    for variable in config.Env or ():
        name, _, value = variable.partition("=")
        if looks_secret(name, value):
            yield "secret-in-image", Severity.HIGH, f"ENV {name[:60]} looks like a secret (not shown)", name
    for command in history:
        # What was given as a build argument stands before the command, as in "|1 TOKEN=abc /bin/sh -c ...".
        if command.startswith(("|", "RUN |")):
            for name, value in _BUILD_ARGUMENT.findall(command.partition("/bin/")[0]):
                if looks_secret(name, value):
                    yield "secret-in-history", Severity.HIGH, f"build argument {name[:60]} stays in its history", name


def _held(files: FileSystem, rules: Images) -> Iterator[_Row]:
    for path in files.setuid:
        if path not in rules.setuid:
            yield "setuid", Severity.MEDIUM, f"{path} is setuid or setgid", path
    for path in files.secrets:
        yield "secret-file", Severity.HIGH, f"{path} holds a private key or a password", path
    if files.size > rules.max_mb * 1_000_000:
        size = f"{files.size / 1_000_000:.0f} MB unpacked, more than {rules.max_mb:g} MB"
        yield "image-size", Severity.MEDIUM, size, "size"
    names = {path.rpartition("/")[2] for path in files.programs}
    if tools := sorted(names & set(BUILD_TOOLS)):
        yield "build-tools", Severity.MEDIUM, f"the image ships {', '.join(tools)}", "tools"
    if managers := sorted(names & set(PACKAGE_MANAGERS)):
        yield "package-managers", Severity.LOW, f"the image ships {', '.join(managers)}", "managers"


def is_program(path: str) -> bool:
    """Return whether a path is that of a program that matters: a compiler, a package manager, a downloader."""
    folder, _, name = path.rpartition("/")
    base = re.sub(r"-\d+(\.\d+)*$", "", name)
    return folder in PROGRAM_FOLDERS and base in (*BUILD_TOOLS, *PACKAGE_MANAGERS)


def may_be_secret(path: str) -> bool:
    """Return whether a file's name says that it could hold a secret."""
    return any(
        fnmatchcase(f"/{path}", pattern if pattern.startswith("*") else f"*{pattern}") for pattern in SECRET_FILES
    )


def holds_secret(head: bytes) -> bool:
    """Return whether the beginning of a file shows a private key, a token or a password."""
    return bool(PRIVATE.search(head))


class _Vulnerability(_Section):
    VulnerabilityID: str = Field(min_length=1, max_length=80)
    PkgName: str
    InstalledVersion: str = ""
    FixedVersion: str = ""
    Severity: str = "UNKNOWN"


class _Result(_Section):
    Target: str
    Vulnerabilities: tuple[_Vulnerability, ...] | None = None


class _Trivy(_Section):
    SchemaVersion: int = Field(ge=2, le=2)
    Results: tuple[_Result, ...] = Field(min_length=1)


TRIVY: Mapping[str, Severity] = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.HIGH,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
    # An unscored vulnerability counts as high.
    "UNKNOWN": Severity.HIGH,
}


def read_trivy(text: bytes, image: str) -> tuple[str, list[Finding]]:
    """Return what Trivy looked at and found. Raises ReportError if its report is none, or looked at nothing."""
    results = read_report(_Trivy, text, "trivy").Results
    vulnerabilities = [entry for result in results for entry in result.Vulnerabilities or ()]
    if any(entry.Severity not in TRIVY for entry in vulnerabilities):
        raise ReportError("trivy reported a severity that it does not have")
    return f"{len(results)} targets with trivy", [_finding(entry, image) for entry in vulnerabilities]


def _finding(entry: _Vulnerability, image: str) -> Finding:
    return make_finding(
        "trivy",
        entry.VulnerabilityID,
        TRIVY[entry.Severity],
        f"{entry.PkgName} {entry.InstalledVersion}: {entry.VulnerabilityID}",
        image,
        key=("trivy", entry.VulnerabilityID, entry.PkgName),
        package=entry.PkgName,
        installed=entry.InstalledVersion,
        fixed=entry.FixedVersion,
    )
