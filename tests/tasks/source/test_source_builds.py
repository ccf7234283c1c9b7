"""What is installed of a lock whose packages are built from source: the wheels that were built, by their hashes."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from evidence.scopes import OURS
from host.errors import ConfigError, SourceError, ToolError
from host.files import sha256_file
from host.virtual_environments import interpreter, make_venv
from settings.locks import Locks
from tasks.source.app_locks import AppLocks
from tasks.source.locked_environments import check_locks, fetch_wheels, locked_environment
from tasks.source.source_builds import build_sources, built_of
from tests.gates.lock_formats.locks import digest
from tests.host.sdists.archives import make_sdist, with_setup

PYTHON = "3.11"
UV = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "shop"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "said" }}]

[package.metadata]
requires-dist = [{{ name = "said" }}]

[[package]]
name = "said"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "https://files.example/said-1.0.tar.gz", hash = "sha256:{digest}", size = 3 }}
"""
PROJECT = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["said"]\n'


@pytest.fixture
def index(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sources that this host's settings name, and no index beside it."""
    folder = tmp_path / "index"
    folder.mkdir()
    folder.chmod(0o755)  # the sandbox's user reads it
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "1" if name == "PIP_NO_INDEX" else str(folder))
    return folder


def locks_of(tmp_path: Path, files: dict[str, str], names: tuple[str, ...] = ("said",), **keys: Any) -> AppLocks:
    tree = tmp_path / "work" / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (tree / name).write_text(text)
    first = next(iter(files))
    return AppLocks(
        tree, Locks.model_validate({"runtime": first, "ci": first, "build_from_source": names, **keys}), PYTHON
    )


def pinned(*hashes: str) -> str:
    return f"said==1.0 {' '.join(f'--hash=sha256:{one}' for one in hashes)}\n"


def test_a_list_is_installed_with_the_wheel_that_was_built(index: Path, tmp_path: Path) -> None:
    source = make_sdist(index, with_setup())
    locks = locks_of(tmp_path, {"a.lock": pinned(source, "0" * 64)})
    check_locks(locks)
    lines = build_sources(locks, OURS)
    assert len(lines) == 1 and lines[0].startswith(
        f"said-1.0-py3-none-any.whl is built of said-1.0.tar.gz (SHA-256 {source})"
    )
    lock = locks.locks.runtime
    built = locks.wheels(lock)
    assert built
    (wheel,) = built.glob("*.whl")
    assert locks.file(lock).read_text().splitlines() == [
        "# made of a.lock; built from source: said 1.0",
        f"said==1.0 --hash=sha256:{sha256_file(wheel)}",
    ]
    assert locks.listed(lock) == locks.tree / "a.lock"
    folder = fetch_wheels(locks.file(lock), PYTHON, OURS, built=built)
    assert [one.name for one in folder.glob("*.whl")] == [wheel.name]
    environment = locked_environment(locks.file(lock), PYTHON, OURS, built=built)
    said = subprocess.run([environment / "bin" / "python", "-c", "import said; print(said.WORD)"], capture_output=True)
    assert said.stdout == b"built\n"
    # As an environment of a release makes it: of the artifact's blobs, without what was built or any index.
    make_venv(tmp_path / "installed", interpreter(PYTHON), locks.file(lock), folder, tmp_path / "uv")
    assert list((tmp_path / "installed").glob("lib/python*/site-packages/said.py"))
    found = built_of(locks, locks.locks.shipped, OURS)
    assert list(found) == [sha256_file(wheel)] and found[sha256_file(wheel)].source_sha256 == source


def test_a_lock_of_uv_is_installed_with_the_wheel_that_was_built(index: Path, tmp_path: Path) -> None:
    source = make_sdist(index, with_setup())
    locks = locks_of(tmp_path, {"uv.lock": UV.format(digest=source), "pyproject.toml": PROJECT})
    check_locks(locks)
    build_sources(locks, OURS)
    made = locks.file(locks.locks.runtime)
    assert source not in made.read_text() and source in locks.listed(locks.locks.runtime).read_text()
    assert [one.name for one in fetch_wheels(made, PYTHON, OURS, built=made.parent).glob("*.whl")]


def test_what_is_not_allowed_is_refused_with_the_key_before_anything_is_made(home: Path, tmp_path: Path) -> None:
    files = {"uv.lock": UV.format(digest=digest("said")), "pyproject.toml": PROJECT}
    with pytest.raises(SourceError) as refused:
        check_locks(locks_of(tmp_path, files, ()))
    assert "uv.lock: it names no wheel of said for CPython 3.11" in str(refused.value)
    assert 'build_from_source = ["said"]' in str(refused.value)
    check_locks(locks_of(tmp_path, files))


def test_a_list_without_a_wheel_names_package_and_key(index: Path, tmp_path: Path) -> None:
    locks = locks_of(tmp_path, {"a.lock": pinned(make_sdist(index, with_setup()))}, ())
    check_locks(locks)
    assert build_sources(locks, OURS) == [] and locks.wheels(locks.locks.runtime) is None
    with pytest.raises(ToolError) as refused:
        fetch_wheels(locks.file(locks.locks.runtime), PYTHON, OURS)
    assert "none of said==1.0 for this Python" in str(refused.value)
    assert 'build_from_source = ["said"]' in str(refused.value)


def test_a_name_that_no_lock_has_is_refused(home: Path, tmp_path: Path) -> None:
    locks = locks_of(tmp_path, {"a.lock": pinned("0" * 64)}, ("said", "nobody"))
    with pytest.raises(ConfigError, match="locks.build_from_source: no lock has nobody: take it out"):
        check_locks(locks)
    check_locks(locks, only=("ci",))  # another lock may have it


def test_a_name_of_another_group_is_known(home: Path, tmp_path: Path) -> None:
    text = UV.format(digest=digest("said")).replace('dependencies = [{ name = "said" }]\n', "")
    project = PROJECT.replace('dependencies = ["said"]\n', "") + '[dependency-groups]\ndocs = ["said"]\n'
    text = text.replace('[package.metadata]\nrequires-dist = [{ name = "said" }]\n', "")
    text = text.replace(
        'source = { virtual = "." }\n',
        'source = { virtual = "." }\n\n[package.dev-dependencies]\ndocs = [{ name = "said" }]\n',
    )
    text += "\n"
    locks = locks_of(tmp_path, {"uv.lock": text, "pyproject.toml": project})
    assert locks.names(locks.locks.runtime) == {"said", "shop"}
    assert locks.from_source(locks.locks.runtime) == ()


def test_before_anything_was_built_nothing_is_installed(home: Path, tmp_path: Path) -> None:
    locks = locks_of(tmp_path, {"a.lock": pinned("0" * 64)})
    with pytest.raises(ToolError, match="a.lock: its packages that are built from source were not built"):
        locks.file(locks.locks.runtime)


def test_a_lock_that_is_only_audited_is_not_built(home: Path, tmp_path: Path) -> None:
    files = {"a.lock": f"x==1 --hash=sha256:{'0' * 64}\n", "docs.lock": pinned("0" * 64)}
    locks = locks_of(tmp_path, files, others=["docs.lock"])
    (docs,) = locks.locks.others
    assert locks.file(docs) == locks.tree / "docs.lock" and locks.wheels(docs) is None


def test_what_a_commit_lays_beside_its_lock_is_not_taken(index: Path, tmp_path: Path) -> None:
    source = make_sdist(index, with_setup("# its own\n"))
    locks = locks_of(tmp_path, {"a.lock": pinned(source)})
    (locks.tree / "built").mkdir()
    (locks.tree / "built" / "said-1.0-py3-none-any.whl").write_bytes(b"theirs")
    build_sources(locks, OURS)
    built = locks.wheels(locks.locks.runtime)
    assert built and not built.is_relative_to(locks.tree)
    assert [one.read_bytes() == b"theirs" for one in built.glob("*.whl")] == [False]
