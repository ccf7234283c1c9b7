import os
import subprocess
from pathlib import Path

import pytest

from cli.demo.story import make_repository, read_story
from host.errors import ConfigError, SourceError
from host.home import CHECKOUT

VERSION = '[[version]]\nname = "v{0}"\nmessage = "m{0}"\nauthor = {{ name = "Ada", email = "ada@example.org" }}\n'
SOUND = 'app = "app"\n' + "".join(VERSION.format(number) for number in (1, 2, 3))
PATCH = """--- a/main.py
+++ b/main.py
@@ -1 +1 @@
-one
+two
"""


def write(folder: Path, text: str = SOUND) -> Path:
    (folder / "app").mkdir(exist_ok=True)
    (folder / "app" / "main.py").write_text("one\n")
    (folder / "story.toml").write_text(text)
    return folder


def git(repository: Path, *argv: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *argv], cwd=repository, env=clean, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as told:
        read_story(folder)
    assert str(told.value).startswith(f"{folder / 'story.toml'}: ")
    return str(told.value).removeprefix(f"{folder / 'story.toml'}: ")


def test_the_story_of_this_repository_can_be_told(tmp_path: Path) -> None:
    story = read_story(CHECKOUT / "examples" / "story")
    assert [version.expected for version in story.version] == ["Promoted", "Promoted", "RolledBack"]
    assert story.traffic.is_file()
    make_repository(story, tmp_path / "assistant")
    assert git(tmp_path / "assistant", "tag").split() == ["v1", "v2", "v3"]
    assert git(tmp_path / "assistant", "status", "--porcelain") == ""
    files = git(tmp_path / "assistant", "ls-files").splitlines()
    assert "requirements.lock" in files and not [file for file in files if "node_modules" in file]
    assert git(tmp_path / "assistant", "diff", "--stat", "v1", "v2") and git(tmp_path / "assistant", "diff", "v2", "v3")


def test_the_same_story_gives_the_same_commits(tmp_path: Path) -> None:
    text = SOUND.replace('message = "m2"', 'message = "m2"\npatch = "v2.patch"')
    (tmp_path / "v2.patch").write_text(PATCH)
    story = read_story(write(tmp_path, text))
    heads = set()
    for turn in ("one", "two", "two"):  # the third time over what was there
        make_repository(story, tmp_path / turn)
        heads.add(git(tmp_path / turn, "rev-parse", "v1", "v2", "v3"))
        assert git(tmp_path / turn, "show", "v1:main.py") == "one"
        assert git(tmp_path / turn, "show", "v3:main.py") == "two"
        assert git(tmp_path / turn, "log", "-1", "--format=%an %ae %cn %aI") == (
            "Ada ada@example.org Ada 2026-01-01T00:00:00+00:00"
        )
    assert len(heads) == 1


def test_what_was_made_while_working_is_left_out(tmp_path: Path) -> None:
    story = read_story(write(tmp_path))
    for name in ("node_modules/x.js", "__pycache__/x.pyc", ".mypy_cache/x", "static/x.html", ".venv/x"):
        (tmp_path / "app" / name).parent.mkdir()
        (tmp_path / "app" / name).touch()
    make_repository(story, tmp_path / "made")
    assert git(tmp_path / "made", "ls-files").splitlines() == ["main.py"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "v2"', 'name = "two"', "version.1.name: "),
        ('name = "v2"', "", "version.1.name: Field required"),
        ('message = "m2"', "", "version.1.message: Field required"),
        ('message = "m2"', 'message = "m2"\nexpected = "Fine"', "version.1.expected: "),
        ('message = "m2"', 'message = "m2"\npatches = "x"', "version.1.patches: "),
        ('app = "app"', 'app = "app"\ntraffic = "x"', "traffic: "),
        (VERSION.format(3), "", "version: "),
        (VERSION.format(3), VERSION.format(3) + VERSION.format(4), "version: "),
    ],
)
def test_bad_input_names_file_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert SOUND.count(old) == 1
    told = refusal(write(tmp_path, SOUND.replace(old, new)))
    assert told.startswith(said), told


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path)
    assert "at line 1" in refusal(write(tmp_path, "app = = 1"))
    (tmp_path / "story.toml").write_bytes(b"app = '\xff'")
    assert "not UTF-8" in refusal(tmp_path)


def test_a_story_lies_where_it_was_read(tmp_path: Path) -> None:
    assert read_story(write(tmp_path, 'directory = "/elsewhere"\n' + SOUND)).directory == tmp_path


def test_a_missing_service_is_told_before_anything_is_removed(tmp_path: Path) -> None:
    story = read_story(write(tmp_path, SOUND.replace('"app"', '"gone"', 1)))
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine").touch()
    with pytest.raises(ConfigError, match=r"story.toml: app: there is no folder .*gone"):
        make_repository(story, tmp_path / "made")
    assert (tmp_path / "made" / "mine").exists()


@pytest.mark.parametrize("content", [None, "no patch", PATCH.replace("-one", "-another")])
def test_a_patch_that_does_not_apply_is_told(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "v2.patch").write_text(content)
    story = read_story(write(tmp_path, SOUND.replace('message = "m2"', 'message = "m2"\npatch = "v2.patch"')))
    with pytest.raises(SourceError, match="git apply in .*made"):
        make_repository(story, tmp_path / "made")


def test_a_story_may_be_named_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v2.patch").write_text(PATCH)
    write(tmp_path, SOUND.replace('message = "m2"', 'message = "m2"\npatch = "v2.patch"'))
    monkeypatch.chdir(tmp_path)
    make_repository(read_story(Path(".")), tmp_path / "made")
    assert git(tmp_path / "made", "show", "v2:main.py") == "two"


def test_the_repository_of_a_hook_that_we_run_in_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git tells its hooks by GIT_DIR and GIT_INDEX_FILE where they work; `make test` may be called in one."""
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(outer))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git" / "index"))
    make_repository(read_story(write(tmp_path)), tmp_path / "made")
    assert git(tmp_path / "made", "tag").split() == ["v1", "v2", "v3"]
    assert git(outer, "tag") == "" and not (outer / ".git" / "index").exists()


def test_hooks_and_signing_of_the_user_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "home" / ".gitconfig"
    config.parent.mkdir()
    config.write_text("[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = /nowhere\n[core]\n\thooksPath = /tmp\n")
    monkeypatch.setenv("HOME", str(config.parent))
    make_repository(read_story(write(tmp_path)), tmp_path / "made")
    assert git(tmp_path / "made", "tag").split() == ["v1", "v2", "v3"]
