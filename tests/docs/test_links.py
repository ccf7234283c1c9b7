"""Tests of docs/links.py."""

import re
from pathlib import Path

from docs.links import anchors, dead_links, pages
from host.home import CHECKOUT

NO_SOURCE = {".git", ".venv", ".slipway", "docs", "examples", "site", "tests"}


def test_the_repository_has_no_dead_link() -> None:
    assert not [link for page in pages() for link in dead_links(page)]


def test_dead_files_headings_and_paths_are_named(tmp_path: Path) -> None:
    (tmp_path / "docs" / "decisions").mkdir(parents=True)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "release.py").touch()
    (tmp_path / "README.md").write_text(
        "# A, b\n[a](docs/a.md) [b](docs/b.md) [c](docs/a.md#what-is-it) [d](docs/a.md#gone) [e](#a-b) [f](#c)\n"
        "[g](https://nowhere.example) [h](../out.md) `flows/release.py` `flows/*.py` `flows/gone.py` `ci/push`\n"
        "```\n[i](gone.md) `flows/gone.py`\n# not a heading\n```\n"
    )
    (tmp_path / "docs" / "a.md").write_text("# Twice\n## Twice\n## What is `it`?\n[up](#twice-1) [no](#twice-2)\n")
    (tmp_path / "docs" / "decisions" / "0001.md").write_text("`flows/gone.py`, as it was then\n")
    readme, page, decision = pages(tmp_path)
    assert list(dead_links(readme, tmp_path)) == [
        "docs/b.md: no such file",
        "docs/a.md#gone: no such heading in docs/a.md",
        "#c: no such heading in README.md",
        "../out.md: no such file",
        "`flows/gone.py`: no such file",
    ]
    assert list(dead_links(page, tmp_path)) == ["#twice-2: no such heading in docs/a.md"]
    assert not list(dead_links(decision, tmp_path))


def test_pages_and_headings_that_code_and_configuration_name_are_there() -> None:
    folders = [folder for folder in CHECKOUT.iterdir() if folder.is_dir() and folder.name not in NO_SOURCE]
    files = [
        file for folder in folders for file in folder.rglob("*") if file.suffix in {".py", ".toml", ".yml", ".env"}
    ]
    texts = [file.read_text() for file in (*files, CHECKOUT / "pyproject.toml", CHECKOUT / "Makefile")]
    named = {place for text in texts for place in re.findall(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?", text)}
    assert len(named) > 10
    assert not [place for place in named if not _is_there(*place.partition("#")[::2])]


def _is_there(page: str, anchor: str) -> bool:
    return (CHECKOUT / page).is_file() and (not anchor or anchor in anchors(CHECKOUT / page))
