"""Repositories that somebody made to do harm, or that went wrong: each is read to its end, and what is odd is named."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gates.strict_toml import parse
from host.errors import SourceError
from tasks.adopt.files import of_folder
from tasks.adopt.repository import WORDS, open_repository, read_tree
from tests.growth import assert_in_proportion
from tests.tasks.adopt.shapes import lock
from tests.tasks.adopt.test_repository import lay, proposed

APP = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/health')\ndef health(): return 1\n"
LOCKED = {"requirements.lock": lock("fastapi", "uvicorn")}
# Deeper than a function can call itself, and not too deep for Python's own parser.
DEEP = 1800
SETTINGS = "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    x: "
NO_URL = 'version = 1\n[[package]]\nname = "fastapi"\nversion = "1"\nsdist = { url = "http://[x" }\n'
COMPOSE = "services:\n  a: {image: [x], build: .}\n  b: {image: {a: 1}}\n  c: 3\n"


def test_a_line_of_one_word_is_searched_in_proportion_to_its_length() -> None:
    def prepared(size: int) -> Callable[[], object]:
        line = b"class " * size
        return lambda: WORDS.search(line)

    assert_in_proportion(prepared, 1_000, 10_000)


def test_a_number_is_no_name_of_djangos_database(tmp_path: Path) -> None:
    settings = (
        f"import os\nDATABASES = {{'default': {{'HOST': os.environ[0x{'f' * 5000}], 'NAME': os.environ['N']}}}}\n"
    )
    files = {
        "requirements.lock": lock("django", "psycopg", "gunicorn"),
        "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
        "shop/settings.py": settings,
    }
    _, texts = proposed(lay(tmp_path / "shop", files), tmp_path)
    assert "shop.wsgi:application" in texts["pipeline.toml"]


@pytest.mark.parametrize(
    "odd",
    [
        {"main.py": APP.replace("/health", r"/\ud800/health")},
        {"main.py": f"{APP}x = 1\nif {'+'.join(['x'] * DEEP)}:\n    pass\n"},
        {"main.py": f"{APP}{SETTINGS}{'|'.join(['int'] * DEEP)}\n"},
        {"main.py": f"{APP}import os\nx = os.environ[0x{'f' * 5000}], os.getenv('X', 0x{'f' * 5000})\n"},
        {"uv.lock": NO_URL},
        {"compose.yml": COMPOSE},
        {"compose.yml": "services:\n  a: {build: ., depends_on: {b: 1}}\n  b: {image: x}\n"},
        {"pyproject.toml": "[tool]\nruff = true\nmypy = 3\npoetry = []\n"},
        {"main.py": f"\ufeff{APP}".replace("\n", "\r\n"), "Procfile": "\ufeffworker: python x\r\n"},
    ],
    ids=[
        *("surrogate", "deep-condition", "deep-annotation", "long-number", "no-url", "image-list", "wait-for-a-number"),
        *("tools-of-other-types", "byte-order-mark"),
    ],
)
def test_it_is_read_to_its_end_and_the_app_is_proposed(odd: dict[str, str], tmp_path: Path) -> None:
    _, texts = proposed(lay(tmp_path / "shop", {"main.py": APP, **LOCKED, **odd}), tmp_path)
    assert all(text.encode() for text in texts.values())
    assert parse(texts["pipeline.toml"])["run"]["command"][3] == "main:app"


def test_a_byte_order_mark_hides_nothing(tmp_path: Path) -> None:
    top = lay(tmp_path / "shop", {"main.py": APP, **LOCKED, "Procfile": "\ufeffworker: python x\n"})
    assert proposed(top, tmp_path)[0].draft.value("run.processes.worker", "command") == ("python", "x")


def test_a_file_that_goes_while_it_is_looked_at_is_named(tmp_path: Path) -> None:
    top = lay(tmp_path / "shop", {"main.py": APP, **LOCKED})
    found = of_folder(top)
    (top / "requirements.lock").unlink()
    tree = read_tree(found)
    assert "requirements.lock: cannot be read" in tree.left_out
    assert "main.py" in tree.texts


def test_a_repository_without_a_commit_says_so(tmp_path: Path) -> None:
    top = lay(tmp_path / "shop", {"main.py": APP, **LOCKED})
    subprocess.run(["git", "init", "-q", "-b", "main", str(top)], check=True)
    blocks = [one.what for one in proposed(top, tmp_path)[0].draft.blocks]
    assert f"{top} has no commit" in blocks
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare.git")], check=True)
    for place in (str(tmp_path / "bare.git"), f"file://{tmp_path}/bare.git"):
        with pytest.raises(SourceError, match="it has no commit"):
            open_repository(place, tmp_path / "scratch")


def test_a_path_that_no_config_can_name_is_refused(tmp_path: Path) -> None:
    (odd := tmp_path / "shop\udcff").mkdir()
    with pytest.raises(SourceError, match="a plain name"):
        open_repository(str(odd), tmp_path)


def test_a_home_of_nobody_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such directory"):
        open_repository("~nobody-of-this-name/shop", tmp_path)
