"""The work of a proposal grows with a repository's size, and not with its square."""

import json
from collections.abc import Callable

import pytest

from gates.adopt.about import About
from gates.adopt.propose import propose
from gates.adopt.tree import Tree
from tests.growth import assert_in_proportion

APP = "from fastapi import FastAPI, APIRouter\napp = FastAPI()\nr = APIRouter()\n"
PROJECT = "[project]\nname = 'shop'\ndependencies = ['fastapi']\n"


def uv_lock(size: int) -> dict[str, str]:
    return {"pyproject.toml": PROJECT, "uv.lock": "".join(f'[[package]]\nname = "p{at}"\n' for at in range(size))}


def dependencies(size: int) -> dict[str, str]:
    listed = ",\n".join(f"'p{at}'" for at in range(size))
    return {"pyproject.toml": f"[project]\nname = 'shop'\ndependencies = [{listed}]\n"}


def pipfile_lock(size: int) -> dict[str, str]:
    return {"Pipfile": "", "Pipfile.lock": json.dumps({"default": {f"p{at}": {} for at in range(size)}}, indent=1)}


def pipfile_lock_of_empty_lines(size: int) -> dict[str, str]:
    text = '{"default": {' + "\n" * (size * 20) + '"a": {}, "b": {}}}'
    return {"Pipfile": "", "Pipfile.lock": text}


def routers(size: int) -> dict[str, str]:
    included = "".join(f"app.include_router(r{at})\n" for at in range(size))
    return {"main.py": APP + included + "".join(f"@r.get('/x{at}')\ndef f(): 0\n" for at in range(size))}


def handlers_of_one_name(size: int) -> dict[str, str]:
    return {"main.py": APP + "def f(): 0\n" * size + "app.add_api_route('/x', f)\n" * size}


def commands(size: int) -> dict[str, str]:
    started = "".join(f"web: uvicorn other{at}:app\n" for at in range(size))
    return {"Procfile": started, **{f"m{at}.py": "import os\n" for at in range(size // 4)}}


@pytest.mark.parametrize(
    ("contents", "few"),
    [
        (uv_lock, 3000),
        (dependencies, 1500),
        (pipfile_lock, 300),
        (pipfile_lock_of_empty_lines, 300),
        (routers, 1000),
        (handlers_of_one_name, 300),
        (commands, 600),
    ],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_it_grows_with_the_size(contents: Callable[[int], dict[str, str]], few: int) -> None:
    def prepared(size: int) -> Callable[[], object]:
        texts = {"main.py": APP, **contents(size)}
        return lambda: propose(Tree(tuple(sorted(texts)), texts), About("shop", "/shop"))

    assert_in_proportion(prepared, few, 10 * few)
