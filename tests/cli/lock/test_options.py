"""Options of a list that the lock made of it does not hold are named."""

from pathlib import Path

import pytest

from cli.lock.options import dropped_options

LOGIN = "user:" + "word" + "@"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"--index-url https://{LOGIN}index.example/simple", "--index-url https://index.example...: uv asked it"),
        (f"-i https://{LOGIN}index.example/simple", "-i https://index.example...: uv asked it"),
        (f"--extra-index-url=https://{LOGIN}x.example/s", "--extra-index-url https://x.example...: uv asked it"),
        ("--no-index", "--no-index: uv asked it"),
        ("--find-links ./wheels", "--find-links ./wheels: uv looked there"),
        ("-fwheels", "-f wheels: uv looked there"),
        ("-c limits.txt", "-c limits.txt: it chose among the versions"),
        ("--no-binary \\\n thing", "--no-binary thing: the lock does not say so: ci installs wheels"),
        ("--only-binary :all:", "--only-binary :all:: the lock does not say so: ci installs wheels"),
        ("--pre", "--pre: uv passes over it, and so does the lock"),
        ("--trusted-host index.example", "--trusted-host index.example: uv passes over it"),
        ("--moon 1", "--moon 1: uv passes over it"),
    ],
    ids=lambda value: value.split()[0] if value.startswith("-") else "",
)
def test_an_option_is_named_without_its_login(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "requirements.in").write_text(f"# a comment\n{line}\nthing\n")
    said = dropped_options(tmp_path, "requirements.in")
    assert len(said) == 1 and said[0].startswith(f"requirements.in line 2: {words}"), said
    assert LOGIN[:-1] not in said[0]


def test_the_lists_that_a_list_names_are_looked_at_once_each(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.in").write_text("-r ../b.txt\n-c limits.txt\n-r a.in\nthing\n")
    (tmp_path / "b.txt").write_text("--find-links wheels\n-r sub/a.in\n-e .\n")
    (tmp_path / "sub" / "limits.txt").write_text("--pre\nthing<2\n")
    said = [line.rpartition(": ")[0] for line in dropped_options(tmp_path, "sub/a.in")]
    assert [line.split(": ")[0] for line in said] == ["sub/a.in line 2", "b.txt line 1", "sub/limits.txt line 1"]


def test_nothing_is_read_outside_of_the_project_or_through_a_link(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "outside.txt").write_text("--pre\n")
    (project / "link.txt").symlink_to(tmp_path / "outside.txt")
    (project / "a.in").write_text(
        f"-r ../outside.txt\n-r {tmp_path / 'outside.txt'}\n-r link.txt\n-r absent.txt\nthing\n"
    )
    assert dropped_options(project, "a.in") == []


def test_a_plain_list_drops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.in").write_text("thing>=1 ; os_name == 'posix'  # --pre\n-r b.in\n")
    (tmp_path / "b.in").write_text("other\n")
    assert dropped_options(tmp_path, "a.in") == dropped_options(tmp_path, "pyproject.toml") == []
