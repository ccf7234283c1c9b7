"""What a stranger's archive may hold: one folder of files, no way out of it, and no more than fits."""

import gzip
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from host.sdists import unpacked
from host.sdists.unpacked import unpack_sdist
from host.trees import UnsafeTree
from tests.host.sdists.archives import make_archive, make_sdist, with_setup


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def test_the_one_folder_of_an_archive_is_returned(tmp_path: Path) -> None:
    make_sdist(tmp_path, with_setup())
    folder = unpack_sdist(tmp_path / "said-1.0.tar.gz", tmp_path / "out")
    assert folder == tmp_path / "out" / "said-1.0"
    assert (folder / "said.py").read_text() == "WORD = 'built'\n"


def test_what_was_made_of_a_checkout_with_submodules_loses_their_git_files(tmp_path: Path) -> None:
    made = [entry("said-1.0/themes/.git"), entry("said-1.0/.git/config"), entry("said-1.0/setup.py")]
    make_archive(tmp_path / "said-1.0.tar.gz", made, [b""] * 3)
    with zipfile.ZipFile(tmp_path / "said-1.0.zip", "w") as packed:
        for one in made:
            packed.writestr(one.name, b"")
    for name in ("said-1.0.tar.gz", "said-1.0.zip"):
        folder = unpack_sdist(tmp_path / name, tmp_path / f"of-{name}")
        assert [one.name for one in folder.rglob("*") if one.is_file()] == ["setup.py"]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([entry("said-1.0/../../x")], "no path inside of the tree"),
        ([entry("/x")], "no path inside of the tree"),
        ([entry("said-1.0/l", tarfile.SYMTYPE, "/etc/passwd")], "absolute"),
        ([entry("said-1.0/l", tarfile.SYMTYPE, "../../etc")], "leads out of the tree"),
        ([entry("said-1.0/h", tarfile.LNKTYPE, "said-1.0/x")], "neither file, folder nor link"),
        ([entry("said-1.0/f", tarfile.FIFOTYPE)], "neither file, folder nor link"),
        ([entry("said-1.0/x"), entry("said-1.0/x")], "twice"),
        ([entry("said-1.0/l", tarfile.SYMTYPE, "."), entry("said-1.0/l/x")], "below something that is no folder"),
        ([entry("a/x"), entry("b/x")], "one folder and nothing else"),
        ([entry("x")], "one folder and nothing else"),
        ([], "one folder and nothing else"),
    ],
    ids=[
        *("traversal", "absolute", "absolute link", "link out", "hard link", "fifo", "twice", "through a link"),
        *("two folders", "no folder", "nothing"),
    ],
)
def test_an_archive_that_is_not_laid_out(tmp_path: Path, entries: list[tarfile.TarInfo], words: str) -> None:
    file = tmp_path / "in" / "said-1.0.tar.gz"
    make_archive(file, entries, [b""] * len(entries))
    with pytest.raises(UnsafeTree, match=words):
        unpack_sdist(file, tmp_path / "in" / "out")
    assert {one.name for one in tmp_path.iterdir()} == {"in"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("said-1.0.tar.gz", b"no archive", "cannot be unpacked"),
        ("said-1.0.tar.gz", gzip.compress(b"no tar at all" * 100), "cannot be unpacked"),
        ("said-1.0.tar.gz", gzip.compress(b"x" * 5000)[:-20], "cannot be unpacked"),
        ("said-1.0.tar.bz2", b"no archive", "cannot be unpacked"),
        ("said-1.0.tar.xz", b"no archive", "neither .tar.gz"),
        ("said-1.0.zip", b"no archive", "cannot be unpacked"),
        ("said-1.0.rar", b"no archive", "neither .tar.gz"),
    ],
    ids=["gzip", "tar", "cut off", "bzip2", "xz", "zip", "ending"],
)
def test_what_is_no_archive(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnsafeTree, match=words):
        unpack_sdist(tmp_path / name, tmp_path / "out")


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    ("limit", "value", "words"), [("LARGEST_BYTES", 9999, "larger than"), ("MOST_ENTRIES", 1, "more than 1 files")]
)
def test_an_archive_that_holds_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, limit: str, value: int, words: str
) -> None:
    files = {"a": "0" * 6000, "b": "0" * 6000}
    if kind == "tar":
        make_sdist(tmp_path, files)
    else:
        with zipfile.ZipFile(tmp_path / "said-1.0.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(f"said-1.0/{name}", text)
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr(unpacked, limit, value)
    with pytest.raises(UnsafeTree, match=words):
        unpack_sdist(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sparse_file_counts_as_large_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "LARGEST_BYTES", 100_000)
    huge = tarfile.TarInfo("said-1.0/huge")
    huge.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "10000000000"}
    huge.pax_headers |= {"GNU.sparse.name": "said-1.0/huge", "GNU.sparse.map": "0,1"}
    with tarfile.open(tmp_path / "plain.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(huge)
    packed = tmp_path / "said-1.0.tar.gz"
    packed.write_bytes(gzip.compress((tmp_path / "plain.tar").read_bytes()))
    with pytest.raises(UnsafeTree, match="larger than"):
        unpack_sdist(packed, tmp_path / "out")


def test_a_zip_is_laid_out_as_plain_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "said-1.0.zip", "w") as archive:
        archive.writestr("said-1.0/", "")
        archive.writestr("said-1.0/deep/x.py", "1")
    folder = unpack_sdist(tmp_path / "said-1.0.zip", tmp_path / "out")
    assert (folder / "deep" / "x.py").read_text() == "1"


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2], ids=["lzma", "bzip2"])
def test_a_zip_that_is_packed_in_an_unusual_way_is_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "said-1.0.zip", "w", method) as archive:
        archive.writestr("said-1.0/x.py", "1")
    with pytest.raises(UnsafeTree, match="packed in a way that is not taken"):
        unpack_sdist(tmp_path / "said-1.0.zip", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("said-1.0/l", stat.S_IFLNK | 0o777, "neither file"),
        ("said-1.0/../../x", 0o644, "no path inside"),
        ("/x", 0o644, "no path inside"),
    ],
    ids=["link", "traversal", "absolute"],
)
def test_a_zip_with_a_link_or_a_way_out(tmp_path: Path, name: str, mode: int, words: str) -> None:
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    with zipfile.ZipFile(tmp_path / "said-1.0.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(UnsafeTree, match=words):
        unpack_sdist(tmp_path / "said-1.0.zip", tmp_path / "out")
