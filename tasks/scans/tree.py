"""The files of the commit that is scanned. Nothing in it is followed, run or trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pathspec

from gates.scans.suppressions import MARKS, count_suppressions
from tasks.scans.files import regular_files

# Comments are written by hand, and no hand-written file is larger.
LARGEST_COUNTED_BYTES = 10_000_000
# No hand-written source is larger, and the scanners take minutes for one.
LARGEST_SOURCE_BYTES = 1_000_000


@dataclass(frozen=True)
class Sources:
    """The files that a scan is to look at, those too large for it, and how many are left out as tests."""

    files: tuple[str, ...]
    large: tuple[str, ...]
    left_out: int

    @property
    def problems(self) -> tuple[str, ...]:
        """Return why not every file can be looked at."""
        return tuple(f"{file}: larger than {LARGEST_SOURCE_BYTES / 1e6:g} MB" for file in self.large)


@dataclass(frozen=True)
class Tree:
    """A commit laid out at `root`; `files` are its regular files, relative and sorted. Links are left out: what they
    lead to inside the tree is there under its own name.
    """

    root: Path
    files: tuple[str, ...]

    @classmethod
    def at(cls, root: Path) -> "Tree":
        """Walk the directory."""
        return cls(root, tuple(regular_files(root)))

    def ending(self, *endings: str) -> list[str]:
        """Return the files whose names end so, in any case."""
        return [file for file in self.files if file.lower().endswith(endings)]

    def size(self, file: str) -> int:
        """Return a file's size in bytes."""
        return (self.root / file).stat().st_size

    def sources(self, endings: tuple[str, ...], excluded: Sequence[str]) -> "Sources":
        """Return the source files of these endings, without what the globs (gitignore's syntax) leave out."""
        candidates = self.ending(*endings)
        out = left_out(candidates, excluded)
        kept = [file for file in candidates if file not in out]
        large = tuple(file for file in kept if self.size(file) > LARGEST_SOURCE_BYTES)
        return Sources(tuple(file for file in kept if file not in large), large, len(out))

    def line(self, file: str, number: int) -> str:
        """Return one line's text, 1-based; "" when there is none, or the file is none of the tree's."""
        if file not in self.files:
            return ""
        with open(self.root / file, "rb") as lines:
            for at, line in enumerate(lines, 1):
                if at == number:
                    return line[:10_000].decode(errors="replace").strip()
        return ""

    def suppressions(self) -> tuple[dict[str, int], list[str]]:
        """Return how many comments silence each tool, and the files that are too large to be looked through."""
        total, skipped = dict.fromkeys(MARKS, 0), []
        for file in self.files:
            if self.size(file) > LARGEST_COUNTED_BYTES:
                skipped.append(file)
                continue
            with open(self.root / file, encoding="utf-8", errors="replace") as lines:
                for kind, count in count_suppressions(lines).items():
                    total[kind] += count
        return total, skipped


def left_out(files: Sequence[str], globs: Sequence[str]) -> set[str]:
    """Return those of the files that the globs (gitignore's syntax) name."""
    chosen = pathspec.GitIgnoreSpec.from_lines(globs)
    return {file for file in files if chosen.match_file(file)}
