import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from gates.checks.reports import Found
from host.errors import SourceError
from tasks.source import tracked
from tasks.source.tracked import to_findings, tracked_lines

FILES = {
    "a.py": "one\ntwo\n",
    "b c/größe.py": "one\ntwo",
    "b c/empty.py": "",
    "page/x.ts": "\n\n\n",
    "page/y.js": "y\n",
}


def archive(directory: Path, files: Mapping[str, str] = FILES) -> Path:
    with tarfile.open(directory / "source.tar", "w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "a.py"
        tar.addfile(link)
    return directory / "source.tar"


@pytest.mark.parametrize(
    ("globs", "directory", "expected"),
    [
        (("**",), ".", {"a.py": 2, "b c/größe.py": 2, "b c/empty.py": 0, "page/x.ts": 3, "page/y.js": 1}),
        (("*.py",), ".", {"a.py": 2, "b c/größe.py": 2, "b c/empty.py": 0}),
        (("*.py", "!/b c/**"), ".", {"a.py": 2}),
        (("/page",), "page", {"page/x.ts": 3, "page/y.js": 1}),
        (("*.ts",), "page/", {"page/x.ts": 3}),
        (("**",), "pag", {}),
        (("nowhere/**",), ".", {}),
    ],
)
def test_lines_are_counted_in_the_files_that_the_globs_match(
    globs: tuple[str, ...], directory: str, expected: Mapping[str, int], tmp_path: Path
) -> None:
    assert tracked_lines(archive(tmp_path), globs, directory) == expected


def test_a_huge_file_counts_without_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked, "LARGEST_FILE_BYTES", 8)
    assert tracked_lines(archive(tmp_path), ["a.py"]) == {"a.py": 2}
    monkeypatch.setattr(tracked, "LARGEST_FILE_BYTES", 7)
    assert tracked_lines(archive(tmp_path), ["a.py"]) == {"a.py": 0}


def test_an_archive_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "source.tar").write_text("garbage")
    with pytest.raises(SourceError, match="archive cannot be read"):
        tracked_lines(tmp_path / "source.tar", ["**"])


def marks(directory: Path, files: Mapping[str, str], *found: Found) -> list[str]:
    directory.mkdir(exist_ok=True)
    return [one.fingerprint for one in to_findings(archive(directory, files), "lint", found)]


def test_a_fingerprint_holds_the_lines_text_and_not_its_number(tmp_path: Path) -> None:
    before = marks(tmp_path / "a", {"a.py": "x = 1\ny = 2\n"}, Found("a.py", 2, "R1", "m"))
    assert before == marks(tmp_path / "b", {"a.py": "new\n\nx = 1\n  y  =  2\n"}, Found("a.py", 4, "R1", "other words"))
    assert before != marks(tmp_path / "c", {"a.py": "x = 1\ny = 3\n"}, Found("a.py", 2, "R1", "m"))
    assert before != marks(tmp_path / "d", {"a.py": "x = 1\ny = 2\n"}, Found("a.py", 2, "R2", "m"))
    assert before != marks(tmp_path / "e", {"b.py": "x = 1\ny = 2\n"}, Found("b.py", 2, "R1", "m"))


def test_twins_and_findings_without_a_line_are_told_apart(tmp_path: Path) -> None:
    twins = marks(tmp_path / "a", {"a.py": "x\nx\n"}, Found("a.py", 1, "R", "m"), Found("a.py", 2, "R", "m"))
    assert len(set(twins)) == 2
    places = (
        Found("gone.py", 9, "R", "m"),
        Found("a.py", 99, "R", "m"),
        Found("a.py", 0, "R", "n"),
        Found("", 0, "R", "m"),
    )
    assert len(set(marks(tmp_path / "b", {"a.py": "x\n"}, *places))) == 4
