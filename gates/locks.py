"""The one reader of requirements locks, and their only writer.

A requirements file is a language of options: pip and uv take an index, a folder, another file, a variable of the
environment and an order to build from source out of it. A lock is the app's text. So a lock is what is accepted here,

    name[extras]==version [; marker] --hash=sha256:...

with comments and continued lines; every other line is a problem, named with its number and the way out. Tools get
`Lock.text`, which is written anew from what was understood.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gates.addresses import without_passwords

COMMENT = re.compile(r"(^|\s)#.*$")
HASH = re.compile("(?:--hash=)?sha256:([0-9a-f]{64})")
NAME = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PINNED = re.compile(
    rf"(?P<name>{NAME})\s*(?:\[\s*(?P<extras>{NAME}(?:\s*,\s*{NAME})*)\s*\]\s*)?"
    r"==(?!=)\s*(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)\s*(?:;(?P<marker>.*))?"
)
# One value, or several of an `in`. No word can begin with "-": pip would read an option there, inside of a string too.
LITERAL = re.compile(r"(?:[A-Za-z0-9_.][A-Za-z0-9_.+*-]*(?:[ ,|]+[A-Za-z0-9_.][A-Za-z0-9_.+*-]*)*)?")
QUOTED = re.compile(r"'([^'\"]*)'|\"([^'\"]*)\"")
MARKER_WORDS = re.compile(r"[a-z_().<>=!~ \t]*")
PLATFORM = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
OLDEST_PATCH, NEWEST_PATCH = "0", "99"
SHOWN_CHARACTERS = 80
LONGEST_LINE = 100_000
# Nobody needs more, and what reads them has limits of its own: digits of a number, nested parentheses.
LONGEST_VERSION, LONGEST_MARKER, MOST_PARENTHESES = 200, 4000, 50
LARGEST_LOCK_BYTES = 20_000_000
MOST_PROBLEMS = 1000
OPTION, URL, PATH = "an option, not a package", "a URL has no version to look up", "a URL or path, not a package"
UNPINNED, UNHASHED = "not pinned to one version", "no --hash=sha256:"
WRONG_HASH, MARKER = "a hash that is not sha256:<64 digits>", "a marker that is not accepted"
INDEX = (
    "take it out (uv pip compile --no-emit-index-url leaves it out): this host's PIP_INDEX_URL and UV_DEFAULT_INDEX"
    " choose the index"
)
FOLDER = "take it out: wheels come from the index that this host's PIP_INDEX_URL and UV_DEFAULT_INDEX name"
INCLUDED = "a lock stands alone: compile the other file into this one"
EDITABLE = "take it out: the app's own source is there anyway (uv export --no-emit-project leaves it out)"
BINARY = "take it out: only wheels are installed; what has none is built by name ([locks] build_from_source)"
TAKE_OUT = "take it out: no text of the app configures an installer"
OPTION_CURES = {
    **dict.fromkeys(("-i", "--index-url", "--extra-index-url", "--pypi-url", "--no-index", "--trusted-host"), INDEX),
    **dict.fromkeys(("-f", "--find-links"), FOLDER),
    **dict.fromkeys(("-r", "-c", "--requirement", "--constraint"), INCLUDED),
    **dict.fromkeys(("-e", "--editable"), EDITABLE),
    **dict.fromkeys(
        ("--no-binary", "--only-binary", "--prefer-binary", "--use-pep517", "--no-build-isolation"), BINARY
    ),
    **dict.fromkeys(("--config-settings", "--config-setting", "--global-option", "--build-option"), BINARY),
}
CURES = {
    URL: "put its wheel on an index and pin it there: name==version",
    PATH: "put its wheel on an index and pin it there: name==version",
    UNPINNED: "make a lock of it: slipway lock",
    UNHASHED: "make a lock of it: slipway lock",
    WRONG_HASH: "make it anew: slipway lock",
    MARKER: "make it for the app's Python alone: slipway lock --python",
}


@dataclass(frozen=True)
class Locked:
    """One package of a lock at one version. The name is canonical, `hashes` are hex SHA-256 digests, sorted."""

    line: int
    name: str
    version: str
    extras: tuple[str, ...] = ()
    marker: Marker | None = None
    hashes: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the package as a lock has it, in our own spelling."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}{extras}=={self.version}{marker}" + "".join(f" --hash=sha256:{one}" for one in self.hashes)

    def applies(self, python: str) -> bool:
        """Return whether any patch release of Python `python` ("3.11") on Linux installs it."""
        return any(_matches(self.marker, python, patch) for patch in (OLDEST_PATCH, NEWEST_PATCH))


@dataclass(frozen=True)
class Lock:
    """What a lock says. `problems` are the lines that are not accepted; with any, nothing may be installed from it."""

    packages: tuple[Locked, ...] = ()
    problems: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the lock for a tool: written anew, one package a line, nothing of the original's text."""
        return "".join(f"{package.text()}\n" for package in self.packages)

    def conflicts(self, python: str) -> tuple[str, ...]:
        """Return the packages that are pinned once more with another version or other hashes, where both would apply
        to Python `python` ("3.11").
        """
        problems = []
        for patch in (OLDEST_PATCH, NEWEST_PATCH):
            chosen: dict[str, Locked] = {}
            for package in self.packages:
                if _matches(package.marker, python, patch):
                    problems += _conflict(chosen.setdefault(package.name, package), package)
        return tuple(dict.fromkeys(problems))


def read_lock(text: str, hashed: bool = True) -> Lock:
    """Read a lock. Without `hashed`, packages may lack a hash: a list of pins, from which nothing is installed."""
    packages: list[Locked] = []
    problems: list[str] = []
    for number, line in _logical_lines(text):
        package = _read_line(number, line, hashed)
        if isinstance(package, str):
            problems.append(f"line {number}: {package}: {_shown(line)}{_cure(package, line)}")
            if len(problems) == MOST_PROBLEMS:
                problems.append(f"line {number}: {MOST_PROBLEMS} lines are refused; the rest was not looked at")
                break
        else:
            packages.append(package)
    return Lock(tuple(packages), tuple(problems))


def option_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line of a list of requirements that is an option, and no package."""
    yield from ((number, line) for number, line in _logical_lines(text) if line.startswith("-"))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each requirement, with continued lines joined and without comments."""
    pending, start = "", 0
    for number, line in enumerate([*text.split("\n"), ""], 1):
        line = line.removesuffix("\r")
        if _odd_character(line):
            yield number, line  # whole, so that it is refused for it, whatever else stands there
            continue
        line = COMMENT.sub("", line)
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole = " ".join((pending + line).split())
        pending = ""
        if whole:
            yield start, whole


def _odd_character(line: str) -> str:
    """Return the first character that nobody sees or that some program takes for the end of a line; "" without one."""
    return next((character for character in line if not character.isprintable() and character != "\t"), "")


def _read_line(number: int, line: str, hashed: bool) -> Locked | str:
    """Return what a line pins, or why it is not accepted."""
    if problem := _foreign(line):
        return problem
    requirement, hashes = _split_hashes(line)
    if options := [word for word in requirement.split() if word.startswith("-")]:
        wrong_hash = all(word.startswith("--hash") for word in options)
        return WRONG_HASH if wrong_hash else OPTION
    pinned = PINNED.fullmatch(requirement)
    if not pinned:
        return _not_pinned(requirement)
    try:
        version, marker = normal_version(pinned["version"]), _marker(pinned["marker"])
    except InvalidVersion:
        return "not a version"
    except InvalidMarker:
        return MARKER
    if hashed and not hashes:
        return UNHASHED
    extras = sorted({canonicalize_name(extra) for extra in re.split(r"\s*,\s*", pinned["extras"] or "") if extra})
    return Locked(number, canonicalize_name(pinned["name"]), version, tuple(extras), marker, hashes)


def _split_hashes(line: str) -> tuple[str, tuple[str, ...]]:
    """Return a line without the hashes at its end, and these: `--hash=sha256:<64 digits>`, or in two words."""
    words, hashes = line.split(), set()
    while words and (found := HASH.fullmatch(words[-1])):
        if not words[-1].startswith("--hash="):
            if words[-2:-1] != ["--hash"]:
                break
            words.pop()
        words.pop()
        hashes.add(found[1])
    return " ".join(words), tuple(sorted(hashes))


def normal_version(text: str) -> str:
    """Return a version in its normal form. Raises InvalidVersion."""
    if len(text) > LONGEST_VERSION:
        raise InvalidVersion(f"more than {LONGEST_VERSION} characters")
    return str(Version(text))


def _foreign(line: str) -> str:
    """Return what a line is that is no requirement at all; "" when it may be one."""
    if odd := _odd_character(line):
        return f"the character U+{ord(odd):04X}"
    if len(line) > LONGEST_LINE:
        return f"more than {LONGEST_LINE} characters"
    if line.startswith("-"):
        return OPTION
    if "$" in line or "%" in line:
        return "a variable, not a package"
    if re.match(rf"{NAME}\s*(?:\[[^\]]*\])?\s*@", line):
        return URL
    if "/" in line or "\\" in line or line.startswith((".", "~")):
        return PATH
    return ""


def _not_pinned(requirement: str) -> str:
    named = re.match(rf"{NAME}\s*(?:\[[^\]]*\])?\s*(?:$|[=<>!~;,(])", requirement)
    return UNPINNED if named else "not a requirement"


def _marker(text: str | None) -> Marker | None:
    """Return a marker whose words are all known to be harmless to whoever reads the line. Raises InvalidMarker."""
    if text is None:
        return None
    if not all(LITERAL.fullmatch(quoted[1] or quoted[2] or "") for quoted in QUOTED.finditer(text)):
        raise InvalidMarker("a string")
    if not MARKER_WORDS.fullmatch(QUOTED.sub("", text)):
        raise InvalidMarker("a word")
    if len(text) > LONGEST_MARKER or text.count("(") > MOST_PARENTHESES:
        raise InvalidMarker("longer than any")
    marker = Marker(text.strip())
    try:
        marker.evaluate({**PLATFORM, "extra": ""})
    except UndefinedComparison as error:
        raise InvalidMarker("a comparison without a meaning") from error
    except UndefinedEnvironmentName:
        pass
    return marker


def _matches(marker: Marker | None, python: str, patch: str) -> bool:
    if marker is None:
        return True
    where = {**PLATFORM, "python_version": python, "python_full_version": f"{python}.{patch}"}
    try:
        return marker.evaluate({**where, "implementation_version": where["python_full_version"], "extra": ""})
    except (UndefinedEnvironmentName, UndefinedComparison):
        return True


def _conflict(first: Locked, package: Locked) -> list[str]:
    if first.version != package.version:
        return [f"line {package.line}: {package.name} is pinned twice: {first.version}, {package.version}"]
    if first.hashes != package.hashes:
        return [f"line {package.line}: {package.name} is pinned twice, with other hashes than in line {first.line}"]
    return []


def _cure(problem: str, line: str) -> str:
    """Return the way out of a problem, with a semicolon before it; "" for what only its author can know."""
    if problem != OPTION:
        return f"; {CURES[problem]}" if problem in CURES else ""
    words = [word for word in _split_hashes(line)[0].split() if word.startswith("-")]
    cures = (OPTION_CURES.get(word.partition("=")[0].lower(), OPTION_CURES.get(word[:2])) for word in words)
    return f"; {next(filter(None, cures), TAKE_OUT)}"


def _shown(line: str) -> str:
    """Return the beginning of a line for a message, without hashes and passwords; what nobody sees is made visible."""
    text = without_passwords(_split_hashes(line)[0])
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:SHOWN_CHARACTERS])
