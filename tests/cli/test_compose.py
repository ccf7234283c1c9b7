"""`slipway compose` of a tree: what is printed where, and what its exit code says. Starts nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import cli.compose
from cli.compose import compose
from deployments.environment import Environment
from settings.pipeline import read_pipeline

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
PIPELINE = """\
app = {{ name = "shop", repository = "{repository}", python = "3.11" }}
locks = {{ runtime = "a.lock", ci = "a.lock" }}
[run]
command = ["python"]
[image.compose]
production = "docker-compose.yml"
"""
SETTINGS = "PORT=1\nRUNTIME=compose\nSTRATEGY=blue-green\nREQUIRED_GATES=unit\nDOCKER_HOST={host}\n"
GOOD = 'services:\n  web: {build: ., expose: ["80"], labels: {slipway.role: slot}}\n'
AWAY = "unix:///nowhere/docker.sock"
NEW = "services:\n  web:\n    build: .\n    ports: ['80:80']\n"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A git working tree with a compose file."""
    top = tmp_path / "shop"
    top.mkdir()
    (top / "docker-compose.yml").write_text(GOOD)
    (top / "Dockerfile").write_text("FROM scratch\n")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=top, check=True)
    return top


def asked(app: Path, monkeypatch: pytest.MonkeyPatch, *words: str, host: str = AWAY) -> tuple[int, str, str]:
    """Run the command with a configuration of its own; return its exit code, output and error output."""
    config = app.parent / "config"
    config.mkdir(exist_ok=True)
    (config / "pipeline.toml").write_text(PIPELINE.format(repository=app))
    (config / "production.env").write_text(SETTINGS.format(host=host))
    monkeypatch.setenv("SLIPWAY_HOME", str(app.parent / "home"))
    monkeypatch.setattr(cli.compose, "read_pipeline", lambda: read_pipeline(config / "pipeline.toml"))
    opened = Environment.open
    monkeypatch.setattr(Environment, "open", lambda target, name, home: opened(target, name, home, config))
    made = typer.Typer()
    made.command()(compose)
    done = CliRunner().invoke(made, ["production", *words])
    return done.exit_code, done.stdout, done.stderr


def test_without_an_engine_it_is_inconclusive_and_says_what_nobody_looked_at(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, said = asked(app, monkeypatch, "--app", str(app))
    assert code == cli.compose.INCONCLUSIVE, said
    assert out.startswith("# the working tree shop (with uncommitted changes), for production: nothing of it is built")
    assert "web-blue" in out and "sha256:0000000" in out
    assert not (app.parent / "home").exists()


def test_problems_are_told_before_anything_is_committed(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app / "docker-compose.yml").write_text(NEW)
    code, _, said = asked(app, monkeypatch, "--app", str(app))
    assert code == 1 and "docker-compose.yml:2: service web: no label, expected slipway.role" in said


def test_labels_are_proposed_as_a_patch_and_nothing_is_applied(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app / "docker-compose.yml").write_text(NEW)
    code, out, _ = asked(app, monkeypatch, "--app", str(app), "--write-labels")
    assert code == 0 and (app / "docker-compose.yml").read_text() == NEW
    subprocess.run(["git", "apply", "--check", "-"], cwd=app, input=out.encode(), check=True)


def test_a_tree_and_a_version_are_two_questions(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(app, monkeypatch, "--app", str(app), "--version", "v1")[0] == 1
