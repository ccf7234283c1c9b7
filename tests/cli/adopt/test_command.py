"""The command: what it writes, what it refuses to replace, what it asks, and what it says of a first release."""

import json
import socket
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from gates.strict_toml import parse
from host.docker.engine import Engine
from host.errors import ConfigError
from settings.pipeline import read_pipeline
from tests.docker_engine import needs_docker
from tests.tasks.adopt.shapes import SHAPES, lock
from tests.tasks.adopt.test_repository import lay

WHOLE = SHAPES["everything that one file can say"].files
UNKNOWN = {
    "app.py": "import os\nfrom flask import Flask\napp = Flask('x')\nbase = os.environ['API_BASE']\n",
    "requirements.lock": lock("flask", "gunicorn"),
    ".python-version": "3.11",
}


def adopt(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(app, ["adopt", *words], input=given)


def test_it_writes_what_our_own_readers_take_and_replaces_nothing_unasked(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", WHOLE), tmp_path / "config"
    done = adopt(str(shop), "--yes", "--output", str(output))
    assert done.exit_code == 1 and "is no git repository" in done.output  # it blocks, and is written all the same
    assert read_pipeline(output / "pipeline.toml").app.name == "shop"
    assert sorted(one.name for one in output.iterdir()) == [
        *("approvers.toml", "development.env", "pipeline.toml", "production.env", "staging.env"),
    ]
    assert adopt(str(shop), "--yes", "--output", str(output)).exit_code == 1  # the same files: nothing to replace
    (output / "staging.env").write_text("PORT=1\n")
    refused = adopt(str(shop), "--yes", "--output", str(output))
    assert refused.exit_code == 1 and "-PORT=1" in refused.output and "+PORT=8001" in refused.output
    assert (output / "staging.env").read_text() == "PORT=1\n"
    adopt(str(shop), "--yes", "--force", "--output", str(output))
    assert "PORT=8001" in (output / "staging.env").read_text()


def test_what_a_lock_has_only_as_sources_is_proposed_by_name(tmp_path: Path) -> None:
    sources = 'sdist = { url = "https://files.example/langdetect-1.0.9.tar.gz", hash = "sha256:0" }'
    files = {
        "app.py": UNKNOWN["app.py"],
        "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask", "langdetect"]\n',
        "uv.lock": f'version = 1\n\n[[package]]\nname = "langdetect"\nversion = "1.0.9"\n{sources}\n',
    }
    shop, output = lay(tmp_path / "shop", files), tmp_path / "config"
    adopt(str(shop), "--yes", "--output", str(output))
    assert read_pipeline(output / "pipeline.toml").locks.build_from_source == ("langdetect",)
    line = 'build_from_source = ["langdetect"]  # no wheel of it at uv.lock:4\n'
    assert line in (output / "pipeline.toml").read_text()


def test_a_link_in_the_place_of_a_file_is_not_written_through(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", WHOLE), tmp_path / "config"
    output.mkdir()
    (output / "pipeline.toml").symlink_to(tmp_path / "elsewhere")
    done = adopt(str(shop), "--yes", "--force", "--output", str(output))
    assert done.exit_code == 1 and "no plain file" in str(done.exception)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("given", "path", "base"),
    [("main\n/lives\nhttps://api\n", "/lives", "APP_API_BASE=https://api"), ("", "/", "# APP_API_BASE=")],
    ids=["answers", "end-of-input"],
)
def test_what_could_not_be_known_is_asked_one_by_one(given: str, path: str, base: str, tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", UNKNOWN), tmp_path / "config"
    done = adopt(str(shop), "--output", str(output), given=given)
    assert "3/3" in done.output or not given
    assert parse((output / "pipeline.toml").read_text())["health"]["paths"] == [path]
    assert base in (output / "production.env").read_text()


def test_json_asks_and_writes_nothing(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", UNKNOWN), tmp_path / "config"
    found = json.loads(adopt(str(shop), "--json", "--output", str(output)).output)
    assert [one["key"] for one in found["questions"]] == ["app.branch", "health.paths", "APP_API_BASE"]
    assert {one["what"] for one in found["first_release"]} >= {
        "Python",
        "lock runtime",
        "health",
        "migrations",
        "image",
    }
    assert "[run]" in found["config"]["pipeline.toml"] and not output.exists()


def rows(*words: str) -> dict[str, tuple[str, str]]:
    done = adopt(*words, "--json")
    return {one["what"]: (one["outcome"], one["why"]) for one in json.loads(done.output)["first_release"]}


def test_check_says_of_each_thing_whether_it_blocks(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", {**UNKNOWN, "requirements.lock": "flask\n"}), tmp_path / "config"
    found = rows(str(shop), "--output", str(output))
    assert found["Python"][0] == "ok"
    assert found["lock runtime"][0] == "blocks"
    assert found["server"] == ("blocks", "gunicorn is not among the locked packages")
    assert found["health"][0] == "could not tell"
    assert found["settings"][0] == "blocks" and "API_BASE is not set in development" in found["settings"][1]
    assert found["licences"][0] == "could not tell"
    checked = adopt(str(shop), "--check", "--output", str(output))
    assert checked.exit_code == 1 and not output.exists()


def test_check_takes_the_config_that_was_written_when_it_is_this_apps(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", {**WHOLE, ".python-version": "3.11"}), tmp_path / "config"
    adopt(str(shop), "--yes", "--output", str(output))
    assert rows(str(shop), "--output", str(output))["migrations"] == (
        "ok",
        "alembic (alembic.ini); its SQL is judged by ci",
    )
    text = (output / "pipeline.toml").read_text()
    (output / "pipeline.toml").write_text(
        text.replace('python = "3.11"', 'python = "3.2"').replace("migrate =", "seed =")
    )
    found = rows(str(shop), "--output", str(output))
    assert found["Python"][0] == "blocks" and "3.2" in found["Python"][1]
    assert found["migrations"][0] == "blocks"
    (output / "pipeline.toml").write_text(text.replace('name = "shop"', 'name = "other"'))
    assert rows(str(shop), "--output", str(output))["Python"][0] == "ok"


def test_check_tells_of_roles_and_targets_of_compose(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", SHAPES["compose with celery"].files), tmp_path / "config"
    done = json.loads(adopt(str(shop), "--json", "--output", str(output)).output)
    told = [(one["what"], one["outcome"], one["why"]) for one in done["first_release"]]
    assert any(
        what == "compose roles" and outcome == "blocks" and "beat: singleton" in why for what, outcome, why in told
    )
    assert any(what == "compose roles" and "take out or label proxy" in why for what, _, why in told)
    assert any(what == "image target" and "web builds production" in why for what, _, why in told)


def composed(top: Path, db: str = "", web: str = "") -> Path:
    """Lay a git working tree whose compose file has every role, with more keys for two of its services."""
    text = f"""\
services:
  web: {{build: ., ports: ['8000:8000'], labels: {{slipway.role: slot}}{web}}}
  beat: {{build: ., command: celery -A app beat, labels: {{slipway.role: singleton}}}}
  db: {{image: 'postgres:16', labels: {{slipway.role: shared}}{db}}}
  redis: {{image: 'redis:7', labels: {{slipway.role: shared}}}}
"""
    shop = lay(top, {**UNKNOWN, "Dockerfile": "FROM python:3.11-slim\n", "docker-compose.yml": text})
    subprocess.run(["git", "init", "-q", "-b", "main", str(shop)], check=True)
    return shop


def said_of_compose(shop: Path) -> list[tuple[str, str]]:
    done = json.loads(adopt(str(shop), "--json", "--output", str(shop.parent / "config")).output)
    return [(one["outcome"], one["why"]) for one in done["first_release"] if one["what"] == "compose"]


@needs_docker
def test_check_has_compose_read_the_file_of_the_working_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    said = said_of_compose(composed(tmp_path / "shop", ", networks: [nowhere]", ", privileged: true"))
    for words in ("service web: privileged: ", "undefined network"):
        (why,) = [why for outcome, why in said if outcome == "blocks" and words in why]
        assert why.startswith("development, staging, production: ")
    good = said_of_compose(composed(tmp_path / "good"))
    assert [outcome for outcome, _ in good] == ["could not tell"] and "nobody could look whether ports" in good[0][1]
    assert not (tmp_path / "home").exists()


@needs_docker
def test_of_an_app_in_a_folder_compose_reads_the_whole_working_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    top = composed(tmp_path / "shop", ", networks: [nowhere]")
    lay(top / "orders", UNKNOWN)
    subprocess.run(["git", "-C", str(top), "add", "."], check=True)
    assert any("undefined network" in why for _, why in said_of_compose(top / "orders"))


@needs_docker
@pytest.mark.docker
def test_check_looks_at_the_engines_ports(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.name)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    assert [outcome for outcome, _ in said_of_compose(composed(tmp_path / "free"))] == ["ok"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = said_of_compose(composed(tmp_path / "taken", f", ports: ['127.0.0.1:{port}:5432']"))
    ((outcome, why),) = said
    assert outcome == "blocks" and f"service db: port 127.0.0.1:{port} is taken by " in why


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", WHOLE), tmp_path / "config"
    output.write_text("mine")
    done = adopt(str(shop), "--yes", "--output", str(output))
    assert done.exit_code == 1 and "it is no folder" in str(done.exception)
    assert output.read_text() == "mine"


def test_check_is_of_the_command_that_is_written(tmp_path: Path) -> None:
    shop, output = lay(tmp_path / "shop", {**WHOLE, ".python-version": "3.11"}), tmp_path / "config"
    assert rows(str(shop), "--output", str(output))["config"] == (
        "ok",
        f"as it would be proposed; nothing of this app is in {output}",
    )
    adopt(str(shop), "--yes", "--output", str(output))
    file, text = output / "pipeline.toml", (output / "pipeline.toml").read_text()
    file.write_text(text.replace('"-m", "uvicorn"', '"-m", "hypercorn"'))
    found = rows(str(shop), "--output", str(output))
    assert found["config"] == ("ok", f"as it stands in {output}")
    assert found["server"] == ("blocks", "hypercorn is not among the locked packages")
    file.write_text(f"{text}\n[half")
    blocked = rows(str(shop), "--output", str(output))["config"]
    assert blocked[0] == "blocks" and str(file) in blocked[1]


@pytest.mark.parametrize("place", ["/proc/nothing/config", "/dev/null/config", "x" * 300], ids=["no", "file", "long"])
def test_a_folder_that_cannot_be_written_is_told(place: str, tmp_path: Path) -> None:
    done = adopt(str(lay(tmp_path / "shop", WHOLE)), "--yes", "--output", str(tmp_path / place))
    assert done.exit_code == 1
    assert isinstance(done.exception, ConfigError) and "--output DIR" in str(done.exception)
