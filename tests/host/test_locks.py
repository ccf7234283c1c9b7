"""A lock file is read, refused with its line, and what was fetched for it is compared."""

import hashlib
from pathlib import Path

import pytest

from gates.locks import Lock, Locked
from host.errors import SourceError, ToolError
from host.locks import check_wheels, read_lock_file, refuse_conflicts, refuse_empty, wheel_cure, write_lock_file

HASH = f"--hash=sha256:{'a' * 64}"
WHEEL = "a_b-1.0-py3-none-any.whl"


@pytest.fixture
def lock() -> Lock:
    digest = hashlib.sha256(b"content").hexdigest()
    return Lock((Locked(1, "a-b", "1.0", hashes=(digest,)),))


def folder_of(tmp_path: Path, *names: str, content: bytes = b"content") -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(content)
    return folder


def test_a_lock_is_read_and_written_for_another_user(tmp_path: Path) -> None:
    (tmp_path / "app.lock").write_text(f"X == 1 \\\n {HASH} # note\n")
    file = write_lock_file(read_lock_file(tmp_path / "app.lock"), tmp_path / "ours.lock")
    assert file.read_text() == f"x==1 {HASH}\n"
    assert file.stat().st_mode & 0o777 == 0o444


def test_each_refused_line_is_named_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "app.lock").write_text("-r other\nx\n-e .\n-c y\n-i z\n")
    with pytest.raises(SourceError) as refused:
        read_lock_file(tmp_path / "app.lock")
    said = str(refused.value)
    assert said.startswith("app.lock: it is no lock, none of its 5 lines pins a package by hash: line 1: an option")
    for words in ("a package: -r other; ", "; line 2: not pinned to one version: x; ", "; line 3: an option, not a"):
        assert words in said
    assert said.endswith(
        "; and 2 more; a lock names packages as name==version --hash=sha256:... and nothing else; make one: "
        "slipway lock app.in"
    )


def test_one_bad_line_among_packages_does_not_make_it_no_lock(tmp_path: Path) -> None:
    (tmp_path / "app.lock").write_text(f"x==1 {HASH}\n--pre\n")
    with pytest.raises(SourceError, match="^app.lock: line 2: an option, not a package: --pre; "):
        read_lock_file(tmp_path / "app.lock")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("requirements.txt", "slipway lock backend/requirements.txt"),
        ("pixi.lock", "slipway lock backend"),
        ("pyproject.toml", "slipway lock backend"),
    ],
)
def test_what_is_no_lock_of_ours_is_named_with_the_command_that_makes_one(
    tmp_path: Path, name: str, command: str
) -> None:
    (tmp_path / name).write_text("flask>=2\nsqlalchemy\n")
    with pytest.raises(SourceError) as refused:
        read_lock_file(tmp_path / name, f"backend/{name}")
    assert str(refused.value).startswith(f"backend/{name}: ") and command in str(refused.value)


@pytest.mark.parametrize("text", ["", "\n\n", "# flask>=2\n"])
def test_a_lock_that_names_nothing_is_refused_where_something_is_made_of_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "app.lock").write_text(text)
    lock = read_lock_file(tmp_path / "app.lock")
    with pytest.raises(SourceError, match="^app.lock: it names no package, .*: slipway lock app.in$"):
        refuse_empty(lock, "app.lock")
    refuse_empty(Lock((Locked(1, "x", "1"),)), "app.lock")


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("ERROR: No matching distribution found for langdetect==1.0.9", "langdetect==1.0.9"),
        ("Because flask-mail==0.9.1 has no usable wheels and building from source is disabled", "flask-mail==0.9.1"),
        ("Because a.b-c==1!2.0+x.1 has no wheels with a matching Python ABI tag", "a.b-c==1!2.0+x.1"),
        ("No matching distribution found for b==2\nNo matching distribution found for a==1", "a==1, b==2"),
        ("error: hash mismatch for langdetect==1.0.9", ""),
        ("", ""),
    ],
)
def test_a_package_without_a_wheel_is_named_with_the_way_out(said: str, names: str) -> None:
    cure = wheel_cure(said)
    key = f'build_from_source = ["{names.partition("==")[0]}"'
    assert (f"none of {names} for this Python" in cure and key in cure) if names else cure == ""


@pytest.mark.parametrize("content", [b"x==1 \xff", None])
def test_what_is_no_text_or_no_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "app.lock"
    file.write_bytes(content) if content else file.mkdir()
    with pytest.raises(SourceError, match="app.lock: "):
        read_lock_file(file)


def test_two_versions_of_one_package_are_refused(tmp_path: Path) -> None:
    lock = Lock((Locked(1, "x", "1"), Locked(2, "x", "2")))
    with pytest.raises(SourceError, match="app.lock: line 2: x is pinned twice: 1, 2; pin it once"):
        refuse_conflicts(lock, "3.11", "app.lock")


def test_the_wheels_of_a_lock_are_those_that_it_names(tmp_path: Path, lock: Lock) -> None:
    check_wheels(folder_of(tmp_path, WHEEL), lock)


@pytest.mark.parametrize(
    "name", ["a_b-1.0.tar.gz", "a_b.whl", "a_b-2.0-py3-none-any.whl", "other-1.0-py3-none-any.whl"]
)
def test_what_else_came_is_refused(tmp_path: Path, lock: Lock, name: str) -> None:
    with pytest.raises(ToolError, match=name):
        check_wheels(folder_of(tmp_path, WHEEL, name), lock)


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path, lock: Lock) -> None:
    with pytest.raises(ToolError, match="not the one that the lock names"):
        check_wheels(folder_of(tmp_path, WHEEL, content=b"other"), lock)


def test_the_same_package_twice_is_refused(tmp_path: Path, lock: Lock) -> None:
    with pytest.raises(ToolError, match="not the one that the lock names"):
        check_wheels(folder_of(tmp_path, WHEEL, "a_b-1.0-py2-none-any.whl"), lock)


def test_a_wheel_that_did_not_come_is_named(tmp_path: Path, lock: Lock) -> None:
    with pytest.raises(ToolError, match="1 wheels did not come: a-b"):
        check_wheels(folder_of(tmp_path), lock)


def test_links_are_no_wheels(tmp_path: Path, lock: Lock) -> None:
    folder = folder_of(tmp_path)
    (tmp_path / "secret").write_bytes(b"content")
    (folder / WHEEL).symlink_to(tmp_path / "secret")
    with pytest.raises(ToolError, match="is none"):
        check_wheels(folder, lock)
    (folder / WHEEL).unlink()
    (folder / WHEEL).hardlink_to(tmp_path / "secret")
    with pytest.raises(ToolError, match="is none"):
        check_wheels(folder, lock)
