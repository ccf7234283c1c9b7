"""Hook of the site (mkdocs.yml) that adds pages: README.md is the first one, and decisions/ gets a list."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README.md, CHANGELOG.md and the list of decisions to the site's pages."""
    root = Path(config.config_file_path).parent
    decisions = sorted((root / "docs" / "decisions").glob("*.md"))
    titles = [(file.name, file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")) for file in decisions]
    pages = {
        "index.md": _as_in_docs((root / "README.md").read_text(encoding="utf-8")),
        "changelog.md": (root / "CHANGELOG.md").read_text(encoding="utf-8"),
        "decisions/index.md": "# Decisions\n\n" + "\n".join(f"- [{title}]({name})" for name, title in titles),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def _as_in_docs(text: str) -> str:
    """Return a page with its links made relative to docs/, where the site has them."""
    links = {"](docs/decisions/)": "](decisions/index.md)", "](docs/": "](", "](CHANGELOG.md)": "](changelog.md)"}
    for link, moved in links.items():
        text = text.replace(link, moved)
    return text
