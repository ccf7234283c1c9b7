"""Locks of other tools are known by name, with the command that makes what can be read."""

import pytest

from gates.other_locks import is_other_lock, is_read_lock, lock_command, unread_node_lock


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("uv.lock", "slipway lock"),
        ("backend/poetry.lock", "slipway lock backend"),
        ("Pipfile", "slipway lock"),
        ("pylock.dev.toml", "slipway lock"),
        ("pyproject.toml", "slipway lock"),
        ("a b/$(id)/uv.lock", "slipway lock 'a b/$(id)'"),
        ("environment.yaml", "slipway lock (conda's packages are no wheels: name the index's)"),
    ],
)
def test_a_lock_of_another_tool_is_made_of_its_project(file: str, command: str) -> None:
    assert is_other_lock(file)
    assert lock_command(file) == command


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("requirements.txt", "requirements.txt"),
        ("my req.in", "'my req.in'"),
        ("requirements/dev.lock", "requirements/dev.in"),
        ("my-uv.lock", "my-uv.in"),
        ("xpylock.toml", "xpylock.in"),
    ],
)
def test_a_list_of_requirements_is_compiled(file: str, words: str) -> None:
    assert not is_other_lock(file)
    assert lock_command(file) == f"slipway lock {words}"


@pytest.mark.parametrize(
    "file", ["uv.lock", "a/poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "pylock.ci.toml"]
)
def test_these_locks_are_read(file: str) -> None:
    assert is_read_lock(file)


@pytest.mark.parametrize("file", ["pixi.lock", "pyproject.toml", "requirements.lock", "pylock.a.b.toml", "uv.lock/x"])
def test_these_are_not(file: str) -> None:
    assert not is_read_lock(file)


@pytest.mark.parametrize(
    ("file", "cure"),
    [
        ("yarn.lock", "npm install --package-lock-only, then commit"),
        ("web/yarn.lock", "npm install --package-lock-only --prefix web, then commit"),
        ("pnpm-lock.yaml", "npm install --package-lock-only, then commit"),
        ("web/admin/bun.lock", "npm install --package-lock-only --prefix web/admin, then commit"),
        ("bun.lockb", "npm install --package-lock-only, then commit"),
        ("deno.lock", "npm install --package-lock-only, then commit"),
        ("web;curl x|sh;#/yarn.lock", "npm install --package-lock-only --prefix 'web;curl x|sh;#', then commit"),
        ("$(id)/npm-shrinkwrap.json", "git mv '$(id)/npm-shrinkwrap.json' '$(id)/package-lock.json'"),
        ("web/npm-shrinkwrap.json", "git mv web/npm-shrinkwrap.json web/package-lock.json"),
    ],
)
def test_a_lock_for_node_that_is_not_read_is_named_with_its_cure(file: str, cure: str) -> None:
    assert unread_node_lock(file).startswith(f"{file}: only package-lock.json can be audited; run: {cure}")


@pytest.mark.parametrize("file", ["package-lock.json", "yarn.lock.md", "my-yarn.lock", "uv.lock", "bun.lock/x"])
def test_other_files_are_none(file: str) -> None:
    assert unread_node_lock(file) == ""
