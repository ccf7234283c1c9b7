"""What a commit tracks, read from its archive, which no tool has had in its hands."""

import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pathspec

from gates.checks.reports import Found, one_line
from gates.findings import Finding, fingerprint
from host.errors import SourceError

LARGEST_FILE_BYTES = 10_000_000
LONGEST_SUBJECT = 1_000


def tracked_lines(archive: Path, inputs: Sequence[str], directory: str = ".") -> dict[str, int]:
    """Return the number of lines of each regular file below `directory` that the globs (gitignore's syntax) match.

    A file above 10 MB counts as one without lines. Raises SourceError if the archive cannot be read.
    """
    chosen = pathspec.GitIgnoreSpec.from_lines(inputs)
    below = "" if directory in (".", "") else directory.strip("/") + "/"
    found: dict[str, int] = {}
    for archived, member in _files(archive):
        if member.name.startswith(below) and chosen.match_file(member.name):
            content = _content(archived, member)
            found[member.name] = content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    return found


def names(archive: Path) -> list[str]:
    """Return the names of the regular files. Raises SourceError if the archive cannot be read."""
    return [member.name for _, member in _files(archive)]


def contents(archive: Path, wanted: Callable[[str], bool], largest_bytes: int) -> Iterator[bytes]:
    """Yield the content of each regular file with a wanted name and at most so many bytes.

    Raises SourceError if the archive cannot be read.
    """
    for archived, member in _files(archive):
        if member.size <= largest_bytes and wanted(member.name):
            yield _content(archived, member)


def to_findings(archive: Path, tool: str, found: Sequence[Found]) -> tuple[Finding, ...]:
    """Return findings with fingerprints that hold the offending line's text and not its number, so that edits
    elsewhere in the file do not make them new ones. Of equal ones in a file each has its own.
    """
    wanted = {one.file for one in found if one.line}
    texts = {
        member.name: _content(archived, member).decode(errors="replace").split("\n")
        for archived, member in _files(archive)
        if member.name in wanted
    }
    seen: dict[tuple[str, ...], int] = {}
    findings = []
    for one in found:
        lines = texts.get(one.file, [])
        subject = lines[one.line - 1][:LONGEST_SUBJECT] if 0 < one.line <= len(lines) else one.message
        parts = (tool, one.rule, one.file, subject)
        seen[parts] = seen.get(parts, 0) + 1
        mark = fingerprint(*parts, *([str(seen[parts])] if seen[parts] > 1 else []))
        findings.append(
            Finding(
                tool=tool,
                rule=one.rule,
                severity=one.severity,
                message=one.message,
                file=one_line(one.file, 500),
                line=one.line,
                fingerprint=mark,
            )
        )
    return tuple(findings)


def _files(archive: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    try:
        with tarfile.open(archive) as archived:
            for member in archived:
                if member.isreg():
                    yield archived, member
    except (OSError, tarfile.TarError) as error:
        raise SourceError(f"the commit's archive cannot be read: {error}") from error


def _content(archived: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archived.extractfile(member) if member.size <= LARGEST_FILE_BYTES else None
    return content.read() if content else b""
