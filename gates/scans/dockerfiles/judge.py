"""What our policy says of a Dockerfile: its images, who it runs as, its health check, secrets and downloads in it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

from gates.findings import Finding, Severity, make_finding
from gates.scans.dockerfiles.instructions import directives, instructions
from gates.scans.dockerfiles.stages import EMPTY, NOTHING_ASKED, Asked, Stage, Use, stages
from gates.scans.dockerfiles.words import Expansion
from gates.scans.outcome import ReportError
from gates.scans.secret_names import looks_secret

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
_NUMBER = re.compile(r"[+-]?[0-9]+")
_ADDRESS = re.compile(r"(https?|git|ssh)://|git@", re.IGNORECASE)
_COMMIT = re.compile(r"#[0-9a-f]{40}(:|\Z)")
_FRONTEND = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")
ROOTS = frozenset({"root", ""})
# A larger uid overflows to root in engines without the mending of CVE-2024-40635.
LARGEST_UID = 2**31 - 1


@dataclass(frozen=True)
class ImageRules:
    """What a base image must be: a tag matching `exact` is pinned, an image matching one of `minimal` (globs) small."""

    exact: str = r"^v?\d+\.\d+\.\d+"
    minimal: Sequence[str] = field(default=("*slim*", "*alpine*", "*distroless*", "*wolfi*", "cgr.dev/*", "scratch"))


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its variables replaced by their values or own defaults; those without stay, and so does a
    text that cannot be read.
    """
    given = {name: value for name, value in values.items() if value}
    try:
        return Expansion(text, given, quotes=False, stays=True).result()
    except ReportError:
        return text


def user_of(last: Stage) -> str:
    """Return who the image of a stage runs as, "" when no USER says so; stages built on count."""
    if last.user is not None:
        return last.user
    tag = last.origin.image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return "nonroot" if "nonroot" in tag.split("-") else ""


def is_root(user: str) -> bool:
    """Return whether a USER (name or uid, group after a colon) is root or nobody said who."""
    name = user.partition(":")[0].strip()
    if not _NUMBER.fullmatch(name):
        return name in ROOTS
    digits = name.lstrip("+-0")  # an engine reads a sign, too
    return name.startswith("-") or not digits or len(digits) > 10 or int(digits) > LARGEST_UID


def judge_dockerfile(
    file: str, text: str, rules: ImageRules, builds: Sequence[Asked] = (NOTHING_ASKED,)
) -> list[Finding]:
    """Hold a Dockerfile against the policy: base images, user, health check, secrets. `builds`: what each build of it
    asks; every stage is looked at, and the one that is built as what runs.

    Raises ReportError, with the line, for a file that Docker would not build, or that cannot be read to its end.
    """
    written = instructions(text)
    rows = list(_syntax(text))
    for asked in builds:
        all_stages = stages(written, asked)
        rows += [*_bases(all_stages, rules), *_taken(all_stages, rules, asked)]
        rows += _final(all_stages, asked.stage(all_stages), rules)
        rows += [row for stage in all_stages for row in (*_baked(stage), *_downloads(stage))]
    return [
        make_finding("policy", rule, severity, message, file, line=line, key=(rule, file, subject))
        for rule, severity, message, line, subject in dict.fromkeys(rows)
    ]


_Row = tuple[str, Severity, str, int, str]


def _syntax(text: str) -> Iterator[_Row]:
    frontend = directives(text).get("syntax", "").partition(" ")[0]
    if frontend and not _FRONTEND.fullmatch(frontend):
        message = f"the build is read by {frontend[:120]}, another program than Docker's own"
        yield "unknown-frontend", Severity.HIGH, message, 1, frontend


def _bases(all_stages: Sequence[Stage], rules: ImageRules) -> Iterator[_Row]:
    for stage in all_stages:
        if stage.base is None and stage.image != EMPTY:
            yield from _unpinned(f"base image {stage.image[:120]}", Use(stage.image, stage.line), rules)


def _taken(all_stages: Sequence[Stage], rules: ImageRules, asked: Asked) -> Iterator[_Row]:
    names = {stage.name for stage in all_stages if stage.name} | {EMPTY}
    for stage in all_stages:
        for use in stage.images:
            if "$" in use.subject:
                message = f"files are taken of {use.subject[:120]}, where Docker fills in no variable: name a stage"
                yield "base-image-unpinned", Severity.HIGH, message, use.line, use.subject
            elif use.subject.lower() not in names and not asked.is_context(use.subject):
                yield from _unpinned(f"image {use.subject[:120]}, of which files are taken,", use, rules)


def _unpinned(what: str, use: Use, rules: ImageRules) -> Iterator[_Row]:
    pinned, why = is_pinned(use.subject, rules)
    if not pinned:
        severity = Severity.MEDIUM if why == "moves" else Severity.HIGH
        yield "base-image-unpinned", severity, f"{what} {_PINNING[why]}", use.line, use.subject


_PINNING = {
    "latest": "has no tag or `latest`: name an exact version or a digest",
    "moves": "has a tag that moves: name an exact version or a digest",
    "variable": "comes from a variable without a default",
}


def is_pinned(image: str, rules: ImageRules) -> tuple[bool, str]:
    """Return whether an image is named by digest or exact tag, else why not: latest, moves or variable."""
    if "$" in image:
        return False, "variable"
    if _DIGEST.search(image):
        return True, ""
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if tag in ("", "latest"):
        return False, "latest"
    return (True, "") if re.search(rules.exact, tag) else (False, "moves")


def _final(all_stages: Sequence[Stage], last: Stage, rules: ImageRules) -> Iterator[_Row]:
    origin = last.origin
    if origin.image != EMPTY and not any(fnmatch(origin.image.lower(), pattern) for pattern in rules.minimal):
        message = f"{origin.image[:120]} is not a minimal image"
        yield "base-image-large", Severity.MEDIUM, message, origin.line, origin.image
    user = user_of(last)
    if is_root(user):
        message = f"the image {_why_root(last, user)}: name a user that is not root"
        yield "container-root", Severity.HIGH, message, last.line, "user"
    if not last.checked:
        elsewhere = any(stage.checked for stage in all_stages)
        message = f"the image has no HEALTHCHECK{': it stands in a stage of its own' if elsewhere else ''}"
        yield "no-healthcheck", Severity.LOW, message, last.line, "healthcheck"


def _why_root(last: Stage, user: str) -> str:
    if last.user is None:
        return "has no USER and so runs as its base image says, which is root for most"
    name = user.partition(":")[0].strip()
    written = last.written.partition(":")[0].strip()
    if not name:
        return f"runs as root: USER {written[:60]} names nobody"
    more = f" (USER {written[:60]})" if written != name else ""
    return f"runs as {name[:40]}{more}" + (", which no uid can be" if name.strip("+-0") and name != "root" else "")


def _baked(stage: Stage) -> Iterator[_Row]:
    for entry in stage.settings:
        if entry.value and looks_secret(entry.name, entry.value):
            message = f"{entry.keyword} {entry.name[:60]} looks like a secret and stays in the image"
            yield "secret-in-image", Severity.HIGH, message, entry.line, f"{entry.keyword} {entry.name}"


def _downloads(stage: Stage) -> Iterator[_Row]:
    for use in stage.downloads:
        if _ADDRESS.match(use.subject) and not _COMMIT.search(use.subject):
            message = "ADD of a URL without --checksum"
            yield "unchecked-download", Severity.MEDIUM, message, use.line, use.subject
