"""What a proposal says of a repository is true, also where two things in it look alike."""

import subprocess
from pathlib import Path

import pytest

from gates.adopt.emit import files
from gates.adopt.propose import propose
from gates.strict_toml import parse
from settings.pipeline import read_pipeline
from tasks.adopt.repository import open_repository, read_tree
from tests.tasks.adopt.shapes import lock, other_lock
from tests.tasks.adopt.test_repository import lay, proposed

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
LOCKED = {"requirements.lock": lock("fastapi", "uvicorn")}


def at(folder: str, app: str) -> dict[str, str]:
    return {f"{folder}/main.py": app, f"{folder}/requirements.lock": LOCKED["requirements.lock"]}


def test_a_health_path_of_another_service_is_none_of_this_one(tmp_path: Path) -> None:
    health = f"{FASTAPI}@app.get('/health')\ndef health(): return 1\n"
    top = lay(
        tmp_path / "shop", {**at("svc/a", f"{FASTAPI}@app.get('/x')\ndef x(): return 1\n"), **at("svc/b", health)}
    )
    draft = proposed(top, tmp_path)[0].draft
    assert draft.value("app", "directory") == "svc/a"
    assert draft.value("health", "paths") == ("/openapi.json",)
    assert "health.paths" in [one.key for one in draft.questions]


def test_of_two_apps_beside_each_other_the_served_ones_health_path_is_taken(tmp_path: Path) -> None:
    health = f"{FASTAPI}@app.get('/health')\ndef health(): return 1\n"
    started = {"Procfile": "web: uvicorn other:app\n", "other.py": health.replace("/health", "/ping")}
    draft = proposed(lay(tmp_path / "shop", {"admin.py": health, **started, **LOCKED}), tmp_path)[0].draft
    assert draft.value("health", "paths") == ("/ping",)


def test_no_value_of_a_secret_is_copied_into_config(tmp_path: Path) -> None:
    reads = "import os\nx = os.environ['API_TOKEN'], os.environ['SMTP_DSN'], os.environ['LEVEL']\n"
    contents = {
        "main.py": reads + FASTAPI,
        "Dockerfile": "FROM python:3.11\nENV API_TOKEN=in-the-image SMTP_DSN=smtp://me:in-the-image@mail/ LEVEL=info\n",
        ".env.example": "MAIL_URI=smtp://me:in-the-example@mail/\n",
        "config/deploy.yml": "service: x\nimage: y\nenv: {clear: {QUEUE: 'amqp://me:in-the-deploy@mq/'}}\n",
        "tests/test_a.py": "",
    }
    top = lay(tmp_path / "shop", {**contents, "requirements.lock": lock("fastapi", "uvicorn", "pytest")})
    _, texts = proposed(top, tmp_path)
    whole = "".join(texts.values())
    assert "in-the-" not in whole
    assert 'LEVEL = "info"' in texts["pipeline.toml"] and "APP_LEVEL=info" in texts["production.env"]
    for name in ("API_TOKEN", "SMTP_DSN", "MAIL_URI", "QUEUE"):
        assert f"SECRET_{name}=file:" in texts["production.env"]


def test_an_answer_with_a_password_is_not_written(tmp_path: Path) -> None:
    top = lay(tmp_path / "shop", {"main.py": f"import os\nx = os.environ['QUEUE']\n{FASTAPI}", **LOCKED})
    found = open_repository(str(top), tmp_path)
    draft = propose(read_tree(found.files), found.about, {"APP_QUEUE": "amqp://me:typed@mq/"}).draft
    assert "typed" not in str(files(draft, "", ""))
    assert "the app needs QUEUE" in [one.what for one in draft.blocks]


def test_what_the_app_needs_beyond_the_listed_is_told_as_such(tmp_path: Path) -> None:
    reads = "".join(f"os.environ['VALUE_{at}']\n" for at in range(70))
    draft = proposed(lay(tmp_path / "shop", {"main.py": f"import os\n{FASTAPI}{reads}", **LOCKED}), tmp_path)[0].draft
    assert any(one.what.startswith("the app needs more than 60 variables") for one in draft.blocks)
    assert not [note for note in draft.notes if "with a default" in note]


PACKAGE = '{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "1", "eslint": "1"}}'
WORKFLOW = """\
jobs:
  checks:
    defaults: {run: {working-directory: ./backend}}
    steps:
      - run: ruff check app
      - run: |
          cd ../frontend
          npm ci
          npx eslint .
"""


def frontends(*folders: str) -> dict[str, str]:
    return {
        f"{one}{name}": text
        for one in folders
        for name, text in (("package.json", PACKAGE), ("package-lock.json", "{}"))
    }


def test_frontends_whose_folders_are_alike_have_names_of_their_own(tmp_path: Path) -> None:
    contents = {"main.py": FASTAPI, **LOCKED, **frontends("", "frontend/", "fro-ntend/")}
    _, texts = proposed(lay(tmp_path / "shop", contents), tmp_path)
    pipeline = parse(texts["pipeline.toml"])
    assert [one["name"] for one in pipeline["build"]] == ["frontend", "fro-ntend", "frontend-2"]
    assert {one["directory"] for one in pipeline["quality"].values()} == {".", "frontend", "fro-ntend"}
    (tmp_path / "config").mkdir()
    read_pipeline(lay(tmp_path / "config", texts) / "pipeline.toml")


def test_the_frontends_tools_count_where_the_others_do(tmp_path: Path) -> None:
    backend = {"backend/app/__init__.py": "", "backend/app/main.py": FASTAPI}
    backend["backend/requirements.lock"] = lock("fastapi", "uvicorn", "ruff")
    top = lay(tmp_path / "shop", {**backend, **frontends("frontend/"), ".github/workflows/ci.yml": WORKFLOW})
    proposal, texts = proposed(top, tmp_path)
    assert "REQUIRED_GATES=ruff,eslint,secrets" in texts["development.env"]
    assert "REQUIRED_GATES=ruff,eslint,compat" in texts["production.env"]
    assert not [note for note in proposal.draft.notes if "eslint" in note]
    assert proposal.draft.value("quality.ruff", "command") == ("python", "-m", "ruff", "check", "app")


@pytest.mark.parametrize(
    ("bounds", "python", "told"),
    [
        ("^3.12,<3.15", "3.12", "^3.12,<3.15 allows it"),
        ("^3.13 || ^3.14", "3.13", "allows it"),
        ("~3.12.1", "3.12", "allows it"),
        (">=3.12 <4", "3.12", "allows it"),
        ("3.13.*", "3.13", "allows it"),
        ("*", "3.11", "* allows it"),
        ("^2.7", "3.11", "a guess: no file says which"),
        ("banana", "3.11", "a guess: no file says which"),
    ],
    ids="caret-and-less either tilde spaces star any python-2 unreadable".split(),
)
def test_the_bounds_of_poetry_are_read_as_poetry_reads_them(
    bounds: str, python: str, told: str, tmp_path: Path
) -> None:
    manifest = f'[tool.poetry.dependencies]\npython = "{bounds}"\nfastapi = "*"\n'
    top = lay(tmp_path / "shop", {"main.py": FASTAPI, **LOCKED, "pyproject.toml": manifest})
    line = next(one for one in proposed(top, tmp_path)[1]["pipeline.toml"].splitlines() if one.startswith("python"))
    assert line.startswith(f'python = "{python}"') and line.endswith(
        told if told.startswith("a ") else f"{told}, and nothing pins one"
    )


POETRY = (
    '[tool.poetry.dependencies]\nfastapi = "*"\nuvicorn = "*"\n[tool.poetry.group.dev.dependencies]\npytest = "*"\n'
)
PROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["fastapi", "uvicorn"]\n'
EXTRA = '[project.optional-dependencies]\ndev = ["pytest"]\n'
PIPFILE = '[packages]\nfastapi = "*"\nuvicorn = "*"\n[dev-packages]\npytest = "*"\n'


@pytest.mark.parametrize(
    ("name", "text", "cure", "runtime", "ci"),
    [
        ("pyproject.toml", POETRY, "poetry lock, then", "poetry.lock", {"file": "poetry.lock", "groups": ["dev"]}),
        ("pyproject.toml", PROJECT, "slipway lock pyproject.toml --write", "requirements.lock", "requirements.lock"),
        ("pyproject.toml", PROJECT + EXTRA, "uv lock, then", "uv.lock", {"file": "uv.lock", "extras": ["dev"]}),
        ("pyproject.toml", f"{PROJECT}[tool.pdm]\n", "pdm lock, then", "pdm.lock", "pdm.lock"),
        ("Pipfile", PIPFILE, "pipenv lock, then", "Pipfile.lock", {"file": "Pipfile.lock", "groups": ["dev"]}),
    ],
    ids="poetry project project-with-extra pdm pipenv".split(),
)
def test_what_nothing_locks_is_locked_by_its_own_tool(
    name: str, text: str, cure: str, runtime: object, ci: object, tmp_path: Path
) -> None:
    top = lay(tmp_path / "shop", {"main.py": FASTAPI, "tests/test_a.py": "", name: text})
    proposal, texts = proposed(top, tmp_path)
    blocks = {one.what: one.cure for one in proposal.draft.blocks}
    assert blocks[f"{name} names packages and nothing locks them"].startswith(cure)
    assert parse(texts["pipeline.toml"])["locks"] == {"runtime": runtime, "ci": ci}
    assert ("pytest is not among the packages that are locked" in blocks) == ("pytest" not in text)
    assert "uvicorn" in texts["pipeline.toml"] and not [one for one in blocks if one.startswith("no server")]


def test_other_lists_of_packages_are_named(tmp_path: Path) -> None:
    contents = {"main.py": FASTAPI, "uv.lock": other_lock("fastapi", "uvicorn"), "poetry.lock": "", **LOCKED}
    draft = proposed(lay(tmp_path / "shop", contents), tmp_path)[0].draft
    note = "of the lists of packages uv.lock is proposed; not looked at: poetry.lock, requirements.lock"
    assert note in draft.notes


@pytest.mark.parametrize(
    ("name", "content"),
    [("uv.lock", b"x" * 2_000_001), ("requirements.txt", "fastapi\nuvicorn\npytest\n".encode("utf-16"))],
    ids=["large", "utf-16"],
)
def test_of_packages_that_could_not_be_read_nothing_is_claimed(name: str, content: bytes, tmp_path: Path) -> None:
    top = lay(tmp_path / "shop", {"main.py": FASTAPI, "tests/test_a.py": ""})
    (top / name).write_bytes(content)
    draft = proposed(top, tmp_path)[0].draft
    assert f"{name} could not be read, so nobody knows here which packages it names" in draft.notes
    blocks = " ".join(one.what for one in draft.blocks)
    assert "is among" not in blocks and "not among" not in blocks and "empty" not in blocks


@pytest.mark.parametrize(
    ("origin", "because"),
    [
        ("git@git.example.com:shop/shop.git", "its origin"),
        ("https://git.example.com/shop.git", "its origin"),
        ("backup/shop.git", "where it was looked at"),
        ("https://me:a-password@git.example.com/shop.git", "where it was looked at"),
    ],
    ids="scp https path password".split(),
)
def test_where_the_repository_is_says_where_that_was_read(origin: str, because: str, tmp_path: Path) -> None:
    top = lay(tmp_path / "shop", {"main.py": FASTAPI, **LOCKED})
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    subprocess.run(["git", "-C", str(top), "remote", "add", "origin", origin], check=True)
    place = origin if because == "its origin" else str(top)
    assert f'repository = "{place}"  # {because}\n' in proposed(top, tmp_path)[1]["pipeline.toml"]


def test_where_imports_begin_is_told_to_what_has_no_option_for_it(tmp_path: Path) -> None:
    contents = {
        "pyproject.toml": PROJECT,
        "requirements.lock": lock("fastapi", "uvicorn", "celery", "pytest"),
        "src/shop/__init__.py": "",
        "src/shop/main.py": FASTAPI,
        "tests/test_a.py": "",
        "Procfile": "worker: celery -A shop.jobs worker\n",
    }
    _, texts = proposed(lay(tmp_path / "shop", contents), tmp_path)
    pipeline = parse(texts["pipeline.toml"])
    assert pipeline["suites"]["tests"]["environment"] == {"PYTHONPATH": "src"}
    assert "APP_PYTHONPATH=src" in texts["production.env"]
    contents["pyproject.toml"] += '[tool.pytest.ini_options]\npythonpath = ["src"]\n'
    _, texts = proposed(lay(tmp_path / "told", contents), tmp_path)
    assert "environment" not in parse(texts["pipeline.toml"])["suites"]["tests"]


def test_a_folder_of_a_repository_is_an_app_of_that_repository(tmp_path: Path) -> None:
    top = lay(tmp_path / "shop", {**at("svc/a", FASTAPI), **at("svc/b", FASTAPI)})
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(top)], check=True)
    alone = proposed(top / "svc" / "b", tmp_path)[0].draft
    assert f"{top}/svc/b is no git repository" in [one.what for one in alone.blocks]  # git knows nothing of it
    subprocess.run(["git", "-C", str(top), "add", "."], check=True)
    draft = proposed(top / "svc" / "b", tmp_path)[0].draft
    assert [draft.value("app", key) for key in ("repository", "directory", "branch")] == [str(top), "svc/b", "trunk"]
    assert draft.value("locks", "runtime") == "svc/b/requirements.lock"
    assert not [one for one in draft.questions if one.key == "app"]
    assert proposed(top / "svc", tmp_path)[0].draft.value("app", "directory") == "svc/a"
