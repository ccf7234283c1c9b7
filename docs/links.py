"""Checker for README.md, CHANGELOG.md and docs/: `python -m docs.links` prints each dead link and exits 1.

It checks relative links, anchors of Markdown pages, and paths of this repository in backticks. It opens no address.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from host.home import CHECKOUT

FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
CODE_PATH = re.compile(r"`([a-z]+/[\w./*-]*)`")


def pages(root: Path = CHECKOUT) -> list[Path]:
    """Return the pages that people read."""
    return [page for page in (root / "README.md", root / "CHANGELOG.md") if page.exists()] + sorted(
        (root / "docs").rglob("*.md")
    )


def dead_links(page: Path, root: Path = CHECKOUT) -> Iterator[str]:
    """Return what a page refers to and what is not there. Old decisions may name files that are gone."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_relative_to(root) or not target.exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in anchors(target):
            yield f"{link}: no such heading in {target.relative_to(root)}"
    if "decisions" not in page.parts and page.name != "CHANGELOG.md":
        folders = {folder.name for folder in root.iterdir() if folder.is_dir()}
        for path in CODE_PATH.findall(text):
            if path.split("/")[0] in folders and not list(root.glob(path)):
                yield f"`{path}`: no such file"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    names: dict[str, int] = {}
    for heading in HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        names[name] = names.get(name, -1) + 1
    return {f"{name}-{number}" if number else name for name, count in names.items() for number in range(count + 1)}


def main() -> None:
    """Print every dead link; exit 1 if there is any."""
    dead = [f"{page.relative_to(CHECKOUT)}: {link}" for page in pages() for link in dead_links(page)]
    print("\n".join(dead), end="\n" if dead else "", file=sys.stderr)
    sys.exit(1 if dead else 0)


if __name__ == "__main__":
    main()
