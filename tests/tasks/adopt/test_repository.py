"""Repositories of many shapes and hostile ones: what is read, and what is proposed of it."""

import os
import subprocess
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from gates.adopt.draft import ALL
from gates.adopt.emit import files
from gates.adopt.propose import Proposal, propose
from gates.strict_toml import parse
from host.errors import SourceError
from settings import targets
from settings.env_files import read_env_file
from settings.environment import read_settings
from settings.pipeline import read_pipeline
from settings.targets import Target
from tasks.adopt import files as limits
from tasks.adopt.repository import open_repository, read_tree
from tests.tasks.adopt.shapes import FLASK, SHAPES, Shape, lock


def lay(top: Path, contents: Mapping[str, str]) -> Path:
    for name, text in contents.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text, encoding="utf-8")
    return top


def proposed(place: Path, scratch: Path) -> tuple[Proposal, dict[str, str]]:
    found = open_repository(str(place), scratch)
    proposal = propose(read_tree(found.files), found.about)
    return proposal, files(proposal.draft, found.about.author, found.about.email)


def value(table: Any, key: str) -> Any:
    return reduce(lambda found, one: found.get(one) if isinstance(found, dict) else None, key.split("."), table)


each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=[name.replace(" ", "-") for name in SHAPES])


@each_shape
def test_each_shape_gets_its_own_pipeline(shape: Shape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proposal, texts = proposed(lay(tmp_path / "shop", shape.files), tmp_path)
    pipeline = parse(texts["pipeline.toml"])
    assert {key: value(pipeline, key) for key in shape.expected} == shape.expected
    config = lay(tmp_path / "config", texts)
    keys = read_env_file(config / "development.env")
    assert {key: keys.get(key) for key in shape.settings} == shape.settings
    blocks = [one.what for one in proposal.draft.blocks if "no git repository" not in one.what]
    for expected in shape.blocks:
        assert any(block.startswith(expected) for block in blocks), blocks
    assert not [block for block in blocks if block.startswith(shape.unblocked)]
    assert read_pipeline(config / "pipeline.toml").run.command[0] == "python"
    monkeypatch.setattr(targets, "CONFIG", config)
    for name in targets.names():
        read_settings(Target(name), config)


@each_shape
def test_each_line_says_what_it_was_inferred_from(shape: Shape, tmp_path: Path) -> None:
    _, texts = proposed(lay(tmp_path / "shop", shape.files), tmp_path)
    for name in ("pipeline.toml", *(f"{one}.env" for one in ALL)):
        before = ""
        for line in texts[name].splitlines():
            if "=" in line and not line.startswith("#"):
                assert "  # " in line or before.startswith("# "), f"{name}: {line}"
            before = line


def test_the_roles_of_a_compose_file_are_proposed_with_why(tmp_path: Path) -> None:
    proposal, texts = proposed(lay(tmp_path / "shop", SHAPES["compose with celery"].files), tmp_path)
    assert proposal.stack
    roles = {service.name: service.role for service in proposal.stack.services}
    assert roles == {
        "web": "slot",
        "worker": "slot",
        "beat": "singleton",
        "redis": "shared",
        "init": "task",
        "proxy": "",
    }
    assert "service beat: slipway.role: singleton (a scheduler must never run twice" in texts["pipeline.toml"]


def test_a_commit_is_read_without_a_working_tree_and_an_address_is_fetched(tmp_path: Path) -> None:
    shape = SHAPES["everything that one file can say"]
    top = lay(tmp_path / "shop", shape.files)
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q", "-b", "trunk"], ["add", "."], [*who, "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(top), *words], check=True)
    (top / "Procfile").write_text("worker: python -m later\n")
    bare = tmp_path / "shop.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(top), str(bare)], check=True)
    for place in (str(bare), f"file://{top}"):
        (scratch := tmp_path / place.replace("/", "_")).mkdir()
        found = open_repository(place, scratch)
        assert (found.about.author, found.about.email, found.about.branch) == ("Ada", "ada@example.com", "trunk")
        texts = files(propose(read_tree(found.files), found.about).draft, found.about.author, found.about.email)
        pipeline = parse(texts["pipeline.toml"])
        assert (value(pipeline, "app.name"), value(pipeline, "app.branch")) == ("shop", "trunk")
        assert value(pipeline, "run.processes") is None
        assert 'name = "Ada"' in texts["approvers.toml"]
    assert proposed(top, tmp_path)[0].draft.value("run.processes.worker", "role") == "slot"


@pytest.mark.parametrize(
    ("place", "told"),
    [("/no/such/place", "no such directory"), ("https://u:p@example.com/x.git", "holds a password")],
    ids=["nothing", "password"],
)
def test_a_place_that_cannot_be_looked_at_is_named(place: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=told):
        open_repository(place, tmp_path)


def test_without_a_web_app_there_is_one_reason(tmp_path: Path) -> None:
    proposal, _ = proposed(lay(tmp_path / "shop", {"tool.py": "print(1)\n"}), tmp_path)
    assert proposal.served is None
    assert proposal.draft.blocks[0].what.startswith("no web app in Python was found")


APP = {"app.py": FLASK, "requirements.lock": lock("flask", "gunicorn")}
DEEP = "[" * 100_000
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg")
)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("pyproject.toml", "[project\n", "pyproject.toml cannot be read: not valid TOML"),
        ("pyproject.toml", "a." * 300 + "b = 1\n", "pyproject.toml cannot be read"),
        ("tox.ini", "no section\n", "tox.ini cannot be read"),
        ("package.json", DEEP, "package.json cannot be read"),
        ("compose.yml", ALIASES, "compose.yml:"),
        ("compose.yml", DEEP, "compose.yml:"),
        ("compose.yml", "services: [\n", "compose.yml: it is not YAML"),
        ("wsgi.py", "Flask(" + "(" * 5000, "wsgi.py"),
        ("wsgi.py", "def Flask(:\n", "wsgi.py:1: it is no Python of this version"),
        ("wsgi.py", "x = Flask(\0)\n", "wsgi.py"),
        ("wsgi.py", "Flask(\n" + "x = 1\n" * 100_000, "wsgi.py: larger than"),
        ("uv.lock", "x" * 2_000_001, "uv.lock: larger than 2 MB"),
        ("Procfile", "web: 'no end\nworker: a & b\nx: 'y\n", "Procfile:2: worker: got '&', and no shell runs"),
    ],
    ids="toml deep-toml ini json aliases deep-yaml yaml nested syntax nul large-python large-lock procfile".split(),
)
def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_proposed(
    name: str, content: str, told: str, tmp_path: Path
) -> None:
    top = lay(tmp_path / "shop", {**APP, name: content})
    found = open_repository(str(top), tmp_path)
    tree = read_tree(found.files)
    proposal = propose(tree, found.about)
    draft = proposal.draft
    assert any(told in text for text in (*tree.left_out, *draft.notes, *(one.what for one in draft.blocks)))
    assert draft.value("run", "command")
    parse(files(draft, "", "")["pipeline.toml"])


def test_what_is_no_text_and_what_leads_elsewhere_is_not_read(tmp_path: Path) -> None:
    outside = lay(tmp_path / "outside", {"Procfile": "worker: python -m secret\n", "sub/wsgi.py": FLASK})
    top = lay(tmp_path / "shop", APP)
    (top / "Procfile").symlink_to(outside / "Procfile")
    (top / "sub").symlink_to(outside / "sub")
    (top / "Dockerfile").write_bytes(b"\xff\xfe")
    os.mkfifo(top / "tox.ini")
    (top / "a\nb.py").write_text(FLASK)
    (top / ".env").write_text("SECRET=1\n")
    found = open_repository(str(top), tmp_path)
    tree = read_tree(found.files)
    assert tree.names == (".env", "Dockerfile", "app.py", "requirements.lock")
    assert "Dockerfile: not UTF-8" in tree.left_out and ".env" not in tree.texts
    # One that becomes a link after it was listed is not followed either.
    (top / "app.py").unlink()
    (top / "app.py").symlink_to(outside / "sub" / "wsgi.py")
    assert found.files.read(["app.py"]) == {}


def test_deep_folders_and_many_files_have_a_limit_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = lay(tmp_path / "shop", APP)
    (top / ("d/" * 60)).mkdir(parents=True)
    for number in range(50):
        (top / f"z{number}").touch()
    monkeypatch.setattr(limits, "MOST_FILES", 20)
    tree = read_tree(open_repository(str(top), tmp_path).files)
    assert len(tree.names) == 20 and "everything after the first 20 files" in tree.left_out
    monkeypatch.setattr(limits, "MOST_FILES", 1000)
    tree = read_tree(open_repository(str(top), tmp_path).files)
    assert any("more than 40 folders deep" in text for text in tree.left_out)
    monkeypatch.setattr(limits, "MOST_BYTES", 10)
    tree = read_tree(open_repository(str(top), tmp_path).files)
    assert any("MB in all are not read" in text for text in tree.left_out)


def test_hostile_words_never_leave_their_line(tmp_path: Path) -> None:
    text = 'import os\nfrom flask import Flask\napp = Flask("x")\nos.environ["A"]\n'
    text += '@app.get("/x\\n[x]\\ny = 1/health")\ndef f(): ...\n'
    top = lay(
        tmp_path / "shop",
        {"app.py": text, "requirements.lock": lock("flask", "gunicorn"), ".env.example": "A='x' #\nB=$(id)\nC=a\\b\n"},
    )
    _, texts = proposed(top, tmp_path)
    parse(texts["pipeline.toml"])
    keys = read_env_file(lay(tmp_path / "config", texts) / "production.env")
    assert not {"B", "C", "y"} & set(keys)


HOSTILE_DEPLOY = """
service: shop
image: shop
servers:
  job.a: {cmd: python -m jobs}
  job-a: {cmd: python -m jobs}
  2fast_and_a_very_long_name_of_a_job: {cmd: python -m jobs}
env:
  clear: {"MODE=1\\nALLOW_AUTHOR_APPROVAL=true\\nAPP_X": abc, TITLE: "it's a # b"}
  secret: ["../../root/PASSWORD", "TOKEN\\e[31m", API_TOKEN]
"""


def test_no_name_of_a_repository_becomes_a_line_of_config(tmp_path: Path) -> None:
    proposal, texts = proposed(lay(tmp_path / "shop", {**APP, "config/deploy.yml": HOSTILE_DEPLOY}), tmp_path)
    config = lay(tmp_path / "config", texts)
    for name in ALL:
        keys = read_env_file(config / f"{name}.env")
        assert not [key for key in keys if "AUTHOR" in key or "MODE" in key or "root" in key]
        assert keys.get("APP_TITLE", "it's a # b") == "it's a # b" and "SECRET_API_TOKEN" in keys
    assert set(read_pipeline(config / "pipeline.toml").run.processes) == {"job-a"}
    told = [*proposal.draft.notes, *(one.what for one in proposal.draft.blocks)]
    assert not [line for line in told if not line.isprintable()]
    for word in ("ALLOW_AUTHOR_APPROVAL", "../../root", "stands there twice", "cannot be a process's name"):
        assert any(word in line for line in told), word
