"""A commit that is laid out as something else than what was looked at, or that holds up who looks at it."""

import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments.runtimes.compose.contain import DEFINED
from deployments.runtimes.compose.env_files import BARE
from deployments.runtimes.compose.parse import parse
from evidence.commits import co_authors
from evidence.scopes import Scope
from gates.migrations.revision import judge_migration
from gates.migrations.rows import reads_rows
from gates.scans.dockerfiles.judge import ImageRules, judge_dockerfile
from gates.scans.entrypoints import migration_in, scripts_in
from gates.scans.secret_names import looks_secret
from host.errors import SourceError, ToolError
from host.files import remove_tree
from host.home import Home
from settings.pipeline import App
from tasks.checks import changed_lines, syntax
from tasks.checks.memory import files_digest
from tasks.checks.tool_caches import ToolCache
from tasks.source import commit_tree
from tasks.source.git import Source, fetch_source
from tasks.source.working_tree import read_working_tree
from tasks.source.workspace import Workspace, working_directory

PYTHON = b"def a():\n    return 1\n\n\ndef b():\n    return 2\n"
LONG = 300_000


class Repository:
    """A stranger's repository, whose objects need no files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *argv: str, stdin: bytes = b"") -> str:
        who = ("-c", "user.name=Eve", "-c", "user.email=eve@example.org")
        done = subprocess.run(
            ["git", "-C", str(self.directory), *who, *argv], input=stdin, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, bytes], message: str = "x", branch: str = "main") -> str:
        """Commit exactly these bytes: what lies in a working tree would be converted."""
        self.git("read-tree", "--empty")
        for name, content in files.items():
            blob = self.git("hash-object", "-w", "--no-filters", "--stdin", stdin=content)
            self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
        tree, ref = self.git("write-tree"), f"refs/heads/{branch}"
        before = self.git("for-each-ref", "--format=%(objectname)", ref)
        parent = ("-p", before) if before else ()
        made = self.git("commit-tree", tree, *parent, stdin=message.encode())
        self.git("update-ref", ref, made)
        return made

    def app(self, **more: object) -> App:
        return App.model_validate({"name": "shop", "repository": str(self.directory), **more})


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    for name in ("tasks.source.git", "tasks.source.working_tree", "tasks.source.log_blocks"):
        monkeypatch.setattr(f"{name}.get_run_logger", lambda: logging.getLogger("test"))
    Home.find().create()
    yield
    remove_tree(tmp_path)  # too deep for pytest


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def fetch(repository: Repository, directory: Path, wanted: str = "refs/heads/main", **more: object) -> Source:
    source: Source = fetch_source.fn(repository.app(**more), wanted, directory)
    return source


ATTRIBUTES = {
    "the message": b"app.py export-subst\n",
    "left out": b"app.py export-ignore\n",
    "left out with its folder": b"* export-ignore\n",
    "another encoding": b"app.py working-tree-encoding=IBM037\n",
    "other line ends": b"app.py text eol=crlf\n",
    "other line ends, as they were set once": b"app.py crlf\n",
    "a filter": b"app.py filter=lfs diff=lfs merge=lfs -text\n",
    "the object's name": b"app.py ident\n",
    "by a name of their own": b"[attr]odd export-subst ident eol=crlf text\n*.py odd\n",
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
@pytest.mark.parametrize("where", [".gitattributes", "pkg/.gitattributes"])
def test_a_commit_is_laid_out_as_it_is_stored(
    repository: Repository, tmp_path: Path, kind: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = b"'''\n$Format:%b$ $Id$\n'''\nx = 1\n"
    place = where.replace(".gitattributes", "app.py")
    files = {where: ATTRIBUTES[kind], place: body}
    one = fetch(repository, tmp_path / "1", repository.commit(files, "Notes\n\n'''\nimport os\n'''"))
    two = fetch(repository, tmp_path / "2", repository.commit(files, "Other\n\n'''\nimport sys\n'''"))
    for number, source in enumerate((one, two)):
        laid = source.lay_out(tmp_path / f"tree{number}", os.geteuid())
        assert (laid / place).read_bytes() == body
    assert files_digest(one, [place]) == files_digest(two, [place]), "so what was found out about one holds for both"
    assert f"change nothing, which stand in {where}" in caplog.text


def test_attributes_that_change_no_file_are_not_told(
    repository: Repository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetch(
        repository,
        tmp_path / "1",
        repository.commit({".gitattributes": b"*.sh text eol=lf -export-ignore\n* identity\n"}),
    )
    fetch(repository, tmp_path / "2", repository.commit({"docs": b"say app.py export-subst\n"}))
    assert "change nothing" not in caplog.text


def test_a_working_tree_is_laid_out_as_it_would_be_stored(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"README": b""})
    (repository.directory / ".gitattributes").write_bytes(b"*.py export-subst\nleft.py export-ignore\n")
    for name in ("app.py", "left.py"):
        (repository.directory / name).write_bytes(b"# $Format:%H$\n")
    source = read_working_tree.fn(repository.directory, tmp_path / "made")
    laid = source.lay_out(tmp_path / "tree", os.geteuid())
    assert [(laid / name).read_bytes() for name in ("app.py", "left.py")] == [b"# $Format:%H$\n"] * 2


@pytest.mark.parametrize(
    ("attributes", "stored", "added"),
    [
        (b"*.py binary\n", PYTHON, 6),
        (b"*.py -diff\n", PYTHON, 6),
        (b"*.py diff=nothing\n", PYTHON, 6),
        (b"", PYTHON.replace(b"\n", b"\r\n"), 6),
    ],
)
def test_no_attribute_hides_a_changed_line(
    repository: Repository, tmp_path: Path, attributes: bytes, stored: bytes, added: int
) -> None:
    repository.commit({"ok.py": b"x = 1\n"})
    repository.commit({"ok.py": b"x = 1\n", ".gitattributes": attributes, "new.py": stored})
    source = fetch(repository, tmp_path / "made")
    diff, count = changed_lines._diff(Workspace(tmp_path, source, tmp_path))
    assert count == added and "def b" in diff


def test_a_line_that_python_reads_as_many_is_not_counted_as_one(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"ok.py": b"x = 1\n"})
    repository.commit({"ok.py": b"x = 1\n", "pkg/new.py": PYTHON.replace(b"\n", b"\r")})
    workspace = Workspace(tmp_path, fetch(repository, tmp_path / "made"), tmp_path)
    found = changed_lines.look_at_changes("coverage", workspace, tmp_path / "lcov", [])
    assert isinstance(found, changed_lines.Unmeasured)
    assert "pkg/new.py ends lines with a carriage return alone" in found.reason


@pytest.mark.parametrize(
    "message",
    ["Co-authored-by: " + "a" * LONG, "Co-authored-by:" * (LONG // 15), "Co-authored-by" + " " * LONG, "co-" * LONG],
    ids=["no address", "often", "blanks", "half a word"],
)
def test_a_long_message_holds_nobody_up(repository: Repository, tmp_path: Path, message: str) -> None:
    commit = repository.commit({"a": b""}, f"x\n\n{message}")  # ended by the test's own limit of time, if by any
    assert fetch(repository, tmp_path / "made").commit == commit


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a@b", ["a@b"]),
        ("Ada <ada@example.org>, Bob <bob@example.org>", ["ada@example.org", "bob@example.org"]),
        ("@b", []),
        ("a@", []),
        ("a@b@c", ["a@b@c"]),
        ("Ada (at home) [ada@example.org]", ["ada@example.org"]),
    ],
)
def test_who_is_named_in_a_message_is_read_as_before(text: str, addresses: list[str]) -> None:
    assert [one.email for one in co_authors(f"x\n\nCo-authored-by: {text}")] == addresses


def test_messages_without_end_are_refused(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence.commits.LONGEST_LOG", LONG)
    repository.commit({"a": b""}, "x" * (LONG + 1))
    with pytest.raises(SourceError, match=f"git log .* has more than {LONG} bytes"):
        fetch(repository, tmp_path / "made")


def test_one_content_under_many_names_does_not_fill_the_disk(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_tree, "LARGEST_TREE_BYTES", 2_900_000)
    files = {f"f{number:03d}": b"\0" * 10_000 for number in range(290)}
    fetch(repository, tmp_path / "fits", repository.commit(files))
    repository.commit(files | {"data/one more": b"\0" * 10_001})
    with pytest.raises(SourceError, match=r"0.0 GB of files.*take out the largest: data/one more \(0 MB\), f000 "):
        fetch(repository, tmp_path / "made")
    assert not (tmp_path / "made" / "source.tar").exists()


def test_who_may_push_a_branch_or_a_tag_does_not_decide_whose_code_it_is(
    repository: Repository, tmp_path: Path
) -> None:
    release = repository.commit({"a": b"1"}, branch="release")
    for name in ("refs/heads/aaa", "refs/heads/heads/release", "refs/tags/release", "refs/tags/main"):
        repository.git("update-ref", name, release)
    for number, wanted in enumerate(("refs/heads/release", release, "aaa")):
        source = fetch(repository, tmp_path / str(number), wanted, protected=("release",))
        assert source.scope == Scope("release", True)
    main = repository.commit({"a": b"2"})
    repository.git("update-ref", "refs/heads/aaa", main)
    assert fetch(repository, tmp_path / "m", protected=("release",)).scope == Scope("main", True)
    side = repository.commit({"a": b"3"}, branch="side")
    repository.git("update-ref", "refs/heads/also", side)
    assert fetch(repository, tmp_path / "s", "side", protected=("release",)).scope == Scope("side", False)


def _deep(directory: Path, depth: int) -> None:
    """Nest folders deeper than a function can call itself, and than a path can be long."""
    directory.mkdir(exist_ok=True)
    code = f"import os\nfor n in range({depth}):\n os.mkdir('dddd'); os.chdir('dddd')\nopen('end', 'w').close()"
    subprocess.run(["python3", "-c", code], cwd=directory, check=True)


def test_a_folder_of_any_depth_is_removed_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    _deep(tmp_path / "deep", 3000)
    (tmp_path / "deep" / "link").symlink_to(tmp_path)
    for closed in ("closed", "dddd/closed", "dddd/dddd/closed"):
        (tmp_path / "deep" / closed / "inner").mkdir(parents=True)
        (tmp_path / "deep" / closed).chmod(0)
    remove_tree(tmp_path / "deep")
    remove_tree(tmp_path / "never was")
    assert [one.name for one in tmp_path.iterdir() if one.name != "state"] == ["kept"]


def test_what_a_check_left_ends_no_other_and_stays_nowhere(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": b""})
    source = fetch(repository, tmp_path / "made")
    with working_directory() as root:
        workspace = Workspace(root, source, tmp_path)
        _deep(workspace.check_directory("unit"), 3000)
        _deep(workspace.scratch("unit"), 3000)
        assert [one.name for one in workspace.check_directory("unit").iterdir()] == ["a"]
        if os.geteuid() == 0:
            with pytest.raises(ToolError, match="unit: what it left is nested too deep"):
                workspace.scratch("unit")
    assert not root.exists()


def test_a_cache_that_nobody_can_copy_is_not_kept(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": b""})
    cache = ToolCache("mypy", tmp_path / "environment", fetch(repository, tmp_path / "made"))
    for depth, kept in ((700, False), (50, True)):
        lent = tmp_path / f"lent{depth}"
        cache.lend(lent)
        _deep(lent, depth)
        cache.take_back(lent)
        assert cache.kept.exists() is kept
        remove_tree(lent)
    remove_tree(cache.kept)
    _deep(cache.kept, 3000)  # one that an earlier version kept
    cache.lend(tmp_path / "again")
    assert list((tmp_path / "again").iterdir()) == []


def test_python_that_needs_the_whole_memory_counts_by_its_content(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"big.py": b"a\n" * 990_000, "small.py": b"x = 1\n"})
    source = fetch(repository, tmp_path / "made")
    assert set(syntax.read_syntax(source.archive).modules) == {"small.py"}


RULES = ImageRules()
FLAGS, WORD, DEEP_NUMBER = " -m" * 60, "a" * LONG, "0x" + "f" * 5000
CONTINUED = "\\\n".join([WORD[:60_000]] * (LONG // 60_000))  # Docker reads no longer line than 65,535 bytes
HOLDS_UP: dict[str, Callable[[], object]] = {
    "a value in a Dockerfile": lambda: judge_dockerfile("D", f"FROM a:1.2.3\nENV X={CONTINUED}", RULES),
    "a name in a Dockerfile": lambda: judge_dockerfile("D", f"FROM a:1.2.3\nARG {CONTINUED}", RULES),
    "a word in a script": lambda: scripts_in(WORD),
    "a word of paths in a script": lambda: scripts_in("a/" * (LONG // 2)),
    "options of a migration": lambda: migration_in(f"alembic{FLAGS} upgraded"),
    "many migrations": lambda: migration_in("alembic -x " * (LONG // 11)),
    "many words that are said": lambda: migration_in("echo '" * (LONG // 6)),
    "many scripts of Python": lambda: migration_in("python -a/" * (LONG // 10)),
    "many files of SQL": lambda: migration_in("psql " * (LONG // 5)),
    "sources of a query": lambda: reads_rows("select 1 " + "from " * (LONG // 5)),
    "empty lines of variables": lambda: DEFINED.findall("\n" * LONG),
    "empty lines of bare variables": lambda: BARE.findall("\n" * LONG),
    "a secret's value": lambda: looks_secret("X", WORD),
    "comments of a migration": lambda: judge_migration("1", "/*" * (LONG // 2)),
    "a number in a compose file": lambda: parse(f"a: {DEEP_NUMBER}", "c.yml"),
}


@pytest.mark.parametrize("kind", HOLDS_UP)
def test_a_long_text_is_read_in_one_go(kind: str) -> None:
    HOLDS_UP[kind]()  # ended by the test's own limit of time, if by any


def test_what_is_read_in_one_go_is_still_found() -> None:
    for text in ("alembic -c alembic.ini -x a=b upgrade head", "alembic --raiseerr upgrade head", "alembic upgrade +1"):
        assert migration_in(text)
    assert not migration_in("alembic -c alembic.ini downgrade -1")
    assert DEFINED.findall("\n\n  export A=1\n B : 2\n#C=1\nD") == ["A", "B"]
    assert BARE.findall("A\n\n  B # c\nC=1\nexport D\n") == ["A", "B", "D"]
    assert looks_secret("X", "postgresql+asyncpg://u:hunter2@h/db") and looks_secret("X", "s3://u:p@h")
    assert scripts_in("exec ./run.sh a//b /opt/x.bash-old") == ["./run.sh", "/b", "/opt/x.bash"]
    found = judge_dockerfile("D", "FROM a:1.2.3\nENV 1_SECRET=x B_TOKEN='y z'", RULES)
    assert [row.message.split()[1] for row in found if "secret" in row.message] == ["1_SECRET", "B_TOKEN"]
    assert parse(f"a: {DEEP_NUMBER}", "c.yml").value == {"a": DEEP_NUMBER}
