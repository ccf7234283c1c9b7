"""A repository to adopt: a folder, a git repository without a working tree, or an address that is fetched."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deployments.runtimes.compose.parse import parse
from gates.adopt.about import About
from gates.adopt.tree import ASIDE, Tree, Yaml
from host.errors import ConfigError, SlipwayError, SourceError, was_not_answered
from host.git import git, git_bounded
from settings.repository_address import SCP_LIKE, holds_password
from tasks.adopt.files import LARGEST_LISTING, Files, of_commit, of_folder

LARGEST_PYTHON = 400_000
MOST_PYTHON_FILES = 6_000
MOST_PYTHON = 3_000_000  # bytes, of those that have a telling word
# Files that tell something, by their own name. `.env` itself is not among them: it holds a person's secrets.
TELLING = re.compile(
    r"pyproject\.toml|setup\.cfg|setup\.py|uv\.lock|poetry\.lock|pdm\.lock|Pipfile|Pipfile\.lock|pylock(\.[^.]+)?\.toml"
    r"|[\w.-]*requirements[\w.-]*\.(txt|in|lock)|[\w-]+\.(in|lock)|runtime\.txt|\.python-version"
    r"|alembic\.ini|manage\.py|\.flake8|tox\.ini|noxfile\.py|pytest\.ini|mypy\.ini|\.isort\.cfg|\.?ruff\.toml"
    r"|pyrightconfig\.json|package\.json|vite\.config\.[jt]s|[\w.-]*Dockerfile[\w.-]*|Containerfile|Procfile[\w.-]*"
    r"|(docker-)?compose[\w.-]*\.ya?ml|deploy[\w.-]*\.yml|\.gitlab-ci\.yml|\.pre-commit-config\.yaml"
    r"|\.env[\w.-]*(example|sample|template|dist)[\w.-]*|[\w-]*(env|environment)\.(example|sample|template|dist)"
    r"|[\w.-]+\.sh|entrypoint[\w.-]*"
)
IN_FOLDER = re.compile(r"(?:^|/)(?:\.github/workflows/[^/]+\.ya?ml|requirements/[^/]+\.(?:txt|in|lock))$")
# A Python file without any of these tells nothing here.
WORDS = re.compile(
    rb"environ\b|getenv|BaseSettings|pydantic_settings|class\s[^\n]{0,200}?(?:Settings|Config)"
    rb"|(?:Postgres|Cockroach)Dsn|MultiHostUrl|ext\.asyncio|advanced_alchemy"
    rb"|decouple|starlette\.config|environs\b|DATABASES\b|API_V\d"
    rb"|FastAPI|Flask\(|Starlette|Litestar|web\.Application|get_[aw]sgi_application|Quart|Sanic|falcon|Bottle"
    rb"|Configurator"
    rb"|include_router|APIRouter\(|[Bb]lueprint\(|urlpatterns|create_\w*app|make_\w*app|web\.run_app"
    rb"|[Ll]ogin|permission_classes"
    rb"|[\"'/^]_*(?:health|ping|up|status|ready|live|alive|heartbeat)[a-z_-]*/?[\"'$]"
)
MIGRATIONS = re.compile(r"(?:^|/)(?:migrations?|alembic|versions)/(?:[^/]+/)*[^/]+\.(?:py|sql)$")
MOST_MIGRATIONS = 5_000
EXTENDS = re.compile(rb"(?i:create\s+extension)|Extension\(")


@dataclass(frozen=True)
class Repository:
    """What is looked at: its files, what git knows of it, and where its top is."""

    files: Files
    about: About
    place: Path


def open_repository(place: str, scratch: Path) -> Repository:
    """Return a folder's or a repository's files. An address is fetched into `scratch`, the newest commit alone.

    Raises SourceError if there is nothing to look at.
    """
    if "://" in place or SCP_LIKE.match(place) and not Path(place).exists():
        return _fetched(place, scratch)
    path = Path(place)
    if place.startswith("~"):
        path = Path(os.path.expanduser(place))  # as it is where there is no such user
    if not path.is_dir():
        raise SourceError(f"{place}: no such directory; name a checkout or the address of a git repository")
    path = path.resolve()
    if not str(path).isprintable():
        raise SourceError(f"{ascii(str(path))}: no config/ can name such a path; give the folder a plain name")
    if (path / "HEAD").is_file() and (path / "objects").is_dir() and not (path / ".git").exists():
        about = _about(path, str(path))
        if not about.head:
            raise SourceError(f"{path}: it has no commit; push one, or name a checkout")
        return Repository(of_commit(path, "HEAD"), about, path)
    top = _top(path)
    about = replace(_about(top, str(top)), folder="" if top == path else str(path.relative_to(top)))
    return Repository(of_folder(top), about, top)


def _top(path: Path) -> Path:
    """Return the top of the working tree in which a folder lies, if what lies there belongs to it; else the folder."""
    if (path / ".git").exists():
        return path
    above = next((one for one in path.parents if (one / ".git").exists()), path)
    try:
        tracked = above != path and git_bounded("ls-files", "-z", "--", ".", at=path, most=LARGEST_LISTING)
    except SourceError:
        return path
    return above if tracked else path


def _fetched(url: str, scratch: Path) -> Repository:
    if holds_password(url):
        raise SourceError("the address holds a password or token; take it out, and let git's credential helper have it")
    bare = scratch / "repository.git"
    git("init", "-q", "--bare", str(bare))
    try:
        heads = git("ls-remote", "--symref", "--", url, "HEAD")
        if not heads:
            raise SourceError(f"{url}: it has no commit; push one")
        git(
            "fetch",
            "-q",
            "--depth",
            "1",
            "--no-tags",
            "--no-recurse-submodules",
            "--",
            url,
            "+HEAD:refs/heads/head",
            at=bare,
        )
    except SourceError as error:
        raise SourceError(*error.args, transient=was_not_answered(str(error))) from error
    branch = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", heads, re.MULTILINE)
    about = _about(bare, url, "refs/heads/head")
    name = url.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")
    about = About(name, url, branch[1] if branch else "", about.author, about.email, True, about.head)
    return Repository(of_commit(bare, "refs/heads/head"), about, bare)


def _about(path: Path, place: str, head: str = "HEAD") -> About:
    """Return what git says of a repository; of a folder that is none, its name."""
    name = path.name if path.name not in ("repo", "repo.git") else path.parent.name
    here = {"GIT_CEILING_DIRECTORIES": str(path.parent)}

    def asked(*argv: str) -> str:
        try:
            return git(*argv, at=path, env=here)
        except SlipwayError:
            return ""

    if not asked("rev-parse", "--git-dir"):
        return About(name, place)
    author, _, email = asked("log", "-1", "--format=%an%x00%ae", head, "--").partition("\0")
    origin = asked("remote", "get-url", "origin")
    is_origin = _is_address(origin) and not holds_password(origin)
    return About(
        name.removesuffix(".git"),
        origin if is_origin else place,
        asked("symbolic-ref", "--short", "--quiet", "HEAD"),
        author,
        email,
        is_git=True,
        head=asked("rev-parse", "--verify", "--quiet", f"{head}^{{commit}}"),
        is_origin=is_origin,
    )


def _is_address(origin: str) -> bool:
    """Return whether an origin means the same from everywhere: no path of this host's."""
    return "://" in origin or bool(SCP_LIKE.match(origin))


def read_tree(files: Files) -> Tree:
    """Return the texts of the files that tell something, YAML parsed. Nothing of them is run."""
    names = sorted(files.sizes)
    telling = [name for name in names if TELLING.fullmatch(name.rpartition("/")[2]) or IN_FOLDER.search(name)]
    known = set(telling)
    python = [name for name in names if name.endswith(".py") and name not in known and not ASIDE.search(name)]
    files.left_out += [
        f"{name}: larger than {LARGEST_PYTHON} bytes" for name in python if files.sizes[name] > LARGEST_PYTHON
    ]
    python = [name for name in python if files.sizes[name] <= LARGEST_PYTHON]
    python.sort(key=lambda name: (name.count("/"), name))
    if (more := len(python) - MOST_PYTHON_FILES) > 0:
        files.left_out.append(f"{more} files of Python, the deepest: at most {MOST_PYTHON_FILES} are read")
        python = python[:MOST_PYTHON_FILES]
    texts = files.texts(telling, lambda *_: True)
    texts |= _within(files, files.texts(python, lambda _, content: bool(WORDS.search(content))))
    migrations = [name for name in names if MIGRATIONS.search(name) and files.sizes[name] <= LARGEST_PYTHON]
    if (more := len(migrations) - MOST_MIGRATIONS) > 0:
        files.left_out.append(f"{more} migrations: at most {MOST_MIGRATIONS} are read")
    extending = files.texts(migrations[:MOST_MIGRATIONS], lambda _, content: bool(EXTENDS.search(content)))
    yamls = {}
    for name in [name for name in telling if name.endswith((".yml", ".yaml")) and name in texts]:
        try:
            document = parse(texts[name], name)
            yamls[name] = Yaml(document.value, document.lines)
        except ConfigError as error:
            files.left_out.append(str(error))
    return Tree(tuple(names), texts, yamls, tuple(files.left_out), extending)


def _within(files: Files, python: dict[str, str]) -> dict[str, str]:
    """Return the files of Python up to the limit, those of the app first."""
    found: dict[str, str] = {}
    total = 0
    for name, text in python.items():
        total += len(text)
        if total > MOST_PYTHON:
            files.left_out.append(f"{len(python) - len(found)} files of Python, the deepest")
            break
        found[name] = text
    return found


def shown(left_out: Sequence[str], most: int = 10) -> list[str]:
    """Return what was not looked at, the first of it when there is much."""
    more = len(left_out) - most
    return [*left_out[:most], f"and {more} more"] if more > 0 else list(left_out)
