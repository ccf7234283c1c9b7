"""mkdocs.yml: each page is reached from the site's navigation."""

import re

from host.home import CHECKOUT

# Pages that docs/site.py makes.
MADE = {"index.md", "changelog.md", "decisions/index.md"}


def test_the_navigation_has_each_page_once() -> None:
    navigation = (CHECKOUT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    named = re.findall(r"[a-z/-]+\.md", navigation)
    assert sorted(named) == sorted({page.name for page in (CHECKOUT / "docs").glob("*.md")} | MADE)
