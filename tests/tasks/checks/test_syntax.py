"""Which changes of a Python file count: both sides of what comments and layout can change."""

import io
import tarfile
from collections.abc import Mapping
from hashlib import sha1
from pathlib import Path

import pytest

from tasks.checks.syntax import Lines, code_digest, lines_of, moved_lines, read_syntax
from tasks.source.git import Source

CODE = '''"""Shop."""
import os


def price(of):
    # a comment
    return {
        "a": 1,
        "b": of,
    }
'''


def commit(root: Path, files: Mapping[str, str | bytes], modes: Mapping[str, str] | None = None) -> Source:
    """Return the source that those files make: archived, and with git's way of telling their content."""
    root.mkdir(parents=True, exist_ok=True)
    told = {}
    with tarfile.open(root / "source.tar", "w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
            told[name] = f"{(modes or {}).get(name, '100644')} blob {sha1(data).hexdigest()}"
    return Source("c" * 40, "1", "main", (), root / "source.tar", told)


def digests(root: Path, content: str | bytes, **others: str | bytes) -> tuple[str, str]:
    """What a check sees of one file that it runs, and one that also measures its lines."""
    files = {"shop.py": content, **{f"{name}.py": other for name, other in others.items()}}
    source = commit(root, files)
    return code_digest(source, files, False), code_digest(source, files, True)


@pytest.mark.parametrize(
    ("change", "runs_again", "measures_again"),
    [
        ((b"# a comment", b"# another"), False, False),
        ((b"import os\n", b"import os  # why\n"), False, False),
        ((b"def price", b"# a line more\n\ndef price"), False, False),
        ((b"    # a comment\n", b""), False, False),
        ((b'        "b": of,', b'        # inside\n        "b": of,'), False, False),
        ((b"of):", b"of) :"), False, False),
        ((b"\n", b"\r\n"), False, False),
        ((b'"a": 1,\n        "b"', b'"a": 1, "b"'), False, True),
        ((b'"""Shop."""\n', b'# first\n"""Shop."""\n'), False, True),
        ((b'"""Shop."""', b'"""A shop."""'), True, True),
        ((b"1,", b"2,"), True, True),
        ((b"1,", b"True,"), True, True),
        ((b"1,", b"1.0,"), True, True),
        ((b"price(of)", b"price(of: int)"), True, True),
        ((b"import os", b"import sys"), True, True),
        ((b'"""Shop."""', b'#!/bin/sh\n"""Shop."""'), True, True),
        ((b"import os", b"from __future__ import annotations"), True, True),
    ],
)
def test_what_a_change_makes_look_again(
    tmp_path: Path, change: tuple[bytes, bytes], runs_again: bool, measures_again: bool
) -> None:
    before, after = CODE.encode(), CODE.encode().replace(*change)
    assert before != after
    one, other = digests(tmp_path / "one", before), digests(tmp_path / "other", after)
    assert (one[0] != other[0], one[1] != other[1]) == (runs_again, measures_again)


@pytest.mark.parametrize(
    "text",
    [
        b"def broken(:\n",
        b"# -*- coding: latin-1 -*-\nX = 1\n",
        b"# -*- coding: utf-7 -*-\nX = 1\n",
        b"# coding: nobody-knows-it\nX = 1\n",
        b"X = '\xff'\n",
        b"X = 1\0\n",
        b"X = '\\d'\n",  # the parser warns: a suite that makes errors of warnings fails
        b"X = " + b"(" * 300 + b")" * 300 + b"\n",
        b"X = " + b"+".join([b"a"] * 5000) + b"\n",
        b"X = " + b"9" * 5000 + b"\n",
    ],
)
def test_what_its_tree_does_not_tell_counts_by_content(tmp_path: Path, text: bytes) -> None:
    assert digests(tmp_path / "one", text) != digests(tmp_path / "other", text + b"# a comment\n")


@pytest.mark.parametrize(
    "reader",
    [
        "from inspect import getsource",
        "import inspect\nX = inspect.getsource(X)",
        "import inspect\nX = inspect.stack()",
        "import tokenize",
        "from lib2to3 import pygram",
        "from importlib import resources",
        "import importlib.resources",
        "import subprocess\nsubprocess.run(['python', '-m', 'black', '.'])",
        "RUN = 'cd . && grep -r TODO'",
        "RUN = ['make', 'lint']",
        "from pathlib import Path\nFILES = list(Path().rglob('*'))",
        "import os\nFILES = os.walk('.')",
        "X = open('shop' + '.py').read()",
        "X = f'{name}.py'",
        "from pathlib import Path\nX = Path(__file__).read_text()",
        "with open(__file__) as file:\n    pass",
        "assert record.lineno == 5",
        "FORMAT = '%(lineno)d'",
        "X = f.__code__.co_firstlineno",
    ],
)
def test_where_anything_looks_at_the_text_all_count_by_content(tmp_path: Path, reader: str) -> None:
    one = digests(tmp_path / "one", CODE, test=reader)
    assert one != digests(tmp_path / "other", CODE.replace("# a", "# another"), test=reader)


@pytest.mark.parametrize(
    "harmless",
    [
        '"""Looks like shop.py does."""\n',
        "import inspect\nX = inspect.signature(print)\n",
        "from pathlib import Path\nSTATIC = Path(__file__).parent / 'static'\n",
        "import re\nX = re.compile('a')\n",
        "X = open('data.json').read()\n",
        "X = {'token': 'buy milk'}\n",
    ],
)
def test_what_reads_no_python_lets_comments_pass(tmp_path: Path, harmless: str) -> None:
    one = digests(tmp_path / "one", CODE, test=harmless)
    assert one == digests(tmp_path / "other", CODE.replace("# a", "# another"), test=harmless)


def test_data_modes_and_links_count_by_content_and_attributes_not_at_all(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"shop.py": CODE, "data.json": "1", "a/.gitattributes": "* text"}
    before = commit(tmp_path / "one", files)

    def changed(name: str, content: str, **modes: str) -> bool:
        after = commit(tmp_path / "other", files | {name: content}, {f"{key}.py": mode for key, mode in modes.items()})
        return code_digest(before, ["shop.py", "data.json"], False) != code_digest(
            after, ["shop.py", "data.json"], False
        )

    assert not changed("shop.py", CODE + "# more\n")
    assert not changed("other.py", "X = 1")
    assert changed("data.json", "2")
    assert not changed("a/.gitattributes", "* -text"), "files are laid out as they are stored"
    assert changed("shop.py", CODE, shop="100755")
    assert changed("shop.py", CODE, shop="120000")


def test_what_git_lays_out_is_what_is_parsed(tmp_path: Path) -> None:
    """What counts is the archive, not the content that git names."""
    plain = commit(tmp_path / "one", {"shop.py": "X = 1  # $Format:%B$\n"})
    written = commit(tmp_path / "two", {"shop.py": "X = 1  # told\nX = 2\n"})
    other = Source("c" * 40, "1", "main", (), written.archive, plain.files)
    assert code_digest(plain, ["shop.py"], False) != code_digest(other, ["shop.py"], False)


def test_without_an_archive_that_can_be_read_all_count_by_content(tmp_path: Path) -> None:
    (tmp_path / "broken.tar").write_bytes(b"no tar")
    for archive in (tmp_path / "absent.tar", tmp_path / "broken.tar"):
        assert not read_syntax(archive).modules
        keys = set()
        for content in ("1", "2"):
            source = Source("c" * 40, "1", "main", (), archive, {"shop.py": f"100644 blob {content}"})
            keys.add(code_digest(source, ["shop.py"], False))
        assert len(keys) == 2


def test_a_line_is_found_again_where_the_shape_is_the_same(tmp_path: Path) -> None:
    was = lines_of(commit(tmp_path / "one", {"a.py": "X = 1\nY = 2\n", "b.py": "X = 1\n", "c.py": "X = 1\n"}))
    now = lines_of(commit(tmp_path / "two", {"a.py": "X = 1\n# a\n\nY = 2\n", "b.py": "X = 1\n", "c.py": "Y = 1\n"}))
    assert moved_lines(was, now) == {"a.py": [(1, 1), (2, 4)], "c.py": []}
    assert moved_lines(was, was) == {}
    alone = Lines(shape="1", lines=(1,))
    assert moved_lines({"gone.py": alone}, {"new.py": alone}) == {"gone.py": [], "new.py": []}
