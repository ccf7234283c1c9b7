"""A private repository on GitHub is fetched with the token of prefect-github's block, which stays secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect_github import GitHubCredentials
from pydantic import SecretStr

from host.errors import ConfigError, SourceError
from host.git import git
from host.home import Home
from settings.pipeline import App
from tasks.source.git import mirror, resolve
from tests.github_server import TOKEN, GitHubServer
from tests.serving import serving

pytestmark = pytest.mark.usefixtures("prefect_server")
WHO = {f"GIT_{role}_{part}": "ada@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}


@pytest.fixture(scope="module", autouse=True)
def blocks(prefect_server: None) -> None:
    GitHubCredentials(token=SecretStr(TOKEN)).save("reader")
    GitHubCredentials(token=SecretStr("another-token")).save("stale")
    GitHubCredentials().save("empty")


@pytest.fixture
def server(tmp_path: Path) -> GitHubServer:
    made = GitHubServer()
    work, made.repository = tmp_path / "work", tmp_path / "app.git"
    git("init", "-q", "-b", "main", str(work))
    git("commit", "-q", "--allow-empty", "-m", "first", at=work, env=WHO)
    git("clone", "-q", "--bare", str(work), str(made.repository))
    git("update-server-info", at=made.repository)
    return made


@pytest.fixture
def address(server: GitHubServer) -> Iterator[str]:
    with serving(server.app) as url:
        yield f"{url}/team/app.git"


def app(address: str, block: str = "") -> App:
    return App(name="shop", repository=address, credentials_block=block)


def test_it_is_fetched_with_the_blocks_token(server: GitHubServer, address: str, tmp_path: Path) -> None:
    copy = mirror(app(address, "reader"), Home(tmp_path / "home"))
    assert resolve(copy, "main") == git("rev-parse", "main", at=server.repository)
    written = [file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file()]
    assert written and not any(TOKEN.encode() in content for content in written)


@pytest.mark.parametrize("block", ["", "stale"])
def test_without_the_right_token_it_is_not_read_and_the_error_holds_no_secret(
    address: str, tmp_path: Path, block: str
) -> None:
    with pytest.raises(SourceError, match="git fetch in ") as refused:
        mirror(app(address, block), Home(tmp_path / "home"))
    assert "another-token" not in str(refused.value)


@pytest.mark.parametrize(
    ("block", "why"), [("absent", "Prefect has no block github-credentials/absent"), ("empty", "holds no token")]
)
def test_a_block_that_cannot_be_used_is_named_with_its_key(address: str, tmp_path: Path, block: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"config/pipeline.toml: app.credentials_block: .*{why}"):
        mirror(app(address, block), Home(tmp_path / "home"))
