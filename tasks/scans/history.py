"""A commit's whole history, as a scan must have seen it: how many commits and contents, and every message."""

import shutil
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from host.errors import SourceError
from host.git import git, git_bytes


@dataclass(frozen=True)
class Lines:
    """Which commit's message stands at which line of the file of messages."""

    starts: tuple[int, ...]
    commits: tuple[str, ...]

    def commit_at(self, line: int) -> str:
        """Return the commit whose message has this line (1-based)."""
        return self.commits[max(0, bisect_right(self.starts, line) - 1)]


@dataclass(frozen=True)
class History:
    """`commits` are oldest first, `sizes` the bytes of each distinct content that they hold."""

    repository: Path
    tip: str
    commits: tuple[str, ...]
    sizes: tuple[int, ...]

    @property
    def blobs(self) -> int:
        return len(self.sizes)

    def sizes_above(self, megabytes: int) -> list[int]:
        """Return the sizes in bytes of contents that are larger than so many MiB."""
        return [size for size in self.sizes if size > megabytes * 1_048_576]

    def write_messages(self, file: Path) -> Lines:
        """Write all messages to one file: of the raw commits, for `git log` ends a message at its first NUL."""
        raw = git_bytes("cat-file", "--batch", at=self.repository, stdin="\n".join(self.commits).encode() + b"\n")
        starts, line, at = [], 1, 0
        with open(file, "wb") as out:
            for commit in self.commits:
                end = raw.index(b"\n", at)
                size = int(raw[at:end].rsplit(b" ", 1)[1])
                body = raw[end + 1 : end + 1 + size]
                at = end + 1 + size + 1
                message = body.partition(b"\n\n")[2].replace(b"\0", b"\n").replace(b"\r", b"\n").rstrip(b"\n") + b"\n\n"
                starts.append(line)
                line += message.count(b"\n")
                out.write(message)
        return Lines(tuple(starts), self.commits)

    def copy_to(self, folder: Path) -> Path:
        """Make a bare repository that holds these commits and nothing else of ours, and return it."""
        shutil.rmtree(folder, ignore_errors=True)
        git("init", "-q", "--bare", "--template=", str(folder))
        packs = folder / "objects" / "pack" / "pack"
        tip = f"{self.tip}\n".encode()
        git_bytes(
            "pack-objects",
            "-q",
            "--revs",
            "--delta-base-offset",
            "--window=0",
            str(packs),
            at=self.repository,
            stdin=tip,
        )
        git("update-ref", "refs/heads/scanned", self.tip, at=folder)
        git("symbolic-ref", "HEAD", "refs/heads/scanned", at=folder)
        return folder


def read_history(repository: Path, commit: str) -> History:
    """Read what a commit has behind it. Raises SourceError if the history is cut off, or objects are missing."""
    if git("rev-parse", "--is-shallow-repository", at=repository) != "false":
        raise SourceError("the repository is a shallow clone: most of its history is not here; fetch all of it")
    commits = tuple(git("rev-list", "--topo-order", "--reverse", commit, at=repository).split())
    objects = git_bytes("rev-list", "--objects", "--no-object-names", commit, at=repository)
    rows = git_bytes(
        "cat-file", "--batch-check=%(objecttype) %(objectsize)", "--buffer", at=repository, stdin=objects
    ).split(b"\n")
    if any(row.endswith(b" missing") for row in rows):
        raise SourceError("objects of the history are missing; fetch it again")
    return History(repository, commit, commits, tuple(int(row[5:]) for row in rows if row.startswith(b"blob ")))
