"""Locks of other tools are known by name, with the command that makes what can be read."""

import pytest

from gates.other_locks import is_other_lock, lock_command, unread_node_lock


@pytest.mark.parametrize(
    ("file", "begins", "ends"),
    [
        ("uv.lock", "uv export --frozen ", "-o requirements.lock"),
        (
            "backend/poetry.lock",
            "cd backend && poetry export ",
            "-o requirements.lock (poetry self add poetry-plugin-export)",
        ),
        ("pdm.lock", "pdm export ", "-o requirements.lock"),
        ("Pipfile.lock", "pipenv requirements --hash ", "> requirements.lock"),
        ("Pipfile", "pipenv requirements --hash ", "> requirements.lock"),
        ("pylock.toml", "uv pip compile --generate-hashes ", "pyproject.toml -o requirements.lock"),
        ("pylock.dev.toml", "uv pip compile --generate-hashes ", "pyproject.toml -o requirements.lock"),
        ("pyproject.toml", "uv pip compile --generate-hashes ", "pyproject.toml -o requirements.lock"),
        ("setup.py", "uv pip compile --generate-hashes ", "setup.py -o requirements.lock"),
        ("pixi.lock", "uv pip compile --generate-hashes ", "-o requirements.lock"),
        ("a b/$(id)/uv.lock", "cd 'a b/$(id)' && uv export --frozen ", "-o requirements.lock"),
        ("environment.yaml", "uv pip compile --generate-hashes ", "(conda's packages are no wheels: name the index's)"),
        ("conda-lock.yml", "uv pip compile --generate-hashes ", "(conda's packages are no wheels: name the index's)"),
    ],
)
def test_a_lock_of_another_tool_is_exported(file: str, begins: str, ends: str) -> None:
    assert is_other_lock(file)
    assert lock_command(file).startswith(begins) and lock_command(file).endswith(ends)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("requirements.txt", "requirements.txt -o requirements.lock"),
        ("my req.in", "'my req.in' -o 'my req.lock'"),
        ("requirements-dev.lock", "requirements-dev.in -o requirements-dev.lock"),
        ("my-uv.lock", "my-uv.in -o my-uv.lock"),
        ("xpylock.toml", "xpylock.in -o xpylock.lock"),
    ],
)
def test_a_list_of_requirements_is_compiled(file: str, words: str) -> None:
    assert not is_other_lock(file)
    assert lock_command(file) == f"uv pip compile --generate-hashes --no-emit-index-url {words}"


def test_a_list_in_a_folder_is_compiled_there() -> None:
    made = "cd requirements && uv pip compile --generate-hashes --no-emit-index-url dev.in -o dev.lock"
    assert lock_command("requirements/dev.in") == made


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
