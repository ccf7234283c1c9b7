"""What a project's files say decides which lock it gets."""

from pathlib import Path

import pytest

from cli.lock.plans import Plan, Tool, plans
from cli.lock.proposal import LARGEST_FILE_BYTES, propose
from host.errors import ConfigError

PROJECT = '[project]\nname = "a"\nversion = "1"\n'
LOCKED = f"x==1 --hash=sha256:{'a' * 64}\n"


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pyproject.toml": PROJECT + "[tool.uv]\n"}, [Plan(Tool.LOCK, "pyproject.toml", "uv.lock")]),
        ({"pyproject.toml": PROJECT, "uv.lock": ""}, [Plan(Tool.LOCK, "pyproject.toml", "uv.lock")]),
        ({"pyproject.toml": PROJECT}, [Plan(Tool.COMPILE, "pyproject.toml", "requirements.lock")]),
        (
            {"pyproject.toml": "[build-system]\n", "setup.cfg": "[options]\n"},
            [Plan(Tool.COMPILE, "pyproject.toml", "requirements.lock")],
        ),
        (
            {"requirements.txt": "x\n", "requirements-dev.txt": "y\n", "notes.txt": "hello\n"},
            [
                Plan(Tool.COMPILE, "requirements-dev.txt", "requirements-dev.lock"),
                Plan(Tool.COMPILE, "requirements.txt", "requirements.lock"),
            ],
        ),
        (
            {"requirements/dev.in": "x\n", "requirements/dev.txt": "x==1\n"},
            [Plan(Tool.COMPILE, "requirements/dev.in", "requirements/dev.lock")],
        ),
        (
            {"requirements.txt": LOCKED, "requirements-dev.txt": "y\n"},
            [Plan(Tool.COMPILE, "requirements-dev.txt", "requirements-dev.lock")],
        ),
    ],
    ids=["uv", "uv.lock", "pyproject", "setup.cfg", "lists", "in before txt", "a lock is none"],
)
def test_the_files_of_a_project_decide(tmp_path: Path, files: dict[str, str], expected: list[Plan]) -> None:
    assert plans(lay_out(tmp_path, files)) == expected


def test_one_file_may_be_named(tmp_path: Path) -> None:
    lay_out(tmp_path, {"dev.in": "x\n"})
    assert plans(tmp_path / "dev.in") == [Plan(Tool.COMPILE, "dev.in", "dev.lock")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pyproject.toml": "[tool.poetry]\n"}, "a project of poetry, which makes its lock itself: poetry lock"),
        (
            {"pyproject.toml": PROJECT, "pdm.lock": ""},
            'pdm lock; pdm.lock is there: name it, [locks] runtime = "pdm.lock"',
        ),
        ({"Pipfile": ""}, "pipenv lock"),
        ({"setup.cfg": "[options]\n"}, "write requirements.in with that"),
        ({"setup.py": "", "pyproject.toml": "tool = 3\nproject = []\n", "Pipfile": ""}, "pipenv lock"),
        ({"README.md": ""}, "neither pyproject.toml, requirements.txt"),
        ({"pyproject.toml": "a = 1\na = 2\n"}, "not valid TOML"),
    ],
    ids=["poetry", "pdm", "pipenv", "setup.cfg", "wrong types", "nothing", "no TOML"],
)
def test_what_cannot_be_locked_here_is_told_with_the_way_out(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        plans(lay_out(tmp_path, files))
    assert words in str(refused.value)


def test_what_is_not_there_and_what_is_a_lock_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        plans(tmp_path / "absent")
    (tmp_path / "uv.lock").write_text("")
    with pytest.raises(ConfigError, match="uv.lock is a lock: name it in"):
        plans(tmp_path / "uv.lock")


@pytest.mark.parametrize(
    ("name", "words"), [("Pipfile", "pipenv lock"), ("setup.py", "write requirements.in with that")], ids=str
)
def test_a_file_that_uv_cannot_lock_is_told_with_the_way_out(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plans(lay_out(tmp_path, {name: ""}) / name)


def test_a_list_that_is_too_large_is_told_as_such(tmp_path: Path) -> None:
    with (tmp_path / "requirements.txt").open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)
    with pytest.raises(ConfigError, match="requirements.txt: 20000001 bytes, expected at most 20000000"):
        propose(Plan(Tool.COMPILE, "requirements.txt", "requirements.lock"), tmp_path, "3.11", build=False)
