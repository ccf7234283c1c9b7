"""A Dockerfile as its instructions and stages, and what our policy says of them. Syntax: Docker's reference."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch

from gates.findings import Finding, Severity, make_finding
from gates.scans.outcome import ReportError
from gates.scans.secret_names import looks_secret

KEYWORDS = frozenset(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME "
    "WORKDIR".split()
)
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_ESCAPE = re.compile(r"#\s*escape\s*=\s*([\\`])\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*[a-z]+\s*=.*", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_NAMED = re.compile(r"(?<!\w)(\w+)=(\"[^\"]*\"|'[^']*'|\S*)")
ROOTS = frozenset({"root", "0", ""})


@dataclass(frozen=True)
class Instruction:
    """One instruction: upper-case keyword, the rest with continuations joined, its first line (1-based)."""

    keyword: str
    value: str
    line: int


@dataclass(frozen=True)
class Stage:
    """A build stage: `image` with defaults of global ARGs put in, `name` "" without one."""

    image: str
    name: str
    line: int
    body: tuple[Instruction, ...] = ()


@dataclass(frozen=True)
class ImageRules:
    """What a base image must be: a tag matching `exact` is pinned, an image matching one of `minimal` (globs) small."""

    exact: str = r"^v?\d+\.\d+\.\d+"
    minimal: Sequence[str] = field(default=("*slim*", "*alpine*", "*distroless*", "scratch"))


def instructions(text: str) -> list[Instruction]:
    """Split a Dockerfile. Raises ReportError, which names the line that is no instruction, or a here-document without
    its end.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    escape = _escape(lines)
    found: list[Instruction] = []
    numbered = iter(enumerate(lines, start=1))
    for number, line in numbered:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = _joined(line, escape, numbered)
        keyword, _, value = whole.strip().partition(" ")
        keyword = keyword.strip().upper()
        if keyword not in KEYWORDS:
            raise ReportError(f"line {number} starts with {keyword[:20]!r}, which is no Dockerfile instruction")
        if keyword in ("RUN", "COPY", "ADD"):
            value += _documents(value, number, numbered)
        found.append(Instruction(keyword, value.strip(), number))
    return found


def _escape(lines: Sequence[str]) -> str:
    for line in lines:
        if match := _ESCAPE.fullmatch(line.strip()):
            return match[1]
        if not _DIRECTIVE.fullmatch(line.strip()):
            break
    return "\\"


def _joined(line: str, escape: str, rest: Iterator[tuple[int, str]]) -> str:
    whole = line.replace("\t", " ").rstrip()
    while whole.endswith(escape):
        whole = whole[:-1]
        for _, line in rest:
            if line.strip() and not line.lstrip().startswith("#"):
                whole += line.replace("\t", " ").rstrip()
                break
        else:
            break
    return whole


def _documents(value: str, number: int, rest: Iterator[tuple[int, str]]) -> str:
    body = ""
    for _, name in _HEREDOC.findall(value):
        for _, line in rest:
            if line.strip() == name:
                break
            body += f"\n{line}"
        else:
            raise ReportError(f"line {number}: the here-document {name[:20]} has no end")
    return body


def stages(written: Sequence[Instruction]) -> list[Stage]:
    """Return the build stages in order. Raises ReportError if there is none."""
    defaults: dict[str, str] = {}
    made: list[Stage] = []
    bodies: list[list[Instruction]] = []
    for instruction in written:
        if instruction.keyword == "FROM":
            words = [word for word in instruction.value.split() if not word.startswith("--")]
            name = words[2] if len(words) > 2 and words[1].upper() == "AS" else ""
            made.append(Stage(filled(words[0] if words else "", defaults), name.lower(), instruction.line))
            bodies.append([])
        elif made:
            bodies[-1].append(instruction)
        elif instruction.keyword == "ARG":
            key, _, value = instruction.value.partition("=")
            defaults[key.strip()] = value.strip().strip("\"'")
    if not made:
        raise ReportError("it has no FROM")
    return [replace(stage, body=tuple(body)) for stage, body in zip(made, bodies, strict=True)]


def filled(image: str, defaults: Mapping[str, str]) -> str:
    """Return a text with its variables replaced by their values or own defaults; those without stay."""

    def value(match: re.Match[str]) -> str:
        return defaults.get(match[1] or match[2]) or match[3] or match[0]

    return _VARIABLE.sub(value, image)


def user_of(all_stages: Sequence[Stage]) -> str:
    """Return who the image of the last stage runs as, "" when no USER says so; stages built on count."""
    stage: Stage | None = all_stages[-1]
    visited: list[Stage] = []
    while stage is not None and stage not in visited:
        visited.append(stage)
        users = [instruction.value for instruction in stage.body if instruction.keyword == "USER"]
        if users:
            return users[-1].strip("\"'")
        if stage.image.endswith(":nonroot"):
            return "nonroot"
        parent = stage.image.lower()
        stage = next((other for other in all_stages if other.name and other.name == parent), None)
    return ""


def is_root(user: str) -> bool:
    """Return whether a USER (name or uid, group after a colon) is root or nobody said who."""
    name = user.partition(":")[0].strip()
    return name in ROOTS or not name.strip("+-0")  # an engine reads a sign, too


def judge_dockerfile(file: str, text: str, rules: ImageRules) -> list[Finding]:
    """Hold a Dockerfile against the policy: base images, user, health check, secrets. ReportError as above."""
    written = instructions(text)
    all_stages = stages(written)
    names = {stage.name for stage in all_stages if stage.name}
    rows = [*_bases(all_stages, names, rules), *_final(all_stages), *_baked(written)]
    return [
        make_finding("policy", rule, severity, message, file, line=line, key=(rule, file, subject))
        for rule, severity, message, line, subject in rows
    ]


_Row = tuple[str, Severity, str, int, str]


def _bases(all_stages: Sequence[Stage], names: set[str], rules: ImageRules) -> Iterator[_Row]:
    for number, stage in enumerate(all_stages):
        image = stage.image
        if image == "scratch" or image.lower() in names:
            continue
        pinned, why = is_pinned(image, rules)
        if not pinned:
            severity = Severity.MEDIUM if why == "moves" else Severity.HIGH
            yield "base-image-unpinned", severity, f"base image {image[:120]} {_PINNING[why]}", stage.line, image
        last = number == len(all_stages) - 1
        if last and not any(fnmatch(image.lower(), pattern) for pattern in rules.minimal):
            yield "base-image-large", Severity.MEDIUM, f"{image[:120]} is not a minimal image", stage.line, image


_PINNING = {
    "latest": "has no tag or `latest`: name an exact version or a digest",
    "moves": "has a tag that moves: name an exact version or a digest",
    "variable": "comes from a variable without a default",
}


def is_pinned(image: str, rules: ImageRules) -> tuple[bool, str]:
    """Return whether an image is named by digest or exact tag, else why not: latest, moves or variable."""
    if _DIGEST.search(image):
        return True, ""
    if "$" in image:
        return False, "variable"
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if tag in ("", "latest"):
        return False, "latest"
    return (True, "") if re.search(rules.exact, tag) else (False, "moves")


def _final(all_stages: Sequence[Stage]) -> Iterator[_Row]:
    last = all_stages[-1]
    user = user_of(all_stages)
    if is_root(user):
        why = f"runs as {user}" if user else "has no USER and so runs as root"
        yield "container-root", Severity.HIGH, f"the image {why}: name a user that is not root", last.line, "user"
    checks = [entry.value for stage in all_stages for entry in stage.body if entry.keyword == "HEALTHCHECK"]
    if not checks or checks[-1].upper() == "NONE":
        yield "no-healthcheck", Severity.LOW, "the image has no HEALTHCHECK", last.line, "healthcheck"


def _baked(written: Sequence[Instruction]) -> Iterator[_Row]:
    for instruction in written:
        keyword, text = instruction.keyword, instruction.value
        if keyword in ("ENV", "ARG"):
            for name, value in _NAMED.findall(text):
                if value.strip("\"'") and not value.startswith("$") and looks_secret(name, value.strip("\"'")):
                    message = f"{keyword} {name[:60]} looks like a secret and stays in the image"
                    yield "secret-in-image", Severity.HIGH, message, instruction.line, f"{keyword} {name}"
        if keyword == "ADD" and re.match(r"(--\S+\s+)*https?://", text) and "--checksum=" not in text:
            yield "unchecked-download", Severity.MEDIUM, "ADD of a URL without --checksum", instruction.line, text
