import os
import tarfile
from pathlib import Path

import pytest

from host.trees import Entry, Kind, UnsafeTree, copy_tree, entries_below, problems, refuse_unsafe, shown, unpack


def tree(**links: str) -> list[Entry]:
    """Return the entries of a tree with the folders a/b and lib, the file a/file, and these links."""
    entries = [
        Entry("a", Kind.FOLDER),
        Entry("a/b", Kind.FOLDER),
        Entry("lib/x.py", Kind.FILE),
        Entry("a/file", Kind.FILE),
    ]
    return [*entries, *(Entry(name.replace("_", "/"), Kind.LINK, target) for name, target in links.items())]


@pytest.mark.parametrize(
    "links",
    [
        {"a_link": "../lib/x.py"},
        {"a_b_link": "../../lib"},
        {"link": "a/b/../file"},
        {"link": "./a//b/"},
        {"link": "not/made/yet"},
        {"one": "two", "two": "lib"},
        {"one": "two/x.py", "two": "lib"},
        {"a_top": ".."},
    ],
)
def test_links_inside_of_the_tree_are_laid_out(links: dict[str, str]) -> None:
    assert problems(tree(**links)) == []


@pytest.mark.parametrize(
    ("links", "why"),
    [
        ({"a_link": "../../x"}, "a/link -> ../../x: the link leads out of the tree"),
        ({"link": "/etc/passwd"}, "link -> /etc/passwd: the link is absolute, so it leads out of the tree"),
        ({"link": ""}, "link -> '': the link leads nowhere"),
        (
            {"one": "two/../x", "two": "a/b"},
            "one -> two/../x: the link goes back (..) through two, which is no folder of",
        ),
        ({"link": "a/c/../../x"}, "through a/c, which is no folder of the tree"),
        ({"link": "a/file/../b"}, "through a/file, which is no folder of the tree"),
        ({"link": "a\nb"}, "link -> 'a\\nb': the link's target holds a control character"),
        ({"lib": "a"}, "lib -> a: the tree has this name twice"),
    ],
)
def test_other_links_are_named_with_where_they_lead(links: dict[str, str], why: str) -> None:
    found = problems(tree(**links))
    assert any(why in one for one in found)


@pytest.mark.parametrize(
    "name", ["größe ß.txt", "-q", "a b", "..a", ".github/x", ".gitignore", "日本", "a\\b", "👩\u200d💻"]
)
def test_ordinary_names_are_laid_out(name: str) -> None:
    assert problems([Entry(name, Kind.FILE)]) == []


def test_many_problems_are_counted() -> None:
    with pytest.raises(UnsafeTree, match="; and 3 more$"):
        refuse_unsafe([Entry(f"x{number}", Kind.OTHER) for number in range(8)])


def test_an_archive_is_unpacked_in_part(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "front" / "src").mkdir(parents=True)
    (top / "front" / "src" / "main.ts").write_text("one")
    (top / "frontier").write_text("two")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.add(top, ".")
    unpack(tmp_path / "x.tar", tmp_path / "out", only=["front"])
    assert [entry.path for entry in entries_below(tmp_path / "out")] == ["front", "front/src", "front/src/main.ts"]


def test_a_tree_is_copied_over_another(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "run").write_text("new")
    (source / "a" / "run").chmod(0o755)
    (source / "a" / "link").symlink_to("run")
    (target / "a").mkdir(parents=True)
    (target / "a" / "run").write_text("old")
    (target / "a" / "kept").write_text("kept")
    copy_tree(source, target)
    assert (target / "a" / "run").read_text() == "new" and os.access(target / "a" / "run", os.X_OK)
    assert (target / "a" / "kept").exists() and (target / "a" / "b").is_dir()
    assert os.readlink(target / "a" / "link") == "run"


def test_a_file_does_not_replace_a_folder_nor_a_folder_a_file(tmp_path: Path) -> None:
    (tmp_path / "one" / "x").mkdir(parents=True)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "x").touch()
    for source, target in (("one", "two"), ("two", "one")):
        with pytest.raises(UnsafeTree, match="^x: "):
            copy_tree(tmp_path / source, tmp_path / target)


def test_a_strangers_text_is_one_harmless_line() -> None:
    assert shown("a\x1b[2J\nb") == "'a\\x1b[2J\\nb'"
    assert len(shown("a" * 500)) == 200
