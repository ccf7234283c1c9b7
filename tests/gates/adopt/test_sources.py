"""What a lock has only as a source distribution is proposed by name; nothing else is."""

from collections.abc import Mapping

import pytest

from gates.adopt.draft import Draft
from gates.adopt.packages import read_packages
from gates.adopt.sources import propose_source_builds
from gates.adopt.tree import Tree

HASH = f"sha256:{'a' * 64}"
URL = "https://files.example/pkg"
UV = f"""\
version = 1
[[package]]
name = "langdetect"
version = "1.0.9"
sdist = {{ url = "{URL}/langdetect-1.0.9.tar.gz", hash = "{HASH}" }}

[[package]]
name = "six"
version = "1.17"
sdist = {{ url = "{URL}/six-1.17.tar.gz", hash = "{HASH}" }}
wheels = [{{ url = "{URL}/six-1.17-py3-none-any.whl", hash = "{HASH}" }}]

[[package]]
name = "shop"
source = {{ virtual = "." }}
"""
POETRY = f"""\
[[package]]
name = "Flask_Mail"
version = "0.9.1"
files = [{{file = "Flask-Mail-0.9.1.zip", hash = "{HASH}"}}]

[[package]]
name = "six"
version = "1.17"
files = [{{file = "six-1.17.tar.gz", hash = "{HASH}"}}, {{file = "six-1.17-py3-none-any.whl", hash = "{HASH}"}}]

[[package]]
name = "empty"
version = "1"
files = []
"""
OLDER = f"""\
[[package]]
name = "langdetect"
version = "1.0.9"

[metadata.files]
langdetect = [{{file = "langdetect-1.0.9.tar.gz", hash = "{HASH}"}}]
"""
PDM = f"""\
[[package]]
name = "langdetect"
version = "1.0.9"
files = [{{url = "{URL}/langdetect-1.0.9.tar.gz#x", hash = "{HASH}"}}]
"""
PYLOCK = f"""\
lock-version = "1.0"
[[packages]]
name = "langdetect"
version = "1.0.9"
sdist = {{ name = "langdetect-1.0.9.tar.gz", hashes = {{ sha256 = "{'a' * 64}" }} }}

[[packages]]
name = "six"
version = "1.17"
wheels = [{{ url = "{URL}/six-1.17-py3-none-any.whl", hashes = {{ sha256 = "{'a' * 64}" }} }}]
"""


def proposed(files: Mapping[str, str]) -> tuple[object, str]:
    tree, draft = Tree(tuple(files), dict(files)), Draft()
    propose_source_builds(tree, read_packages(tree, ".", Draft()), draft)
    return next(((one.value, one.because) for one in draft.entries if one.table == "locks"), (None, ""))


@pytest.mark.parametrize(
    ("lock", "text", "names", "because"),
    [
        ("uv.lock", UV, ("langdetect",), "no wheel of it at uv.lock:3"),
        ("poetry.lock", POETRY, ("flask-mail",), "no wheel of it at poetry.lock:2"),
        ("poetry.lock", OLDER, ("langdetect",), "no wheel of it at poetry.lock:2"),
        ("pdm.lock", PDM, ("langdetect",), "no wheel of it at pdm.lock:2"),
        ("pylock.toml", PYLOCK, ("langdetect",), "no wheel of it at pylock.toml:3"),
        ("backend/uv.lock", UV, None, ""),
    ],
    ids=["uv", "poetry", "poetry 1.1", "pdm", "pylock", "of another app"],
)
def test_a_package_without_a_wheel_is_proposed(
    lock: str, text: str, names: tuple[str, ...] | None, because: str
) -> None:
    assert proposed({lock: text, "pyproject.toml": "[project]\nname = 'shop'\n"}) == (names, because)


@pytest.mark.parametrize(
    ("lock", "text"),
    [
        ("uv.lock", UV.replace("langdetect-1.0.9.tar.gz", "langdetect-1.0.9-py3-none-any.whl")),
        ("uv.lock", "package = 3\n"),
        ("uv.lock", "[[package]]\nname = 'a b'\nsdist = { url = 'x/a.tar.gz' }\n"),
        ("uv.lock", "[[package]]\nname = 'a'\nsdist = { url = 3 }\nwheels = 3\nfiles = [3]\n"),
        ("uv.lock", "no TOML"),
        ("requirements.lock", f"langdetect==1.0.9 --hash={HASH}\n"),
        ("Pipfile.lock", '{"default": {"langdetect": {"version": "==1.0.9", "hashes": ["sha256:a"]}}, "develop": {}}'),
    ],
    ids=["wheel", "no list", "no name", "no files", "no TOML", "list", "pipenv"],
)
def test_nothing_is_proposed_where_nobody_can_tell(lock: str, text: str) -> None:
    assert proposed({lock: text}) == (None, "")
