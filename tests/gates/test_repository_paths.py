import pytest
from pydantic import TypeAdapter, ValidationError

from gates.repository_paths import Folder, below, from_top

FOLDER = TypeAdapter(Folder)


@pytest.mark.parametrize(
    ("given", "folder"),
    [(".", "."), ("", "."), ("backend", "backend"), ("./apps//api/", "apps/api"), ("a b", "a b"), ("..a", "..a")],
    ids=["top", "nothing", "folder", "long-winded", "space", "dots-in-a-name"],
)
def test_a_folder_of_the_repository_has_one_spelling(given: str, folder: str) -> None:
    assert FOLDER.validate_python(given) == folder


@pytest.mark.parametrize(
    "given",
    ["/srv/backend", "..", "backend/../../other", "a\0b", "a\nb", "x" * 301],
    ids=["absolute", "above", "through-above", "nul", "newline", "long"],
)
def test_what_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        FOLDER.validate_python(given)


@pytest.mark.parametrize(
    ("path", "directory", "told"),
    [
        ("shop/a.py", ".", "shop/a.py"),
        ("shop/a.py", "backend", "backend/shop/a.py"),
        ("../shared/a.py", "backend", "shared/a.py"),
        ("/source/backend/a.py", "backend", "backend/a.py"),
        ("../../etc/passwd", "backend", "passwd"),
        ("/usr/lib/x.py", ".", "x.py"),
    ],
    ids=["top", "below", "beside", "absolute", "outside", "absolute-outside"],
)
def test_a_path_that_a_program_printed_is_told_from_the_top(path: str, directory: str, told: str) -> None:
    assert from_top(path, directory) == told


def test_what_lies_in_a_folder() -> None:
    assert below(".", "a.py") and below("backend", "backend/a.py") and not below("backend", "backend2/a.py")
